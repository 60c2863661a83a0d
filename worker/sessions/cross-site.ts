// Whether a request that uses a session comes from a page that may use it. A browser sends a session's cookie with whatever
// it sends to the host, so a write has to say where it comes from; SameSite is not the only defence.
import type { Policy } from '../../policy/loaded.ts'
import type { Environment } from '../environment.ts'
import { frontedOrigin, ownOrigin } from '../fronted-origin.ts'
import { type Refusal, refuse, shown } from '../refusal.ts'
import { hostOfRequest } from './cookie.ts'

/** Null: it may. `policy` tells which hosts belong to one application; without it only the host itself may. */
export function crossSite(environment: Environment, request: Request, policy: Policy | null): Refusal | null {
  const { headers } = request
  const opensSocket = headers.get('upgrade') !== null
  if (isRead(request) && !opensSocket) return null
  const site = headers.get('sec-fetch-site')
  if (site === 'same-origin' || site === 'none') return null
  const origin = headers.get('origin')
  if (origin !== null) {
    // Without the other header the browser is an old one. Of a WebSocket some compare "wss:" with "https:".
    const isOnlyWord = site === null || opensSocket
    if (isOnlyWord && origin === ownOrigin(environment, request)) return null
    if (policy && isOfSameApplication(environment, request, policy, origin)) return null
  }
  const said = `Sec-Fetch-Site ${site === null ? 'none at all' : shown(site)}, Origin ${shown(origin ?? '')}`
  const detail = `A session writes from pages of its own host only; this request says: ${said}.`
  return refuse('cross_site_request', detail, { check: 'origin' })
}

/** RFC 9110 9.2.1; but whoever opens a WebSocket can write by it. */
function isRead({ method }: Request): boolean {
  return method === 'GET' || method === 'HEAD' || method === 'OPTIONS'
}

/** Whole origins: a page of such a host that came over http may be anybody's. */
function isOfSameApplication(
  environment: Environment,
  request: Request,
  { applications }: Policy,
  origin: string,
): boolean {
  const to = hostOfRequest(request)
  const together = applications.filter(({ hosts }) => hosts.includes(to)).flatMap(({ hosts }) => hosts)
  return together.some((host) => host !== to && origin === frontedOrigin(environment, host))
}
