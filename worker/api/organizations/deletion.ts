// Deleting an organization or a project with all that is in it: every document gets a version that deletes it, and
// every row goes, in one batch; and all of it is shown before, as a dry run.

import type { z } from 'zod'
import { NOTHING_TO_JUDGE } from '../../../policy/granting.ts'
import { placeOf } from '../../../policy/layers.ts'
import type { Deleted } from '../../../policy/operations/organizations.ts'
import { readAll } from '../../database/batch.ts'
import type { DocumentEdit } from '../../database/commit.ts'
import { organizationName, projectName } from '../../database/documents.ts'
import { guard } from '../../database/rows.ts'
import { type Refusal, refuse } from '../../refusal.ts'
import { setElsewhere } from '../answers.ts'
import type { Call } from '../call.ts'
import { wholeOrganization } from '../effective.ts'
import { leavingMembers } from '../people/leaving-members.ts'
import { previewChange } from '../preview.ts'
import type { Plan } from '../write.ts'
import { type OrganizationState, organizationsOf } from './organization-edit.ts'

type DeletedBody = z.infer<typeof Deleted>

export interface DeletedPlace {
  organization: string
  /** Null: the organization with all of its projects. */
  project: string | null
}

type Within = {
  documents: { document: string; version: number }
  projects: { slug: string }
  issuers: { count: number }
  accounts: { count: number }
  mappings: { count: number }
}

type DeletionOf = 'organizations.delete' | 'projects.delete'

export async function planDeletion<Id extends DeletionOf>(
  call: Call<Id>,
  place: DeletedPlace,
  state: OrganizationState,
  version: number,
): Promise<({ ok: true } & Plan<Id>) | Refusal> {
  const { environment, now } = call
  const { DB } = environment
  const { organization, project } = place
  const locked = setInPolicy(place, state)
  if (locked) return locked
  const found = await readAll<Within>(DB, withinStatements(DB, place))
  const members = await leavingMembers(DB, organization, project === null ? null : [project], now)
  const name = project === null ? organizationName(organization) : projectName(organization, project)
  const documents: DocumentEdit[] = [
    { name, version, content: null },
    ...found.documents
      .filter(({ document }) => document !== name)
      .map((row) => ({ name: row.document, version: row.version, content: null })),
    ...members.documents,
  ]
  const slug = project ?? organization
  const answer: DeletedBody = {
    deleted: slug,
    projects: project === null ? found.projects.length : 0,
    mappings: found.mappings[0]?.count ?? 0,
    issuers: found.issuers[0]?.count ?? 0,
    serviceAccounts: found.accounts[0]?.count ?? 0,
  }
  const target = {
    kind: project === null ? 'organization' : 'project',
    id: project === null ? slug : `${organization}/${slug}`,
  }
  const { deleted: _deleted, ...counts } = answer
  const before = { ...counts, ...(project === null ? { slugs: found.projects.map((row) => row.slug) } : {}) }
  return {
    ok: true,
    documents,
    derived: [unchangedGuard(DB, place, found), ...members.derived, ...deletionStatements(DB, place, now)],
    audit: [
      { chain: organization, target, before, after: null },
      ...(project === null ? [{ chain: '', target, before: counts, after: null }] : []),
    ],
    judgement: NOTHING_TO_JUDGE,
    toConfirm: [slug],
    taken: () =>
      refuse('version_conflict', 'Something in it has been made or deleted meanwhile; repeat the deletion.'),
    preview: async () => {
      const { instance, organization: whole } = await wholeOrganization(
        environment,
        state.instance,
        organization,
        state.organization?.content ?? null,
      )
      const all = organizationsOf(organization, whole)
      const { [slug]: _gone, ...projects } = whole?.organization.projects ?? {}
      const left = project === null || !whole ? {} : { [organization]: { ...whole.organization, projects } }
      return previewChange(call, {
        before: { ...instance.policy, organizations: all },
        after: { ...instance.policy, organizations: left },
      })
    },
    body: () => answer as ReturnType<Plan<Id>['body']>,
  }
}

function setInPolicy(
  { organization, project }: DeletedPlace,
  { instance }: OrganizationState,
): Refusal | null {
  const { source } = instance
  const own = Object.hasOwn(source.policy.organizations, organization)
    ? source.policy.organizations[organization]
    : undefined
  if (!own) return null
  const path = ['organizations', organization]
  if (project === null) return setElsewhere(`Organization ${organization}`, { place: placeOf(source, path) })
  if (!Object.hasOwn(own.projects, project)) return null
  return setElsewhere(`Project ${project}`, { place: placeOf(source, [...path, 'projects', project]) })
}

function withinStatements(database: D1Database, { organization, project }: DeletedPlace) {
  const of = project === null ? 'organization = ?1 AND ?2 IS NULL' : 'organization = ?1 AND project = ?2'
  const bind = (sql: string) => database.prepare(sql).bind(organization, project)
  // "0" is what follows "/" in the order of text.
  const ranges =
    project === null
      ? ['project/', 'issuer/', 'issuer-keys/'].map(
          (kind) => `document > '${kind}' || ?1 || '/' AND document < '${kind}' || ?1 || '0'`,
        )
      : []
  const inRange = ranges.map((range) => `OR ${range}`).join(' ')
  const accounts = `SELECT 'service-account/' || id FROM service_accounts WHERE ${of} AND deleted_at IS NULL`
  return {
    documents: bind(
      `SELECT document, version FROM versions v WHERE (document IN (${accounts}) ${inRange})
        AND content IS NOT NULL
        AND version = (SELECT max(version) FROM versions w WHERE w.document = v.document)`,
    ),
    projects: bind(
      'SELECT slug FROM projects WHERE organization = ?1 AND (?2 IS NULL OR slug = ?2) AND deleted_at IS NULL ORDER BY slug',
    ),
    issuers: bind(
      'SELECT count(*) AS count FROM issuers WHERE organization = ?1 AND ?2 IS NULL AND deleted_at IS NULL',
    ),
    accounts: bind(`SELECT count(*) AS count FROM service_accounts WHERE ${of} AND deleted_at IS NULL`),
    mappings: bind(
      `SELECT count(DISTINCT document || ' ' || mapping) AS count FROM group_mappings WHERE ${of}`,
    ),
  }
}

/** What was made or deleted since it was read would be left behind. */
function unchangedGuard(
  database: D1Database,
  { organization, project }: DeletedPlace,
  { projects, issuers, accounts }: { [Name in keyof Within]: Within[Name][] },
): D1PreparedStatement {
  const condition = `(SELECT count(*) FROM projects WHERE organization = ?1 AND (?2 IS NULL OR slug = ?2) AND deleted_at IS NULL) <> ?3
    OR (SELECT count(*) FROM issuers WHERE organization = ?1 AND ?2 IS NULL AND deleted_at IS NULL) <> ?4
    OR (SELECT count(*) FROM service_accounts WHERE organization = ?1 AND (?2 IS NULL OR project = ?2) AND deleted_at IS NULL) <> ?5`
  const counts = [projects.length, issuers[0]?.count ?? 0, accounts[0]?.count ?? 0]
  return guard(database, condition, [organization, project, ...counts])
}

function deletionStatements(
  database: D1Database,
  { organization, project }: DeletedPlace,
  now: number,
): D1PreparedStatement[] {
  const of = project === null ? 'organization = ?1' : 'organization = ?1 AND project = ?2'
  const values = project === null ? [organization] : [organization, project]
  const at = `?${values.length + 1}`
  const plain = (sql: string) => database.prepare(sql).bind(...values)
  const timed = (sql: string) => database.prepare(sql).bind(...values, now)
  const end = (table: string, where: string) => {
    return timed(
      `UPDATE ${table} SET deleted_at = ${at}, updated_at = ${at}, version = version + 1 WHERE ${where} AND deleted_at IS NULL`,
    )
  }
  const accounts = `SELECT id FROM service_accounts WHERE ${of} AND deleted_at IS NULL`
  const entries =
    project === null
      ? 'SELECT rowid FROM search_entries WHERE organization = ?1'
      : `SELECT rowid FROM search_entries WHERE organization = ?1 AND (kind = 'project' AND id = ?1 || '/' || ?2
          OR kind = 'service-account' AND id IN (SELECT id FROM service_accounts WHERE ${of}))`
  return [
    plain(`DELETE FROM search WHERE rowid IN (${entries})`),
    plain(`DELETE FROM search_entries WHERE rowid IN (${entries})`),
    timed(
      `UPDATE service_account_keys SET revoked_at = ${at} WHERE service_account IN (${accounts}) AND revoked_at IS NULL`,
    ),
    plain(
      `DELETE FROM identities WHERE holder IN (SELECT 'service-account/' || id FROM service_accounts WHERE ${of})`,
    ),
    end('service_accounts', of),
    plain(`DELETE FROM memberships WHERE ${of}`),
    plain(`DELETE FROM group_mappings WHERE ${of}`),
    ...(project === null
      ? [
          end('projects', 'organization = ?1'),
          end('issuers', 'organization = ?1'),
          plain('DELETE FROM issuer_names WHERE organization = ?1'),
          plain("DELETE FROM issuer_secrets WHERE issuer >= ?1 || '/' AND issuer < ?1 || '0'"),
          end('organizations', 'slug = ?1'),
        ]
      : [end('projects', 'organization = ?1 AND slug = ?2')]),
  ]
}
