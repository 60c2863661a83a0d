// The floor: what anybody would write by hand to answer the same questions. A Map of groups for each level, and
// of each role the set of its permissions.
import { CATALOGUE, type Mapping, type Question } from './mappings.ts'

type Permissions = ReadonlySet<string>
type RolesByGroup = Map<string, Permissions[]>

interface FloorOrganization {
  here: RolesByGroup
  projects: Map<string, RolesByGroup>
}

export type Floor = (question: Question) => boolean

export function loadFloor(mappings: readonly Mapping[]): Floor {
  const permissionsOf = new Map(Object.keys(CATALOGUE).map((role) => [role, permissionsWithImplied(role)]))
  const global: RolesByGroup = new Map()
  const organizations = new Map<string, FloorOrganization>()
  const within = (slug: string | null, project: string | null): RolesByGroup => {
    if (slug === null) return global
    const organization = getOrSet(organizations, slug, () => ({ here: new Map(), projects: new Map() }))
    return project === null ? organization.here : getOrSet(organization.projects, project, () => new Map())
  }
  for (const { role, group, organization, project } of mappings) {
    getOrSet(within(organization, project), group, () => []).push(permissionsOf.get(role)!)
  }
  return ({ groups, organization, project, permission }) => {
    const here = organizations.get(organization)?.here
    const inProject = project === null ? undefined : organizations.get(organization)?.projects.get(project)
    for (const group of groups) {
      if (gives(global.get(group), permission)) return true
      if (gives(here?.get(group), permission)) return true
      if (gives(inProject?.get(group), permission)) return true
    }
    return false
  }
}

function gives(roles: readonly Permissions[] | undefined, permission: string): boolean {
  if (roles === undefined) return false
  for (const permissions of roles) if (permissions.has(permission)) return true
  return false
}

/** A role's permissions with those of the roles it implies. */
export function permissionsWithImplied(name: string): Set<string> {
  const { permissions, implies } = CATALOGUE[name]!
  return new Set([...permissions, ...implies.flatMap((role) => [...permissionsWithImplied(role)])])
}

function getOrSet<Value>(map: Map<string, Value>, key: string, make: () => Value): Value {
  const known = map.get(key)
  if (known !== undefined) return known
  const made = make()
  map.set(key, made)
  return made
}
