// The rows that D1 keeps besides the documents, derived from them: organizations and projects as lists show them,
// and a row for each group of each mapping. All are written in the batch that writes the document.
import { foldCase } from '../../policy/fold-case.ts'
import { jsonChunks } from './commit.ts'
import { organizationName, projectName, publicIdOf, type StoredMappings } from './documents.ts'
import { forgetSearch, searchStatements } from './search.ts'

export interface OrganizationRow {
  slug: string
  public_id: string
  display_name: string
  audience: string
  in_policy: number
  version: number
  created_at: number
  updated_at: number
  deleted_at: number | null
}

export interface ProjectRow {
  organization: string
  slug: string
  public_id: string
  display_name: string
  in_policy: number
  version: number
  created_at: number
  updated_at: number
  deleted_at: number | null
}

export interface OrganizationFacts {
  slug: string
  displayName: string
  audience: string
  version: number
}

/** A slug that was ever used fails at its primary key. */
export async function newOrganization(
  database: D1Database,
  { slug, displayName, audience, version }: OrganizationFacts,
  now: number,
): Promise<D1PreparedStatement[]> {
  return [
    database
      .prepare(
        `INSERT INTO organizations (slug, public_id, display_name, audience, in_policy, version, created_at, updated_at)
          VALUES (?1, ?2, ?3, ?4, 0, ?5, ?6, ?6)`,
      )
      .bind(slug, await publicIdOf(organizationName(slug)), displayName, audience, version, now),
    ...searchOrganization(database, slug, displayName),
  ]
}

export function changedOrganization(
  database: D1Database,
  { slug, displayName, audience, version }: OrganizationFacts,
  before: Pick<OrganizationRow, 'display_name'>,
  now: number,
): D1PreparedStatement[] {
  return [
    database
      .prepare(
        'UPDATE organizations SET display_name = ?2, audience = ?3, version = ?4, updated_at = ?5 WHERE slug = ?1',
      )
      .bind(slug, displayName, audience, version, now),
    ...(displayName === before.display_name ? [] : searchOrganization(database, slug, displayName)),
  ]
}

function searchOrganization(database: D1Database, slug: string, displayName: string): D1PreparedStatement[] {
  return searchStatements(
    database,
    { kind: 'organization', id: slug, organization: slug },
    `${slug} ${displayName}`,
  )
}

/** Another organization may have taken the audience since that was looked up. */
export function audienceGuard(database: D1Database, slug: string, audience: string): D1PreparedStatement {
  return guard(
    database,
    'EXISTS (SELECT 1 FROM organizations WHERE audience = ? AND slug <> ? AND deleted_at IS NULL)',
    [audience, slug],
  )
}

/** The organization may have been deleted since it was read. */
export function organizationGuard(database: D1Database, slug: string): D1PreparedStatement {
  return guard(database, 'NOT EXISTS (SELECT 1 FROM organizations WHERE slug = ? AND deleted_at IS NULL)', [
    slug,
  ])
}

/**
 * Fails the whole batch when the condition holds: what was true when it was read may not be any more. The column
 * may not be null; commit.ts tells such a failure from others by it.
 */
export function guard(
  database: D1Database,
  condition: string,
  values: readonly unknown[],
): D1PreparedStatement {
  return database
    .prepare(
      `INSERT INTO versions (document, version, operation, actor, request_id, at)
        SELECT NULL, 0, '', '', '', 0 WHERE ${condition}`,
    )
    .bind(...values)
}

export interface ProjectFacts {
  organization: string
  slug: string
  displayName: string
  version: number
}

export async function newProject(
  database: D1Database,
  { organization, slug, displayName, version }: ProjectFacts,
  now: number,
): Promise<D1PreparedStatement[]> {
  return [
    database
      .prepare(
        `INSERT INTO projects (organization, slug, public_id, display_name, in_policy, version, created_at, updated_at)
          VALUES (?1, ?2, ?3, ?4, 0, ?5, ?6, ?6)`,
      )
      .bind(organization, slug, await publicIdOf(projectName(organization, slug)), displayName, version, now),
    ...searchProject(database, organization, slug, displayName),
  ]
}

export function changedProject(
  database: D1Database,
  { organization, slug, displayName, version }: ProjectFacts,
  before: Pick<ProjectRow, 'display_name'>,
  now: number,
): D1PreparedStatement[] {
  return [
    database
      .prepare(
        `UPDATE projects SET display_name = ?3, version = ?4, updated_at = ?5 WHERE organization = ?1 AND slug = ?2`,
      )
      .bind(organization, slug, displayName, version, now),
    ...(displayName === before.display_name ? [] : searchProject(database, organization, slug, displayName)),
  ]
}

function searchProject(
  database: D1Database,
  organization: string,
  slug: string,
  displayName: string,
): D1PreparedStatement[] {
  const entry = { kind: 'project' as const, id: `${organization}/${slug}`, organization }
  return searchStatements(database, entry, `${slug} ${displayName}`)
}

/** `slugs` of projects of one organization; their documents and those of what is in them are the caller's. */
export function deletedProjects(
  database: D1Database,
  organization: string,
  slugs: readonly string[],
  now: number,
): D1PreparedStatement[] {
  return jsonChunks(slugs).flatMap((chunk) => [
    database
      .prepare(
        `UPDATE projects SET deleted_at = ?3, updated_at = ?3, version = version + 1
          WHERE organization = ?1 AND slug IN (SELECT value FROM json_each(?2))`,
      )
      .bind(organization, chunk, now),
    database
      .prepare(
        `DELETE FROM group_mappings WHERE document IN
          (SELECT 'project/' || ?1 || '/' || value FROM json_each(?2))`,
      )
      .bind(organization, chunk),
    database
      .prepare(
        'DELETE FROM memberships WHERE organization = ?1 AND project IN (SELECT value FROM json_each(?2))',
      )
      .bind(organization, chunk),
    ...forgetSearch(
      database,
      'project',
      JSON.stringify((JSON.parse(chunk) as string[]).map((slug) => `${organization}/${slug}`)),
    ),
  ])
}

/** Where a document's mappings are written. */
export interface MappingPlace {
  document: string
  /** Empty at the global level. */
  organization: string
  project: string
  /** How many mappings stand above the document's own in the merged lists, whose indexes rows carry. */
  above: { idpGroupMappings: number; patternMappings: number }
}

export type MappingRow = [group: string, key: string, kind: 'name' | 'pattern', role: string]

/** By which a row is found: a group's name in folded case; of a pattern the text before its first variable part. */
export function groupKeyOf(kind: 'name' | 'pattern', text: string): string {
  return foldCase(kind === 'name' ? text : (/^[^*{]*/.exec(text)?.[0] ?? ''))
}

/** Only rows of mappings that are no longer what they were are written anew. */
export function mappingStatements(
  database: D1Database,
  place: MappingPlace,
  before: StoredMappings | null,
  after: StoredMappings | null,
): D1PreparedStatement[] {
  const [old, now] = [mappingRows(place, before), mappingRows(place, after)]
  const differs = (name: string) => JSON.stringify(old.get(name)) !== JSON.stringify(now.get(name))
  const gone = [...old.keys()].filter(differs)
  const added = [...now].filter(([name]) => differs(name))
  const rows = added.flatMap(([name, list]) => list.map((row) => [name, ...row]))
  const { document, organization, project } = place
  return [
    ...jsonChunks(gone).map((chunk) => {
      return database
        .prepare(
          'DELETE FROM group_mappings WHERE document = ?1 AND mapping IN (SELECT value FROM json_each(?2))',
        )
        .bind(document, chunk)
    }),
    ...jsonChunks(rows).map((chunk) => database.prepare(INSERT).bind(chunk, document, organization, project)),
  ]
}

const INSERT = `INSERT INTO group_mappings
  (document, mapping, group_name, group_key, kind, role_name, organization, project)
  SELECT ?2, value ->> 0, value ->> 1, value ->> 2, value ->> 3, value ->> 4, ?3, ?4 FROM json_each(?1)`

/** By mapping, as the column of that name has it. */
export function mappingRows(
  { above }: Pick<MappingPlace, 'above'>,
  mappings: StoredMappings | null,
): Map<string, MappingRow[]> {
  const rows = new Map<string, MappingRow[]>()
  mappings?.idpGroupMappings.forEach(({ idpGroups, roleName }, index) => {
    const of = idpGroups.map((group): MappingRow => [group, groupKeyOf('name', group), 'name', roleName])
    rows.set(`idpGroupMappings[${above.idpGroupMappings + index}]`, of)
  })
  mappings?.patternMappings.forEach(({ groupPatterns, roleName }, index) => {
    const of = groupPatterns.map(
      (text): MappingRow => [text, groupKeyOf('pattern', text), 'pattern', roleName],
    )
    rows.set(`patternMappings[${above.patternMappings + index}]`, of)
  })
  return rows
}
