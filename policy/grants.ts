// Which mappings count for a principal at a level. The one walk that deciding and listing roles share; what
// they make of each grant is theirs.
import type { CompiledCondition, Grant, PatternGrant } from './compiled.ts'
import { foldCase } from './fold-case.ts'
import type { Level } from './level.ts'
import type { GrantIndex, LoadedGroupGrants, LoadedOrganization, Policy } from './loaded.ts'
import { type Captured, findPatterns, type PatternMatch } from './pattern.ts'
import { claimAt, type DirectGrant, groupsAt, type Principal } from './principal.ts'

/**
 * A grant that counts, and the group that brought it; null for a role given directly, and for the role of
 * members without any match.
 */
export interface Counting {
  grant: Grant
  group: string | null
  /** How the group matched, when it is a pattern's mapping. */
  match: PatternMatch<PatternGrant> | null
}

/** Answers true when it has seen enough. */
export type Visit = (counting: Counting) => boolean

/** A walk under way. */
interface Walk {
  principal: Principal
  level: Level
  now: number
  visit: Visit
  /** When the next mapping begins or ends to count, in seconds since the epoch. */
  until: number
  /** Whether any mapping of the organization has counted. */
  matched: boolean
}

/**
 * Calls `visit` for each grant that counts until it answers true. The cost follows the principal's groups and
 * given roles, not the number of mappings.
 * @returns until when the same grants count, in seconds since the epoch.
 */
export function visitGrants(
  policy: Policy,
  organization: LoadedOrganization | null,
  principal: Principal,
  level: Level,
  now: number,
  visit: Visit,
): number {
  const walk: Walk = { principal, level, now, visit, until: Number.POSITIVE_INFINITY, matched: false }
  const at = level.kind === 'global' ? null : organization
  // What is given directly counts whatever the token says about groups.
  if (principal.given.length > 0 && visitGiven(policy, at, walk)) return walk.until
  const groups = groupsAt(principal, now)
  if (groups.outcome === 'absent' || groups.outcome === 'overage') return walk.until
  walk.until = groups.until
  for (const group of groups.names) {
    if (visitInstance(policy, at, walk, group)) return walk.until
    if (at && visitOrganization(at, walk, group)) return walk.until
  }
  if (at) visitUnmatched(at, walk)
  return walk.until
}

/** Roles given directly, each as a mapping at its level would give it. */
function visitGiven(policy: Policy, organization: LoadedOrganization | null, walk: Walk): boolean {
  for (const given of walk.principal.given) {
    const { role, project } = given
    if (outsideCeiling(walk.principal, given) || policy.roles.get(role)?.level !== kindOf(given)) continue
    if (given.organization !== null) {
      if (given.organization !== organization?.slug) continue
      const { onUnmatched, projects } = organization
      if (onUnmatched !== null && (project === null || projects.has(project))) walk.matched = true
    }
    if (!isWithin(walk.level, project ?? undefined)) continue
    if (walk.visit({ grant: { role, mapping: given.source }, group: null, match: null })) return true
  }
  return false
}

/** An organization's issuer yields nothing outside it, whatever was given to whom it vouches for. */
export function outsideCeiling({ voucher }: Principal, given: DirectGrant): boolean {
  return voucher.organization !== null && voucher.organization !== given.organization
}

/** Where it is given; its role must be of that level, as a mapping's. */
function kindOf({ organization, project }: DirectGrant): Level['kind'] {
  return organization === null ? 'global' : project === null ? 'organization' : 'project'
}

/** Mappings written at the global level, and those whose pattern names the level. */
function visitInstance(
  policy: Policy,
  organization: LoadedOrganization | null,
  walk: Walk,
  group: string,
): boolean {
  // An organization's issuer never yields a global role.
  const global = walk.principal.voucher.organization === null
  if (global && visitIndexed(policy.exact, policy.lowerCase, walk, group)) return true
  if (policy.patterns.entries.length === 0) return false
  for (const match of findPatterns(policy.patterns, group)) {
    const { entry, captured } = match
    if (captured.org === undefined) {
      if (global && visitAll([entry.grant], walk, group, match)) return true
    } else if (captured.org === organization?.slug) {
      noteMatch(organization, captured.project, walk, [entry.grant])
      if (isHere(walk.level, captured) && visitAll([entry.grant], walk, group, match)) return true
    }
  }
  return false
}

function visitIndexed(exact: GrantIndex, lowerCase: GrantIndex, walk: Walk, group: string): boolean {
  const grants = exact.get(group)
  if (grants !== undefined && visitAll(grants, walk, group)) return true
  if (lowerCase.size === 0) return false
  const alike = lowerCase.get(foldCase(group))
  return alike !== undefined && visitAll(alike, walk, group)
}

/** Whether what a pattern captured names the level, or its organization. */
export function isHere(level: Level, { org, project }: Captured): boolean {
  return level.kind !== 'global' && level.organization === org && isWithin(level, project)
}

/** Whether the level is the project, where one is named. */
function isWithin(level: Level, project: string | undefined): boolean {
  return project === undefined || (level.kind === 'project' && level.project === project)
}

function visitOrganization(organization: LoadedOrganization, walk: Walk, group: string): boolean {
  const grants = organization.exact.get(group)
  if (grants !== undefined && visitGroup(organization, grants, walk, group)) return true
  if (organization.lowerCase.size > 0) {
    const alike = organization.lowerCase.get(foldCase(group))
    if (alike !== undefined && visitGroup(organization, alike, walk, group)) return true
  }
  if (organization.patterns.entries.length === 0) return false
  for (const match of findPatterns(organization.patterns, group)) {
    const { entry, captured } = match
    const project = entry.project ?? captured.project
    noteMatch(organization, project, walk, [entry.grant])
    if (isWithin(walk.level, project) && visitAll([entry.grant], walk, group, match)) return true
  }
  return false
}

function visitGroup(
  organization: LoadedOrganization,
  { here, projects }: LoadedGroupGrants,
  walk: Walk,
  group: string,
): boolean {
  if (visitAll(here, walk, group)) return true
  if (walk.level.kind === 'project') {
    const grants = projects.get(walk.level.project)
    if (grants !== undefined && visitAll(grants, walk, group)) return true
  }
  if (organization.onUnmatched !== null) {
    noteMatch(organization, undefined, walk, here)
    for (const [project, grants] of projects) noteMatch(organization, project, walk, grants)
  }
  return false
}

/** Only for the sake of the default role does it matter what counts in other projects, if they exist. */
function noteMatch(
  { onUnmatched, projects }: LoadedOrganization,
  project: string | undefined,
  walk: Walk,
  grants: readonly Grant[],
): void {
  if (onUnmatched === null || walk.matched) return
  if (project === undefined || projects.has(project))
    walk.matched = grants.some((grant) => countsNow(grant, walk))
}

/** The role of an organization's members whom none of its mappings gives any. */
function visitUnmatched({ slug, onUnmatched }: LoadedOrganization, walk: Walk): void {
  if (onUnmatched === null || walk.matched || walk.principal.voucher.organization !== slug) return
  const grant = { role: onUnmatched, mapping: `organizations.${slug}.onUnmatched` }
  walk.visit({ grant, group: null, match: null })
}

function visitAll(
  grants: readonly Grant[],
  walk: Walk,
  group: string,
  match: PatternMatch<PatternGrant> | null = null,
): boolean {
  for (const grant of grants) {
    if (countsNow(grant, walk) && walk.visit({ grant, group, match })) return true
  }
  return false
}

/** Whether it counts, noting until when that stays so. */
function countsNow(grant: Grant, walk: Walk): boolean {
  if (grant.notBefore !== undefined || grant.notAfter !== undefined) {
    walk.until = Math.min(walk.until, nextChange(grant, walk.now))
  }
  return failedRule(grant, walk.principal, walk.now) === null
}

/** Why a mapping whose group is there does not count; null when it does. */
export type Failed =
  | { rule: 'issuers' }
  | { rule: 'when'; condition: CompiledCondition }
  | { rule: 'notBefore' | 'notAfter' }

export function failedRule(grant: Grant, principal: Principal, now: number): Failed | null {
  const { issuers, when, notBefore, notAfter } = grant
  if (issuers !== undefined && !issuers.includes(principal.issuer)) return { rule: 'issuers' }
  if (notBefore !== undefined && now < notBefore) return { rule: 'notBefore' }
  if (notAfter !== undefined && now >= notAfter) return { rule: 'notAfter' }
  const condition = when?.find((rule) => !holds(rule, claimAt(principal.claims, rule.claim)))
  return condition ? { rule: 'when', condition } : null
}

function nextChange({ notBefore, notAfter }: Grant, now: number): number {
  if (notBefore !== undefined && now < notBefore) return notBefore
  return notAfter !== undefined && now < notAfter ? notAfter : Number.POSITIVE_INFINITY
}

/** Values compare with their type: "1" is not 1. `contains` asks a list, or a string of words. */
function holds({ equals, oneOf, contains }: CompiledCondition, claim: unknown): boolean {
  if (equals !== undefined) return claim === equals
  if (oneOf !== undefined) return (oneOf as readonly unknown[]).includes(claim)
  if (Array.isArray(claim)) return claim.includes(contains)
  return typeof claim === 'string' && typeof contains === 'string' && claim.split(' ').includes(contains)
}
