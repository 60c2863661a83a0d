// How much one organization may hold is refused with the number it has and the number it may have.
import { describe, expect, test } from 'vitest'
import { checkLimits, MAPPINGS_MAX, PATTERNS_MAX, PROJECTS_MAX } from '../../policy/limits.ts'
import type { Fault } from '../../policy/problems.ts'
import { PolicyDocument } from '../../policy/schema.ts'

function faultsOf(organization: object): Fault[] {
  const faults: Fault[] = []
  checkLimits(PolicyDocument.parse({ version: 1, organizations: { acme: organization } }), faults)
  return faults
}

const names = (count: number, prefix: string) =>
  Array.from({ length: count }, (_, index) => `${prefix}${index}`)
const projects = (count: number) => Object.fromEntries(names(count, 'p').map((name) => [name, {}]))
const mappings = (count: number) => {
  return names(count / 1000, 'm').map((name) => ({ roleName: 'ORG_MEMBER', idpGroups: names(1000, name) }))
}
const patterns = (count: number) => {
  return names(count / 100, 'm').map((name) => ({
    roleName: 'ORG_MEMBER',
    groupPatterns: names(100, name).map((text) => `${text}-*`),
  }))
}

describe('an organization may have', () => {
  test.each([
    ['projects', { projects: projects(PROJECTS_MAX) }],
    ['mappings of groups', { idpGroupMappings: mappings(MAPPINGS_MAX) }],
    ['patterns', { patternMappings: patterns(PATTERNS_MAX) }],
  ])('as many %s as the limit says', (_what, organization) => {
    expect(faultsOf(organization)).toEqual([])
  })

  test.each([
    [
      'projects',
      { projects: projects(PROJECTS_MAX + 1) },
      'has 10001 projects; one organization may have 10000',
    ],
    [
      'mappings of groups, those of its projects included',
      {
        idpGroupMappings: mappings(MAPPINGS_MAX),
        projects: { web: { idpGroupMappings: [{ roleName: 'GROUP_OWNER', idpGroups: ['g'] }] } },
      },
      'has 100001 mappings of groups; one organization may have 100000',
    ],
    [
      'patterns, those of its projects included',
      {
        patternMappings: patterns(PATTERNS_MAX),
        projects: { web: { patternMappings: [{ roleName: 'GROUP_OWNER', groupPatterns: ['a*'] }] } },
      },
      'has 1001 patterns; one organization may have 1000',
    ],
  ])('no more %s', (_what, organization, message) => {
    expect(faultsOf(organization)).toEqual([{ path: ['organizations', 'acme'], message }])
  })
})
