// A second opinion on policies: reads the document itself, mapping by mapping, with no index, no order and
// no care for time. What policy/ compiles must decide the same.
import type { Level } from '../../policy/level.ts'
import type { Principal } from '../../policy/principal.ts'
import type { GroupMapping, PolicyDocument } from '../../policy/schema.ts'

/** Names of all roles a principal holds at a level; null where it has no standing at all. */
export function naiveRoles(document: PolicyDocument, principal: Principal, level: Level): Set<string> | null {
  const { voucher, groups, issuer } = principal
  if (voucher.organization !== null) {
    if (level.kind === 'global' || level.organization !== voucher.organization) return null
  }
  const believed: GroupMapping[] = voucher.organization === null ? [...document.idpGroupMappings] : []
  if (level.kind !== 'global') {
    const organization = new Map(Object.entries(document.organizations)).get(level.organization)
    if (!organization) return null
    believed.push(...organization.idpGroupMappings)
    if (level.kind === 'project') {
      const project = new Map(Object.entries(organization.projects)).get(level.project)
      if (!project) return null
      believed.push(...project.idpGroupMappings)
    }
  }
  const names = groups.outcome === 'listed' ? groups.names : []
  const given = believed
    .filter(({ issuers }) => issuers === undefined || issuers.includes(issuer))
    .filter(({ idpGroups }) => idpGroups.some((group) => names.includes(group)))
    .map(({ roleName }) => roleName)
  return withImplied(document, given)
}

/** Adds what is implied until nothing is added. */
function withImplied({ roles }: PolicyDocument, given: string[]): Set<string> {
  const held = new Set(given)
  for (let size = -1; size !== held.size; ) {
    size = held.size
    for (const name of [...held]) for (const implied of roles[name]?.implies ?? []) held.add(implied)
  }
  return held
}

export function naiveAllows(
  document: PolicyDocument,
  principal: Principal,
  permission: string,
  level: Level,
): boolean {
  const held = [...(naiveRoles(document, principal, level) ?? [])]
  return held.some((name) => document.roles[name]?.permissions.includes(permission))
}
