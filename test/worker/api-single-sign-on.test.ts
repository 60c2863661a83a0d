// Single sign-on as it is set: over the API, at App ID's path, and by the policy, which goes first.
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { ACME_OWNER, type Api, OWNER, startApi, USER_ADMIN } from '../support/api.ts'
import { GATEWAY_HOST } from '../support/stack.ts'

const reasonOf = ({ status, json }: { status: number; json: { reason?: string } }) =>
  `${status} ${json.reason}`
const SSO = '/settings/sso'

let api: Api
beforeAll(async () => {
  const singleSignOn = { lifetimeSeconds: 3600, logoutRedirectUris: ['https://portal.example/out'] }
  api = await startApi({ more: { singleSignOn }, variables: { INSTANCE_ID: 'main' } })
})
afterAll(() => api.close())

/** App ID's own path. */
async function appId(method: string, body?: unknown, { tenant = 'main', as = OWNER } = {}) {
  const answer = await api.stack.send({
    host: GATEWAY_HOST,
    method,
    path: `/management/v4/${tenant}/config/cloud_directory/sso`,
    headers: {
      authorization: `Bearer ${api.token(as)}`,
      prefer: 'wait',
      ...(body === undefined ? {} : { 'content-type': 'application/json' }),
    },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  })
  return { status: answer.status, headers: answer.headers, json: JSON.parse(answer.text) }
}

describe('[2-9] [2-12] single sign-on over the API', () => {
  it('begins with the defaults, each with the layer that sets it', async () => {
    const { json, headers } = await api.ask('GET', SSO)
    expect(headers.etag).toBe('"0"')
    expect(json).toEqual({
      isActive: false,
      inactivityTimeoutSeconds: 86_400,
      lifetimeSeconds: 3600,
      logoutRedirectUris: ['https://portal.example/out'],
      origins: {
        isActive: 'default',
        inactivityTimeoutSeconds: 'default',
        lifetimeSeconds: 'policy',
        logoutRedirectUris: 'policy',
      },
      locked: {
        lifetimeSeconds: {
          origin: 'policy',
          place: expect.stringMatching(/^test\.yaml:\d+:\d+ singleSignOn/),
        },
        'logoutRedirectUris[0]': {
          origin: 'policy',
          place: expect.stringMatching(/logoutRedirectUris\[0\]$/),
        },
      },
      version: 0,
    })
  })

  it('[2-13] [2-14] changes member by member, with the version it is made to; plain http is listed as well', async () => {
    const put = (body: object, asked: object = {}) => api.ask('PUT', SSO, { body, ...asked })
    expect(reasonOf(await put({ isActive: true }))).toBe('428 version_required')
    const body = {
      isActive: true,
      logoutRedirectUris: ['http://localhost:3000/out', 'http://app.example/out'],
    }
    const changed = await put(body, { ifMatch: 0 })
    expect(changed.json).toMatchObject({
      isActive: true,
      inactivityTimeoutSeconds: 86_400,
      logoutRedirectUris: ['https://portal.example/out', ...body.logoutRedirectUris],
      origins: { isActive: 'database', logoutRedirectUris: 'database' },
      version: 1,
    })
    expect(reasonOf(await put({ isActive: false }, { ifMatch: 0 }))).toBe('412 version_conflict')
    const [event] = await api.rows<{ target: string; before: string; after: string }>(
      "SELECT target, before, after FROM audit_events WHERE operation = 'singleSignOn.update'",
    )
    expect(event).toEqual({ target: 'singleSignOn', before: '{}', after: JSON.stringify(body) })
    // One concept, one place.
    expect(await api.rows("SELECT content FROM versions WHERE document = 'settings'")).toEqual([
      { content: JSON.stringify({ singleSignOn: body }) },
    ])
    expect((await api.make('GET', '/settings')).settings).not.toHaveProperty('singleSignOn')
  })

  it('[2-11] [2-12] takes the addresses as one text with commas, too (decision T8)', async () => {
    const text = { logoutRedirectUris: ' http://app.example/out , https://other.example/out,' }
    const { json } = await api.ask('PUT', SSO, { body: text, ifMatch: 1 })
    expect(json.logoutRedirectUris).toEqual([
      'https://portal.example/out',
      'http://app.example/out',
      'https://other.example/out',
    ])
  })

  it.each([
    [
      { inactivityTimeoutSeconds: 604_801 },
      'inactivityTimeoutSeconds',
      /at most 604800 seconds, which are 7 days/,
    ],
    [{ inactivityTimeoutSeconds: 59 }, 'inactivityTimeoutSeconds', /at least 60 seconds/],
    [{ inactivityTimeoutSeconds: '1440' }, 'inactivityTimeoutSeconds', /expected number|whole number/],
    [{ isActive: 'true' }, 'isActive', /expected boolean/],
    [{ logoutRedirectUris: ['javascript:alert(1)'] }, 'logoutRedirectUris[0]', /http or https URL/],
    [{ logoutRedirectUris: 'https://a.example/out,nowhere' }, 'logoutRedirectUris[1]', /http or https URL/],
    [{ isactive: true }, 'isactive', /did you mean "isActive"/],
  ])('[2-10] [2-12] %j is refused with its place', async (body, path, message) => {
    const { status, json } = await api.ask('PUT', SSO, { body, ifMatch: 2 })
    expect({ status, path: json.errors?.[0]?.path }).toEqual({ status: 400, path })
    expect(json.errors[0].message).toMatch(message)
  })

  it('[2-10] the greatest inactivity is seven days', async () => {
    const { json } = await api.ask('PUT', SSO, { body: { inactivityTimeoutSeconds: 604_800 }, ifMatch: 2 })
    expect(json.inactivityTimeoutSeconds).toBe(604_800)
  })

  it('what the policy sets may be said as it is, and not otherwise', async () => {
    const { version } = await api.make('GET', SSO)
    const refused = await api.ask('PUT', SSO, { body: { lifetimeSeconds: 7200 }, ifMatch: version })
    expect({ reason: reasonOf(refused), place: refused.json.place }).toEqual({
      reason: '409 set_elsewhere',
      place: expect.stringMatching(/singleSignOn\.lifetimeSeconds$/),
    })
    const same = await api.ask('PUT', SSO, { body: { lifetimeSeconds: 3600 }, ifMatch: version })
    expect(same.json.version).toBe(version)
  })

  it("is the instance's, not an organization's", async () => {
    expect(reasonOf(await api.ask('GET', SSO, { as: ACME_OWNER }))).toBe('403 permission_missing')
    const put = { as: USER_ADMIN, body: { isActive: false }, ifMatch: 3 }
    expect(reasonOf(await api.ask('PUT', SSO, put))).toBe('403 permission_missing')
  })

  it('an old version of it can be in force again', async () => {
    const { version } = await api.make('GET', SSO)
    const query = { document: 'settings' }
    await api.make('POST', '/versions/1/restore', { query, ifMatch: version })
    expect((await api.make('GET', SSO)).logoutRedirectUris).toContain('http://localhost:3000/out')
  })
})

describe("[2-12] at App ID's path", () => {
  it('has the three members, and needs no version', async () => {
    const body = { isActive: false, inactivityTimeoutSeconds: 1440, logoutRedirectUris: ['http://b.example'] }
    const { status, json } = await appId('PUT', body)
    const expected = { ...body, logoutRedirectUris: ['https://portal.example/out', 'http://b.example'] }
    expect({ status, json }).toEqual({ status: 200, json: expected })
    const read = await appId('GET')
    expect({ status: read.status, json: read.json }).toEqual({ status: 200, json: expected })
    expect(read.headers['cache-control']).toBe('no-store')
    expect(await api.make('GET', SSO)).toMatchObject(expected)
  })

  it("asks for the same, of this instance's own tenant only", async () => {
    expect(reasonOf(await appId('PUT', { inactivityTimeoutSeconds: 604_801 }))).toBe('400 input_invalid')
    expect(reasonOf(await appId('GET', undefined, { tenant: 'other' }))).toBe('404 not_found')
    expect(reasonOf(await appId('PUT', { isActive: true }, { as: ACME_OWNER }))).toBe(
      '403 permission_missing',
    )
    expect(reasonOf(await appId('DELETE'))).toBe('405 method_not_allowed')
  })
})
