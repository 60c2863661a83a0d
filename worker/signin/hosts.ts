// What a fronted host serves of its own, under /.postern/ alone: the way to sign in, the ticket that brings the session
// back, and the way out. Pages of sign-in itself are the gateway host's.

import { answerRefusal } from '../answers.ts'
import { clock } from '../clock.ts'
import { holdPolicy, policyNow } from '../documents/held.ts'
import type { Environment } from '../environment.ts'
import { refusalPage } from '../pages/refusal-page.ts'
import { type Refusal, refuse, shown } from '../refusal.ts'
import { hostOfRequest, makeHostCookie, setSessionCookie } from '../sessions/cookie.ts'
import { beginArrival, bindingOf, clearArrival } from './arrival.ts'
import { limited } from './flood.ts'
import { goTo, isOwnPath } from './go-to.ts'
import { logoutOnFrontedHost } from './logout.ts'
import { openTicket, spendTicket } from './ticket.ts'

export async function frontedHost(
  environment: Environment,
  request: Request,
  requestId: string,
): Promise<Response> {
  const policy = policyNow(environment) ?? (await holdPolicy(environment))
  if (!policy.ok) return answerRefusal(policy, requestId)
  const host = hostOfRequest(request)
  if (!policy.content.hosts.has(host)) {
    return answerRefusal(refuse('host_unknown', `No route names the host ${shown(host)}.`), requestId)
  }
  const { pathname } = new URL(request.url)
  if (pathname === '/.postern/logout') return logoutOnFrontedHost(environment, request, requestId)
  const isRead = request.method === 'GET' || request.method === 'HEAD'
  if (isRead && pathname === '/.postern/login') return login(environment, request, host, requestId)
  if (isRead && pathname === '/.postern/sso') return arrive(environment, request, host, requestId)
  const detail = `${request.method} ${shown(pathname)} is nothing that Postern serves on a fronted host.`
  return answerRefusal(refuse('route_not_found', detail, { check: 'path' }), requestId)
}

/** What `login_url` names, for pages whose requests were answered 401. */
async function login(
  environment: Environment,
  request: Request,
  host: string,
  requestId: string,
): Promise<Response> {
  const { searchParams } = new URL(request.url)
  const path = searchParams.get('return_to') ?? '/'
  if (!isOwnPath(path)) {
    const detail = `${shown(path)} is no path of this host.`
    return refusalPage(refuse('return_to_not_allowed', detail, { check: 'return_to' }), requestId)
  }
  const organization = searchParams.get('organization')
  const begun = await beginArrival(environment, request, host, { path, organization, startedAfter: 0 })
  return begun instanceof Response ? begun : refusalPage(begun, requestId)
}

/** The session comes: this host gets a cookie of its own, in place of whatever it had. */
async function arrive(
  environment: Environment,
  request: Request,
  host: string,
  requestId: string,
): Promise<Response> {
  const flooded = await limited(environment, request, 'arrival')
  if (flooded) return refusalPage(flooded, requestId)
  const sealed = new URL(request.url).searchParams.get('ticket') ?? ''
  const opened = await openTicket(environment, sealed, host)
  if (!opened.ok) return failed(opened, requestId)
  const { principal, session, path, sessionExpiresAt, binding } = opened.ticket
  const own = await bindingOf(environment, request, host)
  if (own === null) {
    return failed(refuse('cookies_blocked', 'The cookie that this host set first did not come.'), requestId)
  }
  if (own !== binding) {
    // Another browser's, or that of a tab which arrived here at the same moment: this browser asks for its own.
    const begun = await beginArrival(environment, request, host, {
      path,
      organization: null,
      startedAfter: 0,
    })
    return begun instanceof Response ? begun : failed(begun, requestId)
  }
  const spent = await spendTicket(environment, opened.ticket)
  if (spent) return failed(spent, requestId)
  const { value, cookie } = await makeHostCookie(environment, { host, principal })
  if (!(await environment.SESSIONS.getByName(principal).addHost(session, cookie))) {
    return failed(refuse('session_ended', 'It has ended since the ticket was made.'), requestId)
  }
  const seconds = Math.max(0, (sessionExpiresAt - clock.now()) / 1000)
  return goTo(path, [setSessionCookie(value, seconds), clearArrival()])
}

function failed(refusal: Refusal, requestId: string): Promise<Response> {
  return refusalPage(refusal, requestId, { actions: [{ label: 'Open the application', href: '/' }] })
}
