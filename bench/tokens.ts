// An identity provider's keys and tokens, made before anything is timed. The tokens look like those of common
// providers: about 900 characters, a dozen claims, a handful of groups.
import { generateKeyPairSync, type JsonWebKey, type KeyObject, randomUUID, sign } from 'node:crypto'

export const ISSUER = 'https://login.example.com/realms/staff'
export const AUDIENCE = 'postern'
export const GROUP = 'acme-payments-readers'
const LIFE_SECONDS = 3600

export const ALGORITHMS = ['RS256', 'ES256', 'EdDSA'] as const
export type BenchAlgorithm = (typeof ALGORITHMS)[number]

export interface TokenIssuer {
  jwks: { keys: JsonWebKey[] }
  /** `groups`: besides those that everybody has. */
  token(
    algorithm: BenchAlgorithm,
    claims: { subject: string; expiresIn?: number; groups?: readonly string[] },
  ): string
}

/** Every token is different (`jti`), also for the same subject. */
export function createTokenIssuer(): TokenIssuer {
  const pairs: Record<BenchAlgorithm, { publicKey: KeyObject; privateKey: KeyObject }> = {
    RS256: generateKeyPairSync('rsa', { modulusLength: 2048 }),
    ES256: generateKeyPairSync('ec', { namedCurve: 'P-256' }),
    EdDSA: generateKeyPairSync('ed25519'),
  }
  const keys = ALGORITHMS.map((alg) => ({
    ...pairs[alg].publicKey.export({ format: 'jwk' }),
    alg,
    kid: kidOf(alg),
    use: 'sig',
  }))
  return {
    jwks: { keys },
    token(algorithm, { subject, expiresIn = LIFE_SECONDS, groups = [GROUP] }) {
      const header = { alg: algorithm, typ: 'JWT', kid: kidOf(algorithm) }
      const input = `${encode(header)}.${encode(claimsOf(subject, expiresIn, groups))}`
      const key = pairs[algorithm].privateKey
      const digest = algorithm === 'EdDSA' ? null : 'sha256'
      const signature = sign(digest, Buffer.from(input), { key, dsaEncoding: 'ieee-p1363' })
      return `${input}.${signature.toString('base64url')}`
    },
  }
}

function kidOf(algorithm: BenchAlgorithm): string {
  return `bench-${algorithm.toLowerCase()}`
}

function claimsOf(subject: string, expiresIn: number, groups: readonly string[]): object {
  const now = Math.floor(Date.now() / 1000)
  return {
    exp: now + expiresIn,
    iat: now + Math.min(0, expiresIn - LIFE_SECONDS),
    jti: randomUUID(),
    iss: ISSUER,
    aud: AUDIENCE,
    sub: subject,
    typ: 'Bearer',
    azp: 'dashboard',
    sid: randomUUID(),
    scope: 'openid profile email',
    email_verified: true,
    name: 'Alice Example',
    preferred_username: subject,
    given_name: 'Alice',
    family_name: 'Example',
    email: `${subject}@example.com`,
    groups: ['everyone', 'engineering', ...groups],
  }
}

function encode(value: object): string {
  return Buffer.from(JSON.stringify(value)).toString('base64url')
}
