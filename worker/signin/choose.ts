// The page where people choose with whom they sign in, and what is remembered of it. A page of links: it works without
// scripts and without a form.
import { answerPage, html } from '../pages/page.ts'
import { cookieValue } from './attempt.ts'
import type { SignInRecord } from './relying-party.ts'

const ISSUER_COOKIE = '__Host-postern-issuer'
const YEAR_SECONDS = 365 * 24 * 60 * 60
/** Of an organization and an issuer, each a slug. */
const RECORD_ID = /^[\w.-]{1,100}(?:\/[\w.-]{1,100})?$/

/** `url` is that of the page itself: each choice is the same request once more, with the choice. */
export async function choicePage(
  request: Request,
  choices: readonly SignInRecord[],
  requestId: string,
): Promise<Response> {
  const last = rememberedIssuer(request)
  const sorted = [...choices.filter(({ id }) => id === last), ...choices.filter(({ id }) => id !== last)]
  return answerPage({
    title: 'Sign in',
    status: 200,
    requestId,
    body: html`<p>Choose with whom you sign in.</p>
<ul class="choices">${sorted.map(({ id, signIn }) => {
      const mark = id === last ? html` <span class="mark">used last</span>` : null
      return html`<li><a href="${linkTo(request, id)}"><span>${signIn.label}</span>${mark}</a></li>`
    })}</ul>`,
  })
}

function linkTo(request: Request, id: string): string {
  const { pathname, searchParams } = new URL(request.url)
  searchParams.set('issuer', id)
  return `${pathname}?${searchParams}`
}

function rememberedIssuer(request: Request): string | null {
  const value = cookieValue(request, ISSUER_COOKIE)
  return value !== null && RECORD_ID.test(value) ? value : null
}

/** For Set-Cookie. */
export function rememberIssuer(id: string): string | null {
  if (!RECORD_ID.test(id)) return null
  return `${ISSUER_COOKIE}=${id}; Path=/; Max-Age=${YEAR_SECONDS}; Secure; HttpOnly; SameSite=Lax`
}

/** Nobody can sign in: what whoever sets Postern up does next. */
export async function nobodyOfferedPage(requestId: string): Promise<Response> {
  return answerPage({
    title: 'Signing in is not set up yet',
    status: 404,
    requestId,
    body: html`<p>No identity provider is set up for people to sign in with.</p>
<p>An administrator adds one in one of three ways:</p>
<ul>
<li>in the policy file: <code>signIn</code> with a <code>clientId</code> below one of its <code>issuers</code>;</li>
<li>with the API: <code>PUT /api/v1/issuers/{id}</code>, with the same member;</li>
<li>with the variables <code>OIDC_ISSUER</code> and <code>OIDC_CLIENT_ID</code> of the Worker.</li>
</ul>
<p>The guides for each identity provider have the exact addresses to paste there.</p>`,
  })
}
