// What the management API's answers cost at least: a Worker that runs only the statements of D1 which each
// operation cannot do without, and answers with what they found as JSON. It asks nobody who is calling, checks
// nothing that it is given, and tells nobody of what it has changed.

interface BareEnvironment {
  DB: D1Database
}

export default {
  async fetch(request: Request, { DB }: BareEnvironment): Promise<Response> {
    const { pathname, searchParams } = new URL(request.url)
    const [, , , , organization, , project] = pathname.split('/')
    if (request.method === 'PATCH') return save(DB, request, organization!, project!)
    if (project !== undefined) return getProject(DB, organization!, project)
    if (organization !== undefined) return getOrganization(DB, organization)
    const limit = Number(searchParams.get('limit'))
    const search = searchParams.get('search')
    return search === null ? list(DB, limit) : find(DB, search, limit)
  },
} satisfies ExportedHandler<BareEnvironment>

const SUMMARY =
  'slug, public_id AS id, display_name AS displayName, in_policy AS inPolicy, version, created_at AS createdAt, updated_at AS updatedAt'

async function list(database: D1Database, limit: number): Promise<Response> {
  const { results } = await database
    .prepare(`SELECT ${SUMMARY} FROM organizations WHERE deleted_at IS NULL ORDER BY slug LIMIT ?`)
    .bind(limit)
    .all()
  return Response.json({ items: results })
}

async function find(database: D1Database, word: string, limit: number): Promise<Response> {
  const { results } = await database
    .prepare(
      `SELECT ${SUMMARY} FROM organizations WHERE deleted_at IS NULL AND slug IN (
        SELECT id FROM search CROSS JOIN search_entries ON search_entries.rowid = search.rowid
        WHERE search MATCH ? AND kind = 'organization') ORDER BY slug LIMIT ?`,
    )
    .bind(`"${word}"*`, limit)
    .all()
  return Response.json({ items: results })
}

const NEWEST = 'SELECT version, content FROM versions WHERE document = ? ORDER BY version DESC LIMIT 1'

async function getOrganization(database: D1Database, organization: string): Promise<Response> {
  const [row, newest, count] = await database.batch<Record<string, unknown>>([
    database.prepare('SELECT * FROM organizations WHERE slug = ?').bind(organization),
    database.prepare(NEWEST).bind(`organization/${organization}`),
    database
      .prepare('SELECT count(*) AS projects FROM projects WHERE organization = ? AND deleted_at IS NULL')
      .bind(organization),
  ])
  return answer(row!, newest!, { projectCount: count!.results[0]!.projects })
}

async function getProject(database: D1Database, organization: string, project: string): Promise<Response> {
  const [row, newest] = await database.batch<Record<string, unknown>>([
    database
      .prepare('SELECT * FROM projects WHERE organization = ? AND slug = ?')
      .bind(organization, project),
    database.prepare(NEWEST).bind(`project/${organization}/${project}`),
  ])
  return answer(row!, newest!, {})
}

type Found = D1Result<Record<string, unknown>>

function answer(row: Found, newest: Found, more: object): Response {
  const { version, content } = newest.results[0]!
  const body = { ...row.results[0], ...(JSON.parse(content as string) as object), version, ...more }
  return Response.json(body, { headers: { etag: `"${version}"` } })
}

const ACTOR = JSON.stringify({
  kind: 'user',
  issuer: 'staff',
  subject: 'bench-admin',
  email: 'bench-admin@example.com',
})

interface Written {
  idpGroupMappings: { roleName: string; idpGroups: string[] }[]
}

/** The last of the mappings is the one that changed. */
async function save(
  database: D1Database,
  request: Request,
  organization: string,
  project: string,
): Promise<Response> {
  const { idpGroupMappings } = await request.json<Written>()
  const version = Number(request.headers.get('if-match')?.slice(1, -1)) + 1
  const document = `project/${organization}/${project}`
  const content = JSON.stringify({ idpGroupMappings, patternMappings: [] })
  const last = idpGroupMappings.length - 1
  const { roleName, idpGroups } = idpGroupMappings[last]!
  const group = idpGroups[0]!
  const now = Date.now()
  const id = crypto.randomUUID()
  await database.batch([
    database
      .prepare(
        `INSERT INTO versions (document, version, content, operation, actor, request_id, at)
          VALUES (?, ?, ?, 'projects.update', ?, ?, ?)`,
      )
      .bind(document, version, content, ACTOR, id, now),
    database
      .prepare('UPDATE projects SET version = ?, updated_at = ? WHERE organization = ? AND slug = ?')
      .bind(version, now, organization, project),
    database
      .prepare('DELETE FROM group_mappings WHERE document = ? AND mapping = ?')
      .bind(document, `idpGroupMappings[${last}]`),
    database
      .prepare(
        `INSERT INTO group_mappings (document, mapping, group_name, group_key, kind, role_name, organization, project)
          VALUES (?, ?, ?, ?, 'name', ?, ?, ?)`,
      )
      .bind(
        document,
        `idpGroupMappings[${last}]`,
        group,
        group.toLowerCase(),
        roleName,
        organization,
        project,
      ),
    database
      .prepare(
        `INSERT INTO audit_events (chain, number, at, actor, actor_key, operation, target_kind, target, before, after,
            request_id, hash, previous)
          SELECT ?1, number + 1, ?2, ?3, 'staff bench-admin', 'projects.update', 'project', ?4, '{}', ?5, ?6, ?6, hash
          FROM audit_events WHERE chain = ?1 ORDER BY number DESC LIMIT 1`,
      )
      .bind(
        organization,
        now,
        ACTOR,
        `${organization}/${project}`,
        JSON.stringify({ idpGroupMappings: [idpGroupMappings[last]] }),
        id,
      ),
  ])
  return Response.json(
    { organization, slug: project, idpGroupMappings, patternMappings: [], version },
    { headers: { etag: `"${version}"` } },
  )
}
