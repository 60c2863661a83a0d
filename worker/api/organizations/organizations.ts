// Handlers of organizations: listed as far as the caller may read them, made, changed and deleted.

import type { z } from 'zod'
import type { Level } from '../../../policy/level.ts'
import type { OrganizationResource, OrganizationSummary } from '../../../policy/operations/organizations.ts'
import { readAll } from '../../database/batch.ts'
import type { OrganizationRow } from '../../database/rows.ts'
import { foundBy, searchQuery } from '../../database/search.ts'
import { notFound } from '../answers.ts'
import type { Call, SomeHandlers } from '../call.ts'
import {
  type OrganizationRows,
  organizationInForce,
  organizationStatements,
  type SourceRow,
  sourceInForce,
  sourceStatement,
} from '../effective.ts'
import { pageOf, readCursor } from '../pages.ts'
import { placesOf, placesWith } from '../places.ts'
import { checkMatch, write } from '../write.ts'
import { planDeletion } from './deletion.ts'
import {
  countProjects,
  organizationResource,
  planOrganization,
  readOrganizationState,
  slugTaken,
} from './organization-edit.ts'

type Summary = z.infer<typeof OrganizationSummary>

export const organizationHandlers = {
  'organizations.list': async (call) => {
    const { query, environment } = call
    const position = readCursor('organizations', query.cursor)
    if (!position.ok) return position
    const terms = query.search === undefined ? null : searchQuery(query.search)
    if (query.search !== undefined && terms === null) {
      return { ok: true, body: { items: [], next: null, total: 0 } }
    }
    const global: Level = { kind: 'global' }
    const readsAll = (await call.held.decide('organization.read', global)).allowed
    const only = readsAll ? null : await readable(call)
    const rows = await listed(environment.DB, { terms, only, after: position.after, limit: query.limit + 1 })
    const body = pageOf('organizations', rows, query.limit, {
      item: summary,
      position: ({ slug }) => slug,
      isFirst: position.after === null,
    })
    return { ok: true, body }
  },

  'organizations.create': async (call) => {
    const { slug, ...written } = call.body
    const state = await readOrganizationState(call.environment, slug)
    if (state.used || state.organization) return slugTaken('an organization', slug)
    const plan = await planOrganization(call, slug, state, written, (resource) => resource)
    return plan.ok ? write(call, plan) : plan
  },

  'organizations.get': async ({ environment, params }) => {
    const { DB } = environment
    const rows = await readAll<SourceRow & OrganizationRows & { projects: { count: number } }>(DB, {
      ...sourceStatement(environment),
      ...organizationStatements(environment, params.organization),
      projects: countProjects(DB, params.organization),
    })
    const found = organizationInForce(await sourceInForce(environment, rows), rows)
    if (!found) return notFound('organization', params.organization)
    const body: OrganizationResource = organizationResource(found, rows.projects[0]?.count ?? 0)
    return { ok: true, body, version: found.version }
  },

  'organizations.update': async (call) => {
    const { organization: slug } = call.params
    const state = await readOrganizationState(call.environment, slug)
    if (!state.organization) return notFound('organization', slug)
    const mismatch = checkMatch(call, state.organization.version)
    if (mismatch) return mismatch
    const plan = await planOrganization(call, slug, state, call.body, (resource) => resource)
    return plan.ok ? write(call, plan) : plan
  },

  'organizations.delete': async (call) => {
    const { organization: slug } = call.params
    const state = await readOrganizationState(call.environment, slug)
    if (!state.organization) return notFound('organization', slug)
    const mismatch = checkMatch(call, state.organization.version)
    if (mismatch) return mismatch
    const plan = await planDeletion(
      call,
      { organization: slug, project: null },
      state,
      state.organization.version,
    )
    return plan.ok ? write(call, plan) : plan
  },
} satisfies SomeHandlers

function summary(row: OrganizationRow): Summary {
  return {
    slug: row.slug,
    id: row.public_id,
    displayName: row.display_name,
    inPolicy: row.in_policy !== 0,
    version: row.version,
    createdAt: new Date(row.created_at).toISOString(),
    updatedAt: new Date(row.updated_at).toISOString(),
  }
}

interface Listing {
  terms: string | null
  /** Slugs; null: all. */
  only: readonly string[] | null
  after: string | null
  limit: number
}

async function listed(
  database: D1Database,
  { terms, only, after, limit }: Listing,
): Promise<OrganizationRow[]> {
  const conditions = ['deleted_at IS NULL', 'slug > ?']
  const values: unknown[] = [after ?? '']
  if (terms !== null) {
    conditions.push(foundBy('organization', 'slug'))
    values.push(terms)
  }
  if (only !== null) {
    conditions.push('slug IN (SELECT value FROM json_each(?))')
    values.push(JSON.stringify(only))
  }
  const { results } = await database
    .prepare(`SELECT * FROM organizations WHERE ${conditions.join(' AND ')} ORDER BY slug LIMIT ?`)
    .bind(...values, limit)
    .all<OrganizationRow>()
  return results
}

/** Where the caller's groups, memberships or voucher may give something, each judged. */
async function readable(call: Call<'organizations.list'>): Promise<string[]> {
  const places = await placesOf(call)
  const slugs = [...new Set(places.map(({ organization }) => organization))]
  const levels = slugs.map((organization): Level => ({ kind: 'organization', organization }))
  const found = await placesWith(call, 'organization.read', levels)
  return found.flatMap((level) => (level.kind === 'organization' ? [level.organization] : []))
}
