// Signing out at the issuer as well (OpenID Connect RP-Initiated Logout 1.0): where the browser is sent, and the state that
// brings it back to our landing page.
import { clock } from '../clock.ts'
import type { Environment } from '../environment.ts'
import { providerOf } from '../keys/provider.ts'
import { open, seal } from '../sealing.ts'
import type { EndedSession } from '../sessions/session.ts'
import { ID_TOKEN_PURPOSE } from './begin-session.ts'
import { recordOfId } from './issuer-records.ts'

const STATE_PURPOSE = 'logout-state'
const STATE_SECONDS = 600

/** What the landing page is told when the browser comes back from the issuer. */
export interface Landing {
  /** A registered address to go on to. */
  redirectUri: string | null
}

/** Where the issuer ends its own session; null where it does not, by decision T5, or cannot be asked. */
export async function addressAtIssuer(
  environment: Environment,
  { id, issuer, organization, clientId, idToken }: EndedSession,
  { origin, redirectUri }: { origin: string; redirectUri: string | null },
): Promise<string | null> {
  const endpoint = await endSessionEndpointOf(environment, issuer, organization)
  if (endpoint === null) return null
  const address = new URL(endpoint)
  const hint =
    idToken === null ? null : await open(environment, ID_TOKEN_PURPOSE, id, idToken).catch(() => null)
  if (hint !== null) address.searchParams.set('id_token_hint', hint)
  address.searchParams.set('client_id', clientId)
  address.searchParams.set('post_logout_redirect_uri', `${origin}/logout`)
  const landing: Landing & { expires: number } = { redirectUri, expires: clock.now() + STATE_SECONDS * 1000 }
  address.searchParams.set('state', await seal(environment, STATE_PURPOSE, '', JSON.stringify(landing)))
  return address.href
}

export async function endSessionEndpointOf(
  environment: Environment,
  issuer: string,
  organization: string | null,
): Promise<string | null> {
  const found = await recordOfId(environment, issuer, organization)
  const record = found.ok ? found.record : null
  if (!record?.signIn || record.signIn.signOut === 'local' || record.signIn.signOut === 'none') return null
  const provider = await providerOf(environment, record)
  return provider.ok ? provider.endSessionEndpoint : null
}

/** Null for a state that is not ours, or too old. */
export async function openLanding(environment: Environment, state: string): Promise<Landing | null> {
  const text = await open(environment, STATE_PURPOSE, '', state).catch(() => null)
  if (text === null) return null
  const { redirectUri, expires } = JSON.parse(text) as Landing & { expires: number }
  return clock.now() < expires ? { redirectUri } : null
}
