// Fills databases of the control suite by bulk statements, with the rows that the API's own commits leave behind:
// the suite holds them against rows that the API wrote (control/seeded.ts). What rows say is the product's own
// code; only that there are many of them in one statement is this file's.
import { canonicalEvent } from '../../policy/audit-event.ts'
import { sha256 } from '../../worker/database/audit.ts'
import { jsonChunks } from '../../worker/database/commit.ts'
import {
  organizationName,
  projectName,
  publicIdOf,
  type StoredMappings,
} from '../../worker/database/documents.ts'
import { groupKeyOf } from '../../worker/database/rows.ts'
import { searchManyStatements } from '../../worker/database/search.ts'
import {
  ADMIN,
  displayNameOf,
  organizationMappings,
  PROJECTS_PER_ORGANIZATION,
  projectMappings,
  projectNameOf,
  projectSlugOf,
  slugOf,
} from '../control/contents.ts'

const ACTOR = { kind: 'user' as const, issuer: 'staff', subject: ADMIN.subject, email: null }
/** Organizations whose rows are written in one batch. */
const ORGANIZATIONS_PER_BATCH = 100

type SeedEnvironment = Record<string, D1Database>

export default {
  /** `?database=BINDING&organizations=N&at=MILLISECONDS` */
  async fetch(request: Request, environment: SeedEnvironment): Promise<Response> {
    const { searchParams } = new URL(request.url)
    const database = environment[searchParams.get('database') ?? '']
    if (!database) return new Response('no such database', { status: 404 })
    const organizations = Number(searchParams.get('organizations'))
    const at = Number(searchParams.get('at'))
    for (let first = 0; first < organizations; first += ORGANIZATIONS_PER_BATCH) {
      const rows = emptyRows()
      const end = Math.min(organizations, first + ORGANIZATIONS_PER_BATCH)
      for (let organization = first; organization < end; organization++)
        await addOrganization(rows, organization, at)
      await database.batch(statementsOf(database, rows, at))
    }
    const newest = await database.prepare('SELECT max(seq) AS seq FROM versions').first<{ seq: number }>()
    return Response.json(newest)
  },
} satisfies ExportedHandler<SeedEnvironment>

interface Rows {
  versions: unknown[]
  organizations: unknown[]
  projects: unknown[]
  mappings: unknown[]
  search: Parameters<typeof searchManyStatements>[1][number][]
  events: unknown[]
}

function emptyRows(): Rows {
  return { versions: [], organizations: [], projects: [], mappings: [], search: [], events: [] }
}

async function addOrganization(rows: Rows, index: number, at: number): Promise<void> {
  const slug = slugOf(index)
  const displayName = displayNameOf(index)
  const document = organizationName(slug)
  const content = { displayName, idpGroupMappings: organizationMappings(index), patternMappings: [] }
  const chain = { number: 0, previous: '' }
  await addDocument(rows, chain, {
    document,
    operation: 'organizations.create',
    kind: 'organization',
    slug,
    id: slug,
    content,
    at,
  })
  rows.organizations.push([slug, await publicIdOf(document), displayName])
  addMappings(rows, document, content, slug, '')
  rows.search.push({ kind: 'organization', id: slug, organization: slug, text: `${slug} ${displayName}` })
  for (let project = 0; project < PROJECTS_PER_ORGANIZATION; project++)
    await addProject(rows, chain, index, project, at)
}

async function addProject(
  rows: Rows,
  chain: Chain,
  index: number,
  project: number,
  at: number,
): Promise<void> {
  const [organization, slug] = [slugOf(index), projectSlugOf(project)]
  const displayName = projectNameOf(index, project)
  const document = projectName(organization, slug)
  const content = { displayName, idpGroupMappings: projectMappings(index, project), patternMappings: [] }
  const id = `${organization}/${slug}`
  await addDocument(rows, chain, {
    document,
    operation: 'projects.create',
    kind: 'project',
    slug: organization,
    id,
    content,
    at,
  })
  rows.projects.push([organization, slug, await publicIdOf(document), displayName])
  addMappings(rows, document, content, organization, slug)
  rows.search.push({ kind: 'project', id, organization, text: `${slug} ${displayName}` })
}

interface Chain {
  number: number
  previous: string
}

interface Added {
  document: string
  operation: string
  kind: string
  /** Of the organization, whose chain the event is appended to. */
  slug: string
  /** The event's target. */
  id: string
  content: StoredMappings
  at: number
}

async function addDocument(rows: Rows, chain: Chain, added: Added): Promise<void> {
  const { document, operation, kind, slug, id, content, at } = added
  const requestId = crypto.randomUUID()
  rows.versions.push([document, JSON.stringify(content), operation, requestId])
  const event = {
    chain: slug,
    at: new Date(at).toISOString(),
    actor: ACTOR,
    operation,
    target: { kind, id },
    before: null,
    after: content,
    requestId,
  }
  const hash = await sha256(canonicalEvent(event))
  chain.number++
  rows.events.push([
    slug,
    chain.number,
    operation,
    kind,
    id,
    JSON.stringify(content),
    requestId,
    hash,
    chain.previous,
  ])
  chain.previous = hash
}

function addMappings(
  rows: Rows,
  document: string,
  content: StoredMappings,
  organization: string,
  project: string,
): void {
  content.idpGroupMappings.forEach(({ roleName, idpGroups }, index) => {
    for (const group of idpGroups) {
      const mapping = `idpGroupMappings[${index}]`
      rows.mappings.push([
        document,
        mapping,
        group,
        groupKeyOf('name', group),
        roleName,
        organization,
        project,
      ])
    }
  })
}

function statementsOf(database: D1Database, rows: Rows, at: number): D1PreparedStatement[] {
  const each = (sql: string, list: readonly unknown[], ...values: unknown[]) => {
    return jsonChunks(list).map((chunk) => database.prepare(sql).bind(chunk, ...values))
  }
  const actor = JSON.stringify(ACTOR)
  return [
    ...each(VERSIONS, rows.versions, actor, at),
    ...each(ORGANIZATIONS, rows.organizations, at),
    ...each(PROJECTS, rows.projects, at),
    ...each(MAPPINGS, rows.mappings),
    ...searchManyStatements(database, rows.search),
    ...each(EVENTS, rows.events, at, actor, `${ACTOR.issuer} ${ACTOR.subject}`),
  ]
}

const VERSIONS = `INSERT INTO versions (document, version, content, operation, actor, request_id, at)
  SELECT value ->> 0, 1, value ->> 1, value ->> 2, ?2, value ->> 3, ?3 FROM json_each(?1)`
const ORGANIZATIONS = `INSERT INTO organizations
  (slug, public_id, display_name, audience, in_policy, version, created_at, updated_at)
  SELECT value ->> 0, value ->> 1, value ->> 2, value ->> 0, 0, 1, ?2, ?2 FROM json_each(?1)`
const PROJECTS = `INSERT INTO projects
  (organization, slug, public_id, display_name, in_policy, version, created_at, updated_at)
  SELECT value ->> 0, value ->> 1, value ->> 2, value ->> 3, 0, 1, ?2, ?2 FROM json_each(?1)`
const MAPPINGS = `INSERT INTO group_mappings
  (document, mapping, group_name, group_key, kind, role_name, organization, project)
  SELECT value ->> 0, value ->> 1, value ->> 2, value ->> 3, 'name', value ->> 4, value ->> 5, value ->> 6
  FROM json_each(?1)`
const EVENTS = `INSERT INTO audit_events
  (chain, number, at, actor, actor_key, operation, target_kind, target, before, after, request_id, hash, previous)
  SELECT value ->> 0, value ->> 1, ?2, ?3, ?4, value ->> 2, value ->> 3, value ->> 4, NULL, value ->> 5, value ->> 6,
    value ->> 7, value ->> 8 FROM json_each(?1)`
