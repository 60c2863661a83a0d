// Handlers of projects: listed as far as the caller may read them, made, changed and deleted.

import type { z } from 'zod'
import type { Level } from '../../../policy/level.ts'
import type { ProjectSummary } from '../../../policy/operations/organizations.ts'
import { readAll } from '../../database/batch.ts'
import type { ProjectRow } from '../../database/rows.ts'
import { foundBy, searchQuery } from '../../database/search.ts'
import { notFound } from '../answers.ts'
import type { Call, SomeHandlers } from '../call.ts'
import {
  type ProjectRows,
  projectStatements,
  type SourceRow,
  sourceInForce,
  sourceStatement,
} from '../effective.ts'
import { pageOf, readCursor } from '../pages.ts'
import { placesOf, placesWith } from '../places.ts'
import { checkMatch, write } from '../write.ts'
import { planDeletion } from './deletion.ts'
import { slugTaken } from './organization-edit.ts'
import { planProject, projectInForce, projectResource, readProjectState } from './project-edit.ts'

type Summary = z.infer<typeof ProjectSummary>

export const projectHandlers = {
  'projects.list': async (call) => {
    const { query, environment, params, held } = call
    const { organization } = params
    const kind = `projects/${organization}`
    const position = readCursor(kind, query.cursor)
    if (!position.ok) return position
    const level: Level = { kind: 'organization', organization }
    const readsAll = (await held.decide('project.read', level)).allowed
    const only = readsAll ? null : await readable(call)
    // Whoever may see nothing in it is told as little as if it did not exist.
    const maySee = readsAll || only?.length !== 0 || (await held.rolesAt(level)).length > 0
    if (!maySee) return notFound('organization', organization)
    const terms = query.search === undefined ? null : searchQuery(query.search)
    if (query.search !== undefined && terms === null) {
      return { ok: true, body: { items: [], next: null, total: 0 } }
    }
    const rows = await listed(environment.DB, {
      organization,
      terms,
      only,
      after: position.after,
      limit: query.limit + 1,
    })
    const body = pageOf(kind, rows, query.limit, {
      item: summary,
      position: ({ slug }) => slug,
      isFirst: position.after === null,
    })
    return { ok: true, body }
  },

  'projects.create': async (call) => {
    const { slug, ...written } = call.body
    const { organization } = call.params
    const state = await readProjectState(call.environment, organization, slug)
    if (!state.organization) return notFound('organization', organization)
    if (state.used || state.project) return slugTaken('a project', slug)
    const plan = await planProject(
      call,
      { organization, project: slug },
      state,
      written,
      (resource) => resource,
    )
    return plan.ok ? write(call, plan) : plan
  },

  'projects.get': async ({ environment, params }) => {
    const rows = await readAll<SourceRow & ProjectRows>(environment.DB, {
      ...sourceStatement(environment),
      ...projectStatements(environment, params.organization, params.project),
    })
    const found = projectInForce(await sourceInForce(environment, rows), rows)
    if (!found) return notFound('project', params.project)
    return { ok: true, body: projectResource(found), version: found.version }
  },

  'projects.update': async (call) => {
    const { organization, project } = call.params
    const state = await readProjectState(call.environment, organization, project)
    if (!state.organization || !state.project) return notFound('project', project)
    const mismatch = checkMatch(call, state.project.version)
    if (mismatch) return mismatch
    const plan = await planProject(call, call.params, state, call.body, (resource) => resource)
    return plan.ok ? write(call, plan) : plan
  },

  'projects.delete': async (call) => {
    const { organization, project } = call.params
    const state = await readProjectState(call.environment, organization, project)
    if (!state.organization || !state.project) return notFound('project', project)
    const mismatch = checkMatch(call, state.project.version)
    if (mismatch) return mismatch
    const plan = await planDeletion(call, call.params, state, state.project.version)
    return plan.ok ? write(call, plan) : plan
  },
} satisfies SomeHandlers

function summary(row: ProjectRow): Summary {
  return {
    organization: row.organization,
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
  organization: string
  terms: string | null
  /** Slugs; null: all. */
  only: readonly string[] | null
  after: string | null
  limit: number
}

async function listed(
  database: D1Database,
  { organization, terms, only, after, limit }: Listing,
): Promise<ProjectRow[]> {
  const conditions = ['organization = ?', 'deleted_at IS NULL', 'slug > ?']
  const values: unknown[] = [organization, after ?? '']
  if (terms !== null) {
    conditions.push(foundBy('project', "organization || '/' || slug"))
    values.push(terms)
  }
  if (only !== null) {
    conditions.push('slug IN (SELECT value FROM json_each(?))')
    values.push(JSON.stringify(only))
  }
  const { results } = await database
    .prepare(`SELECT * FROM projects WHERE ${conditions.join(' AND ')} ORDER BY slug LIMIT ?`)
    .bind(...values, limit)
    .all<ProjectRow>()
  return results
}

async function readable(call: Call<'projects.list'>): Promise<string[]> {
  const { organization } = call.params
  const places = await placesOf(call, organization)
  const slugs = [...new Set(places.flatMap(({ project }) => (project === null ? [] : [project])))]
  const levels = slugs.map((project): Level => ({ kind: 'project', organization, project }))
  const found = await placesWith(call, 'project.read', levels)
  return found.flatMap((level) => (level.kind === 'project' ? [level.project] : []))
}
