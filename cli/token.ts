// Reads a real token offline: which issuer record it belongs to, and whether the gateway would believe it. The
// signature is checked when there are keys to check it with; nothing is fetched.
import {
  compactVerify,
  createLocalJWKSet,
  decodeJwt,
  decodeProtectedHeader,
  errors,
  type JSONWebKeySet,
} from 'jose'
import { type IssuerRecord, TENANT_PLACEHOLDER } from '../policy/compiled.ts'
import type { Policy } from '../policy/loaded.ts'
import type { Claims } from '../policy/principal.ts'
import type { PrincipalReason, TokenReason } from '../policy/reasons.ts'
import { describeTime } from './clock.ts'

type Reason = TokenReason | PrincipalReason

const TOKEN_BYTES_MAX = 16 * 1024

export interface ReadToken {
  ok: true
  header: Record<string, unknown>
  claims: Claims
  compact: string
}

export type TokenResult = ReadToken | { ok: false; message: string }

/** The token as it stands in a file, with or without "Bearer " and white space around it. */
export function parseToken(text: string): TokenResult {
  const compact = text.trim().replace(/^(?:authorization:\s*)?bearer\s+/i, '')
  if (compact.length > TOKEN_BYTES_MAX) {
    return { ok: false, message: `has ${compact.length} bytes; the gateway reads at most ${TOKEN_BYTES_MAX}` }
  }
  const parts = compact.split('.').length
  if (parts === 5)
    return { ok: false, message: 'is encrypted (five parts); the gateway accepts signed tokens only' }
  try {
    return { ok: true, header: { ...decodeProtectedHeader(compact) }, claims: decodeJwt(compact), compact }
  } catch {
    return {
      ok: false,
      message: 'is not a signed JWT: three parts joined by dots, the first two JSON in base64url',
    }
  }
}

/** The record by `iss`; where several organizations share one, by organization or id. */
export function recordOfToken(
  { issuersByName }: Policy,
  { claims: { iss } }: ReadToken,
  wanted: { issuer?: string | undefined; organization?: string | undefined },
): IssuerRecord | string {
  const named = typeof iss === 'string' ? (issuersByName.get(iss) ?? []) : []
  if (named.length === 0) {
    const known = [...issuersByName.keys()].join(', ') || 'none'
    return `the token's issuer (${JSON.stringify(iss)}) is none of the policy's, which are: ${known}`
  }
  const fitting = named.filter(({ id, organization }) => {
    if (wanted.issuer !== undefined) return id === wanted.issuer
    return named.length === 1 || organization === (wanted.organization ?? null)
  })
  const [record] = fitting
  if (record) return record
  return `the token's issuer (${iss}) belongs to ${named.map(({ id }) => id).join(', ')}; say which with --issuer`
}

/** One thing the gateway checks. */
export interface TokenCheck {
  check:
    | 'signature'
    | 'header'
    | 'algorithm'
    | 'kind'
    | 'type'
    | 'tenant'
    | 'audience'
    | 'party'
    | 'time'
    | 'age'
  passed: boolean
  /** Why the gateway would refuse the token; null when it would not. */
  reason: Reason | null
  detail: string
}

/** Header parameters any token may have (RFC 7515 4.1). */
const HEADERS: readonly string[] = ['alg', 'kid', 'typ', 'x5t', 'x5t#S256']

/** All that the token itself and the record tell, without the signature. */
export function checkToken(
  record: IssuerRecord,
  { header, claims }: ReadToken,
  audiences: readonly string[],
  now: number,
): TokenCheck[] {
  const algorithms: readonly string[] = record.algorithms
  const type = typeof header.typ === 'string' ? header.typ.toLowerCase().replace(/^application\//, '') : null
  const audience = [claims.aud].flat()
  const tenant = record.tenants?.[record.issuers.indexOf(claims.iss as string)] ?? null
  const unknown = Object.keys(header).filter(
    (name) => !HEADERS.includes(name) && !record.headers.includes(name),
  )
  const named = record.authorizedParties ?? audiences
  const parties = audience.length > 1 || (record.authorizedParties !== null && claims.azp !== undefined)
  const checks = [
    ...(unknown.length === 0
      ? []
      : [check('header', false, 'header_not_allowed', [`the header has ${unknown.join(', ')}`])]),
    ...(claims.events === undefined
      ? []
      : [check('kind', false, 'kind_not_allowed', ['it has "events", as logout tokens have'])]),
    ...(parties
      ? [
          check('party', named.includes(claims.azp as string), 'authorized_party_mismatch', [
            `azp is ${shown(claims.azp)}`,
            `accepted here: ${named.join(', ')}`,
          ]),
        ]
      : []),
    check('algorithm', algorithms.includes(String(header.alg)), 'algorithm_not_allowed', [
      `alg is ${shown(header.alg)}`,
      `the record allows ${algorithms.join(', ')}`,
    ]),
    check('type', type === null || record.types.includes(type), 'type_not_allowed', [
      header.typ === undefined ? 'typ is not said' : `typ is ${shown(header.typ)}`,
      `the record allows ${record.types.join(', ')}`,
    ]),
    check(
      'audience',
      audience.some((one) => audiences.includes(one as string)),
      'audience_mismatch',
      [`aud is ${shown(claims.aud)}`, `accepted here: ${audiences.join(', ')}`],
    ),
    ...checkTimes(record, claims, now),
  ]
  if (tenant === null) return checks
  const about = [`tid is ${shown(claims.tid)}`, `the issuer's ${TENANT_PLACEHOLDER} is ${tenant}`]
  return [...checks, check('tenant', claims.tid === tenant, 'tenant_not_allowed', about)]
}

function checkTimes(record: IssuerRecord, claims: Claims, now: number): TokenCheck[] {
  const { leewaySeconds: leeway, maxTokenAgeSeconds: ageMax } = record
  const { exp, nbf, iat } = claims
  for (const [name, value] of Object.entries({ exp, nbf, iat })) {
    if (typeof value === 'number' || (value === undefined && name !== 'exp')) continue
    const reason = value === undefined ? 'claim_missing' : 'claim_invalid'
    return [check('time', false, reason, [`${name} is ${shown(value)}`, 'it must be a time in seconds'])]
  }
  const [expires, begins, issued] = [exp as number, (nbf ?? 0) as number, (iat ?? 0) as number]
  const times = [
    check('time', now < expires + leeway, 'token_expired', [
      `${now < expires ? 'expires' : 'expired'} ${describeTime(expires)}`,
      `it is ${describeTime(now)}`,
    ]),
  ]
  if (begins > now + leeway) {
    times.push(check('time', false, 'token_not_yet_valid', [`is valid from ${describeTime(begins)}`]))
  }
  if (issued > now + leeway) {
    times.push(check('time', false, 'token_issued_in_future', [`is issued ${describeTime(issued)}`]))
  }
  if (ageMax === null) return times
  const about = [
    `issued ${iat === undefined ? 'at no said time' : describeTime(issued)}`,
    `at most ${ageMax} s ago`,
  ]
  return [
    ...times,
    check('age', iat !== undefined && now - issued <= ageMax + leeway, 'token_too_old', about),
  ]
}

function check(name: TokenCheck['check'], passed: boolean, reason: Reason, about: string[]): TokenCheck {
  return { check: name, passed, reason: passed ? null : reason, detail: about.join('; ') }
}

function shown(value: unknown): string {
  return (JSON.stringify(value) ?? 'not there').slice(0, 200)
}

/** With the keys of a JWKS, by the algorithms of the record alone. */
export async function checkSignature(
  record: IssuerRecord,
  { compact, header }: ReadToken,
  jwks: JSONWebKeySet,
): Promise<TokenCheck> {
  const failed = (reason: Reason, detail: string) => check('signature', false, reason, [detail])
  try {
    await compactVerify(compact, createLocalJWKSet(jwks), { algorithms: record.algorithms })
    return check('signature', true, 'signature_invalid', [`verified with key ${shown(header.kid)}`])
  } catch (error) {
    if (error instanceof errors.JWKSNoMatchingKey) {
      return failed(
        'key_unknown',
        `no key of the JWKS fits kid ${shown(header.kid)} and alg ${shown(header.alg)}`,
      )
    }
    if (error instanceof errors.JWKSMultipleMatchingKeys) {
      return failed('key_ambiguous', 'the token names no key, and several of the JWKS fit')
    }
    if (error instanceof errors.JOSEAlgNotAllowed) {
      return failed('algorithm_not_allowed', `alg is ${shown(header.alg)}`)
    }
    if (error instanceof errors.JWSSignatureVerificationFailed) {
      return failed('signature_invalid', 'the signature does not verify with the key')
    }
    return failed('key_unsuitable', (error as Error).message)
  }
}
