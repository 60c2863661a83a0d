// Handlers of service accounts: machines in a project, recognised by a federated identity ([1-24] to [1-27]) or by
// a key of ours ([1-28]). Making and revoking keys is service-account-keys.ts's.
import type { Identity } from '../../../policy/operations/people.ts'
import type { DirectGrant, Groups } from '../../../policy/principal.ts'
import type { PolicyDocument } from '../../../policy/schema.ts'
import { changedMembers } from '../../database/audit.ts'
import { type ServiceAccountContent, serviceAccountName } from '../../database/documents.ts'
import { organizationOf } from '../../database/issuer-rows.ts'
import { serviceAccountRows } from '../../database/people-rows.ts'
import { guard } from '../../database/rows.ts'
import { foundBy, searchQuery } from '../../database/search.ts'
import { type Refusal, refuse, shown } from '../../refusal.ts'
import { type InputError, limitReached, notFound, refuseInput } from '../answers.ts'
import { may } from '../authorize.ts'
import type { Call, SomeHandlers } from '../call.ts'
import { readInstance } from '../effective.ts'
import { readIssuer, saysGroups } from '../issuers/store.ts'
import { pageOf, readCursor } from '../pages.ts'
import { checkMatch, write } from '../write.ts'
import { KEY_ISSUER, makeId } from './access-keys.ts'
import { previewGiven } from './given-preview.ts'
import { judgeGiven, type PlannedUser, takenBy, wrongRole } from './people.ts'
import {
  contentOfAccount,
  type Place,
  readServiceAccount,
  SERVICE_ACCOUNT_COLUMNS,
  type ServiceAccountRow,
  serviceAccountResource,
} from './service-account-store.ts'

export const SERVICE_ACCOUNTS_MAX = 1000

export const serviceAccountHandlers = {
  'serviceAccounts.list': async ({ environment, params, query }) => {
    const from = readCursor('service-accounts', query.cursor)
    if (!from.ok) return from
    const words = query.search === undefined ? undefined : searchQuery(query.search)
    if (words === null) return { ok: true, body: { items: [], next: null, total: 0 } }
    const where = `s.organization = ? AND s.project = ? AND s.deleted_at IS NULL
      ${words === undefined ? '' : `AND ${foundBy('service-account', 's.id')}`}`
    const { results } = await environment.DB.prepare(
      `SELECT ${SERVICE_ACCOUNT_COLUMNS} FROM service_accounts s WHERE ${where} AND s.id > ? ORDER BY s.id LIMIT ?`,
    )
      .bind(
        params.organization,
        params.project,
        ...(words === undefined ? [] : [words]),
        from.after ?? '',
        query.limit + 1,
      )
      .all<ServiceAccountRow>()
    const body = pageOf('service-accounts', results, query.limit, {
      position: ({ id }) => id,
      item: serviceAccountResource,
      isFirst: from.after === null,
    })
    return { ok: true, body }
  },

  'serviceAccounts.create': async (call) => {
    const { params, body } = call
    const identity = await identityOf(call, null, body)
    if ('ok' in identity) return identity
    const content: ServiceAccountContent = {
      organization: params.organization,
      project: params.project,
      name: body.name,
      authenticationMethod: body.authenticationMethod,
      identity: identity.identity,
      status: 'active',
      roles: body.roles,
    }
    const count = await countAccounts(call.environment.DB, params)
    if (count >= SERVICE_ACCOUNTS_MAX)
      return limitReached('service accounts in the project', count + 1, SERVICE_ACCOUNTS_MAX)
    const id = makeId()
    const planned = await planAccount(call, id, null, content)
    if (!planned.ok) return planned
    const row = {
      id,
      version: 1,
      created_at: call.now,
      updated_at: call.now,
      content: JSON.stringify(content),
      ...UNUSED,
    }
    return write(call, { ...planned.plan, body: () => serviceAccountResource(row) })
  },

  'serviceAccounts.get': async ({ environment, params }) => {
    const row = await readServiceAccount(environment.DB, params, params.serviceAccount)
    return row === null
      ? notFound('service account', params.serviceAccount)
      : { ok: true, body: serviceAccountResource(row), version: row.version }
  },

  'serviceAccounts.update': async (call) => {
    const { params, body } = call
    const row = await readServiceAccount(call.environment.DB, params, params.serviceAccount)
    if (row === null) return notFound('service account', params.serviceAccount)
    const mismatch = checkMatch(call, row.version)
    if (mismatch) return mismatch
    const content = contentOfAccount(row)
    const identity = await identityOf(call, content, {
      ...body,
      authenticationMethod: content.authenticationMethod,
    })
    if ('ok' in identity) return identity
    const after: ServiceAccountContent = {
      ...content,
      identity: identity.identity,
      ...(body.name === undefined ? {} : { name: body.name }),
      ...(body.roles === undefined ? {} : { roles: body.roles }),
      ...(body.status === undefined ? {} : { status: body.status }),
    }
    const planned = await planAccount(call, row.id, { version: row.version, content }, after)
    if (!planned.ok) return planned
    const { plan } = planned
    const changed = { ...row, version: plan.version, updated_at: call.now, content: JSON.stringify(after) }
    return write(call, {
      ...plan,
      body: () => serviceAccountResource(plan.documents.length === 0 ? row : changed),
    })
  },

  'serviceAccounts.delete': async (call) => {
    const { params } = call
    const row = await readServiceAccount(call.environment.DB, params, params.serviceAccount)
    if (row === null) return notFound('service account', params.serviceAccount)
    const mismatch = checkMatch(call, row.version)
    if (mismatch) return mismatch
    const before = { version: row.version, content: contentOfAccount(row) }
    const planned = await planAccount(call, row.id, before, null)
    if (!planned.ok) return planned
    return write(call, { ...planned.plan, toConfirm: [row.id], body: () => ({ deleted: row.id }) })
  },
} satisfies SomeHandlers

const UNUSED = { last_used_at: null, last_subject: null, seen_at: null, keys: '[]' }

type Writing = Call<'serviceAccounts.create' | 'serviceAccounts.update' | 'serviceAccounts.delete'>

async function countAccounts(database: D1Database, { organization, project }: Place): Promise<number> {
  const row = await database
    .prepare(
      'SELECT count(*) AS count FROM service_accounts WHERE organization = ? AND project = ? AND deleted_at IS NULL',
    )
    .bind(organization, project)
    .first<{ count: number }>()
  return row?.count ?? 0
}

interface Asked {
  authenticationMethod: 'federated' | 'key'
  issuer?: string | undefined
  subject?: string | undefined
}

/** Which identity the account has after the change: exactly an issuer record and a subject. */
async function identityOf(
  call: Call<'serviceAccounts.create' | 'serviceAccounts.update'>,
  before: ServiceAccountContent | null,
  { authenticationMethod, issuer, subject }: Asked,
): Promise<{ identity: Identity | null } | Refusal> {
  if (authenticationMethod === 'key') {
    const wrong = Object.entries({ issuer, subject }).filter(([, value]) => value !== undefined)
    const message = 'is for federated accounts; this one authenticates by a key'
    return wrong.length > 0 ? refuseInput(wrong.map(([path]) => ({ path, message }))) : { identity: null }
  }
  const known = before?.identity ?? null
  const name = subject ?? known?.subject
  if (name === undefined) {
    return refuseInput([{ path: 'subject', message: 'is missing: the "sub" of its tokens' }])
  }
  const id = issuer ?? known?.issuer ?? (await onlyIssuer(call))
  if (typeof id !== 'string') return id
  const identity = { issuer: id, subject: name }
  if (known?.issuer === id && known.subject === name) return { identity }
  return (await checkIdentity(call, identity)) ?? { identity }
}

/** [1-24] An account uses the issuer its organization has, where it has one only. */
async function onlyIssuer({ environment, params }: Writing): Promise<string | Refusal> {
  const { results } = await environment.DB.prepare(
    'SELECT id FROM issuers WHERE organization = ? AND deleted_at IS NULL ORDER BY id LIMIT 20',
  )
    .bind(params.organization)
    .all<{ id: string }>()
  const [first, second] = results
  if (first && !second) return first.id
  const message = first
    ? `is missing; the organization has ${results.map(({ id }) => id).join(', ')}`
    : 'is missing; the organization has no issuer of its own, so name one of the instance'
  return refuseInput([{ path: 'issuer', message }])
}

/**
 * Deactivating an account shuts its identity out, and its roles come with it: so an account may not be made of
 * somebody else. The instance's issuers of people are not an organization's to take subjects of.
 */
async function checkIdentity(call: Writing, { issuer, subject }: Identity): Promise<Refusal | null> {
  const { environment, params } = call
  const owner = organizationOf(issuer)
  const stored = [null, params.organization].includes(owner) ? await readIssuer(environment, issuer) : null
  if (!stored?.settings) {
    return refuseInput([
      { path: 'issuer', message: `there is no issuer ${shown(issuer)} of the organization or the instance` },
    ])
  }
  if (
    owner === null &&
    saysGroups(stored.settings) &&
    !(await may(call, 'instance.users.write', { kind: 'global' }))
  ) {
    const message = `the instance's issuer ${shown(issuer)} vouches for people; one whose tokens say no groups is for workloads of every organization ("groups": "none")`
    return refuseInput([{ path: 'issuer', message }])
  }
  const seen = await environment.DB.prepare(
    'SELECT groups FROM known_principals WHERE issuer = ? AND subject = ?',
  )
    .bind(issuer, subject)
    .first<{ groups: string }>()
  const groups = seen === null ? null : (JSON.parse(seen.groups) as Groups)
  if (groups?.outcome !== 'listed' || groups.names.length === 0) return null
  const level = { kind: 'organization', organization: params.organization } as const
  if (await may(call, 'organization.users.write', level)) return null
  const detail = `${shown(subject)} has been seen with groups, as people have; whoever may change the organization's users can make a service account of it.`
  return refuse('link_not_allowed', detail)
}

/** `before` is null for a new one, and for one that was deleted in the version `version`. */
export async function planAccount(
  call: Call,
  id: string,
  before: { version: number; content: ServiceAccountContent } | null,
  after: ServiceAccountContent | null,
  version = before?.version ?? 0,
): Promise<{ ok: true; plan: PlannedUser } | Refusal> {
  const { environment, now } = call
  const place = (after ?? before?.content) as ServiceAccountContent
  const { source, settings } = await readInstance(environment)
  const { roles } = source.policy
  const errors = after === null ? [] : wrongRoles(roles, before?.content.roles ?? [], after.roles)
  if (errors.length > 0) return refuseInput(errors)
  const name = serviceAccountName(id)
  const [old, next] = [before?.content ?? null, after]
  const same = JSON.stringify(old) === JSON.stringify(next)
  const [oldGrants, newGrants] = [grantsOf(id, old), grantsOf(id, next)]
  const moved = JSON.stringify(old?.identity ?? null) !== JSON.stringify(next?.identity ?? null)
  const judgement = await judgeGiven(call, settings, {
    roles,
    // Another identity gets all of it anew.
    before: moved && next !== null ? [] : oldGrants,
    after: newGrants,
    holder: isCaller(call, id, [old?.identity, next?.identity]) ? 'actor' : 'another',
  })
  return {
    ok: true,
    plan: {
      documents: same ? [] : [{ name, version, content: next }],
      derived: same
        ? []
        : [
            ...serviceAccountRows(environment.DB, id, next, { version: version + 1, at: now }),
            ...(next === null ? [] : [projectGuard(environment.DB, place)]),
          ],
      audit: [
        { chain: place.organization, target: { kind: 'service-account', id }, ...changedMembers(old, next) },
      ],
      version: same ? version : version + 1,
      judgement,
      preview: () => previewOf(call, roles, id, old, next),
      taken: (columns) => takenName(columns, (next ?? old)?.name ?? id),
    },
  }
}

function takenName(columns: string, name: string): Refusal {
  if (columns === 'guard') return refuse('not_found', 'The project has been deleted meanwhile.')
  return columns.startsWith('service_accounts.')
    ? refuse('already_exists', `The project has a service account named ${shown(name)}.`)
    : takenBy(columns)
}

function projectGuard(database: D1Database, { organization, project }: Place): D1PreparedStatement {
  return guard(
    database,
    'NOT EXISTS (SELECT 1 FROM projects WHERE organization = ? AND slug = ? AND deleted_at IS NULL)',
    [organization, project],
  )
}

function wrongRoles(
  roles: PolicyDocument['roles'],
  before: readonly string[],
  after: readonly string[],
): InputError[] {
  return after.flatMap((role, index) => {
    const message = before.includes(role) ? null : wrongRole(roles, role, 'project')
    return message === null ? [] : [{ path: `roles[${index}]`, message }]
  })
}

/** What the account has: its roles, in its project. */
export function grantsOf(id: string, content: ServiceAccountContent | null): DirectGrant[] {
  if (content === null) return []
  const { organization, project, roles } = content
  return roles.map((role) => ({
    role,
    organization,
    project,
    source: `memberships.${serviceAccountName(id)}`,
  }))
}

export function isCaller(
  { principal }: Pick<Call, 'principal'>,
  id: string,
  identities: readonly (Identity | null | undefined)[],
): boolean {
  if (principal.issuer === KEY_ISSUER && principal.subject === id) return true
  return identities.some((identity) => {
    return identity?.issuer === principal.issuer && identity.subject === principal.subject
  })
}

function previewOf(
  call: Call,
  roles: PolicyDocument['roles'],
  id: string,
  before: ServiceAccountContent | null,
  after: ServiceAccountContent | null,
) {
  const counting = (content: ServiceAccountContent | null) => {
    return content?.status === 'active' ? grantsOf(id, content) : []
  }
  const { name, identity } = (after ?? before) as ServiceAccountContent
  return previewGiven(call, {
    part: 'service-account',
    id,
    displayName: name,
    email: null,
    identities: [identity ?? { issuer: KEY_ISSUER, subject: id }],
    roles,
    contents: { before, after },
    given: { before: counting(before), after: counting(after) },
  })
}
