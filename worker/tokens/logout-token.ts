// What a logout token says (OpenID Connect Back-Channel Logout 1.0, 2.4 and 2.6): whose sessions at the issuer have
// ended. Choosing the issuer record, and that a token counts once, is signin/back-channel.ts's.
import type { IssuerRecord } from '../../policy/compiled.ts'
import { type Claims, SUBJECT_LENGTH_MAX } from '../../policy/principal.ts'
import { nowSeconds } from '../clock.ts'
import type { Environment } from '../environment.ts'
import { type Refusal, refuse, shown } from '../refusal.ts'
import { checkLifetime, checkTenant, typeName } from './claims.ts'
import { type CompactToken, checkHeader } from './compact.ts'
import { checkAlgorithm, checkSignature } from './signature.ts'

/** Longer than issuers take to try again; so long a `jti` is remembered. */
export const LOGOUT_TOKEN_AGE_SECONDS_MAX = 300
export const SID_LENGTH_MAX = 1000
const JTI_LENGTH_MAX = 1000
const LOGOUT_EVENT = 'http://schemas.openid.net/event/backchannel-logout'

/** Back-Channel Logout 2.4: "logout+jwt"; issuers from before it say "JWT", or nothing. */
const TYPES: readonly string[] = ['logout+jwt', 'jwt', '']

/** At least one of `sub` and `sid` is there. */
export interface LogoutToken {
  ok: true
  sub: string | null
  sid: string | null
  jti: string
  /** Seconds since the epoch: from then on it is refused as too old. */
  validUntil: number
}

/** As the record has it: its keys and algorithms, and the client that signs in with it. */
export async function verifyLogoutToken(
  environment: Environment,
  record: IssuerRecord,
  parsed: CompactToken,
): Promise<LogoutToken | Refusal> {
  const { header, claims } = parsed
  const shape =
    checkHeader(header, record.headers) ?? checkAlgorithm(record, header) ?? checkLogoutType(header)
  if (shape) return shape
  const signed = await checkSignature(environment, record, parsed)
  if (!signed.ok) return signed
  const wrong = checkTenant(record, claims) ?? checkClient(record, claims) ?? checkEvent(claims)
  if (wrong) return wrong
  const lifetime = checkLogoutLifetime(record, claims)
  if (!lifetime.ok) return lifetime
  const named = namesOf(claims)
  return named.ok ? { ...named, validUntil: lifetime.validUntil } : named
}

function checkLogoutType(header: Record<string, unknown>): Refusal | null {
  if (TYPES.includes(typeName(header))) return null
  const detail = `Its "typ" is ${shown(header.typ)}; a logout token has "logout+jwt".`
  return refuse('type_not_allowed', detail, { check: 'typ' })
}

/** Back-Channel Logout 2.6 (3): as of an id_token, the audience is the client. */
export function isForClient({ signIn }: IssuerRecord, { aud }: Claims): boolean {
  const clientId = signIn?.clientId
  return clientId !== undefined && (aud === clientId || (Array.isArray(aud) && aud.includes(clientId)))
}

function checkClient(record: IssuerRecord, claims: Claims): Refusal | null {
  if (isForClient(record, claims)) return null
  const detail = `Its "aud" is ${shown(claims.aud)}; Postern is another client of issuer "${record.id}".`
  return refuse('audience_mismatch', detail, { check: 'aud' })
}

/** Back-Channel Logout 2.6 (5) and (6): an id_token is never a logout token, nor the other way round. */
function checkEvent({ events, nonce }: Claims): Refusal | null {
  const isObject = (value: unknown) => typeof value === 'object' && value !== null && !Array.isArray(value)
  if (nonce !== undefined) return invalid('nonce', 'It has a "nonce", as id_tokens have.')
  if (isObject(events) && isObject((events as Record<string, unknown>)[LOGOUT_EVENT])) return null
  return invalid('events', `Its "events" claim has no member "${LOGOUT_EVENT}" that is an object.`)
}

/** `iat` is needed and bounds the age; `exp` need not be there, and counts if it is. */
function checkLogoutLifetime(record: IssuerRecord, claims: Claims) {
  const bounded = { ...record, maxTokenAgeSeconds: LOGOUT_TOKEN_AGE_SECONDS_MAX }
  return checkLifetime(bounded, { exp: Number.MAX_SAFE_INTEGER, ...claims }, nowSeconds())
}

function namesOf({ sub, sid, jti }: Claims): Omit<LogoutToken, 'validUntil'> | Refusal {
  if (!isName(jti, JTI_LENGTH_MAX)) return invalid('jti', 'It has no "jti" claim that is a string.')
  if (sub !== undefined && !isName(sub, SUBJECT_LENGTH_MAX)) {
    return invalid('sub', 'Its "sub" claim is not a string of a usual length.')
  }
  if (sid !== undefined && !isName(sid, SID_LENGTH_MAX)) {
    return invalid('sid', 'Its "sid" claim is not a string of a usual length.')
  }
  if (sub === undefined && sid === undefined) return invalid('sub', 'It has neither "sub" nor "sid".')
  return { ok: true, sub: sub ?? null, sid: sid ?? null, jti }
}

function isName(value: unknown, lengthMax: number): value is string {
  return typeof value === 'string' && value !== '' && value.length <= lengthMax
}

function invalid(check: string, detail: string): Refusal {
  return refuse('logout_token_invalid', detail, { check })
}
