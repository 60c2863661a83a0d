// Settings with the layer that sets each, the role catalogue, and how far publishing is.
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { ACME_OWNER, type Api, NOBODY, startApi, USER_ADMIN } from '../support/api.ts'

const reasonOf = ({ status, json }: { status: number; json: { reason?: string } }) =>
  `${status} ${json.reason}`

describe('settings', () => {
  let api: Api
  beforeAll(async () => {
    api = await startApi()
  })
  afterAll(() => api.close())

  it('are the defaults at first, and each says so', async () => {
    const { json, headers } = await api.ask('GET', '/settings')
    expect(headers.etag).toBe('"0"')
    expect(json).toEqual({
      settings: { recheckSeconds: 15, knownPrincipalDays: 90, confirmOwnAccess: true },
      origins: { recheckSeconds: 'default', knownPrincipalDays: 'default', confirmOwnAccess: 'default' },
      locked: {},
      version: 0,
    })
  })

  it('change one by one, with the version they are made to', async () => {
    const patch = (body: object, asked: object = {}) => api.ask('PATCH', '/settings', { body, ...asked })
    expect(reasonOf(await patch({ recheckSeconds: 5 }))).toBe('428 version_required')
    const changed = await patch({ recheckSeconds: 5 }, { ifMatch: 0 })
    expect(changed.json).toMatchObject({
      settings: { recheckSeconds: 5, knownPrincipalDays: 90 },
      origins: { recheckSeconds: 'database', knownPrincipalDays: 'default' },
      version: 1,
    })
    expect(reasonOf(await patch({ recheckSeconds: 6 }, { ifMatch: 0 }))).toBe('412 version_conflict')
    expect((await patch({ recheckSeconds: 5 }, { ifMatch: 1 })).json.version).toBe(1)
    const [event] = await api.rows<{ before: string; after: string }>(
      "SELECT before, after FROM audit_events WHERE operation = 'settings.update'",
    )
    expect(event).toEqual({ before: '{}', after: '{"recheckSeconds":5}' })
  })

  it.each([
    [{ recheckSeconds: 61 }, 'recheckSeconds'],
    [{ recheckSeconds: '5' }, 'recheckSeconds'],
    [{ knownPrincipalDays: 0 }, 'knownPrincipalDays'],
    [{ rechekSeconds: 5 }, 'rechekSeconds'],
  ])('%j is refused with its place', async (body, path) => {
    const { status, json } = await api.ask('PATCH', '/settings', { body, ifMatch: 1 })
    expect({ status, path: json.errors[0].path }).toEqual({ status: 400, path })
  })

  it("are not an organization's to read or change", async () => {
    for (const as of [ACME_OWNER, NOBODY]) {
      expect(reasonOf(await api.ask('GET', '/settings', { as }))).toBe('403 permission_missing')
    }
    const patch = { as: USER_ADMIN, body: { recheckSeconds: 0 }, ifMatch: 1 }
    expect(reasonOf(await api.ask('PATCH', '/settings', patch))).toBe('403 permission_missing')
  })

  it('publishing is told of', async () => {
    expect(await api.make('GET', '/publication')).toMatchObject({
      state: 'published',
      pending: 0,
      lastError: null,
    })
    expect(reasonOf(await api.ask('GET', '/publication', { as: USER_ADMIN }))).toBe('403 permission_missing')
  })

  it('the role catalogue is there for everybody known', async () => {
    const { items } = await api.make('GET', '/roles', { as: NOBODY })
    const owner = items.find(({ name }: { name: string }) => name === 'ORG_OWNER')
    expect(owner).toMatchObject({
      level: 'organization',
      origin: 'catalogue',
      implies: expect.arrayContaining(['GROUP_OWNER']),
    })
    expect(owner.allPermissions).toContain('project.read')
    expect(owner.permissions).not.toContain('project.read')
    expect((await api.ask('GET', '/roles', { as: null })).status).toBe(401)
  })
})

describe('a setting that a variable sets', () => {
  let api: Api
  beforeAll(async () => {
    api = await startApi({ variables: { RECHECK_SECONDS: '7' } })
  })
  afterAll(() => api.close())

  it('is shown as locked, with the variable, and not changed by the API', async () => {
    const { json } = await api.ask('GET', '/settings')
    expect(json).toMatchObject({
      settings: { recheckSeconds: 7 },
      origins: { recheckSeconds: 'environment' },
      locked: { recheckSeconds: { origin: 'environment', place: 'RECHECK_SECONDS' } },
    })
    const patch = (body: object) => api.ask('PATCH', '/settings', { body, ifMatch: 0 })
    const refused = await patch({ recheckSeconds: 8 })
    expect({ reason: reasonOf(refused), place: refused.json.place }).toEqual({
      reason: '409 set_elsewhere',
      place: 'RECHECK_SECONDS',
    })
    // What is as it stands may be sent back with the rest.
    const sent = await patch({ recheckSeconds: 7, knownPrincipalDays: 30 })
    expect(sent.json.settings).toMatchObject({ recheckSeconds: 7, knownPrincipalDays: 30 })
    expect(await api.rows("SELECT content FROM versions WHERE document = 'settings'")).toEqual([
      { content: '{"knownPrincipalDays":30}' },
    ])
  })
})
