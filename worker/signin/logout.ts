// The ways to sign out, on a gateway host and on a fronted one: who asks, and whether a person has to be asked whether
// it was meant. How it is done is sign-out.ts's; the issuer's own ways are front-channel.ts and back-channel.ts.
import type { Environment } from '../environment.ts'
import { answerPage, html } from '../pages/page.ts'
import { refusalPage } from '../pages/refusal-page.ts'
import { refuse } from '../refusal.ts'
import { crossSite } from '../sessions/cross-site.ts'
import { cookieSession } from '../sessions/held.ts'
import { logoutOfApplication } from './app-id-logout.ts'
import { openLanding } from './end-at-issuer.ts'
import { onlyValue } from './form.ts'
import { frontChannelLogout, isFrontChannel } from './front-channel.ts'
import { landAfterSignOut } from './landing.ts'
import { signOut } from './sign-out.ts'

/** `GET` and `POST /logout` of a gateway host. */
export async function logout(
  environment: Environment,
  request: Request,
  requestId: string,
): Promise<Response> {
  if (request.method === 'POST') return leave(environment, request, requestId)
  const url = new URL(request.url)
  if (isFrontChannel(url)) return frontChannelLogout(environment, request, requestId)
  const state = onlyValue(url.searchParams, 'state')
  const landing = state === null ? null : await openLanding(environment, state)
  if (landing) return landAfterSignOut(environment, request, requestId, landing)
  if (url.searchParams.has('redirect_uri') || url.searchParams.has('client_id')) {
    return logoutOfApplication(environment, request, requestId)
  }
  if (isMeant(request, ['same-origin'])) return signOut(environment, request, requestId)
  if ((await cookieSession(environment, request)) === null) {
    return landAfterSignOut(environment, request, requestId)
  }
  return askFirst('/logout', requestId)
}

/** `/.postern/logout` of a fronted host. */
export async function logoutOnFrontedHost(
  environment: Environment,
  request: Request,
  requestId: string,
): Promise<Response> {
  if (request.method === 'POST') return leave(environment, request, requestId)
  if (request.method !== 'GET' && request.method !== 'HEAD') {
    return refusalPage(refuse('method_not_allowed', 'It takes GET and POST.'), requestId)
  }
  const isAsked =
    !isMeant(request, ['same-origin', 'none']) && (await cookieSession(environment, request)) !== null
  return isAsked ? askFirst('/.postern/logout', requestId) : signOut(environment, request, requestId)
}

/** The button was pressed, on a page of this host. */
async function leave(environment: Environment, request: Request, requestId: string): Promise<Response> {
  const cross = crossSite(environment, request, null)
  return cross ? refusalPage(cross, requestId) : signOut(environment, request, requestId)
}

/** Whether a person has followed a link from such a place. A browser that loads pages beforehand follows none. */
function isMeant({ method, headers }: Request, sites: readonly string[]): boolean {
  const purpose = headers.get('sec-purpose') ?? headers.get('purpose') ?? ''
  return (
    method === 'GET' &&
    sites.includes(headers.get('sec-fetch-site') ?? '') &&
    headers.get('sec-fetch-mode') === 'navigate' &&
    !purpose.includes('prefetch')
  )
}

/** Whoever comes from elsewhere may have been sent: nothing ends before the button is pressed. */
function askFirst(action: string, requestId: string): Promise<Response> {
  return answerPage({
    title: 'Sign out?',
    status: 200,
    requestId,
    body: html`<p>You will be signed out of every application that shares this sign-in.</p>
<form method="post" action="${action}"><p class="actions"><button class="button">Sign out</button></p></form>`,
  })
}
