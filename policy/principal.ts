// Makes a principal of a verified token's claims: who is calling, on whose word, with which groups. Whether
// the token is to be believed is the Worker's to know before it comes here.
import type { IssuerRecord } from './compiled.ts'
import type { PrincipalReason } from './reasons.ts'

export type Claims = Record<string, unknown>

/** What the issuer said about groups; only `listed` is an answer. */
export type Groups =
  | { outcome: 'listed'; names: string[] }
  /** The declared claim is not there, or left out because there are too many, or none is declared. */
  | { outcome: 'absent' | 'overage' | 'none' }

/** The issuer record that authenticated the principal. It bounds everything the principal can get. */
export interface Voucher {
  issuer: string
  /** The organization that owns the issuer; null: the instance, which may vouch anywhere. */
  organization: string | null
}

export interface Principal {
  kind: 'user'
  /** Id of the issuer record; the principal is this and the subject, always both. */
  issuer: string
  subject: string
  voucher: Voucher
  groups: Groups
  userName: string | null
  /** Null as well when the issuer says that it is not verified: others key on it. */
  email: string | null
  firstName: string | null
  lastName: string | null
}

export type PrincipalResult =
  | { ok: true; principal: Principal }
  | { ok: false; reason: PrincipalReason; detail: string }

/** OpenID Connect Core 2 bounds `sub` at 255 characters; some workload issuers need more. */
export const SUBJECT_LENGTH_MAX = 1024

export function principalFromClaims(record: IssuerRecord, claims: Claims): PrincipalResult {
  const subject = claimAt(claims, record.claims.subject)
  const name = describeClaim(record.claims.subject)
  if (subject === undefined)
    return { ok: false, reason: 'claim_missing', detail: `It has no "${name}" claim.` }
  // Text that is not well-formed Unicode is written in more than one way on its way to the upstream.
  const isText = typeof subject === 'string' && subject.isWellFormed()
  if (!isText || subject === '' || subject.length > SUBJECT_LENGTH_MAX) {
    const detail = `Its "${name}" claim must be a string of 1 to ${SUBJECT_LENGTH_MAX} characters.`
    return { ok: false, reason: 'claim_invalid', detail }
  }
  if (name === describeClaim(record.claims.email) && isUnverified(claims)) {
    const detail = `Its subject is the e-mail address in "${name}", which is not verified.`
    return { ok: false, reason: 'claim_invalid', detail }
  }
  const groups = groupsFromClaims(record, claims)
  if (!groups.ok) return { ok: false, reason: 'groups_malformed', detail: groups.detail }
  return {
    ok: true,
    principal: {
      kind: 'user',
      issuer: record.id,
      subject,
      voucher: { issuer: record.id, organization: record.organization },
      groups: groups.groups,
      userName: textAt(claims, record.claims.userName),
      email: isUnverified(claims) ? null : textAt(claims, record.claims.email),
      firstName: textAt(claims, record.claims.firstName),
      lastName: textAt(claims, record.claims.lastName),
    },
  }
}

/** Whoever says anything of it must say yes; some issuers write the boolean as a string. */
function isUnverified({ email_verified: claim }: Claims): boolean {
  return claim !== undefined && claim !== true && claim !== 'true'
}

function textAt(claims: Claims, path: readonly string[]): string | null {
  const value = claimAt(claims, path)
  return typeof value === 'string' && value !== '' ? value : null
}

/** The value at a claim path, undefined when a step is missing. Own members only: no `__proto__`. */
export function claimAt(claims: Claims, path: readonly string[]): unknown {
  let value: unknown = claims
  for (const step of path) {
    if (typeof value !== 'object' || value === null || !Object.hasOwn(value, step)) return undefined
    value = (value as Claims)[step]
  }
  return value
}

export function describeClaim(path: readonly string[]): string {
  return path.join('.')
}

type GroupsResult = { ok: true; groups: Groups } | { ok: false; detail: string }

function groupsFromClaims(record: IssuerRecord, claims: Claims): GroupsResult {
  if (record.groups === null) return { ok: true, groups: { outcome: 'none' } }
  const { claim, key, separator } = record.groups
  if (hasOverage(claims, claim)) return { ok: true, groups: { outcome: 'overage' } }
  const value = claimAt(claims, claim)
  if (value === undefined) return { ok: true, groups: { outcome: 'absent' } }
  const isText = key === null && typeof value === 'string'
  const names = isText ? splitGroups(value, separator) : listGroups(value, key)
  if (names === null) {
    const wanted = key === null ? 'a string or a list of strings' : `a list of objects with a string "${key}"`
    return { ok: false, detail: `Its "${describeClaim(claim)}" claim must be ${wanted}.` }
  }
  return { ok: true, groups: { outcome: 'listed', names } }
}

/**
 * Microsoft Entra leaves groups out of large tokens and says so in `_claim_names` (a distributed claim,
 * OpenID Connect Core 5.6.2), or by `hasgroups` in the implicit flow. Both speak of one claim: a token whose
 * groups are read from another, such as `roles`, says all it has to say.
 */
function hasOverage(claims: Claims, claim: readonly string[]): boolean {
  const names = claims._claim_names
  const distributed = typeof names === 'object' && names !== null && Object.hasOwn(names, claim[0] as string)
  const left = claims.hasgroups === true || claims.hasgroups === 'true'
  return distributed || (left && claim[0] === 'groups')
}

function splitGroups(value: string, separator: string | null): string[] {
  const names = separator === null ? [value] : value.split(separator).map((name) => name.trim())
  return names.filter((name) => name !== '')
}

function listGroups(value: unknown, key: string | null): string[] | null {
  if (!Array.isArray(value)) return null
  const names: string[] = []
  for (const entry of value) {
    const name = key === null ? entry : claimAt({ entry }, ['entry', key])
    if (typeof name !== 'string') return null
    if (name !== '') names.push(name)
  }
  return names
}
