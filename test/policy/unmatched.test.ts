// Who gets in though no mapping says so: the default role of members, and groups that a sign-in does not say.
// The gate of an issuer is access.test.ts's.
import { describe, expect, test } from 'vitest'
import { type Claims, type Presented, principalFromClaims } from '../../policy/principal.ts'
import { KEEP_DAYS_MAX } from '../../policy/schema-issuer.ts'
import {
  ABSENT,
  allowedAt,
  ask,
  heldAt,
  NOW,
  OVERAGE,
  policyOf,
  principalOf,
  recordOf,
  rolesOf,
} from './policies.ts'
import { acme, expectProblem, issuer, problemsOf } from './texts.ts'

const DAY_SECONDS = 86_400

describe('the default role', () => {
  const policy = policyOf({
    issuers: { okta: { issuer: 'https://okta.example' } },
    idpGroupMappings: [{ roleName: 'GLOBAL_READ_ONLY', idpGroups: ['auditors'] }],
    patternMappings: [{ roleName: 'GROUP_READ_ONLY', groupPatterns: ['team:{org}:{project}'] }],
    organizations: {
      acme: {
        issuers: { own: { issuer: 'https://acme.example' }, hr: { issuer: 'https://hr.example' } },
        onUnmatched: 'ORG_MEMBER',
        idpGroupMappings: [
          { roleName: 'ORG_BILLING_ADMIN', idpGroups: ['billing'] },
          { roleName: 'ORG_READ_ONLY', idpGroups: ['readers'], issuers: ['acme/hr'] },
          { roleName: 'ORG_READ_ONLY', idpGroups: ['strong'], when: [{ claim: 'acr', equals: 'high' }] },
          { roleName: 'ORG_READ_ONLY', idpGroups: ['guests'], notAfter: '2026-06-02T00:00:00Z' },
          { roleName: 'ORG_READ_ONLY', idpGroups: ['later'], notBefore: '2026-06-02T00:00:00Z' },
        ],
        projects: {
          web: { idpGroupMappings: [{ roleName: 'GROUP_READ_ONLY', idpGroups: ['web-readers'] }] },
          app: {},
        },
      },
      globex: { issuers: { own: { issuer: 'https://globex.example' } } },
    },
  })
  const member = (groups: string[], claims: Claims = {}) => principalOf(groups, 'acme/own', claims)
  const hasDefault = (who: ReturnType<typeof principalOf>, at: string, now = NOW) =>
    rolesOf(policy, who, at, now).includes('ORG_MEMBER')

  const shouldAllow: [name: string, groups: string[]][] = [
    ['[3-9] [T4] a member with a group no mapping names', ['staff']],
    ['[3-8] [T4] a member with no groups at all', []],
    ['a member with a global group, which their issuer cannot give', ['auditors']],
    ['a member whom a mapping would match by another issuer', ['readers']],
    ['a member without the claim that a mapping asks for', ['strong']],
    ['a member whose mapping has not begun', ['later']],
    ['a member whose pattern names no project that exists', ['team:acme:none']],
    ['a member whose pattern names another organization', ['team:globex:web']],
    ['a member whose group is written in other case', ['Billing']],
  ]
  test.each(shouldAllow)('goes to %s', (_name, groups) => {
    for (const at of ['acme', 'acme/web', 'acme/app'])
      expect(rolesOf(policy, member(groups), at)).toEqual(['ORG_MEMBER'])
  })

  const billing = ['ORG_BILLING_ADMIN', 'ORG_MEMBER']
  const auditor = ['GLOBAL_READ_ONLY', 'GROUP_READ_ONLY', 'ORG_MEMBER', 'ORG_READ_ONLY']
  const shouldRefuse: [name: string, groups: string[], issuer: string, at: string, roles: string[]][] = [
    ['a member whom a mapping gives another role', ['billing', 'staff'], 'acme/own', 'acme/app', billing],
    ['a member with a role in one project, in the organization', ['web-readers'], 'acme/own', 'acme', []],
    ['a member with a role in one project, in another', ['web-readers'], 'acme/own', 'acme/app', []],
    ['a member with a role by a pattern, elsewhere', ['team:acme:web'], 'acme/own', 'acme/app', []],
    ['a member at the global level', ['staff'], 'acme/own', '', []],
    ['a member in another organization', ['staff'], 'acme/own', 'globex', []],
    ['a stranger of the instance', ['staff'], 'okta', 'acme', []],
    ['somebody the instance gives a role', ['auditors'], 'okta', 'acme', auditor],
    ["another organization's member", ['staff'], 'globex/own', 'acme', []],
    ['a member where none is set', ['staff'], 'globex/own', 'globex', []],
  ]
  test.each(shouldRefuse)('does not go to %s', (_name, groups, of, at, roles) => {
    const who = principalOf(groups, of)
    expect(rolesOf(policy, who, at)).toEqual(roles)
    const decision = ask(policy, who, 'organization.read', at)
    expect(decision.allowed).toBe(roles.length > 0)
    if (decision.allowed) expect(decision.proof.group).toBe(groups[0])
  })

  test('[T4] does not go to those whose groups are not known', () => {
    for (const [groups, reason] of [
      [ABSENT, 'groups_absent'],
      [OVERAGE, 'groups_overage'],
    ] as const) {
      const who = principalOf(groups, 'acme/own')
      expect(ask(policy, who, 'organization.read', 'acme')).toMatchObject({ allowed: false, reason })
      expect(rolesOf(policy, who, 'acme')).toEqual([])
    }
  })

  test('goes to members by an issuer that says nothing about groups', () => {
    expect(hasDefault(principalOf({ outcome: 'none' }, 'acme/own'), 'acme')).toBe(true)
    expect(hasDefault(principalOf({ outcome: 'none' }, 'okta'), 'acme')).toBe(false)
  })

  test('comes and goes with the window of what matched', () => {
    const change = Date.parse('2026-06-02T00:00:00Z') / 1000
    expect(heldAt(policy, member(['guests']), 'acme')).toMatchObject({ until: change })
    expect(rolesOf(policy, member(['guests']), 'acme', change)).toEqual(['ORG_MEMBER'])
    expect(heldAt(policy, member(['later']), 'acme')).toEqual({ roles: ['ORG_MEMBER'], until: change })
    expect(hasDefault(member(['later']), 'acme/web', change)).toBe(true)
    expect(rolesOf(policy, member(['later']), 'acme/web', change)).toContain('GROUP_READ_ONLY')
  })

  test('comes with the claim that was missing gone', () => {
    expect(rolesOf(policy, member(['strong'], { acr: 'high' }), 'acme')).toContain('GROUP_READ_ONLY')
  })

  test('proves itself by the setting, without a group', () => {
    expect(ask(policy, member(['staff']), 'organization.read', 'acme')).toEqual({
      allowed: true,
      proof: {
        permission: 'organization.read',
        role: 'ORG_MEMBER',
        grantedRole: 'ORG_MEMBER',
        mapping: 'organizations.acme.onUnmatched',
        group: null,
      },
    })
  })

  test('is none unless set: an empty policy gives nobody anything', () => {
    const empty = policyOf({ organizations: { acme: { projects: { web: {} } } } })
    for (const groups of [[], ['staff'], ['*'], ['ORG_OWNER']]) {
      for (const at of ['acme', 'acme/web']) expect(allowedAt(empty, member(groups), at)).toEqual([])
    }
  })

  test.each([
    ['GROUP_READ_ONLY', /is a role of the project level; valid here: ORG_OWNER, /],
    ['GLOBAL_READ_ONLY', /is a role of the global level/],
    ['ORG_MEMBR', /is no role; did you mean ORG_MEMBER\?/],
  ])('[4-29] is refused as %s', (role, message) => {
    const text = acme(`    onUnmatched: ${role}`)
    expectProblem(text, '4:5', 'organizations.acme.onUnmatched', message)
    expect(problemsOf(text)).toHaveLength(1)
  })
})

describe('groups that are not said', () => {
  const keeping = { groups: { keepDays: 30 } }
  const read = (of: object, claims: Claims, presented?: Presented) => {
    const result = principalFromClaims(recordOf(of), { sub: 'alice', ...claims }, presented)
    if (!result.ok) throw new Error(result.detail)
    return result.principal
  }
  const signIn = (at: number | null): Presented => ({
    as: 'sign-in',
    now: NOW,
    lastKnown: at === null ? null : { names: ['readers'], at },
  })
  const overage = { _claim_names: { groups: 'src1' } }

  test('[3-8] [T4] are those said last, at a sign-in where the issuer keeps them', () => {
    const since = NOW - DAY_SECONDS
    for (const [claims, outcome] of [
      [{}, 'absent'],
      [overage, 'overage'],
    ] as const) {
      expect(read(keeping, claims, signIn(since)).groups).toEqual({
        outcome,
        kept: { names: ['readers'], until: since + 30 * DAY_SECONDS },
      })
    }
  })

  test('[3-8] [T4] are none for somebody new', () => {
    expect(read(keeping, {}, signIn(null)).groups).toEqual({
      outcome: 'absent',
      kept: { names: [], until: NOW + 30 * DAY_SECONDS },
    })
  })

  const notKept: [name: string, issuer: object, presented: Presented | undefined][] = [
    ['in a bearer token', keeping, { as: 'bearer' }],
    ['when nothing is said of how it came', keeping, undefined],
    ['where the issuer does not keep them', {}, signIn(NOW - 1)],
    ['where the issuer does not keep them, of somebody new', {}, signIn(null)],
  ]
  test.each(notKept)('are not known %s', (_name, of, presented) => {
    expect(read(of, {}, presented).groups).toEqual({ outcome: 'absent', kept: null })
    expect(read(of, overage, presented).groups).toEqual({ outcome: 'overage', kept: null })
  })

  test('do not stand in for groups that are said, be they none', () => {
    expect(read(keeping, { groups: ['writers'] }, signIn(NOW)).groups).toEqual({
      outcome: 'listed',
      names: ['writers'],
    })
    expect(read(keeping, { groups: [] }, signIn(NOW)).groups).toEqual({ outcome: 'listed', names: [] })
  })

  test('do not stand in for groups of a shape that was not declared', () => {
    const malformed = principalFromClaims(recordOf(keeping), { sub: 'a', groups: 7 }, signIn(NOW))
    expect(malformed).toMatchObject({ ok: false, reason: 'groups_malformed' })
  })

  describe('when kept', () => {
    const policy = policyOf({
      organizations: {
        acme: {
          issuers: { own: { issuer: 'https://acme.example' } },
          onUnmatched: 'ORG_MEMBER',
          idpGroupMappings: [
            { roleName: 'ORG_READ_ONLY', idpGroups: ['readers'] },
            { roleName: 'ORG_BILLING_ADMIN', idpGroups: ['readers'], notAfter: '2026-06-02T00:00:00Z' },
          ],
        },
      },
    })
    const until = NOW + 10 * DAY_SECONDS
    const kept = (names: string[]) => principalOf({ outcome: 'absent', kept: { names, until } }, 'acme/own')

    test('count as if they were said, and no longer than they are kept', () => {
      for (const now of [NOW, until - 1]) {
        expect(rolesOf(policy, kept(['readers']), 'acme', now)).toContain('ORG_READ_ONLY')
        expect(ask(policy, kept(['readers']), 'project.read', 'acme', now).allowed).toBe(true)
      }
      expect(rolesOf(policy, kept(['readers']), 'acme', until)).toEqual([])
      const over = ask(policy, kept(['readers']), 'project.read', 'acme', until)
      expect(over).toMatchObject({ allowed: false, reason: 'groups_absent' })
    })

    test('say until when, which is sooner when a mapping ends', () => {
      expect(heldAt(policy, kept(['readers']), 'acme').until).toBe(Date.parse('2026-06-02T00:00:00Z') / 1000)
      expect(heldAt(policy, kept(['staff']), 'acme').until).toBe(until)
    })

    test('[3-8] leave somebody new with the default role, while they are kept', () => {
      expect(rolesOf(policy, kept([]), 'acme')).toEqual(['ORG_MEMBER'])
      expect(rolesOf(policy, kept([]), 'acme', until)).toEqual([])
    })
  })

  test.each([
    [0, /expected number to be >=1/],
    [KEEP_DAYS_MAX + 1, /expected number to be <=30/],
    [1.5, /expected (int|whole number)/],
  ])('[T4] are not kept for %d days', (days, message) => {
    expectProblem(issuer(`    groups: {keepDays: ${days}}`), '5:14', 'issuers.okta.groups.keepDays', message)
  })
})
