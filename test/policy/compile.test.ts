// The compiled policy: plain JSON, the same bytes for the same policy, and of a format that is told.
import { describe, expect, test } from 'vitest'
import { BUCKET_BYTES_MAX, compilePolicy } from '../../policy/compile.ts'
import { COMPILED_FORMAT } from '../../policy/compiled.ts'
import { loadPolicy } from '../../policy/loaded.ts'
import { EVERYTHING } from './everything.ts'
import { documentOf, readProjectFile } from './policies.ts'

/** The same value with the members of every object in the opposite order. */
function reversed(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(reversed)
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(
    Object.entries(value)
      .reverse()
      .map(([name, member]) => [name, reversed(member)]),
  )
}

const compile = (text: string) => compilePolicy(documentOf(text))

describe('the compiled policy', () => {
  test('has the same bytes whatever order its members stand in', () => {
    const bytes = JSON.stringify(compile(JSON.stringify(EVERYTHING)))
    expect(JSON.stringify(compile(JSON.stringify(reversed(EVERYTHING))))).toBe(bytes)
    expect(JSON.stringify(compile(JSON.stringify(EVERYTHING)))).toBe(bytes)
  })

  test('differs where the policy does', () => {
    const other = { ...EVERYTHING, organizations: {} }
    expect(compile(JSON.stringify(other))).not.toEqual(compile(JSON.stringify(EVERYTHING)))
  })

  test.each([
    ['one of everything', JSON.stringify(EVERYTHING)],
    ['nothing', 'version: 1'],
    ['demo/policy.yaml', readProjectFile('demo/policy.yaml')],
    ['postern.policy.yaml', readProjectFile('postern.policy.yaml')],
  ])('of %s is plain JSON that round-trips', (_name, text) => {
    const compiled = compile(text)
    const there = JSON.parse(JSON.stringify(compiled))
    expect(there).toStrictEqual(compiled)
    const [one, other] = [loadPolicy(there), loadPolicy(compiled)]
    expect({ ...one, organization: null }).toEqual({ ...other, organization: null })
    for (const slug of one.organizations) expect(one.organization(slug)).toEqual(other.organization(slug))
  })

  test('gives a group its mappings once, though it is listed twice', () => {
    const acme = loadPolicy(compile(JSON.stringify(EVERYTHING))).organization('acme')
    expect(acme?.exact.get('b')).toEqual({
      here: [
        { role: 'ORG_AUDITOR', mapping: 'organizations.acme.idpGroupMappings[0]' },
        { role: 'ORG_OWNER', mapping: 'organizations.acme.idpGroupMappings[1]' },
      ],
      projects: new Map([
        ['web', [{ role: 'GROUP_AUDITOR', mapping: 'organizations.acme.projects.web.idpGroupMappings[0]' }]],
      ]),
    })
  })

  test('gives a group that ignores case its mapping once, under its name in lower case', () => {
    const { exact, lowerCase } = loadPolicy(compile(JSON.stringify(EVERYTHING)))
    expect([...lowerCase]).toEqual([
      ['readers', [{ role: 'GLOBAL_READ_ONLY', mapping: 'idpGroupMappings[1]' }]],
    ])
    expect([...exact.keys()]).toEqual(['a', 'z'])
  })

  test('has conditions and windows with the grant, and only where they are asked for', () => {
    const [[, [grant]]] = compile(JSON.stringify(EVERYTHING)).policy.exact as [[string, [object]]]
    expect(grant).toEqual({
      role: 'GLOBAL_OWNER',
      mapping: 'idpGroupMappings[0]',
      issuers: ['okta'],
      when: [
        { claim: ['acr'], oneOf: ['high', 2] },
        { claim: ['a.b', 'c'], contains: 'x' },
      ],
      notBefore: Date.UTC(2026, 0, 1) / 1000,
      notAfter: Date.UTC(2026, 11, 31, 23) / 1000,
    })
  })

  test('has each pattern with the level it is written at', () => {
    const { policy, organizations } = compile(JSON.stringify(EVERYTHING))
    const seen = (patterns: typeof policy.patterns) =>
      patterns.map(({ pattern, ignoreCase, project }) => [pattern.text, ignoreCase, project])
    expect(seen(policy.patterns)).toEqual([
      ['org:{org}', true, null],
      ['o-{org}:*', true, null],
      ['Team:{org}:{project}:admin', false, null],
    ])
    expect(seen(new Map(organizations).get('acme')?.patterns ?? [])).toEqual([
      ['{project}-readers', false, null],
      ['*-web', false, 'web'],
    ])
  })

  test('fills in what the policy leaves out', () => {
    const { organization: find, issuers, audience } = loadPolicy(compile(JSON.stringify(EVERYTHING)))
    expect(audience).toBe('here')
    expect(find('acme')).toMatchObject({ displayName: 'acme', audience: 'acme', onUnmatched: 'ORG_MEMBER' })
    expect(find('globex')).toMatchObject({ displayName: 'Globex', audience: 'g', onUnmatched: null })
    expect([...(find('globex')?.projects ?? [])]).toEqual([
      ['app', 'app'],
      ['web', 'Web'],
    ])
    expect(issuers.map(({ id, organization }) => [id, organization])).toEqual([
      ['entra', null],
      ['fixed', null],
      ['okta', null],
      ['pinned', null],
      ['users', null],
      ['acme/alt', 'acme'],
      ['acme/own', 'acme'],
    ])
    expect(issuers.map(({ keyOrigin }) => keyOrigin.kind)).toEqual([
      'discovery',
      'jwksUri',
      'discovery',
      'pinned',
      'discovery',
      'discovery',
      'discovery',
    ])
    expect(issuers[0]).toMatchObject({
      issuers: ['https://l/00000000-0000-0000-0000-000000000001'],
      claims: { subject: ['oid'], email: ['email'], access: null },
      groups: { claim: ['groups'], key: null, stripPrefix: '', addPrefix: '', keepSeconds: 0 },
    })
    expect(issuers[0]?.groups?.names).toEqual([
      ['a0-1', 'admins'],
      ['b0-1', 'readers'],
    ])
    expect(issuers[1]?.claims).toMatchObject({ access: ['may_enter'], userName: ['login.name'] })
    expect(issuers[2]).toMatchObject({
      types: ['jwt', 'at+jwt'],
      groups: { claim: ['a', 'b'], key: 'n', stripPrefix: '/', addPrefix: 'okta:', keepSeconds: 172_800 },
    })
    expect(issuers[3]?.groups).toBeNull()
  })

  test('finds every record of an iss that organizations share', () => {
    const own = { issuers: { own: { issuer: 'https://shared.example' } } }
    const { issuersByName } = loadPolicy(
      compile(JSON.stringify({ version: 1, organizations: { b: own, a: own } })),
    )
    expect(issuersByName.get('https://shared.example')?.map(({ id }) => id)).toEqual(['a/own', 'b/own'])
    expect(issuersByName.get('https://shared.example/')).toBeUndefined()
  })

  test('resolves implications that go in a circle', () => {
    const roles = {
      A: { level: 'project', permissions: ['a.a'], implies: ['B'] },
      B: { level: 'project', permissions: ['b.b'], implies: ['C', 'B'] },
      C: { level: 'project', permissions: ['c.c', 'a.a'], implies: ['A'] },
    }
    const loaded = loadPolicy(compile(JSON.stringify({ version: 1, roles })))
    for (const name of ['A', 'B', 'C']) {
      expect(loaded.roles.get(name)?.holds).toEqual(['A', 'B', 'C'])
      expect([...(loaded.roles.get(name)?.permissions.keys() ?? [])]).toEqual(['a.a', 'b.b', 'c.c'])
    }
    expect(loaded.roles.get('C')?.permissions.get('a.a')).toBe('C')
  })
})

describe('buckets', () => {
  const groups = (count: number, name: (index: number) => string, roleName = 'ORG_MEMBER') =>
    Array.from({ length: count }, (_, index) => ({ roleName, idpGroups: [name(index)] }))
  const bucketsOf = (idpGroupMappings: object[]) => {
    const text = JSON.stringify({ version: 1, organizations: { acme: { idpGroupMappings } } })
    return compile(text).buckets
  }
  const bytes = (bucket: unknown) => new TextEncoder().encode(JSON.stringify(bucket)).length

  test('are one for an organization that is small, though it has nothing', () => {
    expect(bucketsOf([])).toEqual([['acme/0', { exact: [], lowerCase: [] }]])
    expect(bucketsOf(groups(100, (index) => `g${index}`))).toHaveLength(1)
  })

  test.each([
    ['names of one byte a letter', (index: number) => `group-${index}`, 20_000],
    ['names of three bytes a letter', (index: number) => `${'管'.repeat(400)}${index}`, 1000],
    ['names of pairs', (index: number) => `${'😀'.repeat(200)}${index}`, 1000],
    ['names that JSON escapes', (index: number) => `${'\u0001\ud800'.repeat(100)}${index}`, 1000],
  ])('stay within their size with %s', (_name, name, count) => {
    const buckets = bucketsOf(groups(count, name))
    expect(buckets.length).toBeGreaterThan(1)
    expect(Math.max(...buckets.map(([, bucket]) => bytes(bucket)))).toBeLessThanOrEqual(BUCKET_BYTES_MAX)
    const all = buckets.flatMap(([, { exact }]) => exact.map(([group]) => group))
    expect(all.sort()).toEqual(Array.from({ length: count }, (_, index) => name(index)).sort())
  })

  test('do not multiply for one group that is too large for any', () => {
    const large = groups(4000, () => 'everybody')
    const buckets = bucketsOf([...large, ...groups(10, (index) => `g${index}`)])
    expect(bytes(buckets)).toBeGreaterThan(BUCKET_BYTES_MAX)
    expect(buckets).toHaveLength(1)
  })

  test('hold both spellings of a group that ignores case', () => {
    const mixed = groups(3000, (index) => `Group-${index}`)
    const alike = groups(3000, (index) => `GROUP-${index}`).map((mapping) => ({
      ...mapping,
      ignoreCase: true,
    }))
    for (const [, { exact, lowerCase }] of bucketsOf([...mixed, ...alike])) {
      expect(exact.map(([group]) => group.toLowerCase()).sort()).toEqual(lowerCase.map(([group]) => group))
    }
  })

  test('are missed when one is lost', () => {
    const documents = compile('version: 1\norganizations: {acme: {}}')
    expect(() => loadPolicy({ ...documents, buckets: [] }).organization('acme')).toThrow(
      /lacks bucket 0 of organization acme/,
    )
  })
})

test.each([[0], [COMPILED_FORMAT + 1], ['1'], [null], [undefined]])('format %j is not loaded', (format) => {
  const documents = compile('version: 1')
  const policy = { ...documents.policy, format: format as typeof COMPILED_FORMAT }
  expect(() => loadPolicy({ ...documents, policy })).toThrow(/compiled policy has format/)
})
