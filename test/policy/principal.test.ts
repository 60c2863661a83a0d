// Claims become a principal: who it is, and which groups the issuer named, in every shape issuers use.
import { describe, expect, test } from 'vitest'
import { type Claims, principalFromClaims, SUBJECT_LENGTH_MAX } from '../../policy/principal.ts'
import { INHERITED_NAMES, policyOf, recordOf } from './policies.ts'

function read(issuer: object, claims: Claims) {
  return principalFromClaims(recordOf(issuer), { sub: 'alice', ...claims })
}

/** Claims as they come from a token, where `__proto__` is a member like any other. */
const fromJson = (text: string) => JSON.parse(text) as Claims

describe('groups are read from', () => {
  const url = 'https://idp.example/groups'
  const shouldAllow: [name: string, groups: object | undefined, claims: Claims, names: string[]][] = [
    ['[4-21] a list', undefined, { groups: ['a', 'b'] }, ['a', 'b']],
    ['an empty list', undefined, { groups: [] }, []],
    ['a string', undefined, { groups: 'a' }, ['a']],
    ['a string with spaces and commas, as one group', undefined, { groups: 'a b,c' }, ['a b,c']],
    ['an empty string', undefined, { groups: '' }, []],
    ['a comma list', { separator: ',' }, { groups: 'a, b ,,c' }, ['a', 'b', 'c']],
    ['a list split by spaces', { separator: ' ' }, { groups: ' a  b' }, ['a', 'b']],
    ['a list, where a string would be split', { separator: ',' }, { groups: ['a,b'] }, ['a,b']],
    ['objects with a key', { key: 'name' }, { groups: [{ name: 'a', id: 1 }, { name: 'b' }] }, ['a', 'b']],
    ['objects with an odd key', { key: '__proto__' }, fromJson('{"groups":[{"__proto__":"a"}]}'), ['a']],
    ['another claim', { claim: 'roles' }, { roles: ['a'], groups: ['b'] }, ['a']],
    ['a nested claim', { claim: 'realm_access.roles' }, { realm_access: { roles: ['a'] } }, ['a']],
    ['a claim named by a URL', { claim: url }, { [url]: ['a'] }, ['a']],
    ['a path as a list', { claim: ['a.b', 'c'] }, { 'a.b': { c: ['g'] } }, ['g']],
    ['names that differ in case and space', undefined, { groups: ['A', 'a', ' a'] }, ['A', 'a', ' a']],
    ['a list with empty names', undefined, { groups: ['', 'a'] }, ['a']],
    ['inherited names', undefined, { groups: ['__proto__', 'constructor'] }, ['__proto__', 'constructor']],
    ['a member that really is there', { claim: '__proto__' }, fromJson('{"__proto__":["a"]}'), ['a']],
  ]
  test.each(shouldAllow)('%s', (_name, groups, claims, names) => {
    expect(read(groups ? { groups } : {}, claims)).toMatchObject({
      ok: true,
      principal: { groups: { outcome: 'listed', names } },
    })
  })
})

describe('groups are refused as malformed', () => {
  const shouldRefuse: [name: string, groups: object | undefined, value: unknown][] = [
    ['null', undefined, null],
    ['a number', undefined, 7],
    ['true', undefined, true],
    ['an object', undefined, { a: true }],
    ['an object like a list', undefined, { 0: 'a', length: 1 }],
    ['a list with a number', undefined, ['a', 7]],
    ['a list with null', undefined, ['a', null]],
    ['a list in a list', undefined, [['a']]],
    ['objects without a declared key', undefined, [{ name: 'a' }]],
    ['objects that lack the key', { key: 'name' }, [{ name: 'a' }, { id: 'b' }]],
    ['objects whose key is no string', { key: 'name' }, [{ name: ['a'] }]],
    ['strings where objects are declared', { key: 'name' }, ['a']],
    ['one string where objects are declared', { key: 'name' }, 'a'],
    ['one object where a list is declared', { key: 'name' }, { name: 'a' }],
    ['a key every string has', { key: 'length' }, ['a']],
    ['a key every object has', { key: 'constructor' }, [{}]],
  ]
  test.each(shouldRefuse)('%s', (_name, groups, value) => {
    const result = read(groups ? { groups } : {}, { groups: value })
    expect(result).toMatchObject({ ok: false, reason: 'groups_malformed' })
    expect(result).toHaveProperty('detail', expect.stringMatching(/^Its "groups" claim must be /))
  })
})

describe('groups have another outcome', () => {
  const entra = { _claim_names: { groups: 'src1' }, _claim_sources: { src1: { endpoint: 'https://x' } } }
  const rows: [name: string, issuer: object, claims: Claims, outcome: string][] = [
    ['the claim is not there', {}, {}, 'absent'],
    ['the path ends early', { groups: { claim: 'a.b' } }, { a: {} }, 'absent'],
    ['the path runs through a string', { groups: { claim: 'a.length' } }, { a: 'b' }, 'absent'],
    ['the dotted name is a member', { groups: { claim: 'a.b' } }, { 'a.b': ['g'] }, 'absent'],
    ['Entra distributes the claim', {}, entra, 'overage'],
    ['Entra distributes the claim, with some groups', {}, { ...entra, groups: ['a'] }, 'overage'],
    ['Entra distributes a nested claim', { groups: { claim: 'groups.all' } }, entra, 'overage'],
    ['Entra sets hasgroups', {}, { hasgroups: true }, 'overage'],
    ['Entra sets hasgroups as text', {}, { hasgroups: 'true' }, 'overage'],
    ['hasgroups is false', {}, { hasgroups: false }, 'absent'],
    ['another claim is distributed', {}, { _claim_names: { roles: 'src1' } }, 'absent'],
    ['_claim_names is null', {}, { _claim_names: null }, 'absent'],
    ['_claim_names is text', {}, { _claim_names: 'groups' }, 'absent'],
    ['none are declared', { groups: 'none' }, { groups: ['a'] }, 'none'],
    ['none are declared, and there are too many', { groups: 'none' }, entra, 'none'],
  ]
  test.each(rows)('%s', (_name, issuer, claims, outcome) => {
    expect(read(issuer, claims)).toMatchObject({ ok: true, principal: { groups: { outcome } } })
  })

  // What the refusal of an overage advises must work: application roles stand in a claim of their own.
  test('application roles are read though groups were too many', () => {
    const issuer = { groups: { claim: 'roles' } }
    for (const overage of [entra, { hasgroups: true }]) {
      expect(read(issuer, { ...overage, roles: ['a'] })).toMatchObject({
        principal: { groups: { outcome: 'listed', names: ['a'] } },
      })
    }
  })

  test.each(INHERITED_NAMES)('the claim path %s leads nowhere', (name) => {
    for (const claim of [name, [name, 'name'], ['address', name]]) {
      expect(read({ groups: { claim } }, { address: {} })).toMatchObject({
        principal: { groups: { outcome: 'absent' } },
      })
    }
  })
})

describe('the subject', () => {
  const bySubject = (subject: string) => ({ claims: { subject } })
  const shouldRefuse: [name: string, issuer: object, claims: Claims, reason: string][] = [
    ['absent', {}, { sub: undefined }, 'claim_missing'],
    ['inherited', bySubject('constructor'), {}, 'claim_missing'],
    ['of a path that is not there', bySubject('a.b'), { a: 'x' }, 'claim_missing'],
    ['null', {}, { sub: null }, 'claim_invalid'],
    ['empty', {}, { sub: '' }, 'claim_invalid'],
    ['a number', {}, { sub: 7 }, 'claim_invalid'],
    ['a list', {}, { sub: ['alice'] }, 'claim_invalid'],
    ['too long', {}, { sub: 'a'.repeat(SUBJECT_LENGTH_MAX + 1) }, 'claim_invalid'],
  ]
  test.each(shouldRefuse)('is refused when %s', (_name, issuer, claims, reason) => {
    expect(read(issuer, claims)).toMatchObject({ ok: false, reason })
  })

  test('is kept as it is, with the issuer record and its owner', () => {
    const long = 'a'.repeat(SUBJECT_LENGTH_MAX)
    expect(read({}, { sub: long })).toMatchObject({ ok: true, principal: { subject: long } })
    expect(read({}, { sub: ' Alice@Example.com ' })).toMatchObject({
      principal: {
        issuer: 'idp',
        subject: ' Alice@Example.com ',
        voucher: { issuer: 'idp', organization: null },
      },
    })
    expect(read(bySubject('a.id'), { a: { id: 'nested' } })).toMatchObject({
      principal: { subject: 'nested' },
    })
  })

  test('is vouched for inside the organization whose issuer it is', () => {
    const { issuers } = policyOf({
      organizations: { acme: { issuers: { own: { issuer: 'https://a.example' } } } },
    })
    const [record] = issuers
    expect(principalFromClaims(record!, { sub: 'alice' })).toMatchObject({
      principal: { issuer: 'acme/own', voucher: { issuer: 'acme/own', organization: 'acme' } },
    })
  })
})

describe('names and e-mail', () => {
  const person = {
    preferred_username: 'alice',
    given_name: 'Alice',
    family_name: 'Liddell',
    email: 'alice@example.com',
  }
  test('[4-18] [4-19] [4-20] come from the usual claims', () => {
    expect(read({}, person)).toMatchObject({
      principal: { userName: 'alice', firstName: 'Alice', lastName: 'Liddell', email: 'alice@example.com' },
    })
  })

  test('come from the claims the issuer declares', () => {
    const claims = { email: 'contact.mail', userName: 'https://idp.example/login' }
    const token = { contact: { mail: 'a@b' }, 'https://idp.example/login': 'al', email: 'x@y' }
    expect(read({ claims }, token)).toMatchObject({ principal: { email: 'a@b', userName: 'al' } })
  })

  test.each([[null], [7], [''], [['a']], [undefined]])('are null when the claim is %j', (value) => {
    const claims = { preferred_username: value, given_name: value, family_name: value, email: value }
    expect(read({}, claims)).toMatchObject({
      ok: true,
      principal: { userName: null, firstName: null, lastName: null, email: null },
    })
  })

  test.each([
    [undefined, 'alice@example.com'],
    [true, 'alice@example.com'],
    ['true', 'alice@example.com'],
    [false, null],
    ['false', null],
    ['False', null],
    [0, null],
    [null, null],
  ])('e-mail with email_verified %j is %j', (verified, email) => {
    expect(read({}, { ...person, email_verified: verified })).toMatchObject({ principal: { email } })
  })

  test('an e-mail address is no subject unless it is verified', () => {
    const byEmail = { claims: { subject: 'email' } }
    expect(read(byEmail, { ...person, email_verified: true })).toMatchObject({ ok: true })
    const refused = { ok: false, reason: 'claim_invalid' }
    expect(read(byEmail, { ...person, email_verified: false })).toMatchObject(refused)
  })
})
