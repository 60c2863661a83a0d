// Finds organizations and projects by Ops Manager's ids and names, and lists those that a caller may read, a
// numbered page at a time.
import { type Level, levelOf } from '../../../policy/level.ts'
import type { Principal } from '../../../policy/principal.ts'
import { clock } from '../../clock.ts'
import type { Environment } from '../../environment.ts'
import { heldFor } from '../authenticate.ts'
import { placesOf } from '../places.ts'

export interface FoundOrganization {
  slug: string
  id: string
}
export interface FoundGroup {
  organization: string
  slug: string
  id: string
  orgId: string
}

const ID = /^[0-9a-f]{24}$/

export async function organizationById({ DB }: Environment, id: string): Promise<FoundOrganization | null> {
  if (!ID.test(id)) return null
  const sql = 'SELECT slug, public_id AS id FROM organizations WHERE public_id = ? AND deleted_at IS NULL'
  return DB.prepare(sql).bind(id).first<FoundOrganization>()
}

const GROUPS = `SELECT p.organization, p.slug, p.public_id AS id, o.public_id AS orgId
  FROM projects p JOIN organizations o ON o.slug = p.organization
  WHERE p.deleted_at IS NULL AND o.deleted_at IS NULL`

export async function groupById({ DB }: Environment, id: string): Promise<FoundGroup | null> {
  if (!ID.test(id)) return null
  return DB.prepare(`${GROUPS} AND p.public_id = ?`).bind(id).first<FoundGroup>()
}

/** More of one name than this are not told apart. */
const SAME_NAME_MAX = 20

/** Names are no keys here, so several may have one. A slug is a name as well. */
export async function groupsByName({ DB }: Environment, name: string): Promise<FoundGroup[]> {
  const { results } = await DB.prepare(
    `${GROUPS} AND (p.display_name = ?1 OR p.slug = ?1) ORDER BY p.display_name <> ?1, p.organization, p.slug LIMIT ?2`,
  )
    .bind(name, SAME_NAME_MAX)
    .all<FoundGroup>()
  return results
}

export interface Listing {
  /** Part of a name, in any case. */
  name: string | null
  /** Of one organization only. */
  within: string | null
  pageNum: number
  itemsPerPage: number
}

export interface Listed<Item> {
  total: number
  items: Item[]
}

/** What may be read: everything, or what is in these. */
interface Readable {
  all: boolean
  organizations: string[]
  /** `organization/project` */
  projects: string[]
}

/** The same question, asked of the same documents, as the lists of the API itself ask. */
async function readable(
  environment: Environment,
  principal: Principal,
  permission: 'organization.read' | 'project.read',
  within: string | null,
): Promise<Readable> {
  const held = heldFor(environment, principal)
  const top: Level = within === null ? { kind: 'global' } : levelOf(within, null)
  if ((await held.decide(permission, top)).allowed) return { all: true, organizations: [], projects: [] }
  const places = await placesOf({ environment, principal, now: clock.now() }, within)
  const found: Readable = { all: false, organizations: [], projects: [] }
  for (const organization of new Set(places.map((place) => place.organization))) {
    const { allowed } = await held.decide(permission, levelOf(organization, null))
    if (allowed) found.organizations.push(organization)
  }
  if (permission === 'organization.read') return found
  for (const { organization, project } of places) {
    if (project === null || found.organizations.includes(organization)) continue
    const { allowed } = await held.decide(permission, levelOf(organization, project))
    if (allowed) found.projects.push(`${organization}/${project}`)
  }
  return found
}

export async function listOrganizations(
  environment: Environment,
  principal: Principal,
  listing: Listing,
): Promise<Listed<FoundOrganization>> {
  const { all, organizations } = await readable(environment, principal, 'organization.read', null)
  const where = `FROM organizations WHERE deleted_at IS NULL
    AND (?1 OR slug IN (SELECT value FROM json_each(?2)))
    AND (?3 IS NULL OR instr(lower(display_name), lower(?3)) > 0)`
  return page<FoundOrganization>(
    environment,
    `SELECT count(*) AS total ${where}`,
    `SELECT slug, public_id AS id ${where} ORDER BY slug`,
    [all ? 1 : 0, JSON.stringify(organizations), listing.name],
    listing,
  )
}

export async function listGroups(
  environment: Environment,
  principal: Principal,
  listing: Listing,
): Promise<Listed<FoundGroup>> {
  const { all, organizations, projects } = await readable(
    environment,
    principal,
    'project.read',
    listing.within,
  )
  const where = `FROM (${GROUPS} AND (?1 OR p.organization IN (SELECT value FROM json_each(?2))
      OR p.organization || '/' || p.slug IN (SELECT value FROM json_each(?3)))
    AND (?4 IS NULL OR instr(lower(p.display_name), lower(?4)) > 0)
    AND (?5 IS NULL OR p.organization = ?5))`
  return page<FoundGroup>(
    environment,
    `SELECT count(*) AS total ${where}`,
    `SELECT * ${where} ORDER BY organization, slug`,
    [all ? 1 : 0, JSON.stringify(organizations), JSON.stringify(projects), listing.name, listing.within],
    listing,
  )
}

async function page<Item>(
  { DB }: Environment,
  counting: string,
  listing: string,
  values: unknown[],
  { pageNum, itemsPerPage }: Listing,
): Promise<Listed<Item>> {
  const [counted, found] = await DB.batch<unknown>([
    DB.prepare(counting).bind(...values),
    DB.prepare(`${listing} LIMIT ? OFFSET ?`).bind(...values, itemsPerPage, (pageNum - 1) * itemsPerPage),
  ])
  const [row] = (counted?.results ?? []) as { total: number }[]
  return { total: row?.total ?? 0, items: (found?.results ?? []) as Item[] }
}
