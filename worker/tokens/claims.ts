// Checks of a token's claims that depend on the issuer record and the time alone.
import { AUDIT_HEAD_TYPE } from '../../policy/audit-event.ts'
import type { IssuerRecord } from '../../policy/compiled.ts'
import type { Claims } from '../../policy/principal.ts'
import { type Refusal, refuse, shown } from '../refusal.ts'

/** `typ` of the assertion that upstreams get from us. */
export const ASSERTION_TYPE = 'postern-assertion+jwt'
/** `typ` of the signed head of an audit chain (publisher/audit-heads.ts). */
export { AUDIT_HEAD_TYPE }
/** `typ` of what shows a token endpoint who we are (private_key_jwt), signed with the same keys. */
export const CLIENT_ASSERTION_TYPE = 'client-authentication+jwt'

/** Kinds of token that never say who is calling: our own, and logout tokens (Back-Channel Logout 2.4). */
const FOREIGN_TYPES: readonly string[] = [
  ASSERTION_TYPE,
  AUDIT_HEAD_TYPE,
  CLIENT_ASSERTION_TYPE,
  'logout+jwt',
]

/** `typ` as RFC 8725 3.11 wants it: each kind of token is told apart, so that none passes for another. */
export function checkKind(header: Record<string, unknown>, claims: Claims): Refusal | null {
  const type = typeName(header)
  if (FOREIGN_TYPES.includes(type)) {
    return refuse('kind_not_allowed', `Its type is "${type}".`, { check: 'typ' })
  }
  if (claims.events !== undefined) {
    const detail = 'It has an "events" claim, as logout tokens and security events have.'
    return refuse('kind_not_allowed', detail, { check: 'events' })
  }
  return null
}

export function checkType(record: IssuerRecord, header: Record<string, unknown>): Refusal | null {
  const type = typeName(header)
  if (type === '' || record.types.includes(type)) return null
  const detail = `Its "typ" is ${shown(header.typ)}; accepted from issuer "${record.id}": ${record.types.join(', ')}.`
  return refuse('type_not_allowed', detail, { check: 'typ' })
}

/** RFC 7515 4.1.9: "application/" may be left out, and case does not matter. */
export function typeName({ typ }: Record<string, unknown>): string {
  return typeof typ === 'string' ? typ.toLowerCase().replace(/^application\//, '') : ''
}

/** Entra: the tenant the `iss` stands for and the `tid` claim must be the same. */
export function checkTenant(record: IssuerRecord, claims: Claims): Refusal | null {
  if (record.tenants === null) return null
  const tenant = record.tenants[record.issuers.indexOf(claims.iss as string)]
  if (claims.tid === tenant) return null
  const detail = `Its "tid" is ${shown(claims.tid)}, its issuer is the tenant "${tenant}".`
  return refuse('tenant_not_allowed', detail, { check: 'tid' })
}

export type Lifetime = { ok: true; validUntil: number } | Refusal

/**
 * `exp`, `nbf`, `iat` (RFC 7519 4.1) and the age, each with the issuer's leeway.
 * @returns until when the token passes again, in seconds since the epoch, leeway included.
 */
export function checkLifetime(record: IssuerRecord, claims: Claims, now: number): Lifetime {
  const { leewaySeconds: leeway, maxTokenAgeSeconds: ageMax } = record
  for (const name of ['exp', 'nbf', 'iat'] as const) {
    const value = claims[name]
    if (value === undefined && name !== 'exp' && !(name === 'iat' && ageMax !== null)) continue
    if (value === undefined) return refuse('claim_missing', `It has no "${name}" claim.`, { check: name })
    if (typeof value !== 'number' || !Number.isFinite(value)) {
      return refuse('claim_invalid', `Its "${name}" claim is not a number.`, { check: name })
    }
  }
  const { exp, nbf, iat } = claims as { exp: number; nbf?: number; iat?: number }
  const about = (check: string, token: number) => ({
    check,
    times: { token, now, differenceSeconds: token - now, leewaySeconds: leeway },
  })
  if (now >= exp + leeway) {
    return refuse('token_expired', `It expired ${now - exp} s ago; ${LEEWAY(leeway)}`, about('exp', exp))
  }
  if (nbf !== undefined && nbf > now + leeway) {
    return refuse(
      'token_not_yet_valid',
      `It is valid in ${nbf - now} s; ${LEEWAY(leeway)}`,
      about('nbf', nbf),
    )
  }
  if (iat !== undefined && iat > now + leeway) {
    return refuse(
      'token_issued_in_future',
      `It is issued in ${iat - now} s; ${LEEWAY(leeway)}`,
      about('iat', iat),
    )
  }
  if (iat === undefined || ageMax === null) return { ok: true, validUntil: exp + leeway }
  if (now - iat > ageMax + leeway) {
    const detail = `It was issued ${now - iat} s ago; issuer "${record.id}" allows ${ageMax} s.`
    return refuse('token_too_old', detail, about('iat', iat))
  }
  return { ok: true, validUntil: Math.min(exp, iat + ageMax) + leeway }
}

const LEEWAY = (seconds: number) => `${seconds} s of difference between clocks are allowed.`
