// Changes through Ops Manager's paths: made, renamed, given mappings and deleted. What its shape cannot say of a thing
// stays as it is.
import { faultsOf, messageOf } from '../../../policy/document-errors.ts'
import { levelOf } from '../../../policy/level.ts'
import type { OrganizationResource, ProjectResource } from '../../../policy/operations/organizations.ts'
import { describePath } from '../../../policy/problems.ts'
import type { Refusal } from '../../refusal.ts'
import { notFound, refuseInput } from '../answers.ts'
import { BODY_BYTES_MAX, readJson } from '../body.ts'
import { groupById, organizationById } from './find.ts'
import { type Asked, asking, authenticated, type Done, shaped, unknown } from './request.ts'
import {
  groupShape,
  mappingsToWrite,
  type OpsManagerMapping,
  organizationShape,
  type Written,
  WrittenGroup,
  WrittenOrganization,
} from './shapes.ts'
import { slugFor } from './slug.ts'

/** A change without If-Match is made to what is there; somebody else's in between is read and built upon. */
const RETRIES_MAX = 5

type ReadWritten = { ok: true; written: Written; text: string } | Refusal

async function readWritten({ context, kind }: Asked): Promise<ReadWritten> {
  const read = await readJson(context.req.raw, BODY_BYTES_MAX)
  if (!read.ok) return read
  const schema = kind === 'ORG' ? WrittenOrganization : WrittenGroup
  const parsed = schema.safeParse(read.value, { error: messageOf })
  if (!parsed.success) {
    const faults = parsed.error.issues.flatMap((issue) => faultsOf(issue as Parameters<typeof faultsOf>[0]))
    return refuseInput(faults.map(({ path, message }) => ({ path: describePath(path), message })))
  }
  const written = parsed.data as Written
  const refusal = kind === 'ORG' ? ownerMissing(written.idpGroupMappings) : null
  return refusal ?? { ok: true, written, text: read.text }
}

/** [4-30] Who gives an organization's mappings gives its owner as well. */
function ownerMissing(mappings: readonly OpsManagerMapping[] | undefined): Refusal | null {
  if (mappings === undefined || mappings.some(({ roleName }) => roleName === 'ORG_OWNER')) return null
  const message = 'must have a mapping of ORG_OWNER, since they are the whole list'
  return refuseInput([{ path: 'idpGroupMappings', message }])
}

export async function createOrg(asked: Asked): Promise<Done> {
  const caller = await authenticated(asked, { kind: 'global' })
  if (!caller.ok) return caller
  const read = await readWritten(asked)
  if (!read.ok) return read
  const { written, text } = read
  if (written.name === undefined) return refuseInput([{ path: 'name', message: 'is missing' }])
  const { environment, context, mounted, base } = asked
  const slug = await slugFor(environment, null, written.name)
  const body = { value: { slug, displayName: written.name, ...mappingsOf(written, []) }, text }
  const answered = await mounted.ask(context, asking('organizations.create', {}, { body }))
  if (!answered.ok) return answered
  return shaped(201, answered, organizationShape(answered.body as OrganizationResource, base))
}

function mappingsOf({ idpGroupMappings }: Written, current: Parameters<typeof mappingsToWrite>[1]) {
  return idpGroupMappings === undefined
    ? {}
    : { idpGroupMappings: mappingsToWrite(idpGroupMappings, current) }
}

export async function createGroup(asked: Asked): Promise<Done> {
  const caller = await authenticated(asked, { kind: 'global' })
  if (!caller.ok) return caller
  const read = await readWritten(asked)
  if (!read.ok) return read
  const { written, text } = read
  const missing = (['name', 'orgId'] as const).filter((name) => written[name] === undefined)
  if (missing.length > 0) return refuseInput(missing.map((path) => ({ path, message: 'is missing' })))
  const { name = '', orgId = '' } = written
  const { environment, context, mounted, base } = asked
  const organization = await organizationById(environment, orgId)
  if (!organization) return notFound('organization', orgId)
  const slug = await slugFor(environment, organization.slug, name)
  const body = { value: { slug, displayName: name, ...mappingsOf(written, []) }, text }
  const answered = await mounted.ask(
    context,
    asking('projects.create', { organization: organization.slug }, { body }),
  )
  if (!answered.ok) return answered
  return shaped(201, answered, groupShape(answered.body as ProjectResource, orgId, base))
}

export async function updateOrg(asked: Asked, id: string): Promise<Done> {
  const organization = await organizationById(asked.environment, id)
  if (!organization) return unknown(asked, 'organization', id)
  const params = { organization: organization.slug }
  return update(asked, params, 'organizations.get', 'organizations.update', (body) => {
    return organizationShape(body as OrganizationResource, asked.base)
  })
}

export async function updateGroup(asked: Asked, id: string): Promise<Done> {
  const group = await groupById(asked.environment, id)
  if (!group) return unknown(asked, 'group', id)
  const params = { organization: group.organization, project: group.slug }
  return update(asked, params, 'projects.get', 'projects.update', (body) => {
    return groupShape(body as ProjectResource, group.orgId, asked.base)
  })
}

/** The list is whole in that shape, but what the shape cannot say stays: it is read first, and built upon. */
async function update(
  asked: Asked,
  params: Record<string, string>,
  get: 'organizations.get' | 'projects.get',
  change: 'organizations.update' | 'projects.update',
  shape: (body: unknown) => object,
): Promise<Done> {
  const { context, mounted } = asked
  const caller = await authenticated(asked, levelOf(params.organization ?? null, params.project ?? null))
  if (!caller.ok) return caller
  const read = await readWritten(asked)
  if (!read.ok) return read
  const { written, text } = read
  const query = queryOf(asked)
  for (let attempt = 1; ; attempt++) {
    const current = await mounted.ask(context, asking(get, params))
    if (!current.ok) return current
    const { orgId } = shape(current.body) as { orgId?: string }
    if (written.orgId !== undefined && written.orgId !== orgId) {
      return refuseInput([{ path: 'orgId', message: 'cannot be changed' }])
    }
    const { idpGroupMappings } = current.body as ProjectResource
    const value = {
      ...(written.name === undefined ? {} : { displayName: written.name }),
      ...mappingsOf(written, idpGroupMappings),
    }
    const isGiven = context.req.header('if-match') !== undefined
    const ifMatch = isGiven ? {} : { ifMatch: current.version ?? 0 }
    const answered = await mounted.ask(
      context,
      asking(change, params, { body: { value, text }, query, ...ifMatch }),
    )
    if (answered.ok) {
      // A dry run answers what it answers everywhere.
      return 'dryRun' in (answered.body as object)
        ? { ok: true, status: 200, body: answered.body as object }
        : shaped(200, answered, shape(answered.body))
    }
    if (answered.reason !== 'version_conflict' || isGiven || attempt === RETRIES_MAX) return answered
  }
}

/** What the operations take besides, where a script has it. */
function queryOf({ context }: Asked): Record<string, string> {
  const given = ['confirm', 'dryRun'].flatMap((name): [string, string][] => {
    const value = context.req.query(name)
    return value === undefined ? [] : [[name, value]]
  })
  return Object.fromEntries(given)
}

export async function deleteOrg(asked: Asked, id: string): Promise<Done> {
  const { environment, context, mounted } = asked
  const organization = await organizationById(environment, id)
  if (!organization) return unknown(asked, 'organization', id)
  const params = { organization: organization.slug }
  const current = await mounted.ask(context, asking('organizations.get', params))
  if (!current.ok) return current
  // As there: an organization goes when nothing is in it.
  const { projectCount } = current.body as OrganizationResource
  if (projectCount > 0) {
    const message = `has ${projectCount} groups; delete them first`
    return refuseInput([{ path: 'id', message }])
  }
  return remove(asked, 'organizations.delete', params, organization.slug)
}

export async function deleteGroup(asked: Asked, id: string): Promise<Done> {
  const group = await groupById(asked.environment, id)
  if (!group) return unknown(asked, 'group', id)
  const params = { organization: group.organization, project: group.slug }
  return remove(asked, 'projects.delete', params, group.slug)
}

/** Whoever deletes by id means it: nothing more is asked there. */
async function remove(
  { context, mounted }: Asked,
  operation: 'organizations.delete' | 'projects.delete',
  params: Record<string, string>,
  slug: string,
): Promise<Done> {
  const query = {
    confirm: [slug, context.req.query('confirm')].filter((what) => what !== undefined).join(','),
  }
  const answered = await mounted.ask(context, asking(operation, params, { query }))
  if (!answered.ok) return answered
  return { ok: true, status: 204, body: null, headers: answered.headers ?? {} }
}
