// Where to go on to when somebody is signed in: a path of the gateway host, a page of a fronted host, or an address that an
// application has registered. Nothing else can be returned to, whatever a request says.
import { holdPolicy } from '../documents/held.ts'
import { type Environment, settingsOf } from '../environment.ts'
import { frontedOrigin } from '../fronted-origin.ts'
import { type Refusal, refuse, shown } from '../refusal.ts'
import type { SessionCopy } from '../sessions/session.ts'
import { openRequest } from './arrival.ts'
import { goTo, isOwnPath } from './go-to.ts'
import { makeTicket } from './ticket.ts'

export type Target =
  | { kind: 'path'; path: string }
  | {
      kind: 'host'
      /** Its name, without a port. */
      host: string
      path: string
      /** SHA-256 of what the browser's arrival cookie on that host holds, base64url. */
      binding: string
      organization: string | null
      /** Milliseconds since the epoch: a session that began before is no good there. */
      startedAfter: number
    }
  | { kind: 'application'; uri: string }

const RETURN_TO_LENGTH_MAX = 4000

/** By `request` (sealed by a fronted host), or `return_to`, with `client_id` for an application's address. */
export async function readTarget(
  environment: Environment,
  { searchParams }: URL,
): Promise<{ ok: true; target: Target } | Refusal> {
  const request = searchParams.get('request')
  if (request !== null) return openRequest(environment, request)
  const returnTo = searchParams.get('return_to')
  if (returnTo === null) return { ok: true, target: { kind: 'path', path: '/' } }
  if (returnTo.length > RETURN_TO_LENGTH_MAX) return notAllowed(returnTo)
  const clientId = searchParams.get('client_id')
  if (clientId !== null) return ofApplication(environment, clientId, returnTo)
  const path = ownPath(environment, returnTo)
  return path === null ? notAllowed(returnTo) : { ok: true, target: { kind: 'path', path } }
}

/** A path as browsers read it, or an address of a gateway host; null for whatever could lead elsewhere. */
function ownPath(environment: Environment, returnTo: string): string | null {
  const { gatewayOrigins } = settingsOf(environment)
  const [base] = gatewayOrigins as [string]
  const isPath = isOwnPath(returnTo)
  if (!isPath && !gatewayOrigins.some((origin) => returnTo.startsWith(`${origin}/`))) return null
  if (!URL.canParse(returnTo, base)) return null
  const url = new URL(returnTo, base)
  if (!gatewayOrigins.includes(url.origin) || url.username !== '' || url.password !== '') return null
  const path = `${url.pathname}${url.search}`
  // "/.//evil.test" reads as "//evil.test", which leads to another host when it stands alone.
  return isOwnPath(path) ? path : null
}

async function ofApplication(
  environment: Environment,
  clientId: string,
  uri: string,
): Promise<{ ok: true; target: Target } | Refusal> {
  const policy = await holdPolicy(environment)
  if (!policy.ok) return policy
  const application = policy.content.applications.find((one) => one.clientId === clientId)
  if (!application) return refuse('application_unknown', `None has the client id ${shown(clientId)}.`)
  // [2-14]: to the letter.
  return application.redirectUris.includes(uri)
    ? { ok: true, target: { kind: 'application', uri } }
    : notAllowed(uri)
}

function notAllowed(returnTo: string): Refusal {
  const detail = `${shown(returnTo)} is neither a path here nor an address that is registered.`
  return refuse('return_to_not_allowed', detail, { check: 'return_to' })
}

/** `cookies` are for Set-Cookie, of the host that the request came to. */
export async function finishAt(
  environment: Environment,
  target: Target,
  session: SessionCopy,
  cookies: readonly string[] = [],
): Promise<Response> {
  switch (target.kind) {
    case 'path':
      return goTo(target.path, cookies)
    case 'application':
      return goTo(target.uri, cookies)
    case 'host': {
      const ticket = await makeTicket(environment, target, session)
      return goTo(`${frontedOrigin(environment, target.host)}/.postern/sso?ticket=${ticket}`, cookies)
    }
  }
}
