// The origins that this instance is reached at, by configuration alone: behind a proxy or a socket the scheme and port of a
// request's own URL may be others than the browser's, and what a Host header says never leads anywhere.
import { isProtected } from '../policy/addresses.ts'
import { type Environment, settingsOf } from './environment.ts'
import { type Refusal, refuse } from './refusal.ts'

/** Built of the scheme and port of the first gateway origin, and a name that a route of the policy has. */
export function frontedOrigin(environment: Environment, hostname: string): string {
  const url = new URL(settingsOf(environment).issuer)
  url.hostname = hostname
  return url.origin
}

/** That of the gateway host which the request came to; null: it came to another. */
export function gatewayOriginOf(environment: Environment, { url }: Request): string | null {
  const { host } = new URL(url)
  return settingsOf(environment).gatewayOrigins.find((origin) => new URL(origin).host === host) ?? null
}

/** As the browser that sent the request knows it. */
export function ownOrigin(environment: Environment, request: Request): string {
  return gatewayOriginOf(environment, request) ?? frontedOrigin(environment, new URL(request.url).hostname)
}

/** Null: a session may be used at the origin. Nobody but this machine sees what is sent to a loopback one. */
export function checkTransport(environment: Environment, origin: string): Refusal | null {
  if (isProtected(origin) || environment.DANGEROUSLY_ALLOW_HTTP_SIGN_IN === 'true') return null
  const detail = `${origin} is not https: whoever listens could take the session.`
  return refuse('transport_not_secure', detail, { check: 'scheme' })
}
