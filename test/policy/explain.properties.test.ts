// What holds of the explanation of every policy and principal, tried on many random ones.
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { decide, rolesAt } from '../../policy/decide.ts'
import { explain } from '../../policy/explain.ts'
import { timeText } from '../../policy/explain-failed.ts'
import type { Level } from '../../policy/level.ts'
import { organizationAt } from '../../policy/loaded.ts'
import {
  EFFORT_MAX,
  editDistance,
  findAlike,
  fold,
  indexSpellings,
  probeOf,
} from '../../policy/near-spelling.ts'
import { matchPattern, type Pattern, parsePattern } from '../../policy/pattern.ts'
import type { GroupMapping, PatternMapping, PolicyDocument } from '../../policy/schema.ts'
import { level, loaded, NOW, PERMISSIONS, policyDocument, principal, sound } from './explain-arbitraries.ts'
import { applied, valueAt } from './explain-changes.ts'

const RUNS = { numRuns: 400 }

/** Whether a mapping of the document asks for the group. */
function asksFor(document: PolicyDocument, path: string, group: string): boolean {
  const { idpGroups, groupPatterns, ignoreCase } = valueAt(document, path) as GroupMapping & PatternMapping
  const alike = (name: string) => (ignoreCase ? name.toLowerCase() : name)
  if (idpGroups) return idpGroups.some((name) => alike(name) === alike(group))
  return groupPatterns.some((text) => {
    const { pattern } = parsePattern(text, { ignoreCase: ignoreCase ?? false }) as { pattern: Pattern }
    return matchPattern(pattern, alike(group)) !== null
  })
}

describe('an explanation', () => {
  test('agrees with decide and with rolesAt', () => {
    const property = fc.property(policyDocument, principal, level, (document, who, at) => {
      const policy = loaded(document)
      const organization = organizationAt(policy, at)
      const { roles, standing, wanted } = explain(policy, organization, who, {
        level: at,
        now: NOW,
        permission: 'own.a',
      })
      expect(roles.map(({ role }) => role)).toEqual(rolesAt(policy, organization, who, at, NOW).roles)
      if (standing) expect(roles).toEqual([])
      for (const permission of PERMISSIONS) {
        const decision = decide(policy, organization, who, { permission, level: at, now: NOW })
        if (permission === 'own.a') expect(wanted?.decision).toEqual(decision)
        const given = roles.some(({ role }) => document.roles[role]?.permissions.includes(permission))
        expect(decision.allowed).toBe(given)
      }
    })
    fc.assert(property, RUNS)
  })

  test('proves every role by a mapping that is there and a chain that leads to it', () => {
    const property = fc.property(policyDocument, principal, level, (document, who, at) => {
      const policy = loaded(document)
      const { roles, groups } = explain(policy, organizationAt(policy, at), who, { level: at, now: NOW })
      const names = groups.names.map(({ group }) => group)
      for (const { role, proofs } of roles) {
        expect(proofs).not.toEqual([])
        for (const { given, chain } of proofs) {
          expect(chain[0]).toBe(given.role)
          expect(chain.at(-1)).toBe(role)
          chain.slice(1).forEach((next, index) => {
            expect(document.roles[chain[index] as string]?.implies).toContain(next)
          })
          const mapping = valueAt(document, given.mapping)
          if (given.group === null) {
            expect(mapping).toBe(given.role)
            continue
          }
          expect(names).toContain(given.group)
          expect((mapping as GroupMapping).roleName).toBe(given.role)
          expect(asksFor(document, given.mapping, given.group)).toBe(true)
          expect((mapping as GroupMapping).issuers ?? [who.issuer]).toContain(who.issuer)
          if (given.claim !== null) expect(given.raw).not.toBeNull()
        }
      }
    })
    fc.assert(property, RUNS)
  })

  test('has every mapping of the level once, as counting, failed or unmatched, however it is paged', () => {
    const property = fc.property(
      policyDocument,
      principal,
      level,
      fc.integer({ min: 1, max: 4 }),
      (document, who, at, size) => {
        const policy = loaded(document)
        const organization = organizationAt(policy, at)
        const whole = explain(policy, organization, who, {
          level: at,
          now: NOW,
          page: { after: 0, size: 1000 },
        })
        fc.pre(whole.standing === null)
        const unmatched = whole.unmatched.mappings.map(({ mapping }) => mapping)
        expect(whole.unmatched.total).toBe(unmatched.length)
        const counting = whole.roles.flatMap(({ proofs }) => proofs.map(({ given }) => given.mapping))
        const met = new Set([...counting, ...whole.failed.map(({ mapping }) => mapping)])
        expect(unmatched.filter((mapping) => met.has(mapping))).toEqual([])
        for (const { group, mapping } of whole.failed) {
          if (group !== null) expect(asksFor(document, mapping, group)).toBe(true)
          expect(whole.roles.flatMap(({ proofs }) => proofs)).not.toContainEqual(
            expect.objectContaining({ given: expect.objectContaining({ group, mapping, pattern: null }) }),
          )
        }
        const found = new Set([...met, ...unmatched].filter((mapping) => !mapping.endsWith('onUnmatched')))
        expect(found).toEqual(new Set(mappingsOf(document, at.kind, pathOf(at))))
        const paged: string[] = []
        for (let after: number | null = 0; after !== null; ) {
          const { unmatched: page } = explain(policy, organization, who, {
            level: at,
            now: NOW,
            page: { after, size },
          })
          expect(page.mappings.length).toBeLessThanOrEqual(size)
          paged.push(...page.mappings.map(({ mapping }) => mapping))
          after = page.next
        }
        expect(paged).toEqual(unmatched)
      },
    )
    fc.assert(property, RUNS)
  })

  test('names near misses that differ, and that would match if they did not', () => {
    const property = fc.property(policyDocument, principal, level, (document, who, at) => {
      const policy = loaded(document)
      const { near, groups } = explain(policy, organizationAt(policy, at), who, { level: at, now: NOW })
      expect(near.length).toBeLessThanOrEqual(20)
      for (const { group, wanted, mapping, role, alsoFails, differs } of near) {
        expect(groups.names.map((one) => one.group)).toContain(group)
        expect(asksFor(document, mapping, group)).toBe(false)
        expect(asksFor(document, mapping, wanted)).toBe(true)
        expect(differs).not.toEqual([])
        if (alsoFails !== null) continue
        const named = { ...who, groups: { outcome: 'listed' as const, names: [wanted] } }
        expect(rolesAt(policy, organizationAt(policy, at), named, at, NOW).roles).toContain(role)
      }
    })
    fc.assert(property, RUNS)
  })

  test('suggests changes each of which is enough, sound and within the voucher', () => {
    const property = fc.property(
      policyDocument,
      principal,
      level,
      fc.constantFrom(...PERMISSIONS),
      (document, who, at, permission) => {
        const policy = loaded(document)
        const { wanted, standing } = explain(policy, organizationAt(policy, at), who, {
          level: at,
          now: NOW,
          permission,
        })
        const fixes = wanted?.fixes ?? []
        if (standing || wanted?.decision.allowed || permission === 'never.given') expect(fixes).toEqual([])
        else if (
          Object.values(document.roles).some((role) =>
            givesAt(role, permission, at.kind, who.voucher.organization),
          )
        ) {
          expect(fixes.length).toBeGreaterThan(0)
        }
        for (const { changes, role } of fixes) {
          const after = applied({ document, principal: who }, changes)
          const changed = loaded(sound(after.document))
          const question = { permission, level: at, now: NOW }
          const decision = decide(changed, organizationAt(changed, at), after.principal, question)
          expect({ changes, role, allowed: decision.allowed }).toEqual({ changes, role, allowed: true })
          if (who.voucher.organization !== null) expect(document.roles[role]?.level).not.toBe('global')
        }
        const counts = fixes.map(({ changes }) => changes.length)
        expect(counts).toEqual(counts.toSorted((a, b) => a - b))
      },
    )
    fc.assert(property, RUNS)
  })
})

const DEPTH = { global: 0, organization: 1, project: 2 }

function givesAt(
  { level: of, permissions }: PolicyDocument['roles'][string],
  permission: string,
  at: keyof typeof DEPTH,
  owner: string | null,
): boolean {
  return permissions.includes(permission) && DEPTH[of] <= DEPTH[at] && (of !== 'global' || owner === null)
}

function pathOf(at: Level): [string, string] {
  return [at.kind === 'global' ? '' : at.organization, at.kind === 'project' ? at.project : '']
}

/** Every mapping that could give a role at the level, read from the document itself. */
function mappingsOf(document: PolicyDocument, kind: string, [slug, name]: [string, string]): string[] {
  const all: string[] = []
  const add = (path: string, list: readonly unknown[]) => {
    all.push(...list.map((_, index) => `${path}[${index}]`))
  }
  const addPatterns = (path: string, list: readonly PatternMapping[], wanted: (text: string) => boolean) => {
    list.forEach(({ groupPatterns }, index) => {
      if (groupPatterns.some(wanted)) all.push(`${path}[${index}]`)
    })
  }
  add('idpGroupMappings', document.idpGroupMappings)
  const open = (text: string) => kind === 'project' || !text.includes('{project}')
  addPatterns('patternMappings', document.patternMappings, (text) => {
    return kind === 'global' ? !text.includes('{') : open(text)
  })
  if (kind === 'global') return all
  const organization = document.organizations[slug] as PolicyDocument['organizations'][string]
  add(`organizations.${slug}.idpGroupMappings`, organization.idpGroupMappings)
  addPatterns(`organizations.${slug}.patternMappings`, organization.patternMappings, open)
  const project = organization.projects[name]
  if (!project) return all
  add(`organizations.${slug}.projects.${name}.idpGroupMappings`, project.idpGroupMappings)
  addPatterns(`organizations.${slug}.projects.${name}.patternMappings`, project.patternMappings, () => true)
  return all
}

test('times are written as the platform writes them', () => {
  const property = fc.property(fc.integer({ min: 0, max: Date.UTC(9999, 11, 31) / 1000 }), (seconds) => {
    expect(timeText(seconds)).toBe(new Date(seconds * 1000).toISOString().replace('.000Z', 'Z'))
  })
  fc.assert(property, { numRuns: 10_000 })
})

describe('names spelt alike', () => {
  const name = fc.string({ unit: fc.constantFrom('a', 'b', 'C', ' ', '/', 'ﬁ'), minLength: 1, maxLength: 12 })

  /** The textbook's table. */
  const slowDistance = (a: string, b: string): number => {
    let row = Array.from({ length: b.length + 1 }, (_, index) => index)
    for (let i = 1; i <= a.length; i++) {
      const next = [i]
      for (let j = 1; j <= b.length; j++) {
        const replaced = (row[j - 1] as number) + (a[i - 1] === b[j - 1] ? 0 : 1)
        next.push(Math.min((row[j] as number) + 1, (next[j - 1] as number) + 1, replaced))
      }
      row = next
    }
    return row[b.length] as number
  }

  test('are as many edits apart as the textbook says, up to two', () => {
    const property = fc.property(name, name, (a, b) => {
      const slow = slowDistance(a, b)
      expect(editDistance(a, b)).toBe(slow > 2 ? null : slow)
    })
    fc.assert(property, { numRuns: 20_000 })
  })

  test('are found as by comparing with each', () => {
    const property = fc.property(fc.array(name, { maxLength: 30 }), name, (names, group) => {
      const found = findAlike(indexSpellings(names), probeOf(group), {
        effort: { left: EFFORT_MAX },
        wanted: () => true,
      })
      const form = fold(group)
      const distances = [...new Set(names)]
        .filter((other) => other !== group)
        .map((other) => ({
          other,
          length: Math.max(fold(other).length, form.length),
          distance: slowDistance(fold(other), form),
        }))
        .filter(
          ({ other, distance, length }) =>
            distance === 0 ||
            (distance <= 2 && 2 * distance < length && Math.min(fold(other).length, form.length) >= 3),
        )
      const nearest = Math.min(...distances.map(({ distance }) => distance))
      const expected = distances.filter(({ distance }) => distance === nearest).map(({ other }) => other)
      const wanted = expected.length > 5 ? found.map((one) => one.name) : expected
      if (expected.length > 5 && nearest > 0) expect(found.length).toBe(5)
      expect(found.map((one) => one.name).toSorted()).toEqual(wanted.toSorted())
      for (const one of found) expect(expected).toContain(one.name)
    })
    fc.assert(property, { numRuns: 3000 })
  })
})
