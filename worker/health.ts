// Whether this instance is alive and ready. Who may know gets to see why it is not.

import type { IssuerRecord } from '../policy/compiled.ts'
import { decide } from '../policy/decide.ts'
import { authenticate } from './admit.ts'
import { clock, nowSeconds } from './clock.ts'
import { type Environment, policy } from './environment.ts'
import { signerOf } from './keys/signing.ts'
import { currentKeys, keyStatus, keysOf } from './keys/source.ts'

const HEALTH_PERMISSION = 'instance.health.read'

interface IssuerHealth {
  id: string
  ready: boolean
  /** Where its keys come from: an address, or "policy" for pinned ones. */
  source: string | null
  /** The discovery document that named the source (decision T1); null where the policy does. */
  discoveredAt: string | null
  keys: number
  ageSeconds: number | null
  lastAttemptSecondsAgo: number | null
  lastError: string | null
}

export interface HealthDetails {
  policy: { issuers: number; organizations: number; hosts: string[] }
  signingKeys: Readiness
  issuers: IssuerHealth[]
  warnings: string[]
}

export interface Readiness {
  ready: boolean
  lastError: string | null
}

/**
 * Ready means: assertions can be signed. An issuer without keys makes its own tokens fail and nobody
 * else's, so it is a warning and not a reason to send all traffic elsewhere.
 */
export async function readiness(environment: Environment): Promise<Readiness> {
  return signerOf(environment).then(
    () => ({ ready: true, lastError: null }),
    (error: Error) => ({ ready: false, lastError: error.message }),
  )
}

/** Asks the object of every issuer, so it is for those only who may see it. */
export async function healthDetails(
  environment: Environment,
  signingKeys: Readiness,
): Promise<HealthDetails> {
  const issuers = await Promise.all(policy.issuers.map((record) => issuerHealth(environment, record)))
  const { organizations, hosts } = policy
  return {
    policy: { issuers: issuers.length, organizations: organizations.length, hosts: [...hosts.keys()] },
    signingKeys,
    issuers,
    warnings: issuers.flatMap(warningsOf),
  }
}

async function issuerHealth(environment: Environment, record: IssuerRecord): Promise<IssuerHealth> {
  const held = currentKeys(environment, record) ?? (await keysOf(environment, record))
  const keys = 'keys' in held ? held.keys.length : 0
  const status = await keyStatus(environment, record)
  const fetchedAt = status?.document?.fetchedAt ?? null
  return {
    id: record.id,
    ready: keys > 0,
    source: status === null ? 'policy' : (status.document?.jwksUri ?? null),
    discoveredAt: status?.document?.discoveredAt ?? null,
    keys,
    ageSeconds: secondsSince(fetchedAt),
    lastAttemptSecondsAgo: secondsSince(status?.lastAttemptAt ?? null),
    lastError: status?.lastError ?? null,
  }
}

function secondsSince(time: number | null): number | null {
  return time === null ? null : Math.round((clock.now() - time) / 1000)
}

function warningsOf({ id, ready, lastError, ageSeconds }: IssuerHealth): string[] {
  if (!ready) return [`Issuer "${id}" has no keys, so its tokens are refused: ${lastError}.`]
  if (lastError === null) return []
  return [`Issuer "${id}" cannot be reached; keys that are ${ageSeconds} s old serve: ${lastError}.`]
}

/** Whether the caller may see the details. Anyone else only sees whether the instance is ready. */
export async function maySeeHealth(environment: Environment, request: Request): Promise<boolean> {
  const level = { kind: 'global' } as const
  const token = await authenticate(environment, request.headers.get('authorization'), level)
  if (!token.ok) return false
  return decide(policy, null, token.principal, { permission: HEALTH_PERMISSION, level, now: nowSeconds() })
    .allowed
}
