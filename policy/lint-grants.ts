// Who is owner, and who may give what: the rules of design.md section 4 on granting, asked of a document and
// of the change that led to it.
import { compareDocuments, type StructuralChange } from './diff-structure.ts'
import { describeLevel, type Level } from './level.ts'
import { heldWith, type MappingSite, mappingLists, sitesOf } from './mapping-sites.ts'
import { mayGrantWith } from './may-grant.ts'
import type { GroupMapping, Organization, PatternMapping, PolicyDocument, Role } from './schema.ts'
import { secondsOf } from './timestamp.ts'
import { type Warning, warning } from './warnings.ts'

/** Whoever makes the change. */
export interface Actor {
  /** Every role held there, given or implied, as rolesAt (decide.ts) lists them. */
  rolesAt(level: Level): readonly string[]
}

const GLOBAL_OWNER = 'GLOBAL_OWNER'
const ORG_OWNER = 'ORG_OWNER'

/** Where somebody can be owner at this time. */
interface Owners {
  global: boolean
  /** Through a mapping of no single organization. */
  everyOrganization: boolean
  organizations: ReadonlySet<string>
}

export function lintOwners(
  document: PolicyDocument,
  before: PolicyDocument | undefined,
  now: number,
  dead: ReadonlySet<MappingSite['mapping']>,
): Warning[] {
  const owners = findOwners(document, now, dead)
  const earlier = before ? findOwners(before, now, new Set()) : null
  const found: Warning[] = []
  if (earlier?.global && !owners.global) {
    const message = `nobody has ${GLOBAL_OWNER} any more; keep a mapping that gives it, or take it away explicitly`
    found.push(warning('owner_removed', ['idpGroupMappings'], message))
  }
  if (!Object.hasOwn(document.roles, ORG_OWNER)) return found
  for (const slug of Object.keys(document.organizations)) {
    if (owners.everyOrganization || owners.organizations.has(slug)) continue
    const path = ['organizations', slug]
    const had = earlier?.everyOrganization || earlier?.organizations.has(slug)
    if (had && before && Object.hasOwn(before.organizations, slug)) {
      const message = `nobody has ${ORG_OWNER} any more; keep a mapping that gives it, or take it away explicitly`
      found.push(warning('owner_removed', path, message))
    } else {
      const message = `nobody can have ${ORG_OWNER}; map a group to it, or only global roles can manage it`
      found.push(warning('organization_without_owner', path, message))
    }
  }
  return found
}

function findOwners(
  document: PolicyDocument,
  now: number,
  dead: ReadonlySet<MappingSite['mapping']>,
): Owners {
  const gives = memoize((role: string) => heldWith(document.roles, role))
  const owners = { global: false, everyOrganization: false, organizations: new Set<string>() }
  for (const site of mappingLists(document).flatMap(sitesOf)) {
    const { level, mapping } = site
    if (level.kind === 'project' || dead.has(mapping) || !isInForce(mapping, now)) continue
    const held = gives(mapping.roleName)
    if (level.kind === 'organization') {
      if (held.has(ORG_OWNER) && !captures(site, '{project}')) owners.organizations.add(level.organization)
      continue
    }
    if (held.has(GLOBAL_OWNER)) owners.global = true
    if (held.has(ORG_OWNER) && !captures(site, '{project}')) owners.everyOrganization = true
  }
  for (const [slug, { onUnmatched }] of Object.entries(document.organizations)) {
    if (onUnmatched !== undefined && gives(onUnmatched).has(ORG_OWNER)) owners.organizations.add(slug)
  }
  return owners
}

function memoize<Value>(compute: (name: string) => Value): (name: string) => Value {
  const known = new Map<string, Value>()
  return (name) => {
    const value = known.get(name) ?? compute(name)
    known.set(name, value)
    return value
  }
}

function captures({ kind, mapping }: MappingSite, capture: string): boolean {
  return kind === 'pattern' && mapping.groupPatterns.some((text) => text.includes(capture))
}

function isInForce({ notBefore, notAfter }: GroupMapping | PatternMapping, now: number): boolean {
  if (notBefore !== undefined && now < secondsOf(notBefore)) return false
  return notAfter === undefined || now < secondsOf(notAfter)
}

/** A role that the change gives somebody, and where. */
interface Given {
  role: string
  level: Level
  path: Warning['path']
}

/** Every role the change gives that the actor may not give, by the rules in force before the change. */
export function lintGranted(
  after: PolicyDocument,
  before: PolicyDocument,
  actor: Actor,
  structure: readonly StructuralChange[] = compareDocuments(before, after),
): Warning[] {
  const mayGrant = memoizeByLevel((level) => {
    return mayGrantWith(before.roles, actor.rolesAt(level))
  })
  return structure
    .flatMap(givenBy)
    .filter(({ role, level }) => !mayGrant(level).has(role))
    .map(({ role, level, path }) => {
      const may = [...mayGrant(level)].sort().join(', ') || 'none'
      const message = `gives ${role} at ${describeLevel(level)}, which you may not give; you may give there: ${may}`
      return warning('grant_not_allowed', path, message)
    })
}

function memoizeByLevel<Value>(compute: (level: Level) => Value): (level: Level) => Value {
  const known = new Map<string, Value>()
  return (level) => {
    const key = describeLevel(level)
    const value = known.get(key) ?? compute(level)
    known.set(key, value)
    return value
  }
}

function givenBy(change: StructuralChange): Given[] {
  const { part, path, level } = change
  if (change.change === 'removed') return []
  switch (part) {
    case 'mapping':
    case 'pattern': {
      const mapping = change.after as GroupMapping | PatternMapping
      return isNarrowed(change) ? [] : [{ role: mapping.roleName, level, path: [...path, 'roleName'] }]
    }
    case 'organization': {
      const { onUnmatched } = change.after as Organization
      const same = onUnmatched === (change.before as Organization | undefined)?.onUnmatched
      return onUnmatched === undefined || same
        ? []
        : [{ role: onUnmatched, level, path: [...path, 'onUnmatched'] }]
    }
    case 'role': {
      // Whoever holds the role gets what it implies from now on, and may give what it may give from now on.
      if (change.change === 'added') return []
      const earlier = change.before as Role
      const added = (list: 'implies' | 'mayGrant') => {
        return (change.after as Role)[list].filter((other) => !earlier[list].includes(other))
      }
      return (['implies', 'mayGrant'] as const).flatMap((list) => {
        return added(list).map((role) => ({ role, level, path: [...path, list] }))
      })
    }
    default:
      return []
  }
}

/** Whether the change took groups from a mapping and did nothing else. */
function isNarrowed({ change, fields, before, after }: StructuralChange): boolean {
  if (change !== 'changed' || fields.length !== 1) return false
  const [field] = fields
  if (field !== 'idpGroups' && field !== 'groupPatterns') return false
  const earlier = (before as Record<string, string[]>)[field] as string[]
  return ((after as Record<string, string[]>)[field] as string[]).every((group) => earlier.includes(group))
}
