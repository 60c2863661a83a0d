// The origin of a fronted host, always built: the scheme and port of the first gateway origin, and a name that a route
// of the policy has. What a Host header says besides never leads anywhere.
import { type Environment, settingsOf } from './environment.ts'

export function frontedOrigin(environment: Environment, hostname: string): string {
  const url = new URL(settingsOf(environment).issuer)
  url.hostname = hostname
  return url.origin
}
