// A level's mappings on their way in and out: echoed whole with who manages each and what is locked, taken whole
// and parted into what the file says and what the database keeps.
import { checkMappings } from '../../policy/check.ts'
import { canonical } from '../../policy/diff-structure.ts'
import type { LevelOrigins, MappingKind } from '../../policy/layers.ts'
import { normalGroupMappings, normalPatternMappings } from '../../policy/normal-mappings.ts'
import type { Locked } from '../../policy/operations/common.ts'
import type { WrittenMapping, WrittenPattern } from '../../policy/operations/organizations.ts'
import { describePath, type Fault } from '../../policy/problems.ts'
import type { PolicyDocument, RoleLevel } from '../../policy/schema.ts'
import type { StoredMapping, StoredMappings, StoredPattern } from '../database/documents.ts'
import type { InputError } from './answers.ts'

/** A level's mappings as layers.ts merges them. */
export interface MergedLevel {
  idpGroupMappings: readonly WrittenMapping[]
  patternMappings: readonly WrittenPattern[]
}

const KINDS: MappingKind[] = ['idpGroupMappings', 'patternMappings']

export function echoMappings(
  level: MergedLevel,
  stored: StoredMappings | null,
  origins: LevelOrigins,
): { idpGroupMappings: WrittenMapping[]; patternMappings: WrittenPattern[]; locked: Record<string, Locked> } {
  const { above } = origins
  const managed = <Mapping extends object>(kind: MappingKind, list: readonly Mapping[]) => {
    return list.map((mapping, index) => {
      const managedBy =
        index < above[kind] ? 'file' : (stored?.[kind][index - above[kind]]?.managedBy ?? 'api')
      return { ...mapping, managedBy }
    })
  }
  const locked = KINDS.flatMap((kind) => {
    return Array.from({ length: above[kind] }, (_, index): [string, Locked] => {
      const { origin, place } = origins.mapping(kind, index)
      return [`${kind}[${index}]`, { origin, place: place ?? '' }]
    })
  })
  return {
    idpGroupMappings: managed('idpGroupMappings', level.idpGroupMappings) as WrittenMapping[],
    patternMappings: managed('patternMappings', level.patternMappings) as WrittenPattern[],
    locked: Object.fromEntries(locked),
  }
}

/** What the policy or the environment sets of a level's members, and where. */
export function lockedMembers(origins: LevelOrigins, names: readonly string[]): Record<string, Locked> {
  const locked = names.flatMap((name): [string, Locked][] => {
    const origin = origins.member(name)
    return origin === null || origin.origin === 'database'
      ? []
      : [[name, { origin: origin.origin, place: origin.place ?? '' }]]
  })
  return Object.fromEntries(locked)
}

export interface WrittenLevel {
  idpGroupMappings?: readonly WrittenMapping[] | undefined
  patternMappings?: readonly WrittenPattern[] | undefined
}

export interface LevelRules {
  roles: PolicyDocument['roles']
  level: RoleLevel
  /** Ids of the issuer records trusted there. */
  issuers: readonly string[]
}

export type TakenMappings = { ok: true; mappings: StoredMappings } | { ok: false; errors: InputError[] }

/**
 * What the database is to keep of lists that were written whole; a list that was left out stays. Entries that the
 * file has may stand there as they are, or be missing: they stay in any case.
 */
export function takeMappings(
  written: WrittenLevel,
  merged: MergedLevel,
  stored: StoredMappings | null,
  origins: Pick<LevelOrigins, 'above'>,
  rules: LevelRules,
): TakenMappings {
  const groups = own(
    written.idpGroupMappings,
    merged.idpGroupMappings,
    origins.above.idpGroupMappings,
    'idpGroupMappings',
  )
  const patterns = own(
    written.patternMappings,
    merged.patternMappings,
    origins.above.patternMappings,
    'patternMappings',
  )
  const faults: Fault[] = []
  // Faults are said in the list that was written, so what the file has is looked at as well.
  const judged = {
    idpGroupMappings: [...(written.idpGroupMappings ?? [])],
    patternMappings: [...(written.patternMappings ?? [])],
  }
  checkMappings({ roles: rules.roles }, judged, [], rules.level, rules.issuers, faults)
  const errors = [
    ...groups.errors,
    ...patterns.errors,
    ...faults.map(({ path, message }) => ({ path: describePath(path), message })),
  ]
  if (errors.length > 0) return { ok: false, errors }
  return {
    ok: true,
    mappings: {
      idpGroupMappings: groups.kept
        ? normalGroupMappings(groups.kept as StoredMapping[], rules.roles)
        : (stored?.idpGroupMappings ?? []),
      patternMappings: patterns.kept
        ? normalPatternMappings(patterns.kept as StoredPattern[], rules.roles)
        : (stored?.patternMappings ?? []),
    },
  }
}

type Written = WrittenMapping | WrittenPattern

function own(
  written: readonly Written[] | undefined,
  merged: readonly Written[],
  above: number,
  kind: MappingKind,
): { kept: Written[] | null; errors: InputError[] } {
  if (written === undefined) return { kept: null, errors: [] }
  const ofFile = new Set(merged.slice(0, above).map((mapping) => textOf(mapping)))
  const errors: InputError[] = []
  const kept = written.flatMap((mapping, index): Written[] => {
    const isOfFile = ofFile.size > 0 && ofFile.has(textOf(mapping))
    if (mapping.managedBy === 'file' && !isOfFile) {
      const message =
        'is "file", but neither the policy nor the environment has this mapping; leave it out or write "api"'
      errors.push({ path: `${kind}[${index}].managedBy`, message })
    }
    // Whoever echoes what was read without saying who manages it means the file's own.
    if (isOfFile && (mapping.managedBy === undefined || mapping.managedBy === 'file')) return []
    return [{ ...mapping, managedBy: mapping.managedBy ?? 'api' }]
  })
  return { kept, errors }
}

function textOf({ managedBy: _managedBy, ...mapping }: Written): string {
  return canonical(mapping)
}

/** The merged lists with other mappings of the database's. */
export function withStored<Level extends MergedLevel>(
  level: Level,
  { idpGroupMappings, patternMappings }: StoredMappings,
  { above }: Pick<LevelOrigins, 'above'>,
): Level {
  const plain = ({ managedBy: _managedBy, ...mapping }: Written) => mapping
  return {
    ...level,
    idpGroupMappings: [
      ...level.idpGroupMappings.slice(0, above.idpGroupMappings),
      ...idpGroupMappings.map(plain),
    ],
    patternMappings: [
      ...level.patternMappings.slice(0, above.patternMappings),
      ...patternMappings.map(plain),
    ],
  } as Level
}

/** As limits count them: each group and each pattern by itself. */
export function countMappings(
  mappings: {
    idpGroupMappings: { idpGroups: unknown[] }[]
    patternMappings: { groupPatterns: unknown[] }[]
  } | null,
): { groups: number; patterns: number } {
  const sum = (counts: number[]) => counts.reduce((total, count) => total + count, 0)
  return {
    groups: sum((mappings?.idpGroupMappings ?? []).map(({ idpGroups }) => idpGroups.length)),
    patterns: sum((mappings?.patternMappings ?? []).map(({ groupPatterns }) => groupPatterns.length)),
  }
}
