// Mappings in one form: however they are written, equal meanings become equal lists, and nothing that counts is lost.
import fc from 'fast-check'
import { expect, it } from 'vitest'
import { normalGroupMappings, normalPatternMappings } from '../../policy/normal-mappings.ts'
import type { GroupMapping } from '../../policy/schema.ts'

const roles = { FIRST: {}, SECOND: {}, THIRD: {} }

it('merges mappings of one role and one set of rules, and sorts by the catalogue', () => {
  const mappings: GroupMapping[] = [
    { roleName: 'SECOND', idpGroups: ['b', 'a'] },
    { roleName: 'FIRST', idpGroups: ['z'], issuers: ['two', 'one'] },
    { roleName: 'SECOND', idpGroups: ['a', 'c'] },
    { roleName: 'FIRST', idpGroups: ['y'], issuers: ['one', 'two'] },
    { roleName: 'FIRST', idpGroups: ['x'] },
    { roleName: 'SECOND', idpGroups: ['a'], notAfter: '2030-01-01T00:00:00Z' },
  ]
  expect(normalGroupMappings(mappings, roles)).toEqual([
    { roleName: 'FIRST', idpGroups: ['y', 'z'], issuers: ['two', 'one'] },
    { roleName: 'FIRST', idpGroups: ['x'] },
    { roleName: 'SECOND', idpGroups: ['a'], notAfter: '2030-01-01T00:00:00Z' },
    { roleName: 'SECOND', idpGroups: ['a', 'b', 'c'] },
  ])
})

it('parts what is more than one mapping may have', () => {
  const names = Array.from({ length: 2500 }, (_, index) => `g${String(index).padStart(4, '0')}`)
  const parts = normalGroupMappings(
    [
      { roleName: 'FIRST', idpGroups: names.slice(0, 1500) },
      { roleName: 'FIRST', idpGroups: names.slice(1400) },
    ],
    roles,
  )
  expect(parts.map(({ idpGroups }) => idpGroups.length)).toEqual([1000, 1000, 500])
  expect(parts.flatMap(({ idpGroups }) => idpGroups)).toEqual(names)
  const patterns = [
    { roleName: 'FIRST', groupPatterns: Array.from({ length: 150 }, (_, index) => `p${index}-*`) },
  ]
  expect(normalPatternMappings(patterns, roles).map(({ groupPatterns }) => groupPatterns.length)).toEqual([
    100, 50,
  ])
})

const mapping = fc.record({
  roleName: fc.constantFrom('FIRST', 'SECOND', 'THIRD', 'UNKNOWN'),
  idpGroups: fc.array(fc.constantFrom('a', 'b', 'c', '그룹', "o'neill"), { minLength: 1, maxLength: 4 }),
  ignoreCase: fc.option(fc.constant(true as const), { nil: undefined }),
})

it('is the same for every order, stays as it is when done again, and gives what it gave', () => {
  const given = (mappings: readonly GroupMapping[]) => {
    const texts = mappings.flatMap(({ roleName, idpGroups, ignoreCase }) => {
      return idpGroups.map((group) => `${roleName} ${group} ${ignoreCase}`)
    })
    return [...new Set(texts)].sort()
  }
  fc.assert(
    fc.property(fc.array(mapping, { maxLength: 8 }), fc.nat(), (mappings, seed) => {
      const list = mappings as GroupMapping[]
      const normal = normalGroupMappings(list, roles)
      const turned = list.map((_, index) => list[(index + seed) % list.length] as GroupMapping)
      expect(normalGroupMappings(turned.reverse(), roles)).toEqual(normal)
      expect(normalGroupMappings(normal, roles)).toEqual(normal)
      expect(given(normal)).toEqual(given(list))
    }),
  )
})
