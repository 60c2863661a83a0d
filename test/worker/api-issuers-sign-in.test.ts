// Signing in with an issuer, as it is set up over the API and by variables: client secrets that nobody reads again,
// mistakes that are told of, addresses to paste, and what variables lock.
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { ACME_OWNER, type Api, OWNER, startApi } from '../support/api.ts'
import { startIssuer, type TestIssuer } from '../support/issuer.ts'
import { GATEWAY_HOST } from '../support/stack.ts'
import { makeKey } from '../support/tokens.ts'

const reasonOf = ({ status, json }: { status: number; json: { reason?: string } }) =>
  `${status} ${json.reason}`
const SECRET = 'a-client-secret-that-nobody-reads'
const GUID = '11111111-2222-4333-8444-555555555555'
const ENTRA = 'https://login.microsoftonline.com/72f988bf-86f1-41af-91ab-2d7cd011db47/v2.0'
/** No issuer of these tests is reached but those of their own. */
const PINNED = { keys: [makeKey('ES256').jwk] }
const ENDPOINTS = { authorization: 'https://idp.example/a', token: 'https://idp.example/t' }
const VARIABLES = {
  GATEWAY_ORIGINS: `https://${GATEWAY_HOST},https://second.test`,
  OIDC_CLIENT_ID: 'from-variable',
  OIDC_CLIENT_SECRET: 'the-secret-of-the-variable',
  OIDC_AUTH_METHOD: 'implicit',
  OIDC_SCOPES: 'openid,groups',
  OIDC_GROUPS_CLAIM: 'roles.all',
  OIDC_GLOBAL_ROLE_OWNER: 'idp-owners',
}

let api: Api
const started: TestIssuer[] = []
let described: TestIssuer
beforeAll(async () => {
  described = await issuer()
  const OIDC_ISSUER = `${described.url}/.well-known/openid-configuration`
  api = await startApi({ variables: { ...VARIABLES, OIDC_ISSUER } })
  await api.stack.publish()
})
afterAll(async () => {
  await api.close()
  await Promise.all(started.map(({ stop }) => stop()))
})

async function issuer(document: Record<string, unknown> = {}): Promise<TestIssuer> {
  const one = await startIssuer({ keys: [makeKey('ES256')] })
  const { url } = one
  one.document = { authorization_endpoint: `${url}/a`, token_endpoint: `${url}/t`, ...document }
  started.push(one)
  return one
}

/** Publishing takes a second for each of them, and what is asked here is asked of the database. */
const UNPUBLISHED = { prefer: 'respond-async' }

let made = 0
function create(
  settings: object,
  more: {
    clientSecret?: string | null
    path?: string
    as?: typeof OWNER
    headers?: Record<string, string>
  } = {},
) {
  const { path = '/issuers', as = OWNER, headers = {}, ...body } = more
  made += 1
  return api.ask('POST', path, {
    as,
    headers: { ...UNPUBLISHED, ...headers },
    body: { id: `made-${made}`, settings, ...body },
  })
}
const put = (id: string, ifMatch: number, settings: object, clientSecret?: string | null) => {
  const body = { settings, ...(clientSecret === undefined ? {} : { clientSecret }) }
  return api.ask('PUT', `/issuers/${id}`, { body, ifMatch, headers: UNPUBLISHED })
}
const signIn = (more: object = {}) => ({ clientId: 'postern', ...more })
/** All that the database has, as one text. */
async function everything(): Promise<string> {
  const tables = ['versions', 'audit_events', 'idempotency_keys', 'issuers', 'issuer_secrets']
  const rows = await Promise.all(tables.map((table) => api.rows(`SELECT * FROM ${table}`)))
  return JSON.stringify(rows)
}
/** The record as the edge has it. */
async function published(id: string) {
  const text = (await (await api.stack.kv()).get('published:1:policy')) ?? '{}'
  const { content } = JSON.parse(text) as { content: { issuers: { id: string; signIn: object | null }[] } }
  return content.issuers.find((record) => record.id === id)
}

describe('[0-10] [0-11] [0-12] [0-14] [0-24] [0-26] [4-11] what is to be pasted at the identity provider', () => {
  it('stands with the issuer, for every gateway host', async () => {
    const { url } = await issuer()
    const { json } = await create({ issuer: url, signIn: signIn() })
    expect(json.urls).toEqual({
      baseUrl: 'https://gateway.test',
      redirectUris: ['https://gateway.test/oidc/callback', 'https://second.test/oidc/callback'],
      logoutUris: ['https://gateway.test/logout', 'https://second.test/logout'],
      siteRoots: ['https://gateway.test', 'https://second.test'],
      backChannelLogoutUris: [
        'https://gateway.test/oidc/backchannel-logout',
        'https://second.test/oidc/backchannel-logout',
      ],
    })
    expect((await api.make('GET', `/issuers/${json.id}`)).urls).toEqual(json.urls)
  })
})

describe('[0-30] [4-6] [4-7] a client secret', () => {
  const settings = {
    issuer: 'https://secret.idp.example',
    jwks: PINNED,
    signIn: signIn({ endpoints: ENDPOINTS }),
  }
  let id: string

  it('[0-36] is given with the record and shown to nobody again', async () => {
    const key = { 'idempotency-key': 'create-with-a-secret' }
    const { status, json, text } = await create(settings, { clientSecret: SECRET, headers: key })
    expect(status).toBe(201)
    id = json.id
    expect(json.clientSecret).toEqual({ set: true, from: 'database' })
    expect(text).not.toContain(SECRET)
    const read = await api.ask('GET', `/issuers/${id}`)
    expect(read.json.clientSecret).toEqual({ set: true, from: 'database' })
    const { items } = await api.make('GET', '/issuers')
    expect(items.find((item: { id: string }) => item.id === id).clientSecret.set).toBe(true)
    const [event] = await api.rows<{ after: string }>(
      `SELECT after FROM audit_events WHERE target = '${id}' AND operation = 'issuers.create'`,
    )
    expect(JSON.parse(event?.after ?? '')).toMatchObject({ clientSecret: 'set' })
    expect(await everything()).not.toContain(SECRET)
    expect(api.stack.logs.join('\n')).not.toContain(SECRET)
  })

  it('stays when it is left out, and a change of it alone is a version and an event', async () => {
    expect((await put(id, 1, { ...settings, leewaySeconds: 30 })).json).toMatchObject({
      version: 2,
      clientSecret: { set: true },
    })
    const changed = await put(id, 2, { ...settings, leewaySeconds: 30 }, `${SECRET}-2`)
    expect(changed.json).toMatchObject({ version: 3, clientSecret: { set: true, from: 'database' } })
    const [event] = await api.rows<{ before: string; after: string }>(
      `SELECT before, after FROM audit_events WHERE target = '${id}' ORDER BY number DESC LIMIT 1`,
    )
    expect(event).toEqual({ before: '{"clientSecret":"set"}', after: '{"clientSecret":"set anew"}' })
    expect(await everything()).not.toContain(SECRET)
  })

  it.each([
    ['another issuer', { issuer: 'https://mallory.example' }],
    [
      'another token endpoint',
      { signIn: signIn({ endpoints: { ...ENDPOINTS, token: 'https://mallory.example' } }) },
    ],
  ])('never goes where %s says without being given again', async (_what, change) => {
    const moved = await put(id, 3, { ...settings, leewaySeconds: 30, ...change })
    expect({ reason: reasonOf(moved), errors: moved.json.errors }).toMatchObject({
      reason: '400 input_invalid',
      errors: [{ path: 'clientSecret', message: expect.stringMatching(/must be given again, or be null/) }],
    })
  })

  it('is removed by an old version that leads elsewhere, and by null', async () => {
    const elsewhere = { ...settings, issuer: 'https://second.idp.example' }
    expect((await put(id, 3, elsewhere, SECRET)).json.version).toBe(4)
    const query = { document: `issuer/${id}` }
    await api.make('POST', '/versions/1/restore', { query, ifMatch: 4, headers: UNPUBLISHED })
    const read = await api.make('GET', `/issuers/${id}`)
    expect(read).toMatchObject({ version: 5, clientSecret: { set: false, from: null } })
    await put(id, 5, settings, SECRET)
    expect((await put(id, 6, settings, null)).json).toMatchObject({
      version: 7,
      clientSecret: { set: false, from: null },
    })
    expect(await api.rows(`SELECT * FROM issuer_secrets WHERE issuer = '${id}'`)).toEqual([])
  })

  it('goes with its issuer', async () => {
    await put(id, 7, settings, SECRET)
    await api.make('DELETE', `/issuers/${id}`, { query: { confirm: id }, headers: UNPUBLISHED })
    expect(await api.rows(`SELECT * FROM issuer_secrets WHERE issuer = '${id}'`)).toEqual([])
  })

  it("is given, and never another of the Worker's named, by whoever writes an issuer", async () => {
    for (const [as, path] of [
      [OWNER, '/issuers'],
      [ACME_OWNER, '/organizations/acme/issuers'],
    ] as const) {
      for (const name of ['POSTERN_SECRET', 'OIDC_CLIENT_SECRET']) {
        const settings = { issuer: 'https://mallory.example', signIn: signIn({ clientSecretFrom: name }) }
        const { status, json } = await create(settings, { as, path })
        expect({ status, path: json.errors?.[0]?.path }).toEqual({
          status: 400,
          path: 'settings.signIn.clientSecretFrom',
        })
      }
    }
  })

  it("of an organization's issuer goes with the organization's own chain of events", async () => {
    const { json } = await create(settings, {
      clientSecret: SECRET,
      as: ACME_OWNER,
      path: '/organizations/acme/issuers',
    })
    expect(json).toMatchObject({ organization: 'acme', clientSecret: { set: true, from: 'database' } })
    expect(await everything()).not.toContain(SECRET)
  })
})

describe('what does not fit is told of at once', () => {
  const warningsOf = async (settings: object, clientSecret?: string) => {
    const { status, json } = await create(settings, clientSecret === undefined ? {} : { clientSecret })
    expect(status, JSON.stringify(json)).toBe(201)
    return (json.warnings as string[]).filter((text) => !/open line|pinned/.test(text)).join('\n')
  }

  it('[0-28] the Secret ID of Entra in place of its value', async () => {
    const settings = {
      issuer: ENTRA,
      preset: 'entra',
      jwks: PINNED,
      signIn: signIn({ endpoints: ENDPOINTS }),
    }
    expect(await warningsOf(settings, GUID)).toMatch(/^The client secret looks like the Secret ID/)
  })

  it.each([
    ['[4-9] no PKCE', { code_challenge_methods_supported: ['plain'] }, {}, /"?pkce: false/],
    ['[0-3] no form post', { response_modes_supported: ['query'] }, { authMethod: 'implicit' }, /form post/],
    ['no endpoint to begin at', { authorization_endpoint: undefined }, {}, /no authorization_endpoint/],
    ['no endpoint for codes', { token_endpoint: undefined }, {}, /no token_endpoint/],
    [
      'another way to show the secret',
      { token_endpoint_auth_methods_supported: ['client_secret_post'] },
      { clientAuthentication: 'client_secret_basic' },
      /does not take "client_secret_basic".*client_secret_post/,
    ],
    ['no end of its sessions', {}, { signOut: 'rp-initiated' }, /no end_session_endpoint/],
    ['[4-10] a refresh token without its scope', {}, { refresh: true }, /"offline_access"/],
  ])('%s, by its discovery', async (_what, document, more, message) => {
    const { url } = await issuer(document)
    expect(await warningsOf({ issuer: url, signIn: signIn(more) }, SECRET)).toMatch(message)
  })

  it('and nothing where all is well', async () => {
    const { url } = await issuer({
      code_challenge_methods_supported: ['S256'],
      response_modes_supported: ['form_post'],
    })
    expect(await warningsOf({ issuer: url, signIn: signIn() }, SECRET)).toBe('')
  })

  it.each([
    [
      '[0-20] Cognito by the implicit flow',
      'https://cognito-idp.eu-west-1.amazonaws.com/eu-west-1_a',
      'signIn.authMethod',
      /must be "pkce"/,
    ],
    ['[4-2] http', 'http://idp.example', 'issuer', /Use https:\/\/idp\.example/],
  ])('%s is refused', async (_what, address, path, message) => {
    const { json } = await create({ issuer: address, signIn: signIn({ authMethod: 'implicit' }) })
    expect(json.errors).toContainEqual({ path: `settings.${path}`, message: expect.stringMatching(message) })
  })
})

describe('[0-8] [0-31] [0-32] [4-4] what variables set', () => {
  it('[4-5] [4-6] [4-7] [4-10] is shown with the variable, in the list as well', async () => {
    const read = await api.ask('GET', '/issuers/oidc')
    const locked = (place: string) => ({ origin: 'environment', place })
    expect(read.json).toMatchObject({
      id: 'oidc',
      issuer: {
        issuer: described.url,
        groups: { claim: 'roles.all' },
        signIn: { clientId: 'from-variable', authMethod: 'implicit', scopes: ['openid', 'groups'] },
      },
      locked: null,
      lockedMembers: {
        issuer: locked('OIDC_ISSUER'),
        'signIn.clientId': locked('OIDC_CLIENT_ID'),
        'signIn.authMethod': locked('OIDC_AUTH_METHOD'),
        'signIn.scopes': locked('OIDC_SCOPES'),
        'groups.claim': locked('OIDC_GROUPS_CLAIM'),
        clientSecret: locked('OIDC_CLIENT_SECRET'),
      },
      clientSecret: { set: true, from: 'environment' },
      version: 0,
    })
    expect(read.text).not.toContain(VARIABLES.OIDC_CLIENT_SECRET)
    const { items } = await api.make('GET', '/issuers')
    expect(items.find(({ id }: { id: string }) => id === 'oidc')).toEqual(read.json)
    expect(await published('oidc')).toMatchObject({
      issuers: [described.url],
      signIn: { clientId: 'from-variable', clientSecretFrom: 'OIDC_CLIENT_SECRET' },
    })
    expect(await everything()).not.toContain(VARIABLES.OIDC_CLIENT_SECRET)
  })

  it('[4-3] lets the group of owners in, by its claim', async () => {
    const ask = (groups: string[]) => {
      const authorization = `Bearer ${described.token({ roles: { all: groups } })}`
      return api.ask('GET', '/settings', { authorization })
    }
    expect((await ask(['idp-owners'])).status).toBe(200)
    expect(reasonOf(await ask(['others']))).toBe('403 permission_missing')
  })

  it.each([
    ['issuer', 'OIDC_ISSUER', { issuer: 'https://other.idp.example' }],
    ['signIn.clientId', 'OIDC_CLIENT_ID', { signIn: signIn() }],
    ['signIn.scopes', 'OIDC_SCOPES', { signIn: { clientId: 'from-variable', scopes: ['openid'] } }],
    ['groups.claim', 'OIDC_GROUPS_CLAIM', { groups: { claim: 'other' } }],
    ['groups', 'OIDC_GROUPS_CLAIM', { groups: 'none' }],
    [
      'endpoints, where the secret would go',
      'OIDC_CLIENT_SECRET',
      { signIn: { clientId: 'from-variable', endpoints: ENDPOINTS } },
    ],
  ])('is not changed by the API: %s', async (_member, place, change) => {
    const refused = await put('oidc', 0, { issuer: described.url, ...change })
    expect({ reason: reasonOf(refused), place: refused.json.place }).toEqual({
      reason: '409 set_elsewhere',
      place,
    })
  })

  it('nor are its secret and the record itself', async () => {
    const given = await put('oidc', 0, { issuer: described.url }, SECRET)
    expect({ reason: reasonOf(given), place: given.json.place }).toEqual({
      reason: '409 set_elsewhere',
      place: 'OIDC_CLIENT_SECRET',
    })
    const query = { confirm: 'oidc' }
    expect(reasonOf(await api.ask('DELETE', '/issuers/oidc', { query }))).toBe('409 set_elsewhere')
    expect(reasonOf(await create({ issuer: described.url }))).toBe('409 already_exists')
    const ofAcme = { as: ACME_OWNER, path: '/organizations/acme/issuers' }
    expect(reasonOf(await create({ issuer: described.url }, ofAcme))).toBe('409 name_taken')
  })

  it('leaves the other members to the API, and is not kept with them', async () => {
    const { issuer: settings } = await api.make('GET', '/issuers/oidc')
    const changed = { ...settings, leewaySeconds: 10, signIn: { ...settings.signIn, label: 'Staff' } }
    const { status, json } = await put('oidc', 0, changed)
    expect(status, JSON.stringify(json)).toBe(200)
    expect(json).toMatchObject({
      version: 1,
      issuer: {
        leewaySeconds: 10,
        signIn: { label: 'Staff', clientId: 'from-variable', authMethod: 'implicit' },
      },
      clientSecret: { set: true, from: 'environment' },
    })
    const [row] = await api.rows<{ content: string }>(
      "SELECT content FROM versions WHERE document = 'issuer/oidc'",
    )
    expect(JSON.parse(row?.content ?? '').settings).toEqual({
      issuer: described.url,
      leewaySeconds: 10,
      signIn: { clientId: 'from-variable', label: 'Staff' },
    })
    await api.stack.publish()
    expect(await published('oidc')).toMatchObject({ signIn: { label: 'Staff', authMethod: 'implicit' } })
  })

  it('is what the next deployment says; one that is wrong takes nothing down and is told of', async () => {
    const wrong = {
      OIDC_ISSUER: described.url,
      OIDC_AUTH_METHOD: 'banana',
      OIDC_CLIENT_ID: 'second',
      OIDC_SCOPES: '',
    }
    await api.stack.restart({ variables: { GATEWAY_ORIGINS: VARIABLES.GATEWAY_ORIGINS, ...wrong } })
    const authorization = `Bearer ${api.token(OWNER)}`
    const health = await api.stack.send({ host: GATEWAY_HOST, path: '/readyz', headers: { authorization } })
    expect(health.status).toBe(200)
    const { warnings } = JSON.parse(health.text) as { warnings: string[] }
    // The first request that comes waits until what they say is published.
    expect(warnings.join(' ')).not.toMatch(/not in force/)
    expect(warnings).toContain('OIDC_AUTH_METHOD is neither "pkce" nor "implicit", so it is left out.')
    const anonymous = await api.stack.send({ host: GATEWAY_HOST, path: '/readyz' })
    expect(anonymous.text).not.toContain('OIDC')
    await api.stack.publish()
    expect(await published('oidc')).toMatchObject({
      signIn: { clientId: 'second', authMethod: 'pkce', clientSecretFrom: null, label: 'Staff' },
    })
    expect(api.stack.logs.join('\n')).toMatch(/variables: OIDC_AUTH_METHOD is neither/)
    const { issuer: settings, lockedMembers } = await api.make('GET', '/issuers/oidc')
    expect(settings.signIn).toEqual({ clientId: 'second', label: 'Staff' })
    expect(Object.keys(lockedMembers)).toEqual(['issuer', 'signIn.clientId'])
  })

  it("without them the database's own is in force", async () => {
    await api.stack.restart({ variables: {} })
    await api.stack.publish()
    const read = await api.make('GET', '/issuers/oidc')
    expect(read).toMatchObject({
      issuer: {
        issuer: described.url,
        leewaySeconds: 10,
        signIn: { clientId: 'from-variable', label: 'Staff' },
      },
      lockedMembers: {},
      clientSecret: { set: false, from: null },
    })
    expect((await put('oidc', 1, { issuer: described.url }, null)).json.version).toBe(2)
  })
})
