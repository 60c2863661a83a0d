// Which roles somebody may give by the roles they hold (design.md section 4, "Granting").
import type { PolicyDocument, RoleLevel } from './schema.ts'

/** In `mayGrant`: every role of the role's own level and below, also those that a policy adds. */
export const EVERY_ROLE_BELOW = '*'

export const ROLE_DEPTH: Record<RoleLevel, number> = { global: 0, organization: 1, project: 2 }

/** What holders of any of these roles may give. `EVERY_ROLE_BELOW` is among it for those who may give all. */
export function mayGrantWith(roles: PolicyDocument['roles'], held: Iterable<string>): Set<string> {
  const may = new Set<string>()
  for (const name of held) {
    const role = Object.hasOwn(roles, name) ? roles[name] : undefined
    for (const granted of role?.mayGrant ?? []) may.add(granted)
    if (role?.mayGrant.includes(EVERY_ROLE_BELOW)) {
      for (const below of rolesBelow(roles, role.level)) may.add(below)
    }
  }
  return may
}

function rolesBelow(roles: PolicyDocument['roles'], level: RoleLevel): string[] {
  return Object.keys(roles).filter((name) => {
    return ROLE_DEPTH[(roles[name] as { level: RoleLevel }).level] >= ROLE_DEPTH[level]
  })
}
