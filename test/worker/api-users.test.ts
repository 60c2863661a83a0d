// Users over the API: finding them, deactivating them, their identities, roles given directly, and what an
// organization's admins see and may change of them.
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import {
  ACME_OWNER,
  type Api,
  GLOBEX_OWNER,
  NOBODY,
  OWNER,
  startApi,
  TEAM_ADMIN,
  USER_ADMIN,
} from '../support/api.ts'
import { makeKey } from '../support/tokens.ts'

const jwks = { keys: [makeKey('ES256').jwk] }
let api: Api
beforeAll(async () => {
  api = await startApi()
  await api.make('POST', '/organizations/acme/issuers', {
    body: { id: 'own', settings: { issuer: 'https://idp.acme.example', jwks } },
  })
  await api.make('POST', '/organizations/globex/issuers', {
    body: { id: 'own', settings: { issuer: 'https://idp.globex.example', jwks } },
  })
})
afterAll(() => api.close())

let made = 0
async function makeUser(body: object = {}) {
  made += 1
  return api.make('POST', '/users', { body: { displayName: `User ${made}`, ...body } })
}
const identity = (subject: string, issuer = 'people') => ({ issuer, subject })
const reasonOf = ({ status, json }: { status: number; json: { reason?: string } }) =>
  `${status} ${json.reason}`

describe('finding', () => {
  it('by login and e-mail in folded case, by identity, by words and by status', async () => {
    const user = await makeUser({
      displayName: "김철수 O'Brien <b>",
      login: 'Kim.C',
      email: 'Kim@Example.com',
      identities: [identity('kim-1')],
    })
    const find = async (query: Record<string, string>) => {
      return (await api.make('GET', '/users', { query })).items.map(({ id }: { id: string }) => id)
    }
    expect(await find({ login: 'kim.c' })).toEqual([user.id])
    expect(await find({ email: 'KIM@example.COM' })).toEqual([user.id])
    expect(await find({ issuer: 'people', subject: 'kim-1' })).toEqual([user.id])
    expect(await find({ subject: 'kim-1' })).toEqual([user.id])
    expect(await find({ issuer: 'people', subject: 'KIM-1' })).toEqual([])
    expect(await find({ search: '철수' })).toEqual([user.id])
    expect(await find({ search: 'obri brien' })).toEqual([])
    expect(await find({ search: 'brie' })).toEqual([user.id])
    expect(await find({ search: 'kim example' })).toEqual([user.id])
    expect(await find({ search: '%' })).toEqual([])
    expect(await find({ login: 'kim.c', status: 'inactive' })).toEqual([])
    const got = await api.ask('GET', `/users/${user.id}`)
    expect(got.json).toEqual(user)
    expect(got.headers.etag).toBe('"1"')
    expect(user).toMatchObject({ displayName: "김철수 O'Brien <b>", groups: null, lastSeenAt: null })
  })

  it('in pages that lose nobody', async () => {
    for (let count = 0; count < 5; count++) await makeUser({ displayName: 'Paged person' })
    const ids: string[] = []
    let cursor: string | null = null
    do {
      const page: { items: { id: string }[]; next: string | null } = await api.make('GET', '/users', {
        query: { search: 'paged', limit: '2', ...(cursor === null ? {} : { cursor }) },
      })
      ids.push(...page.items.map(({ id }) => id))
      cursor = page.next
    } while (cursor !== null)
    expect(new Set(ids).size).toBe(5)
    expect(ids).toHaveLength(5)
    expect(reasonOf(await api.ask('GET', '/users', { query: { cursor: 'nonsense' } }))).toBe(
      '400 input_invalid',
    )
  })
})

describe('identities', () => {
  it('belong to one user', async () => {
    const first = await makeUser({ identities: [identity('single')] })
    const second = await makeUser()
    const link = () =>
      api.ask('POST', `/users/${second.id}/identities`, { body: identity('single'), ifMatch: 1 })
    expect(reasonOf(await link())).toBe('409 name_taken')
    const query = identity('single')
    const unlinked = await api.make('DELETE', `/users/${first.id}/identities`, { query, ifMatch: 1 })
    expect(unlinked.identities).toEqual([])
    expect((await link()).json.identities).toEqual([identity('single')])
    expect(reasonOf(await api.ask('DELETE', `/users/${first.id}/identities`, { query, ifMatch: 2 }))).toBe(
      '404 not_found',
    )
    // The refused link left no version.
    expect((await api.make('GET', `/users/${second.id}`)).version).toBe(2)
  })

  it('of an issuer that is not there are refused with their place', async () => {
    const { status, json } = await api.ask('POST', '/users', {
      body: { displayName: 'X', identities: [identity('x', 'none')] },
    })
    expect({ status, reason: json.reason, errors: json.errors }).toMatchObject({
      status: 400,
      reason: 'input_invalid',
      errors: [{ path: 'issuer' }],
    })
  })

  it("by an organization's issuer never meet anything outside that organization", async () => {
    const elsewhere = await makeUser({ given: { organizations: { globex: { roles: ['ORG_MEMBER'] } } } })
    const byInstance = await makeUser({ identities: [identity('two-worlds')] })
    const own = identity('somebody', 'acme/own')
    for (const { id } of [elsewhere, byInstance]) {
      const answer = await api.ask('POST', `/users/${id}/identities`, { body: own, ifMatch: 1 })
      expect(reasonOf(answer)).toBe('409 link_not_allowed')
    }
    const user = await makeUser({ identities: [own], given: { organizations: { acme: {} } } })
    const change = (given: object) => api.ask('PATCH', `/users/${user.id}`, { body: { given }, ifMatch: 1 })
    expect(reasonOf(await change({ roles: ['GLOBAL_READ_ONLY'] }))).toBe('409 link_not_allowed')
    expect(reasonOf(await change({ organizations: { globex: {} } }))).toBe('409 link_not_allowed')
    const put = await api.ask('PUT', `/organizations/globex/users/${user.id}`, { body: {}, ifMatch: 1 })
    expect(reasonOf(put)).toBe('409 link_not_allowed')
  })
})

describe('[4-31] roles given directly', () => {
  it('count at the edge, until they are taken away or the user is deactivated', async () => {
    const direct = { subject: 'direct-dora', groups: ['nothing'] }
    const asked = () => api.ask('GET', '/organizations/acme', { as: direct })
    expect((await asked()).status).toBe(404)
    const user = await makeUser({
      identities: [identity('direct-dora')],
      given: { organizations: { acme: { roles: ['ORG_READ_ONLY'] } } },
    })
    // What was written a moment ago is seen at once.
    expect((await asked()).status).toBe(200)
    const off = await api.make('PATCH', `/users/${user.id}`, { body: { status: 'inactive' }, ifMatch: 1 })
    expect(off.status).toBe('inactive')
    await api.stack.advance(70)
    expect(reasonOf(await asked())).toBe('403 principal_inactive')
    await api.make('PATCH', `/users/${user.id}`, { body: { status: 'active', given: {} }, ifMatch: 2 })
    await api.stack.advance(70)
    expect((await asked()).status).toBe(404)
  })

  it.each([
    ['unknown', { roles: ['GLOBAL_OWNR'] }, 'given.roles[0]', /did you mean GLOBAL_OWNER/],
    ['of another level', { roles: ['ORG_OWNER'] }, 'given.roles[0]', /role of the organization level/],
    [
      'in an organization that is not there',
      { organizations: { none: { roles: ['ORG_OWNER'] } } },
      'given.organizations.none',
      /no organization/,
    ],
    [
      'in a project that is not there',
      { organizations: { acme: { projects: { none: ['GROUP_OWNER'] } } } },
      'given.organizations.acme.projects.none',
      /no project/,
    ],
  ])('%s are refused', async (_what, given, path, message) => {
    const { status, json } = await api.ask('POST', '/users', { body: { displayName: 'X', given } })
    expect(status).toBe(400)
    expect(json.errors).toEqual([{ path, message: expect.stringMatching(message) }])
  })

  it('are given only by those who may', async () => {
    const give = (as: typeof OWNER, given: object) => {
      return api.ask('POST', '/users', { as, body: { displayName: 'X', given } })
    }
    expect((await give(OWNER, { roles: ['GLOBAL_OWNER'] })).status).toBe(201)
    expect((await give(USER_ADMIN, { roles: ['GLOBAL_READ_ONLY'] })).status).toBe(201)
    expect(reasonOf(await give(USER_ADMIN, { roles: ['GLOBAL_OWNER'] }))).toBe('403 grant_not_allowed')
    expect(reasonOf(await give(ACME_OWNER, {}))).toBe('403 permission_missing')
    expect(reasonOf(await give(NOBODY, {}))).toBe('403 permission_missing')
  })

  it('nobody gives themselves a role they lack, neither by a role nor by a link', async () => {
    const body = {
      displayName: 'Uma',
      identities: [identity('uma')],
      given: { roles: ['GLOBAL_BACKUP_ADMIN'] },
    }
    expect(reasonOf(await api.ask('POST', '/users', { as: USER_ADMIN, body }))).toBe('403 grant_to_self')
    const owner = await makeUser({ given: { roles: ['GLOBAL_OWNER'] } })
    const backup = await makeUser({ given: { roles: ['GLOBAL_BACKUP_ADMIN'] } })
    const link = (id: string, subject: string) => {
      return api.ask('POST', `/users/${id}/identities`, {
        as: USER_ADMIN,
        body: identity(subject),
        ifMatch: 1,
      })
    }
    expect(reasonOf(await link(backup.id, 'uma'))).toBe('403 grant_to_self')
    expect(reasonOf(await link(owner.id, 'whoever'))).toBe('403 grant_not_allowed')
    expect((await link(backup.id, 'whoever')).status).toBe(200)
  })
})

describe('writing', () => {
  it('takes the version it is made to', async () => {
    const user = await makeUser()
    const path = `/users/${user.id}`
    expect(reasonOf(await api.ask('PATCH', path, { body: {} }))).toBe('428 version_required')
    expect(reasonOf(await api.ask('PATCH', path, { body: {}, ifMatch: 7 }))).toBe('412 version_conflict')
    const same = await api.ask('PATCH', path, { body: { displayName: user.displayName }, ifMatch: 1 })
    expect(same.json.version).toBe(1)
    const changed = await api.ask('PATCH', path, { body: { login: 'new' }, ifMatch: 1 })
    expect(changed.headers.etag).toBe('"2"')
    expect(changed.json).toMatchObject({ login: 'new', version: 2 })
  })

  it('a dry run tells what it would give and writes nothing', async () => {
    const before = await api.rows('SELECT count(*) AS count FROM versions')
    const preview = await api.make('POST', '/users', {
      query: { dryRun: 'true' },
      body: { displayName: 'X', identities: [identity('dry')], given: { roles: ['GLOBAL_USER_ADMIN'] } },
    })
    expect(preview).toMatchObject({
      dryRun: true,
      principals: {
        considered: 1,
        items: [{ issuer: 'people', subject: 'dry', levels: [{ level: { kind: 'global' } }] }],
      },
    })
    expect(preview.principals.items[0].levels[0].roles.gained).toContain('GLOBAL_USER_ADMIN')
    expect(preview.principals.items[0].levels[0].permissions.gained).toContain('instance.users.write')
    expect(await api.rows('SELECT count(*) AS count FROM versions')).toEqual(before)
  })

  it('a dry run leaves out what the groups seen last give anyway', async () => {
    const database = await api.stack.database()
    await database
      .prepare("INSERT INTO known_principals VALUES ('s1', 'people', 'seen', '', NULL, NULL, NULL, ?, 1, 1)")
      .bind(JSON.stringify({ outcome: 'listed', names: ['acme-owners'] }))
      .run()
    const preview = await api.make('POST', '/users', {
      query: { dryRun: 'true' },
      body: {
        displayName: 'X',
        identities: [identity('seen'), identity('unseen')],
        given: { organizations: { acme: { roles: ['ORG_READ_ONLY'] } } },
      },
    })
    expect(preview.principals.items.map(({ subject }: { subject: string }) => subject)).toEqual(['unseen'])
  })

  it('a deletion is confirmed with the id, and frees the identity', async () => {
    const user = await makeUser({ identities: [identity('deleted')] })
    const remove = (confirm?: string) => {
      return api.ask('DELETE', `/users/${user.id}`, {
        query: confirm === undefined ? {} : { confirm },
        ifMatch: 1,
      })
    }
    expect((await remove()).json).toMatchObject({ reason: 'confirmation_needed', toConfirm: [user.id] })
    expect((await remove(user.id)).json).toEqual({ deleted: user.id })
    expect(reasonOf(await api.ask('GET', `/users/${user.id}`))).toBe('404 not_found')
    expect((await makeUser({ identities: [identity('deleted')] })).identities).toEqual([identity('deleted')])
  })

  it('whoever deactivates themselves says so', async () => {
    const user = await makeUser({ identities: [identity('uma')] })
    const off = (query: Record<string, string>) => {
      return api.ask('PATCH', `/users/${user.id}`, {
        as: USER_ADMIN,
        body: { status: 'inactive' },
        query: { ...query, dryRun: 'false' },
        ifMatch: 1,
      })
    }
    expect((await off({})).json).toMatchObject({ reason: 'confirmation_needed', toConfirm: ['own-access'] })
    await api.make('DELETE', `/users/${user.id}`, { query: { confirm: user.id } })
  })
})

describe("an organization's admins", () => {
  it('see members and those whom their issuers vouch for, and of them their own part only', async () => {
    const member = await makeUser({
      displayName: 'Member of two',
      identities: [identity('two-orgs')],
      given: {
        roles: ['GLOBAL_READ_ONLY'],
        organizations: { acme: { roles: ['ORG_MEMBER'] }, globex: { roles: ['ORG_OWNER'] } },
      },
    })
    const own = await makeUser({ identities: [identity('mine', 'acme/own')] })
    const other = await makeUser({ identities: [identity('theirs', 'globex/own')] })
    const list = (query: Record<string, string> = {}) => {
      return api.make('GET', '/organizations/acme/users', {
        as: ACME_OWNER,
        query: { limit: '500', ...query },
      })
    }
    const { items } = await list()
    const ids = items.map(({ id }: { id: string }) => id)
    expect(ids).toContain(member.id)
    expect(ids).toContain(own.id)
    expect(ids).not.toContain(other.id)
    const shown = items.find(({ id }: { id: string }) => id === member.id)
    expect(shown.given).toEqual({
      roles: [],
      organizations: { acme: { roles: ['ORG_MEMBER'], projects: {} } },
    })
    expect(JSON.stringify(items)).not.toContain('globex')
    expect((await list({ subject: 'theirs' })).items).toEqual([])
    expect((await list({ issuer: 'globex/own' })).items).toEqual([])
    expect((await list({ subject: 'mine' })).items).toMatchObject([{ id: own.id }])
  })

  it('give roles of their organization to their own, and to nobody else', async () => {
    const own = await makeUser({ identities: [identity('promoted', 'acme/own')] })
    const stranger = await makeUser({ identities: [identity('stranger')] })
    const put = (id: string, body: object, asked: object = {}) => {
      return api.ask('PUT', `/organizations/acme/users/${id}`, { as: ACME_OWNER, body, ifMatch: 1, ...asked })
    }
    expect(reasonOf(await put(stranger.id, {}))).toBe('404 not_found')
    expect(reasonOf(await put('nobody', {}))).toBe('404 not_found')
    expect(reasonOf(await put(own.id, { roles: ['GROUP_OWNER'] }))).toBe('400 input_invalid')
    expect(reasonOf(await put(own.id, { projects: { shop: ['GROUP_OWNER'] } }))).toBe('400 input_invalid')
    expect(reasonOf(await put(own.id, {}, { as: GLOBEX_OWNER }))).toBe('404 not_found')
    expect(reasonOf(await put(own.id, {}, { as: TEAM_ADMIN }))).toBe('404 not_found')
    const body = { roles: ['ORG_OWNER'], projects: { payments: ['GROUP_DATA_ACCESS_ADMIN'] } }
    expect((await put(own.id, body)).json.given.organizations).toEqual({ acme: body })
    // Whoever administers the users of the instance makes anybody a member, within what they may give.
    expect(reasonOf(await put(stranger.id, { roles: ['ORG_OWNER'] }, { as: USER_ADMIN }))).toBe(
      '403 grant_not_allowed',
    )
    expect((await put(stranger.id, {}, { as: USER_ADMIN })).status).toBe(200)
    const removed = await api.ask('DELETE', `/organizations/acme/users/${stranger.id}`, {
      as: ACME_OWNER,
      ifMatch: 2,
    })
    expect(removed.json).toEqual({ removed: stranger.id })
    expect(reasonOf(await api.ask('GET', `/users/${stranger.id}`, { as: ACME_OWNER }))).toBe(
      '403 permission_missing',
    )
  })

  it('find the change in the audit of their organization, and only their part of it', async () => {
    const user = await makeUser({ given: { organizations: { globex: { roles: ['ORG_OWNER'] } } } })
    const put = { body: { roles: ['ORG_MEMBER'] }, ifMatch: 1 }
    await api.make('PUT', `/organizations/acme/users/${user.id}`, put)
    const rows = await api.rows<{ chain: string; before: string; after: string }>(
      `SELECT chain, before, after FROM audit_events WHERE target = '${user.id}' AND operation = 'members.put'`,
    )
    const own = rows.find(({ chain }) => chain === 'acme')
    expect(own).toMatchObject({ before: null, after: '{"roles":["ORG_MEMBER"],"projects":{}}' })
    expect(rows.map(({ chain }) => chain).sort()).toEqual(['', 'acme'])
  })
})
