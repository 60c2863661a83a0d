// What an organization's admins are told of somebody: all that gives access to their organization, and nothing
// that concerns others only.
import { describe, expect, it } from 'vitest'
import { concerns, explainWithin } from '../../policy/explain-within.ts'
import { type Level, levelOf } from '../../policy/level.ts'
import { organizationAt } from '../../policy/loaded.ts'
import { NOW, policyOf, principalOf } from './policies.ts'

const policy = policyOf({
  issuers: { okta: { issuer: 'https://okta.example' } },
  idpGroupMappings: [
    { roleName: 'GLOBAL_OWNER', idpGroups: ['root-of-everything'] },
    { roleName: 'GLOBAL_READ_ONLY', idpGroups: ['auditors-of-everything'] },
  ],
  patternMappings: [{ roleName: 'ORG_MEMBER', groupPatterns: ['member:{org}'] }],
  organizations: {
    acme: {
      issuers: { own: { issuer: 'https://idp.acme.example' } },
      idpGroupMappings: [
        { roleName: 'ORG_OWNER', idpGroups: ['acme-admins'] },
        { roleName: 'ORG_READ_ONLY', idpGroups: ['acme-auditors'], notAfter: '2020-01-01T00:00:00Z' },
      ],
      projects: { payments: {} },
    },
    globex: { idpGroupMappings: [{ roleName: 'ORG_OWNER', idpGroups: ['globex-admins'] }] },
  },
})
const ACME = levelOf('acme', null)

function within(groups: string[], options: { level?: Level; issuer?: string; permission?: string } = {}) {
  const { level = ACME, issuer = 'okta', permission } = options
  const organization = organizationAt(policy, level)
  if (!organization) throw new Error('no organization')
  const asked = { level, now: NOW, ...(permission === undefined ? {} : { permission }) }
  return explainWithin(policy, organization, principalOf(groups, issuer), asked)
}

describe('what is told', () => {
  it('of instance mappings only those that give a role in the organization', () => {
    const told = within(['root-of-everything', 'globex-admins', 'secret-project-x'])
    expect(told.roles.map(({ role }) => role)).toContain('GLOBAL_OWNER')
    expect(told.groups.names.map(({ group }) => group)).toEqual(['root-of-everything'])
    const text = JSON.stringify(told)
    for (const word of ['auditors-of-everything', 'globex', 'secret-project-x', 'member:']) {
      expect(text).not.toContain(word)
    }
  })

  it('a pattern of the instance that gives a role here is named with its group', () => {
    const told = within(['member:acme', 'member:globex'])
    expect(told.roles.map(({ role }) => role)).toEqual(['ORG_MEMBER'])
    expect(told.groups.names.map(({ group }) => group)).toEqual(['member:acme'])
  })

  it('mappings of the organization that give nothing, and why', () => {
    const told = within(['acme-auditors', 'acme-Admins'])
    expect(told.failed).toMatchObject([{ reason: 'over', group: 'acme-auditors' }])
    expect(told.near).toMatchObject([{ group: 'acme-Admins', wanted: 'acme-admins' }])
    expect(told.unmatched).toMatchObject({ total: 1 })
    expect(told.groups.names.map(({ group }) => group)).toEqual(['acme-auditors', 'acme-Admins'])
  })

  it('no suggestion that would change the global level', () => {
    const told = within(['somebody'], { permission: 'organization.update' })
    expect(told.wanted?.fixes.length).toBeGreaterThan(0)
    expect(JSON.stringify(told.wanted)).not.toContain('GLOBAL_')
    for (const { changes } of told.wanted?.fixes ?? []) {
      for (const change of changes) {
        if (change.kind === 'add_mapping') expect(change.list).toMatch(/^organizations\.acme\./)
        if (change.kind === 'add_group') expect(change.mapping).toMatch(/^organizations\.acme\./)
      }
    }
  })

  it("whoever the organization's own issuer vouches for is told of whole", () => {
    const told = within(['whatever', 'member:globex'], { issuer: 'acme/own' })
    expect(told.groups.names.map(({ group }) => group)).toEqual(['whatever', 'member:globex'])
  })
})

describe('whom the organization has to do with', () => {
  it('not somebody of the instance whose groups mean nothing here', () => {
    expect(concerns(within(['globex-admins']))).toBe(false)
  })
  it('somebody with a role, or with a mapping that is over', () => {
    expect(concerns(within(['acme-admins']))).toBe(true)
    expect(concerns(within(['acme-auditors']))).toBe(true)
  })
})
