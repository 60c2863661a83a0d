// The layers of configuration: what the source says stands first and stays, what the database has is added, and
// nothing that it holds takes away or changes what stands above it.
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  environmentMappings,
  type MergedOrganization,
  mergeInstance,
  mergeOrganization,
  type OrganizationLayers,
  type PolicySource,
  type StoredLevel,
} from '../../policy/layers.ts'
import type { WholePolicy } from '../../policy/loaded.ts'
import type { Principal } from '../../policy/principal.ts'
import { describePath } from '../../policy/problems.ts'
import type { PolicyDocument } from '../../policy/schema.ts'
import { soundInstance, soundOrganization } from '../../policy/sound.ts'
import { levelPath, policyDocument, principal } from './arbitraries.ts'
import { loaded, parse, principalOf, rolesOf } from './policies.ts'

const NOTHING: StoredLevel = { idpGroupMappings: [], patternMappings: [] }
const EMPTY: OrganizationLayers = { organization: null, projects: {}, issuers: {} }

const sourceOf = (text: string): PolicySource => {
  const parsed = parse(text, 'postern.policy.yaml')
  if (!parsed.ok) throw new Error('the source is not valid')
  return { policy: parsed.policy, locate: parsed.locate }
}
const made = (policy: PolicyDocument): PolicySource => ({
  policy,
  locate: (found) => ({ ...found, file: 'made.yaml', line: 1, column: 1 }),
})

interface Layers {
  instance: StoredLevel
  instanceIssuers: Record<string, unknown>
  organizations: Record<string, OrganizationLayers>
}

/** The whole policy that comes of the source with these below it. */
function layered(source: PolicySource, { instance, instanceIssuers, organizations }: Layers): WholePolicy {
  const merged = mergeInstance(source, [], { instance, issuers: instanceIssuers })
  const { value } = soundInstance(merged)
  const slugs = new Set([...Object.keys(source.policy.organizations), ...Object.keys(organizations)])
  const sound = [...slugs].flatMap((slug) => {
    const layers = Object.hasOwn(organizations, slug) ? (organizations[slug] as OrganizationLayers) : EMPTY
    const organization = mergeOrganization(source, slug, layers)
    return organization ? [[slug, soundOrganization(value, slug, organization).value]] : []
  })
  return loaded({ ...value, organizations: Object.fromEntries(sound) })
}

/** What a database may hold: mappings of another policy, also at levels where their roles do not fit. */
const stored = fc
  .tuple(policyDocument, fc.constantFrom('fits', 'one level up', 'unknown roles'))
  .map(([policy, how]): Layers => {
    const level = (from: Pick<PolicyDocument, 'idpGroupMappings' | 'patternMappings'>): StoredLevel => ({
      idpGroupMappings: from.idpGroupMappings.map((mapping) => ({
        ...mapping,
        ...(how === 'unknown roles' ? { roleName: 'GONE' } : {}),
        managedBy: 'api' as const,
      })),
      patternMappings: from.patternMappings.map((mapping) => ({ ...mapping, managedBy: 'console' as const })),
    })
    const organizations = Object.entries(policy.organizations).map(([slug, organization]) => {
      const { web } = organization.projects
      const own = how === 'one level up' && web ? level(web) : level(organization)
      const projects = Object.entries(organization.projects).map(([name, project]) => [name, level(project)])
      const layers: OrganizationLayers = {
        organization: { ...own, displayName: 'stored', onUnmatched: organization.onUnmatched ?? 'GONE' },
        projects: Object.fromEntries(projects),
        // One under the id of the source's, one under its `iss`, one as the instance has it.
        issuers: {
          own: { issuer: 'https://other.example' },
          second: { issuer: 'https://own.example' },
          third: { issuer: 'https://okta.example' },
        },
      }
      return [slug, layers]
    })
    return {
      instance: how === 'one level up' ? NOTHING : level(policy),
      instanceIssuers: { okta: { issuer: 'https://other.example' }, mine: { issuer: 'https://own.example' } },
      organizations: Object.fromEntries(organizations),
    }
  })

/** A default role goes to those whom nothing else gives any: another mapping ends it, whoever wrote that. */
const withoutDefaults = (policy: PolicyDocument): PolicyDocument => ({
  ...policy,
  organizations: Object.fromEntries(
    Object.entries(policy.organizations).map(([slug, { onUnmatched: _left, ...rest }]) => [slug, rest]),
  ),
})

describe('merging', () => {
  it('takes no role from anybody whom the source gives it', () => {
    const check = (policy: PolicyDocument, layers: Layers, who: Principal, at: string) => {
      const source = made(withoutDefaults(policy))
      const alone = rolesOf(loaded(source.policy), who, at)
      expect(rolesOf(layered(source, layers), who, at)).toEqual(expect.arrayContaining(alone))
    }
    fc.assert(fc.property(policyDocument, stored, principal, levelPath, check), { numRuns: 300 })
  })

  it('lets an organization give nothing outside of it', () => {
    const check = (policy: PolicyDocument, { organizations }: Layers, who: Principal, at: string) => {
      const { acme } = organizations as { acme: OrganizationLayers }
      const layers = { instance: NOTHING, instanceIssuers: {}, organizations: { acme } }
      if (at.split('/')[0] === 'acme') return
      expect(rolesOf(layered(made(policy), layers), who, at)).toEqual(rolesOf(loaded(policy), who, at))
    }
    fc.assert(fc.property(policyDocument, stored, principal, levelPath, check), { numRuns: 200 })
  })

  it('keeps the places of the source, also where the database has what does not fit', () => {
    const check = (policy: PolicyDocument, layers: Layers) => {
      const source = made(policy)
      const { value } = soundInstance(
        mergeInstance(source, [], { instance: layers.instance, issuers: layers.instanceIssuers }),
      )
      for (const [slug, written] of Object.entries(policy.organizations)) {
        const below = layers.organizations[slug] as OrganizationLayers
        const merged = mergeOrganization(source, slug, below) as MergedOrganization
        const sound = soundOrganization(value, slug, merged).value
        for (const kind of ['idpGroupMappings', 'patternMappings'] as const) {
          const count = written[kind].length
          expect(sound[kind].slice(0, count)).toEqual(written[kind])
          expect(sound[kind]).toHaveLength(count + (below.organization?.[kind].length ?? 0))
          expect(merged.origins.above[kind]).toBe(count)
          sound[kind].forEach((_mapping, index) => {
            const { origin, place } = merged.origins.mapping(kind, index)
            expect(origin).toBe(index < count ? 'policy' : 'database')
            const path = describePath(['organizations', slug, kind, index])
            expect(place).toBe(index < count ? `made.yaml:1:1 ${path}` : null)
          })
        }
        expect(sound.issuers.own).toEqual(written.issuers.own)
        expect(Object.keys(sound.issuers)).toEqual(['own'])
        if (written.onUnmatched) expect(sound.onUnmatched).toBe(written.onUnmatched)
      }
      expect(value.issuers).toEqual(policy.issuers)
    }
    fc.assert(fc.property(policyDocument, stored, check), { numRuns: 200 })
  })
})

const SOURCE = `version: 1
issuers:
  okta: { issuer: https://okta.example }
idpGroupMappings:
  - { roleName: GLOBAL_READ_ONLY, idpGroups: [auditors] }
organizations:
  acme:
    displayName: Acme
    issuers:
      own: { issuer: https://acme.example }
    idpGroupMappings:
      - roleName: ORG_OWNER
        idpGroups: [admins]
    projects:
      payments: {}
`
const mapping = (roleName: string, ...idpGroups: string[]) => ({
  roleName,
  idpGroups,
  managedBy: 'console' as const,
})

describe('origins', () => {
  const source = sourceOf(SOURCE)

  it('name file, line and column of what the source says', () => {
    const merged = mergeOrganization(source, 'acme', {
      organization: {
        ...NOTHING,
        displayName: 'Other',
        audience: 'acme.example',
        idpGroupMappings: [mapping('ORG_MEMBER', 'all')],
      },
      projects: {
        search: { ...NOTHING, displayName: 'Search' },
        payments: { ...NOTHING, displayName: 'Payments' },
      },
      issuers: { second: { issuer: 'https://second.example' } },
    }) as MergedOrganization
    const { organization, origins, issuers, projects } = merged
    expect(organization).toMatchObject({ displayName: 'Acme', audience: 'acme.example' })
    expect(organization.projects).toMatchObject({
      payments: { displayName: 'Payments' },
      search: { displayName: 'Search' },
    })
    expect(origins.member('displayName')).toEqual({
      origin: 'policy',
      place: 'postern.policy.yaml:8:5 organizations.acme.displayName',
      managedBy: 'file',
    })
    expect(origins.member('audience')).toMatchObject({ origin: 'database', place: null })
    expect(origins.member('onUnmatched')).toBeNull()
    expect(origins.mapping('idpGroupMappings', 0)).toEqual({
      origin: 'policy',
      place: 'postern.policy.yaml:12:9 organizations.acme.idpGroupMappings[0]',
      managedBy: 'file',
    })
    expect(origins.mapping('idpGroupMappings', 1)).toEqual({
      origin: 'database',
      place: null,
      managedBy: 'console',
    })
    expect(issuers).toMatchObject({
      own: { origin: 'policy', place: 'postern.policy.yaml:10:7 organizations.acme.issuers.own' },
      second: { origin: 'database', place: null },
    })
    expect(projects.payments?.member('displayName')).toMatchObject({ origin: 'database' })
  })

  it('name the variables of the environment, whose mappings stand between the two', () => {
    const environment = environmentMappings({
      OIDC_GLOBAL_ROLE_OWNER: ' root , root,admins ',
      OIDC_GLOBAL_ROLE_READ_ONLY: ' , ',
    })
    expect(environment).toEqual([
      { roleName: 'GLOBAL_OWNER', idpGroups: ['root', 'admins'], variable: 'OIDC_GLOBAL_ROLE_OWNER' },
    ])
    const { policy, origins } = mergeInstance(source, environment, {
      instance: { ...NOTHING, idpGroupMappings: [mapping('GLOBAL_USER_ADMIN', 'helpdesk')] },
      issuers: {},
    })
    expect(policy.idpGroupMappings.map(({ roleName }) => roleName)).toEqual([
      'GLOBAL_READ_ONLY',
      'GLOBAL_OWNER',
      'GLOBAL_USER_ADMIN',
    ])
    expect([0, 1, 2].map((index) => origins.mapping('idpGroupMappings', index).place)).toEqual([
      'postern.policy.yaml:5:5 idpGroupMappings[0]',
      'OIDC_GLOBAL_ROLE_OWNER',
      null,
    ])
    expect(origins.above.idpGroupMappings).toBe(2)
  })
})

describe('what the database alone has', () => {
  const source = sourceOf(SOURCE)

  it('is an organization, or none without a document of its own', () => {
    expect(mergeOrganization(source, 'initech', EMPTY)).toBeNull()
    expect(mergeOrganization(source, 'initech', { ...EMPTY, projects: { web: NOTHING } })).toBeNull()
    expect(mergeOrganization(source, 'constructor', EMPTY)).toBeNull()
    const { organization } = mergeOrganization(source, 'initech', {
      ...EMPTY,
      organization: NOTHING,
    }) as MergedOrganization
    expect(organization).toEqual({ ...NOTHING, issuers: {}, projects: {} })
  })

  it('is left out where it does not fit, with the reason, and nobody else suffers', () => {
    const instance = soundInstance(mergeInstance(source, [], { instance: null, issuers: {} })).value
    const merged = mergeOrganization(source, 'acme', {
      organization: {
        idpGroupMappings: [
          mapping('GLOBAL_OWNER', 'all'),
          mapping('ORG_MEMBER', 'all'),
          mapping('GONE', 'all'),
        ],
        patternMappings: [{ roleName: 'ORG_OWNER', groupPatterns: ['{org}:*'], managedBy: 'api' }],
        onUnmatched: 'GROUP_OWNER',
        audience: 'postern',
      },
      projects: { payments: { ...NOTHING, idpGroupMappings: [mapping('ORG_OWNER', 'all')] } },
      issuers: {
        broken: { issuer: 7 },
        okta: { issuer: 'https://okta.example' },
        own: { issuer: 'https://x.example' },
      },
    }) as MergedOrganization
    const { value, left } = soundOrganization(instance, 'acme', merged)
    expect(value.idpGroupMappings.map(({ idpGroups }) => idpGroups)).toEqual([['admins'], [], ['all'], []])
    expect(value.patternMappings).toMatchObject([{ groupPatterns: [] }])
    expect(value.onUnmatched).toBeUndefined()
    expect(value.audience).toBeUndefined()
    expect(value.projects.payments?.idpGroupMappings).toMatchObject([{ idpGroups: [] }])
    expect(Object.keys(value.issuers)).toEqual(['own'])
    expect(left.map(({ path }) => describePath(path)).sort()).toEqual([
      'organizations.acme.audience',
      'organizations.acme.idpGroupMappings[1].roleName',
      'organizations.acme.idpGroupMappings[3].roleName',
      'organizations.acme.issuers.broken',
      'organizations.acme.issuers.okta.issuer',
      'organizations.acme.issuers.own',
      'organizations.acme.onUnmatched',
      'organizations.acme.patternMappings[0].groupPatterns[0]',
      'organizations.acme.projects.payments.idpGroupMappings[0].roleName',
    ])
    const policy = loaded({ ...instance, organizations: { acme: value } })
    expect(rolesOf(policy, principalOf(['all']), '')).toEqual([])
    expect(rolesOf(policy, principalOf(['all']), 'acme')).toEqual(['ORG_MEMBER'])
  })

  it('cannot be published where it is too much together with the source', () => {
    const instance = soundInstance(mergeInstance(source, [], { instance: null, issuers: {} })).value
    const projects = Object.fromEntries(Array.from({ length: 10_000 }, (_, index) => [`p${index}`, NOTHING]))
    const merged = mergeOrganization(source, 'acme', { ...EMPTY, projects }) as MergedOrganization
    expect(() => soundOrganization(instance, 'acme', merged)).toThrow(
      'organizations.acme: has 10001 projects',
    )
  })
})
