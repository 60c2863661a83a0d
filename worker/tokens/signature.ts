// The signature of a token: whether its issuer record allows the algorithm, with which of the record's keys it verifies.
// Every kind of token that an issuer signs is judged here: bearer tokens, id_tokens, logout tokens.
import { base64url } from 'jose'
import { type IssuerRecord, TENANT_PLACEHOLDER } from '../../policy/compiled.ts'
import type { Claims } from '../../policy/principal.ts'
import type { Algorithm } from '../../policy/schema-issuer.ts'
import type { Environment } from '../environment.ts'
import { chooseKey, importKey, type VerificationKey } from '../keys/key-set.ts'
import { currentKeys, type HeldKeys, keysAfterMiss, keysOf } from '../keys/source.ts'
import { type Refusal, refuse, shown } from '../refusal.ts'
import type { CompactToken } from './compact.ts'

export function checkAlgorithm(record: IssuerRecord, { alg }: Record<string, unknown>): Refusal | null {
  if ((record.algorithms as readonly unknown[]).includes(alg)) return null
  const accepted = record.algorithms.join(', ')
  const detail = `Its "alg" is ${shown(alg)}; accepted from issuer "${record.id}": ${accepted}.`
  return refuse('algorithm_not_allowed', detail, { check: 'alg' })
}

export type Signed = { ok: true; key: VerificationKey } | Refusal

export async function checkSignature(
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
