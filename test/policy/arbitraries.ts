// Random policies and principals for properties.test.ts. The pools of names are small, so that mappings meet
// groups, and issuers those who name them.
import fc from 'fast-check'
import { checkPolicy } from '../../policy/check.ts'
import type { Groups, Principal } from '../../policy/principal.ts'
import { PolicyDocument, type Role, type RoleLevel } from '../../policy/schema.ts'
import { documentOf, principalOf } from './policies.ts'

const CATALOGUE_ROLES = documentOf('version: 1').roles
const GROUPS = ['g0', 'g1', 'g2', 'g3', '__proto__', 'constructor']
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

/** Levels that exist and some that do not. */
export const levelPath = fc.constantFrom(
  '',
  ...[...ORGANIZATIONS, 'initech'].flatMap((name) => [
    name,
    ...[...PROJECTS, 'none'].map((project) => `${name}/${project}`),
  ]),
)

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

export const mappings = (level: RoleLevel, issuers: string[]) =>
  fc.array(
    fc.record(
      {
        roleName: fc.constantFrom(...rolesOfLevel(level)),
        idpGroups: fc.subarray(GROUPS, { minLength: 1 }),
        issuers: fc.subarray(issuers, { minLength: 1 }),
      },
      { requiredKeys: ['roleName', 'idpGroups'] },
    ),
    { maxLength: 4 },
  )

const organization = (slug: string) => {
  const issuers = ['okta', 'entra', `${slug}/own`]
  return fc.record({
    issuers: fc.constant({ own: { issuer: 'https://own.example' } }),
    idpGroupMappings: mappings('organization', issuers),
    projects: fc.record(
      Object.fromEntries(
        PROJECTS.map((name) => [name, fc.record({ idpGroupMappings: mappings('project', issuers) })]),
      ),
    ),
  })
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
    organizations: fc.record(Object.fromEntries(ORGANIZATIONS.map((slug) => [slug, organization(slug)]))),
  })
  .map((members) => {
    const document = PolicyDocument.parse(members)
    const policy = { ...document, roles: { ...CATALOGUE_ROLES, ...document.roles } }
    if (checkPolicy(policy).length > 0) throw new Error('the arbitrary made a policy that is not sound')
    return policy
  })

const groups: fc.Arbitrary<Groups> = fc.oneof(
  {
    weight: 9,
    arbitrary: fc.subarray([...GROUPS, 'other']).map((names) => ({ outcome: 'listed' as const, names })),
  },
  { weight: 1, arbitrary: fc.record({ outcome: fc.constantFrom('absent' as const, 'overage', 'none') }) },
)

export const principal: fc.Arbitrary<Principal> = fc
  .tuple(groups, fc.constantFrom('okta', 'entra', ...ORGANIZATIONS.map((slug) => `${slug}/own`)))
  .map(([of, issuer]) => principalOf(of, issuer))
