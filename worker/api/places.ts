// Where somebody may have roles: organizations and projects that a mapping of one of their groups, a membership or
// their voucher names. Only candidates; whether anything is held there, `decide` says.
import { foldCase } from '../../policy/fold-case.ts'
import type { Level } from '../../policy/level.ts'
import { matchPattern, parsePattern } from '../../policy/pattern.ts'
import { groupsAt } from '../../policy/principal.ts'
import { refreshHeld } from './authenticate.ts'
import type { Call } from './call.ts'

export interface Place {
  organization: string
  /** Null: the organization itself. */
  project: string | null
}

interface Row {
  organization: string
  project: string
  kind: 'name' | 'pattern'
  name: string
}

/** A group may be found under each text it begins with; names are seldom this long. */
const PREFIX_LENGTH_MAX = 200

/** `within`: of one organization only. */
export async function placesOf(
  { environment: { DB }, principal, now }: Pick<Call, 'environment' | 'principal' | 'now'>,
  within: string | null = null,
): Promise<Place[]> {
  const { voucher, given } = principal
  const groups = groupsAt(principal, Math.floor(now / 1000))
  const names = 'names' in groups ? groups.names : []
  const places: Place[] = given.flatMap(({ organization, project }) => {
    return organization === null ? [] : [{ organization, project }]
  })
  if (voucher.organization !== null) places.push({ organization: voucher.organization, project: null })
  if (names.length > 0) {
    const keys = names.map(foldCase)
    const prefixes = new Set(keys.flatMap(prefixesOf))
    const { results } = await DB.prepare(
      `SELECT DISTINCT organization, project, kind, CASE kind WHEN 'pattern' THEN group_name ELSE '' END AS name
        FROM group_mappings WHERE group_key IN (SELECT value FROM json_each(?1)) AND kind = 'name'
        UNION SELECT DISTINCT organization, project, kind, group_name FROM group_mappings
        WHERE group_key IN (SELECT value FROM json_each(?2)) AND kind = 'pattern'`,
    )
      .bind(JSON.stringify(keys), JSON.stringify([...prefixes]))
      .all<Row>()
    for (const row of results) places.push(...placesOfRow(row, names))
  }
  const bound = within ?? voucher.organization
  const inside = places.filter(({ organization }) => {
    const isVouched = voucher.organization === null || organization === voucher.organization
    return isVouched && (bound === null || organization === bound)
  })
  return [...new Map(inside.map((place) => [`${place.organization}/${place.project ?? ''}`, place])).values()]
}

/**
 * Of the candidates those where the caller has the permission. When any has it not, all are asked once more with
 * the newest documents, so that scripts see what they wrote.
 */
export async function placesWith(
  call: Pick<Call, 'environment' | 'held'>,
  permission: string,
  levels: readonly Level[],
): Promise<Level[]> {
  const judge = async () => {
    const decisions = await Promise.all(levels.map((level) => call.held.decide(permission, level)))
    return levels.filter((_level, index) => decisions[index]?.allowed)
  }
  const first = await judge()
  if (first.length === levels.length) return first
  await refreshHeld(call.environment)
  return judge()
}

function prefixesOf(name: string): string[] {
  const length = Math.min(name.length, PREFIX_LENGTH_MAX)
  return Array.from({ length: length + 1 }, (_, end) => name.slice(0, end))
}

function placesOfRow({ organization, project, kind, name }: Row, groups: readonly string[]): Place[] {
  if (kind === 'name') {
    // A mapping of the global level gives global roles; whoever has one reads wherever it reads.
    return organization === '' ? [] : [{ organization, project: project === '' ? null : project }]
  }
  // Without regard to case: a mapping that minds it gives nothing when it is judged.
  const parsed = parsePattern(name, { ignoreCase: true })
  if (!parsed.ok) return []
  return groups.flatMap((group): Place[] => {
    const captured = matchPattern(parsed.pattern, foldCase(group))
    if (!captured) return []
    const at = organization === '' ? captured.org : organization
    const below = project === '' ? (captured.project ?? null) : project
    return at === undefined ? [] : [{ organization: at, project: below }]
  })
}
