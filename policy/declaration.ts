// Declared organizations: when two of them say the same, and how one is written that says no more than it must.
// Reading and writing their text is document.ts's and format.ts's.
import { canonicalJson } from './audit-event.ts'
import { normalGroupMappings, normalPatternMappings } from './normal-mappings.ts'
import type { GroupMapping, Organization, PatternMapping } from './schema.ts'
import { mapSorted } from './sorted.ts'

interface Level {
  displayName?: string | undefined
  idpGroupMappings: GroupMapping[]
  patternMappings: PatternMapping[]
}

/** In one form whichever way it was written. `roles` are the catalogue's, whose order mappings follow. */
export function normalDeclaration(
  { issuers, projects, ...organization }: Organization,
  roles: Readonly<Record<string, unknown>>,
): Organization {
  const level = <Of extends Level>(of: Of): Of => ({
    ...of,
    idpGroupMappings: normalGroupMappings(of.idpGroupMappings, roles),
    patternMappings: normalPatternMappings(of.patternMappings, roles),
  })
  return {
    ...level(organization),
    issuers: Object.fromEntries(mapSorted(issuers, (_id, issuer) => issuer)),
    projects: Object.fromEntries(mapSorted(projects, (_slug, project) => level(project))),
  }
}

export function declareTheSame(left: Organization, right: Organization): boolean {
  const textOf = (organization: Organization) => canonicalJson(normalDeclaration(organization, {}))
  return textOf(left) === textOf(right)
}

/** Without members that say nothing, in the order people read them. */
export function compactDeclaration(organization: object): Record<string, unknown> {
  return compact(organization, ['displayName', 'audience', 'onUnmatched', 'issuers', ...LISTS, 'projects'])
}

const LISTS = ['idpGroupMappings', 'patternMappings']

function compact(level: object, names: readonly string[]): Record<string, unknown> {
  const members = level as Record<string, unknown>
  const said = names.flatMap((name): [string, unknown][] => {
    const value = members[name]
    if (value === undefined || isEmpty(value)) return []
    if (LISTS.includes(name)) return [[name, (value as object[]).map(roleFirst)]]
    if (name !== 'projects') return [[name, value]]
    const projects = mapSorted(value as Record<string, object>, (_slug, project) => {
      return compact(project, ['displayName', ...LISTS])
    })
    return [[name, Object.fromEntries(projects)]]
  })
  return Object.fromEntries(said)
}

/** A project that says nothing exists all the same; a list or map without entries does not count. */
function isEmpty(value: unknown): boolean {
  return typeof value === 'object' && value !== null && Object.keys(value).length === 0
}

function roleFirst(mapping: object): object {
  const { roleName, idpGroups, groupPatterns, ...rules } = mapping as Record<string, unknown>
  return {
    roleName,
    ...(idpGroups === undefined ? {} : { idpGroups }),
    ...(groupPatterns === undefined ? {} : { groupPatterns }),
    ...rules,
  }
}
