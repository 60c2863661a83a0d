// What would give somebody a permission that they lack: changes to the policy, at the issuer or to the token, the
// fewest and the narrowest first. Each is data that can be applied, and a sentence.
import type { CompiledCondition, Grant, PatternGrant } from './compiled.ts'
import { type Decision, decide } from './decide.ts'
import { describeCondition, type FailedMapping } from './explain-failed.ts'
import { type Asked, type Listed, type Listing, listingAt, recordOf } from './explain-list.ts'
import { failedRule, isHere } from './grants.ts'
import { describeLevel, type Level } from './level.ts'
import { type NearMiss, type NearSearch, nearMisses } from './near.ts'
import { matchPattern } from './pattern.ts'
import { describeClaim, sayingOf } from './principal.ts'
import type { GroupMapping, RoleLevel } from './schema.ts'

export interface Wanted {
  permission: string
  decision: Decision
  /** Each enough by itself. None when it is allowed, or when no change of these kinds would help. */
  fixes: Fix[]
}

export interface Fix {
  /** The role it gives. */
  role: string
  /** All of them are needed. */
  changes: Change[]
}

export type Change = { sentence: string } & (
  | { kind: 'rename_group'; mapping: string; from: string; to: string }
  | { kind: 'rewrite_group'; issuer: string; from: string; to: string }
  | { kind: 'change_window'; mapping: string; member: 'notBefore' | 'notAfter' }
  | { kind: 'believe_issuer'; mapping: string; issuer: string }
  | { kind: 'meet_condition'; mapping: string; condition: CompiledCondition }
  | { kind: 'send_groups'; issuer: string; claim: string | null }
  /** `raw` is what the issuer has to say for the policy to read `group`. */
  | { kind: 'add_group'; issuer: string; group: string; raw: string; mapping: string | null }
  /** `list` is where in the policy it belongs. */
  | { kind: 'add_mapping'; list: string; level: Level; mapping: AddedMapping }
)
export type AddedMapping = Pick<GroupMapping, 'roleName' | 'idpGroups' | 'issuers'>

export const FIXES_MAX = 10
/** Of the mappings that give one role this many are looked at; more of them would be more of the same. */
const MAPPINGS_PER_ROLE_MAX = 10
const GROUP_LENGTH_MAX = 500

/** `failed` are mappings that one of the groups meets; `said`: whether the groups are known. */
export function explainWanted(
  asked: Asked,
  permission: string,
  failed: readonly FailedMapping[],
  search: NearSearch,
  said: boolean,
): Wanted {
  const { policy, organization, principal, level, now } = asked
  const decision = decide(policy, organization, principal, { permission, level, now })
  const roles = decision.allowed ? [] : usefulRoles(asked, permission)
  if (roles.length === 0) return { permission, decision, fixes: [] }
  const names = new Set(roles)
  const near = said ? nearMisses(asked, { ...search, roles: names }) : []
  const fixes = [
    ...failed.filter(({ role }) => names.has(role)).map((mapping) => fixFailed(asked, mapping)),
    ...near.map((miss) => fixNear(asked, miss)),
    ...roles.flatMap((role) => joinGroups(asked, role)),
    ...(said ? roles.map((role) => addMapping(asked, role, search.groups)) : []),
  ].filter((fix) => fix !== null)
  if (fixes.length === 0)
    fixes.push(...roles.slice(0, 1).flatMap((role) => addGroupAndMapping(asked, role) ?? []))
  const whole = said ? fixes : fixes.map((fix) => ({ ...fix, changes: [sendGroups(asked), ...fix.changes] }))
  const rank = ({ role, changes }: Fix) => changes.length * 1000 + roles.indexOf(role)
  return { permission, decision, fixes: whole.sort((a, b) => rank(a) - rank(b)).slice(0, FIXES_MAX) }
}

const DEPTH: Record<RoleLevel, number> = { global: 0, organization: 1, project: 2 }

/** Roles with the permission that can be given for the level: those that reach least, then those with least. */
function usefulRoles({ policy, principal, level }: Asked, permission: string): string[] {
  const useful = [...policy.roles].filter(([, role]) => {
    if (role.level === 'global' && principal.voucher.organization !== null) return false
    return role.permissions.has(permission) && DEPTH[role.level] <= DEPTH[level.kind]
  })
  return useful
    .sort(([, a], [, b]) => DEPTH[b.level] - DEPTH[a.level] || a.permissions.size - b.permissions.size)
    .map(([name]) => name)
}

function fixFailed(asked: Asked, { grant, reason }: FailedMapping): Fix | null {
  // What is given elsewhere or by another's word cannot be changed into this.
  if (reason === 'outside_voucher' || reason.startsWith('captured')) return null
  const changes = loosen(asked, grant)
  return changes && { role: grant.role, changes }
}

/** A change for each rule of the mapping that does not hold; null when one of them cannot be met. */
function loosen({ principal, now }: Asked, grant: Grant): Change[] | null {
  const { mapping } = grant
  const changes: Change[] = []
  let left = grant
  for (let failed = failedRule(left, principal, now); failed; failed = failedRule(left, principal, now)) {
    if (failed.rule === 'when') {
      const { condition } = failed
      const sentence = `Have the issuer say what ${mapping} asks for: ${describeCondition(condition)}.`
      changes.push({ kind: 'meet_condition', mapping, condition, sentence })
      left = { ...left, when: (left.when ?? []).filter((other) => other !== condition) }
    } else if (failed.rule === 'issuers') {
      // The instance's own mappings may name instance issuers only.
      if (principal.voucher.organization !== null && !mapping.startsWith('organizations.')) return null
      const { issuer } = principal
      const sentence = `Add "${issuer}" to the issuers that ${mapping} believes.`
      changes.push({ kind: 'believe_issuer', mapping, issuer, sentence })
      left = without(left, 'issuers')
    } else {
      const member = failed.rule
      const what = member === 'notAfter' ? 'a later end' : 'an earlier beginning'
      changes.push({
        kind: 'change_window',
        mapping,
        member,
        sentence: `Give ${mapping} ${what} ("${member}").`,
      })
      left = without(left, member)
    }
  }
  return changes
}

function without(grant: Grant, member: 'issuers' | 'notBefore' | 'notAfter'): Grant {
  const { [member]: _removed, ...rest } = grant
  return rest
}

function fixNear(asked: Asked, { grant, group, wanted }: NearMiss): Fix | null {
  const changes = loosen(asked, grant)
  if (changes === null) return null
  const { mapping, role } = grant
  const byName = mapping.slice(0, mapping.lastIndexOf('[')).endsWith('idpGroupMappings')
  const [from, to] = byName ? [wanted, group] : [group, wanted]
  if (byName) {
    if (to.length > GROUP_LENGTH_MAX) return null
    const sentence = `Write ${JSON.stringify(to)} instead of ${JSON.stringify(from)} in ${mapping}.`
    return { role, changes: [{ kind: 'rename_group', mapping, from, to, sentence }, ...changes] }
  }
  const { issuer } = asked.principal
  const sentence = `Have "${issuer}" say ${JSON.stringify(to)} instead of ${JSON.stringify(from)}, as ${mapping} asks.`
  return { role, changes: [{ kind: 'rewrite_group', issuer, from, to, sentence }, ...changes] }
}

/** Groups that have the role already. */
function joinGroups(asked: Asked, role: string): Fix[] {
  const record = recordOf(asked)
  if (record === null) return []
  const { principal, now } = asked
  const fixes: Fix[] = []
  for (const { grant, groups, patterns, instanceOnly } of mappingsWith(listingAt(asked), role)) {
    if (instanceOnly && principal.voucher.organization !== null) continue
    if (failedRule(grant, principal, now)) continue
    for (const group of [
      ...groups.slice(0, 3),
      ...patterns.flatMap((entry) => filledPattern(asked, entry)),
    ]) {
      const raw = sayingOf(record, group)
      if (raw === null) continue
      fixes.push({ role, changes: [addGroup(asked, group, raw, grant.mapping)] })
      break
    }
  }
  return fixes
}

function* mappingsWith(listing: Listing, role: string): Generator<Listed> {
  for (const { byRole } of listing) yield* (byRole.get(role) ?? []).slice(0, MAPPINGS_PER_ROLE_MAX)
}

function addGroup({ principal }: Asked, group: string, raw: string, mapping: string | null): Change {
  const { issuer } = principal
  const sentence = `Add the person to the group ${JSON.stringify(raw)} at "${issuer}"${mapping ? `: ${mapping}` : ''}.`
  return { kind: 'add_group', issuer, group, raw, mapping, sentence }
}

/** A group that the pattern matches for this level. */
function filledPattern({ level, organization }: Asked, { pattern, project }: PatternGrant): string[] {
  const values = {
    org: level.kind === 'global' ? undefined : level.organization,
    project: level.kind === 'project' ? level.project : undefined,
  }
  const begin = pattern.captures.map(({ name, before }) => before + (values[name] ?? ''))
  const group = begin.join('') + pattern.rest.join('')
  const captured = matchPattern(pattern, group)
  if (captured === null || group === '') return []
  const inside = project !== null || captured.org === undefined ? { org: organization?.slug ?? '' } : {}
  const global = captured.org === undefined && captured.project === undefined && project === null
  return global || isHere(level, { ...captured, ...inside }) ? [group] : []
}

/** The role for a group the person is in. */
function addMapping(asked: Asked, role: string, groups: readonly string[]): Fix | null {
  const group = groups.find((name) => name !== '' && name.length <= GROUP_LENGTH_MAX)
  return group === undefined ? null : { role, changes: [addedMapping(asked, role, group)] }
}

function addedMapping(asked: Asked, role: string, group: string): Change {
  const { policy, organization, level } = asked
  const roleLevel = policy.roles.get(role)?.level as RoleLevel
  const [at, list] = placeFor(level, roleLevel)
  const trusted = [
    ...policy.issuers.filter((record) => record.organization === null),
    ...(at.kind === 'global' ? [] : (organization?.issuers ?? [])),
  ]
  const record = recordOf(asked)
  // Where several issuers are trusted, another's group of the same name need not mean the same people.
  const issuers = record && trusted.length > 1 && trusted.includes(record) ? { issuers: [record.id] } : {}
  const mapping = { roleName: role, idpGroups: [group], ...issuers }
  const sentence = `Give ${role} on ${describeLevel(at)} to everybody in ${JSON.stringify(group)}: a mapping in ${list}.`
  return { kind: 'add_mapping', list, level: at, mapping, sentence }
}

function placeFor(level: Level, roleLevel: RoleLevel): [level: Level, list: string] {
  if (roleLevel === 'global' || level.kind === 'global') return [{ kind: 'global' }, 'idpGroupMappings']
  const { organization } = level
  const path = `organizations.${organization}`
  if (roleLevel === 'organization' || level.kind === 'organization') {
    return [{ kind: 'organization', organization }, `${path}.idpGroupMappings`]
  }
  return [level, `${path}.projects.${level.project}.idpGroupMappings`]
}

/** For somebody without groups, where no group has such a role: a group of its own. */
function addGroupAndMapping(asked: Asked, role: string): Fix | null {
  const { level } = asked
  const record = recordOf(asked)
  if (record === null) return null
  const at = level.kind === 'global' ? [] : [level.organization]
  const group = [
    record.groups?.addPrefix ?? '',
    [...at, ...(level.kind === 'project' ? [level.project] : []), role].join(':'),
  ].join('')
  const raw = sayingOf(record, group)
  if (raw === null) return null
  return { role, changes: [addedMapping(asked, role, group), addGroup(asked, group, raw, null)] }
}

function sendGroups(asked: Asked): Change {
  const { issuer } = asked.principal
  const groups = recordOf(asked)?.groups
  const claim = groups ? describeClaim(groups.claim) : null
  const what = claim === null ? 'the names of groups' : `groups in the claim "${claim}"`
  return { kind: 'send_groups', issuer, claim, sentence: `Have "${issuer}" say ${what} in its tokens.` }
}
