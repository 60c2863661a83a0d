// Judges an id_token (OpenID Connect Core 3.1.3.7, 3.2.2.11): by the checks that every token of its issuer record passes,
// and by those of its own: that it is for this client, of this sign-in, and belongs to what came with it.
import { base64url } from 'jose'
import type { IssuerRecord, SignInRule } from '../../policy/compiled.ts'
import { type Claims, SUBJECT_LENGTH_MAX } from '../../policy/principal.ts'
import type { Algorithm } from '../../policy/schema-issuer.ts'
import { nowSeconds } from '../clock.ts'
import type { Environment } from '../environment.ts'
import { type Refusal, refuse, shown } from '../refusal.ts'
import { checkKind, checkLifetime, checkTenant, checkType, typeName } from './claims.ts'
import { checkHeader, parseCompact } from './compact.ts'
import { checkAlgorithm, checkSignature } from './signature.ts'

/** What the id_token must belong to. */
export interface IdTokenExpected {
  /** Null only for an answer to a refresh token, which has no browser's request to belong to. */
  nonce: string | null
  /** What came with it, null each. */
  accessToken: string | null
  code: string | null
}

export type VerifiedIdToken = { ok: true; claims: Claims & { sub: string } } | Refusal

export async function verifyIdToken(
  environment: Environment,
  record: IssuerRecord & { signIn: SignInRule },
  token: string,
  expected: IdTokenExpected,
): Promise<VerifiedIdToken> {
  const parsed = parseCompact(token)
  if (!parsed.ok) return parsed
  const { header, claims } = parsed
  const shape =
    checkKind(header, claims) ??
    checkIssuer(record, claims) ??
    checkHeader(header, record.headers) ??
    checkAlgorithm(record, header) ??
    checkIdTokenType(record, header)
  if (shape) return shape
  const signed = await checkSignature(environment, record, parsed)
  if (!signed.ok) return signed
  const wrong = checkTenant(record, claims) ?? checkClient(record, claims) ?? checkNonce(claims, expected)
  if (wrong) return wrong
  const lifetime = checkIdTokenLifetime(record, claims)
  if (lifetime) return lifetime
  const algorithm = header.alg as Algorithm
  const unrelated =
    (await checkHash('at_hash', claims, algorithm, expected.accessToken)) ??
    (await checkHash('c_hash', claims, algorithm, expected.code))
  if (unrelated) return unrelated
  const { sub } = claims
  if (typeof sub !== 'string' || sub === '' || sub.length > SUBJECT_LENGTH_MAX) {
    return refuse('claim_invalid', 'Its "sub" claim is not a string of a usual length.', { check: 'sub' })
  }
  return { ok: true, claims: { ...claims, sub } }
}

function checkIssuer({ id, issuers }: IssuerRecord, { iss }: Claims): Refusal | null {
  if (typeof iss === 'string' && issuers.includes(iss)) return null
  const detail = `The "iss" of the id_token is ${shown(iss)}; "${id}" is ${issuers.map(shown).join(' or ')}.`
  return refuse('response_issuer_mismatch', detail, { check: 'iss' })
}

/** RFC 9068 4: an access token is none, also where it is signed with the same keys for the same client. */
function checkIdTokenType(record: IssuerRecord, header: Record<string, unknown>): Refusal | null {
  if (typeName(header) !== 'at+jwt') return checkType(record, header)
  return refuse('type_not_allowed', 'It is an access token, not an id_token.', { check: 'typ' })
}

/** An id_token for another client says nothing here, whatever else it is (OpenID Connect Core 3.1.3.7, 3 to 5). */
function checkClient(
  { id, signIn, authorizedParties }: IssuerRecord & { signIn: SignInRule },
  claims: Claims,
) {
  const { aud, azp } = claims
  const { clientId } = signIn
  const audiences = Array.isArray(aud) ? aud : [aud]
  if (!audiences.includes(clientId)) {
    const detail = `The "aud" of the id_token is ${shown(aud)}; Postern is the client ${shown(clientId)} of "${id}".`
    return refuse('audience_mismatch', detail, { check: 'aud' })
  }
  if (azp === undefined && audiences.length === 1) return null
  if (typeof azp === 'string' && (azp === clientId || authorizedParties?.includes(azp))) return null
  const has = azp === undefined ? 'has several audiences and no "azp"' : `has the "azp" ${shown(azp)}`
  const detail = `The id_token ${has}; Postern is the client ${shown(clientId)} of "${id}".`
  return refuse('authorized_party_mismatch', detail, { check: 'azp' })
}

function checkNonce({ nonce: said }: Claims, { nonce }: IdTokenExpected): Refusal | null {
  if (nonce === null || said === nonce) return null
  const has = said === undefined ? 'has no "nonce"' : 'has the "nonce" of another sign-in'
  return refuse('nonce_mismatch', `The id_token ${has}.`, { check: 'nonce' })
}

function checkIdTokenLifetime(record: IssuerRecord, claims: Claims): Refusal | null {
  if (claims.iat === undefined) return refuse('claim_missing', 'It has no "iat" claim.', { check: 'iat' })
  const lifetime = checkLifetime(record, claims, nowSeconds())
  return lifetime.ok ? null : lifetime
}

/** OpenID Connect Core 3.1.3.6 and 3.3.2.11: the left half of the hash that the signature's algorithm names. */
async function checkHash(
  claim: 'at_hash' | 'c_hash',
  claims: Claims,
  algorithm: Algorithm,
  text: string | null,
): Promise<Refusal | null> {
  const said = claims[claim]
  if (said === undefined || text === null) return null
  const size = algorithm === 'EdDSA' ? '512' : algorithm.slice(2)
  const digest = await crypto.subtle.digest(`SHA-${size}`, new TextEncoder().encode(text))
  if (said === base64url.encode(new Uint8Array(digest).subarray(0, digest.byteLength / 2))) return null
  const what = claim === 'at_hash' ? 'the access token' : 'the code'
  return refuse('hash_mismatch', `The "${claim}" of the id_token is not that of ${what}.`, { check: claim })
}
