// Signing out: the session ends on every host, then at the issuer where it can. Who asks decides how: a person with one
// button, a page of ours at once, an application by App ID's path, the issuer in a frame (front channel).

import { holdPolicy } from '../documents/held.ts'
import type { Environment } from '../environment.ts'
import { settingsOf } from '../environment.ts'
import { actionLinks, answerPage, html } from '../pages/page.ts'
import { refusalPage } from '../pages/refusal-page.ts'
import { type Refusal, refuse, shown } from '../refusal.ts'
import { clearCsrfCookie, clearSessionCookie } from '../sessions/cookie.ts'
import { crossSite } from '../sessions/cross-site.ts'
import { endNamed, endSessions } from '../sessions/end.ts'
import { cookieSession, sessionOf } from '../sessions/held.ts'
import { singleSignOnOf } from '../sessions/settings.ts'
import { addressAtIssuer, endSessionEndpointOf, openLanding } from './end-at-issuer.ts'
import { goTo } from './go-to.ts'
import { recordsOfIssuer } from './issuer-records.ts'
import { originOf } from './login.ts'

const NAME_LENGTH_MAX = 1000

/** `GET` and `POST /logout` of a gateway host. */
export async function logout(
  environment: Environment,
  request: Request,
  requestId: string,
): Promise<Response> {
  const { searchParams } = new URL(request.url)
  if (request.method === 'POST') {
    const cross = crossSite(request, null)
    return cross ? refusalPage(cross, requestId) : signOut(environment, request, requestId, null)
  }
  const [iss, sid, state] = ['iss', 'sid', 'state'].map((name) => searchParams.get(name))
  if (iss && sid) return frontChannel(environment, requestId, iss, sid)
  if (state) return land(environment, requestId, state)
  if (searchParams.has('redirect_uri') || searchParams.has('client_id')) {
    return logoutOfApplication(environment, request, requestId)
  }
  if (request.headers.get('sec-fetch-site') === 'same-origin')
    return signOut(environment, request, requestId, null)
  return askedToSignOut(environment, request, requestId, '/logout')
}

/** `/.postern/logout` of a fronted host. */
export async function logoutOnFrontedHost(
  environment: Environment,
  request: Request,
  requestId: string,
): Promise<Response> {
  if (request.method === 'POST') {
    const cross = crossSite(request, null)
    return cross ? refusalPage(cross, requestId) : signOut(environment, request, requestId, null)
  }
  if (request.method !== 'GET') {
    return refusalPage(refuse('method_not_allowed', 'There are GET and POST.'), requestId)
  }
  const isOwn = request.headers.get('sec-fetch-site') === 'same-origin'
  return isOwn
    ? signOut(environment, request, requestId, null)
    : askedToSignOut(environment, request, requestId, '/.postern/logout')
}

/** [2-17], [2-18]: only to a registered address; otherwise a page says why, and nothing ends. */
export async function logoutOfApplication(
  environment: Environment,
  request: Request,
  requestId: string,
  tenant: string | null = null,
): Promise<Response> {
  const allowed = await registeredRedirect(environment, new URL(request.url).searchParams, tenant)
  return allowed.ok
    ? signOut(environment, request, requestId, allowed.uri)
    : refusalPage(allowed, requestId, { actions: [{ label: 'Sign out here', href: '/logout' }] })
}

async function registeredRedirect(
  environment: Environment,
  query: URLSearchParams,
  tenant: string | null,
): Promise<{ ok: true; uri: string } | Refusal> {
  if (tenant !== null && tenant !== (environment.INSTANCE_ID ?? 'postern')) {
    return refuse('instance_unknown', `${shown(tenant)} is not this instance's id.`, { check: 'tenant' })
  }
  const policy = await holdPolicy(environment)
  if (!policy.ok) return policy
  const settings = await singleSignOnOf(environment)
  if ('ok' in settings) return settings
  const [clientId, uri] = [query.get('client_id'), query.get('redirect_uri')]
  const application = policy.content.applications.find((one) => one.clientId === clientId)
  if (!application) {
    return refuse('application_unknown', `None has the client id ${shown(clientId ?? '')}.`, {
      check: 'client_id',
    })
  }
  if (!uri) return refuse('redirect_missing', 'There is no "redirect_uri".', { check: 'redirect_uri' })
  const isListed = [...settings.logoutRedirectUris, ...application.logoutRedirectUris].includes(uri)
  if (isListed && query.getAll('redirect_uri').length === 1) return { ok: true, uri }
  const detail = `${shown(uri)} is not registered, to the letter.`
  return refuse('redirect_not_registered', detail, { check: 'redirect_uri' })
}

/** Ends the browser's session for good, forgets its cookies here, and goes on to the issuer where that ends its own. */
async function signOut(
  environment: Environment,
  request: Request,
  requestId: string,
  redirectUri: string | null,
): Promise<Response> {
  const cookies = [clearSessionCookie(), clearCsrfCookie()]
  const session = await cookieSession(environment, request)
  const ended = session
    ? await endSessions(
        environment,
        session.principal,
        { kind: 'session', id: session.id },
        'the person signed out',
      )
    : []
  const own = originOf(environment, request)
  const origin = typeof own === 'string' ? own : settingsOf(environment).issuer
  const address = ended[0] ? await addressAtIssuer(environment, ended[0], { origin, redirectUri }) : null
  const next = address ?? redirectUri
  return next === null ? signedOutPage(requestId, cookies) : goTo(next, cookies)
}

/** [0-27]: the issuer shows us in a frame, without our cookies; what it names is all that ends. */
async function frontChannel(
  environment: Environment,
  requestId: string,
  iss: string,
  sid: string,
): Promise<Response> {
  if (sid.length <= NAME_LENGTH_MAX) {
    const found = await recordsOfIssuer(environment, iss)
    for (const { id } of found.ok ? found.records : []) {
      await endNamed(environment, id, { sid, sub: null }, 'the issuer has said so over the front channel')
    }
  }
  // The same answer whether there was such a session: whoever asks learns nothing.
  return answerPage({
    title: 'Signed out',
    status: 200,
    requestId,
    frames: 'any',
    body: html`<p>The session has ended.</p>`,
  })
}

/** Back from the issuer. Nothing ends here; somebody else's link with a state of its own ends nothing either. */
async function land(environment: Environment, requestId: string, state: string): Promise<Response> {
  const landing = await openLanding(environment, state)
  return landing?.redirectUri ? goTo(landing.redirectUri) : signedOutPage(requestId)
}

function signedOutPage(requestId: string, cookies: readonly string[] = []): Promise<Response> {
  const headers = new Headers()
  for (const cookie of cookies) headers.append('set-cookie', cookie)
  return answerPage({
    title: 'You are signed out',
    status: 200,
    requestId,
    headers,
    body: html`<p>No session of this browser is left here. Close the browser where others use it too.</p>`,
  })
}

/** Whoever comes from elsewhere may have been sent: one button, and nothing ends before. */
async function askedToSignOut(
  environment: Environment,
  request: Request,
  requestId: string,
  action: string,
): Promise<Response> {
  const session = await cookieSession(environment, request)
  if (session === null) return signedOutPage(requestId)
  const endpoint = await endSessionEndpointOf(environment, session.issuer, session.organization)
  return answerPage({
    title: 'Sign out?',
    status: 200,
    requestId,
    // The form's answer leads on to the issuer, which Chromium asks of form-action as well.
    formAction: endpoint === null ? [] : [endpoint],
    body: html`<p>You will be signed out of every application of this instance.</p>
<form method="post" action="${action}"><p class="actions"><button class="button">Sign out</button></p></form>`,
  })
}

/** `/` of a gateway host; [0-12]: where issuers lead to after signing out. */
export async function landing(
  environment: Environment,
  request: Request,
  requestId: string,
): Promise<Response> {
  const found = await sessionOf(environment, request)
  if (found?.ok) {
    const { claims, subject } = found.session.copy
    const name = typeof claims.name === 'string' ? claims.name : subject
    const actions = [
      { label: 'API reference', href: '/api/v1/docs' },
      { label: 'Sign out', href: '/logout' },
    ]
    return answerPage({
      title: 'You are signed in',
      status: 200,
      requestId,
      body: html`<p>You are signed in as <strong>${name}</strong>.</p>
${actionLinks(actions)}`,
    })
  }
  return answerPage({
    title: 'You are not signed in',
    status: 200,
    requestId,
    body: actionLinks([{ label: 'Sign in', href: '/login' }]),
  })
}
