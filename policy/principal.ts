// Makes a principal of a verified token's claims: who is calling, on whose word, with which groups. Whether
// the token is to be believed is the Worker's to know before it comes here.
import type { GroupsRule, IssuerRecord } from './compiled.ts'
import type { PrincipalReason } from './reasons.ts'

export type Claims = Record<string, unknown>

/** What vouches for the holders of keys of ours, in the place of an issuer record; no record may be called so. */
export const KEY_ISSUER = 'postern'

/** Groups as they were said when a sign-in last said any. Seconds since the epoch. */
export interface LastKnownGroups {
  names: string[]
  at: number
}

/** What the issuer said about groups; only `listed` is an answer. */
export type Groups =
  | { outcome: 'listed'; names: string[] }
  /** No claim for groups is declared. */
  | { outcome: 'none' }
  /**
   * The declared claim is not there, or left out because there are too many. `kept` is what may stand in for
   * it, and until when: only for sign-ins, where the issuer record says so (decision T4).
   */
  | { outcome: 'absent' | 'overage'; kept: { names: string[]; until: number } | null }

/** The issuer record that authenticated the principal. It bounds everything the principal can get. */
export interface Voucher {
  issuer: string
  /** The organization that owns the issuer; null: the instance, which may vouch anywhere. */
  organization: string | null
}

/** A role given to somebody directly, not through a group. */
export interface DirectGrant {
  role: string
  /** Null, both: at the global level. */
  organization: string | null
  project: string | null
  /** What gives it: `memberships.user/ID`, `memberships.service-account/ID`. */
  source: string
}

export interface Principal {
  kind: 'user' | 'service-account'
  /** Id of the issuer record; the principal is this and the subject, always both. */
  issuer: string
  subject: string
  voucher: Voucher
  groups: Groups
  /** Roles given directly; the voucher bounds them as it does all others. */
  given: readonly DirectGrant[]
  userName: string | null
  /** Null as well when the issuer says that it is not verified: others key on it. */
  email: string | null
  firstName: string | null
  lastName: string | null
  /** All that the token says, for the conditions of mappings. */
  claims: Claims
}

export type GroupsAt =
  | { outcome: 'listed'; names: readonly string[]; until: number }
  | { outcome: 'none'; names: readonly string[]; until: number }
  | { outcome: 'absent' }
  | { outcome: 'overage' }

/** The groups that count now, and until when (seconds since the epoch). */
export function groupsAt({ groups }: Principal, now: number): GroupsAt {
  if (groups.outcome === 'none') return NO_GROUPS
  if (groups.outcome === 'listed') {
    return { outcome: 'listed', names: groups.names, until: Number.POSITIVE_INFINITY }
  }
  const { kept, outcome } = groups
  return kept && now < kept.until ? { outcome: 'listed', ...kept } : { outcome }
}
const NO_GROUPS: GroupsAt = { outcome: 'none', names: [], until: Number.POSITIVE_INFINITY }

export type PrincipalResult =
  | { ok: true; principal: Principal }
  | { ok: false; reason: PrincipalReason; detail: string }

/** OpenID Connect Core 2 bounds `sub` at 255 characters; some workload issuers need more. */
export const SUBJECT_LENGTH_MAX = 1024

/** How the claims came: a bearer token speaks for itself; for a sign-in, groups said before may be known. */
export type Presented = { as: 'bearer' } | { as: 'sign-in'; now: number; lastKnown: LastKnownGroups | null }

export function principalFromClaims(
  record: IssuerRecord,
  claims: Claims,
  presented: Presented = { as: 'bearer' },
): PrincipalResult {
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
  const closed = checkAccess(record, claims)
  if (closed) return closed
  const groups = groupsFromClaims(record, claims, presented)
  if (!groups.ok) return { ok: false, reason: 'groups_malformed', detail: groups.detail }
  return {
    ok: true,
    principal: {
      kind: 'user',
      issuer: record.id,
      subject,
      voucher: { issuer: record.id, organization: record.organization },
      groups: groups.groups,
      given: [],
      userName: textAt(claims, record.claims.userName),
      email: isUnverified(claims) ? null : textAt(claims, record.claims.email),
      firstName: textAt(claims, record.claims.firstName),
      lastName: textAt(claims, record.claims.lastName),
      claims,
    },
  }
}

/** The gate: only `true`, as a boolean or as SAML and some issuers write it, opens it. */
function checkAccess({ claims: { access }, id }: IssuerRecord, claims: Claims): PrincipalResult | null {
  if (access === null) return null
  const value = claimAt(claims, access)
  if (value === true || value === 'true') return null
  const detail = `Issuer "${id}" lets in only those whose "${describeClaim(access)}" claim is true.`
  return { ok: false, reason: 'access_denied', detail }
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

function groupsFromClaims(
  { groups: rule }: IssuerRecord,
  claims: Claims,
  presented: Presented,
): GroupsResult {
  if (rule === null) return { ok: true, groups: { outcome: 'none' } }
  const kept = keptGroups(rule, presented)
  if (hasOverage(claims, rule.claim)) return { ok: true, groups: { outcome: 'overage', kept } }
  const value = claimAt(claims, rule.claim)
  if (value === undefined) return { ok: true, groups: { outcome: 'absent', kept } }
  const names = readGroups(rule, value)
  if (names === null) {
    const { claim, key } = rule
    const wanted = key === null ? 'a string or a list of strings' : `a list of objects with a string "${key}"`
    return { ok: false, detail: `Its "${describeClaim(claim)}" claim must be ${wanted}.` }
  }
  const renamed = names.map((name) => renameGroup(rule, name)).filter((name) => name !== '')
  return { ok: true, groups: { outcome: 'listed', names: renamed } }
}

/** The groups as the claim says them, null when its shape is another than the declared one. */
function readGroups({ key, separator }: GroupsRule, value: unknown): string[] | null {
  return key === null && typeof value === 'string' ? splitGroups(value, separator) : listGroups(value, key)
}

/** What each group that the claims say is called by the policy: name -> as it was said. */
export function saidGroups({ groups: rule }: IssuerRecord, claims: Claims): Map<string, string> {
  if (rule === null) return new Map()
  const said = readGroups(rule, claimAt(claims, rule.claim)) ?? []
  return new Map(said.map((raw) => [renameGroup(rule, raw), raw]))
}

/** What the issuer must say for the policy to read this group, null when nothing it could say is read so. */
export function sayingOf({ groups: rule }: IssuerRecord, group: string): string | null {
  if (rule === null) return null
  const raw = rule.names.find(([, name]) => name === group)?.[0]
  if (raw !== undefined) return raw
  if (!group.startsWith(rule.addPrefix)) return null
  const plain = group.slice(rule.addPrefix.length)
  const candidates = [plain, rule.stripPrefix + plain]
  return candidates.find((said) => said !== '' && renameGroup(rule, said) === group) ?? null
}

/** What stands in for groups that a sign-in does not say; somebody new has none, and gets the default role. */
function keptGroups(
  { keepSeconds }: GroupsRule,
  presented: Presented,
): { names: string[]; until: number } | null {
  if (presented.as === 'bearer' || keepSeconds === 0) return null
  const { now, lastKnown } = presented
  return { names: lastKnown?.names ?? [], until: (lastKnown?.at ?? now) + keepSeconds }
}

/** A display name for an id, else the name with its prefix changed. */
function renameGroup({ names, stripPrefix, addPrefix }: GroupsRule, name: string): string {
  if (names.length > 0) {
    const byId = displayNames.get(names) ?? new Map(names)
    displayNames.set(names, byId)
    const known = byId.get(name)
    if (known !== undefined) return known
  }
  return addPrefix + (name.startsWith(stripPrefix) ? name.slice(stripPrefix.length) : name)
}
/** Lists of thousands of names, as Maps. */
const displayNames = new WeakMap<GroupsRule['names'], ReadonlyMap<string, string>>()

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
