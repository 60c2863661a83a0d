// The decision over group mappings: what is given at which level, on whose word, with which proof. What the
// roles of the default catalogue hold is catalogue.test.ts's.
import { describe, expect, test } from 'vitest'
import type { Groups } from '../../policy/principal.ts'
import {
  ABSENT,
  allowedAt,
  ask,
  INHERITED_NAMES,
  OVERAGE,
  policyOf,
  principalOf,
  rolesOf,
} from './policies.ts'

const mapping = (roleName: string, group: string, issuers?: string[]) => ({
  roleName,
  idpGroups: [group],
  ...(issuers ? { issuers } : {}),
})

const policy = policyOf({
  issuers: {
    okta: { issuer: 'https://okta.example' },
    entra: { issuer: 'https://entra.example' },
  },
  idpGroupMappings: [
    mapping('GLOBAL_OWNER', 'operators'),
    mapping('GLOBAL_READ_ONLY', 'auditors', ['entra']),
    mapping('GLOBAL_MONITORING_ADMIN', 'watchers', ['okta', 'entra']),
  ],
  organizations: {
    acme: {
      issuers: { own: { issuer: 'https://acme.example' }, second: { issuer: 'https://acme2.example' } },
      idpGroupMappings: [
        mapping('ORG_OWNER', 'acme-admins'),
        mapping('ORG_MEMBER', 'acme-members'),
        mapping('ORG_READ_ONLY', 'acme-readers', ['acme/own']),
      ],
      projects: {
        payments: {
          idpGroupMappings: [
            mapping('GROUP_READ_ONLY', 'payments-readers'),
            mapping('GROUP_OWNER', 'payments-owners', ['acme/own', 'okta']),
            { roleName: 'GROUP_BACKUP_ADMIN', idpGroups: ['backup-day', 'backup-night'] },
          ],
        },
        search: {},
      },
    },
    globex: {
      idpGroupMappings: [mapping('ORG_OWNER', 'globex-admins')],
      projects: { web: { idpGroupMappings: [mapping('GROUP_READ_ONLY', 'payments-readers')] } },
    },
  },
})

type Row = [name: string, groups: string[] | Groups, issuer: string, permission: string, at: string]

describe('the decision allows', () => {
  const shouldAllow: Row[] = [
    ['a global role at the global level', ['operators'], 'okta', 'instance.policy.write', ''],
    ['a global role in an organization', ['operators'], 'okta', 'organization.delete', 'globex'],
    ['a global role in a project', ['operators'], 'okta', 'project.delete', 'acme/search'],
    ['an organization role in its organization', ['acme-admins'], 'okta', 'organization.update', 'acme'],
    ['an organization role in a project', ['acme-admins'], 'okta', 'project.write', 'acme/search'],
    ['a project role in its project', ['payments-readers'], 'okta', 'project.read', 'acme/payments'],
    ['the same group in two organizations', ['payments-readers'], 'okta', 'project.read', 'globex/web'],
    ['one of several groups', ['x', 'y', 'acme-members', 'z'], 'okta', 'organization.read', 'acme'],
    ['[4-26] the first group of a mapping', ['backup-day'], 'okta', 'project.backup.write', 'acme/payments'],
    ['[4-26] the last group of a mapping', ['backup-night'], 'okta', 'project.backup.write', 'acme/payments'],
    ['the issuer a mapping names', ['auditors'], 'entra', 'instance.read', ''],
    ['either issuer a mapping names', ['watchers'], 'okta', 'project.monitoring.write', 'acme/search'],
    ["an organization's issuer a mapping names", ['acme-readers'], 'acme/own', 'project.read', 'acme/search'],
    ["an organization's issuer, inside", ['acme-admins'], 'acme/own', 'organization.issuers.write', 'acme'],
    [
      "an organization's issuer, in a project",
      ['payments-readers'],
      'acme/second',
      'project.read',
      'acme/payments',
    ],
  ]
  test.each(shouldAllow)('%s', (_name, groups, issuer, permission, at) => {
    expect(ask(policy, principalOf(groups, issuer), permission, at)).toMatchObject({ allowed: true })
  })
})

describe('the decision refuses', () => {
  const shouldRefuse: [...Row, reason: string][] = [
    ['nobody in particular', [], 'okta', 'organization.read', 'acme', 'permission_missing'],
    ['a group no mapping names', ['acme'], 'okta', 'organization.read', 'acme', 'permission_missing'],
    ['a group in other case', ['Acme-Admins'], 'okta', 'organization.read', 'acme', 'permission_missing'],
    ['a group with a space', ['acme-admins '], 'okta', 'organization.read', 'acme', 'permission_missing'],
    ['the start of a group', ['acme-admin'], 'okta', 'organization.read', 'acme', 'permission_missing'],
    [
      'a list of groups as one group',
      ['acme-admins,x'],
      'okta',
      'organization.read',
      'acme',
      'permission_missing',
    ],
    [
      'the name of a role as a group',
      ['ORG_OWNER'],
      'okta',
      'organization.read',
      'acme',
      'permission_missing',
    ],
    ['an empty permission', ['operators'], 'okta', '', '', 'permission_missing'],
    [
      'a permission no role gives',
      ['operators'],
      'okta',
      'project.explode',
      'acme/search',
      'permission_missing',
    ],
    ['the start of a permission', ['operators'], 'okta', 'project', 'acme/search', 'permission_missing'],
    ['the name of a role as a permission', ['operators'], 'okta', 'GLOBAL_OWNER', '', 'permission_missing'],
    ['an organization role above', ['acme-admins'], 'okta', 'organization.update', '', 'permission_missing'],
    [
      'an organization role beside',
      ['acme-admins'],
      'okta',
      'organization.read',
      'globex',
      'permission_missing',
    ],
    ['a project role above', ['payments-owners'], 'okta', 'project.read', 'acme', 'permission_missing'],
    [
      'a project role beside',
      ['payments-owners'],
      'okta',
      'project.read',
      'acme/search',
      'permission_missing',
    ],
    ['an issuer a mapping does not name', ['auditors'], 'okta', 'instance.read', '', 'permission_missing'],
    [
      "the instance's issuer for an organization's",
      ['acme-readers'],
      'okta',
      'project.read',
      'acme/search',
      'permission_missing',
    ],
    [
      'another issuer of the organization',
      ['acme-readers'],
      'acme/second',
      'project.read',
      'acme/search',
      'permission_missing',
    ],
    [
      'an issuer of that id elsewhere',
      ['payments-owners'],
      'entra',
      'project.write',
      'acme/payments',
      'permission_missing',
    ],
    ['no word about groups', ABSENT, 'okta', 'project.read', 'acme/payments', 'groups_absent'],
    ['too many groups', OVERAGE, 'okta', 'project.read', 'acme/payments', 'groups_overage'],
    [
      'an issuer without groups',
      { outcome: 'none' },
      'okta',
      'project.read',
      'acme/payments',
      'permission_missing',
    ],
    [
      'an unknown organization',
      ['operators'],
      'okta',
      'organization.read',
      'initech',
      'organization_unknown',
    ],
    [
      'a project of an unknown organization',
      ['operators'],
      'okta',
      'project.read',
      'initech/web',
      'organization_unknown',
    ],
    ['an unknown project', ['operators'], 'okta', 'project.read', 'acme/web', 'project_unknown'],
    [
      'an organization in other case',
      ['operators'],
      'okta',
      'organization.read',
      'Acme',
      'organization_unknown',
    ],
    ['an unknown level before absent groups', ABSENT, 'okta', 'project.read', 'acme/web', 'project_unknown'],
  ]
  test.each(shouldRefuse)('%s', (_name, groups, issuer, permission, at, reason) => {
    const principal = principalOf(groups, issuer)
    expect(ask(policy, principal, permission, at)).toMatchObject({ allowed: false, reason })
    if (reason !== 'permission_missing') expect(rolesOf(policy, principal, at)).toEqual([])
  })

  test('with a detail that names what was missing and where', () => {
    const detailOf = (permission: string, at: string) => {
      const decision = ask(policy, principalOf([]), permission, at)
      return decision.allowed ? null : decision.detail
    }
    expect(detailOf('instance.read', '')).toMatch(/"instance\.read" on the global level/)
    expect(detailOf('organization.read', 'acme')).toMatch(/"organization\.read" on organization acme /)
    expect(detailOf('project.read', 'acme/search')).toMatch(/project search of organization acme /)
    expect(detailOf('project.read', 'acme/web')).toMatch(/no project "web" in organization acme/)
    expect(detailOf('project.read', 'initech/web')).toMatch(/no organization "initech"/)
  })
})

test('[4-32] mappings stay when another product stands behind the issuer record they believe', () => {
  const organizations = {
    acme: {
      idpGroupMappings: [mapping('ORG_OWNER', 'acme-admins', ['sso']), mapping('ORG_MEMBER', 'staff')],
    },
  }
  const before = policyOf({ issuers: { sso: { issuer: 'https://old.example' } }, organizations })
  const issuers = { sso: { preset: 'cognito', issuer: 'https://new.example' } }
  const after = policyOf({ issuers, organizations })
  for (const groups of [['acme-admins'], ['staff'], ['acme-admins', 'staff'], []]) {
    const who = principalOf(groups, 'sso')
    expect(rolesOf(after, who, 'acme')).toEqual(rolesOf(before, who, 'acme'))
  }
})

describe('the voucher is a ceiling', () => {
  const everything = ['operators', 'auditors', 'watchers', 'acme-admins', 'globex-admins', 'payments-readers']
  const outsider = principalOf(everything, 'acme/own')

  test("an organization's issuer yields nothing global and nothing elsewhere", () => {
    for (const at of ['', 'globex', 'globex/web']) {
      expect(ask(policy, outsider, 'organization.read', at)).toMatchObject({ reason: 'outside_voucher' })
      expect(allowedAt(policy, outsider, at)).toEqual([])
      expect(rolesOf(policy, outsider, at)).toEqual([])
    }
  })

  test('inside, it yields what the organization gives and no global role', () => {
    for (const at of ['acme', 'acme/payments', 'acme/search']) {
      expect(rolesOf(policy, outsider, at).filter((role) => role.startsWith('GLOBAL_'))).toEqual([])
      expect(allowedAt(policy, outsider, at)).toEqual(allowedAt(policy, principalOf(everything.slice(3)), at))
      expect(allowedAt(policy, principalOf(['operators'], 'acme/own'), at)).toEqual([])
    }
  })

  test('outside, not even existence is told', () => {
    const answers = ['globex', 'initech', 'globex/web', 'globex/nothing', 'initech/nothing'].map((at) =>
      ask(policy, outsider, 'project.read', at),
    )
    for (const answer of answers) expect(answer).toEqual(answers[0])
    expect(JSON.stringify(answers)).not.toMatch(/globex|initech/)
  })

  test('an organization with the name of an inherited member is outside as well', () => {
    for (const name of INHERITED_NAMES) {
      expect(ask(policy, outsider, 'project.read', name)).toMatchObject({ reason: 'outside_voucher' })
    }
  })
})

describe('the proof', () => {
  const proofOf = (groups: string[], permission: string, at: string) => {
    const decision = ask(policy, principalOf(groups), permission, at)
    return decision.allowed ? decision.proof : decision.reason
  }

  test('names permission, role, granted role, mapping and group', () => {
    expect(proofOf(['acme-admins'], 'project.delete', 'acme/payments')).toEqual({
      permission: 'project.delete',
      role: 'GROUP_OWNER',
      grantedRole: 'ORG_OWNER',
      mapping: 'organizations.acme.idpGroupMappings[0]',
      group: 'acme-admins',
    })
    expect(proofOf(['x', 'backup-night'], 'project.read', 'acme/payments')).toEqual({
      permission: 'project.read',
      role: 'GROUP_READ_ONLY',
      grantedRole: 'GROUP_BACKUP_ADMIN',
      mapping: 'organizations.acme.projects.payments.idpGroupMappings[2]',
      group: 'backup-night',
    })
    expect(proofOf(['operators'], 'instance.read', '')).toMatchObject({
      role: 'GLOBAL_OWNER',
      grantedRole: 'GLOBAL_OWNER',
      mapping: 'idpGroupMappings[0]',
    })
  })

  test('comes from the first group that gives the permission', () => {
    const [reader, admin] = ['payments-readers', 'acme-admins']
    expect(proofOf(['x', admin, reader], 'project.read', 'acme/payments')).toMatchObject({
      mapping: 'organizations.acme.idpGroupMappings[0]',
      group: admin,
    })
    expect(proofOf(['x', reader, admin], 'project.read', 'acme/payments')).toMatchObject({
      mapping: 'organizations.acme.projects.payments.idpGroupMappings[0]',
      group: reader,
    })
  })

  test('comes from the most general level at which that group gives it', () => {
    const everywhere = policyOf({
      idpGroupMappings: [mapping('GLOBAL_READ_ONLY', 'readers')],
      organizations: {
        acme: {
          idpGroupMappings: [mapping('ORG_READ_ONLY', 'readers')],
          projects: { web: { idpGroupMappings: [mapping('GROUP_READ_ONLY', 'readers')] } },
        },
      },
    })
    const proofFor = (who: ReturnType<typeof principalOf>) => {
      const decision = ask(everywhere, who, 'project.read', 'acme/web')
      return decision.allowed ? decision.proof.mapping : decision.reason
    }
    expect(proofFor(principalOf(['readers']))).toBe('idpGroupMappings[0]')
    expect(proofFor(principalOf(['readers'], 'acme/own'))).toBe('organizations.acme.idpGroupMappings[0]')
  })
})

describe('names every object has', () => {
  const operator = principalOf(['operators'])
  const odd = policyOf({
    issuers: { okta: { issuer: 'https://okta.example' } },
    organizations: {
      constructor: {
        idpGroupMappings: [{ roleName: 'ORG_OWNER', idpGroups: ['__proto__', 'toString'] }],
        projects: { constructor: {} },
      },
    },
  })

  test.each(INHERITED_NAMES)('%s is unknown as anything', (name) => {
    expect(rolesOf(policy, principalOf([name]), 'acme/payments')).toEqual([])
    expect(ask(policy, principalOf([name]), 'project.read', 'acme/payments')).toMatchObject({
      allowed: false,
    })
    expect(ask(policy, operator, name, 'acme')).toMatchObject({ reason: 'permission_missing' })
    expect(ask(policy, operator, 'organization.read', name)).toMatchObject({ reason: 'organization_unknown' })
    expect(ask(policy, operator, 'project.read', `acme/${name}`)).toMatchObject({ reason: 'project_unknown' })
    expect(rolesOf(policy, principalOf(['acme-readers'], name), 'acme')).toEqual([])
  })

  test('count where a policy gives them a meaning', () => {
    expect(ask(odd, principalOf(['__proto__']), 'project.write', 'constructor/constructor')).toMatchObject({
      allowed: true,
    })
    expect(ask(odd, principalOf(['toString']), 'organization.delete', 'constructor').allowed).toBe(true)
    expect(ask(odd, principalOf(['constructor']), 'organization.read', 'constructor').allowed).toBe(false)
  })
})
