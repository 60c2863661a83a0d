// Handlers of users: finding them, activating and deactivating, linking identities, roles given directly. What a
// change must hold is people.ts's; an organization's part of it is members.ts's.
import { foldCase } from '../../../policy/fold-case.ts'
import type { QueryOf } from '../../../policy/operations/table.ts'
import type { UserContent } from '../../database/documents.ts'
import { organizationOf } from '../../database/issuer-rows.ts'
import { foundBy, searchQuery } from '../../database/search.ts'
import type { Refusal } from '../../refusal.ts'
import { notFound, refuseInput } from '../answers.ts'
import type { Answered, Call, SomeHandlers } from '../call.ts'
import { pageOf, readCursor } from '../pages.ts'
import { checkMatch, write } from '../write.ts'
import { makeId } from './access-keys.ts'
import { contentOfUser, planUser, readUser, USER_COLUMNS, type UserRow, userResource } from './people.ts'

export const userHandlers = {
  'users.list': async ({ environment, query }) => listUsers(environment.DB, query, null),

  'users.create': async (call) => {
    const {
      displayName,
      login = null,
      email = null,
      identities,
      given = { roles: [], organizations: {} },
    } = call.body
    const content: UserContent = { status: 'active', login, displayName, email, identities, given }
    const repeated = repeatedIdentity(content)
    if (repeated) return repeated
    const id = makeId()
    const planned = await planUser(call, { id, before: null, after: content, createdAt: call.now })
    if (!planned.ok) return planned
    const row = {
      id,
      version: 1,
      created_at: call.now,
      updated_at: call.now,
      content: JSON.stringify(content),
      seen: null,
    }
    return write(call, { ...planned.plan, body: () => userResource(row, null) })
  },

  'users.get': async ({ environment, params }) => {
    const row = await readUser(environment.DB, params.user)
    return row === null
      ? notFound('user', params.user)
      : { ok: true, body: userResource(row, null), version: row.version }
  },

  'users.update': async (call) => {
    const { displayName, login, email, status, given } = call.body
    return changeUser(call, (content) => ({
      ...content,
      ...(displayName === undefined ? {} : { displayName }),
      ...(login === undefined ? {} : { login }),
      ...(email === undefined ? {} : { email }),
      ...(status === undefined ? {} : { status }),
      ...(given === undefined ? {} : { given }),
    }))
  },

  'users.delete': async (call) => {
    const { user: id } = call.params
    const row = await readUser(call.environment.DB, id)
    if (row === null) return notFound('user', id)
    const mismatch = checkMatch(call, row.version)
    if (mismatch) return mismatch
    const before = { version: row.version, content: contentOfUser(row) }
    const planned = await planUser(call, { id, before, after: null, createdAt: row.created_at })
    if (!planned.ok) return planned
    // Somebody who was deactivated could come in again by what the tokens say.
    return write(call, { ...planned.plan, toConfirm: [id], body: () => ({ deleted: id }) })
  },

  'users.link': async (call) => {
    const { issuer, subject } = call.body
    return changeUser(call, (content) => {
      const has = content.identities.some((known) => known.issuer === issuer && known.subject === subject)
      return has ? content : { ...content, identities: [...content.identities, { issuer, subject }] }
    })
  },

  'users.unlink': async (call) => {
    const { issuer, subject } = call.query
    return changeUser(call, (content) => {
      const identities = content.identities.filter(
        (known) => known.issuer !== issuer || known.subject !== subject,
      )
      return identities.length === content.identities.length
        ? notFound('identity', `${issuer} ${subject}`)
        : { ...content, identities }
    })
  },
} satisfies SomeHandlers

type Changing = 'users.update' | 'users.link' | 'users.unlink'

const IDENTITIES_MAX = 20

async function changeUser(
  call: Call<Changing>,
  change: (content: UserContent) => UserContent | Refusal,
): Promise<Answered<'users.update'>> {
  const id = call.params.user
  const row = await readUser(call.environment.DB, id)
  if (row === null) return notFound('user', id)
  const mismatch = checkMatch(call, row.version)
  if (mismatch) return mismatch
  const content = contentOfUser(row)
  const after = change(content)
  if ('ok' in after) return after
  if (after.identities.length > IDENTITIES_MAX) {
    return refuseInput([{ path: 'identities', message: `a user may have ${IDENTITIES_MAX}` }])
  }
  const before = { version: row.version, content }
  const planned = await planUser(call, { id, before, after, createdAt: row.created_at })
  if (!planned.ok) return planned
  const { plan } = planned
  const changed = {
    ...row,
    version: plan.version,
    updated_at: call.now,
    content: JSON.stringify(after),
  }
  const body = () => userResource(plan.documents.length === 0 ? row : changed, null)
  return write(call as unknown as Call<'users.update'>, { ...plan, body })
}

function repeatedIdentity({ identities }: UserContent): Refusal | null {
  const keys = identities.map(({ issuer, subject }) => `${issuer} ${subject}`)
  const index = keys.findIndex((key, position) => keys.indexOf(key) < position)
  return index === -1 ? null : refuseInput([{ path: `identities[${index}]`, message: 'is there twice' }])
}

/** `organization`: its members, and whoever its own issuers vouch for. */
export async function listUsers(
  database: D1Database,
  query: QueryOf<'users.list'>,
  organization: string | null,
): Promise<Answered<'users.list'>> {
  const kind = organization === null ? 'users' : `users of ${organization}`
  const from = readCursor(kind, query.cursor)
  if (!from.ok) return from
  const found = conditionsOf(query, organization)
  if (found === null) return { ok: true, body: { items: [], next: null, total: 0 } }
  const where = found.map(({ sql }) => sql).join(' AND ')
  const values = found.flatMap(({ values }) => values)
  const { results } = await database
    .prepare(`SELECT ${USER_COLUMNS} FROM users u WHERE ${where} AND u.id > ? ORDER BY u.id LIMIT ?`)
    .bind(...values, from.after ?? '', query.limit + 1)
    .all<UserRow>()
  const body = pageOf(kind, results, query.limit, {
    position: ({ id }) => id,
    item: (row) => userResource(row, organization),
    isFirst: from.after === null,
  })
  return { ok: true, body }
}

interface Found {
  sql: string
  values: unknown[]
}

/** Null when nobody can meet them. */
function conditionsOf(query: QueryOf<'users.list'>, organization: string | null): Found[] | null {
  const { login, email, issuer, subject, status, search } = query
  const found: Found[] = [{ sql: 'u.deleted_at IS NULL', values: [] }]
  if (login !== undefined) found.push({ sql: 'u.login_key = ?', values: [foldCase(login)] })
  if (email !== undefined) found.push({ sql: 'u.email_key = ?', values: [foldCase(email)] })
  if (status !== undefined) found.push({ sql: 'u.status = ?', values: [status] })
  if (organization !== null) found.push(withinOrganization(organization))
  if (issuer !== undefined || subject !== undefined) {
    // Which identities by others' issuers somebody has is not told, not even by finding them.
    if (
      organization !== null &&
      issuer !== undefined &&
      ![null, organization].includes(organizationOf(issuer))
    ) {
      return null
    }
    const whose =
      organization === null ? [] : [`(i.issuer NOT LIKE '%/%' OR i.issuer LIKE '${organization}/%')`]
    const asked = [
      ...(issuer === undefined ? [] : ['i.issuer = ?']),
      ...(subject === undefined ? [] : ['i.subject = ?']),
    ]
    const where = ["i.holder LIKE 'user/%'", ...asked, ...whose].join(' AND ')
    found.push({
      sql: `u.id IN (SELECT substr(i.holder, 6) FROM identities i WHERE ${where})`,
      values: [issuer, subject].filter((value) => value !== undefined),
    })
  }
  if (search !== undefined) {
    const words = searchQuery(search)
    if (words === null) return null
    found.push({ sql: foundBy('user', 'u.id'), values: [words] })
  }
  return found
}

function withinOrganization(slug: string): Found {
  return {
    sql: `u.id IN (SELECT substr(holder, 6) FROM memberships WHERE organization = ? AND holder LIKE 'user/%'
      UNION SELECT substr(holder, 6) FROM identities WHERE issuer >= ? AND issuer < ? AND holder LIKE 'user/%')`,
    // "0" is the character after "/".
    values: [slug, `${slug}/`, `${slug}0`],
  }
}
