// Roles given to somebody directly: they count as a mapping at their level would, whatever the token says about
// groups, and never above the voucher's ceiling.
import { describe, expect, test } from 'vitest'
import { explain } from '../../policy/explain.ts'
import { organizationAt } from '../../policy/loaded.ts'
import type { DirectGrant, Principal } from '../../policy/principal.ts'
import { ABSENT, ask, levelAt, NOW, OVERAGE, policyOf, principalOf, rolesOf } from './policies.ts'

const SOURCE = 'memberships.user/u1'
const OWN = { okta: { issuer: 'https://acme.idp.example' } }
const policy = policyOf({
  issuers: { okta: { issuer: 'https://okta.example' } },
  organizations: {
    acme: { issuers: OWN, onUnmatched: 'ORG_MEMBER', projects: { web: {}, app: {} } },
    globex: { projects: { web: {} } },
  },
})

function given(role: string, place = '', source = SOURCE): DirectGrant {
  const [organization, project] = place.split('/')
  return { role, organization: organization || null, project: project ?? null, source }
}

function somebody(
  grants: DirectGrant[],
  more: { issuer?: string; groups?: Principal['groups'] } = {},
): Principal {
  return { ...principalOf(more.groups ?? [], more.issuer ?? 'okta'), given: grants }
}

const explained = (principal: Principal, at: string) => {
  const level = levelAt(at)
  return explain(policy, organizationAt(policy, level), principal, { level, now: NOW })
}

describe('a role given directly', () => {
  test.each([
    ['GLOBAL_READ_ONLY', '', ['', 'acme', 'acme/web', 'acme/app', 'globex', 'globex/web']],
    ['ORG_GROUP_CREATOR', 'acme', ['acme', 'acme/web', 'acme/app']],
    ['GROUP_OWNER', 'acme/web', ['acme/web']],
  ])('%s at "%s" counts there and below, nowhere else', (role, place, levels) => {
    const principal = somebody([given(role, place)])
    const everywhere = ['', 'acme', 'acme/web', 'acme/app', 'globex', 'globex/web']
    expect(everywhere.filter((at) => rolesOf(policy, principal, at).includes(role))).toEqual(levels)
  })

  test('is the proof of a decision, without a group', () => {
    const principal = somebody([given('GROUP_READ_ONLY', 'acme/web')])
    expect(ask(policy, principal, 'project.read', 'acme/web')).toEqual({
      allowed: true,
      proof: {
        permission: 'project.read',
        role: 'GROUP_READ_ONLY',
        grantedRole: 'GROUP_READ_ONLY',
        mapping: SOURCE,
        group: null,
      },
    })
  })

  test.each([
    ['absent', ABSENT],
    ['overage', OVERAGE],
  ])('counts when the groups are %s, which is a reason only where it does not help', (outcome, groups) => {
    const principal = somebody([given('GROUP_READ_ONLY', 'acme/web')], { groups })
    expect(ask(policy, principal, 'project.read', 'acme/web').allowed).toBe(true)
    const refused = ask(policy, principal, 'project.read', 'acme/app')
    expect(refused).toMatchObject({ allowed: false, reason: `groups_${outcome}` })
  })

  test.each([
    ['a global role', given('GLOBAL_OWNER')],
    ['a role of another organization', given('ORG_OWNER', 'globex')],
    ['a role of a project elsewhere', given('GROUP_OWNER', 'globex/web')],
  ])("on the word of an organization's issuer is never %s", (_what, grant) => {
    const principal = somebody([grant], { issuer: 'acme/okta' })
    for (const at of ['', 'acme', 'acme/web', 'globex', 'globex/web']) {
      expect(rolesOf(policy, principal, at).filter((role) => role !== 'ORG_MEMBER')).toEqual([])
    }
  })

  test("on the word of an organization's issuer counts inside the organization", () => {
    const principal = somebody([given('ORG_GROUP_CREATOR', 'acme')], { issuer: 'acme/okta' })
    expect(rolesOf(policy, principal, 'acme/web')).toContain('ORG_GROUP_CREATOR')
  })

  test('is not the default role, which it makes needless', () => {
    const member = somebody([], { issuer: 'acme/okta' })
    expect(rolesOf(policy, member, 'acme')).toContain('ORG_MEMBER')
    const elsewhere = somebody([given('GROUP_READ_ONLY', 'acme/web')], { issuer: 'acme/okta' })
    expect(rolesOf(policy, elsewhere, 'acme')).toEqual([])
    const gone = somebody([given('GROUP_READ_ONLY', 'acme/gone')], { issuer: 'acme/okta' })
    expect(rolesOf(policy, gone, 'acme')).toContain('ORG_MEMBER')
  })

  test.each([
    ['of another level', given('ORG_OWNER', 'acme/web')],
    ['global, in an organization', given('GLOBAL_OWNER', 'acme')],
    ['that is no role any more', given('GONE', 'acme')],
  ])('that is a role %s gives nothing', (_what, grant) => {
    for (const at of ['', 'acme', 'acme/web']) expect(rolesOf(policy, somebody([grant]), at)).toEqual([])
  })
})

describe('the explanation of a role given directly', () => {
  test('names where it comes from, each role once', () => {
    const grants = [given('ORG_GROUP_CREATOR', 'acme'), given('GROUP_READ_ONLY', 'acme/web')]
    const { roles, unmatched } = explained(somebody(grants), 'acme/web')
    const direct = roles.flatMap(({ role, proofs }) =>
      proofs
        .filter(({ chain }) => chain.length === 1)
        .map(({ given: { mapping, group } }) => [role, mapping, group]),
    )
    expect(direct).toEqual([
      ['GROUP_READ_ONLY', SOURCE, null],
      ['ORG_GROUP_CREATOR', SOURCE, null],
    ])
    expect(unmatched.total).toBe(0)
  })

  test('says that the voucher bounds it', () => {
    const { roles, failed } = explained(somebody([given('GLOBAL_OWNER')], { issuer: 'acme/okta' }), 'acme')
    expect(roles.map(({ role }) => role)).toEqual(['ORG_MEMBER'])
    expect(failed).toMatchObject([
      { mapping: SOURCE, role: 'GLOBAL_OWNER', reason: 'outside_voucher', group: null },
    ])
  })

  test('gives the default role its reason', () => {
    const principal = somebody([given('ORG_GROUP_CREATOR', 'acme')], { issuer: 'acme/okta' })
    const { failed } = explained(principal, 'acme')
    expect(failed).toMatchObject([{ reason: 'default_not_needed' }])
  })
})
