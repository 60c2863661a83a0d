// Whether this instance is alive and ready. Who may know gets to see why it is not.

import type { IssuerRecord } from '../policy/compiled.ts'
import { environmentIssuer } from '../policy/environment-issuer.ts'
import type { Policy } from '../policy/loaded.ts'
import { authenticateAt, decideAt } from './admit.ts'
import { clock } from './clock.ts'
import { feedWarning } from './documents/feed.ts'
import { heldSummary, holdPolicy } from './documents/held.ts'
import { documentWarnings } from './documents/holding.ts'
import type { Environment } from './environment.ts'
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
  /** Of published organizations, and their issuers, only those that this isolate has at hand are counted. */
  policy: {
    source: 'bundle' | 'published'
    version: number
    issuers: number
    organizations: number
    hosts: string[]
  }
  signingKeys: Readiness
  issuers: IssuerHealth[]
  warnings: string[]
}

export interface Readiness {
  ready: boolean
  lastError: string | null
}

/**
 * Ready means: there is a policy to decide by, and assertions can be signed. An issuer without keys makes its own
 * tokens fail and nobody else's, so it is a warning and not a reason to send all traffic elsewhere.
 */
export async function readiness(environment: Environment): Promise<Readiness> {
  const policy = await holdPolicy(environment)
  if (!policy.ok) return { ready: false, lastError: policy.detail }
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
  const policy = await holdPolicy(environment)
  const { source, organizations } = heldSummary()
  const instance = policy.ok ? policy.content.issuers.filter(({ organization }) => organization === null) : []
  const records = [...instance, ...organizations.flatMap((organization) => organization.issuers)]
  const issuers = await Promise.all(
    records.slice(0, ISSUERS_MAX).map((record) => issuerHealth(environment, record)),
  )
  return {
    policy: {
      source,
      version: policy.ok ? policy.version : 0,
      issuers: records.length,
      organizations: organizations.length,
      hosts: policy.ok ? [...policy.content.hosts.keys()] : [],
    },
    signingKeys,
    issuers,
    warnings: [
      restoreWarnings(environment),
      feedWarning() ?? [],
      documentWarnings(),
      variableWarnings(environment, policy.ok ? policy.content : null),
      issuers.flatMap(warningsOf),
    ].flat(),
  }
}

/** Of the issuer that variables describe, also where it could not be put into force. */
function variableWarnings(environment: Environment, policy: Policy | null): string[] {
  const { issuer, warnings } = environmentIssuer(environment)
  const records = issuer === null ? [] : (policy?.issuersByName.get(issuer.issuer) ?? [])
  const isMissing =
    issuer !== null && policy !== null && !records.some(({ organization }) => organization === null)
  if (!isMissing) return warnings
  const message = `The issuer of OIDC_ISSUER (${issuer.issuer}) is not in force: it is not published yet, or does not hold together with the policy; the log says which.`
  return [...warnings, message]
}

/** It cannot be missed: whoever has the password is owner. */
function restoreWarnings({ LOCAL_RESTORE }: Environment): string[] {
  if (LOCAL_RESTORE !== 'true') return []
  return ['LOCAL_RESTORE is set: people sign in by a temporary password only, and whoever has it is owner.']
}

/** Of more issuers the health is not asked at once. */
const ISSUERS_MAX = 200

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
  const caller = await authenticateAt(environment, request.headers.get('authorization'), level)
  if (!caller.ok) return false
  const decided = await decideAt(environment, caller.principal, HEALTH_PERMISSION, level)
  return decided.ok && decided.decision.allowed
}
