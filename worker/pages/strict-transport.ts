// That a gateway host is asked over https alone (RFC 6797). What holds on a fronted host, its own answers say.
import { type Environment, settingsOf } from '../environment.ts'

const YEAR_SECONDS = 365 * 24 * 60 * 60

/** Null where the instance is served over http, on one's own machine. Subdomains are not ours to speak for. */
export function strictTransport(environment: Environment): string | null {
  return settingsOf(environment).issuer.startsWith('https:') ? `max-age=${YEAR_SECONDS}` : null
}
