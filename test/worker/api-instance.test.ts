// The mappings of the global level over the API: the file's, the environment's and the database's together.
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { ACME_OWNER, type Api, type Json, startApi, USER_ADMIN } from '../support/api.ts'

let api: Api
beforeAll(async () => {
  api = await startApi({
    variables: {
      OIDC_GLOBAL_ROLE_OWNER: 'env-owners, "quoted" owners',
      OIDC_GLOBAL_ROLE_AUTOMATION_ADMIN: 'env-automation',
      OIDC_GLOBAL_ROLE_BACKUP_ADMIN: 'env-backup',
      OIDC_GLOBAL_ROLE_MONITORING_ADMIN: 'env-monitoring',
      OIDC_GLOBAL_ROLE_USER_ADMIN: 'env-users',
      OIDC_GLOBAL_ROLE_READ_ONLY: 'env-readers,env-auditors',
    },
  })
})
afterAll(() => api.close())

const reasonOf = ({ status, json }: Json) => `${status} ${json.reason}`
const roles = (resource: Json['json']) => {
  return resource.idpGroupMappings.map(({ roleName, managedBy }: { roleName: string; managedBy: string }) => {
    return `${roleName} ${managedBy}`
  })
}

describe('the global level', () => {
  it('[4-12] [4-13] [4-14] [4-15] [4-16] [4-17] has what the environment sets, locked, with the variable', async () => {
    const got = await api.ask('GET', '/instance')
    expect(got.headers.etag).toBe('"0"')
    expect(roles(got.json)).toEqual([
      'GLOBAL_OWNER file',
      'GLOBAL_USER_ADMIN file',
      'GLOBAL_OWNER file',
      'GLOBAL_AUTOMATION_ADMIN file',
      'GLOBAL_BACKUP_ADMIN file',
      'GLOBAL_MONITORING_ADMIN file',
      'GLOBAL_USER_ADMIN file',
      'GLOBAL_READ_ONLY file',
    ])
    expect(got.json.idpGroupMappings[2].idpGroups).toEqual(['env-owners', '"quoted" owners'])
    expect(got.json.locked['idpGroupMappings[2]']).toEqual({
      origin: 'environment',
      place: 'OIDC_GLOBAL_ROLE_OWNER',
    })
    expect(got.json.locked['idpGroupMappings[0]']).toEqual({
      origin: 'policy',
      place: expect.stringMatching(/^test\.yaml:1:\d+ idpGroupMappings\[0\]$/),
    })
    const as = { subject: 'ed', groups: ['env-owners'] }
    expect((await api.ask('GET', '/instance', { as })).status).toBe(200)
  })

  it('takes mappings of its own beside them', async () => {
    const { idpGroupMappings } = await api.make('GET', '/instance')
    const changed = await api.ask('PATCH', '/instance', {
      ifMatch: 0,
      body: {
        idpGroupMappings: [...idpGroupMappings, { roleName: 'GLOBAL_READ_ONLY', idpGroups: ['auditors'] }],
        patternMappings: [{ roleName: 'ORG_READ_ONLY', groupPatterns: ['org:{org}:ro'] }],
      },
    })
    expect(changed.status, changed.text).toBe(200)
    expect(changed.json).toMatchObject({ version: 1, updatedAt: expect.any(String) })
    expect(roles(changed.json).slice(8)).toEqual(['GLOBAL_READ_ONLY api'])
    expect(await api.make('GET', '/instance')).toEqual(changed.json)
    const auditor = { subject: 'al', groups: ['auditors'] }
    expect((await api.ask('GET', '/audit', { as: auditor })).status).toBe(200)
    const reader = { subject: 'ro', groups: ['org:acme:ro'] }
    expect((await api.ask('GET', '/organizations/acme', { as: reader })).status).toBe(200)
    expect(reasonOf(await api.ask('GET', '/organizations/globex', { as: reader }))).toBe('404 not_found')
    const rows = await api.rows(
      "SELECT mapping, group_key, kind FROM group_mappings WHERE document = 'instance'",
    )
    expect(rows).toEqual([
      { mapping: 'idpGroupMappings[8]', group_key: 'auditors', kind: 'name' },
      { mapping: 'patternMappings[0]', group_key: 'org:', kind: 'pattern' },
    ])
  })

  it('leaves a list that is not written as it is', async () => {
    const changed = await api.make('PATCH', '/instance', { ifMatch: 1, body: { idpGroupMappings: [] } })
    expect(roles(changed)).toHaveLength(8)
    expect(changed.patternMappings).toHaveLength(1)
  })

  it('[4-29] refuses roles that are not global, by what its patterns capture', async () => {
    const refused = await api.ask('PATCH', '/instance', {
      ifMatch: 2,
      body: {
        idpGroupMappings: [{ roleName: 'ORG_OWNER', idpGroups: ['x'] }],
        patternMappings: [
          { roleName: 'GROUP_OWNER', groupPatterns: ['{org}:x'] },
          { roleName: 'GROUP_OWNER', groupPatterns: ['{project}:x'] },
        ],
      },
    })
    expect(reasonOf(refused)).toBe('400 input_invalid')
    expect(refused.json.errors.map(({ path }: { path: string }) => path).sort()).toEqual([
      'idpGroupMappings[0].roleName',
      'patternMappings[0].roleName',
      'patternMappings[1].groupPatterns[0]',
    ])
    const issuers = await api.ask('PATCH', '/instance', {
      ifMatch: 2,
      body: { idpGroupMappings: [{ roleName: 'GLOBAL_READ_ONLY', idpGroups: ['x'], issuers: ['nobody'] }] },
    })
    expect(issuers.json.errors).toEqual([
      {
        path: 'idpGroupMappings[0].issuers[0]',
        message: 'no issuer "nobody" is trusted here; trusted are: people',
      },
    ])
  })

  it("is the instance's to see and its owners' to change", async () => {
    expect(reasonOf(await api.ask('GET', '/instance', { as: ACME_OWNER }))).toBe('403 permission_missing')
    expect((await api.ask('GET', '/instance', { as: USER_ADMIN })).status).toBe(200)
    const refused = await api.ask('PATCH', '/instance', { as: USER_ADMIN, ifMatch: 2, body: {} })
    expect(reasonOf(refused)).toBe('403 permission_missing')
  })
})
