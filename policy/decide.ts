// The decision: may this principal do that there? Additive and deny by default; the order of mappings and
// groups never matters for the answer. Every yes carries its proof, every no its reason.
import type { Grant, GrantIndex, LoadedOrganization, Policy } from './compiled.ts'
import { describeLevel, type Level } from './level.ts'
import type { Principal } from './principal.ts'
import type { DecisionReason } from './reasons.ts'

export interface Question {
  permission: string
  level: Level
}

/** Permission P comes from role R, held through role G, given by mapping M to group N. */
export interface Proof {
  permission: string
  role: string
  grantedRole: string
  mapping: string
  group: string
}

export type Decision =
  | { allowed: true; proof: Proof }
  | { allowed: false; reason: DecisionReason; detail: string }

/** `organization` is the level's, null at the global level and where there is none of that name. */
export function decide(
  policy: Policy,
  organization: LoadedOrganization | null,
  principal: Principal,
  { permission, level }: Question,
): Decision {
  const standing = checkStanding(organization, principal, level)
  if (standing) return standing
  const { groups } = principal
  if (groups.outcome === 'absent' || groups.outcome === 'overage') {
    return { allowed: false, reason: `groups_${groups.outcome}`, detail: GROUPS_DETAIL[groups.outcome] }
  }
  for (const { grant, group } of grantsOf(policy, organization, principal, level)) {
    const role = policy.roles.get(grant.role)?.permissions.get(permission)
    if (role !== undefined) {
      const proof = { permission, role, grantedRole: grant.role, mapping: grant.mapping, group }
      return { allowed: true, proof }
    }
  }
  return {
    allowed: false,
    reason: 'permission_missing',
    detail: `"${permission}" on ${describeLevel(level)} is given by none of the caller's roles.`,
  }
}

const GROUPS_DETAIL = {
  absent: 'The issuer must be set up to put the groups claim into its tokens.',
  overage:
    'The issuer must be set up to send only the groups that matter, or group names by application role.',
}

/** What no mapping can change: that the level exists, and that the voucher counts there. */
function checkStanding(
  organization: LoadedOrganization | null,
  { voucher }: Principal,
  level: Level,
): Extract<Decision, { allowed: false }> | null {
  // The ceiling comes first: outside it, not even what exists is told.
  if (
    voucher.organization !== null &&
    (level.kind === 'global' || level.organization !== voucher.organization)
  ) {
    const detail = `"${voucher.issuer}" vouches inside organization ${voucher.organization} only.`
    return { allowed: false, reason: 'outside_voucher', detail }
  }
  if (level.kind === 'global') return null
  if (organization?.slug !== level.organization) {
    const detail = `There is no organization "${level.organization}".`
    return { allowed: false, reason: 'organization_unknown', detail }
  }
  if (level.kind === 'project' && !organization.projects.has(level.project)) {
    const detail = `There is no project "${level.project}" in organization ${level.organization}.`
    return { allowed: false, reason: 'project_unknown', detail }
  }
  return null
}

/** Every role the principal holds at the level, given or implied, sorted. Empty where decide would refuse. */
export function rolesAt(
  policy: Policy,
  organization: LoadedOrganization | null,
  principal: Principal,
  level: Level,
): string[] {
  if (checkStanding(organization, principal, level)) return []
  const held = new Set<string>()
  for (const { grant } of grantsOf(policy, organization, principal, level)) {
    for (const role of policy.roles.get(grant.role)?.holds ?? []) held.add(role)
  }
  return [...held].sort()
}

/** Every grant of the principal that counts at the level, most general level first. */
function* grantsOf(
  policy: Policy,
  organization: LoadedOrganization | null,
  { groups, issuer, voucher }: Principal,
  level: Level,
): Generator<{ grant: Grant; group: string }> {
  if (groups.outcome !== 'listed') return
  // An organization's issuer never yields a global role.
  if (voucher.organization === null) yield* grantsIn(policy.grants, groups.names, issuer)
  if (level.kind === 'global' || organization === null) return
  yield* grantsIn(organization.grants, groups.names, issuer)
  const project = level.kind === 'project' ? organization.projects.get(level.project) : undefined
  if (project) yield* grantsIn(project.grants, groups.names, issuer)
}

function* grantsIn(
  index: GrantIndex,
  groups: readonly string[],
  issuer: string,
): Generator<{ grant: Grant; group: string }> {
  for (const group of groups) {
    for (const grant of index.get(group) ?? []) {
      if (grant.issuers === null || grant.issuers.includes(issuer)) yield { grant, group }
    }
  }
}
