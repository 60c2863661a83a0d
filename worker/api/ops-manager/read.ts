// Readings of Ops Manager's paths: organizations and groups by id and name, and lists of them in numbered pages.
import { levelOf } from '../../../policy/level.ts'
import type { OrganizationResource, ProjectResource } from '../../../policy/operations/organizations.ts'
import type { Refusal } from '../../refusal.ts'
import { notFound, refuseInput } from '../answers.ts'
import {
  type FoundGroup,
  type FoundOrganization,
  groupById,
  groupsByName,
  type Listed,
  type Listing,
  listGroups,
  listOrganizations,
  organizationById,
} from './find.ts'
import { type Asked, asking, authenticated, type Done, shaped, unknown } from './request.ts'
import { groupShape, organizationShape, self } from './shapes.ts'

const ITEMS_DEFAULT = 100
const ITEMS_MAX = 500
/** Readings of a page's items that are under way at once. */
const AT_ONCE = 20

export async function listOrgs(asked: Asked): Promise<Done> {
  const caller = await authenticated(asked, { kind: 'global' })
  if (!caller.ok) return caller
  const listing = readListing(asked, null)
  if (!listing.ok) return listing
  const found = await listOrganizations(asked.environment, caller.principal, listing.listing)
  const read = (organization: FoundOrganization) => readOrg(asked, organization)
  return listed(asked, found, listing.listing, `${asked.base}/orgs`, read)
}

export async function listAllGroups(asked: Asked): Promise<Done> {
  return groupsIn(asked, null, `${asked.base}/groups`)
}

export async function listGroupsOf(asked: Asked, id: string): Promise<Done> {
  const organization = await organizationById(asked.environment, id)
  const caller = await authenticated(
    asked,
    organization ? levelOf(organization.slug, null) : { kind: 'global' },
  )
  if (!caller.ok) return caller
  if (!organization) return notFound('organization', id)
  // Whether it may be seen at all, the operation says.
  const params = { organization: organization.slug }
  const seen = await asked.mounted.ask(asked.context, asking('projects.list', params))
  if (!seen.ok) return seen
  return groupsIn(asked, organization.slug, `${asked.base}/orgs/${id}/groups`)
}

async function groupsIn(asked: Asked, within: string | null, href: string): Promise<Done> {
  const caller = await authenticated(asked, within === null ? { kind: 'global' } : levelOf(within, null))
  if (!caller.ok) return caller
  const listing = readListing(asked, within)
  if (!listing.ok) return listing
  const found = await listGroups(asked.environment, caller.principal, listing.listing)
  return listed(asked, found, listing.listing, href, (group: FoundGroup) => readGroup(asked, group))
}

export async function getOrg(asked: Asked, id: string): Promise<Done> {
  const organization = await organizationById(asked.environment, id)
  return organization ? readOrg(asked, organization) : unknown(asked, 'organization', id)
}

export async function getGroup(asked: Asked, id: string): Promise<Done> {
  const group = await groupById(asked.environment, id)
  return group ? readGroup(asked, group) : unknown(asked, 'group', id)
}

export async function getGroupByName(asked: Asked, name: string): Promise<Done> {
  const found = await groupsByName(asked.environment, name)
  const read: Extract<Done, { ok: true }>[] = []
  for (const group of found) {
    const one = await readGroup(asked, group)
    if (one.ok) read.push(one)
    else if (one.reason !== 'not_found' && one.reason !== 'permission_missing') return one
  }
  const [only, ...others] = read
  if (!only) return unknown(asked, 'group', name)
  if (others.length === 0) return only
  const ids = read.map(({ body }) => (body as { id: string }).id).join(', ')
  const message = `is the name of ${read.length} groups (${ids}); ask by id`
  return refuseInput([{ path: 'name', message }])
}

async function readOrg({ context, mounted, base }: Asked, { slug }: FoundOrganization): Promise<Done> {
  const answered = await mounted.ask(context, asking('organizations.get', { organization: slug }))
  if (!answered.ok) return answered
  return shaped(200, answered, organizationShape(answered.body as OrganizationResource, base))
}

async function readGroup({ context, mounted, base }: Asked, group: FoundGroup): Promise<Done> {
  const params = { organization: group.organization, project: group.slug }
  const answered = await mounted.ask(context, asking('projects.get', params))
  if (!answered.ok) return answered
  return shaped(200, answered, groupShape(answered.body as ProjectResource, group.orgId, base))
}

function readListing({ context }: Asked, within: string | null): { ok: true; listing: Listing } | Refusal {
  const number = (name: string, fallback: number, max: number) => {
    const text = context.req.query(name)
    if (text === undefined) return fallback
    return /^[1-9]\d{0,8}$/.test(text) && Number(text) <= max ? Number(text) : null
  }
  const pageNum = number('pageNum', 1, 1_000_000)
  const itemsPerPage = number('itemsPerPage', ITEMS_DEFAULT, ITEMS_MAX)
  if (pageNum === null) return refuseInput([{ path: 'pageNum', message: 'must be a page, counted from 1' }])
  if (itemsPerPage === null) {
    return refuseInput([{ path: 'itemsPerPage', message: `must be from 1 to ${ITEMS_MAX}` }])
  }
  return { ok: true, listing: { name: context.req.query('name') ?? null, within, pageNum, itemsPerPage } }
}

async function listed<Item>(
  { context }: Asked,
  { total, items }: Listed<Item>,
  { pageNum, itemsPerPage }: Listing,
  href: string,
  read: (item: Item) => Promise<Done>,
): Promise<Done> {
  const results: object[] = []
  for (let from = 0; from < items.length; from += AT_ONCE) {
    const some = await Promise.all(items.slice(from, from + AT_ONCE).map(read))
    // One that is deleted meanwhile is no longer there.
    for (const one of some) if (one.ok && one.body) results.push(one.body)
  }
  const link = (page: number, rel: string) => {
    const query = new URLSearchParams(context.req.query())
    query.set('pageNum', String(page))
    query.set('itemsPerPage', String(itemsPerPage))
    return { href: `${href}?${query}`, rel }
  }
  const links = [
    self(link(pageNum, 'self').href),
    ...(pageNum > 1 ? [link(pageNum - 1, 'previous')] : []),
    ...(pageNum * itemsPerPage < total ? [link(pageNum + 1, 'next')] : []),
  ]
  return { ok: true, status: 200, body: { links, results, totalCount: total } }
}
