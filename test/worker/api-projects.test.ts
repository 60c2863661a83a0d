// Projects over the API: made, read, renamed, mapped and deleted; listed by those who may read them.
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
beforeAll(async () => {
  api = await startApi()
})
afterAll(() => api.close())

const reasonOf = ({ status, json }: Json) => `${status} ${json.reason}`
const GROUP = (roleName: string, ...idpGroups: string[]) => ({ roleName, idpGroups })
const slugs = (page: { items: { slug: string }[] }) => page.items.map(({ slug }) => slug)

/** [4-28], in the order of the catalogue. */
const ROLES = [
  'GROUP_OWNER',
  'GROUP_READ_ONLY',
  'GROUP_AUTOMATION_ADMIN',
  'GROUP_BACKUP_ADMIN',
  'GROUP_MONITORING_ADMIN',
  'GROUP_USER_ADMIN',
  'GROUP_BILLING_ADMIN',
  'GROUP_DATA_ACCESS_ADMIN',
  'GROUP_DATA_ACCESS_READ_ONLY',
  'GROUP_DATA_ACCESS_READ_WRITE',
  'GROUP_CHARTS_ADMIN',
  'GROUP_CLUSTER_MANAGER',
  'GROUP_SEARCH_INDEX_EDITOR',
]

describe('a project', () => {
  it('[4-25] [4-26] is made with its mappings by an owner of its organization', async () => {
    const made = await api.ask('POST', '/organizations/acme/projects', {
      as: ACME_OWNER,
      body: { slug: 'billing', idpGroupMappings: [GROUP('GROUP_USER_ADMIN', 'z', 'a')] },
    })
    expect(made.status, made.text).toBe(201)
    expect(made.json).toEqual({
      organization: 'acme',
      slug: 'billing',
      id: expect.stringMatching(/^[0-9a-f]{24}$/),
      displayName: 'billing',
      idpGroupMappings: [{ roleName: 'GROUP_USER_ADMIN', idpGroups: ['a', 'z'], managedBy: 'api' }],
      patternMappings: [],
      locked: {},
      version: 1,
      createdAt: expect.any(String),
      updatedAt: expect.any(String),
    })
    const got = await api.ask('GET', '/organizations/acme/projects/billing', { as: ACME_OWNER })
    expect(got.json).toEqual(made.json)
    expect(await api.make('GET', '/organizations/acme')).toMatchObject({ projectCount: 3 })
  })

  it('[4-24] [4-28] takes each of the thirteen roles', async () => {
    const made = await api.make('POST', '/organizations/acme/projects', {
      body: { slug: 'thirteen', idpGroupMappings: ROLES.map((role) => GROUP(role, `t-${role}`)) },
    })
    expect(made.idpGroupMappings.map(({ roleName }: { roleName: string }) => roleName)).toEqual(ROLES)
  })

  it("[4-29] refuses an organization's role, with the valid ones", async () => {
    const refused = await api.ask('PATCH', '/organizations/acme/projects/billing', {
      ifMatch: 1,
      body: { idpGroupMappings: [GROUP('ORG_OWNER', 'x')] },
    })
    expect(reasonOf(refused)).toBe('400 input_invalid')
    expect(refused.json.errors).toEqual([
      {
        path: 'idpGroupMappings[0].roleName',
        message: expect.stringContaining(`valid here: ${ROLES.join(', ')}`),
      },
    ])
  })

  it('[4-22] gives its roles at the next request, by its mappings', async () => {
    const reader = { subject: 'rea', groups: ['billing-readers'] }
    expect(reasonOf(await api.ask('GET', '/organizations/acme/projects/billing', { as: reader }))).toBe(
      '404 not_found',
    )
    await api.make('PATCH', '/organizations/acme/projects/billing', {
      as: ACME_OWNER,
      ifMatch: 1,
      body: { displayName: 'Billing', idpGroupMappings: [GROUP('GROUP_READ_ONLY', 'billing-readers')] },
    })
    const got = await api.make('GET', '/organizations/acme/projects/billing', { as: reader })
    expect(got).toMatchObject({ displayName: 'Billing', version: 2 })
    const refused = await api.ask('PATCH', '/organizations/acme/projects/billing', {
      as: reader,
      ifMatch: 2,
      body: { displayName: 'Mine' },
    })
    expect(reasonOf(refused)).toBe('403 permission_missing')
  })

  it('is not made twice, nor in an organization that is not there', async () => {
    const body = { slug: 'billing' }
    expect(reasonOf(await api.ask('POST', '/organizations/acme/projects', { body }))).toBe(
      '409 already_exists',
    )
    expect(reasonOf(await api.ask('POST', '/organizations/none/projects', { body }))).toBe('404 not_found')
  })

  it('of the file is changed beside it, and not deleted', async () => {
    const path = '/organizations/acme/projects/payments'
    const got = await api.make('GET', path)
    expect(got).toMatchObject({ version: 0, locked: { 'idpGroupMappings[1]': { origin: 'policy' } } })
    const changed = await api.make('PATCH', path, {
      ifMatch: 0,
      body: { displayName: 'Payments', idpGroupMappings: [GROUP('GROUP_READ_ONLY', 'payments-auditors')] },
    })
    expect(changed).toMatchObject({ displayName: 'Payments', version: 1 })
    expect(changed.idpGroupMappings.map(({ managedBy }: { managedBy: string }) => managedBy)).toEqual([
      'file',
      'file',
      'api',
    ])
    const rows = await api.rows<{ mapping: string; group_name: string }>(
      "SELECT mapping, group_name FROM group_mappings WHERE document = 'project/acme/payments'",
    )
    expect(rows).toEqual([{ mapping: 'idpGroupMappings[2]', group_name: 'payments-auditors' }])
    expect(reasonOf(await api.ask('DELETE', path, { query: { confirm: 'payments' } }))).toBe(
      '409 set_elsewhere',
    )
  })

  it('is deleted with what is in it, once its slug is said', async () => {
    await api.make('POST', '/organizations/acme/projects', { body: { slug: 'brief' } })
    await api.make('POST', '/organizations/acme/projects/brief/serviceAccounts', {
      as: ACME_OWNER,
      body: { name: 'robot', authenticationMethod: 'key', roles: ['GROUP_READ_ONLY'] },
    })
    const path = '/organizations/acme/projects/brief'
    expect(reasonOf(await api.ask('DELETE', path, { query: { confirm: 'acme' } }))).toBe(
      '409 confirmation_needed',
    )
    const gone = await api.make('DELETE', path, { query: { confirm: 'brief' }, as: ACME_OWNER })
    expect(gone).toEqual({ deleted: 'brief', projects: 0, mappings: 0, issuers: 0, serviceAccounts: 1 })
    expect(reasonOf(await api.ask('GET', path))).toBe('404 not_found')
    const again = await api.ask('POST', '/organizations/acme/projects', { body: { slug: 'brief' } })
    expect(reasonOf(again)).toBe('409 already_exists')
    expect(
      await api.rows("SELECT * FROM service_accounts WHERE project = 'brief' AND deleted_at IS NULL"),
    ).toEqual([])
  })
})

describe('the list', () => {
  it('has what the caller may read', async () => {
    const list = '/organizations/acme/projects'
    expect(slugs(await api.make('GET', list, { as: ACME_OWNER }))).toEqual([
      'billing',
      'payments',
      'thirteen',
      'web',
    ])
    expect(slugs(await api.make('GET', list, { as: TEAM_ADMIN }))).toEqual(['payments'])
    for (const as of [GLOBEX_OWNER, NOBODY]) {
      expect(reasonOf(await api.ask('GET', list, { as }))).toBe('404 not_found')
    }
  })

  it('has what a pattern of the organization gives', async () => {
    await api.make('PATCH', '/organizations/acme', {
      as: ACME_OWNER,
      ifMatch: 0,
      body: { patternMappings: [{ roleName: 'GROUP_READ_ONLY', groupPatterns: ['acme:{project}:ro'] }] },
    })
    const reader = { subject: 'pat', groups: ['acme:web:ro', 'acme:none:ro', 'ACME:billing:ro'] }
    expect(slugs(await api.make('GET', '/organizations/acme/projects', { as: reader }))).toEqual(['web'])
  })

  it('finds by words in pages', async () => {
    for (const slug of ['p1', 'p2', 'p3']) {
      await api.make('POST', '/organizations/globex/projects', { body: { slug, displayName: '데이터 분석' } })
    }
    const path = '/organizations/globex/projects'
    const first = await api.make('GET', path, { query: { search: '분석', limit: '2' } })
    expect(slugs(first)).toEqual(['p1', 'p2'])
    const second = await api.make('GET', path, { query: { search: '분석', limit: '2', cursor: first.next } })
    expect(second).toMatchObject({ items: [{ slug: 'p3' }], next: null })
    const elsewhere = await api.ask('GET', '/organizations/acme/projects', { query: { cursor: first.next } })
    expect(reasonOf(elsewhere)).toBe('400 input_invalid')
  })
})
