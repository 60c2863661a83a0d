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

const NEWEST_EVENT = `SELECT number, hash AS previous FROM audit_events WHERE chain = '' ORDER BY number DESC LIMIT 1`
const ACTOR = { kind: 'user' as const, issuer: 'staff', subject: ADMIN.subject, email: ADMIN.email }
/** Organizations whose rows are written in one batch. */
const ORGANIZATIONS_PER_BATCH = 100

type SeedEnvironment = Record<string, D1Database>

export default {
  /** `?database=BINDING&twin=BINDING&organizations=N&at=MILLISECONDS`: the same rows for both. */
  async fetch(request: Request, environment: SeedEnvironment): Promise<Response> {
    const { searchParams } = new URL(request.url)
    const database = environment[searchParams.get('database') ?? '']
    const twin = environment[searchParams.get('twin') ?? '']
    if (!database || !twin) return new Response('no such database', { status: 404 })
    const organizations = Number(searchParams.get('organizations'))
    const at = Number(searchParams.get('at'))
    const newest = await database.prepare(NEWEST_EVENT).first<Pick<Chain, 'number' | 'previous'>>()
    const instance = { name: '', number: 0, previous: '', ...newest }
    for (let first = 0; first < organizations; first += ORGANIZATIONS_PER_BATCH) {
      const rows = emptyRows()
      const end = Math.min(organizations, first + ORGANIZATIONS_PER_BATCH)
      for (let organization = first; organization < end; organization++)
        await addOrganization(rows, instance, organization, at)
      for (const each of [database, twin]) await each.batch(statementsOf(each, rows, at))
    }
    const last = await database.prepare('SELECT max(seq) AS seq FROM versions').first<{ seq: number }>()
    return Response.json(last)
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

async function addOrganization(rows: Rows, instance: Chain, index: number, at: number): Promise<void> {
  const slug = slugOf(index)
  const displayName = displayNameOf(index)
  const document = organizationName(slug)
  const content = { displayName, idpGroupMappings: organizationMappings(index), patternMappings: [] }
  const made = {
    operation: 'organizations.create',
    kind: 'organization',
    id: slug,
    at,
    requestId: newRequestId(),
  }
  const chain = { name: slug, number: 0, previous: '' }
  rows.versions.push([document, JSON.stringify(content), made.operation, made.requestId])
  await addEvent(rows, chain, { ...made, after: content })
  await addEvent(rows, instance, { ...made, after: { displayName } })
  rows.organizations.push([slug, await publicIdOf(document), displayName])
  addMappings(rows, document, content, slug, '')
  rows.search.push({ kind: 'organization', id: slug, organization: slug, text: `${slug} ${displayName}` })
  for (let project = 0; project < PROJECTS_PER_ORGANIZATION; project++) {
    await addProject(rows, chain, index, project, at)
  }
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
  const made = { operation: 'projects.create', kind: 'project', id, at, requestId: newRequestId() }
  rows.versions.push([document, JSON.stringify(content), made.operation, made.requestId])
  await addEvent(rows, chain, { ...made, after: content })
  rows.projects.push([organization, slug, await publicIdOf(document), displayName])
  addMappings(rows, document, content, organization, slug)
  rows.search.push({ kind: 'project', id, organization, text: `${slug} ${displayName}` })
}

const newRequestId = () => crypto.randomUUID()

/** Of audit events: where the next one goes. */
interface Chain {
  name: string
  number: number
  previous: string
}

interface Event {
  operation: string
  kind: string
  id: string
  after: object
  requestId: string
  at: number
}

async function addEvent(rows: Rows, chain: Chain, event: Event): Promise<void> {
  const { operation, kind, id, after, requestId, at } = event
  const target = { kind, id }
  const told = {
    chain: chain.name,
    at: new Date(at).toISOString(),
    actor: ACTOR,
    operation,
    target,
    requestId,
  }
  const hash = await sha256(canonicalEvent({ ...told, before: null, after }))
  chain.number++
  const what = [operation, kind, id, JSON.stringify(after), requestId]
  rows.events.push([chain.name, chain.number, ...what, hash, chain.previous])
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
