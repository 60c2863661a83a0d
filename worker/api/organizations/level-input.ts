// What organizations, projects and the instance have in common when one is written: members that a higher layer sets
// stay locked, lists of mappings are taken whole, and what one organization may hold is bounded.
import type { LevelOrigins } from '../../../policy/layers.ts'
import { MAPPINGS_MAX, PATTERNS_MAX } from '../../../policy/limits.ts'
import type { StoredMappings } from '../../database/documents.ts'
import { guard } from '../../database/rows.ts'
import type { Refusal } from '../../refusal.ts'
import { limitReached, refuseInput, setElsewhere } from '../answers.ts'
import {
  countMappings,
  type LevelRules,
  type MergedLevel,
  takeMappings,
  type WrittenLevel,
} from '../mappings.ts'

type Members = Record<string, unknown>

/**
 * The members that the database keeps. `written` has those of the request: undefined leaves one as it is, null takes
 * it away. One that is locked may be said, as it is.
 */
export function takeMembers(
  names: readonly string[],
  written: Members,
  stored: Members,
  origins: LevelOrigins | null,
  merged: Members,
): { ok: true; members: Members } | Refusal {
  const members: Members = {}
  for (const name of names) {
    const origin = origins?.member(name) ?? null
    const isLocked = origin !== null && origin.origin !== 'database'
    const value = written[name]
    if (isLocked && value !== undefined && value !== merged[name]) {
      return setElsewhere(name, { place: origin.place ?? '' })
    }
    const kept = value === undefined || isLocked ? stored[name] : value
    if (kept !== undefined && kept !== null) members[name] = kept
  }
  return { ok: true, members }
}

export function takeLists(
  written: WrittenLevel,
  merged: MergedLevel,
  stored: StoredMappings | null,
  origins: Pick<LevelOrigins, 'above'>,
  rules: LevelRules,
): { ok: true; mappings: StoredMappings } | Refusal {
  const taken = takeMappings(written, merged, stored, origins, rules)
  return taken.ok ? taken : refuseInput(taken.errors)
}

/** `others`: rows of the organization's other documents, by kind. */
export type MappingCounts = { kind: 'name' | 'pattern'; count: number }[]

/** What of an organization besides its documents a change is judged by. Lists are JSON. */
export interface AroundRow {
  projects: number
  issuers: string
  counts: string
}

/** `document`: the one that is to change, whose mappings are not counted. */
export function aroundStatement(
  database: D1Database,
  organization: string,
  document: string,
): D1PreparedStatement {
  return database
    .prepare(
      `SELECT (SELECT count(*) FROM projects WHERE organization = ?1 AND deleted_at IS NULL) AS projects,
        (SELECT json_group_array(id) FROM issuers WHERE organization IN ('', ?1) AND deleted_at IS NULL) AS issuers,
        (SELECT json_group_array(json_object('kind', kind, 'count', count)) FROM
          (SELECT kind, count(*) AS count FROM group_mappings WHERE organization = ?1 AND document <> ?2 GROUP BY kind)
        ) AS counts`,
    )
    .bind(organization, document)
}

/** `written`: ids of the issuers that the source of the policy has. */
export function aroundOf([row]: AroundRow[], written: readonly string[]) {
  const { projects, issuers, counts } = row as AroundRow
  return {
    projectCount: projects,
    issuers: [...new Set([...written, ...(JSON.parse(issuers) as string[])])],
    counts: JSON.parse(counts) as MappingCounts,
  }
}

/** The same once more within the batch, after its rows: others may have come meanwhile. */
export function countsGuards(
  database: D1Database,
  organization: string,
  old: ReturnType<typeof countMappings>,
  now: ReturnType<typeof countMappings>,
): D1PreparedStatement[] {
  const atMost = (kind: 'name' | 'pattern', max: number) => {
    const condition = '(SELECT count(*) FROM group_mappings WHERE organization = ? AND kind = ?) > ?'
    return guard(database, condition, [organization, kind, max])
  }
  return [
    ...(now.groups > old.groups ? [atMost('name', MAPPINGS_MAX)] : []),
    ...(now.patterns > old.patterns ? [atMost('pattern', PATTERNS_MAX)] : []),
  ]
}

/** An organization that has too much already may still have less. */
export function checkCounts(
  others: MappingCounts,
  before: StoredMappings | null,
  after: StoredMappings | null,
): Refusal | null {
  const [old, now] = [countMappings(before), countMappings(after)]
  const other = (kind: 'name' | 'pattern') => others.find((row) => row.kind === kind)?.count ?? 0
  const groups = other('name') + now.groups
  const patterns = other('pattern') + now.patterns
  if (now.groups > old.groups && groups > MAPPINGS_MAX)
    return limitReached('mappings of groups', groups, MAPPINGS_MAX)
  if (now.patterns > old.patterns && patterns > PATTERNS_MAX)
    return limitReached('patterns', patterns, PATTERNS_MAX)
  return null
}
