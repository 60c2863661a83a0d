// Derived rows of many projects at once, for an organization that is declared whole: a fixed number of statements,
// each with its rows as JSON in parameters that D1 takes, however many projects and mappings there are.
import { jsonChunks } from './commit.ts'
import { projectName, publicIdOf, type StoredMappings } from './documents.ts'
import { deletedProjects, type MappingPlace, mappingRows } from './rows.ts'
import { searchManyStatements } from './search.ts'

export interface DeclaredProject {
  slug: string
  displayName: string
  /** Of its document after the edit. */
  version: number
  kind: 'created' | 'changed'
  /** Whether its names are found by other words than before. */
  isRenamed: boolean
}

export async function declaredProjects(
  database: D1Database,
  organization: string,
  projects: readonly DeclaredProject[],
  now: number,
): Promise<D1PreparedStatement[]> {
  const created = await Promise.all(
    projects
      .filter(({ kind }) => kind === 'created')
      .map(async ({ slug, displayName, version }) => {
        return [slug, await publicIdOf(projectName(organization, slug)), displayName, version]
      }),
  )
  const changed = projects
    .filter(({ kind }) => kind === 'changed')
    .map(({ slug, displayName, version }) => [slug, displayName, version])
  const found = projects
    .filter(({ kind, isRenamed }) => kind === 'created' || isRenamed)
    .map(({ slug, displayName }) => ({
      kind: 'project' as const,
      id: `${organization}/${slug}`,
      organization,
      text: `${slug} ${displayName}`,
    }))
  return [
    ...jsonChunks(created).map((chunk) => database.prepare(CREATE).bind(chunk, organization, now)),
    ...jsonChunks(changed).map((chunk) => database.prepare(CHANGE).bind(chunk, organization, now)),
    ...searchManyStatements(database, found),
  ]
}

const CREATE = `INSERT INTO projects
  (organization, slug, public_id, display_name, in_policy, version, created_at, updated_at)
  SELECT ?2, value ->> 0, value ->> 1, value ->> 2, 0, value ->> 3, ?3, ?3 FROM json_each(?1)`
const CHANGE = `UPDATE projects SET display_name = row.value ->> 1, version = row.value ->> 2, updated_at = ?3
  FROM json_each(?1) AS row WHERE organization = ?2 AND slug = row.value ->> 0`

export interface DeclaredMappings {
  place: MappingPlace
  isNew: boolean
  after: StoredMappings
}

/** All rows of each document anew. */
export function declaredMappings(
  database: D1Database,
  organization: string,
  documents: readonly DeclaredMappings[],
): D1PreparedStatement[] {
  const known = documents.filter(({ isNew }) => !isNew).map(({ place }) => place.document)
  const rows = documents.flatMap(({ place, after }) => {
    return [...mappingRows(place, after)].flatMap(([mapping, list]) => {
      return list.map((row) => [place.document, place.project, mapping, ...row])
    })
  })
  return [
    ...jsonChunks(known).map((chunk) => {
      return database
        .prepare('DELETE FROM group_mappings WHERE document IN (SELECT value FROM json_each(?))')
        .bind(chunk)
    }),
    ...jsonChunks(rows).map((chunk) => database.prepare(MAP).bind(chunk, organization)),
  ]
}

const MAP = `INSERT INTO group_mappings
  (document, organization, project, mapping, group_name, group_key, kind, role_name)
  SELECT value ->> 0, ?2, value ->> 1, value ->> 2, value ->> 3, value ->> 4, value ->> 5, value ->> 6
  FROM json_each(?1)`

/** Projects that are declared no more, with their service accounts, whose documents are the caller's. */
export function projectsGone(
  database: D1Database,
  organization: string,
  slugs: readonly string[],
  now: number,
): D1PreparedStatement[] {
  const accounts = `SELECT id FROM service_accounts
    WHERE organization = ?1 AND project IN (SELECT value FROM json_each(?2))`
  return [
    ...jsonChunks(slugs).flatMap((chunk) => {
      const plain = (sql: string) => database.prepare(sql).bind(organization, chunk)
      const timed = (sql: string) => database.prepare(sql).bind(organization, chunk, now)
      const entries = `SELECT rowid FROM search_entries WHERE kind = 'service-account' AND id IN (${accounts})`
      return [
        plain(`DELETE FROM search WHERE rowid IN (${entries})`),
        plain(`DELETE FROM search_entries WHERE rowid IN (${entries})`),
        timed(
          `UPDATE service_account_keys SET revoked_at = ?3 WHERE service_account IN (${accounts}) AND revoked_at IS NULL`,
        ),
        plain(`DELETE FROM memberships WHERE holder IN (SELECT 'service-account/' || id FROM (${accounts}))`),
        plain(`DELETE FROM identities WHERE holder IN (SELECT 'service-account/' || id FROM (${accounts}))`),
        timed(
          `UPDATE service_accounts SET deleted_at = ?3, updated_at = ?3, version = version + 1
            WHERE id IN (${accounts}) AND deleted_at IS NULL`,
        ),
      ]
    }),
    ...deletedProjects(database, organization, slugs, now),
  ]
}
