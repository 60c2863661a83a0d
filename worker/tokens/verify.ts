// Verifies a federated token: what is it, who issued it, with which key, is it valid now. Straight down,
// each failure with its own reason. Tokens verified before are recognised by their full text.
import type { IssuerRecord } from '../../policy/compiled.ts'
import {
  type Claims,
  claimAt,
  type Principal,
  principalFromClaims,
  SUBJECT_LENGTH_MAX,
} from '../../policy/principal.ts'
import type { PrincipalReason } from '../../policy/reasons.ts'
import { nowSeconds } from '../clock.ts'
import { type HeldRecord, holdRecord } from '../documents/principals.ts'
import type { Environment } from '../environment.ts'
import type { VerificationKey } from '../keys/key-set.ts'
import { currentKeys } from '../keys/source.ts'
import { createMemory } from '../memory.ts'
import { type Refusal, refuse } from '../refusal.ts'
import { checkKind, checkLifetime, checkTenant, checkType } from './claims.ts'
import { checkHeader, parseCompact } from './compact.ts'
import { checkAudience, type Destination, selectRecord } from './record.ts'
import { checkAlgorithm, checkSignature } from './signature.ts'

/**
 * A token that has passed, as long as time and keys let it. `Remembered` is what admit.ts keeps with it, by route
 * and level.
 */
export interface VerifiedToken {
  ok: true
  record: IssuerRecord
  claims: Claims
  /** As the token says it; what is recorded of the principal comes on top. */
  principal: Principal
  key: VerificationKey
  /** Seconds since the epoch. */
  validUntil: number
  /** What is recorded of the principal. */
  recorded: HeldRecord
  admissions: Map<string, unknown>
}

const MEMORY_BYTES_MAX = 16 * 1024 * 1024
/** What an entry takes besides the token's own text, generously. */
const ENTRY_BYTES = 8192

const verified = createMemory<VerifiedToken>({
  weightMax: MEMORY_BYTES_MAX,
  weigh: (token) => 2 * token.length + ENTRY_BYTES,
})

/** The token as verified before, if time and keys still allow it. Never waits; what documents say is admit.ts's. */
export function recallToken(environment: Environment, token: string): VerifiedToken | null {
  const known = verified.get(token)
  if (!known || nowSeconds() >= known.validUntil) return null
  return currentKeys(environment, known.record)?.keys.includes(known.key) ? known : null
}

/** The token as verified before, if it is as good at this destination by the documents as they are now. */
export async function recheckToken(
  environment: Environment,
  known: VerifiedToken,
  destination: Destination,
): Promise<VerifiedToken | null> {
  const { claims, principal } = known
  const selected = await selectRecord(environment, destination, claims)
  if (!selected.ok || !isSameRecord(selected.record, known.record)) return null
  if (checkAudience(destination.policy, selected.record, selected.organization, claims)) return null
  const recorded = known.recorded.current
    ? known.recorded
    : await holdRecord(environment, selected.record.id, principal.subject)
  if (!recorded.ok) return null
  known.record = selected.record
  known.recorded = recorded
  return known
}

/** Whether all that a token is judged by is the same. */
function isSameRecord(one: IssuerRecord, other: IssuerRecord): boolean {
  return one === other || textOf(one) === textOf(other)
}

const texts = new WeakMap<IssuerRecord, string>()

/** Equal records are written alike. */
function textOf(record: IssuerRecord): string {
  const known = texts.get(record)
  if (known !== undefined) return known
  const text = JSON.stringify(record)
  texts.set(record, text)
  return text
}

export async function verifyToken(
  environment: Environment,
  token: string,
  destination: Destination,
): Promise<VerifiedToken | Refusal> {
  const result = await verifyTokenOnce(environment, token, destination)
  if (result.ok) verified.set(token, result)
  return result
}

/** The same, for a token that is only asked about: nothing is kept of it. */
export async function verifyTokenOnce(
  environment: Environment,
  token: string,
  destination: Destination,
): Promise<VerifiedToken | Refusal> {
  const parsed = parseCompact(token)
  if (!parsed.ok) return parsed
  const { header, claims } = parsed
  const kind = checkKind(header, claims)
  if (kind) return kind
  const selected = await selectRecord(environment, destination, claims)
  if (!selected.ok) return selected
  const { record, organization } = selected
  const shape =
    checkHeader(header, record.headers) ?? checkAlgorithm(record, header) ?? checkType(record, header)
  if (shape) return shape
  const recording = startReading(environment, record, claims)
  const signed = await checkSignature(environment, record, parsed)
  if (!signed.ok) return signed
  const scope = checkTenant(record, claims) ?? checkAudience(destination.policy, record, organization, claims)
  if (scope) return scope
  const lifetime = checkLifetime(record, claims, nowSeconds())
  if (!lifetime.ok) return lifetime
  const made = principalFromClaims(record, claims)
  if (!made.ok) return refuse(made.reason, made.detail, { check: CHECKS[made.reason] })
  const { principal } = made
  const recorded = await (recording ?? holdRecord(environment, record.id, principal.subject))
  if (!recorded.ok) return recorded
  const { validUntil } = lifetime
  return {
    ok: true,
    record,
    claims,
    principal,
    key: signed.key,
    validUntil,
    recorded,
    admissions: new Map(),
  }
}

/** What is recorded of the principal is read while the signature is verified. */
function startReading(
  environment: Environment,
  record: IssuerRecord,
  claims: Claims,
): Promise<HeldRecord | Refusal> | null {
  const subject = claimAt(claims, record.claims.subject)
  const mayBe = typeof subject === 'string' && subject.length <= SUBJECT_LENGTH_MAX
  return mayBe ? holdRecord(environment, record.id, subject) : null
}

/** What claims that make no principal fail at. */
const CHECKS: Record<PrincipalReason, string> = {
  claim_missing: 'sub',
  claim_invalid: 'sub',
  access_denied: 'access',
  groups_malformed: 'groups',
}
