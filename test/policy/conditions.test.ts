// What a mapping may ask for besides its group: issuers, claims, a time; and in which case a group is written.
import { describe, expect, test } from 'vitest'
import type { Claims } from '../../policy/principal.ts'
import { secondsOf } from '../../policy/timestamp.ts'
import { ask, heldAt, NOW, policyOf, principalOf, rolesOf } from './policies.ts'
import { expectProblem, lines, problemsOf, type Refused } from './texts.ts'

/** A global mapping for the group "g" with more to it, and a pattern mapping alike. */
function policyWith(more: object) {
  return policyOf({
    issuers: { okta: { issuer: 'https://okta.example' }, entra: { issuer: 'https://entra.example' } },
    idpGroupMappings: [{ roleName: 'GLOBAL_READ_ONLY', idpGroups: ['g'], ...more }],
    patternMappings: [{ roleName: 'GLOBAL_BACKUP_ADMIN', groupPatterns: ['g*'], ...more }],
  })
}

/** Whether the mapping by name and the one by pattern count; they must agree. */
function counts(more: object, { claims = {}, group = 'g', issuer = 'okta', now = NOW }: Partial<Asked>) {
  const held = rolesOf(policyWith(more), principalOf([group], issuer, claims), '', now)
  const both = ['GLOBAL_READ_ONLY', 'GLOBAL_BACKUP_ADMIN'].map((role) => held.includes(role))
  expect(both[0]).toBe(both[1])
  return both[0]
}
interface Asked {
  claims: Claims
  group: string
  issuer: string
  now: number
}

describe('a condition holds', () => {
  const shouldAllow: [name: string, condition: object, claims: Claims][] = [
    ['a string that is equal', { claim: 'acr', equals: 'high' }, { acr: 'high' }],
    ['a number that is equal', { claim: 'level', equals: 2 }, { level: 2 }],
    ['true', { claim: 'email_verified', equals: true }, { email_verified: true }],
    ['false', { claim: 'guest', equals: false }, { guest: false }],
    ['an empty string', { claim: 'acr', equals: '' }, { acr: '' }],
    ['zero', { claim: 'level', equals: 0 }, { level: 0 }],
    ['one of several', { claim: 'hd', oneOf: ['a.example', 'b.example'] }, { hd: 'b.example' }],
    ['one of several types', { claim: 'level', oneOf: ['2', 2, true] }, { level: 2 }],
    ['a list that has it', { claim: 'amr', contains: 'mfa' }, { amr: ['pwd', 'mfa'] }],
    ['a list that has the number', { claim: 'levels', contains: 2 }, { levels: [1, 2] }],
    ['words that have it', { claim: 'scope', contains: 'read' }, { scope: 'openid read' }],
    ['one word', { claim: 'scope', contains: 'read' }, { scope: 'read' }],
    ['a nested claim', { claim: 'a.b.c', equals: 'x' }, { a: { b: { c: 'x' } } }],
    ['a claim named by a URL', { claim: 'https://x.example/y', equals: 'z' }, { 'https://x.example/y': 'z' }],
    ['a place in a list', { claim: 'amr.1', equals: 'mfa' }, { amr: ['pwd', 'mfa'] }],
    ['a path with a dot in a name', { claim: ['a.b', 'c'], equals: 1 }, { 'a.b': { c: 1 } }],
  ]
  test.each(shouldAllow)('%s', (_name, condition, claims) => {
    expect(counts({ when: [condition] }, { claims })).toBe(true)
  })

  test('two that both hold', () => {
    const when = [
      { claim: 'acr', equals: 'high' },
      { claim: 'amr', contains: 'mfa' },
    ]
    expect(counts({ when }, { claims: { acr: 'high', amr: ['mfa'] } })).toBe(true)
    expect(counts({ when }, { claims: { acr: 'high' } })).toBe(false)
    expect(counts({ when }, { claims: { amr: ['mfa'] } })).toBe(false)
  })
})

describe('a condition does not hold', () => {
  const shouldRefuse: [name: string, condition: object, claims: Claims][] = [
    ['nothing there', { claim: 'acr', equals: 'high' }, {}],
    ['null', { claim: 'acr', equals: 'high' }, { acr: null }],
    ['other case', { claim: 'acr', equals: 'high' }, { acr: 'High' }],
    ['more around it', { claim: 'acr', equals: 'high' }, { acr: ' high' }],
    ['a number as a string', { claim: 'level', equals: 1 }, { level: '1' }],
    ['a string as a number', { claim: 'level', equals: '1' }, { level: 1 }],
    ['a boolean as a string', { claim: 'email_verified', equals: true }, { email_verified: 'true' }],
    ['one for true', { claim: 'email_verified', equals: true }, { email_verified: 1 }],
    ['a list of that value', { claim: 'acr', equals: 'high' }, { acr: ['high'] }],
    ['none of several', { claim: 'hd', oneOf: ['a.example'] }, { hd: 'x.a.example' }],
    ['several at once', { claim: 'hd', oneOf: ['a', 'b'] }, { hd: ['a', 'b'] }],
    ['a list without it', { claim: 'amr', contains: 'mfa' }, { amr: ['pwd'] }],
    ['an empty list', { claim: 'amr', contains: 'mfa' }, { amr: [] }],
    ['a list that has it as another type', { claim: 'levels', contains: 2 }, { levels: ['2'] }],
    ['a list in a list', { claim: 'amr', contains: 'mfa' }, { amr: [['mfa']] }],
    ['part of a word', { claim: 'scope', contains: 'read' }, { scope: 'readonly' }],
    ['words joined by a comma', { claim: 'scope', contains: 'read' }, { scope: 'openid,read' }],
    ['a number among words', { claim: 'scope', contains: 2 }, { scope: '1 2' }],
    ['an object with it as a member', { claim: 'amr', contains: 'mfa' }, { amr: { mfa: true } }],
    ['a nested claim by its joined name', { claim: 'a.b', equals: 'x' }, { 'a.b': 'x' }],
    ['a member every object has', { claim: 'constructor.name', equals: 'Object' }, {}],
    ['a member every string has', { claim: 'acr.length', equals: 4 }, { acr: 'high' }],
    ['through null', { claim: 'a.b', equals: 'x' }, { a: null }],
  ]
  test.each(shouldRefuse)('%s', (_name, condition, claims) => {
    expect(counts({ when: [condition] }, { claims })).toBe(false)
  })
})

describe('issuers', () => {
  test('of a mapping are believed, others are not', () => {
    expect(counts({ issuers: ['entra'] }, { issuer: 'entra' })).toBe(true)
    expect(counts({ issuers: ['entra'] }, { issuer: 'okta' })).toBe(false)
    expect(counts({ issuers: ['okta', 'entra'] }, { issuer: 'okta' })).toBe(true)
    expect(counts({}, { issuer: 'entra' })).toBe(true)
  })
})

describe('case', () => {
  test.each([
    ['g', {}, true],
    ['G', {}, false],
    ['G', { ignoreCase: true }, true],
    ['g', { ignoreCase: true }, true],
    ['g ', {}, false],
  ])('of %j with %j', (group, more, expected) => {
    const mapping = { idpGroups: ['g'], ...more }
    const policy = policyOf({ idpGroupMappings: [{ roleName: 'GLOBAL_READ_ONLY', ...mapping }] })
    expect(rolesOf(policy, principalOf([group]), '').includes('GLOBAL_READ_ONLY')).toBe(expected)
  })

  test('is ignored at every level, whichever side has capitals', () => {
    const mapping = (roleName: string) => [{ roleName, idpGroups: ['Ops Team'], ignoreCase: true }]
    const policy = policyOf({
      idpGroupMappings: mapping('GLOBAL_READ_ONLY'),
      organizations: {
        acme: {
          idpGroupMappings: mapping('ORG_BILLING_ADMIN'),
          projects: { web: { idpGroupMappings: mapping('GROUP_BACKUP_ADMIN') } },
        },
      },
    })
    for (const group of ['ops team', 'OPS TEAM', 'Ops Team']) {
      const held = rolesOf(policy, principalOf([group]), 'acme/web')
      expect(held).toEqual(
        expect.arrayContaining(['GLOBAL_READ_ONLY', 'ORG_BILLING_ADMIN', 'GROUP_BACKUP_ADMIN']),
      )
    }
    const decision = ask(policy, principalOf(['OPS TEAM']), 'project.backup.write', 'acme/web')
    expect(decision).toMatchObject({ proof: { group: 'OPS TEAM' } })
  })
})

describe('a time', () => {
  const noon = '2026-06-01T12:00:00Z'
  const at = Date.parse(noon) / 1000
  const rows: [name: string, more: object, now: number, expected: boolean][] = [
    ['before notBefore', { notBefore: noon }, at - 1, false],
    ['at notBefore', { notBefore: noon }, at, true],
    ['after notBefore', { notBefore: noon }, at + 1e9, true],
    ['before notAfter', { notAfter: noon }, at - 1, true],
    ['just before notAfter', { notAfter: noon }, at - 0.001, true],
    ['at notAfter', { notAfter: noon }, at, false],
    ['after notAfter', { notAfter: noon }, at + 1, false],
    ['between', { notBefore: '2026-06-01T11:59:59Z', notAfter: '2026-06-01T12:00:01Z' }, at, true],
    ['at notBefore in another zone', { notBefore: '2026-06-01T21:00:00+09:00' }, at, true],
    ['before notBefore in another zone', { notBefore: '2026-06-01T21:00:00+09:00' }, at - 1, false],
    ['at notAfter in another zone', { notAfter: '2026-06-01T06:30:00-05:30' }, at, false],
  ]
  test.each(rows)('%s', (_name, more, now, expected) => expect(counts(more, { now })).toBe(expected))

  test('comes with the roles, when they change next', () => {
    const policy = policyOf({
      issuers: { okta: { issuer: 'https://okta.example' } },
      idpGroupMappings: [
        { roleName: 'GLOBAL_READ_ONLY', idpGroups: ['g'], notAfter: '2026-06-03T00:00:00Z' },
        { roleName: 'GLOBAL_USER_ADMIN', idpGroups: ['g'], notBefore: '2026-06-02T00:00:00Z' },
        { roleName: 'GLOBAL_OWNER', idpGroups: ['other'], notAfter: '2026-06-01T13:00:00Z' },
        { roleName: 'GLOBAL_OWNER', idpGroups: ['g'], notAfter: '2026-05-01T00:00:00Z' },
      ],
    })
    const until = (group: string, now: string) =>
      heldAt(policy, principalOf([group]), '', Date.parse(now) / 1000).until
    expect(until('g', '2026-06-01T00:00:00Z')).toBe(Date.parse('2026-06-02T00:00:00Z') / 1000)
    expect(until('g', '2026-06-02T00:00:00Z')).toBe(Date.parse('2026-06-03T00:00:00Z') / 1000)
    expect(until('g', '2026-06-03T00:00:00Z')).toBe(Number.POSITIVE_INFINITY)
    expect(until('none', '2026-06-01T00:00:00Z')).toBe(Number.POSITIVE_INFINITY)
  })

  test.each([
    '1970-01-01T00:00:00Z',
    '1969-12-31T23:59:59Z',
    '2000-02-29T12:30:15Z',
    '2100-02-28T23:59:59Z',
    '2100-03-01T00:00:00Z',
    '2024-02-29T23:59:59-11:30',
    '2023-12-31T23:59:59.999+14:00',
    '2026-06-01T12:00Z',
    '0001-01-01T00:00:00Z',
    '9999-12-31T23:59:59Z',
  ])('%s is the second it is elsewhere', (text) => {
    expect(secondsOf(text)).toBeCloseTo(Date.parse(text) / 1000, 6)
  })
})

describe('a mapping is refused for', () => {
  const mapping = (...more: string[]) =>
    lines('idpGroupMappings:', '- roleName: GLOBAL_OWNER', '  idpGroups: [g]', ...more)
  const when = (condition: string) => mapping(`  when: [${condition}]`)
  const shouldRefuse: Refused[] = [
    ['no conditions', mapping('  when: []'), '5:3', 'idpGroupMappings[0].when', /Too small/],
    [
      'a condition without a rule',
      when('{claim: acr}'),
      '5:10',
      'idpGroupMappings[0].when[0]',
      /exactly one of/,
    ],
    [
      'a condition with two rules',
      when('{claim: acr, equals: a, contains: b}'),
      '5:10',
      'idpGroupMappings[0].when[0]',
      /exactly one of "equals", "oneOf" and "contains"/,
    ],
    [
      'a condition without a claim',
      when('{equals: a}'),
      '5:10',
      'idpGroupMappings[0].when[0].claim',
      /expected/,
    ],
    [
      'an empty list of values',
      when('{claim: acr, oneOf: []}'),
      '5:23',
      'idpGroupMappings[0].when[0].oneOf',
      /Too small/,
    ],
    [
      'a value that is null',
      when('{claim: acr, equals: null}'),
      '5:23',
      'idpGroupMappings[0].when[0].equals',
      /expected/,
    ],
    [
      'a rule of another name',
      when('{claim: acr, equals: a, matches: "^a"}'),
      '5:34',
      'idpGroupMappings[0].when[0].matches',
      /not a known field/,
    ],
    [
      'a date',
      mapping('  notAfter: 2026-12-31'),
      '5:3',
      'idpGroupMappings[0].notAfter',
      /must be a time such as/,
    ],
    [
      'a time without a zone',
      mapping('  notAfter: 2026-12-31T00:00:00'),
      '5:3',
      'idpGroupMappings[0].notAfter',
      /with its zone/,
    ],
    [
      'a day that is not there',
      mapping('  notBefore: 2026-02-29T00:00:00Z'),
      '5:3',
      'idpGroupMappings[0].notBefore',
      /must be a time/,
    ],
    [
      'a window that ends before it begins',
      mapping('  notBefore: 2026-06-01T12:00:00Z', '  notAfter: 2026-06-01T13:00:00+02:00'),
      '6:3',
      'idpGroupMappings[0].notAfter',
      /is not after "notBefore", so it can never count/,
    ],
    [
      'a window of no length',
      mapping('  notBefore: 2026-06-01T12:00:00Z', '  notAfter: 2026-06-01T12:00:00Z'),
      '6:3',
      'idpGroupMappings[0].notAfter',
      /can never count/,
    ],
    [
      'ignoreCase that is false',
      mapping('  ignoreCase: false'),
      '5:3',
      'idpGroupMappings[0].ignoreCase',
      /expected true/,
    ],
  ]
  test.each(shouldRefuse)('%s, and for nothing else', (_name, text, at, path, message) => {
    expectProblem(text, at, path, message)
    expect(problemsOf(text)).toHaveLength(1)
  })
})
