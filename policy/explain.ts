// Why somebody has a role at a level or lacks it: decide without the short-circuit. Every role with all its
// proofs, every mapping that gives nothing with its reason, what is nearly right, and what would help.
import type { CompiledCondition, Grant } from './compiled.ts'
import { checkStanding, type Decision } from './decide.ts'
import {
  FAILED_REASONS,
  type FailedMapping,
  type FailedReason,
  failedMappings,
  outsideVoucher,
} from './explain-failed.ts'
import { type Asked, type Listed, listedFrom, listingAt, recordOf, sizeOf } from './explain-list.ts'
import { explainWanted, type Wanted } from './explain-wanted.ts'
import { type Counting, visitGrants } from './grants.ts'
import type { Level } from './level.ts'
import type { LoadedOrganization, Policy } from './loaded.ts'
import { type NearMiss, nearMisses } from './near.ts'
import type { Captured } from './pattern.ts'
import { claimAt, describeClaim, groupsAt, type Principal, saidGroups } from './principal.ts'

export interface ExplainQuestion {
  level: Level
  /** Seconds since the epoch. */
  now: number
  /** Asks as well what would give this permission. */
  permission?: string
  /** Which of the mappings without any match: from a place on (0, then `next`), at most so many. */
  page?: { after: number; size: number }
}

/** More are not read at once. */
export const PAGE_SIZE_MAX = 1000
const FIRST_PAGE = { after: 0, size: 100 }

export interface Explanation {
  level: Level
  /** Why nothing counts here whatever the mappings say; null when they decide. */
  standing: Extract<Decision, { allowed: false }> | null
  groups: ExplainedGroups
  /** Every role held, given or implied, by name. */
  roles: HeldRole[]
  /** Mappings that ask for one of the groups and give nothing all the same. */
  failed: FailedMapping[]
  unmatched: UnmatchedPage
  near: NearMiss[]
  /** When a permission was asked for. */
  wanted: Wanted | null
}

export interface ExplainedGroups {
  /** `kept`: those seen last stand in for what the token does not say. */
  outcome: 'listed' | 'kept' | 'none' | 'absent' | 'overage'
  /** Where the issuer's tokens say groups; null when they do not, or the issuer is not known. */
  claim: string | null
  /** Each once. `raw` is what the token says; null when it says nothing that becomes this group. */
  names: { raw: string | null; group: string }[]
  /** When kept groups cease to count, in seconds since the epoch. */
  until: number | null
}

export interface HeldRole {
  role: string
  proofs: RoleProof[]
}

export interface RoleProof {
  given: GivenRole
  /** From the role that is given to this one, each implying the next. */
  chain: readonly string[]
}

/** A mapping that counts, and all that makes it count. */
export interface GivenRole {
  role: string
  mapping: string
  claim: string | null
  raw: string | null
  /** Null for a role given directly, and for the default role. */
  group: string | null
  pattern: { text: string; captured: Captured } | null
  /** All of them hold, for these claims. */
  conditions: { condition: CompiledCondition; claimed: unknown }[]
  notBefore: number | null
  notAfter: number | null
}

export type UnmatchedReason =
  | 'group_missing'
  | 'groups_absent'
  | 'groups_overage'
  | 'groups_none'
  | FailedReason

export interface UnmatchedMapping {
  mapping: string
  role: string
  /** What it asks for: one of these names, or of these patterns. */
  groups: readonly string[]
  patterns: readonly string[]
  reason: UnmatchedReason
  detail: string
}

export interface UnmatchedPage {
  /** On all pages. */
  total: number
  mappings: UnmatchedMapping[]
  /** Where the next page begins; null when this is the last. */
  next: number | null
}

/**
 * `organization` is the level's, as for decide, but with all of its buckets: of mappings in others nothing is
 * said. The first explanation of a policy or organization builds the indexes that later ones use.
 */
export function explain(
  policy: Policy,
  organization: LoadedOrganization | null,
  principal: Principal,
  { level, now, permission, page = FIRST_PAGE }: ExplainQuestion,
): Explanation {
  const standing = checkStanding(organization, principal, level)
  const asked: Asked = {
    policy,
    organization: level.kind === 'global' ? null : organization,
    principal,
    level,
    now,
  }
  const groups = explainGroups(asked)
  if (standing) {
    const wanted = permission === undefined ? null : { permission, decision: standing, fixes: [] }
    const unmatched = { total: 0, mappings: [], next: null }
    return { level, standing, groups, roles: [], failed: [], unmatched, near: [], wanted }
  }
  const given = givenRoles(asked, groups)
  const names = isSaid(groups) ? groups.names.map(({ group }) => group) : []
  const all = failedMappings(asked, names)
  const met = [...given, ...all]
  const search = {
    groups: names,
    known: new Set(met.flatMap(({ group }) => group ?? [])),
    met: pathsOf([...given, ...all.filter(({ reason }) => !reason.startsWith('captured'))]),
    roles: null,
  }
  // What no group brings stands in no list of mappings.
  const listed = pathsOf(met.filter(({ group }) => group !== null))
  return {
    level,
    standing,
    groups,
    roles: heldRoles(policy, given),
    failed: [...all, ...defaultRole(asked, given)],
    unmatched: unmatchedPage(asked, groups, listed, page),
    near: nearMisses(asked, search),
    wanted: permission === undefined ? null : explainWanted(asked, permission, all, search, isSaid(groups)),
  }
}

function pathsOf(mappings: readonly { mapping: string }[]): Set<string> {
  return new Set(mappings.map(({ mapping }) => mapping))
}

function isSaid({ outcome }: ExplainedGroups): boolean {
  return outcome === 'listed' || outcome === 'kept'
}

function explainGroups(asked: Asked): ExplainedGroups {
  const { principal, now } = asked
  const at = groupsAt(principal, now)
  const record = recordOf(asked)
  const claim = record?.groups ? describeClaim(record.groups.claim) : null
  if (at.outcome === 'absent' || at.outcome === 'overage')
    return { outcome: at.outcome, claim, names: [], until: null }
  const kept = at.outcome === 'listed' && principal.groups.outcome !== 'listed'
  const said = record && !kept ? saidGroups(record, principal.claims) : new Map<string, string>()
  const names = [...new Set(at.names)].map((group) => ({ raw: said.get(group) ?? null, group }))
  return { outcome: kept ? 'kept' : at.outcome, claim, names, until: kept ? at.until : null }
}

/** Every mapping that counts, once for each group that brings it. */
function givenRoles(
  { policy, organization, principal, level, now }: Asked,
  groups: ExplainedGroups,
): GivenRole[] {
  const raws = new Map(groups.names.map(({ raw, group }) => [group, raw]))
  const given = new Map<string, GivenRole>()
  visitGrants(policy, organization, principal, level, now, (counting) => {
    const { grant, group } = counting
    // A token may say a group twice, and two patterns of one mapping may both match.
    const key = group === null ? `${grant.mapping}\n${grant.role}` : `${grant.mapping}\n${group}`
    if (!given.has(key)) {
      const raw = group === null ? null : (raws.get(group) ?? null)
      given.set(key, givenRole(counting, principal, raw === null ? null : groups.claim, raw))
    }
    return false
  })
  return [...given.values()]
}

function givenRole(
  { grant, group, match }: Counting,
  principal: Principal,
  claim: string | null,
  raw: string | null,
): GivenRole {
  return {
    role: grant.role,
    mapping: grant.mapping,
    claim,
    raw,
    group,
    pattern: match && { text: match.entry.pattern.text, captured: match.captured },
    conditions: (grant.when ?? []).map((condition) => {
      return { condition, claimed: claimAt(principal.claims, condition.claim) }
    }),
    notBefore: grant.notBefore ?? null,
    notAfter: grant.notAfter ?? null,
  }
}

function heldRoles(policy: Policy, given: readonly GivenRole[]): HeldRole[] {
  const held = new Map<string, RoleProof[]>()
  for (const one of given) {
    for (const [role, chain] of chainsFrom(policy, one.role)) {
      const proofs = held.get(role)
      if (proofs) proofs.push({ given: one, chain })
      else held.set(role, [{ given: one, chain }])
    }
  }
  return [...held.keys()].sort().map((role) => ({ role, proofs: held.get(role) as RoleProof[] }))
}

type Chains = ReadonlyMap<string, readonly string[]>
const chainsOfPolicies = new WeakMap<Policy, Map<string, Chains>>()

/** Each role that one holds, with the shortest way to it. */
function chainsFrom(policy: Policy, role: string): Chains {
  const ofPolicy = chainsOfPolicies.get(policy) ?? new Map<string, Chains>()
  chainsOfPolicies.set(policy, ofPolicy)
  const known = ofPolicy.get(role)
  if (known) return known
  const chains = new Map<string, readonly string[]>()
  if (policy.roles.has(role)) chains.set(role, [role])
  // A Map's walk comes to what is added during it, so that near roles go before far ones.
  for (const [held, chain] of chains) {
    for (const implied of policy.roles.get(held)?.implies ?? []) {
      if (!chains.has(implied)) chains.set(implied, [...chain, implied])
    }
  }
  ofPolicy.set(role, chains)
  return chains
}

/** Why the default role, where there is one, is not given. */
function defaultRole({ organization, principal }: Asked, given: readonly GivenRole[]): FailedMapping[] {
  if (organization === null || organization.onUnmatched === null) return []
  const mapping = `organizations.${organization.slug}.onUnmatched`
  if (given.some((one) => one.mapping === mapping)) return []
  const reason =
    principal.voucher.organization === organization.slug ? 'default_not_needed' : 'default_members_only'
  const grant: Grant = { role: organization.onUnmatched, mapping }
  const detail = FAILED_REASONS[reason]
  return [{ reason, detail, mapping, role: grant.role, group: null, pattern: null, grant }]
}

function unmatchedPage(
  asked: Asked,
  groups: ExplainedGroups,
  met: ReadonlySet<string>,
  page: { after: number; size: number },
): UnmatchedPage {
  const listing = listingAt(asked)
  const size = Math.max(1, Math.min(page.size, PAGE_SIZE_MAX))
  const why = whyUnmatched(asked, groups)
  const mappings: UnmatchedMapping[] = []
  const total = sizeOf(listing) - met.size
  let next: number | null = null
  for (const [place, listed] of listedFrom(listing, page.after)) {
    if (met.has(listed.grant.mapping)) continue
    if (mappings.length === size) {
      next = place
      break
    }
    mappings.push(unmatched(listed, why))
  }
  return { total, mappings, next }
}

type Why = (listed: Listed) => { reason: UnmatchedReason; detail: string }

/** Of a mapping that asks for none of the groups there is little to tell, and it is the same for all. */
function whyUnmatched({ principal }: Asked, { outcome }: ExplainedGroups): Why {
  const outside = principal.voucher.organization === null ? null : outsideVoucher(principal)
  const reason: keyof typeof UNMATCHED_DETAIL =
    outcome === 'listed' || outcome === 'kept' ? 'group_missing' : `groups_${outcome}`
  const missing = { reason, detail: UNMATCHED_DETAIL[reason] }
  return ({ instanceOnly }) => (instanceOnly && outside ? outside : missing)
}

const UNMATCHED_DETAIL = {
  group_missing: 'The caller has no group that it asks for.',
  groups_absent: 'The token says nothing about groups.',
  groups_overage: 'The issuer left the groups out of the token because there are too many.',
  groups_none: 'The issuer is set up to say nothing about groups.',
} as const

function unmatched(listed: Listed, why: Why): UnmatchedMapping {
  const { grant, groups, patterns } = listed
  const texts = patterns.length === 0 ? [] : patterns.map(({ pattern }) => pattern.text)
  const { reason, detail } = why(listed)
  return { mapping: grant.mapping, role: grant.role, groups, patterns: texts, reason, detail }
}
