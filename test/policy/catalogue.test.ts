// The default role catalogue holds what requirements 4-12 to 4-31 and the granting rules of the design say.
// Every role is given by a group of its own name, and what comes of it is asked level by level.
import { describe, expect, test } from 'vitest'
import { EVERY_ROLE_BELOW, mayGrantWith } from '../../policy/may-grant.ts'
import { allowedAt, ask, documentOf, policyOf, principalOf, rolesOf } from './policies.ts'

const GLOBAL_ROLES = [
  'GLOBAL_OWNER',
  'GLOBAL_AUTOMATION_ADMIN',
  'GLOBAL_BACKUP_ADMIN',
  'GLOBAL_MONITORING_ADMIN',
  'GLOBAL_USER_ADMIN',
  'GLOBAL_READ_ONLY',
]
const ORGANIZATION_ROLES = [
  'ORG_OWNER',
  'ORG_GROUP_CREATOR',
  'ORG_BILLING_ADMIN',
  'ORG_READ_ONLY',
  'ORG_MEMBER',
]
const DATA_ROLES = ['GROUP_DATA_ACCESS_ADMIN', 'GROUP_DATA_ACCESS_READ_ONLY', 'GROUP_DATA_ACCESS_READ_WRITE']
const PROJECT_ROLES = [
  'GROUP_OWNER',
  'GROUP_READ_ONLY',
  'GROUP_AUTOMATION_ADMIN',
  'GROUP_BACKUP_ADMIN',
  'GROUP_MONITORING_ADMIN',
  'GROUP_USER_ADMIN',
  'GROUP_BILLING_ADMIN',
  ...DATA_ROLES,
  'GROUP_CHARTS_ADMIN',
  'GROUP_CLUSTER_MANAGER',
  'GROUP_SEARCH_INDEX_EDITOR',
]
const DATA_PERMISSIONS = ['project.data.admin', 'project.data.read', 'project.data.write']

const { roles } = documentOf('version: 1')
const byOwnName = (names: string[]) => names.map((roleName) => ({ roleName, idpGroups: [roleName] }))

const policy = policyOf({
  issuers: { okta: { issuer: 'https://okta.example' } },
  idpGroupMappings: byOwnName(GLOBAL_ROLES),
  organizations: {
    acme: {
      idpGroupMappings: byOwnName(ORGANIZATION_ROLES),
      projects: { payments: { idpGroupMappings: byOwnName(PROJECT_ROLES) }, search: {} },
    },
    globex: { projects: { web: {} } },
  },
})
const PROJECTS = ['acme/payments', 'acme/search', 'globex/web']

const allowed = (role: string, at: string) => allowedAt(policy, principalOf([role]), at)
const held = (role: string, at: string) => rolesOf(policy, principalOf([role]), at)
const inProjects = (permissions: string[]) => permissions.filter((name) => name.startsWith('project.'))

describe('every role exists at its level', () => {
  test.each([
    ['[4-12] to [4-17] global', 'global', GLOBAL_ROLES],
    ['[4-23] [4-27] organization', 'organization', ORGANIZATION_ROLES],
    ['[4-24] [4-28] project', 'project', PROJECT_ROLES],
  ])('%s', (_name, level, names) => {
    const found = Object.keys(roles).filter((name) => roles[name]?.level === level)
    expect(found.sort()).toEqual([...names].sort())
  })

  test.each([...GLOBAL_ROLES, ...ORGANIZATION_ROLES, ...PROJECT_ROLES])('%s gives something', (role) => {
    const at = role.startsWith('GLOBAL_') ? 'globex/web' : role.startsWith('ORG_') ? 'acme' : 'acme/payments'
    expect(allowed(role, at)).not.toEqual([])
    expect(held(role, at)).toContain(role)
  })
})

describe('[4-31] implications', () => {
  test('Organization Owner is Project Owner everywhere in the organization', () => {
    for (const at of ['acme/payments', 'acme/search']) {
      expect(allowed('ORG_OWNER', at)).toEqual(
        expect.arrayContaining(allowed('GROUP_OWNER', 'acme/payments')),
      )
      expect(held('ORG_OWNER', at)).toEqual(expect.arrayContaining(PROJECT_ROLES))
    }
    expect(held('ORG_OWNER', 'acme')).toEqual(expect.arrayContaining(ORGANIZATION_ROLES))
  })

  test('Organization Owner is nobody in another organization, nor globally', () => {
    for (const at of ['', 'globex', 'globex/web']) {
      expect(allowed('ORG_OWNER', at)).toEqual([])
      expect(held('ORG_OWNER', at)).toEqual([])
    }
  })

  test('Project Creator is Member and creates projects', () => {
    expect(held('ORG_GROUP_CREATOR', 'acme')).toEqual(['ORG_GROUP_CREATOR', 'ORG_MEMBER'])
    expect(allowed('ORG_GROUP_CREATOR', 'acme')).toEqual(['organization.read', 'project.create'])
  })

  test('Organization Read Only reads all projects and writes nothing', () => {
    for (const at of ['acme/payments', 'acme/search']) {
      expect(allowed('ORG_READ_ONLY', at)).toEqual(['organization.read', 'project.read'])
    }
    expect(allowed('ORG_READ_ONLY', 'globex/web')).toEqual([])
  })

  test('Member reads the organization and no project', () => {
    expect(allowed('ORG_MEMBER', 'acme')).toEqual(['organization.read'])
    for (const at of PROJECTS) expect(inProjects(allowed('ORG_MEMBER', at))).toEqual([])
  })

  test('Member with a project role reads that project', () => {
    const member = principalOf(['ORG_MEMBER', 'GROUP_READ_ONLY'])
    expect(allowedAt(policy, member, 'acme/payments')).toContain('project.read')
    expect(allowedAt(policy, member, 'acme/search')).not.toContain('project.read')
  })

  test('Project Owner is every project role, in that project', () => {
    expect(held('GROUP_OWNER', 'acme/payments')).toEqual([...PROJECT_ROLES].sort())
    for (const role of PROJECT_ROLES) {
      const ofOwner = allowed('GROUP_OWNER', 'acme/payments')
      expect(ofOwner).toEqual(expect.arrayContaining(allowed(role, 'acme/payments')))
    }
    for (const at of ['', 'acme', 'acme/search', 'globex/web']) expect(allowed('GROUP_OWNER', at)).toEqual([])
  })

  test.each(['AUTOMATION_ADMIN', 'BACKUP_ADMIN', 'MONITORING_ADMIN', 'USER_ADMIN', 'READ_ONLY'])(
    'Global %s is that in every project',
    (role) => {
      for (const at of PROJECTS) {
        expect(held(`GLOBAL_${role}`, at)).toContain(`GROUP_${role}`)
        expect(allowed(`GLOBAL_${role}`, at)).toEqual(
          expect.arrayContaining(allowed(`GROUP_${role}`, 'acme/payments')),
        )
      }
    },
  )

  test('Global Read Only reads everything and writes nothing', () => {
    for (const at of ['', 'acme', ...PROJECTS]) {
      expect(allowed('GLOBAL_READ_ONLY', at).filter((name) => !name.endsWith('.read'))).toEqual([])
    }
    expect(allowed('GLOBAL_READ_ONLY', 'globex')).toContain('organization.read')
    expect(allowed('GLOBAL_READ_ONLY', 'globex/web')).toContain('project.read')
    expect(allowed('GLOBAL_READ_ONLY', 'globex/web')).not.toContain('project.data.read')
  })

  test('[4-12] Global Owner has every permission, except on data', () => {
    const all = [...new Set(Object.values(roles).flatMap(({ permissions }) => permissions))].sort()
    const expected = all.filter((permission) => !DATA_PERMISSIONS.includes(permission))
    for (const at of ['', 'acme', 'globex', ...PROJECTS])
      expect(allowed('GLOBAL_OWNER', at)).toEqual(expected)
  })

  test('Global Owner has no data access role, nor one that brings it along', () => {
    for (const at of ['', 'acme', ...PROJECTS]) {
      expect(held('GLOBAL_OWNER', at).filter((role) => DATA_ROLES.includes(role))).toEqual([])
      for (const permission of DATA_PERMISSIONS) {
        expect(ask(policy, principalOf(['GLOBAL_OWNER']), permission, at).allowed).toBe(false)
      }
    }
    const names = [...GLOBAL_ROLES, ...ORGANIZATION_ROLES, ...PROJECT_ROLES]
    const without = names.filter((name) => ![...DATA_ROLES, 'ORG_OWNER', 'GROUP_OWNER'].includes(name))
    const byAdministration = without.filter((name) => held('GLOBAL_OWNER', 'globex/web').includes(name))
    expect(byAdministration.sort()).toEqual(without.sort())
  })

  test('Global Owner with a data access role in a project has the data of that project', () => {
    const both = principalOf(['GLOBAL_OWNER', 'GROUP_DATA_ACCESS_READ_ONLY'])
    expect(ask(policy, both, 'project.data.read', 'acme/payments').allowed).toBe(true)
    expect(ask(policy, both, 'project.data.write', 'acme/payments').allowed).toBe(false)
    expect(ask(policy, both, 'project.data.read', 'acme/search').allowed).toBe(false)
  })

  test('the data access roles rise from reading to restructuring', () => {
    const dataOf = (role: string) =>
      allowed(role, 'acme/payments').filter((permission) => DATA_PERMISSIONS.includes(permission))
    expect(dataOf('GROUP_DATA_ACCESS_READ_ONLY')).toEqual(['project.data.read'])
    expect(dataOf('GROUP_DATA_ACCESS_READ_WRITE')).toEqual(['project.data.read', 'project.data.write'])
    expect(dataOf('GROUP_DATA_ACCESS_ADMIN')).toEqual(DATA_PERMISSIONS)
  })

  test('every project role reads its project', () => {
    for (const role of PROJECT_ROLES) expect(allowed(role, 'acme/payments')).toContain('project.read')
  })
})

describe('granting', () => {
  const everyRole = [...GLOBAL_ROLES, ...ORGANIZATION_ROLES, ...PROJECT_ROLES]
  const mayGrant: Record<string, string[]> = {
    GLOBAL_OWNER: everyRole,
    ORG_OWNER: [...ORGANIZATION_ROLES, ...PROJECT_ROLES],
    GROUP_OWNER: PROJECT_ROLES,
    GLOBAL_USER_ADMIN: GLOBAL_ROLES.filter((role) => role !== 'GLOBAL_OWNER'),
    GROUP_USER_ADMIN: PROJECT_ROLES.filter((role) => role !== 'GROUP_OWNER'),
  }
  test.each(everyRole)('%s grants what the design says', (role) => {
    const may = [...mayGrantWith(roles, [role])].filter((name) => name !== EVERY_ROLE_BELOW)
    expect(may.sort()).toEqual([...(mayGrant[role] ?? [])].sort())
  })

  test('an owner may give a role that the policy adds at its level or below, and no other may [4-31]', () => {
    const auditor = { level: 'organization' as const, permissions: [], implies: [], mayGrant: [] }
    const more = { ...roles, ORG_AUDITOR: auditor }
    const mayGive = (role: string) => mayGrantWith(more, [role]).has('ORG_AUDITOR')
    expect(everyRole.filter(mayGive)).toEqual(['GLOBAL_OWNER', 'ORG_OWNER'])
  })
})
