// Ops Manager's paths: scripts made for it find their organizations and groups, in its shapes, with the same rights
// and the same checks behind them.
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import {
  ACME_OWNER,
  type Api,
  GLOBEX_OWNER,
  type Json,
  NOBODY,
  OWNER,
  type Person,
  startApi,
  TEAM_ADMIN,
} from '../support/api.ts'
import { GATEWAY_HOST, GATEWAY_ORIGIN } from '../support/stack.ts'

const BASE = '/api/public/v1.0'
let api: Api
beforeAll(async () => {
  api = await startApi()
})
afterAll(() => api.close())

interface Options {
  as?: Person | null
  authorization?: string
  body?: unknown
  headers?: Record<string, string>
}

async function ask(method: string, path: string, options: Options = {}): Promise<Json> {
  const { as = OWNER, authorization, body, headers = {} } = options
  const credentials = authorization ?? (as === null ? undefined : `Bearer ${api.token(as)}`)
  const answer = await api.stack.send({
    host: GATEWAY_HOST,
    method,
    path: BASE + path,
    headers: {
      prefer: 'wait',
      ...(credentials === undefined ? {} : { authorization: credentials }),
      ...(body === undefined ? {} : { 'content-type': 'application/json' }),
      ...headers,
    },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  })
  const { status, text } = answer
  return { status, headers: answer.headers, text, json: text === '' ? null : JSON.parse(text) }
}

async function idOf(kind: 'orgs' | 'groups', name: string): Promise<string> {
  const { json } = await ask('GET', `/${kind}`)
  return json.results.find((one: { name: string }) => one.name === name).id
}

const MAP = (roleName: string, ...idpGroups: string[]) => ({ idpGroups, roleName })

describe('readings', () => {
  it('[4-25] [4-26] all organizations, with their mappings in that shape', async () => {
    const { status, json } = await ask('GET', '/orgs')
    expect(status).toBe(200)
    expect(Object.keys(json)).toEqual(['links', 'results', 'totalCount'])
    expect(json.totalCount).toBe(2)
    expect(json.links[0]).toEqual({
      href: `${GATEWAY_ORIGIN}${BASE}/orgs?pageNum=1&itemsPerPage=100`,
      rel: 'self',
    })
    expect(json.results[0]).toEqual({
      id: expect.stringMatching(/^[0-9a-f]{24}$/),
      idpGroupMappings: [MAP('ORG_OWNER', 'acme-owners')],
      isDeleted: false,
      links: [{ href: `${GATEWAY_ORIGIN}${BASE}/orgs/${json.results[0].id}`, rel: 'self' }],
      name: 'acme',
    })
  })

  it('[4-25] one organization and its groups, by id', async () => {
    const id = await idOf('orgs', 'acme')
    const one = await ask('GET', `/orgs/${id}`)
    expect(one.json).toMatchObject({ id, name: 'acme' })
    expect(one.headers.etag).toBe('"0"')
    const groups = await ask('GET', `/orgs/${id}/groups`)
    expect(
      groups.json.results.map(({ name, orgId }: { name: string; orgId: string }) => [name, orgId]),
    ).toEqual([
      ['payments', id],
      ['web', id],
    ])
  })

  it('[4-25] [4-30] all groups; one by id and by name', async () => {
    const all = await ask('GET', '/groups')
    expect(all.json).toMatchObject({ totalCount: 3 })
    const id = await idOf('groups', 'payments')
    const byId = await ask('GET', `/groups/${id}`)
    expect(byId.json.idpGroupMappings).toEqual([
      MAP('GROUP_USER_ADMIN', 'payments-admins'),
      MAP('GROUP_READ_ONLY', 'payments-readers'),
    ])
    expect((await ask('GET', '/groups/byName/payments')).json).toEqual(byId.json)
    expect((await ask('GET', '/groups?name=PAY')).json.results).toEqual([byId.json])
  })

  it('in numbered pages', async () => {
    const first = await ask('GET', '/groups?itemsPerPage=2')
    expect(first.json.results).toHaveLength(2)
    expect(first.json.totalCount).toBe(3)
    const next = first.json.links.find(({ rel }: { rel: string }) => rel === 'next').href
    const second = await ask('GET', next.slice(`${GATEWAY_ORIGIN}${BASE}`.length))
    expect(second.json.results).toHaveLength(1)
    expect(second.json.links.map(({ rel }: { rel: string }) => rel)).toEqual(['self', 'previous'])
    expect((await ask('GET', '/groups?pageNum=9')).json.results).toEqual([])
    expect((await ask('GET', '/groups?pageNum=0')).json).toMatchObject({
      error: 400,
      errorCode: 'INVALID_ATTRIBUTE',
      parameters: ['pageNum'],
    })
  })

  it('pretty, and in an envelope', async () => {
    const id = await idOf('orgs', 'acme')
    expect((await ask('GET', `/orgs/${id}?pretty=true`)).text).toMatch(/^\{\n {2}"id"/)
    expect((await ask('GET', `/orgs/${id}?envelope=true`)).json).toMatchObject({
      status: 200,
      content: { id },
    })
    expect((await ask('GET', '/orgs?envelope=true')).json).toMatchObject({ status: 200, totalCount: 2 })
    const none = await ask('GET', '/orgs/000000000000000000000000?envelope=true')
    expect(none.status).toBe(200)
    expect(none.json).toMatchObject({ status: 404, content: { errorCode: 'ORG_NOT_FOUND' } })
  })

  it('everybody sees what they may', async () => {
    expect(
      (await ask('GET', '/orgs', { as: ACME_OWNER })).json.results.map(({ name }: { name: string }) => name),
    ).toEqual(['acme'])
    expect(
      (await ask('GET', '/groups', { as: GLOBEX_OWNER })).json.results.map(
        ({ name }: { name: string }) => name,
      ),
    ).toEqual(['shop'])
    expect(
      (await ask('GET', '/groups', { as: TEAM_ADMIN })).json.results.map(
        ({ name }: { name: string }) => name,
      ),
    ).toEqual(['payments'])
    expect((await ask('GET', '/orgs', { as: NOBODY })).json).toMatchObject({ results: [], totalCount: 0 })
    const id = await idOf('orgs', 'acme')
    const hidden = await ask('GET', `/orgs/${id}`, { as: GLOBEX_OWNER })
    const none = await ask('GET', '/orgs/000000000000000000000000', { as: GLOBEX_OWNER })
    expect([hidden.status, hidden.json.errorCode]).toEqual([none.status, none.json.errorCode])
    expect((await ask('GET', `/orgs/${id}/groups`, { as: NOBODY })).status).toBe(404)
  })

  it('nobody reads without credentials', async () => {
    for (const path of ['/orgs', '/groups', '/orgs/000000000000000000000000', '/groups/byName/payments']) {
      const { status, json, headers } = await ask('GET', path, { as: null })
      expect({ path, status, ...json }).toEqual({
        path,
        status: 401,
        error: 401,
        errorCode: 'USER_UNAUTHORIZED',
        reason: 'Unauthorized',
        parameters: [],
        detail: expect.stringContaining('credentials'),
      })
      expect(headers['www-authenticate']).toMatch(/^Bearer/)
    }
  })
})

describe('changes', () => {
  it('[4-25] [4-30] an organization is created, renamed and given mappings, and deleted', async () => {
    const made = await ask('POST', '/orgs', { body: { name: 'Initech Werke' } })
    expect(made.status, made.text).toBe(201)
    expect(made.json).toMatchObject({ name: 'Initech Werke', idpGroupMappings: [] })
    const { id } = made.json
    expect((await api.ask('GET', '/organizations/initech-werke')).json).toMatchObject({
      id,
      displayName: 'Initech Werke',
    })
    const renamed = await ask('PATCH', `/orgs/${id}`, {
      body: { ...made.json, name: 'Initech', idpGroupMappings: [MAP('ORG_OWNER', 'bosses')] },
    })
    expect(renamed.status, renamed.text).toBe(200)
    expect(renamed.json).toMatchObject({
      id,
      name: 'Initech',
      idpGroupMappings: [MAP('ORG_OWNER', 'bosses')],
    })
    const group = await ask('POST', '/groups', {
      body: { name: '결제', orgId: id, idpGroupMappings: [MAP('GROUP_OWNER', 'g', 'f')] },
    })
    expect(group.status, group.text).toBe(201)
    expect(group.json).toMatchObject({
      name: '결제',
      orgId: id,
      idpGroupMappings: [MAP('GROUP_OWNER', 'f', 'g')],
    })
    const notEmpty = await ask('DELETE', `/orgs/${id}`)
    expect([notEmpty.status, notEmpty.json.detail]).toEqual([
      400,
      expect.stringContaining('delete them first'),
    ])
    const gone = await ask('DELETE', `/groups/${group.json.id}`)
    expect([gone.status, gone.text]).toEqual([204, ''])
    expect((await ask('DELETE', `/orgs/${id}`)).status).toBe(204)
    expect((await ask('GET', `/orgs/${id}`)).json).toMatchObject({ error: 404, errorCode: 'ORG_NOT_FOUND' })
  })

  it('the same name again gets another slug', async () => {
    const slugs = []
    for (let index = 0; index < 2; index++) {
      const { json } = await ask('POST', '/orgs', { body: { name: 'Zwilling' } })
      const [row] = await api.rows<{ slug: string }>(
        `SELECT slug FROM organizations WHERE public_id = '${json.id}'`,
      )
      slugs.push(row?.slug)
    }
    expect(slugs).toEqual(['zwilling', 'zwilling-2'])
  })

  it('what the shape cannot say is neither shown nor lost', async () => {
    await api.make('POST', '/organizations/globex/projects', {
      body: {
        slug: 'ruled',
        idpGroupMappings: [
          MAP('GROUP_OWNER', 'plain'),
          { ...MAP('GROUP_OWNER', 'evening'), notAfter: '2099-01-01T00:00:00Z' },
        ],
        patternMappings: [{ roleName: 'GROUP_READ_ONLY', groupPatterns: ['team-*'] }],
      },
    })
    const id = await idOf('groups', 'ruled')
    expect((await ask('GET', `/groups/${id}`)).json.idpGroupMappings).toEqual([MAP('GROUP_OWNER', 'plain')])
    const changed = await ask('PATCH', `/groups/${id}`, {
      body: { idpGroupMappings: [MAP('GROUP_READ_ONLY', 'x')] },
    })
    expect(changed.json.idpGroupMappings).toEqual([MAP('GROUP_READ_ONLY', 'x')])
    const { json } = await api.ask('GET', '/organizations/globex/projects/ruled')
    expect(json.idpGroupMappings).toEqual([
      { ...MAP('GROUP_OWNER', 'evening'), notAfter: '2099-01-01T00:00:00Z', managedBy: 'api' },
      { ...MAP('GROUP_READ_ONLY', 'x'), managedBy: 'api' },
    ])
    expect(json.patternMappings).toHaveLength(1)
  })

  it("what the policy's file gives stays the file's, however it is sent back", async () => {
    const id = await idOf('orgs', 'acme')
    const { json } = await ask('GET', `/orgs/${id}`)
    const [owner] = json.idpGroupMappings
    const body = { ...json, idpGroupMappings: [{ ...owner, idpGroups: [...owner.idpGroups, 'more-owners'] }] }
    const changed = await ask('PATCH', `/orgs/${id}`, { body })
    expect(changed.json.idpGroupMappings).toEqual([MAP('ORG_OWNER', 'acme-owners', 'more-owners')])
    expect((await api.ask('GET', '/organizations/acme')).json.idpGroupMappings).toEqual([
      { roleName: 'ORG_OWNER', idpGroups: ['acme-owners'], managedBy: 'file' },
      { roleName: 'ORG_OWNER', idpGroups: ['more-owners'], managedBy: 'api' },
    ])
    const again = await ask('PATCH', `/orgs/${id}`, { body: changed.json })
    expect(again.headers.etag).toBe(changed.headers.etag)
  })

  it('If-Match may be left out; where it is there it counts', async () => {
    const id = await idOf('groups', 'shop')
    const first = await ask('PATCH', `/groups/${id}`, {
      body: { idpGroupMappings: [MAP('GROUP_OWNER', 'shop')] },
    })
    expect(first.headers.etag).toBe('"1"')
    const old = await ask('PATCH', `/groups/${id}`, {
      body: { name: 'Shop' },
      headers: { 'if-match': '"0"' },
    })
    expect(old.json).toMatchObject({ error: 412, errorCode: 'VERSION_CONFLICT' })
    const any = await ask('PATCH', `/groups/${id}`, { body: { name: 'Shop' }, headers: { 'if-match': '*' } })
    expect(any.json).toMatchObject({ name: 'Shop', idpGroupMappings: [MAP('GROUP_OWNER', 'shop')] })
    const both = await Promise.all(
      ['a', 'b', 'c'].map((name) => ask('PATCH', `/groups/${id}`, { body: { name } })),
    )
    expect(both.map(({ status }) => status)).toEqual([200, 200, 200])
  })
})

describe('refused, in its words', () => {
  const body = (idpGroupMappings: unknown) => ({ idpGroupMappings })
  const shouldRefuse: [name: string, path: () => Promise<string>, body: object, expected: object][] = [
    [
      '[4-29] a project role on an organization',
      async () => `/orgs/${await idOf('orgs', 'globex')}`,
      body([MAP('ORG_OWNER', 'globex-owners'), MAP('GROUP_OWNER', 'x')]),
      { error: 400, errorCode: 'INVALID_ATTRIBUTE', detail: expect.stringContaining('ORG_BILLING_ADMIN') },
    ],
    [
      '[4-29] an organization role on a project',
      async () => `/groups/${await idOf('groups', 'web')}`,
      body([MAP('ORG_OWNER', 'x')]),
      {
        error: 400,
        errorCode: 'INVALID_ATTRIBUTE',
        parameters: ['idpGroupMappings[0].roleName'],
        detail: expect.stringContaining('GROUP_SEARCH_INDEX_EDITOR'),
      },
    ],
    [
      '[4-29] a role that is none',
      async () => `/groups/${await idOf('groups', 'web')}`,
      body([MAP('NOSUCH', 'x')]),
      { error: 400, parameters: ['idpGroupMappings[0].roleName'] },
    ],
    [
      '[4-30] mappings of an organization without its owner',
      async () => `/orgs/${await idOf('orgs', 'globex')}`,
      body([MAP('ORG_MEMBER', 'x')]),
      {
        error: 400,
        errorCode: 'INVALID_ATTRIBUTE',
        parameters: ['idpGroupMappings'],
        detail: expect.stringContaining('ORG_OWNER'),
      },
    ],
    [
      '[4-26] a member the shape does not have',
      async () => `/groups/${await idOf('groups', 'web')}`,
      body([{ ...MAP('GROUP_OWNER', 'x'), issuers: ['people'] }]),
      { error: 400, parameters: ['idpGroupMappings[0].issuers'] },
    ],
    [
      'LDAP groups, which would be lost',
      async () => `/groups/${await idOf('groups', 'web')}`,
      { ldapGroupMappings: [{ roleName: 'GROUP_OWNER', ldapGroups: ['x'] }] },
      { error: 400, parameters: ['ldapGroupMappings[0]'] },
    ],
    [
      'another organization for a group',
      async () => `/groups/${await idOf('groups', 'web')}`,
      { orgId: '000000000000000000000000' },
      { error: 400, parameters: ['orgId'] },
    ],
  ]
  it.each(shouldRefuse)('%s', async (_name, path, sent, expected) => {
    const { status, json } = await ask('PATCH', await path(), { body: sent })
    expect(json).toMatchObject(expected)
    expect(json).toMatchObject({ error: status, reason: 'Bad Request' })
  })

  it('a change that the caller may not make', async () => {
    const id = await idOf('groups', 'payments')
    const refused = await ask('PATCH', `/groups/${id}`, {
      as: TEAM_ADMIN,
      body: body([MAP('GROUP_OWNER', 'x')]),
    })
    expect(refused.json).toMatchObject({ error: 403, errorCode: 'USER_UNAUTHORIZED', reason: 'Forbidden' })
    expect((await ask('POST', '/orgs', { as: ACME_OWNER, body: { name: 'Mine' } })).json).toMatchObject({
      error: 403,
    })
  })

  it('a body that is none', async () => {
    expect((await ask('POST', '/groups', { body: { name: 'x' } })).json).toMatchObject({
      error: 400,
      parameters: ['orgId'],
    })
    expect((await ask('POST', '/orgs', { body: [] })).json).toMatchObject({ error: 400 })
    expect((await ask('PUT', '/orgs', { body: {} })).status).toBe(405)
  })
})

it('a built-in key comes in by Basic, under any user name', async () => {
  const account = await api.make('POST', '/organizations/globex/projects/shop/serviceAccounts', {
    body: { name: 'script', authenticationMethod: 'key', roles: ['GROUP_OWNER'] },
  })
  const { key } = await api.make(
    'POST',
    `/organizations/globex/projects/shop/serviceAccounts/${account.id}/keys`,
    { body: {} },
  )
  const authorization = `Basic ${Buffer.from(`anybody:${key}`).toString('base64')}`
  const { status, json } = await ask('GET', '/groups', { authorization })
  expect({ status, names: json.results.map(({ orgId }: { orgId: string }) => orgId).length }).toEqual({
    status: 200,
    names: 1,
  })
  const wrong = await ask('GET', '/groups', {
    authorization: `Basic ${Buffer.from('a:postern_x_y').toString('base64')}`,
  })
  expect(wrong.json).toMatchObject({ error: 401, errorCode: 'USER_UNAUTHORIZED' })
})
