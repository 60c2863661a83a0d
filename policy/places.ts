// Which roles somebody has at which places, each with its proof: what a mapping or a membership gives at a level
// itself, not what comes down from above. Which places to look at is the caller's to know.
import { checkStanding } from './decide.ts'
import { visitGrants } from './grants.ts'
import type { Level } from './level.ts'
import type { LoadedOrganization, Policy } from './loaded.ts'
import type { Principal } from './principal.ts'

/** A role that is held because of something at this level. */
export interface PlacedRole {
  role: string
  level: Level
  mapping: string
  /** Null for the default role of members, and for roles given directly. */
  group: string | null
  /** The role that is given, which holds this one. */
  grantedRole: string
}

/** By role; nothing where decide would refuse whatever is asked. */
export function rolesGivenAt(
  policy: Policy,
  organization: LoadedOrganization | null,
  principal: Principal,
  level: Level,
  now: number,
): PlacedRole[] {
  if (checkStanding(organization, principal, level)) return []
  const above = new Set<string>()
  const upper = levelAbove(level)
  if (upper !== null && !checkStanding(organization, principal, upper)) {
    visitGrants(policy, organization, principal, upper, now, ({ grant, group }) => {
      above.add(keyOf(grant.mapping, group, grant.role))
      return false
    })
  }
  const placed = new Map<string, PlacedRole>()
  visitGrants(policy, organization, principal, level, now, ({ grant, group }) => {
    const { mapping, role: grantedRole } = grant
    if (above.has(keyOf(mapping, group, grantedRole))) return false
    for (const role of policy.roles.get(grantedRole)?.holds ?? []) {
      const known = placed.get(role)
      // What gives the role itself tells more than what implies it.
      if (known === undefined || (known.grantedRole !== known.role && role === grantedRole)) {
        placed.set(role, { role, level, mapping, group, grantedRole })
      }
    }
    return false
  })
  return [...placed.values()].sort((a, b) => (a.role < b.role ? -1 : 1))
}

function levelAbove(level: Level): Level | null {
  if (level.kind === 'global') return null
  return level.kind === 'organization'
    ? { kind: 'global' }
    : { kind: 'organization', organization: level.organization }
}

function keyOf(mapping: string, group: string | null, role: string): string {
  return `${mapping}\n${role}\n${group ?? ''}`
}
