// What changed between two policy documents, part by part. Parts are told apart by name where they have one,
// mappings and tests by what they say, so that another order is no change.
import type { Level } from './level.ts'
import { type MappingList, mappingLists } from './mapping-sites.ts'
import type { Path } from './problems.ts'
import type { GroupMapping, PatternMapping, PolicyDocument } from './schema.ts'
import { DEFAULT_SINGLE_SIGN_ON } from './single-sign-on.ts'
import { secondsOf } from './timestamp.ts'

export type Part =
  | 'setting'
  | 'role'
  | 'issuer'
  | 'mapping'
  | 'pattern'
  | 'organization'
  | 'project'
  | 'route'
  | 'application'
  | 'test'

export interface StructuralChange {
  part: Part
  change: 'added' | 'removed' | 'changed'
  /** Where it is written. */
  level: Level
  /** In the document after the change; of what was removed, in the one before. */
  path: Path
  /** Its name or id; a mapping's role. */
  name: string
  /** Which members changed, sorted. */
  fields: string[]
  /** As the documents have it; undefined where it is not there. */
  before: unknown
  after: unknown
}

type Members = Record<string, unknown>
const GLOBAL: Level = { kind: 'global' }

export function compareDocuments(before: PolicyDocument, after: PolicyDocument): StructuralChange[] {
  return [
    ...compareMembers({ part: 'setting', level: GLOBAL, path: [], name: 'policy' }, before, after, [
      'audience',
    ]),
    ...compareNamed('role', GLOBAL, ['roles'], before.roles, after.roles),
    ...compareNamed('issuer', GLOBAL, ['issuers'], before.issuers, after.issuers),
    ...compareOrganizations(before, after),
    ...compareMappings(before, after),
    ...compareMembers(
      { part: 'setting', level: GLOBAL, path: ['singleSignOn'], name: 'singleSignOn' },
      before.singleSignOn,
      after.singleSignOn,
      Object.keys(DEFAULT_SINGLE_SIGN_ON),
    ),
    ...compareNamed('application', GLOBAL, ['applications'], before.applications, after.applications),
    ...compareNamed('route', GLOBAL, ['routes'], before.routes, after.routes),
    ...compareTests(before, after),
  ]
}

function compareOrganizations(before: PolicyDocument, after: PolicyDocument): StructuralChange[] {
  const slugs = namesOf(before.organizations, after.organizations)
  return slugs.flatMap((organization) => {
    const [old, now] = [own(before.organizations, organization), own(after.organizations, organization)]
    const level: Level = { kind: 'organization', organization }
    const path = ['organizations', organization]
    const issuers = [old?.issuers ?? {}, now?.issuers ?? {}] as const
    const projects = [old?.projects ?? {}, now?.projects ?? {}] as const
    return [
      ...compareMembers({ part: 'organization', level, path, name: organization }, old, now, [
        'displayName',
        'audience',
        'onUnmatched',
      ]),
      ...compareNamed('issuer', level, [...path, 'issuers'], ...issuers),
      ...namesOf(...projects).flatMap((project) => {
        const at: Identified = {
          part: 'project',
          level: { kind: 'project', organization, project },
          path: [...path, 'projects', project],
          name: project,
        }
        return compareMembers(at, own(projects[0], project), own(projects[1], project), ['displayName'])
      }),
    ]
  })
}

type Identified = Pick<StructuralChange, 'part' | 'level' | 'path' | 'name'>

function compareNamed(
  part: Part,
  level: Level,
  path: Path,
  before: Record<string, object>,
  after: Record<string, object>,
): StructuralChange[] {
  return namesOf(before, after).flatMap((name) => {
    const [old, now] = [own(before, name), own(after, name)]
    const fields = Object.keys({ ...old, ...now })
    return compareMembers({ part, level, path: [...path, name], name }, old, now, fields)
  })
}

function compareMembers(
  of: Identified,
  before: object | undefined,
  after: object | undefined,
  fields: readonly string[],
): StructuralChange[] {
  if (before === after) return []
  const change = before === undefined ? 'added' : after === undefined ? 'removed' : 'changed'
  const differing = fields.filter((field) => {
    return canonical((before as Members)?.[field], field) !== canonical((after as Members)?.[field], field)
  })
  if (change === 'changed' && differing.length === 0) return []
  return [{ ...of, change, fields: change === 'changed' ? differing.sort() : [], before, after }]
}

function namesOf(before: object, after: object): string[] {
  return [...new Set([...Object.keys(before), ...Object.keys(after)])].sort()
}

function own<Value>(members: Record<string, Value>, name: string): Value | undefined {
  return Object.hasOwn(members, name) ? members[name] : undefined
}

function compareMappings(before: PolicyDocument, after: PolicyDocument): StructuralChange[] {
  const old = new Map(mappingLists(before).map((list) => [list.path.join('/'), list]))
  const now = new Map(mappingLists(after).map((list) => [list.path.join('/'), list]))
  return [...new Set([...old.keys(), ...now.keys()])].sort().flatMap((key) => {
    const [left, right] = [old.get(key), now.get(key)]
    const { level, path } = (right ?? left) as MappingList
    const [groupsPath, patternsPath] = [
      [...path, 'idpGroupMappings'],
      [...path, 'patternMappings'],
    ]
    return [
      ...compareList('mapping', level, groupsPath, left?.idpGroupMappings, right?.idpGroupMappings),
      ...compareList('pattern', level, patternsPath, left?.patternMappings, right?.patternMappings),
    ]
  })
}

type Mapping = GroupMapping | PatternMapping

/** A mapping and its place in its list, with the text it is recognised by. */
interface Placed<Value> {
  value: Value
  index: number
  text: string
}

function compareList(
  part: 'mapping' | 'pattern',
  level: Level,
  path: Path,
  before: readonly Mapping[] = [],
  after: readonly Mapping[] = [],
): StructuralChange[] {
  const left = unmatched(before, after, (mapping) => canonical(inSeconds(mapping)))
  const at = (index: number, name: string) => ({ part, level, path: [...path, index], name })
  const changes: StructuralChange[] = []
  // Of those left over, two with the same rules or the same groups are one mapping that was changed.
  for (const identity of [rulesOf, groupsOf]) {
    if (left.removed.length === 0 || left.added.length === 0) break
    const added = groupBy(left.added, ({ value }) => identity(value))
    const pairs = left.removed.flatMap((old) => {
      const now = added.get(identity(old.value))?.shift()
      return now ? [{ old, now }] : []
    })
    for (const { old, now } of pairs) {
      const fields = Object.keys({ ...old.value, ...now.value })
      const of = at(now.index, now.value.roleName)
      const [change] = compareMembers(of, inSeconds(old.value), inSeconds(now.value), fields)
      if (change) changes.push({ ...change, before: old.value, after: now.value })
    }
    const paired = new Set(pairs.flatMap(({ old, now }) => [old, now]))
    left.removed = left.removed.filter((old) => !paired.has(old))
    left.added = left.added.filter((now) => !paired.has(now))
  }
  for (const { value, index } of left.removed) {
    changes.push(...compareMembers(at(index, value.roleName), value, undefined, []))
  }
  for (const { value, index } of left.added) {
    changes.push(...compareMembers(at(index, value.roleName), undefined, value, []))
  }
  return changes
}

/** One moment can be written in several zones. */
function inSeconds({ notBefore, notAfter, ...mapping }: Mapping): Members {
  return {
    ...mapping,
    ...(notBefore === undefined ? {} : { notBefore: secondsOf(notBefore) }),
    ...(notAfter === undefined ? {} : { notAfter: secondsOf(notAfter) }),
  }
}

/**
 * What of each list the other does not have, as often as it stands there. Entries that are written alike are paired
 * first: of long lists most are, and what an entry means takes longer to find out.
 */
function unmatched<Value>(
  before: readonly Value[],
  after: readonly Value[],
  textOf: (value: Value) => string,
): { removed: Placed<Value>[]; added: Placed<Value>[] } {
  if (before === after) return { removed: [], added: [] }
  const place = (value: Value, index: number) => ({ value, index, text: JSON.stringify(value) })
  const alike = pairOff(before.map(place), after.map(place))
  if (alike.removed.length === 0 || alike.added.length === 0) return alike
  const meant = ({ value, index }: Placed<Value>): Placed<Value> => ({ value, index, text: textOf(value) })
  return pairOff(alike.removed.map(meant), alike.added.map(meant))
}

function pairOff<Value>(before: readonly Placed<Value>[], after: readonly Placed<Value>[]) {
  const left = groupBy(before, ({ text }) => text)
  const added = after.filter(({ text }) => left.get(text)?.shift() === undefined)
  return { removed: [...left.values()].flat(), added }
}

function groupBy<Value>(values: readonly Value[], keyOf: (value: Value) => string): Map<string, Value[]> {
  const groups = new Map<string, Value[]>()
  for (const value of values) {
    const known = groups.get(keyOf(value))
    if (known) known.push(value)
    else groups.set(keyOf(value), [value])
  }
  return groups
}

function rulesOf(mapping: Mapping): string {
  return canonical(inSeconds({ ...mapping, idpGroups: [], groupPatterns: [] }))
}

function groupsOf(mapping: Mapping): string {
  return canonical('idpGroups' in mapping ? mapping.idpGroups : mapping.groupPatterns)
}

function compareTests(before: PolicyDocument, after: PolicyDocument): StructuralChange[] {
  const { removed, added } = unmatched(before.tests, after.tests, (test) => canonical(test))
  const told = (change: 'added' | 'removed') => {
    return ({ value, index }: Placed<PolicyDocument['tests'][number]>): StructuralChange => ({
      part: 'test',
      change,
      level: GLOBAL,
      path: ['tests', index],
      name: value.name,
      fields: [],
      before: change === 'removed' ? value : undefined,
      after: change === 'added' ? value : undefined,
    })
  }
  return [...removed.map(told('removed')), ...added.map(told('added'))]
}

/** Members whose lists are claim paths or a token's own values, where order means something. */
const ORDERED = new Set(['claim', 'claims', 'jwks'])

/** A value as text that is equal for equal meanings: members sorted, and lists too where they are sets. */
export function canonical(value: unknown, field = '', ordered = false): string {
  const inOrder = ordered || ORDERED.has(field)
  if (Array.isArray(value)) {
    const entries = value.map((entry) => canonical(entry, '', inOrder))
    return `[${(inOrder ? entries : [...new Set(entries)].sort()).join(',')}]`
  }
  if (typeof value === 'object' && value !== null) {
    const members = Object.entries(value).filter(([, member]) => member !== undefined)
    const texts = members.map(
      ([name, member]) => `${JSON.stringify(name)}:${canonical(member, name, inOrder)}`,
    )
    return `{${texts.sort().join(',')}}`
  }
  return JSON.stringify(value) ?? ''
}
