// Signing out at the issuer as well (decision T5; OpenID Connect RP-Initiated Logout 1.0): where the browser is sent, and
// the state that brings it back to our landing page. What the page says is landing.ts's.
import { isCognito } from '../../policy/addresses.ts'
import { clock } from '../clock.ts'
import type { Environment } from '../environment.ts'
import { providerOf } from '../keys/provider.ts'
import { open, openJson, sealJson } from '../sealing.ts'
import type { EndedSession } from '../sessions/session.ts'
import { ID_TOKEN_PURPOSE } from './begin-session.ts'
import { recordOfId } from './issuer-records.ts'

const STATE_PURPOSE = 'logout-state'
const STATE_SECONDS = 600

/** Where a sign-out goes on to, and what has to be said before. */
export interface Landing {
  /** A registered address. */
  redirectUri: string | null
  /** An issuer with which the person is, or may be, still signed in. */
  left: { issuer: string; why: 'not asked' | 'unreachable' } | null
}

export type AtIssuer = { kind: 'address'; address: string } | { kind: 'here'; left: Landing['left'] }

/** `origin` is the gateway host's, to whose landing page the issuer leads back. */
export async function endAtIssuer(
  environment: Environment,
  ended: EndedSession,
  { origin, redirectUri }: { origin: string; redirectUri: string | null },
): Promise<AtIssuer> {
  const found = await recordOfId(environment, ended.issuer, ended.organization)
  const signIn = found.ok ? found.record?.signIn : null
  if (!found.ok || !found.record || !signIn || signIn.signOut === 'local') return { kind: 'here', left: null }
  const left = (why: 'not asked' | 'unreachable'): AtIssuer => {
    return { kind: 'here', left: { issuer: signIn.label, why } }
  }
  if (signIn.signOut === 'none') return left('not asked')
  const provider = await providerOf(environment, found.record)
  if (!provider.ok) return left('unreachable')
  const { endSessionEndpoint } = provider
  if (endSessionEndpoint === null) return left('not asked')
  const address = new URL(endSessionEndpoint)
  const state = await sealLanding(environment, { redirectUri, left: null })
  for (const [name, value] of Object.entries(await parameters(environment, ended, origin))) {
    address.searchParams.set(name, value)
  }
  // Its endpoint has a parameter of its own, and by [0-12] the site's root as the address.
  if (found.record.issuers.some(isCognito)) address.searchParams.set('logout_uri', origin)
  address.searchParams.set('state', state)
  return { kind: 'address', address: address.href }
}

/** RP-Initiated Logout 2. */
async function parameters(
  environment: Environment,
  { id, clientId, idToken }: EndedSession,
  origin: string,
): Promise<Record<string, string>> {
  // Sealed with a secret that is no more, it is no hint; the issuer then asks the person.
  const opened = idToken && (await open(environment, ID_TOKEN_PURPOSE, id, idToken).catch(() => null))
  return {
    ...(opened ? { id_token_hint: opened } : {}),
    client_id: clientId,
    post_logout_redirect_uri: `${origin}/logout`,
  }
}

export function sealLanding(environment: Environment, landing: Landing): Promise<string> {
  const expires = clock.now() + STATE_SECONDS * 1000
  return sealJson(environment, STATE_PURPOSE, 'landing', { ...landing, expires })
}

/** Null for a state that is not ours, or too old. */
export async function openLanding(environment: Environment, state: string): Promise<Landing | null> {
  const sealed = await openJson<Landing & { expires: number }>(environment, STATE_PURPOSE, 'landing', state)
  if (sealed === null) return null
  const { expires, ...landing } = sealed
  return clock.now() < expires ? landing : null
}
