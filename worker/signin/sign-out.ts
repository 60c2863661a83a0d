// Signs a browser out: its session ends for good and on every host, this host's cookies go, and it is sent to where the
// issuer ends its own session. Whether that was meant has been asked before (logout.ts, app-id-logout.ts).
import { type Environment, settingsOf } from '../environment.ts'
import { actionLinks, answerPage, html } from '../pages/page.ts'
import { clearCsrfCookie, clearSessionCookie } from '../sessions/cookie.ts'
import { endSessions } from '../sessions/end.ts'
import { cookieSession } from '../sessions/held.ts'
import { type AtIssuer, endAtIssuer, sealLanding } from './end-at-issuer.ts'
import { goTo } from './go-to.ts'
import { originOf } from './login.ts'

export const CLEARED: readonly string[] = [clearSessionCookie(), clearCsrfCookie()]

/** `redirectUri`: a registered address to go on to in the end. */
export async function signOut(
  environment: Environment,
  request: Request,
  requestId: string,
  redirectUri: string | null = null,
): Promise<Response> {
  const own = originOf(environment, request)
  const origin = typeof own === 'string' ? own : settingsOf(environment).issuer
  const there = await end(environment, request, { origin, redirectUri })
  const next =
    there.kind === 'address' ? there.address : await nextHere(environment, there, origin, redirectUri)
  return request.method === 'POST' ? afterForm(request, next, requestId) : goTo(next, CLEARED)
}

/** Also a session that is refused everywhere, since it may not be so for ever. */
async function end(
  environment: Environment,
  request: Request,
  onward: { origin: string; redirectUri: string | null },
): Promise<AtIssuer> {
  const session = await cookieSession(environment, request)
  if (session === null) return { kind: 'here', left: null }
  const which = { kind: 'session', id: session.id } as const
  const [ended] = await endSessions(environment, session.principal, which, 'the person signed out')
  return ended ? endAtIssuer(environment, ended, onward) : { kind: 'here', left: null }
}

/** Straight on, unless there is something to be said before. */
async function nextHere(
  environment: Environment,
  { left }: { left: Parameters<typeof sealLanding>[1]['left'] },
  origin: string,
  redirectUri: string | null,
): Promise<string> {
  const isAway = left?.why === 'unreachable'
  if (redirectUri !== null && !isAway) return redirectUri
  return `${origin}/logout?state=${await sealLanding(environment, { redirectUri, left })}`
}

/**
 * Chromium asks a page's form-action of every redirect after its form, and where an issuer redirects to nobody knows: the
 * answer to a form is a page that leads on.
 */
async function afterForm(request: Request, next: string, requestId: string): Promise<Response> {
  if (new URL(next).host === new URL(request.url).host) return goTo(next, CLEARED)
  const headers = new Headers({ refresh: `0; url=${next}` })
  for (const cookie of CLEARED) headers.append('set-cookie', cookie)
  return answerPage({
    title: 'Signing you out',
    status: 200,
    requestId,
    headers,
    body: html`<p>You are signed out here. The last step is at ${new URL(next).host}.</p>
${actionLinks([{ label: 'Continue', href: next }])}`,
  })
}
