// Roles by the place that gives them, each with its proof.
import { describe, expect, it } from 'vitest'
import { levelOf } from '../../policy/level.ts'
import { organizationAt } from '../../policy/loaded.ts'
import { rolesGivenAt } from '../../policy/places.ts'
import { NOW, policyOf, principalOf } from './policies.ts'

const policy = policyOf({
  issuers: { okta: { issuer: 'https://okta.example' } },
  idpGroupMappings: [{ roleName: 'GLOBAL_READ_ONLY', idpGroups: ['auditors'] }],
  patternMappings: [{ roleName: 'GROUP_OWNER', groupPatterns: ['team:{org}:{project}'] }],
  organizations: {
    acme: {
      issuers: { own: { issuer: 'https://idp.acme.example' } },
      onUnmatched: 'ORG_MEMBER',
      idpGroupMappings: [{ roleName: 'ORG_OWNER', idpGroups: ['admins'] }],
      projects: {
        payments: { idpGroupMappings: [{ roleName: 'GROUP_READ_ONLY', idpGroups: ['readers', 'admins'] }] },
        web: {},
      },
    },
  },
})

function at(groups: string[], [organization, project]: [string?, string?], issuer = 'okta') {
  const level = levelOf(organization ?? null, project ?? null)
  const principal = principalOf(groups, issuer)
  return rolesGivenAt(policy, organizationAt(policy, level), principal, level, NOW)
}

describe('a place lists what is given there', () => {
  it('at the global level', () => {
    expect(at(['auditors'], []).map(({ role }) => role)).toEqual([
      'GLOBAL_READ_ONLY',
      'GROUP_READ_ONLY',
      'ORG_MEMBER',
      'ORG_READ_ONLY',
    ])
    expect(at(['auditors'], ['acme'])).toEqual([])
  })

  it('with the mapping and the group as proof, the role itself before what implies it', () => {
    const roles = at(['admins'], ['acme'])
    expect(roles).toContainEqual({
      role: 'GROUP_OWNER',
      level: { kind: 'organization', organization: 'acme' },
      mapping: 'organizations.acme.idpGroupMappings[0]',
      group: 'admins',
      grantedRole: 'ORG_OWNER',
    })
    expect(at(['admins'], ['acme', 'payments'])).toMatchObject([
      { role: 'GROUP_READ_ONLY', mapping: 'organizations.acme.projects.payments.idpGroupMappings[0]' },
    ])
    expect(at(['admins'], ['acme', 'web'])).toEqual([])
  })

  it('by patterns of the instance', () => {
    expect(at(['team:acme:web'], ['acme', 'web'])).toContainEqual(
      expect.objectContaining({ role: 'GROUP_OWNER', mapping: 'patternMappings[0]', group: 'team:acme:web' }),
    )
    expect(at(['team:acme:web'], ['acme'])).toEqual([])
  })

  it('the default role in the organization of the voucher', () => {
    expect(at(['nothing'], ['acme'], 'acme/own')).toMatchObject([
      { role: 'ORG_MEMBER', group: null, mapping: 'organizations.acme.onUnmatched' },
    ])
    expect(at(['nothing'], ['acme', 'web'], 'acme/own')).toEqual([])
    expect(at(['auditors'], [], 'acme/own')).toEqual([])
  })
})
