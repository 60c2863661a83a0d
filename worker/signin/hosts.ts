// What a fronted host serves of its own, under /.postern/ alone: the way to sign in, the ticket that brings the session
// back, and the way out. Pages of sign-in itself are the gateway host's.
import { SLUG } from '../../policy/level.ts'
import { clock } from '../clock.ts'
import { holdPolicy, policyNow } from '../documents/held.ts'
import type { Environment } from '../environment.ts'
import { answerPlainly } from '../navigation.ts'
import { refusalPage } from '../pages/refusal-page.ts'
import { type Refusal, refuse, shown } from '../refusal.ts'
import { hostOfRequest, makeHostCookie, setSessionCookie } from '../sessions/cookie.ts'
import { endSessions } from '../sessions/end.ts'
import { cookieSession, lastEndIn, sessionOf } from '../sessions/held.ts'
import { type Arrival, arrivalOf, beginArrival, endArrival, isBoundTo } from './arrival.ts'
import { limited } from './flood.ts'
import { goTo, isOwnPath } from './go-to.ts'
import { logoutOnFrontedHost } from './logout.ts'
import { isLate, openTicket, spendTicket, TICKET_SECONDS, type Ticket } from './ticket.ts'

export async function frontedHost(
  environment: Environment,
  request: Request,
  requestId: string,
): Promise<Response> {
  const policy = policyNow(environment) ?? (await holdPolicy(environment))
  if (!policy.ok) return answerPlainly(request, policy, requestId)
  const host = hostOfRequest(request)
  if (!policy.content.hosts.has(host)) {
    return answerPlainly(
      request,
      refuse('host_unknown', `No route names the host ${shown(host)}.`),
      requestId,
    )
  }
  const { pathname } = new URL(request.url)
  if (pathname === '/.postern/logout') return logoutOnFrontedHost(environment, request, requestId)
  const isRead = request.method === 'GET' || request.method === 'HEAD'
  if (isRead && pathname === '/.postern/login') return login(environment, request, host, requestId)
  // HEAD would spend the ticket, and whoever looks at a link beforehand sends it.
  if (request.method === 'GET' && pathname === '/.postern/sso')
    return arrive(environment, request, host, requestId)
  const detail = `${request.method} ${shown(pathname)} is nothing that Postern serves on a fronted host.`
  return answerPlainly(request, refuse('route_not_found', detail, { check: 'path' }), requestId)
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
  const named = searchParams.get('organization')
  const organization = named !== null && SLUG.test(named) ? named : null
  const startedAfter = organization === null ? 0 : lastEndIn(organization)
  const begun = await beginArrival(environment, request, host, { path, organization, startedAfter })
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
  const { ticket } = opened
  const arrival = await arrivalOf(environment, request, host)
  if (isLate(ticket) || arrival === null || !(await isBoundTo(arrival, ticket.binding))) {
    return arriveWithout(environment, request, host, { arrival, ticket, requestId })
  }
  const spent = await spendTicket(environment, ticket)
  if (spent) return failed(spent, requestId)
  const { principal, session, path, sessionExpiresAt } = ticket
  const before = await cookieSession(environment, request)
  const { value, cookie } = await makeHostCookie(environment, { host, principal })
  if (!(await environment.SESSIONS.getByName(principal).addHost(session, cookie))) {
    return failed(refuse('session_ended', 'It has ended since the ticket was made.'), requestId)
  }
  if (before !== null && before.id !== session) {
    const which = { kind: 'session', id: before.id } as const
    await endSessions(environment, before.principal, which, 'another one took its place in the browser')
  }
  const seconds = Math.max(0, (sessionExpiresAt - clock.now()) / 1000)
  return goTo(path, [setSessionCookie(value, seconds), await endArrival(environment, host, arrival)])
}

/**
 * The ticket is late, another browser's, or of a tab that arrived here beside this one: it gives nothing. Whoever has a
 * session goes on with that one, and whoever has none asks for a ticket of their own.
 */
async function arriveWithout(
  environment: Environment,
  request: Request,
  host: string,
  { arrival, ticket, requestId }: { arrival: Arrival | null; ticket: Ticket; requestId: string },
): Promise<Response> {
  const { path } = ticket
  const present = await sessionOf(environment, request)
  if (present?.ok) return goTo(path)
  if (isLate(ticket)) {
    return failed(
      refuse('ticket_invalid', `It is good for ${TICKET_SECONDS} s, and those are over.`),
      requestId,
    )
  }
  if (arrival === null) {
    return failed(refuse('cookies_blocked', 'The cookie that this host set first did not come.'), requestId)
  }
  const begun = await beginArrival(environment, request, host, { path, organization: null, startedAfter: 0 })
  return begun instanceof Response ? begun : failed(begun, requestId)
}

function failed(refusal: Refusal, requestId: string): Promise<Response> {
  return refusalPage(refusal, requestId, { actions: [{ label: 'Open the application', href: '/' }] })
}
