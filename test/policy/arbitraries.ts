// Random policies and principals for properties.test.ts. The pools of names are small, so that mappings meet
// groups, patterns capture what exists, and conditions hold as often as not.
import fc from 'fast-check'
import { checkPolicy } from '../../policy/check.ts'
import type { Claims, Groups, Principal } from '../../policy/principal.ts'
import { PolicyDocument, type Role, type RoleLevel } from '../../policy/schema.ts'
import { documentOf, NOW, principalOf } from './policies.ts'

const CATALOGUE_ROLES = documentOf('version: 1').roles
const GROUPS = ['g0', 'G0', 'g1', 'g2', '__proto__', 'constructor', 'ÄB', 'äb', 'İ']
const TEAMS = [
  'team:acme',
  'TEAM:Acme',
  'team:acme:web:admin',
  'Team:acme:app:admin',
  'team:globex:web:admin',
  'team:initech:web:admin',
  'team:acme:none:admin',
  'acme-web',
  'acme-web-web',
  'globex',
  'web',
]
const ORGANIZATIONS = ['acme', 'globex', 'constructor']
const PROJECTS = ['web', 'app']
/** Roles of a policy's own, most general level first. */
const OWN_ROLES: [name: string, level: RoleLevel][] = [
  ['GLOBAL_X', 'global'],
  ['GLOBAL_Y', 'global'],
  ['ORG_X', 'organization'],
  ['ORG_Y', 'organization'],
  ['GROUP_X', 'project'],
  ['GROUP_Y', 'project'],
]
const DEPTH = { global: 0, organization: 1, project: 2 }

export const permission = fc.constantFrom(
  ...new Set(Object.values(CATALOGUE_ROLES).flatMap(({ permissions }) => permissions)),
  'own.a',
  'own.b',
  'own.c',
  'never.given',
)

/** Levels that exist and some that do not; those of acme more often, as its members, so that they meet. */
const levelsOf = (name: string) => [name, ...[...PROJECTS, 'none'].map((project) => `${name}/${project}`)]
export const levelPath = fc.oneof(
  fc.constantFrom(...levelsOf('acme')),
  fc.constantFrom('', ...[...ORGANIZATIONS, 'initech'].flatMap(levelsOf)),
)
const issuer = fc.oneof(
  fc.constant('acme/own'),
  fc.constantFrom('okta', 'entra', ...ORGANIZATIONS.map((slug) => `${slug}/own`)),
)

/** Ends of windows, with and without an offset; all days from NOW, so that some are past. */
const TIMES = [
  '2026-05-30T12:00:00Z',
  '2026-05-31T14:00:00+02:00',
  '2026-06-02T12:00:00Z',
  '2026-06-03T06:30:00-05:30',
]
const SECONDS = TIMES.map((time) => Date.parse(time) / 1000)

/** Before, between, after and at the ends of windows. */
export const time = fc.constantFrom(NOW, ...SECONDS, ...SECONDS.map((at) => at - 1), 0)

const allRoles: [string, RoleLevel][] = [
  ...Object.entries(CATALOGUE_ROLES).map(([name, { level }]): [string, RoleLevel] => [name, level]),
  ...OWN_ROLES,
]
const rolesOfLevel = (level: RoleLevel) => allRoles.filter(([, of]) => of === level).map(([name]) => name)
const rolesFrom = (level: RoleLevel) =>
  allRoles.filter(([, of]) => DEPTH[of] >= DEPTH[level]).map(([name]) => name)

/** Implications among roles of one level may go in circles. */
const ownRoles: fc.Arbitrary<Record<string, Partial<Role>>> = fc.record(
  Object.fromEntries(
    OWN_ROLES.map(([name, level]) => [
      name,
      fc.record({
        level: fc.constant(level),
        permissions: fc.subarray(['own.a', 'own.b', 'own.c', 'project.read']),
        implies: fc.subarray(rolesFrom(level), { maxLength: 3 }),
      }),
    ]),
  ),
)

const scalar = fc.constantFrom('high', 'mfa', '1', 1, true)
const claimPath = fc.constantFrom('acr', 'amr', 'a.b', 'amr.0', '__proto__.x')
const condition = fc.oneof(
  fc.record({ claim: claimPath, equals: scalar }),
  fc.record({ claim: claimPath, oneOf: fc.array(scalar, { minLength: 1, maxLength: 3 }) }),
  fc.record({ claim: claimPath, contains: scalar }),
)
const claims: fc.Arbitrary<Claims> = fc.record(
  {
    acr: fc.oneof(scalar, fc.constant('low mfa high')),
    amr: fc.oneof(fc.array(scalar, { maxLength: 3 }), scalar, fc.constant(null)),
    a: fc.oneof(fc.record({ b: scalar }), scalar),
  },
  { requiredKeys: [] },
)

const validity = fc.oneof(
  { weight: 3, arbitrary: fc.constant({}) },
  {
    weight: 1,
    arbitrary: fc.subarray([0, 1, 2, 3], { minLength: 1, maxLength: 2 }).chain((ends) => {
      const [first, last] = ends.map((end) => TIMES[end] as string)
      if (last !== undefined) return fc.constant({ notBefore: first, notAfter: last })
      return fc.constantFrom<object>({ notBefore: first }, { notAfter: first })
    }),
  },
)

/** What mappings of both kinds may ask for; most ask for nothing, so that something is given at all. */
const rules = (issuers: string[]) => {
  const asked = fc.record(
    {
      issuers: fc.subarray(issuers, { minLength: 1 }),
      when: fc.array(condition, { minLength: 1, maxLength: 2 }),
      ignoreCase: fc.constant(true as const),
    },
    { requiredKeys: [] },
  )
  return fc.oneof(
    { weight: 2, arbitrary: fc.constant({}) },
    { weight: 1, arbitrary: fc.constant({ ignoreCase: true as const }) },
    { weight: 3, arbitrary: fc.tuple(asked, validity).map(([some, window]) => ({ ...some, ...window })) },
  )
}

export const mappings = (level: RoleLevel, issuers: string[]) =>
  fc.array(
    fc
      .tuple(
        fc.constantFrom(...rolesOfLevel(level)),
        fc.subarray([...GROUPS, ...TEAMS], { minLength: 1, maxLength: 4 }),
        rules(issuers),
      )
      .map(([roleName, idpGroups, more]) => ({ roleName, idpGroups, ...more })),
    { maxLength: 4 },
  )

/** Patterns by the level they are written at and the level they give their role at. */
const PATTERNS: Record<RoleLevel, Partial<Record<RoleLevel, string[]>>> = {
  global: {
    global: ['*', 'g*', 'G*', '*:admin', 'team:*:web:*', 'ä*', '*e*e*', 'İ*'],
    organization: ['team:{org}', '{org}', 'Team:{org}:*', '{org}-*'],
    project: [
      'team:{org}:{project}:admin',
      '{org}-{project}',
      '{org}-{project}-web',
      'Team:{org}:{project}:*',
    ],
  },
  organization: {
    organization: ['*', 'g*', 'team:acme*', 'Ä*'],
    project: ['{project}', 'team:acme:{project}:admin', 'acme-{project}', 'a{project}e*'],
  },
  project: { project: ['g*', '*web', 'TEAM:*', '*:*:*:*'] },
}

export const patternMappings = (written: RoleLevel, issuers: string[]) =>
  fc.array(
    fc
      .constantFrom(...(Object.keys(PATTERNS[written]) as RoleLevel[]))
      .chain((level) =>
        fc
          .tuple(
            fc.constantFrom(...rolesOfLevel(level)),
            fc.subarray(PATTERNS[written][level] as string[], { minLength: 1, maxLength: 2 }),
            rules(issuers),
          )
          .map(([roleName, groupPatterns, more]) => ({ roleName, groupPatterns, ...more })),
      ),
    { maxLength: 3 },
  )

const organization = (slug: string) => {
  const issuers = ['okta', 'entra', `${slug}/own`]
  return fc.record(
    {
      issuers: fc.constant({ own: { issuer: 'https://own.example' } }),
      idpGroupMappings: mappings('organization', issuers),
      patternMappings: patternMappings('organization', issuers),
      onUnmatched: fc.constantFrom(...rolesOfLevel('organization')),
      projects: fc.record(
        Object.fromEntries(
          PROJECTS.map((name) => [
            name,
            fc.record({
              idpGroupMappings: mappings('project', issuers),
              patternMappings: patternMappings('project', issuers),
            }),
          ]),
        ),
      ),
    },
    { requiredKeys: ['issuers', 'idpGroupMappings', 'patternMappings', 'projects'] },
  )
}

/** A document, sound and with the whole catalogue. */
export function sound(members: object): PolicyDocument {
  const document = PolicyDocument.parse(members)
  const policy = { ...document, roles: { ...CATALOGUE_ROLES, ...document.roles } }
  const [fault] = checkPolicy(policy)
  if (fault) throw new Error(`the arbitrary made a policy that is not sound: ${JSON.stringify(fault)}`)
  return policy
}

export const policyDocument: fc.Arbitrary<PolicyDocument> = fc
  .record({
    version: fc.constant(1),
    roles: ownRoles,
    issuers: fc.constant({
      okta: { issuer: 'https://okta.example' },
      entra: { issuer: 'https://entra.example' },
    }),
    idpGroupMappings: mappings('global', ['okta', 'entra']),
    patternMappings: patternMappings('global', ['okta', 'entra']),
    organizations: fc.record(Object.fromEntries(ORGANIZATIONS.map((slug) => [slug, organization(slug)]))),
  })
  .map(sound)

export const groupNames = fc.oneof(
  fc.subarray([...GROUPS, ...TEAMS, 'other'], { maxLength: 6 }),
  fc.subarray(TEAMS, { maxLength: 1 }),
)
const groups: fc.Arbitrary<Groups> = fc.oneof(
  {
    weight: 8,
    arbitrary: groupNames.map((names) => ({ outcome: 'listed' as const, names })),
  },
  { weight: 1, arbitrary: fc.constant({ outcome: 'none' as const }) },
  {
    weight: 1,
    arbitrary: fc.record({
      outcome: fc.constantFrom('absent' as const, 'overage' as const),
      kept: fc.option(fc.record({ names: groupNames, until: fc.constantFrom(...SECONDS) })),
    }),
  },
)

export const principal: fc.Arbitrary<Principal> = fc
  .tuple(groups, issuer, claims)
  .map(([of, issuer, said]) => principalOf(of, issuer, said))
