// The rows of D1 that tell what the policy's source names: organizations, projects, issuers and group mappings.
// They are rewritten in the batch of the edit that writes the document `policy`, whoever makes it.
//
// An organization is there while the source names it or its own document is; a project or an issuer as well, and
// while its organization is. A slug that was deleted comes back only through a source that names it. What an
// organization holds in documents of their own is not touched when the source drops the organization: it is out of
// force, and in force again should the source name the organization again.
import { issuerNames } from '../../policy/check.ts'
import { ENVIRONMENT_ISSUER_ID, type EnvironmentIssuer } from '../../policy/environment-issuer.ts'
import { describedId, type EnvironmentMapping, organizationWith } from '../../policy/layers.ts'
import { mappingLists, sitesOf } from '../../policy/mapping-sites.ts'
import type { PolicyDocument } from '../../policy/schema.ts'
import type { Issuer } from '../../policy/schema-issuer.ts'
import { jsonChunks } from './commit.ts'
import { organizationName, projectName, publicIdOf } from './documents.ts'
import { groupKeyOf } from './rows.ts'
import { searchTerms } from './search.ts'

/** Statements for the batch, after the one that inserts the version. `now` is in milliseconds since the epoch. */
export async function policyRows(
  database: D1Database,
  policy: PolicyDocument,
  { mappings, issuer }: { mappings: readonly EnvironmentMapping[]; issuer: EnvironmentIssuer | null },
  now: number,
): Promise<D1PreparedStatement[]> {
  const each = (sql: string, rows: readonly unknown[]) => {
    return jsonChunks(rows).map((chunk) => database.prepare(sql).bind(chunk, now))
  }
  const one = (sql: string) => database.prepare(sql).bind(now)
  const { organizations, projects } = await placesOf(policy)
  const described = issuer ? await describedRow(database, policy, issuer) : null
  const written = issuersOf(policy)
  const issuers = written.filter(([id]) => id !== described?.[0])
  if (described) issuers.push(described)
  return [
    ...mappingRows(database, policy, mappings),
    ...MARK.map((sql) => database.prepare(sql)),
    ...each(UPSERT_ORGANIZATIONS, organizations),
    one(DROP_ORGANIZATIONS),
    ...each(UPSERT_PROJECTS, projects),
    one(DROP_PROJECTS),
    one(END_WITH_ORGANIZATION('projects')),
    one(RETURN_WITH_ORGANIZATION('projects', PROJECT_CONTENT)),
    ...each(UPSERT_ISSUERS, issuers),
    // It was given for another record of that id, which may have been another issuer.
    ...jsonChunks(written.map(([id]) => id)).map((chunk) => database.prepare(FORGET_SECRETS).bind(chunk)),
    one(DROP_ISSUERS),
    one(END_WITH_ORGANIZATION('issuers')),
    one(RETURN_WITH_ORGANIZATION('issuers', ISSUER_CONTENT)),
    database.prepare(FORGET_ISSUER_NAMES),
    ...jsonChunks(
      issuers.flatMap(([id, organization, , names]) => names.map((name) => [name, organization, id])),
    ).map((chunk) => database.prepare(INSERT_ISSUER_NAMES).bind(chunk)),
    database.prepare(RESTORE_ISSUER_NAMES),
    ...searchRows(policy, await namesBelow(database)).flatMap((chunk) =>
      SEARCH.map((sql) => database.prepare(sql).bind(chunk)),
    ),
  ]
}

/** A name by which something is found: its own when the source does not say one. */
interface Named {
  kind: 'organization' | 'project'
  organization: string
  slug: string
  name: string
}

/** What is named by the source now, and would be named otherwise without it. */
async function namesBelow(database: D1Database): Promise<Named[]> {
  const { results } = await database.prepare(NAMES_BELOW).all<Named>()
  return results
}

/** The words of what the source names; of others only where there are none yet. */
function searchRows(policy: PolicyDocument, below: readonly Named[]): string[] {
  const rows = new Map<string, unknown[]>()
  const add = ({ kind, organization, slug, name }: Omit<Named, 'name'> & { name: string | undefined }) => {
    const id = kind === 'organization' ? slug : `${organization}/${slug}`
    const terms = searchTerms(`${slug} ${name ?? slug}`).join(' ')
    if (name !== undefined || !rows.has(`${kind} ${id}`)) {
      rows.set(`${kind} ${id}`, [kind, id, organization, terms, name === undefined ? 0 : 1])
    }
  }
  for (const named of below) add(named)
  for (const [slug, { displayName, projects }] of Object.entries(policy.organizations)) {
    add({ kind: 'organization', organization: slug, slug, name: displayName })
    for (const [name, project] of Object.entries(projects)) {
      add({ kind: 'project', organization: slug, slug: name, name: project.displayName })
    }
  }
  return jsonChunks([...rows.values()])
}

const SEARCH = [
  `INSERT INTO search_entries (kind, id, organization)
   SELECT value ->> 0, value ->> 1, value ->> 2 FROM json_each(?1) WHERE true ON CONFLICT DO NOTHING`,
  `INSERT OR REPLACE INTO search (rowid, terms)
   SELECT entry.rowid, row.value ->> 3 FROM json_each(?1) AS row
   JOIN search_entries AS entry ON entry.kind = row.value ->> 0 AND entry.id = row.value ->> 1
   LEFT JOIN search ON search.rowid = entry.rowid
   WHERE search.rowid IS NULL OR (row.value ->> 4 = 1 AND search.terms <> row.value ->> 3)`,
]

async function placesOf(policy: PolicyDocument) {
  const organizations: [
    slug: string,
    publicId: string,
    displayName: string | null,
    audience: string | null,
  ][] = []
  const projects: [organization: string, slug: string, publicId: string, displayName: string | null][] = []
  for (const [slug, organization] of Object.entries(policy.organizations)) {
    const { displayName = null, audience = null } = organization
    organizations.push([slug, await publicIdOf(organizationName(slug)), displayName, audience])
    for (const [name, project] of Object.entries(organization.projects)) {
      projects.push([slug, name, await publicIdOf(projectName(slug, name)), project.displayName ?? null])
    }
  }
  return { organizations, projects }
}

type IssuerRow = [id: string, organization: string, issuer: string, names: string[]]

/**
 * The issuer that variables describe, where neither the source nor the database has a record of that `iss`: it is above
 * the database as the source's are, so whoever asks for issuers finds it.
 */
async function describedRow(
  database: D1Database,
  { issuers, organizations }: PolicyDocument,
  described: EnvironmentIssuer,
): Promise<IssuerRow | null> {
  const { issuer } = described
  if (organizationWith(organizations, issuer) !== null) return null
  if (describedId(issuers, described) !== ENVIRONMENT_ISSUER_ID) return null
  const stored = await database.prepare(HELD_BY_DATABASE).bind(issuer).first()
  return stored ? null : [ENVIRONMENT_ISSUER_ID, '', issuer, [issuer]]
}
const HELD_BY_DATABASE = `
  SELECT 1 FROM issuer_names n JOIN issuers i ON i.id = n.issuer
  WHERE n.name = ? AND n.organization = '' AND i.in_policy = 0 AND i.deleted_at IS NULL`

function issuersOf(policy: PolicyDocument): IssuerRow[] {
  const rows: IssuerRow[] = []
  const add = (id: string, organization: string, issuer: Issuer) => {
    rows.push([id, organization, issuer.issuer, [...new Set(issuerNames(issuer))]])
  }
  for (const [id, issuer] of Object.entries(policy.issuers)) add(id, '', issuer)
  for (const [slug, { issuers }] of Object.entries(policy.organizations)) {
    for (const [id, issuer] of Object.entries(issuers)) add(`${slug}/${id}`, slug, issuer)
  }
  return rows
}

/** The newest content of a document, by an expression that gives its name. */
const contentOf = (document: string) =>
  `(SELECT content FROM versions WHERE document = ${document} ORDER BY version DESC LIMIT 1)`
const ORGANIZATION_CONTENT = contentOf("'organization/' || slug")
const PROJECT_CONTENT = contentOf("'project/' || organization || '/' || slug")
const ISSUER_CONTENT = contentOf("'issuer/' || id")

const NAMES_BELOW = `
  SELECT kind, organization, slug, name FROM (
    SELECT 'organization' AS kind, slug AS organization, slug, display_name,
      coalesce(${ORGANIZATION_CONTENT} ->> '$.displayName', slug) AS name
    FROM organizations WHERE in_policy = 1 AND display_name <> slug
    UNION ALL
    SELECT 'project', organization, slug, display_name, coalesce(${PROJECT_CONTENT} ->> '$.displayName', slug)
    FROM projects WHERE in_policy = 1 AND display_name <> slug
  ) WHERE name <> display_name`

/** 2 within the batch: named by the source before, and not yet by this one. */
const MARK = [
  'DELETE FROM issuer_names WHERE issuer IN (SELECT id FROM issuers WHERE in_policy = 1)',
  ...['organizations', 'projects', 'issuers'].map((table) => {
    return `UPDATE ${table} SET in_policy = 2 WHERE in_policy = 1`
  }),
]

const UPSERT_ORGANIZATIONS = `
  INSERT INTO organizations (slug, public_id, display_name, audience, in_policy, version, created_at, updated_at)
  SELECT slug, id, coalesce(name, ${ORGANIZATION_CONTENT} ->> '$.displayName', slug),
    coalesce(audience, ${ORGANIZATION_CONTENT} ->> '$.audience', slug), 1, 0, ?2, ?2
  FROM (SELECT value ->> 0 AS slug, value ->> 1 AS id, value ->> 2 AS name, value ->> 3 AS audience FROM json_each(?1))
  WHERE true
  ON CONFLICT (slug) DO UPDATE SET display_name = excluded.display_name, audience = excluded.audience, in_policy = 1,
    deleted_at = NULL,
    updated_at = iif(organizations.in_policy = 2 AND display_name = excluded.display_name
      AND audience = excluded.audience AND deleted_at IS NULL, updated_at, excluded.updated_at)`
const DROP_ORGANIZATIONS = `
  UPDATE organizations SET in_policy = 0, updated_at = ?1,
    display_name = coalesce(${ORGANIZATION_CONTENT} ->> '$.displayName', slug),
    audience = coalesce(${ORGANIZATION_CONTENT} ->> '$.audience', slug),
    deleted_at = iif(${ORGANIZATION_CONTENT} IS NULL, ?1, deleted_at)
  WHERE in_policy = 2`

const UPSERT_PROJECTS = `
  INSERT INTO projects (organization, slug, public_id, display_name, in_policy, version, created_at, updated_at)
  SELECT organization, slug, id, coalesce(name, ${PROJECT_CONTENT} ->> '$.displayName', slug), 1, 0, ?2, ?2
  FROM (SELECT value ->> 0 AS organization, value ->> 1 AS slug, value ->> 2 AS id, value ->> 3 AS name
    FROM json_each(?1))
  WHERE true
  ON CONFLICT (organization, slug) DO UPDATE SET display_name = excluded.display_name, in_policy = 1,
    deleted_at = NULL,
    updated_at = iif(projects.in_policy = 2 AND display_name = excluded.display_name AND deleted_at IS NULL,
      updated_at, excluded.updated_at)`
const DROP_PROJECTS = `
  UPDATE projects SET in_policy = 0, updated_at = ?1,
    display_name = coalesce(${PROJECT_CONTENT} ->> '$.displayName', slug),
    deleted_at = iif(${PROJECT_CONTENT} IS NULL, ?1, deleted_at)
  WHERE in_policy = 2`

const UPSERT_ISSUERS = `
  INSERT INTO issuers (id, organization, issuer, in_policy, version, created_at, updated_at)
  SELECT value ->> 0, value ->> 1, value ->> 2, 1, 0, ?2, ?2 FROM json_each(?1) WHERE true
  ON CONFLICT (id) DO UPDATE SET issuer = excluded.issuer, in_policy = 1, deleted_at = NULL,
    updated_at = iif(issuers.in_policy = 2 AND issuer = excluded.issuer AND deleted_at IS NULL,
      updated_at, excluded.updated_at)`
const FORGET_SECRETS = 'DELETE FROM issuer_secrets WHERE issuer IN (SELECT value FROM json_each(?1))'
const DROP_ISSUERS = `
  UPDATE issuers SET in_policy = 0, updated_at = ?1,
    issuer = coalesce(${ISSUER_CONTENT} ->> '$.settings.issuer', issuer),
    deleted_at = iif(${ISSUER_CONTENT} IS NULL, ?1, deleted_at)
  WHERE in_policy = 2`

/** With an organization goes what is in it, and with it comes back what has a document. */
const END_WITH_ORGANIZATION = (table: 'projects' | 'issuers') => `
  UPDATE ${table} SET deleted_at = ?1, updated_at = ?1
  WHERE deleted_at IS NULL
    AND organization IN (SELECT slug FROM organizations WHERE deleted_at = ?1 AND updated_at = ?1)`
const RETURN_WITH_ORGANIZATION = (table: 'projects' | 'issuers', content: string) => `
  UPDATE ${table} SET deleted_at = NULL, updated_at = ?1
  WHERE deleted_at IS NOT NULL AND ${content} IS NOT NULL
    AND (organization = '' OR organization IN (SELECT slug FROM organizations WHERE deleted_at IS NULL))`

const FORGET_ISSUER_NAMES =
  'DELETE FROM issuer_names WHERE issuer IN (SELECT id FROM issuers WHERE deleted_at IS NOT NULL)'
const INSERT_ISSUER_NAMES = `INSERT OR REPLACE INTO issuer_names (name, organization, issuer)
  SELECT value ->> 0, value ->> 1, value ->> 2 FROM json_each(?1)`
/** Names that the source had taken from a record of the database. */
const RESTORE_ISSUER_NAMES = `
  INSERT OR IGNORE INTO issuer_names (name, organization, issuer)
  SELECT coalesce(replace(record.written ->> '$.settings.issuer', '{tenantid}', tenant.value),
    record.written ->> '$.settings.issuer'), record.organization, record.id
  FROM (SELECT id, organization, ${ISSUER_CONTENT} AS written FROM issuers
    WHERE in_policy = 0 AND deleted_at IS NULL AND id NOT IN (SELECT issuer FROM issuer_names)) AS record
  LEFT JOIN json_each(record.written, '$.settings.tenants') AS tenant
  WHERE record.written ->> '$.settings.issuer' IS NOT NULL`

/** Rows of what stands above the database, under these names in place of a document's. */
const ABOVE = `('policy', 'environment')`

function mappingRows(
  database: D1Database,
  policy: PolicyDocument,
  environment: readonly EnvironmentMapping[],
): D1PreparedStatement[] {
  const rows: unknown[] = []
  const counts: unknown[] = []
  for (const list of mappingLists(policy)) {
    const { level, idpGroupMappings, patternMappings } = list
    const organization = level.kind === 'global' ? '' : level.organization
    const project = level.kind === 'project' ? level.project : ''
    const ofEnvironment = level.kind === 'global' ? environment : []
    counts.push([organization, project, 'name', idpGroupMappings.length + ofEnvironment.length])
    counts.push([organization, project, 'pattern', patternMappings.length])
    const add = (
      document: string,
      mapping: string,
      kind: 'name' | 'pattern',
      role: string,
      names: readonly string[],
    ) => {
      for (const name of new Set(names)) {
        rows.push([document, mapping, name, groupKeyOf(kind, name), kind, role, organization, project])
      }
    }
    for (const site of sitesOf({ ...list, path: [] })) {
      const [member, index] = site.path
      const at = `${member}[${index}]`
      if (site.kind === 'group') add('policy', at, 'name', site.mapping.roleName, site.mapping.idpGroups)
      else add('policy', at, 'pattern', site.mapping.roleName, site.mapping.groupPatterns)
    }
    ofEnvironment.forEach(({ roleName, idpGroups }, index) => {
      add('environment', `idpGroupMappings[${idpGroupMappings.length + index}]`, 'name', roleName, idpGroups)
    })
  }
  const nonEmpty = counts.filter((count) => (count as [string, string, string, number])[3] > 0)
  const [first = '[]', ...more] = jsonChunks(nonEmpty)
  return [
    database.prepare(shiftMappings(PLACES_BEFORE)).bind(first),
    ...more.map((chunk) => database.prepare(shiftMappings('')).bind(chunk)),
    database.prepare(`DELETE FROM group_mappings WHERE document IN ${ABOVE}`),
    ...jsonChunks(rows).map((chunk) => database.prepare(INSERT_MAPPINGS).bind(chunk)),
  ]
}

const PLACES_BEFORE = `
  SELECT organization, project, kind, -count(DISTINCT mapping) AS count FROM group_mappings
  WHERE document IN ${ABOVE} GROUP BY organization, project, kind
  UNION ALL`

/** The database's mappings stand after those above it, so each moves by what came or went there. */
const shiftMappings = (before: string) => `
  UPDATE group_mappings SET mapping = substr(mapping, 1, instr(mapping, '['))
    || (CAST(substr(mapping, instr(mapping, '[') + 1) AS INTEGER) + moved.places) || ']'
  FROM (
    SELECT organization, project, kind, sum(count) AS places FROM (${before}
      SELECT value ->> 0 AS organization, value ->> 1 AS project, value ->> 2 AS kind, value ->> 3 AS count
      FROM json_each(?1)
    ) GROUP BY organization, project, kind HAVING sum(count) <> 0
  ) AS moved
  WHERE document NOT IN ${ABOVE} AND group_mappings.organization = moved.organization
    AND group_mappings.project = moved.project AND group_mappings.kind = moved.kind`

const INSERT_MAPPINGS = `
  INSERT INTO group_mappings (document, mapping, group_name, group_key, kind, role_name, organization, project)
  SELECT value ->> 0, value ->> 1, value ->> 2, value ->> 3, value ->> 4, value ->> 5, value ->> 6, value ->> 7
  FROM json_each(?1)`
