// Makes keys and signs tokens with node:crypto alone, so that what is under test is never its own judge, and
// header and payload may be any bytes at all.
import { constants, generateKeyPairSync, type KeyObject, randomUUID, sign } from 'node:crypto'
import { nowSeconds } from './time.ts'

export type Jwk = Record<string, unknown>

export interface SigningKey {
  alg: string
  kid: string | null
  privateKey: KeyObject
  /** What the issuer publishes. */
  jwk: Jwk
}

export interface KeyOptions {
  /** Null leaves it out. */
  kid?: string | null
  rsaBits?: number
  rsaExponent?: number
}

const CURVES: Record<string, string> = { ES256: 'P-256', ES384: 'P-384', ES512: 'P-521' }
let made = 0

export function makeKey(alg: string, options: KeyOptions = {}): SigningKey {
  made += 1
  const { kid = `key-${made}`, rsaBits = 2048, rsaExponent = 65_537 } = options
  const { publicKey, privateKey } = generate(alg, rsaBits, rsaExponent)
  const jwk = { ...publicKey.export({ format: 'jwk' }), ...(kid === null ? {} : { kid }), alg, use: 'sig' }
  return { alg, kid, privateKey, jwk }
}

function generate(alg: string, modulusLength: number, publicExponent: number) {
  if (alg === 'EdDSA') return generateKeyPairSync('ed25519')
  const namedCurve = CURVES[alg]
  if (namedCurve) return generateKeyPairSync('ec', { namedCurve })
  return generateKeyPairSync('rsa', { modulusLength, publicExponent })
}

/** JSON text, bytes, or a value to be written as JSON, where a member that is undefined is left out. */
export type Part = string | Uint8Array | object

export interface TokenParts {
  header: Part
  payload: Part
  key: SigningKey
  /** Signs with another algorithm than the key's own. */
  alg?: string
}

export function signToken({ header, payload, key, alg = key.alg }: TokenParts): string {
  const signed = `${encodePart(header)}.${encodePart(payload)}`
  return `${signed}.${signatureOf(signed, key.privateKey, alg).toString('base64url')}`
}

export function encodePart(part: Part): string {
  const bytes = typeof part === 'string' || part instanceof Uint8Array ? part : JSON.stringify(part)
  return Buffer.from(bytes as string).toString('base64url')
}

function signatureOf(signed: string, key: KeyObject, alg: string): Buffer {
  const bytes = Buffer.from(signed)
  if (alg === 'EdDSA') return sign(null, bytes, key)
  const hash = `sha${alg.slice(2)}`
  if (alg.startsWith('ES')) return sign(hash, bytes, { key, dsaEncoding: 'ieee-p1363' })
  if (alg.startsWith('RS')) return sign(hash, bytes, key)
  const saltLength = constants.RSA_PSS_SALTLEN_DIGEST
  return sign(hash, bytes, { key, padding: constants.RSA_PKCS1_PSS_PADDING, saltLength })
}

/** Claims a token has unless it says otherwise. */
export function usualClaims(iss: string): Record<string, unknown> {
  const now = nowSeconds()
  return { iss, aud: 'postern', sub: 'alice', iat: now, exp: now + 300, jti: randomUUID() }
}

export function usualHeader({ alg, kid }: SigningKey): Record<string, unknown> {
  return { alg, typ: 'JWT', ...(kid === null ? {} : { kid }) }
}

/** A good token but for what is given; a claim or header parameter that is undefined is left out. */
export function mintToken(iss: string, key: SigningKey, claims: object = {}, header: object = {}): string {
  return signToken({
    header: { ...usualHeader(key), ...header },
    payload: { ...usualClaims(iss), ...claims },
    key,
  })
}
