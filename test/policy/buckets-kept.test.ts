// How many buckets an organization is spread over, where it has some already: another number makes each of them another.
import { describe, expect, it } from 'vitest'
import { compileOrganization } from '../../policy/compile.ts'
import { documentOf } from './policies.ts'

const compiled = (groups: number, buckets?: number) => {
  const mappings = Array.from({ length: Math.ceil(groups / 1000) }, (_, part) => ({
    roleName: 'ORG_MEMBER',
    idpGroups: Array.from(
      { length: Math.min(1000, groups - part * 1000) },
      (_, index) => `group-${part}-${index}`,
    ),
  }))
  const policy = documentOf(
    JSON.stringify({ version: 1, organizations: { acme: { idpGroupMappings: mappings } } }),
  )
  const organization = policy.organizations.acme as (typeof policy.organizations)[string]
  return compileOrganization('acme', organization, buckets === undefined ? {} : { buckets }).buckets
}

describe('buckets that an organization has', () => {
  const usual = compiled(10_000).length

  it('stay as many while it grows to twice the usual, or shrinks', () => {
    expect(compiled(10_001, usual)).toHaveLength(usual)
    for (const groups of [5_000, 9_000, 15_000]) expect(compiled(groups, usual)).toHaveLength(usual)
    const [before, after] = [compiled(10_000, usual), compiled(10_001, usual)]
    const other = before.filter((bucket, index) => JSON.stringify(bucket) !== JSON.stringify(after[index]))
    expect(other).toHaveLength(1)
  })

  it('become as many as usual once they are too full or too empty', () => {
    for (const groups of [1000, 40_000]) expect(compiled(groups, usual)).toHaveLength(compiled(groups).length)
    expect(compiled(100, usual)).toHaveLength(1)
    expect(compiled(10_000, 1)).toHaveLength(usual)
    expect(compiled(0, usual)).toHaveLength(1)
  })
})
