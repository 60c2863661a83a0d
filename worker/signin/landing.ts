// Where people land on a gateway host: after signing out, and at its root, which issuers may lead to as well ([0-12]).
// Nothing ends here.
import type { Environment } from '../environment.ts'
import { type Action, actionLinks, answerPage, type Html, html } from '../pages/page.ts'
import { refusalPage } from '../pages/refusal-page.ts'
import { sessionOf } from '../sessions/held.ts'
import type { SessionCopy } from '../sessions/session.ts'
import type { Landing } from './end-at-issuer.ts'
import { goTo } from './go-to.ts'
import { CLEARED } from './sign-out.ts'

const SIGN_IN: Action = { label: 'Sign in', href: '/login' }

/** After signing out: straight on to a registered address, unless something has to be said before. */
export async function landAfterSignOut(
  environment: Environment,
  request: Request,
  requestId: string,
  { redirectUri, left }: Landing = { redirectUri: null, left: null },
): Promise<Response> {
  if (redirectUri !== null && left === null) return goTo(redirectUri)
  const onward = redirectUri === null ? [] : [{ label: 'Continue', href: redirectUri }]
  const note = left && noteOf(left)
  return land(environment, request, requestId, {
    title: 'You are signed out',
    body: note ?? html`<p>No session of this browser is left here.</p>`,
    actions: [...onward, { ...SIGN_IN, label: 'Sign in again' }],
  })
}

function noteOf({ issuer, why }: NonNullable<Landing['left']>): Html {
  const what = why === 'unreachable' ? `${issuer} could not be reached: you may` : `At ${issuer} you may`
  return html`<p>You are signed out here. ${what} still be signed in there.</p>
<p>If others use this browser, sign out at ${issuer} as well, or close the browser.</p>`
}

/** `GET /`. */
export function home(environment: Environment, request: Request, requestId: string): Promise<Response> {
  return land(environment, request, requestId, {
    title: 'You are not signed in',
    body: html`<p>Sign in to go on.</p>`,
    actions: [SIGN_IN],
  })
}

/** Whoever has a session is told so, and is never told to be signed out. */
async function land(
  environment: Environment,
  request: Request,
  requestId: string,
  without: { title: string; body: Html; actions: readonly Action[] },
): Promise<Response> {
  const held = await sessionOf(environment, request)
  if (held?.ok) return signedInPage(held.session.copy, requestId)
  if (held?.reason === 'changes_unavailable' || held?.reason === 'policy_unavailable') {
    return refusalPage(held, requestId)
  }
  const headers = new Headers()
  // The cookie of a session that is no more.
  if (held) for (const cookie of CLEARED) headers.append('set-cookie', cookie)
  const { title, body, actions } = without
  return answerPage({ title, status: 200, requestId, headers, body: [body, actionLinks(actions)] })
}

function signedInPage(session: SessionCopy, requestId: string): Promise<Response> {
  const actions = [
    { label: 'API reference', href: '/api/v1/docs' },
    { label: 'Sign out', href: '/logout' },
  ]
  return answerPage({
    title: 'You are signed in',
    status: 200,
    requestId,
    body: html`<p>You are signed in as <strong>${nameOf(session)}</strong>.</p>
${actionLinks(actions)}`,
  })
}

function nameOf({ claims: { name, email }, subject }: SessionCopy): string {
  return [name, email].find((text): text is string => typeof text === 'string' && text !== '') ?? subject
}
