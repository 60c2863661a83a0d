// What holds for every policy and every principal, tried on many random ones.
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { compilePolicy } from '../../policy/compile.ts'
import { bucketName, bucketOf, type CompiledBucket, type CompiledDocuments } from '../../policy/compiled.ts'
import { decide, rolesAt } from '../../policy/decide.ts'
import { loadOrganization, loadPolicy } from '../../policy/loaded.ts'
import { groupsAt } from '../../policy/principal.ts'
import type { GroupMapping, Organization, PatternMapping, PolicyDocument } from '../../policy/schema.ts'
import {
  levelPath,
  mappings,
  patternMappings,
  permission,
  policyDocument,
  principal,
  sound,
  time,
} from './arbitraries.ts'
import { naiveAllows, naiveGrants, naiveMatch, naiveRoles, withImplied } from './interpreter.ts'
import { allowedAt, ask, heldAt, levelAt, loaded, permissionsOf, rolesOf } from './policies.ts'

const RUNS = { numRuns: 300 }

interface Change {
  exact: (mappings: GroupMapping[]) => GroupMapping[]
  patterns: (mappings: PatternMapping[]) => PatternMapping[]
}

/** The document with every list of mappings replaced. */
function withMappings(document: PolicyDocument, { exact, patterns }: Change): PolicyDocument {
  type Lists = Pick<Organization, 'idpGroupMappings' | 'patternMappings'>
  const replace = <Holder extends Lists>(holder: Holder): Holder => ({
    ...holder,
    idpGroupMappings: exact(holder.idpGroupMappings),
    patternMappings: patterns(holder.patternMappings),
  })
  const eachIn = <Value>(members: Record<string, Value>, change: (value: Value) => Value) =>
    Object.fromEntries(Object.entries(members).map(([name, value]) => [name, change(value)]))
  const organizations = eachIn(document.organizations, (organization) => {
    return { ...replace(organization), projects: eachIn(organization.projects, replace) }
  })
  return { ...replace(document), organizations }
}

describe('decisions', () => {
  test('are those of a naive reading of the document', () => {
    const property = fc.property(policyDocument, principal, levelPath, time, (document, who, at, now) => {
      const policy = loaded(document)
      const level = levelAt(at)
      expect(rolesOf(policy, who, at, now)).toEqual([...(naiveRoles(document, who, level, now) ?? [])].sort())
      const naive = permissionsOf(policy).filter((what) => naiveAllows(document, who, what, level, now))
      expect(allowedAt(policy, who, at, now)).toEqual(naive)
    })
    fc.assert(property, { numRuns: 1000 })
  })

  test('do not change with the order of mappings, groups, patterns and conditions', () => {
    const reverse: Change = {
      exact: (list) =>
        list.toReversed().map((mapping) => ({ ...mapping, idpGroups: mapping.idpGroups.toReversed() })),
      patterns: (list) =>
        list.toReversed().map((mapping) => ({
          ...mapping,
          groupPatterns: mapping.groupPatterns.toReversed(),
          ...(mapping.when ? { when: mapping.when.toReversed() } : {}),
        })),
    }
    const rotate: Change = {
      exact: (list) => [...list.slice(1), ...list.slice(0, 1)],
      patterns: (list) => [...list.slice(1), ...list.slice(0, 1)],
    }
    const property = fc.property(
      policyDocument,
      principal,
      levelPath,
      permission,
      (document, who, at, what) => {
        const policy = loaded(document)
        const { groups } = who
        const backwards =
          groups.outcome === 'listed'
            ? { ...who, groups: { ...groups, names: groups.names.toReversed() } }
            : who
        const { allowed, ...rest } = ask(policy, who, what, at)
        for (const change of [reverse, rotate]) {
          const other = loaded(withMappings(document, change))
          expect(ask(other, backwards, what, at)).toMatchObject(allowed ? { allowed } : { allowed, ...rest })
          expect(heldAt(other, backwards, at).roles).toEqual(heldAt(policy, who, at).roles)
        }
      },
    )
    fc.assert(property, RUNS)
  })

  // Somebody who gets a mapping is no longer without any: what the default role alone gave may go, and it only.
  test('lose nothing to a mapping that is added, but the default role of members without any', () => {
    const both = (level: 'global' | 'organization' | 'project', issuers: string[]) =>
      fc.record({
        idpGroupMappings: mappings(level, issuers),
        patternMappings: patternMappings(level, issuers),
      })
    const added = fc.record({
      global: both('global', ['okta', 'entra']),
      organization: both('organization', ['okta', 'entra', 'acme/own']),
      project: both('project', ['okta', 'entra', 'acme/own']),
    })
    const property = fc.property(policyDocument, added, principal, levelPath, time, (...drawn) => {
      const [document, more, who, at, now] = drawn
      const larger = withAdded(document, more)
      const [before, after] = [loaded(document), loaded(larger)]
      const byDefault = naiveGrants(document, who, now).filter((grant) => grant.byDefault)
      const may = withImplied(
        document,
        byDefault.map(({ role }) => role),
      )
      const roles = rolesOf(after, who, at, now)
      const lost = rolesOf(before, who, at, now).filter((role) => !roles.includes(role))
      expect(lost.filter((role) => !may.has(role))).toEqual([])
      if (lost.length > 0) {
        expect(naiveGrants(larger, who, now).filter((grant) => grant.byDefault)).toEqual([])
      } else {
        const allowed = allowedAt(after, who, at, now)
        expect(allowed).toEqual(expect.arrayContaining(allowedAt(before, who, at, now)))
      }
    })
    fc.assert(property, { numRuns: 500 })
  })

  test('never give anything outside the organization whose issuer vouches, nor by a global mapping', () => {
    const property = fc.property(policyDocument, principal, levelPath, time, (document, who, at, now) => {
      const { organization } = who.voucher
      fc.pre(organization !== null)
      const policy = loaded(document)
      if (at.split('/')[0] !== organization) {
        expect(allowedAt(policy, who, at, now)).toEqual([])
        expect(rolesOf(policy, who, at, now)).toEqual([])
      }
      const naming = document.patternMappings.filter(({ groupPatterns }) =>
        groupPatterns[0]?.includes('{org}'),
      )
      const without = loaded({ ...document, idpGroupMappings: [], patternMappings: naming })
      expect(allowedAt(policy, who, at, now)).toEqual(allowedAt(without, who, at, now))
      expect(rolesOf(policy, who, at, now)).toEqual(rolesOf(without, who, at, now))
    })
    fc.assert(property, RUNS)
  })

  test('allow exactly what one of the roles at the level gives by itself', () => {
    const property = fc.property(policyDocument, principal, levelPath, (document, who, at) => {
      const policy = loaded(document)
      const roles = rolesOf(policy, who, at)
      for (const what of permissionsOf(policy)) {
        const giving = roles.filter((role) => document.roles[role]?.permissions.includes(what))
        const decision = ask(policy, who, what, at)
        expect(decision.allowed).toBe(giving.length > 0)
        if (decision.allowed) expect(giving).toContain(decision.proof.role)
      }
    })
    fc.assert(property, RUNS)
  })

  test('stay as they are until the time that comes with the roles', () => {
    const property = fc.property(policyDocument, principal, levelPath, time, time, (...drawn) => {
      const [document, who, at, now, later] = drawn
      const policy = loaded(document)
      const { roles, until } = heldAt(policy, who, at, now)
      expect(until).toBeGreaterThan(now)
      if (later >= now && later < until) expect(rolesOf(policy, who, at, later)).toEqual(roles)
    })
    fc.assert(property, { numRuns: 500 })
  })
})

/** The document with more mappings: global, in acme and in acme/web. */
function withAdded(
  document: PolicyDocument,
  more: Record<
    'global' | 'organization' | 'project',
    { idpGroupMappings: object[]; patternMappings: object[] }
  >,
): PolicyDocument {
  const { acme } = document.organizations
  const web = acme?.projects.web
  if (!acme || !web) throw new Error('the arbitrary made no acme/web')
  const add = <Holder extends { idpGroupMappings: object[]; patternMappings: object[] }>(
    holder: Holder,
    { idpGroupMappings, patternMappings }: { idpGroupMappings: object[]; patternMappings: object[] },
  ): Holder => ({
    ...holder,
    idpGroupMappings: [...idpGroupMappings, ...holder.idpGroupMappings],
    patternMappings: [...holder.patternMappings, ...patternMappings],
  })
  const projects = { ...acme.projects, web: add(web, more.project) }
  const organizations = { ...document.organizations, acme: { ...add(acme, more.organization), projects } }
  return sound({ ...add(document, more.global), organizations })
}

describe('the proof of a decision', () => {
  test('is a mapping that is there, counts now and is met by the group it names', () => {
    const property = fc.property(policyDocument, principal, levelPath, time, (document, who, at, now) => {
      const policy = loaded(document)
      for (const what of allowedAt(policy, who, at, now)) {
        const decision = ask(policy, who, what, at, now)
        if (!decision.allowed) throw new Error('asked twice, answered differently')
        expectProof(document, decision.proof, who, now)
      }
    })
    fc.assert(property, RUNS)
  })
})

function expectProof(
  document: PolicyDocument,
  { mapping, grantedRole, group }: { mapping: string; grantedRole: string; group: string | null },
  who: Parameters<typeof naiveGrants>[1],
  now: number,
): void {
  const steps = mapping.replace(/\[(\d+)\]$/, '.$1').split('.')
  const there = steps.reduce<unknown>((value, step) => (value as Record<string, unknown>)[step], document)
  if (group === null) {
    expect(there).toBe(grantedRole)
    expect(mapping).toBe(`organizations.${who.voucher.organization}.onUnmatched`)
    return
  }
  const found = there as GroupMapping & PatternMapping
  expect(found.roleName).toBe(grantedRole)
  const fold = (name: string) => (found.ignoreCase ? name.toLowerCase() : name)
  const meets = found.idpGroups
    ? found.idpGroups.map(fold).includes(fold(group))
    : found.groupPatterns.some((pattern) => naiveMatch(fold(pattern).split(/(\*|\{[a-z]+\})/), fold(group)))
  expect(meets).toBe(true)
  expect(found.issuers ?? [who.issuer]).toContain(who.issuer)
  if (found.notBefore) expect(Date.parse(found.notBefore)).toBeLessThanOrEqual(now * 1000)
  if (found.notAfter) expect(Date.parse(found.notAfter)).toBeGreaterThan(now * 1000)
  const groups = groupsAt(who, now)
  expect(groups.outcome === 'listed' && groups.names).toContain(group)
}

describe('buckets', () => {
  /** The same mappings in another number of buckets. */
  function spreadAgain(documents: CompiledDocuments, count: number): CompiledDocuments {
    const old = new Map(documents.buckets)
    const organizations: CompiledDocuments['organizations'] = []
    const buckets: CompiledDocuments['buckets'] = []
    for (const [slug, header] of documents.organizations) {
      const all = Array.from({ length: header.buckets }, (_, index) => {
        return old.get(bucketName(slug, index)) as CompiledBucket
      })
      organizations.push([slug, { ...header, buckets: count }])
      for (let index = 0; index < count; index++) {
        const pick = (list: 'exact' | 'lowerCase') =>
          all.flatMap((bucket) => bucket[list].filter(([group]) => bucketOf(group, count) === index))
        buckets.push([bucketName(slug, index), { exact: pick('exact'), lowerCase: pick('lowerCase') }])
      }
    }
    return { ...documents, organizations, buckets }
  }

  test('decide alike however many there are, and whichever are read besides those of the groups', () => {
    const count = fc.integer({ min: 2, max: 16 })
    const property = fc.property(
      policyDocument,
      principal,
      levelPath,
      permission,
      time,
      count,
      (...drawn) => {
        const [document, who, at, what, now, parts] = drawn
        const policy = loaded(document)
        const documents = spreadAgain(compilePolicy(document), parts)
        const spread = loadPolicy(documents)
        expect(ask(spread, who, what, at, now)).toEqual(ask(policy, who, what, at, now))
        expect(heldAt(spread, who, at, now)).toEqual(heldAt(policy, who, at, now))
        const slug = at.split('/')[0] as string
        const header = new Map(documents.organizations).get(slug)
        if (!header) return
        const groups = groupsAt(who, now)
        const names = 'names' in groups ? groups.names : []
        const needed = new Set(names.map((name) => bucketName(slug, bucketOf(name, parts))))
        const some = documents.buckets.filter(([name]) => needed.has(name)).map(([, bucket]) => bucket)
        const partial = loadOrganization(slug, header, some)
        const level = levelAt(at)
        expect(rolesAt(spread, partial, who, level, now)).toEqual(heldAt(policy, who, at, now))
        const question = { permission: what, level, now }
        expect(decide(spread, partial, who, question)).toEqual(ask(policy, who, what, at, now))
      },
    )
    fc.assert(property, { numRuns: 500 })
  })
})
