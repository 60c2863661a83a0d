// Reads a JSON Web Key Set (RFC 7517): which of its keys may verify signatures, for which algorithms, and
// which key a token means.
import { type CryptoKey, importJWK, type JWK } from 'jose'
import type { Algorithm } from '../../policy/schema-issuer.ts'

/** A public key that may verify. Two of the same `id` are the same key. */
export interface VerificationKey {
  /** The key's public members as JSON: what it is, not what it is called only. */
  id: string
  kid: string | null
  /** The `issuer` member by which Entra binds a key to one tenant or to the template. */
  issuer: string | null
  algorithms: readonly Algorithm[]
  jwk: JWK
  /** Imported on first use, once for each algorithm. */
  imported: Map<Algorithm, CryptoKey>
}

const RSA_BITS_MIN = 2048
const RSA_BITS_MAX = 8192
const RSA_EXPONENT_MIN = 65_537
const KEYS_MAX = 100

export type ReadKeySet =
  | { ok: true; keys: VerificationKey[]; left: string[] }
  /** Not a key set, or one without any key that may be used: an outage, not an answer. */
  | { ok: false; problem: string }

/** `left` says of each key that may not be used why. */
export function readKeySet(json: unknown): ReadKeySet {
  const set = typeof json === 'object' && json !== null ? (json as { keys?: unknown }).keys : undefined
  if (!Array.isArray(set)) return { ok: false, problem: 'is not a key set: it has no list "keys"' }
  if (set.length > KEYS_MAX)
    return { ok: false, problem: `has ${set.length} keys, at most ${KEYS_MAX} are read` }
  const keys: VerificationKey[] = []
  const left: string[] = []
  for (const [index, jwk] of set.entries()) {
    const read = readKey(jwk)
    if (read.ok) keys.push(read.key)
    else left.push(`key ${index} ${read.problem}`)
  }
  if (keys.length > 0) return { ok: true, keys, left }
  const why = left.length > 0 ? `: ${left.join('; ')}` : ''
  return { ok: false, problem: `has no key that may verify signatures${why}` }
}

/** The set that reads as the same keys: their public members and nothing else. */
export function writeKeySet(keys: readonly VerificationKey[]): { keys: JWK[] } {
  return {
    keys: keys.map(({ kid, issuer, algorithms: [alg, ...others], jwk }) => ({
      ...jwk,
      ...(kid === null ? {} : { kid }),
      ...(issuer === null ? {} : { issuer }),
      ...(alg && others.length === 0 ? { alg } : {}),
    })),
  }
}

type ReadKey = { ok: true; key: VerificationKey } | { ok: false; problem: string }

function readKey(value: unknown): ReadKey {
  const refuse = (problem: string): ReadKey => ({ ok: false, problem })
  if (typeof value !== 'object' || value === null) return refuse('is not an object')
  const jwk = value as JWK & { issuer?: unknown }
  if (jwk.use !== undefined && jwk.use !== 'sig') return refuse(`is for use "${jwk.use}"`)
  if (jwk.key_ops !== undefined && !(Array.isArray(jwk.key_ops) && jwk.key_ops.includes('verify'))) {
    return refuse('may not verify (key_ops)')
  }
  // A private key that was published belongs to everyone by now.
  if (jwk.d !== undefined) return refuse('is a private key')
  const fit = algorithmsOf(jwk)
  if (typeof fit === 'string') return refuse(fit)
  const algorithms = jwk.alg === undefined ? fit : fit.filter((algorithm) => algorithm === jwsName(jwk.alg))
  if (algorithms.length === 0) return refuse(`is for the algorithm "${jwk.alg}", which is not accepted`)
  const { kty, n, e, crv, x, y } = jwk
  const publicJwk = JSON.parse(JSON.stringify({ kty, n, e, crv, x, y })) as JWK
  const kid = typeof jwk.kid === 'string' ? jwk.kid : null
  const issuer = typeof jwk.issuer === 'string' ? jwk.issuer : null
  const id = JSON.stringify([kid, issuer, algorithms, publicJwk])
  return { ok: true, key: { id, kid, issuer, algorithms, jwk: publicJwk, imported: new Map() } }
}

/** RFC 9864 names the algorithm by its curve; tokens say EdDSA. */
function jwsName(alg: unknown): unknown {
  return alg === 'Ed25519' ? 'EdDSA' : alg
}

const CURVES: Record<string, readonly Algorithm[]> = {
  'P-256': ['ES256'],
  'P-384': ['ES384'],
  'P-521': ['ES512'],
}
const RSA: readonly Algorithm[] = ['RS256', 'RS384', 'RS512', 'PS256', 'PS384', 'PS512']

/** What the key's type allows, or why it is refused. */
function algorithmsOf(jwk: JWK): readonly Algorithm[] | string {
  switch (jwk.kty) {
    case 'RSA':
      return judgeRsa(jwk) ?? RSA
    case 'EC': {
      const fit = Object.hasOwn(CURVES, String(jwk.crv)) ? CURVES[String(jwk.crv)] : undefined
      return fit && jwk.x && jwk.y ? fit : `is on the curve "${jwk.crv}", which is not accepted`
    }
    case 'OKP':
      return jwk.crv === 'Ed25519' && jwk.x
        ? ['EdDSA']
        : `is on the curve "${jwk.crv}", which is not accepted`
    default:
      return `is of the type "${jwk.kty}", which is not accepted`
  }
}

function judgeRsa({ n, e }: JWK): string | null {
  if (typeof n !== 'string' || typeof e !== 'string') return 'has no modulus or no exponent'
  const bits = bitLength(n)
  if (bits < RSA_BITS_MIN) return `has ${bits} bits, at least ${RSA_BITS_MIN} are needed`
  if (bits > RSA_BITS_MAX) return `has ${bits} bits, at most ${RSA_BITS_MAX} are accepted`
  const exponent = Number.parseInt(toHex(e) || '0', 16)
  return exponent < RSA_EXPONENT_MIN || exponent % 2 === 0 ? `has the weak exponent ${exponent}` : null
}

function bitLength(base64url: string): number {
  const hex = toHex(base64url).replace(/^0+/, '')
  return hex === '' ? 0 : (hex.length - 1) * 4 + Number.parseInt(hex[0] as string, 16).toString(2).length
}

/** Empty when the text is not base64url. */
function toHex(base64url: string): string {
  if (!/^[A-Za-z0-9_-]*$/.test(base64url)) return ''
  const binary = atob(base64url.replaceAll('-', '+').replaceAll('_', '/'))
  return Array.from(binary, (char) => char.charCodeAt(0).toString(16).padStart(2, '0')).join('')
}

export type ChosenKey =
  | { ok: true; key: VerificationKey }
  | { ok: false; reason: 'key_unknown' | 'key_ambiguous' | 'key_unsuitable' }

/** RFC 7515 4.1.4: the key the header's `kid` names; without a `kid` only when exactly one key fits. */
export function chooseKey(
  keys: readonly VerificationKey[],
  kid: string | undefined,
  algorithm: Algorithm,
): ChosenKey {
  const named = kid === undefined ? keys : keys.filter((key) => key.kid === kid)
  const fitting = named.filter((key) => key.algorithms.includes(algorithm))
  const [only, ...others] = fitting
  if (only && others.length === 0) return { ok: true, key: only }
  if (only) return { ok: false, reason: 'key_ambiguous' }
  return { ok: false, reason: kid !== undefined && named.length > 0 ? 'key_unsuitable' : 'key_unknown' }
}

/** Throws when the key is not one, for example a point that is not on its curve. */
export async function importKey(key: VerificationKey, algorithm: Algorithm): Promise<CryptoKey> {
  const known = key.imported.get(algorithm)
  if (known) return known
  const imported = (await importJWK(key.jwk, algorithm)) as CryptoKey
  key.imported.set(algorithm, imported)
  return imported
}
