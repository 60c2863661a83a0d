// Issuers over the API: created by their address with discovery on the spot ([1-5]), recognised mistakes, keys that
// are pinned, fetched now and withdrawn, and deleting one with who would be locked out.
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { issuerOfDocument } from '../../policy/addresses.ts'
import { hintFor, hintOfAddress } from '../../worker/api/issuers/hints.ts'
import {
  ACME_OWNER,
  type Api,
  apiPolicy,
  GLOBEX_OWNER,
  OWNER,
  startApi,
  TEAM_ADMIN,
  USER_ADMIN,
} from '../support/api.ts'
import { startIssuer, type TestIssuer } from '../support/issuer.ts'
import { makeKey } from '../support/tokens.ts'

const reasonOf = ({ status, json }: { status: number; json: { reason?: string } }) =>
  `${status} ${json.reason}`
const ACME = '/organizations/acme/issuers'
const GLOBEX = '/organizations/globex/issuers'

const corpKey = makeKey('ES256')
function answerCorp({ url }: Request): Response {
  const issuer = 'https://idp.corp.internal'
  return Response.json(
    url.endsWith('/jwks') ? { keys: [corpKey.jwk] } : { issuer, jwks_uri: `${issuer}/jwks` },
  )
}

let api: Api
const started: TestIssuer[] = []
beforeAll(async () => {
  const fixed = { issuer: 'https://fixed.idp.example', preset: 'okta', groups: { claim: 'roles.all' } }
  const more = { issuers: { ...(apiPolicy().issuers as object), fixed } }
  api = await startApi({ more, services: { CORP: answerCorp } })
})
afterAll(async () => {
  await api.close()
  await Promise.all(started.map(({ stop }) => stop()))
})

async function issuer(change: (issuer: TestIssuer) => void = () => {}, path?: string): Promise<TestIssuer> {
  const one = await startIssuer({ keys: [makeKey('ES256')], ...(path === undefined ? {} : { path }) })
  started.push(one)
  change(one)
  return one
}
let made = 0
const freshId = () => {
  made += 1
  return `idp-${made}`
}
const create = (settings: object, asked: { path?: string; as?: typeof OWNER; id?: string } = {}) => {
  const { path = ACME, as = ACME_OWNER, id = freshId() } = asked
  return api.ask('POST', path, { as, body: { id, settings } })
}

describe('[1-5] creating one by its address', () => {
  it('[0-21] runs discovery on the spot and shows what it found', async () => {
    const { url } = await issuer((one) => {
      one.document = {
        token_endpoint: 'https://idp.example/token',
        authorization_endpoint: 'https://idp.example/auth',
      }
      one.extraKeys.push({ kty: 'RSA', n: 'AQAB', e: 'AQAB' })
    })
    const { status, json, headers } = await create({ issuer: url }, { id: 'first' })
    expect(status).toBe(201)
    expect(headers.etag).toBe('"1"')
    expect(json).toMatchObject({
      id: 'acme/first',
      organization: 'acme',
      issuer: { issuer: url },
      locked: null,
      version: 1,
      discovery: {
        ok: true,
        foundAt: `${url}/.well-known/openid-configuration`,
        jwksUri: `${url}/jwks`,
        keys: [{ kty: 'EC', algorithms: ['ES256'] }],
        left: [expect.stringMatching(/key 1 has 17 bits/)],
        endpoints: { token_endpoint: 'https://idp.example/token' },
        problem: null,
        hint: null,
      },
      warnings: [expect.stringMatching(/open line/)],
    })
    const read = await api.make('GET', `${ACME}/first`, { as: ACME_OWNER })
    expect(read).toEqual({ ...json, discovery: null })
  })

  it('its tokens let people reach the organization, and nothing else', async () => {
    const one = await issuer()
    await create({ issuer: one.url }, { id: 'works' })
    await api.stack.advance(70)
    const authorization = `Bearer ${one.token({ aud: 'acme', groups: ['acme-owners', 'owners', 'globex-owners'] })}`
    expect((await api.ask('GET', '/organizations/acme', { authorization })).status).toBe(200)
    expect((await api.ask('GET', '/organizations/globex', { authorization })).status).not.toBe(200)
    expect((await api.ask('GET', '/settings', { authorization })).status).not.toBe(200)
  })

  it('a discovery that fails is told of, and refuses nothing', async () => {
    const one = await issuer((broken) => {
      broken.outage = { kind: 'status', status: 500 }
    })
    const { status, json } = await create({ issuer: one.url })
    expect(status).toBe(201)
    expect(json.discovery).toMatchObject({
      ok: false,
      keys: [],
      problem: expect.stringMatching(/answered 500/),
    })
  })

  it("[4-5] a discovery document's address is turned into the issuer that it names", async () => {
    const plain = await issuer()
    const realm = await issuer((one) => {
      one.document = { issuer: `${one.url}/` }
    }, '/realms/main')
    const first = await create({ issuer: `${plain.url}/.well-known/openid-configuration` })
    expect(first.json).toMatchObject({
      issuer: { issuer: plain.url },
      discovery: { ok: true, hint: expect.stringContaining(plain.url) },
    })
    const second = await create({ issuer: `${realm.url}/.well-known/openid-configuration` })
    expect(second.json).toMatchObject({ issuer: { issuer: `${realm.url}/` }, discovery: { ok: true } })
  })

  it.each([
    ['http', 'http://idp.example', /must use https. Use https:\/\/idp\.example/],
    ['an IP address', 'https://10.0.0.1', /IP address/],
    ['the metadata service', 'https://169.254.169.254/latest', /IP address/],
    ['a private name', 'https://idp.internal', /public host/],
    ['user information', 'https://a:b@idp.example', /user information/],
    ['ourselves', 'https://gateway.test', /own hosts/],
    ['an address with a fragment', 'https://idp.example/#x', /URL/],
    ['no address', 'idp.example', /URL/],
  ])('%s is refused: it may never be fetched', async (_what, address, message) => {
    const { status, json } = await create({ issuer: address })
    expect({ status, path: json.errors[0].path }).toEqual({ status: 400, path: 'settings.issuer' })
    expect(json.errors[0].message).toMatch(message)
    const tested = await api.ask('POST', `${ACME}:test`, { as: ACME_OWNER, body: { issuer: address } })
    expect(tested.status).toBe(400)
  })

  it('one can be tested without saving anything', async () => {
    const one = await issuer()
    const before = await api.rows('SELECT count(*) AS count FROM versions')
    const tested = await api.make('POST', `${ACME}:test`, { as: ACME_OWNER, body: { issuer: `${one.url}/` } })
    expect(tested).toMatchObject({
      ok: false,
      hint: `Its document names it without the slash at the end: use ${one.url}.`,
    })
    expect((await api.make('POST', '/issuers:test', { body: { issuer: one.url } })).ok).toBe(true)
    expect(await api.rows('SELECT count(*) AS count FROM versions')).toEqual(before)
  })

  it('only owners may', async () => {
    const { url } = await issuer()
    expect(reasonOf(await create({ issuer: url }, { as: GLOBEX_OWNER }))).toBe('404 not_found')
    expect(reasonOf(await create({ issuer: url }, { as: TEAM_ADMIN }))).toBe('404 not_found')
    expect(reasonOf(await create({ issuer: url }, { as: USER_ADMIN }))).toBe('403 permission_missing')
    expect(reasonOf(await create({ issuer: url }, { as: ACME_OWNER, path: '/issuers' }))).toBe(
      '403 permission_missing',
    )
  })
})

describe('an `iss` belongs to one record of an owner', () => {
  it("and that of the instance is the instance's alone", async () => {
    const { url } = await issuer()
    expect((await create({ issuer: url })).status).toBe(201)
    const again = await create({ issuer: url })
    expect(reasonOf(again)).toBe('409 already_exists')
    expect(again.json.detail).toContain(url)
    // Another organization may: which one is meant is told by where the request goes.
    expect((await create({ issuer: url }, { as: GLOBEX_OWNER, path: GLOBEX })).status).toBe(201)
    const ofInstance = await create({ issuer: url }, { as: OWNER, path: '/issuers' })
    expect(reasonOf(ofInstance)).toBe('409 name_taken')
    expect(ofInstance.json.detail).toMatch(/acme, globex/)
    const ofPolicy = await create({ issuer: 'https://fixed.idp.example' })
    expect(reasonOf(ofPolicy)).toBe('409 name_taken')
    expect(ofPolicy.json.detail).not.toMatch(/globex/)
  })

  it('also when both come at once: one of them is there', async () => {
    const { url } = await issuer()
    const answers = await Promise.all([
      create({ issuer: url }),
      create({ issuer: url }),
      create({ issuer: url }, { as: OWNER, path: '/issuers' }),
    ])
    const statuses = answers.map(({ status }) => status).sort()
    expect(statuses).toEqual([201, 409, 409])
    expect(await api.rows(`SELECT count(*) AS count FROM issuer_names WHERE name = '${url}'`)).toEqual([
      { count: 1 },
    ])
  })
})

describe('changing one', () => {
  it('replaces the whole record, at the version that was read', async () => {
    const [one, other] = [await issuer(), await issuer()]
    const id = freshId()
    await create({ issuer: one.url, audiences: ['a'] }, { id })
    const put = (settings: object, asked: object = {}) => {
      return api.ask('PUT', `${ACME}/${id}`, { as: ACME_OWNER, body: { settings }, ...asked })
    }
    expect(reasonOf(await put({ issuer: other.url }))).toBe('428 version_required')
    const changed = await put({ issuer: other.url, claims: { email: 'mail.work' } }, { ifMatch: 1 })
    expect(changed.json).toMatchObject({
      issuer: { issuer: other.url, claims: { email: 'mail.work' } },
      discovery: { ok: true },
      version: 2,
    })
    expect(changed.json.issuer.audiences).toBeUndefined()
    expect(reasonOf(await put({ issuer: one.url }, { ifMatch: 1 }))).toBe('412 version_conflict')
    // The name that it gave up may be registered again.
    expect((await create({ issuer: one.url })).status).toBe(201)
    expect(reasonOf(await put({ issuer: one.url }, { ifMatch: 2 }))).toBe('409 already_exists')
  })

  it('keys are pinned for an issuer that cannot be reached, and are judged', async () => {
    const key = makeKey('ES256')
    const pinned = await create({ issuer: 'https://unreachable.idp.example', jwks: { keys: [key.jwk] } })
    expect(pinned.json).toMatchObject({
      discovery: { ok: true, keys: [{ kid: key.kid }] },
      warnings: [expect.stringMatching(/pinned/)],
    })
    const weak = await create({
      issuer: 'https://weak.idp.example',
      jwks: { keys: [{ kty: 'oct', k: 'AAAA' }] },
    })
    expect(weak.json.errors).toMatchObject([
      { path: 'settings.jwks.keys[0]', message: expect.stringMatching(/secret/) },
    ])
    const other = await create({
      issuer: 'https://other.idp.example',
      jwks: { keys: [{ kty: 'EC', crv: 'secp256k1', x: 'AAAA', y: 'AAAA' }] },
    })
    expect(other.json.errors).toMatchObject([
      { path: 'settings.jwks', message: expect.stringMatching(/no key that may verify/) },
    ])
  })

  it.each([
    [
      'tenants without their place',
      { issuer: 'https://a.example', tenants: ['0'.repeat(36)] },
      'settings.issuer',
    ],
    ['a place without tenants', { issuer: 'https://a.example/{tenantid}' }, 'settings.issuer'],
    ['HMAC', { issuer: 'https://a.example', algorithms: ['HS256'] }, 'settings.algorithms[0]'],
    ['an unknown member', { issuer: 'https://a.example', issuers: [] }, 'settings.issuers'],
    [
      'a binding that the Worker does not have',
      { issuer: 'https://a.corp', vpcBinding: 'NONE' },
      'settings.vpcBinding',
    ],
    ['a binding of our own', { issuer: 'https://a.corp', vpcBinding: 'DB' }, 'settings.vpcBinding'],
  ])('%s is refused with its place', async (_what, settings, path) => {
    const { status, json } = await create(settings, { as: OWNER, path: '/issuers' })
    expect({ status, path: json.errors?.[0]?.path }).toEqual({ status: 400, path })
  })

  it('[4-8] through a binding to a private network, when the instance opens it', async () => {
    const answer = await create(
      { issuer: 'https://idp.corp.internal', vpcBinding: 'CORP' },
      { as: OWNER, path: '/issuers' },
    )
    expect(answer.json).toMatchObject({
      issuer: { vpcBinding: 'CORP' },
      discovery: { ok: true, keys: [{ kid: corpKey.kid }], jwksUri: 'https://idp.corp.internal/jwks' },
    })
    const tested = await create({ issuer: 'https://idp.corp.internal' }, { as: OWNER, path: '/issuers' })
    expect(tested.json.errors).toMatchObject([
      { path: 'settings.issuer', message: expect.stringMatching(/public host/) },
    ])
  })

  it("a binding is the instance's to open, not an organization's", async () => {
    const refused = await create({ issuer: 'https://a.corp', vpcBinding: 'DB' })
    expect(reasonOf(refused)).toBe('403 permission_missing')
  })

  it('what the policy sets is locked, with its place', async () => {
    const read = await api.make('GET', '/issuers/fixed')
    expect(read).toMatchObject({
      issuer: { issuer: 'https://fixed.idp.example', preset: 'okta', groups: { claim: 'roles.all' } },
      locked: { origin: 'policy', place: expect.stringMatching(/^test\.yaml:\d+:\d+ issuers\.fixed$/) },
      version: 0,
    })
    const body = { settings: { issuer: 'https://else.example' } }
    const put = await api.ask('PUT', '/issuers/fixed', { body, ifMatch: 0 })
    expect({ reason: reasonOf(put), place: put.json.place }).toEqual({
      reason: '409 set_elsewhere',
      place: read.locked.place,
    })
    expect(reasonOf(await api.ask('DELETE', '/issuers/fixed'))).toBe('409 set_elsewhere')
    expect(
      reasonOf(await create({ issuer: 'https://x.example' }, { as: OWNER, path: '/issuers', id: 'fixed' })),
    ).toBe('409 already_exists')
    const { items } = await api.make('GET', '/issuers')
    expect(items.map(({ id }: { id: string }) => id)).toContain('fixed')
  })
})

describe('keys', () => {
  it('are told of with their ages, fetched now, withdrawn and restored', async () => {
    const one = await issuer()
    const [key] = one.keys
    const id = freshId()
    await create({ issuer: one.url }, { id })
    const path = `${ACME}/${id}/keys`
    const as = ACME_OWNER
    expect(await api.make('GET', path, { as })).toMatchObject({ keys: [], fetchedAt: null, withdrawn: [] })
    const fetched = await api.make('POST', `${path}:refresh`, { as })
    expect(fetched).toMatchObject({
      source: `${one.url}/jwks`,
      discoveredAt: `${one.url}/.well-known/openid-configuration`,
      lastError: null,
      keys: [{ kid: key?.kid, kty: 'EC', withdrawn: false }],
    })
    expect(Date.parse(fetched.fetchedAt)).toBeGreaterThan(0)
    expect(fetched.ageSeconds).toBeLessThan(60)
    const bearer = () => ({ authorization: `Bearer ${one.token({ aud: 'acme', groups: ['acme-owners'] })}` })
    await api.stack.advance(70)
    expect((await api.ask('GET', '/organizations/acme', bearer())).status).toBe(200)
    const body = { kid: key?.kid, reason: 'leaked' }
    const withdrawn = await api.make('POST', `${path}:withdraw`, { as, body })
    expect(withdrawn).toMatchObject({ keys: [{ kid: key?.kid, withdrawn: true }], withdrawn: [key?.kid] })
    await api.stack.advance(140)
    expect(reasonOf(await api.ask('GET', '/organizations/acme', bearer()))).toBe('401 key_withdrawn')
    await api.make('POST', `${path}:restore`, { as, body: { kid: key?.kid } })
    await api.stack.advance(210)
    expect((await api.ask('GET', '/organizations/acme', bearer())).status).toBe(200)
    expect(reasonOf(await api.ask('POST', `${path}:restore`, { as, body: { kid: 'none' } }))).toBe(
      '404 not_found',
    )
    await api.stack.advance(0)
  })

  it("also of the policy's issuers, whose records are locked", async () => {
    const path = '/issuers/fixed/keys'
    const { withdrawn } = await api.make('POST', `${path}:withdraw`, { body: { kid: 'leaked' } })
    expect(withdrawn).toEqual(['leaked'])
    expect(await api.make('POST', `${path}:withdraw`, { body: { kid: 'leaked' } })).toMatchObject({
      withdrawn,
    })
    const [row] = await api.rows<{ version: number }>(
      "SELECT max(version) AS version FROM versions WHERE document = 'issuer-keys/fixed'",
    )
    expect(row).toEqual({ version: 1 })
    expect(reasonOf(await api.ask('POST', `${path}:withdraw`, { as: ACME_OWNER, body: { kid: 'x' } }))).toBe(
      '403 permission_missing',
    )
  })
})

describe('deleting one', () => {
  it('shows who would be locked out, and is confirmed with its id', async () => {
    const { url } = await issuer()
    const id = freshId()
    await create({ issuer: url }, { id })
    const record = `acme/${id}`
    const as = ACME_OWNER
    const { version, idpGroupMappings } = await api.make('GET', '/organizations/acme', { as })
    await api.make('PATCH', '/organizations/acme', {
      as,
      body: {
        idpGroupMappings: [
          ...idpGroupMappings,
          { roleName: 'ORG_MEMBER', idpGroups: ['x'], issuers: [record] },
        ],
      },
      ifMatch: version,
    })
    await api.make('POST', '/organizations/acme/projects/payments/serviceAccounts', {
      as,
      body: { name: 'Robot', authenticationMethod: 'federated', issuer: record, subject: 'robot' },
    })
    const database = await api.stack.database()
    await database
      .prepare('INSERT INTO known_principals VALUES (?, ?, ?, ?, NULL, ?, ?, ?, 1, 1)')
      .bind('k1', record, 'kim', 'acme', 'kim@example.com', 'Kim', '{"outcome":"none"}')
      .run()
    const locked = {
      deleted: id,
      principals: { total: 1, items: [{ subject: 'kim', displayName: 'Kim', email: 'kim@example.com' }] },
      serviceAccounts: 1,
      mappings: ['organizations.acme.idpGroupMappings[1]'],
    }
    const remove = (query: Record<string, string>) => api.ask('DELETE', `${ACME}/${id}`, { as, query })
    expect((await remove({ dryRun: 'true' })).json).toEqual(locked)
    expect((await remove({})).json).toMatchObject({ reason: 'confirmation_needed', toConfirm: [id] })
    expect((await remove({ confirm: id })).json).toEqual(locked)
    expect(reasonOf(await api.ask('GET', `${ACME}/${id}`, { as }))).toBe('404 not_found')
    const again = await create({ issuer: url }, { id })
    expect({ status: again.status, version: again.json.version }).toEqual({ status: 201, version: 3 })
  })
})

describe('hints', () => {
  const failed = (issuer: string, problem: string, named: string | null = null) =>
    hintFor({ issuer, problem, named })
  it.each([
    [
      '[0-22]',
      'https://shop.auth.eu-west-1.amazoncognito.com',
      /https:\/\/cognito-idp\.eu-west-1\.amazonaws\.com\/<user pool id>/,
    ],
    ['', 'https://cognito-idp.eu-west-1.amazonaws.com/', /user pool's id is missing/],
    [
      '',
      `https://sts.windows.net/${'a'.repeat(36)}/`,
      new RegExp(`login\\.microsoftonline\\.com/${'a'.repeat(36)}/v2\\.0`),
    ],
    ['', 'https://login.microsoftonline.com/common/v2.0', /\{tenantid\}/],
    ['', 'https://login.microsoftonline.com/contoso.com', /contoso\.com\/v2\.0/],
    ['', 'https://acme-admin.okta.com', /https:\/\/acme\.okta\.com/],
    ['', 'https://github.com/acme', /token\.actions\.githubusercontent\.com/],
    ['', 'https://accounts.google.com/o/oauth2/auth', /https:\/\/accounts\.google\.com,/],
    ['', 'https://kc.example/realms/a/protocol/openid-connect/auth', /https:\/\/kc\.example\/realms\/a\./],
    ['', 'https://idp.example/oauth2/v1/keys', /key set/],
    ['', 'https://idp.example/oauth2/v1/token', /endpoints/],
  ])('%s %s', (_id, address, hint) => {
    expect(failed(address, 'answered 404')).toMatch(hint)
  })

  it('by what discovery came to', () => {
    expect(failed('https://a.example/', 'x', 'https://a.example')).toMatch(/without the slash/)
    expect(failed('https://a.example', 'x', 'https://a.example/')).toMatch(/with a slash/)
    expect(failed('https://a.example/T', 'x', 'https://a.example/t')).toMatch(/to the letter/)
    expect(failed('https://a.example', 'x', `https://sts.windows.net/${'a'.repeat(36)}/`)).toMatch(
      /version 1/,
    )
    expect(failed('https://a.example/auth/realms/x', 'answered 404')).toMatch(/\/realms\/x/)
    expect(failed('https://a.example', 'could not be reached')).toMatch(/vpcBinding/)
    expect(hintFor({ issuer: 'https://a.auth.x.amazoncognito.com', problem: null, named: null })).toBeNull()
    expect(hintOfAddress('https://10.0.0.1')).toBeNull()
  })

  it('discovery documents are told by their address', () => {
    expect(issuerOfDocument('https://a.example/r/.well-known/openid-configuration')).toBe(
      'https://a.example/r',
    )
    expect(issuerOfDocument('https://a.example/.well-known/oidc-configuration/')).toBe('https://a.example')
    expect(issuerOfDocument('https://a.example/.well-known/oauth-authorization-server/r')).toBe(
      'https://a.example/r',
    )
    expect(issuerOfDocument('https://a.example/r')).toBeNull()
  })
})
