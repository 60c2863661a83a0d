// Whether a request that uses a session comes from a page that may use it. A browser sends a session's cookie with whatever
// it sends to the host, so a write has to say where it comes from; SameSite is not the only defence.
import type { Policy } from '../../policy/loaded.ts'
import { type Refusal, refuse, shown } from '../refusal.ts'
import { cookieHost, hostOfRequest } from './cookie.ts'

/** Null: it may. `policy` tells which hosts belong to one application; without it only the host itself may. */
export function crossSite(request: Request, policy: Policy | null): Refusal | null {
  const { headers } = request
  if (isSafe(request)) return null
  const site = headers.get('sec-fetch-site')
  if (site === 'same-origin' || site === 'none') return null
  const origin = headers.get('origin')
  if (origin !== null && URL.canParse(origin)) {
    const from = cookieHost(new URL(origin).host)
    const to = hostOfRequest(request)
    // Without the other header the browser is an old one, and this is all it says.
    if (site === null && from === to) return null
    const together = policy?.applications.some(({ hosts }) => hosts.includes(from) && hosts.includes(to))
    if (together) return null
  }
  const said = `Sec-Fetch-Site ${site === null ? 'none at all' : shown(site)}, Origin ${shown(origin ?? '')}`
  const detail = `A session writes from pages of its own host only; this request says: ${said}.`
  return refuse('cross_site_request', detail, { check: 'origin' })
}

/** RFC 9110 9.2.1; but whoever opens a WebSocket can write by it. */
function isSafe({ method, headers }: Request): boolean {
  const isRead = method === 'GET' || method === 'HEAD' || method === 'OPTIONS'
  return isRead && headers.get('upgrade') === null
}
