// The compiled policy: plain JSON, the same bytes for the same policy, and of a format that is told.
import { describe, expect, test } from 'vitest'
import { compilePolicy } from '../../policy/compile.ts'
import { COMPILED_FORMAT, loadPolicy } from '../../policy/compiled.ts'
import { documentOf, readProjectFile } from './policies.ts'

/** One of everything a policy can say. */
const everything = {
  version: 1,
  audience: 'here',
  roles: {
    GROUP_AUDITOR: { level: 'project', permissions: ['project.audit.read'], implies: ['GROUP_READ_ONLY'] },
    ORG_AUDITOR: { level: 'organization', implies: ['GROUP_AUDITOR'], mayGrant: ['GROUP_AUDITOR'] },
  },
  issuers: {
    okta: {
      issuer: 'https://okta.example',
      types: ['JWT', 'application/at+jwt'],
      groups: { claim: 'a.b', key: 'n' },
    },
    entra: {
      issuer: 'https://l/{tenantid}',
      tenants: ['00000000-0000-0000-0000-000000000001'],
      groups: 'none',
    },
    pinned: {
      issuer: 'https://p',
      jwks: { keys: [{ kty: 'RSA', kid: 'a', n: 'x', e: 'AQAB', x5c: ['b', 'a'] }] },
    },
    fixed: { issuer: 'https://f', jwksUri: 'https://f/jwks', audiences: ['z', 'a'], maxTokenAgeSeconds: 60 },
  },
  idpGroupMappings: [{ roleName: 'GLOBAL_OWNER', idpGroups: ['z', 'a'], issuers: ['okta'] }],
  organizations: {
    globex: { displayName: 'Globex', audience: 'g', projects: { web: {}, app: {} } },
    acme: {
      issuers: { own: { issuer: 'https://own' }, alt: { issuer: 'https://alt' } },
      idpGroupMappings: [
        { roleName: 'ORG_AUDITOR', idpGroups: ['b'] },
        { roleName: 'ORG_OWNER', idpGroups: ['b', 'a', 'b'] },
      ],
    },
  },
  routes: {
    b: {
      hosts: ['h', 'a'],
      methods: ['PUT', 'GET'],
      path: '/{organization}/*',
      upstream: 'https://u',
      permission: 'a.b',
    },
    a: {
      hosts: ['h'],
      methods: ['GET'],
      path: '/x/',
      upstream: 'https://u',
      access: 'anonymous',
      audience: 'u',
    },
  },
}

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
    const bytes = JSON.stringify(compile(JSON.stringify(everything)))
    expect(JSON.stringify(compile(JSON.stringify(reversed(everything))))).toBe(bytes)
    expect(JSON.stringify(compile(JSON.stringify(everything)))).toBe(bytes)
  })

  test('differs where the policy does', () => {
    const other = { ...everything, organizations: {} }
    expect(compile(JSON.stringify(other))).not.toEqual(compile(JSON.stringify(everything)))
  })

  test.each([
    ['one of everything', JSON.stringify(everything)],
    ['nothing', 'version: 1'],
    ['demo/policy.yaml', readProjectFile('demo/policy.yaml')],
    ['postern.policy.yaml', readProjectFile('postern.policy.yaml')],
  ])('of %s is plain JSON that round-trips', (_name, text) => {
    const compiled = compile(text)
    const there = JSON.parse(JSON.stringify(compiled))
    expect(there).toStrictEqual(compiled)
    expect(loadPolicy(there)).toEqual(loadPolicy(compiled))
  })

  test('gives a group its mappings once, though it is listed twice', () => {
    const { organizations } = loadPolicy(compile(JSON.stringify(everything)))
    expect(organizations.get('acme')?.grants.get('b')).toEqual([
      { role: 'ORG_AUDITOR', mapping: 'organizations.acme.idpGroupMappings[0]', issuers: null },
      { role: 'ORG_OWNER', mapping: 'organizations.acme.idpGroupMappings[1]', issuers: null },
    ])
  })

  test('fills in what the policy leaves out', () => {
    const { organizations, issuers, audience } = loadPolicy(compile(JSON.stringify(everything)))
    expect(audience).toBe('here')
    expect(organizations.get('acme')).toMatchObject({ displayName: 'acme', audience: 'acme' })
    expect(organizations.get('globex')).toMatchObject({ displayName: 'Globex', audience: 'g' })
    expect(issuers.map(({ id, organization }) => [id, organization])).toEqual([
      ['entra', null],
      ['fixed', null],
      ['okta', null],
      ['pinned', null],
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
    ])
    expect(issuers[0]).toMatchObject({
      issuers: ['https://l/00000000-0000-0000-0000-000000000001'],
      groups: null,
    })
    expect(issuers[2]).toMatchObject({ types: ['jwt', 'at+jwt'], groups: { claim: ['a', 'b'], key: 'n' } })
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

test.each([[0], [COMPILED_FORMAT + 1], ['1'], [null], [undefined]])('format %j is not loaded', (format) => {
  const compiled = { ...compile('version: 1'), format: format as typeof COMPILED_FORMAT }
  expect(() => loadPolicy(compiled)).toThrow(/compiled policy has format/)
})
