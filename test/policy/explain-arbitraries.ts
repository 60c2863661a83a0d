// Random policies and principals for the tests of explanations, and what these tests share. The pools are small
// and full of names that are almost alike, so that mappings are met, missed and nearly met.
import fc from 'fast-check'
import { checkPolicy } from '../../policy/check.ts'
import { compilePolicy } from '../../policy/compile.ts'
import { type Level, levelOf } from '../../policy/level.ts'
import { loadPolicy, type WholePolicy } from '../../policy/loaded.ts'
import type { Groups, Principal } from '../../policy/principal.ts'
import { PolicyDocument, type RoleLevel } from '../../policy/schema.ts'

export const NOW = Date.parse('2026-06-01T12:00:00Z') / 1000
const TIMES = ['2026-01-01T00:00:00Z', '2026-05-01T00:00:00Z', '2026-07-01T00:00:00Z', '2026-12-31T00:00:00Z']

export const PERMISSIONS = ['own.a', 'own.b', 'own.c', 'own.d', 'never.given']
const ROLES: [name: string, level: RoleLevel][] = [
  ['GLOBAL_X', 'global'],
  ['GLOBAL_Y', 'global'],
  ['ORG_X', 'organization'],
  ['ORG_Y', 'organization'],
  ['GROUP_X', 'project'],
  ['GROUP_Y', 'project'],
  ['GROUP_Z', 'project'],
]
const DEPTH = { global: 0, organization: 1, project: 2 }
const GROUPS = ['admins', 'Admins', 'amdins', 'readers', '/readers', 'read ers', 'writers', 'café', 'café']
const MORE_GROUPS = [
  'team:acme:web:admin',
  'team:globex:app:admin',
  'Team:acme',
  'team:acme',
  'web-ops',
  '__proto__',
]
const ORGANIZATIONS = ['acme', 'globex']
const PROJECTS = ['web', 'app']
const INSTANCE_ISSUERS = ['okta', 'entra', 'silent']

const rolesOf = (level: RoleLevel) => ROLES.filter(([, of]) => of === level).map(([name]) => name)

/** Implications may go in circles among roles of one level. */
const roles = fc.record(
  Object.fromEntries(
    ROLES.map(([name, level]) => [
      name,
      fc.record({
        level: fc.constant(level),
        permissions: fc.subarray(PERMISSIONS.slice(0, 4), { maxLength: 2 }),
        implies: fc.subarray(
          ROLES.filter(([, of]) => DEPTH[of] >= DEPTH[level]).map(([other]) => other),
          { maxLength: 2 },
        ),
      }),
    ]),
  ),
)

const condition = fc.constantFrom(
  { claim: 'acr', equals: 'high' },
  { claim: 'amr', contains: 'hwk' },
  { claim: 'level', oneOf: [1, '2'] },
)
const window = fc.tuple(fc.nat(TIMES.length - 2), fc.nat(TIMES.length - 2)).map(([from, more]) => {
  const to = Math.min(from + 1 + more, TIMES.length - 1)
  return { notBefore: TIMES[from], notAfter: TIMES[to] }
})

const rules = (issuers: string[]) => {
  const named = fc.subarray(issuers, { minLength: 1 }).map((list) => ({ issuers: list }))
  const when = fc.array(condition, { minLength: 1, maxLength: 2 }).map((list) => ({ when: list }))
  const plain = { weight: 5, arbitrary: fc.constant({}) }
  const one = <Value>(arbitrary: fc.Arbitrary<Value>) => ({ weight: 1, arbitrary })
  return fc
    .tuple(
      fc.oneof(plain, one(named)),
      fc.oneof(plain, one(when)),
      fc.oneof(plain, one(window)),
      fc.oneof(plain, one(fc.constant({ ignoreCase: true }))),
    )
    .map((parts) => Object.assign({}, ...parts))
}

const mappings = (level: RoleLevel, issuers: string[]) =>
  fc.array(
    fc
      .tuple(
        fc.constantFrom(...rolesOf(level)),
        fc.subarray([...GROUPS, ...MORE_GROUPS], { minLength: 1, maxLength: 3 }),
        rules(issuers),
      )
      .map(([roleName, idpGroups, more]) => ({ roleName, idpGroups, ...more })),
    { maxLength: 3 },
  )

const patterns = (byLevel: Partial<Record<RoleLevel, string[]>>, issuers: string[]) => {
  const one = Object.entries(byLevel).map(([level, texts]) => {
    return fc.tuple(
      fc.constantFrom(...rolesOf(level as RoleLevel)),
      fc.subarray(texts, { minLength: 1 }),
      rules(issuers),
    )
  })
  const mapping = fc
    .oneof(...one)
    .map(([roleName, groupPatterns, more]) => ({ roleName, groupPatterns, ...more }))
  return fc.array(mapping, { maxLength: 2 })
}

const organization = (slug: string) => {
  const issuers = [...INSTANCE_ISSUERS, `${slug}/own`]
  const project = fc.record({
    idpGroupMappings: mappings('project', issuers),
    patternMappings: patterns({ project: ['web-*', 'team:*:admin'] }, issuers),
  })
  return fc.record(
    {
      issuers: fc.constant({ own: { issuer: 'https://own.example' } }),
      idpGroupMappings: mappings('organization', issuers),
      patternMappings: patterns(
        { organization: ['adm*'], project: ['{project}-ops', '{project}-*'] },
        issuers,
      ),
      projects: fc.record(Object.fromEntries(PROJECTS.map((name) => [name, project]))),
      onUnmatched: fc.constantFrom(...rolesOf('organization')),
    },
    { requiredKeys: ['issuers', 'idpGroupMappings', 'patternMappings', 'projects'] },
  )
}

export const policyDocument: fc.Arbitrary<PolicyDocument> = fc
  .record({
    version: fc.constant(1),
    roles,
    issuers: fc.constant({
      okta: { issuer: 'https://okta.example', groups: { names: { 'id-1': 'admins', 'id-2': 'writers' } } },
      entra: { issuer: 'https://entra.example', groups: { claim: 'roles' } },
      silent: { issuer: 'https://silent.example', groups: 'none' },
    }),
    idpGroupMappings: mappings('global', INSTANCE_ISSUERS),
    patternMappings: patterns(
      {
        global: ['adm*'],
        organization: ['team:{org}'],
        project: ['team:{org}:{project}:admin', 'team:{org}:{project}:*'],
      },
      INSTANCE_ISSUERS,
    ),
    organizations: fc.record(Object.fromEntries(ORGANIZATIONS.map((slug) => [slug, organization(slug)]))),
  })
  .map((members) => sound(PolicyDocument.parse(members)))

/** The document, which must have no faults. */
export function sound(document: PolicyDocument): PolicyDocument {
  const faults = checkPolicy(document)
  if (faults.length > 0) throw new Error(`not sound: ${JSON.stringify(faults)}`)
  return document
}

/** As a Worker has it: through JSON. */
export function loaded(document: PolicyDocument): WholePolicy {
  return loadPolicy(JSON.parse(JSON.stringify(compilePolicy(document))))
}

/** Levels that exist and some that do not. */
export const level: fc.Arbitrary<Level> = fc.constantFrom(
  levelOf(null, null),
  levelOf('initech', null),
  ...ORGANIZATIONS.flatMap((slug) => [null, ...PROJECTS, 'none'].map((project) => levelOf(slug, project))),
)

export const groupNames = fc.subarray(
  [
    ...GROUPS,
    ...MORE_GROUPS,
    'id-1',
    'id-2',
    'other',
    'ADMINS',
    'Team:Acme:Web:Admin',
    'webops-ops',
    'wirter',
  ],
  { maxLength: 5 },
)

const groups: fc.Arbitrary<Groups> = fc.oneof(
  { weight: 8, arbitrary: groupNames.map((names): Groups => ({ outcome: 'listed', names })) },
  { weight: 1, arbitrary: fc.constant<Groups>({ outcome: 'none' }) },
  {
    weight: 2,
    arbitrary: fc
      .tuple(fc.constantFrom('absent' as const, 'overage' as const), groupNames, fc.constantFrom(null, -1, 1))
      .map(([outcome, names, left]): Groups => {
        return { outcome, kept: left === null ? null : { names, until: NOW + left * 60 } }
      }),
  },
)

const claims = fc.record(
  {
    acr: fc.constantFrom('high', 'low'),
    amr: fc.constantFrom(['hwk', 'pin'], ['pin']),
    level: fc.constantFrom(1, 2),
  },
  { requiredKeys: [] },
)

export const principal: fc.Arbitrary<Principal> = fc
  .tuple(groups, fc.constantFrom('okta', 'entra', 'acme/own', 'globex/own'), claims)
  .map(([of, issuer, said]) => principalOf(issuer, of, said))

/** Somebody for whom an issuer vouches; of "acme/own" organization acme is the owner. */
export function principalOf(issuer: string, of: Groups, claims: Record<string, unknown> = {}): Principal {
  const [owner, own] = issuer.split('/')
  const names = of.outcome === 'listed' ? { groups: of.names, roles: of.names } : {}
  return {
    given: [],
    kind: 'user',
    issuer,
    subject: 'someone',
    voucher: { issuer, organization: own === undefined ? null : (owner as string) },
    groups: of,
    userName: null,
    email: null,
    firstName: null,
    lastName: null,
    claims: { ...names, ...claims },
  }
}
