// Service accounts over the API: federated identities ([1-24] to [1-27]), keys of ours ([1-28]), who may make them,
// and that a secret is nowhere but in the answer that shows it.
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import {
  ACME_OWNER,
  type Api,
  GLOBEX_OWNER,
  NOBODY,
  type OWNER,
  startApi,
  TEAM_ADMIN,
} from '../support/api.ts'
import { makeKey, mintToken } from '../support/tokens.ts'

const ownKey = makeKey('ES256')
const OWN = 'https://idp.acme.example'
const workloadKey = makeKey('ES256')
const WORKLOADS = 'https://token.workloads.example'
const ACCOUNTS = '/organizations/acme/projects/payments/serviceAccounts'

let api: Api
beforeAll(async () => {
  api = await startApi()
  await api.make('POST', '/organizations/acme/issuers', {
    body: { id: 'own', settings: { issuer: OWN, jwks: { keys: [ownKey.jwk] } } },
  })
  await api.make('POST', '/issuers', {
    body: { id: 'ci', settings: { issuer: WORKLOADS, jwks: { keys: [workloadKey.jwk] }, groups: 'none' } },
  })
  // The edge knows of new issuers within the re-check time.
  await api.stack.advance(70)
})
afterAll(() => api.close())

const reasonOf = ({ status, json }: { status: number; json: { reason?: string } }) =>
  `${status} ${json.reason}`
let made = 0
const create = (body: object, asked: object = {}) => {
  made += 1
  return api.ask('POST', ACCOUNTS, { as: TEAM_ADMIN, body: { name: `Account ${made}`, ...body }, ...asked })
}
const federated = (subject: string, more: object = {}) => ({
  authenticationMethod: 'federated',
  subject,
  ...more,
})
const payments = (authorization: string) => {
  return api.ask('GET', '/organizations/acme/projects/payments', { authorization })
}

describe('[1-24] [1-26] a federated account', () => {
  it("uses the organization's issuer, and its exact subject ([1-27])", async () => {
    const { status, json } = await create(federated('ci:deploy', { roles: ['GROUP_READ_ONLY'] }))
    expect(status).toBe(201)
    expect(json).toMatchObject({
      organization: 'acme',
      project: 'payments',
      identity: { issuer: 'acme/own', subject: 'ci:deploy' },
      roles: ['GROUP_READ_ONLY'],
      keys: [],
    })
    const bearer = (sub: string) => `Bearer ${mintToken(OWN, ownKey, { sub, aud: 'acme' })}`
    expect((await payments(bearer('ci:deploy'))).status).toBe(200)
    expect((await payments(bearer('ci:Deploy'))).status).not.toBe(200)
    expect((await payments(bearer('ci:deploy2'))).status).not.toBe(200)
  })

  it('of an issuer of the instance that many share, by naming it', async () => {
    const body = federated('repo:acme/app', { issuer: 'ci', roles: ['GROUP_READ_ONLY'] })
    expect((await create(body)).json.identity).toEqual({ issuer: 'ci', subject: 'repo:acme/app' })
    const bearer = `Bearer ${mintToken(WORKLOADS, workloadKey, { sub: 'repo:acme/app' })}`
    expect((await payments(bearer)).status).toBe(200)
    expect((await api.ask('GET', '/organizations/globex', { authorization: bearer })).status).toBe(404)
    expect((await api.ask('GET', '/organizations/acme/projects/web', { authorization: bearer })).status).toBe(
      404,
    )
  })

  it('has an identity that nobody else has', async () => {
    await create(federated('shared'))
    expect(reasonOf(await create(federated('shared')))).toBe('409 name_taken')
    const user = { displayName: 'X', identities: [{ issuer: 'acme/own', subject: 'shared' }] }
    expect(reasonOf(await api.ask('POST', '/users', { body: user }))).toBe('409 name_taken')
  })

  it.each([
    ['without a subject', { authenticationMethod: 'federated' }, 'subject'],
    ['of an issuer that is not there', federated('x', { issuer: 'none' }), 'issuer'],
    ["of another organization's issuer", federated('x', { issuer: 'globex/own' }), 'issuer'],
    ["of the instance's people", federated('alice', { issuer: 'people' }), 'issuer'],
    ['with a role of another level', federated('x', { roles: ['ORG_OWNER'] }), 'roles[0]'],
    ['with a key as well', { authenticationMethod: 'key', subject: 'x' }, 'subject'],
  ])('%s is refused', async (_what, body, path) => {
    const { status, json } = await create(body)
    expect({ status, reason: json.reason, path: json.errors?.[0]?.path }).toEqual({
      status: 400,
      reason: 'input_invalid',
      path,
    })
  })

  it('of a subject that was seen with groups is made only by whoever may change users', async () => {
    const database = await api.stack.database()
    const groups = JSON.stringify({ outcome: 'listed', names: ['acme-owners'] })
    await database
      .prepare(
        "INSERT INTO known_principals VALUES ('x', 'acme/own', 'boss', 'acme', NULL, NULL, NULL, ?, 1, 1)",
      )
      .bind(groups)
      .run()
    expect(reasonOf(await create(federated('boss')))).toBe('409 link_not_allowed')
    expect((await create(federated('boss'), { as: ACME_OWNER })).status).toBe(201)
  })

  it('is deactivated, and its subject is refused', async () => {
    const { json } = await create(federated('ci:off', { roles: ['GROUP_READ_ONLY'] }))
    const bearer = () => `Bearer ${mintToken(OWN, ownKey, { sub: 'ci:off', aud: 'acme' })}`
    expect((await payments(bearer())).status).toBe(200)
    await api.make('PATCH', `${ACCOUNTS}/${json.id}`, {
      as: TEAM_ADMIN,
      body: { status: 'inactive' },
      ifMatch: 1,
    })
    await api.stack.advance(70)
    expect(reasonOf(await payments(bearer()))).toBe('403 principal_inactive')
  })
})

describe('[1-25] who may', () => {
  it('the admin of the project, within what they may give', async () => {
    expect((await create({ authenticationMethod: 'key', roles: ['GROUP_READ_ONLY'] })).status).toBe(201)
    expect(reasonOf(await create({ authenticationMethod: 'key', roles: ['GROUP_OWNER'] }))).toBe(
      '403 grant_not_allowed',
    )
    expect(
      (await create({ authenticationMethod: 'key', roles: ['GROUP_OWNER'] }, { as: ACME_OWNER })).status,
    ).toBe(201)
    for (const as of [GLOBEX_OWNER, NOBODY]) {
      expect(reasonOf(await create({ authenticationMethod: 'key' }, { as }))).toBe('404 not_found')
    }
  })

  it('nobody makes a key of an account that has more than they may give', async () => {
    const { json } = await create({ authenticationMethod: 'key', roles: ['GROUP_OWNER'] }, { as: ACME_OWNER })
    const key = (as: typeof OWNER) => api.ask('POST', `${ACCOUNTS}/${json.id}/keys`, { as, body: {} })
    expect(reasonOf(await key(TEAM_ADMIN))).toBe('403 grant_not_allowed')
    expect((await key(ACME_OWNER)).status).toBe(201)
    // Nor do they put another identity in the place of one that has it.
    const other = await create(federated('ci:owner', { roles: ['GROUP_OWNER'] }), { as: ACME_OWNER })
    const moved = await api.ask('PATCH', `${ACCOUNTS}/${other.json.id}`, {
      as: TEAM_ADMIN,
      body: { subject: 'mine' },
      ifMatch: 1,
    })
    expect(reasonOf(moved)).toBe('403 grant_not_allowed')
  })

  it('in a project that is there', async () => {
    const path = '/organizations/acme/projects/none/serviceAccounts'
    const body = { name: 'X', authenticationMethod: 'key' }
    expect(reasonOf(await api.ask('POST', path, { as: ACME_OWNER, body }))).toBe('404 not_found')
  })
})

describe('[1-28] keys of ours', () => {
  async function accountWithKey(roles = ['GROUP_READ_ONLY'], body: object = {}) {
    const account = (await create({ authenticationMethod: 'key', roles }, { as: ACME_OWNER })).json
    const key = await api.make('POST', `${ACCOUNTS}/${account.id}/keys`, { as: ACME_OWNER, body })
    return { account, key, keys: `${ACCOUNTS}/${account.id}/keys` }
  }

  it('authenticate the API as a bearer token and as the password of Basic', async () => {
    const { key, account } = await accountWithKey()
    expect(key.key).toMatch(/^postern_[0-9a-f]{24}_[A-Za-z0-9_-]{43}$/)
    const basic = (user: string, password: string) => {
      return `Basic ${Buffer.from(`${user}:${password}`).toString('base64')}`
    }
    for (const authorization of [`Bearer ${key.key}`, basic(key.id, key.key), basic('', key.key)]) {
      expect((await payments(authorization)).status).toBe(200)
      expect((await api.ask('GET', '/organizations/globex', { authorization })).status).toBe(404)
      const web = await api.ask('GET', '/organizations/acme/projects/web', { authorization })
      expect(web.status).toBe(404)
    }
    const write = { authorization: `Bearer ${key.key}`, body: { displayName: 'X' }, ifMatch: 0 }
    expect((await api.ask('PATCH', '/organizations/acme/projects/payments', write)).status).toBe(403)
    const shown = await api.make('GET', `${ACCOUNTS}/${account.id}`, { as: ACME_OWNER })
    expect(shown.keys).toMatchObject([{ id: key.id, revokedAt: null, expiresAt: null }])
    expect(shown.lastUsedAt).not.toBeNull()
  })

  it.each([
    ['a wrong secret', (key: string) => `Bearer ${key.slice(0, -4)}AAAA`],
    [
      'an id that is not there',
      (key: string) => `Bearer ${key.replace(/_[0-9a-f]{24}_/, `_${'0'.repeat(24)}_`)}`,
    ],
    ['half a key', (key: string) => `Bearer ${key.slice(0, 30)}`],
    ['Basic without a key', () => `Basic ${Buffer.from('a:b').toString('base64')}`],
    ['Basic that is no base64', () => 'Basic ***'],
    ["SQL in the key's place", () => `Bearer postern_'--_x`],
  ])('%s is refused in the same words', async (_what, of) => {
    const { key } = await accountWithKey()
    const answer = await payments(of(key.key))
    expect(reasonOf(answer)).toBe('401 access_key_invalid')
    expect(answer.json.detail).toBe('The key is not one of this instance.')
    expect(answer.text).not.toContain(key.key.slice(-20))
  })

  it('one follows another, with both valid for a while', async () => {
    const { key, keys } = await accountWithKey()
    const next = await api.make('POST', keys, { as: ACME_OWNER, body: {} })
    expect((await payments(`Bearer ${key.key}`)).status).toBe(200)
    expect((await payments(`Bearer ${next.key}`)).status).toBe(200)
    const revoked = await api.make('DELETE', `${keys}/${key.id}`, { as: ACME_OWNER })
    expect(revoked).toMatchObject({ id: key.id, revokedAt: expect.any(String) })
    expect(await api.make('DELETE', `${keys}/${key.id}`, { as: ACME_OWNER })).toEqual(
      expect.objectContaining({ revokedAt: revoked.revokedAt }),
    )
    expect(reasonOf(await payments(`Bearer ${key.key}`))).toBe('401 access_key_invalid')
    expect((await payments(`Bearer ${next.key}`)).status).toBe(200)
    expect(reasonOf(await api.ask('DELETE', `${keys}/none`, { as: ACME_OWNER }))).toBe('404 not_found')
  })

  it('tell when they were used last, which is noted once an hour at most', async () => {
    const { key } = await accountWithKey()
    const used = async () => {
      await payments(`Bearer ${key.key}`)
      // Noted behind the answer.
      await new Promise((resolve) => setTimeout(resolve, 200))
      const [row] = await api.rows<{ last_used_at: number }>(
        `SELECT last_used_at FROM service_account_keys WHERE id = '${key.id}'`,
      )
      return row?.last_used_at ?? 0
    }
    const first = await used()
    expect(first).toBeGreaterThan(0)
    expect(await used()).toBe(first)
    await api.stack.advance(3700)
    expect(await used()).toBeGreaterThan(first + 3_600_000)
  })

  it('expire', async () => {
    const soon = new Date(Date.now() + 100_000_000).toISOString()
    const { key } = await accountWithKey(['GROUP_READ_ONLY'], { expiresAt: soon })
    expect((await payments(`Bearer ${key.key}`)).status).toBe(200)
    await api.stack.advance(100_001)
    const refused = await payments(`Bearer ${key.key}`)
    expect(reasonOf(refused)).toBe('401 access_key_invalid')
    expect(refused.json.detail).toMatch(/expired at/)
    await api.stack.advance(0)
    const { keys } = await accountWithKey()
    const past = await api.ask('POST', keys, { as: ACME_OWNER, body: { expiresAt: '2020-01-01T00:00:00Z' } })
    expect(past.json.errors[0].path).toBe('expiresAt')
  })

  it('end with their account, and while it is deactivated', async () => {
    const { account, key } = await accountWithKey()
    const path = `${ACCOUNTS}/${account.id}`
    await api.make('PATCH', path, { as: ACME_OWNER, body: { status: 'inactive' }, ifMatch: 1 })
    expect(reasonOf(await payments(`Bearer ${key.key}`))).toBe('403 principal_inactive')
    await api.make('PATCH', path, { as: ACME_OWNER, body: { status: 'active' }, ifMatch: 2 })
    expect((await payments(`Bearer ${key.key}`)).status).toBe(200)
    const remove = (confirm?: string) => {
      return api.ask('DELETE', path, { as: ACME_OWNER, query: confirm === undefined ? {} : { confirm } })
    }
    expect(reasonOf(await remove())).toBe('409 confirmation_needed')
    expect((await remove(account.id)).json).toEqual({ deleted: account.id })
    expect(reasonOf(await payments(`Bearer ${key.key}`))).toBe('401 access_key_invalid')
  })

  it('are at most ten at a time', async () => {
    const { keys } = await accountWithKey()
    for (let count = 1; count < 10; count++) await api.make('POST', keys, { as: ACME_OWNER, body: {} })
    const over = await api.ask('POST', keys, { as: ACME_OWNER, body: {} })
    expect(over.json).toMatchObject({ reason: 'limit_reached', limit: 10, count: 11 })
  })

  it('are written down nowhere: not in D1, KV or logs', async () => {
    const { key } = await accountWithKey()
    await payments(`Bearer ${key.key}`)
    await payments(`Bearer ${key.key.slice(0, -1)}-`)
    const secret = key.key.slice(-43)
    const tables = await api.rows<{ name: string }>("SELECT name FROM sqlite_master WHERE type = 'table'")
    for (const { name } of tables) {
      if (/^(sqlite_|_cf|search)/.test(name)) continue
      expect(JSON.stringify(await api.rows(`SELECT * FROM "${name}"`)), name).not.toContain(secret)
    }
    const kv = await api.stack.kv()
    const { keys } = await kv.list()
    for (const { name } of keys) expect(await kv.get(name)).not.toContain(secret)
    expect(api.stack.logs.join('\n')).not.toContain(secret)
    const audit = await api.rows<{ after: string }>(
      "SELECT after FROM audit_events WHERE operation = 'serviceAccounts.createKey' ORDER BY seq DESC LIMIT 1",
    )
    expect(JSON.parse(audit[0]?.after ?? '')).toEqual({ key: key.id, expiresAt: null })
  })
})

describe('lists and versions', () => {
  it('list, find and page', async () => {
    await create({ authenticationMethod: 'key', name: '結算 <script> robot' })
    const list = (query: object = {}) => api.make('GET', ACCOUNTS, { as: ACME_OWNER, query: { ...query } })
    expect((await list({ search: '結算' })).items).toMatchObject([{ name: '結算 <script> robot' }])
    const first = await list({ limit: '2' })
    expect(first.items).toHaveLength(2)
    const second = await list({ limit: '2', cursor: first.next })
    expect(second.items[0].id).not.toBe(first.items[1].id)
    expect((await api.make('GET', ACCOUNTS.replace('payments', 'web'), { as: ACME_OWNER })).items).toEqual([])
  })

  it('a name is there once in a project', async () => {
    await create({ authenticationMethod: 'key', name: 'Once' })
    expect(reasonOf(await create({ authenticationMethod: 'key', name: 'Once' }))).toBe('409 already_exists')
  })

  it('a version that is not the one in force is refused', async () => {
    const { json } = await create({ authenticationMethod: 'key' })
    const patch = (asked: object) => {
      return api.ask('PATCH', `${ACCOUNTS}/${json.id}`, {
        as: TEAM_ADMIN,
        body: { name: 'Renamed' },
        ...asked,
      })
    }
    expect(reasonOf(await patch({}))).toBe('428 version_required')
    expect((await patch({ ifMatch: 1 })).json).toMatchObject({ name: 'Renamed', version: 2 })
    expect(reasonOf(await patch({ ifMatch: 1 }))).toBe('412 version_conflict')
  })
})
