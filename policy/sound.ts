// Merged layers (layers.ts) that may be compiled: what the database holds and no longer fits what stands above it
// gives nothing, so that an edit of the policy never makes the database's part give what nobody checked.
import { checkPolicy } from './check.ts'
import type { LevelOrigins, MappingKind, MergedInstance, MergedOrganization, WrittenLevel } from './layers.ts'
import { describePath, type Fault, type Path } from './problems.ts'
import type { Organization, PolicyDocument } from './schema.ts'

/** What may be compiled, and what of the database is not in it. */
export interface Sound<Value> {
  value: Value
  /** What no longer fits what stands above it, and therefore gives nothing. */
  left: Fault[]
}

/**
 * What the database holds was right when it was written; the layers above may have changed since. An entry that no
 * longer fits gives nothing, and keeps its place, so that the others keep theirs. Throws when what is wrong is
 * none of its entries.
 */
export function soundInstance({ policy, origins, issuers, left }: MergedInstance): Sound<PolicyDocument> {
  // Routes may name organizations, which are not here, and applications name the hosts of routes; they are the
  // source's, and were checked with it.
  const faults = checkPolicy({ ...policy, routes: {}, applications: {}, tests: [] })
  const value = { ...policy, ...inertMappings(policy, [], faults), issuers: { ...policy.issuers } }
  for (const { path } of faults) {
    if (!removeBroken(value, { origins, issuers }, path)) throw new UnsoundError(faults)
  }
  return { value, left: [...left, ...faults] }
}

/** `instance` is the sound one. */
export function soundOrganization(
  instance: Pick<PolicyDocument, 'version' | 'audience' | 'roles' | 'issuers'>,
  slug: string,
  { organization, origins, projects, issuers, left }: MergedOrganization,
): Sound<Organization> {
  const path = ['organizations', slug]
  const faults = checkPolicy({
    ...instance,
    idpGroupMappings: [],
    patternMappings: [],
    organizations: { [slug]: organization },
    routes: {},
    applications: {},
    singleSignOn: {},
    tests: [],
  }).filter((fault) => fault.path[0] === 'organizations')
  const value: Organization = {
    ...organization,
    ...inertMappings(organization, path, faults),
    issuers: { ...organization.issuers },
    projects: Object.fromEntries(
      Object.entries(organization.projects).map(([name, project]) => {
        return [name, { ...project, ...inertMappings(project, [...path, 'projects', name], faults) }]
      }),
    ),
  }
  for (const {
    path: [, , ...within],
  } of faults) {
    const project = within[0] === 'projects' ? projects[within[1] as string] : undefined
    const isRemoved = project
      ? isInert(project, within.slice(2))
      : removeBroken(value, { origins, issuers }, within)
    if (!isRemoved) throw new UnsoundError(faults)
  }
  return { value, left: [...left, ...faults] }
}

/** Whether what is at the path came from below the policy, and no longer counts. */
function removeBroken(
  value: Partial<Organization>,
  { origins, issuers }: Pick<MergedOrganization, 'origins' | 'issuers'>,
  path: Path,
): boolean {
  const [member, id] = path as [string, string | undefined]
  if (member === 'issuers' && id !== undefined && issuers[id]?.origin !== 'policy') {
    delete value.issuers?.[id]
    return true
  }
  if ((member === 'onUnmatched' || member === 'audience') && origins.member(member)?.origin === 'database') {
    delete value[member]
    return true
  }
  return isInert(origins, path)
}

/** Whether it lies in a mapping that inertMappings took the groups from, and which may be without. */
function isInert(origins: LevelOrigins, path: Path): boolean {
  if (!isMapping(path, 0)) return false
  const [kind, index] = path as [MappingKind, number]
  return origins.mapping(kind, index).origin !== 'policy'
}

/** What stands above the database does not hold together with it, and nothing may be published of it. */
export class UnsoundError extends Error {
  readonly faults: readonly Fault[]
  constructor(faults: readonly Fault[]) {
    const [first] = faults as [Fault, ...Fault[]]
    const more = faults.length > 1 ? `, and ${faults.length - 1} more` : ''
    super(`${describePath(first.path)}: ${first.message}${more}`)
    this.faults = faults
  }
}

function isMapping(path: Path, at: number): boolean {
  return (
    (path[at] === 'idpGroupMappings' || path[at] === 'patternMappings') && typeof path[at + 1] === 'number'
  )
}

/** The mappings of a level; those with a fault name nobody. */
function inertMappings(level: WrittenLevel, path: Path, faults: readonly Fault[]): WrittenLevel {
  const broken = new Set(
    faults
      .filter(
        (fault) =>
          path.every((step, index) => fault.path[index] === step) && isMapping(fault.path, path.length),
      )
      .map((fault) => `${fault.path[path.length]} ${fault.path[path.length + 1]}`),
  )
  if (broken.size === 0) return level
  return {
    idpGroupMappings: level.idpGroupMappings.map((mapping, index) => {
      return broken.has(`idpGroupMappings ${index}`) ? { ...mapping, idpGroups: [] } : mapping
    }),
    patternMappings: level.patternMappings.map((mapping, index) => {
      return broken.has(`patternMappings ${index}`) ? { ...mapping, groupPatterns: [] } : mapping
    }),
  }
}
