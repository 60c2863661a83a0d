// The decision: may this principal do that there? Additive and deny by default; the order of mappings and
// groups never matters for the answer. Every yes carries its proof, every no its reason.
import type { CompiledRoute } from './compiled.ts'
import { type Counting, visitGrants } from './grants.ts'
import { describeLevel, type Level } from './level.ts'
import type { LoadedOrganization, Policy } from './loaded.ts'
import { groupsAt, type Principal } from './principal.ts'
import type { DecisionReason } from './reasons.ts'

export interface Question {
  permission: string
  level: Level
  /** Seconds since the epoch. */
  now: number
}

/** Permission P comes from role R, held through role G, given by mapping M to group N. */
export interface Proof {
  permission: string
  role: string
  grantedRole: string
  mapping: string
  /** Null for a role given directly, and for the role of members without any match. */
  group: string | null
}

export type Decision =
  | { allowed: true; proof: Proof }
  | { allowed: false; reason: DecisionReason; detail: string }

/** `organization` is the level's, null at the global level and where there is none of that name. */
export function decide(
  policy: Policy,
  organization: LoadedOrganization | null,
  principal: Principal,
  { permission, level, now }: Question,
): Decision {
  const standing = checkStanding(organization, principal, level)
  if (standing) return standing
  let proof: Proof | null = null
  visitGrants(policy, organization, principal, level, now, ({ grant, group }) => {
    const role = policy.roles.get(grant.role)?.permissions.get(permission)
    if (role === undefined) return false
    proof = { permission, role, grantedRole: grant.role, mapping: grant.mapping, group }
    return true
  })
  if (proof) return { allowed: true, proof }
  const groups = groupsAt(principal, now)
  if (groups.outcome === 'absent' || groups.outcome === 'overage') {
    return { allowed: false, reason: `groups_${groups.outcome}`, detail: GROUPS_DETAIL[groups.outcome] }
  }
  return {
    allowed: false,
    reason: 'permission_missing',
    detail: `"${permission}" on ${describeLevel(level)} is given by none of the caller's roles.`,
  }
}

/** What a route answers a known principal; the proof is null where it asks for no permission. */
export type RouteDecision = { allowed: true; proof: Proof | null } | Extract<Decision, { allowed: false }>

/** Also where a route asks for no permission, its level must exist and the voucher count there. */
export function decideRoute(
  policy: Policy,
  organization: LoadedOrganization | null,
  principal: Principal,
  { requires }: CompiledRoute,
  { level, now }: { level: Level; now: number },
): RouteDecision {
  if (requires.kind === 'permission') {
    return decide(policy, organization, principal, { permission: requires.permission, level, now })
  }
  return checkStanding(organization, principal, level) ?? { allowed: true, proof: null }
}

const GROUPS_DETAIL = {
  absent: 'The issuer must be set up to put the groups claim into its tokens.',
  overage:
    'The issuer must be set up to send only the groups that matter, or group names by application role.',
}

/** What no mapping can change: that the level exists, and that the voucher counts there. */
export function checkStanding(
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

export interface HeldRoles {
  /** Every role, given or implied, sorted. */
  roles: string[]
  /** Until when they stay so, in seconds since the epoch: the next end or beginning of a mapping. */
  until: number
}

/** What the principal holds at the level. Nothing where decide would refuse whatever is asked. */
export function rolesAt(
  policy: Policy,
  organization: LoadedOrganization | null,
  principal: Principal,
  level: Level,
  now: number,
): HeldRoles {
  if (checkStanding(organization, principal, level)) return { roles: [], until: Number.POSITIVE_INFINITY }
  const held = new Set<string>()
  const add = ({ grant }: Counting) => {
    for (const role of policy.roles.get(grant.role)?.holds ?? []) held.add(role)
    return false
  }
  const until = visitGrants(policy, organization, principal, level, now, add)
  return { roles: [...held].sort(), until }
}
