// How the tokens of an issuer are read: which claim says what, what is done to group names, and the tokens that
// well-known products really send.
import { describe, expect, test } from 'vitest'
import { type Claims, type Principal, principalFromClaims, sayingOf } from '../../policy/principal.ts'
import { recordOf } from './policies.ts'
import { PRODUCTS } from './products.ts'

function read(issuer: object, claims: Claims): Principal {
  const result = principalFromClaims(recordOf(issuer), { sub: 'alice', ...claims })
  if (!result.ok) throw new Error(`${result.reason}: ${result.detail}`)
  return result.principal
}

function groupsOf(groups: object, value: unknown): readonly string[] | string {
  const { groups: found } = read({ groups }, { groups: value })
  return found.outcome === 'listed' ? found.names : found.outcome
}

describe('claims are found', () => {
  const person = {
    login: { name: 'al' },
    'https://idp.example/mail': 'a@b.example',
    names: ['Alice', 'Liddell'],
    'given.name': 'Al',
  }
  const rows: [name: string, claims: object, expected: Partial<Principal>][] = [
    ['nested', { userName: 'login.name' }, { userName: 'al' }],
    ['by a URL', { email: 'https://idp.example/mail' }, { email: 'a@b.example' }],
    [
      'at a place in a list',
      { firstName: 'names.0', lastName: 'names.1' },
      { firstName: 'Alice', lastName: 'Liddell' },
    ],
    ['by a name with dots', { firstName: ['given.name'] }, { firstName: 'Al' }],
    ['beyond the end of a list', { firstName: 'names.2' }, { firstName: null }],
    ['at a place that is no number', { firstName: 'names.00' }, { firstName: null }],
    ['as a subject of another name', { subject: 'login.name' }, { subject: 'al' }],
  ]
  test.each(rows)('%s', (_name, claims, expected) => expect(read({ claims }, person)).toMatchObject(expected))

  test('[4-18] [4-19] [4-20] [4-21] [0-5] where OpenID Connect has them, unless the issuer says otherwise', () => {
    const token = {
      preferred_username: 'alice',
      given_name: 'Alice',
      family_name: 'Liddell',
      email: 'alice@example.com',
      groups: ['readers'],
    }
    expect(read({}, token)).toMatchObject({
      subject: 'alice',
      userName: 'alice',
      firstName: 'Alice',
      lastName: 'Liddell',
      email: 'alice@example.com',
      groups: { outcome: 'listed', names: ['readers'] },
    })
    const other = { claims: { firstName: 'family_name' }, groups: { claim: 'preferred_username' } }
    expect(read(other, token)).toMatchObject({
      firstName: 'Liddell',
      lastName: 'Liddell',
      groups: { names: ['alice'] },
    })
  })

  test('all of them, for the conditions of mappings', () => {
    const token = { sub: 'alice', acr: 'high', a: { b: [1] } }
    expect(read({}, token).claims).toEqual(token)
  })
})

describe('group names', () => {
  const rows: [name: string, rule: object, said: unknown, names: string[]][] = [
    ['lose a prefix', { stripPrefix: '/' }, ['/a', 'b', '//c', 'd/'], ['a', 'b', '/c', 'd/']],
    ['get a prefix', { addPrefix: 'okta:' }, ['a', 'okta:b'], ['okta:a', 'okta:okta:b']],
    ['change a prefix', { stripPrefix: 'cn=', addPrefix: 'ldap:' }, ['cn=a', 'b'], ['ldap:a', 'ldap:b']],
    ['are nothing without their prefix', { stripPrefix: '/' }, ['/', '/a'], ['a']],
    ['are only a prefix', { stripPrefix: '/', addPrefix: 'x' }, ['/'], ['x']],
    ['have a name for an id', { names: { 'a0-1': 'Admins' } }, ['a0-1', 'a0-2'], ['Admins', 'a0-2']],
    ['have an id in one case only', { names: { 'a0-1': 'Admins' } }, ['A0-1'], ['A0-1']],
    [
      'keep their display name as it is',
      { names: { '/a': 'A' }, stripPrefix: '/', addPrefix: 'x:' },
      ['/a', '/b'],
      ['A', 'x:b'],
    ],
    ['have no name that was inherited', { names: { a: 'A' } }, ['constructor'], ['constructor']],
    ['are one string', { stripPrefix: '/' }, '/a', ['a']],
    ['are a comma list', { separator: ',', stripPrefix: '/' }, '/a, /b', ['a', 'b']],
    ['are objects', { key: 'name', addPrefix: 'x:' }, [{ name: 'a' }], ['x:a']],
  ]
  test.each(rows)('%s', (_name, rule, said, names) => expect(groupsOf(rule, said)).toEqual(names))

  test('say how they must be said', () => {
    const rule = { stripPrefix: '/', addPrefix: 'k:', names: { 'a0-1': 'Admins' } }
    const record = recordOf({ groups: rule })
    for (const group of ['Admins', 'k:readers', 'k:/x']) {
      expect(groupsOf(rule, [sayingOf(record, group)])).toEqual([group])
    }
    expect(sayingOf(record, 'readers')).toBeNull()
    expect(sayingOf(recordOf({ groups: 'none' }), 'readers')).toBeNull()
  })
})

describe('the preset', () => {
  test.each(PRODUCTS)('of $product reads its tokens', ({ issuer, token, expected }) => {
    const { sub: _, ...rest } = { sub: 'alice', ...token }
    expect(read(issuer, { ...rest, sub: token.sub })).toMatchObject(expected)
  })

  test('gives way to what is written beside it, claim by claim', () => {
    const token = { sub: 's', oid: 'o', upn: 'u', preferred_username: 'p', my_groups: ['/a'], groups: ['b'] }
    const issuer = { preset: 'entra', claims: { userName: 'upn' }, groups: { claim: 'my_groups' } }
    expect(read(issuer, token)).toMatchObject({ subject: 'o', userName: 'u', groups: { names: ['/a'] } })
    const keycloak = { preset: 'keycloak', groups: { claim: 'my_groups' } }
    expect(read(keycloak, token)).toMatchObject({ subject: 's', groups: { names: ['a'] } })
    expect(read({ preset: 'keycloak', groups: 'none' }, token)).toMatchObject({ groups: { outcome: 'none' } })
    const github = { preset: 'github-actions', groups: { claim: 'repository_owner' } }
    expect(read(github, { ...token, repository_owner: 'octo-org' })).toMatchObject({
      groups: { outcome: 'listed', names: ['octo-org'] },
    })
  })
})
