// Versions: every document's history, what differs, and one of them made the present one again.
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import {
  ACME_OWNER,
  type Api,
  GLOBEX_OWNER,
  type Json,
  NOBODY,
  startApi,
  TEAM_ADMIN,
} from '../support/api.ts'

let api: Api
const ORG = 'organization/acme'
const ODD = `O'Neill "x" <b>; 한국`
beforeAll(async () => {
  api = await startApi()
  const path = '/organizations/acme'
  await api.make('PATCH', path, {
    ifMatch: 0,
    body: {
      displayName: ODD,
      onUnmatched: 'ORG_MEMBER',
      idpGroupMappings: [{ roleName: 'ORG_MEMBER', idpGroups: ['a', 'b'] }],
    },
  })
  await api.make('PATCH', path, {
    as: ACME_OWNER,
    ifMatch: 1,
    body: {
      displayName: 'Acme',
      audience: 'acme-audience',
      onUnmatched: null,
      idpGroupMappings: [{ roleName: 'ORG_READ_ONLY', idpGroups: ['a'] }],
    },
  })
})
afterAll(() => api.close())

const reasonOf = ({ status, json }: Json) => `${status} ${json.reason}`
const query = { document: ORG }

describe('versions', () => {
  it('are listed newest first, with who made each', async () => {
    const { items } = await api.make('GET', '/versions', { query })
    expect(items).toMatchObject([
      {
        document: ORG,
        version: 2,
        operation: 'organizations.update',
        actor: { subject: 'ada', issuer: 'people', kind: 'user' },
        deleted: false,
      },
      { document: ORG, version: 1, actor: { subject: 'olivia' }, deleted: false },
    ])
    expect(items[0]).not.toHaveProperty('content')
    const first = await api.make('GET', '/versions', { query: { ...query, limit: '1' } })
    const second = await api.make('GET', '/versions', { query: { ...query, limit: '1', cursor: first.next } })
    expect(second.items).toEqual([items[1]])
  })

  it('are read whole', async () => {
    const got = await api.make('GET', '/versions/1', { query })
    expect(got.content).toEqual({
      displayName: ODD,
      onUnmatched: 'ORG_MEMBER',
      idpGroupMappings: [{ roleName: 'ORG_MEMBER', idpGroups: ['a', 'b'], managedBy: 'api' }],
      patternMappings: [],
    })
    expect(reasonOf(await api.ask('GET', '/versions/9', { query }))).toBe('404 not_found')
  })

  it('differ member by member', async () => {
    const { from, to, differences } = await api.make('GET', '/versions/2/diff', { query })
    expect([from, to]).toEqual([1, 2])
    expect(differences).toEqual([
      { path: 'audience', change: 'added', before: null, after: 'acme-audience' },
      { path: 'displayName', change: 'changed', before: ODD, after: 'Acme' },
      {
        path: 'idpGroupMappings[0]',
        change: 'removed',
        before: { roleName: 'ORG_MEMBER', idpGroups: ['a', 'b'], managedBy: 'api' },
        after: null,
      },
      {
        path: 'idpGroupMappings[0]',
        change: 'added',
        before: null,
        after: { roleName: 'ORG_READ_ONLY', idpGroups: ['a'], managedBy: 'api' },
      },
      { path: 'onUnmatched', change: 'removed', before: 'ORG_MEMBER', after: null },
    ])
    const whole = await api.make('GET', '/versions/1/diff', { query: { ...query, against: '0' } })
    expect(whole.differences).toMatchObject([{ path: '', change: 'added', before: null }])
  })

  it('are seen by whoever may read the document', async () => {
    const project = { document: 'project/acme/payments' }
    expect((await api.ask('GET', '/versions', { query: project, as: TEAM_ADMIN })).status).toBe(200)
    for (const as of [GLOBEX_OWNER, NOBODY]) {
      expect(reasonOf(await api.ask('GET', '/versions', { query, as }))).toBe('404 not_found')
      expect(
        reasonOf(await api.ask('GET', '/versions', { query: { document: 'organization/none' }, as })),
      ).toBe('404 not_found')
      for (const document of ['instance', 'policy', 'settings', 'user/x', 'issuer/people', 'nonsense']) {
        expect(reasonOf(await api.ask('GET', '/versions', { query: { document }, as })), document).toBe(
          '403 permission_missing',
        )
      }
    }
  })
})

describe('a restored version', () => {
  it('is what it was, exactly, as a new version with its rows and its event', async () => {
    const restore = (more: object) =>
      api.ask('POST', '/versions/1/restore', { query, as: ACME_OWNER, ...more })
    expect(reasonOf(await restore({}))).toBe('428 version_required')
    expect(reasonOf(await restore({ ifMatch: 1 }))).toBe('412 version_conflict')
    const shown = await restore({ ifMatch: 2, query: { ...query, dryRun: 'true' } })
    expect(shown.json.changes.map(({ part }: { part: string }) => part)).toEqual([
      'organization',
      'mapping',
      'mapping',
    ])
    const old = await api.make('GET', '/versions/1', { query })
    const restored = await restore({ ifMatch: 2 })
    expect(restored.status, restored.text).toBe(200)
    expect(restored.headers.etag).toBe('"3"')
    const now = await api.make('GET', '/versions/3', { query })
    expect(now).toEqual(restored.json)
    expect(now.content).toEqual(old.content)
    expect(now.operation).toBe('versions.restore')
    expect(await api.make('GET', '/organizations/acme')).toMatchObject({
      displayName: ODD,
      audience: 'acme',
      onUnmatched: 'ORG_MEMBER',
      version: 3,
    })
    const found = await api.make('GET', '/organizations', { query: { search: '한국' } })
    expect(found.items.map(({ slug }: { slug: string }) => slug)).toEqual(['acme'])
    const rows = await api.rows(`SELECT group_name, role_name FROM group_mappings WHERE document = '${ORG}'`)
    expect(rows).toEqual([
      { group_name: 'a', role_name: 'ORG_MEMBER' },
      { group_name: 'b', role_name: 'ORG_MEMBER' },
    ])
    const [event] = (await api.make('GET', '/organizations/acme/audit')).items
    expect(event).toMatchObject({
      operation: 'versions.restore',
      target: { kind: 'organization', id: 'acme' },
    })
  })

  it('of a project and of the global level too', async () => {
    const path = '/organizations/acme/projects/web'
    await api.make('PATCH', path, { ifMatch: 0, body: { displayName: 'First' } })
    await api.make('PATCH', path, {
      ifMatch: 1,
      body: { idpGroupMappings: [{ roleName: 'GROUP_OWNER', idpGroups: ['w'] }] },
    })
    const project = { document: 'project/acme/web' }
    await api.make('POST', '/versions/1/restore', { query: project, ifMatch: 2, as: ACME_OWNER })
    expect(await api.make('GET', path)).toMatchObject({
      displayName: 'First',
      idpGroupMappings: [],
      version: 3,
    })
    const mapping = { roleName: 'GLOBAL_READ_ONLY', idpGroups: ['g'] }
    await api.make('PATCH', '/instance', { ifMatch: 0, body: { idpGroupMappings: [mapping] } })
    await api.make('PATCH', '/instance', { ifMatch: 1, body: { idpGroupMappings: [] } })
    await api.make('POST', '/versions/1/restore', { query: { document: 'instance' }, ifMatch: 2 })
    expect((await api.make('GET', '/instance')).idpGroupMappings.at(-1)).toEqual({
      ...mapping,
      managedBy: 'api',
    })
  })

  it('is checked against what there is today', async () => {
    await api.make('POST', '/issuers', {
      body: {
        id: 'passing',
        settings: {
          issuer: 'https://passing.example',
          jwks: { keys: [{ kty: 'EC', crv: 'P-256', x: 'a', y: 'b', kid: 'k' }] },
        },
      },
    })
    const path = '/organizations/globex'
    const mapping = { roleName: 'ORG_MEMBER', idpGroups: ['p'], issuers: ['passing'] }
    await api.make('PATCH', path, { ifMatch: 0, body: { idpGroupMappings: [mapping] } })
    await api.make('PATCH', path, { ifMatch: 1, body: { idpGroupMappings: [] } })
    await api.make('DELETE', '/issuers/passing', { query: { confirm: 'passing' } })
    const refused = await api.ask('POST', '/versions/1/restore', {
      query: { document: 'organization/globex' },
      ifMatch: 2,
    })
    expect(reasonOf(refused)).toBe('400 input_invalid')
    expect(refused.json.errors[0].path).toBe('idpGroupMappings[0].issuers[0]')
  })
})
