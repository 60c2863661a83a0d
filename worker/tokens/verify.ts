// Verifies a federated token: what is it, who issued it, with which key, is it valid now. Straight down,
// each failure with its own reason. Tokens verified before are recognised by their full text.
import { base64url } from 'jose'
import { type IssuerRecord, TENANT_PLACEHOLDER } from '../../policy/compiled.ts'
import {
  type Claims,
  claimAt,
  type Principal,
  principalFromClaims,
  SUBJECT_LENGTH_MAX,
} from '../../policy/principal.ts'
import type { PrincipalReason } from '../../policy/reasons.ts'
import type { Algorithm } from '../../policy/schema-issuer.ts'
import { nowSeconds } from '../clock.ts'
import { type HeldRecord, holdRecord } from '../documents/principals.ts'
import type { Environment } from '../environment.ts'
import { chooseKey, importKey, type VerificationKey } from '../keys/key-set.ts'
import { currentKeys, type HeldKeys, keysAfterMiss, keysOf } from '../keys/source.ts'
import { createMemory } from '../memory.ts'
import { type Refusal, refuse, shown } from '../refusal.ts'
import { checkKind, checkLifetime, checkTenant, checkType } from './claims.ts'
import { type CompactToken, checkHeader, parseCompact } from './compact.ts'
import { checkAudience, type Destination, selectRecord } from './record.ts'

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

function checkAlgorithm(record: IssuerRecord, { alg }: Record<string, unknown>): Refusal | null {
  if ((record.algorithms as readonly unknown[]).includes(alg)) return null
  const accepted = record.algorithms.join(', ')
  const detail = `Its "alg" is ${shown(alg)}; accepted from issuer "${record.id}": ${accepted}.`
  return refuse('algorithm_not_allowed', detail, { check: 'alg' })
}

type Signed = { ok: true; key: VerificationKey } | Refusal

async function checkSignature(
  environment: Environment,
  record: IssuerRecord,
  { header, claims, signed, signature }: CompactToken,
): Promise<Signed> {
  const { alg, kid } = header as { alg: Algorithm; kid?: string }
  if (kid !== undefined && record.withdrawnKeys.includes(kid)) {
    const detail = `An admin has withdrawn key ${shown(kid)} of issuer "${record.id}".`
    return refuse('key_withdrawn', detail, { check: 'kid' })
  }
  const held = currentKeys(environment, record) ?? (await keysOf(environment, record))
  if (!('keys' in held)) return held
  let chosen = chooseKey(keysFor(record, held, claims), kid, alg)
  if (!chosen.ok && chosen.reason === 'key_unknown') {
    const newer = await keysAfterMiss(environment, record, held)
    chosen = chooseKey(keysFor(record, newer, claims), kid, alg)
  }
  if (!chosen.ok) {
    const named = kid === undefined ? 'It names no key ("kid")' : `Its key is ${shown(kid)}`
    const detail = `${named}, its algorithm ${alg}; issuer "${record.id}" has ${held.keys.length} usable keys.`
    return refuse(chosen.reason, detail, { check: 'kid' })
  }
  const key = await importKey(chosen.key, alg).catch(() => null)
  if (key === null) {
    return refuse('key_unsuitable', `Key ${shown(kid)} of issuer "${record.id}" is not well-formed.`, {
      check: 'kid',
    })
  }
  const bytes = new TextEncoder().encode(signed)
  if (await crypto.subtle.verify(VERIFICATION[alg], key, base64url.decode(signature), bytes)) {
    return { ok: true, key: chosen.key }
  }
  const detail = `It does not verify with key ${shown(chosen.key.kid ?? '')} of issuer "${record.id}".`
  return refuse('signature_invalid', detail, { check: 'signature' })
}

/** RFC 7518 3.3 to 3.5, RFC 8037 3.1. The hash of an RSA key stands in the key, imported for one algorithm. */
const VERIFICATION: Record<Algorithm, SubtleCryptoSignAlgorithm> = {
  RS256: { name: 'RSASSA-PKCS1-v1_5' },
  RS384: { name: 'RSASSA-PKCS1-v1_5' },
  RS512: { name: 'RSASSA-PKCS1-v1_5' },
  PS256: { name: 'RSA-PSS', saltLength: 32 },
  PS384: { name: 'RSA-PSS', saltLength: 48 },
  PS512: { name: 'RSA-PSS', saltLength: 64 },
  ES256: { name: 'ECDSA', hash: 'SHA-256' },
  ES384: { name: 'ECDSA', hash: 'SHA-384' },
  ES512: { name: 'ECDSA', hash: 'SHA-512' },
  EdDSA: { name: 'Ed25519' },
}

/**
 * Entra binds some keys to one tenant; such a key verifies that tenant's tokens only. The tenant is the one
 * that `iss` names: whether `tid` names the same is checked with a reason of its own.
 */
function keysFor(record: IssuerRecord, held: HeldKeys, { iss }: Claims): readonly VerificationKey[] {
  const { withdrawnKeys } = record
  const keys =
    withdrawnKeys.length === 0
      ? held.keys
      : held.keys.filter(({ kid }) => kid === null || !withdrawnKeys.includes(kid))
  if (record.tenants === null) return keys
  const tenant = record.tenants[record.issuers.indexOf(iss as string)] as string
  return keys.filter(({ issuer }) => issuer === null || issuer.replace(TENANT_PLACEHOLDER, tenant) === iss)
}
