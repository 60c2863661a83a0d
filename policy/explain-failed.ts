// Mappings that one of the principal's groups meets and that do not count all the same, and why. Which count is
// grants.ts's to say; this looks where its walk has no reason to.

import type { CompiledCondition, Grant, PatternGrant } from './compiled.ts'
import { type Asked, organizationExists } from './explain-list.ts'
import { foldCase } from './fold-case.ts'
import { type Failed, failedRule, isHere, outsideCeiling } from './grants.ts'
import type { LoadedOrganization } from './loaded.ts'
import { type Captured, findPatterns, type PatternMatch } from './pattern.ts'
import { claimAt, describeClaim, type Principal } from './principal.ts'

/** In the order in which they matter to somebody who misses a role. */
export const FAILED_REASONS = {
  condition_failed: 'A claim is not what the mapping asks for.',
  not_yet: 'The mapping does not count yet.',
  over: 'The mapping does not count any more.',
  issuer_not_named: 'The mapping believes other issuers than the one that vouches.',
  outside_voucher: "The issuer is an organization's own and counts only there.",
  default_not_needed: 'The default role is for members whom no other mapping gives any.',
  default_members_only: "The default role is for members by the organization's own issuers.",
  captured_unknown: 'What the pattern captured names nothing that exists.',
  captured_elsewhere: 'What the pattern captured names another place.',
} as const
export type FailedReason = keyof typeof FAILED_REASONS
const ORDER = Object.keys(FAILED_REASONS)

/** Why a mapping gives nothing; for a condition also which, and what the claim is (undefined: not there). */
export interface Failure {
  reason: FailedReason
  detail: string
  condition?: CompiledCondition
  claimed?: unknown
}

export interface FailedMapping extends Failure {
  mapping: string
  role: string
  /** The principal's group that the mapping asks for; null for the default role, and a role given directly. */
  group: string | null
  pattern: { text: string; captured: Captured } | null
  grant: Grant
}

/** Those that do not count, most telling first, for groups that do not repeat. */
export function failedMappings(asked: Asked, groups: readonly string[]): FailedMapping[] {
  const found = failedGiven(asked)
  for (const group of groups) {
    findInInstance(asked, group, found)
    if (asked.organization) findInOrganization(asked, asked.organization, group, found)
  }
  return found.length < 2 ? found : found.sort(byImportance)
}

/** Roles given directly that would count here, were it not for the voucher. */
function failedGiven({ principal, level }: Asked): FailedMapping[] {
  return principal.given.flatMap((given): FailedMapping[] => {
    const { role, source: mapping, organization, project } = given
    const elsewhere =
      organization !== null && !isHere(level, { org: organization, ...(project === null ? {} : { project }) })
    if (elsewhere || !outsideCeiling(principal, given)) return []
    return [
      { ...outsideVoucher(principal), mapping, role, group: null, pattern: null, grant: { role, mapping } },
    ]
  })
}

function byImportance(a: FailedMapping, b: FailedMapping): number {
  return ORDER.indexOf(a.reason) - ORDER.indexOf(b.reason)
}

function findInInstance(asked: Asked, group: string, found: FailedMapping[]): void {
  const { policy, principal, level } = asked
  const ceiling = principal.voucher.organization === null ? null : outsideVoucher(principal)
  const alike = policy.lowerCase.size > 0 ? policy.lowerCase.get(foldCase(group)) : undefined
  for (const grants of [policy.exact.get(group), alike]) {
    for (const grant of grants ?? []) note(asked, grant, group, null, ceiling, found)
  }
  for (const match of findPatterns(policy.patterns, group)) {
    const { entry, captured } = match
    if (captured.org === undefined) note(asked, entry.grant, group, match, ceiling, found)
    else if (level.kind === 'global') continue
    else if (captured.project !== undefined && level.kind !== 'project') continue
    else note(asked, entry.grant, group, match, capturedElsewhere(asked, captured), found)
  }
}

function findInOrganization(
  asked: Asked,
  organization: LoadedOrganization,
  group: string,
  found: FailedMapping[],
): void {
  const project = asked.level.kind === 'project' ? asked.level.project : null
  const alike = organization.lowerCase.size > 0 ? organization.lowerCase.get(foldCase(group)) : undefined
  for (const grants of [organization.exact.get(group), alike]) {
    for (const grant of grants?.here ?? []) note(asked, grant, group, null, null, found)
    if (project === null) continue
    for (const grant of grants?.projects.get(project) ?? []) note(asked, grant, group, null, null, found)
  }
  for (const match of findPatterns(organization.patterns, group)) {
    const { entry, captured } = match
    if (entry.project !== null && entry.project !== project) continue
    if (captured.project !== undefined && project === null) continue
    const elsewhere = capturedElsewhere(asked, { ...captured, org: organization.slug })
    note(asked, entry.grant, group, match, elsewhere, found)
  }
}

/** Adds the mapping unless it counts. What it is outside of goes before its own rules. */
function note(
  { principal, now }: Asked,
  grant: Grant,
  group: string,
  match: PatternMatch<PatternGrant> | null,
  outside: Failure | null,
  found: FailedMapping[],
): void {
  const failure = outside ?? failureOf(grant, principal, now)
  if (failure === null) return
  const pattern = match && { text: match.entry.pattern.text, captured: match.captured }
  found.push({ ...failure, mapping: grant.mapping, role: grant.role, group, pattern, grant })
}

export function outsideVoucher({ voucher }: Principal): Failure {
  const detail = `"${voucher.issuer}" vouches inside organization ${voucher.organization} only.`
  return { reason: 'outside_voucher', detail }
}

function capturedElsewhere(
  { policy, organization, principal, level }: Asked,
  captured: Captured,
): Failure | null {
  if (isHere(level, captured)) return null
  const { org, project } = captured
  if (org !== organization?.slug) {
    // Outside the voucher, not even what exists is told.
    if (principal.voucher.organization !== null) return outsideVoucher(principal)
    const known = organizationExists(policy, org as string)
    if (known === false) return { reason: 'captured_unknown', detail: `There is no organization "${org}".` }
    const where = known ? `organization ${org}` : `organization "${org}", if there is one`
    return { reason: 'captured_elsewhere', detail: `It gives its role in ${where}.` }
  }
  const known = organization?.projects.has(project as string) ?? false
  const where = `project ${known ? project : `"${project}"`} ${known ? 'of' : 'in'} organization ${org}`
  return known
    ? { reason: 'captured_elsewhere', detail: `It gives its role in ${where}.` }
    : { reason: 'captured_unknown', detail: `There is no ${where}.` }
}

/** Which of a mapping's own rules does not hold; null when it counts. */
export function failureOf(grant: Grant, principal: Principal, now: number): Failure | null {
  const failed = failedRule(grant, principal, now)
  return failed && describeFailed(failed, grant, principal)
}

function describeFailed(failed: Failed, grant: Grant, principal: Principal): Failure {
  switch (failed.rule) {
    case 'issuers': {
      const detail = `It believes ${grant.issuers?.join(', ')}; "${principal.issuer}" vouches for the caller.`
      return { reason: 'issuer_not_named', detail }
    }
    case 'notBefore':
      return { reason: 'not_yet', detail: `It counts from ${timeText(grant.notBefore as number)}.` }
    case 'notAfter':
      return { reason: 'over', detail: `It counted before ${timeText(grant.notAfter as number)}.` }
    case 'when': {
      const { condition } = failed
      const claimed = claimAt(principal.claims, condition.claim)
      const said = claimed === undefined ? 'the token does not say it' : `it is ${JSON.stringify(claimed)}`
      const detail = `It asks that ${describeCondition(condition)}; ${said}.`
      return { reason: 'condition_failed', detail, condition, claimed }
    }
  }
}

export function describeCondition({ claim, equals, oneOf, contains }: CompiledCondition): string {
  const name = `the claim "${describeClaim(claim)}"`
  if (equals !== undefined) return `${name} is ${JSON.stringify(equals)}`
  if (oneOf !== undefined) return `${name} is one of ${oneOf.map((one) => JSON.stringify(one)).join(', ')}`
  return `${name} contains ${JSON.stringify(contains)}`
}

/** The inverse of timestamp.ts, by the same arithmetic: years begin in March. */
export function timeText(seconds: number): string {
  const days = Math.floor(seconds / DAY_SECONDS) + EPOCH_DAYS
  const era = Math.floor(days / ERA_DAYS)
  const day = days - era * ERA_DAYS
  const leapDays = Math.floor(day / 1460) - Math.floor(day / 36_524) + Math.floor(day / 146_096)
  const year = Math.floor((day - leapDays) / 365)
  const dayOfYear = day - (365 * year + Math.floor(year / 4) - Math.floor(year / 100))
  const month = Math.floor((5 * dayOfYear + 2) / 153)
  const dayOfMonth = dayOfYear - Math.floor((153 * month + 2) / 5) + 1
  const calendarYear = year + era * 400 + (month >= 10 ? 1 : 0)
  const date = `${pad(calendarYear, 4)}-${pad(((month + 2) % 12) + 1, 2)}-${pad(dayOfMonth, 2)}`
  const ofDay = Math.floor(seconds) - Math.floor(seconds / DAY_SECONDS) * DAY_SECONDS
  const hours = Math.floor(ofDay / 3600)
  return `${date}T${pad(hours, 2)}:${pad(Math.floor(ofDay / 60) % 60, 2)}:${pad(ofDay % 60, 2)}Z`
}
const DAY_SECONDS = 86_400
/** From 1 March of year 0 to 1 January 1970, and of 400 years. */
const EPOCH_DAYS = 719_468
const ERA_DAYS = 146_097

function pad(number: number, digits: number): string {
  return String(number).padStart(digits, '0')
}
