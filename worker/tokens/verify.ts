// Verifies a federated token: what is it, who issued it, with which key, is it valid now. Straight down,
// each failure with its own reason. Tokens verified before are recognised by their full text.
import { base64url } from 'jose'
import { type IssuerRecord, TENANT_PLACEHOLDER } from '../../policy/compiled.ts'
import type { Level } from '../../policy/level.ts'
import { type Claims, type Principal, principalFromClaims } from '../../policy/principal.ts'
import type { PrincipalReason } from '../../policy/reasons.ts'
import type { Algorithm } from '../../policy/schema-issuer.ts'
import { nowSeconds } from '../clock.ts'
import { type Environment, policy } from '../environment.ts'
import { chooseKey, importKey, type VerificationKey } from '../keys/key-set.ts'
import { currentKeys, type HeldKeys, keysAfterMiss, keysOf } from '../keys/source.ts'
import { createMemory } from '../memory.ts'
import { type Refusal, refuse, shown } from '../refusal.ts'
import type { IdentityRef } from './assertion.ts'
import { checkKind, checkLifetime, checkTenant, checkType } from './claims.ts'
import { type CompactToken, checkHeader, parseCompact } from './compact.ts'
import { checkAudience, selectRecord } from './record.ts'

/** A token that has passed, as long as time and keys let it. */
export interface VerifiedToken {
  ok: true
  record: IssuerRecord
  claims: Claims
  principal: Principal
  key: VerificationKey
  /** Seconds since the epoch. */
  validUntil: number
  /** Under which identity it was admitted, by route and level (admit.ts). */
  admissions: Map<string, IdentityRef>
}

const MEMORY_BYTES_MAX = 16 * 1024 * 1024
/** What an entry takes besides the token's own text, generously. */
const ENTRY_BYTES = 8192

const verified = createMemory<VerifiedToken>({
  weightMax: MEMORY_BYTES_MAX,
  weigh: (token) => 2 * token.length + ENTRY_BYTES,
})

/** The token as verified before, if time and keys still allow it. Never waits. */
export function recallToken(environment: Environment, token: string): VerifiedToken | null {
  const known = verified.get(token)
  if (!known || nowSeconds() >= known.validUntil) return null
  return currentKeys(environment, known.record)?.keys.includes(known.key) ? known : null
}

/** Whether a token that was verified for one level is as good at another. */
export function isGoodAt({ record, claims }: VerifiedToken, level: Level): boolean {
  const selected = selectRecord(policy, level, claims)
  return selected.ok && selected.record === record && checkAudience(policy, record, level, claims) === null
}

/** `level` is where the request wants to go; it takes part in choosing the issuer record and the audience. */
export async function verifyToken(
  environment: Environment,
  token: string,
  level: Level,
): Promise<VerifiedToken | Refusal> {
  const parsed = parseCompact(token)
  if (!parsed.ok) return parsed
  const { header, claims } = parsed
  const kind = checkKind(header, claims)
  if (kind) return kind
  const selected = selectRecord(policy, level, claims)
  if (!selected.ok) return selected
  const { record } = selected
  const shape =
    checkHeader(header, record.headers) ?? checkAlgorithm(record, header) ?? checkType(record, header)
  if (shape) return shape
  const signed = await checkSignature(environment, record, parsed)
  if (!signed.ok) return signed
  const scope = checkTenant(record, claims) ?? checkAudience(policy, record, level, claims)
  if (scope) return scope
  const lifetime = checkLifetime(record, claims, nowSeconds())
  if (!lifetime.ok) return lifetime
  const made = principalFromClaims(record, claims)
  if (!made.ok) return refuse(made.reason, made.detail, { check: CHECKS[made.reason] })
  const { principal } = made
  const { validUntil } = lifetime
  const result: VerifiedToken = {
    ok: true,
    record,
    claims,
    principal,
    key: signed.key,
    validUntil,
    admissions: new Map(),
  }
  verified.set(token, result)
  return result
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
function keysFor(record: IssuerRecord, { keys }: HeldKeys, { iss }: Claims): readonly VerificationKey[] {
  if (record.tenants === null) return keys
  const tenant = record.tenants[record.issuers.indexOf(iss as string)] as string
  return keys.filter(({ issuer }) => issuer === null || issuer.replace(TENANT_PLACEHOLDER, tenant) === iss)
}
