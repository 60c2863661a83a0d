// What a change of policy does: to the document, and to the people known. The property asks decide.ts at every
// level for everybody, which diff.ts itself avoids.
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { checkPolicy } from '../../policy/check.ts'
import { compilePolicy } from '../../policy/compile.ts'
import { rolesAt } from '../../policy/decide.ts'
import { diffPolicies, type KnownPrincipal, type LevelDiff, type PolicyVersion } from '../../policy/diff.ts'
import { describeLevel, type Level, levelOf } from '../../policy/level.ts'
import { loadPolicy, organizationAt } from '../../policy/loaded.ts'
import { type Principal, principalFromClaims } from '../../policy/principal.ts'
import { describePath } from '../../policy/problems.ts'
import { PolicyDocument } from '../../policy/schema.ts'
import { documentOf } from './policies.ts'

const CATALOGUE_ROLES = documentOf('version: 1').roles
const NOW = Date.parse('2026-06-01T00:00:00Z') / 1000

function version(members: object): PolicyVersion {
  const own = PolicyDocument.parse({ version: 1, ...members })
  const document = { ...own, roles: { ...CATALOGUE_ROLES, ...own.roles } }
  expect(checkPolicy(document)).toEqual([])
  return { document, policy: loadPolicy(compilePolicy(document)) }
}

const issuers = { okta: { issuer: 'https://okta.example' } }
const person = (...groups: string[]): KnownPrincipal => ({ issuer: 'okta', claims: { sub: 'ann', groups } })

/** Each change of the document as a line. */
function structure(before: object, after: object): string[] {
  const { structure: changes } = diffPolicies(version(before), version(after), [], NOW)
  return changes.map(({ part, change, path, name, fields }) => {
    const what = fields.length > 0 ? ` (${fields.join(', ')})` : ''
    return `${change} ${part} ${name} at ${describePath(path)}${what}`
  })
}

/** What somebody gains and loses, a line for each level. */
function changesOf(before: object, after: object, known: KnownPrincipal): string[] {
  const [diff] = diffPolicies(version(before), version(after), [known], NOW).principals
  return (diff?.levels ?? []).map(({ level, roles: { gained, lost } }) => {
    return [
      describeLevel(level),
      ...gained.map((role) => `+${role}`),
      ...lost.map((role) => `-${role}`),
    ].join(' ')
  })
}

const owners = (...idpGroups: string[]) => ({ roleName: 'GLOBAL_OWNER', idpGroups })
const organization = (...idpGroupMappings: object[]) => ({ organizations: { acme: { idpGroupMappings } } })

describe('the structure of a change', () => {
  const rows: [name: string, before: object, after: object, expected: string[]][] = [
    ['nothing', { issuers }, { issuers }, []],
    [
      'another order of mappings, groups, issuers and conditions',
      {
        issuers: { okta: { issuer: 'https://a' }, entra: { issuer: 'https://b' } },
        idpGroupMappings: [
          owners('a', 'b'),
          { roleName: 'GLOBAL_READ_ONLY', idpGroups: ['c'], issuers: ['okta', 'entra'] },
        ],
      },
      {
        issuers: { entra: { issuer: 'https://b' }, okta: { issuer: 'https://a' } },
        idpGroupMappings: [
          { issuers: ['entra', 'okta'], idpGroups: ['c'], roleName: 'GLOBAL_READ_ONLY' },
          owners('b', 'a'),
        ],
      },
      [],
    ],
    [
      'one moment in two zones',
      { idpGroupMappings: [{ ...owners('a'), notAfter: '2027-01-01T00:00:00Z' }] },
      { idpGroupMappings: [{ ...owners('a'), notAfter: '2027-01-01T02:00:00+02:00' }] },
      [],
    ],
    [
      'a claim path in another order',
      { issuers: { okta: { issuer: 'https://a', claims: { email: ['a', 'b'] } } } },
      { issuers: { okta: { issuer: 'https://a', claims: { email: ['b', 'a'] } } } },
      ['changed issuer okta at issuers.okta (claims)'],
    ],
    [
      'a mapping more, and one less',
      { idpGroupMappings: [owners('a'), { roleName: 'GLOBAL_READ_ONLY', idpGroups: ['r'] }] },
      { idpGroupMappings: [owners('a'), { roleName: 'GLOBAL_USER_ADMIN', idpGroups: ['u'] }] },
      [
        'removed mapping GLOBAL_READ_ONLY at idpGroupMappings[1]',
        'added mapping GLOBAL_USER_ADMIN at idpGroupMappings[1]',
      ],
    ],
    [
      'the same mapping once more',
      { idpGroupMappings: [owners('a')] },
      { idpGroupMappings: [owners('a'), owners('a')] },
      ['added mapping GLOBAL_OWNER at idpGroupMappings[1]'],
    ],
    [
      'other groups of a mapping, and another role for the groups of one',
      { idpGroupMappings: [owners('a'), { roleName: 'GLOBAL_READ_ONLY', idpGroups: ['r'] }] },
      { idpGroupMappings: [{ roleName: 'GLOBAL_USER_ADMIN', idpGroups: ['r'] }, owners('a', 'b')] },
      [
        'changed mapping GLOBAL_OWNER at idpGroupMappings[1] (idpGroups)',
        'changed mapping GLOBAL_USER_ADMIN at idpGroupMappings[0] (roleName)',
      ],
    ],
    [
      'a pattern',
      {},
      { patternMappings: [{ roleName: 'GLOBAL_OWNER', groupPatterns: ['a*'] }] },
      ['added pattern GLOBAL_OWNER at patternMappings[0]'],
    ],
    [
      'roles, routes, audience and tests',
      {
        roles: { X: { level: 'global', permissions: ['a.b'] }, Y: { level: 'global' } },
        tests: [{ name: 't', principal: { issuer: 'okta' }, expect: { roles: [] } }],
      },
      {
        audience: 'other',
        roles: { X: { level: 'global', permissions: ['a.c'] } },
        routes: {
          api: { hosts: ['h'], methods: ['GET'], path: '/', upstream: 'https://u', access: 'anonymous' },
        },
      },
      [
        'changed setting policy at  (audience)',
        'changed role X at roles.X (permissions)',
        'removed role Y at roles.Y',
        'added route api at routes.api',
        'removed test t at tests[0]',
      ],
    ],
    [
      'organizations and projects with what is in them',
      { organizations: { acme: { displayName: 'Acme', projects: { web: {} } }, globex: {} } },
      {
        organizations: {
          acme: {
            onUnmatched: 'ORG_MEMBER',
            issuers: { own: { issuer: 'https://own' } },
            projects: { app: { idpGroupMappings: [{ roleName: 'GROUP_OWNER', idpGroups: ['a'] }] } },
          },
          initech: {},
        },
      },
      [
        'changed organization acme at organizations.acme (displayName, onUnmatched)',
        'added issuer own at organizations.acme.issuers.own',
        'added project app at organizations.acme.projects.app',
        'removed project web at organizations.acme.projects.web',
        'removed organization globex at organizations.globex',
        'added organization initech at organizations.initech',
        'added mapping GROUP_OWNER at organizations.acme.projects.app.idpGroupMappings[0]',
      ],
    ],
  ]
  test.each(rows)('%s', (_name, before, after, expected) => {
    expect(structure(before, after)).toEqual(expected)
  })
})

describe('what a change does to somebody', () => {
  const member = { roleName: 'ORG_MEMBER', idpGroups: ['a'] }
  const rows: [name: string, before: object, after: object, known: KnownPrincipal, expected: string[]][] = [
    ['nothing', { issuers, ...organization(member) }, { issuers, ...organization(member) }, person('a'), []],
    [
      'a role of an organization',
      { issuers, ...organization() },
      { issuers, ...organization(member) },
      person('a'),
      ['organization acme +ORG_MEMBER'],
    ],
    [
      'a role that another mapping gives as well',
      { issuers, ...organization(member, { roleName: 'ORG_MEMBER', idpGroups: ['b'] }) },
      { issuers, ...organization(member) },
      person('a', 'b'),
      [],
    ],
    [
      'a role in the project that the group names',
      { issuers, organizations: { acme: { projects: { app: {}, web: {} } } } },
      {
        issuers,
        organizations: { acme: { projects: { app: {}, web: {} } } },
        patternMappings: [{ roleName: 'GROUP_READ_ONLY', groupPatterns: ['{org}/{project}'] }],
      },
      person('acme/web', 'globex/web'),
      ['project web of organization acme +GROUP_READ_ONLY'],
    ],
    [
      'the default role, since a mapping of one project begins to match',
      {
        organizations: {
          acme: {
            issuers: { own: { issuer: 'https://own' } },
            onUnmatched: 'ORG_MEMBER',
            projects: { app: {} },
          },
        },
      },
      {
        organizations: {
          acme: {
            issuers: { own: { issuer: 'https://own' } },
            onUnmatched: 'ORG_MEMBER',
            projects: { app: { idpGroupMappings: [{ roleName: 'GROUP_READ_ONLY', idpGroups: ['a'] }] } },
          },
        },
      },
      { issuer: 'acme/own', claims: { sub: 'x', groups: ['a'] } },
      ['organization acme -ORG_MEMBER', 'project app of organization acme +GROUP_READ_ONLY -ORG_MEMBER'],
    ],
    [
      'a mapping that reads the claim differently',
      { issuers, ...organization(member) },
      {
        issuers: { okta: { issuer: 'https://okta.example', groups: { addPrefix: 'x' } } },
        ...organization(member),
      },
      person('a'),
      ['organization acme -ORG_MEMBER'],
    ],
  ]
  test.each(rows)('%s', (_name, before, after, known, expected) => {
    expect(changesOf(before, after, known)).toEqual(expected)
  })

  test('permissions alone, where the role is defined anew', () => {
    const role = (permission: string) => ({
      issuers,
      roles: { X: { level: 'global', permissions: [permission] } },
      idpGroupMappings: [{ roleName: 'X', idpGroups: ['a'] }],
    })
    const { principals } = diffPolicies(
      version(role('a.b')),
      version(role('a.c')),
      [person('a'), person()],
      NOW,
    )
    const levels: LevelDiff[] = [
      {
        level: { kind: 'global' },
        roles: { gained: [], lost: [] },
        permissions: { gained: ['a.c'], lost: ['a.b'] },
      },
    ]
    expect(principals).toEqual([
      { issuer: 'okta', subject: 'ann', refused: { before: null, after: null }, levels },
    ])
  })

  test('everything, where the issuer goes or closes its gate', () => {
    const before = { issuers, idpGroupMappings: [{ roleName: 'GLOBAL_READ_ONLY', idpGroups: ['a'] }] }
    const gate = { okta: { issuer: 'https://okta.example', claims: { access: 'may' } } }
    const refusedAfter = (after: object) => {
      const [diff] = diffPolicies(version(before), version(after), [person('a')], NOW).principals
      return [diff?.subject, diff?.refused.after, diff?.levels[0]?.roles.lost.includes('GLOBAL_READ_ONLY')]
    }
    expect(refusedAfter({ ...before, issuers: {} })).toEqual(['ann', 'issuer_unknown', true])
    expect(refusedAfter({ ...before, issuers: gate })).toEqual(['ann', 'access_denied', true])
  })

  test('is found among thousands of projects and people in seconds', () => {
    const projects = (role: string) =>
      Object.fromEntries(
        Array.from({ length: 2000 }, (_, index) => [
          `p${index}`,
          {
            idpGroupMappings: [
              { roleName: index === 7 ? role : 'GROUP_READ_ONLY', idpGroups: [`g${index}`] },
            ],
          },
        ]),
      )
    const of = (role: string) => version({ issuers, organizations: { acme: { projects: projects(role) } } })
    const people = Array.from({ length: 2000 }, (_, index) => person(`g${index}`))
    const [before, after] = [of('GROUP_READ_ONLY'), of('GROUP_BILLING_ADMIN')]
    const started = performance.now()
    const { principals } = diffPolicies(before, after, people, NOW)
    expect(performance.now() - started).toBeLessThan(10_000)
    expect(principals).toHaveLength(1)
    expect(principals[0]?.levels).toMatchObject([{ roles: { gained: ['GROUP_BILLING_ADMIN'], lost: [] } }])
  })
})

const GROUPS = ['g0', 'g1', 'acme:web', 'acme:app', 'globex:web', 'acme']
const WINDOWS = [undefined, { notAfter: '2026-01-01T00:00:00Z' }, { notBefore: '2026-01-01T00:00:00Z' }]
const CONDITIONS = [undefined, [{ claim: 'hd', equals: 'x' }]]

const rules = fc
  .record({ window: fc.constantFrom(...WINDOWS), when: fc.constantFrom(...CONDITIONS) })
  .map(({ window, when }) => ({ ...window, ...(when ? { when } : {}) }))
const groupMappings = (...roles: string[]) =>
  fc.array(
    fc
      .tuple(
        fc.constantFrom(...roles),
        fc.subarray(GROUPS, { minLength: 1, maxLength: 2 }),
        rules,
        fc.boolean(),
      )
      .map(([roleName, idpGroups, rest, ignoreCase]) => {
        return { roleName, idpGroups, ...rest, ...(ignoreCase ? { ignoreCase } : {}) }
      }),
    { maxLength: 2 },
  )
const patterns = (...choices: [role: string, pattern: string][]) =>
  fc.array(
    fc
      .tuple(fc.constantFrom(...choices), rules)
      .map(([[roleName, text], rest]) => ({ roleName, groupPatterns: [text], ...rest })),
    { maxLength: 2 },
  )
const project = fc.record({
  idpGroupMappings: groupMappings('GROUP_OWNER', 'GROUP_READ_ONLY', 'GROUP_X'),
  patternMappings: patterns(['GROUP_X', 'g*'], ['GROUP_READ_ONLY', '*:web']),
})
const organizationOf = fc
  .record({
    idpGroupMappings: groupMappings('ORG_OWNER', 'ORG_MEMBER'),
    patternMappings: patterns(['ORG_MEMBER', 'g*'], ['GROUP_READ_ONLY', 'acme:{project}']),
    projects: fc.record({ web: project, app: project }, { requiredKeys: [] }),
    onUnmatched: fc.constantFrom(undefined, 'ORG_MEMBER', 'ORG_READ_ONLY'),
  })
  .map((members) => ({ issuers: { own: { issuer: 'https://own.example' } }, ...members }))
const document = fc.record({
  roles: fc.constantFrom(
    { GROUP_X: { level: 'project', permissions: ['x.read'] } },
    { GROUP_X: { level: 'project', permissions: ['x.write'], implies: ['GROUP_READ_ONLY'] } },
  ),
  issuers: fc.constantFrom(
    issuers,
    { okta: { ...issuers.okta, groups: { stripPrefix: 'acme:' } } },
    { okta: { ...issuers.okta, claims: { access: 'may' } } },
    {},
  ),
  idpGroupMappings: groupMappings('GLOBAL_OWNER', 'GLOBAL_READ_ONLY'),
  patternMappings: patterns(
    ['GLOBAL_USER_ADMIN', 'g*'],
    ['ORG_MEMBER', '{org}:web'],
    ['GROUP_READ_ONLY', '{org}:{project}'],
  ),
  organizations: fc.record({ acme: organizationOf, globex: organizationOf }, { requiredKeys: [] }),
})
const known = fc
  .tuple(fc.constantFrom('okta', 'acme/own'), fc.option(fc.subarray(GROUPS)), fc.constantFrom('x', 'y'))
  .map(([issuer, groups, hd]): KnownPrincipal => {
    return { issuer, claims: { sub: 'ann', hd, ...(groups ? { groups } : {}) } }
  })

const LEVELS: Level[] = [
  levelOf(null, null),
  ...['acme', 'globex', 'initech'].flatMap((slug) => [
    levelOf(slug, null),
    levelOf(slug, 'app'),
    levelOf(slug, 'web'),
  ]),
]

function heldBy({ policy }: PolicyVersion, { issuer, claims }: KnownPrincipal, level: Level) {
  const record = policy.issuers.find(({ id }) => id === issuer)
  const made = record && principalFromClaims(record, claims)
  const principal: Principal | null = made?.ok ? made.principal : null
  const roles = principal ? rolesAt(policy, organizationAt(policy, level), principal, level, NOW).roles : []
  const permissions = new Set(
    roles.flatMap((role) => [...(policy.roles.get(role)?.permissions.keys() ?? [])]),
  )
  return { roles, permissions: [...permissions].sort() }
}

const without = (from: string[], those: string[]) => from.filter((name) => !those.includes(name))

function naiveLevels(before: PolicyVersion, after: PolicyVersion, principal: KnownPrincipal): LevelDiff[] {
  return LEVELS.map((level) => {
    const [old, now] = [heldBy(before, principal, level), heldBy(after, principal, level)]
    return {
      level,
      roles: { gained: without(now.roles, old.roles), lost: without(old.roles, now.roles) },
      permissions: {
        gained: without(now.permissions, old.permissions),
        lost: without(old.permissions, now.permissions),
      },
    }
  }).filter(({ roles, permissions }) => {
    return [roles, permissions].some(({ gained, lost }) => gained.length + lost.length > 0)
  })
}

describe('a diff equals asking at every level before and after', () => {
  const compare = (one: object, other: object, principal: KnownPrincipal) => {
    const [before, after] = [version(one), version(other)]
    const [diff] = diffPolicies(before, after, [principal], NOW).principals
    expect(diff?.levels ?? []).toEqual(naiveLevels(before, after, principal))
  }

  test('of two policies', () => {
    fc.assert(fc.property(document, document, known, compare), { numRuns: 300 })
  })

  // Small changes are where something could be passed over.
  test('of a policy and one that differs in one part', () => {
    const property = fc.property(
      document,
      document,
      fc.constantFrom('roles', 'issuers', 'idpGroupMappings', 'patternMappings', 'organizations'),
      known,
      (one, other, part, principal) =>
        compare(one, { ...one, [part]: other[part as keyof typeof other] }, principal),
    )
    fc.assert(property, { numRuns: 700 })
  })

  test('of a policy and one that differs in one part of one organization, or in one project', () => {
    const parts = ['idpGroupMappings', 'patternMappings', 'onUnmatched', 'web'] as const
    const property = fc.property(
      fc.tuple(document, organizationOf, organizationOf, project),
      fc.constantFrom(...parts),
      known,
      ([one, acme, other, web], part, principal) => {
        const of = (members: object) => ({ ...one, organizations: { ...one.organizations, acme: members } })
        const changed =
          part === 'web' ? { projects: { ...acme.projects, web } } : { [part]: other[part as 'onUnmatched'] }
        compare(of(acme), of({ ...acme, ...changed }), principal)
      },
    )
    fc.assert(property, { numRuns: 700 })
  })
})
