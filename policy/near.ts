// Near misses: mappings of a level that ask for almost what the principal's groups are called. Which names are
// spelt alike is near-spelling.ts's; this knows where names come from and says what differs.

import type { Grant, IssuerRecord } from './compiled.ts'
import { failureOf } from './explain-failed.ts'
import { type Asked, listingAt, recordOf, type Segment } from './explain-list.ts'
import { foldCase } from './fold-case.ts'
import { isHere } from './grants.ts'
import type { Level } from './level.ts'
import type { LoadedGroupGrants, LoadedOrganization, Policy } from './loaded.ts'
import {
  EFFORT_MAX,
  type Effort,
  editDistance,
  FOLDS,
  type Fold,
  findAlike,
  fold,
  indexSpellings,
  probeOf,
  type Spellings,
} from './near-spelling.ts'
import { findPatterns } from './pattern.ts'

/** `name`: one is the id that the issuer record calls by the other. */
export type Difference = Fold | 'name' | 'letters'

export interface NearMiss {
  /** What the principal's group is called, and what the mapping asks for. */
  group: string
  wanted: string
  mapping: string
  role: string
  differs: readonly Difference[]
  /** Letters that differ once case, white space and the like are put aside. */
  distance: 0 | 1 | 2
  /** What else keeps the mapping from counting; null when this is all. */
  alsoFails: string | null
  sentence: string
  grant: Grant
}

export const NEAR_MISSES_MAX = 20

export interface NearSearch {
  groups: readonly string[]
  /** Groups that some mapping or pattern of the level asks for as they are. */
  known: ReadonlySet<string>
  /** Mappings that need no help: one of the groups is what they ask for. */
  met: ReadonlySet<string>
  /** Roles of interest; null: all. */
  roles: ReadonlySet<string> | null
}

/** The nearest first. */
export function nearMisses(asked: Asked, search: NearSearch): NearMiss[] {
  const record = recordOf(asked)
  const names = sourcesAt(asked)
  const found = new Map<string, NearMiss>()
  const effort: Effort = { left: EFFORT_MAX }
  for (const group of search.groups) {
    const matters = ({ grant }: Found) => {
      return !search.met.has(grant.mapping) && (search.roles === null || search.roles.has(grant.role))
    }
    const add = (one: Found, wanted: string, distance: 0 | 1 | 2, named: boolean) => {
      const key = `${group}\n${one.grant.mapping}\n${wanted}`
      if (!matters(one) || found.has(key)) return
      const differs: Difference[] = named ? ['name'] : differencesOf(group, wanted, distance, one.ignoreCase)
      found.set(key, missOf(asked, group, one.grant, wanted, differs, distance))
    }
    // What some mapping asks for as it is, here or in another project, is hardly another name mistyped.
    const known = search.known.has(group) || names.some((source) => source.asksFor(group))
    const probe = probeOf(group)
    for (const source of names) {
      const given = (name: string) => source.grants(name, group).filter(matters).slice(0, NEAR_MISSES_MAX)
      for (const other of namesOf(record, group)) {
        for (const one of given(other)) add(one, other, 0, true)
      }
      const wanted = (name: string) => given(name).length > 0
      for (const { name, distance } of findAlike(source.spellings, probe, {
        effort: known ? null : effort,
        wanted,
      })) {
        for (const one of given(name)) add(one, name, distance, false)
      }
    }
    for (const { wanted, ...one } of patternsNear(asked, group)) add(one, wanted, 0, false)
  }
  return [...found.values()].sort(byNearness).slice(0, NEAR_MISSES_MAX)
}

function byNearness(a: NearMiss, b: NearMiss): number {
  return rankOf(a) - rankOf(b)
}

const RANKS: Record<Difference, number> = { case: 1, space: 2, unicode: 3, slash: 4, name: 5, letters: 6 }

function rankOf({ differs, distance, alsoFails }: NearMiss): number {
  const least = Math.max(...differs.map((difference) => RANKS[difference]))
  return (alsoFails === null ? 0 : 1000) + 100 * distance + 10 * (differs.length - 1) + least
}

function missOf(
  { principal, now }: Asked,
  group: string,
  grant: Grant,
  wanted: string,
  differs: readonly Difference[],
  distance: 0 | 1 | 2,
): NearMiss {
  const alsoFails = failureOf(grant, principal, now)?.detail ?? null
  const how = differs.map((difference) => DESCRIBED[difference]).join(' and ')
  const letters = distance === 0 ? '' : ` (${distance})`
  const sentence = `The group is ${JSON.stringify(group)}, the mapping asks for ${JSON.stringify(wanted)}: ${how}${letters}.`
  return {
    group,
    wanted,
    mapping: grant.mapping,
    role: grant.role,
    differs,
    distance,
    alsoFails,
    sentence,
    grant,
  }
}

const DESCRIBED: Record<Difference, string> = {
  case: 'upper and lower case differ',
  space: 'white space differs',
  unicode: 'the Unicode form differs',
  slash: 'only one begins with a slash',
  name: 'one is the id and one the display name of the same group',
  letters: 'letters differ',
}

/** What has to be put aside for the two to be equal, or equal but for the letters. */
function differencesOf(
  group: string,
  wanted: string,
  distance: 0 | 1 | 2,
  ignoreCase: boolean,
): Difference[] {
  const differs: Difference[] = FOLDS.filter((kind) => {
    if (kind === 'case' && ignoreCase) return false
    return editDistance(fold(group, kind), fold(wanted, kind)) !== distance
  })
  if (distance > 0) return [...differs, 'letters']
  return differs.length > 0 ? differs : ['unicode']
}

/** A mapping, seen from one of its names. */
interface Found {
  grant: Grant
  ignoreCase: boolean
}

/** Where names of mappings stand that count at the level. */
interface Source {
  spellings: Spellings
  /** What the name gives at the level; nothing when the group is what it asks for already. */
  grants(name: string, group: string): Found[]
  asksFor(group: string): boolean
}

function sourcesAt(asked: Asked): Source[] {
  const { policy, organization, principal, level } = asked
  const sources: Source[] = []
  for (const segment of listingAt(asked)) {
    const spellings = spellingsOf(segment)
    const instanceOnly = segment.mappings[0]?.instanceOnly ?? false
    if (spellings.names.length === 0 || (instanceOnly && principal.voucher.organization !== null)) continue
    if (instanceOnly) {
      const grants = (name: string, group: string) => {
        return foundIn(name, group, policy.exact.get(name), policy.lowerCase.get(name))
      }
      sources.push({ spellings, grants, asksFor: (group) => isNameIn(policy, group) })
    } else if (organization) {
      const grants = (name: string, group: string) => {
        const { exact, lowerCase } = organization
        return foundIn(name, group, grantsAt(exact.get(name), level), grantsAt(lowerCase.get(name), level))
      }
      sources.push({ spellings, grants, asksFor: (group) => isNameIn(organization, group) })
    }
  }
  return sources
}

function grantsAt(given: LoadedGroupGrants | undefined, level: Level): readonly Grant[] {
  const there = level.kind === 'project' ? given?.projects.get(level.project) : undefined
  return there ? [...(given?.here ?? []), ...there] : (given?.here ?? [])
}

function isNameIn({ exact, lowerCase }: Policy | LoadedOrganization, group: string): boolean {
  return exact.has(group) || lowerCase.has(foldCase(group))
}

/** Of a name's mappings those that the group does not meet as it is. */
function foundIn(
  name: string,
  group: string,
  exact: readonly Grant[] | undefined,
  lowerCase: readonly Grant[] | undefined,
): Found[] {
  const found: Found[] = []
  if (name !== group) for (const grant of exact ?? []) found.push({ grant, ignoreCase: false })
  if (name !== foldCase(group)) for (const grant of lowerCase ?? []) found.push({ grant, ignoreCase: true })
  return found
}

const spellingsOfSegments = new WeakMap<Segment, Spellings>()

function spellingsOf(segment: Segment): Spellings {
  const known = spellingsOfSegments.get(segment)
  if (known) return known
  const made = indexSpellings(segment.mappings.flatMap(({ groups }) => groups))
  spellingsOfSegments.set(segment, made)
  return made
}

/** What the issuer record calls the group, and the ids it calls so. */
function namesOf(record: IssuerRecord | null, group: string): readonly string[] {
  const names = record?.groups?.names
  if (names === undefined || names.length === 0) return []
  const known = otherNames.get(names) ?? otherNamesOf(names)
  otherNames.set(names, known)
  return known.get(group) ?? known.get(fold(group)) ?? []
}
type Names = readonly (readonly [id: string, name: string])[]
const otherNames = new WeakMap<Names, ReadonlyMap<string, readonly string[]>>()

function otherNamesOf(names: Names): ReadonlyMap<string, readonly string[]> {
  const others = new Map<string, string[]>()
  const add = (from: string, to: string) => {
    for (const key of new Set([from, fold(from)])) {
      const known = others.get(key)
      if (known) known.push(to)
      else others.set(key, [to])
    }
  }
  for (const [id, name] of names) {
    add(id, name)
    add(name, id)
  }
  return others
}

/** Patterns that the group would match if it were written another way. */
function patternsNear(asked: Asked, group: string): (Found & { wanted: string })[] {
  const { policy, organization, principal, level } = asked
  const found: (Found & { wanted: string })[] = []
  if (policy.patterns.entries.length === 0 && !organization?.patterns.entries.length) return found
  for (const wanted of variantsOf(group)) {
    for (const { entry, captured } of findPatterns(policy.patterns, wanted)) {
      const { grant, ignoreCase } = entry
      const counts =
        captured.org === undefined ? principal.voucher.organization === null : isHere(level, captured)
      if (counts) found.push({ grant, ignoreCase, wanted })
    }
    if (!organization) continue
    for (const { entry, captured } of findPatterns(organization.patterns, wanted)) {
      const { grant, ignoreCase } = entry
      const project = entry.project ?? captured.project
      const here = project === undefined ? {} : { project }
      if (isHere(level, { org: organization.slug, ...here })) found.push({ grant, ignoreCase, wanted })
    }
  }
  return found
}

function variantsOf(group: string): Set<string> {
  const variants = new Set([
    foldCase(group),
    group.replace(/\s+/g, ''),
    group.trim(),
    group.normalize('NFC'),
    group.normalize('NFKC'),
    group.replace(/^\/+/, ''),
    `/${group}`,
    fold(group),
  ])
  variants.delete(group)
  return variants
}
