// A policy's text: YAML 1.2 core or JSON, read in one way only, and never at a cost out of proportion.
import { describe, expect, test } from 'vitest'
import { ALIASES_MAX, POLICY_BYTES_MAX, PROBLEMS_MAX, parsePolicy } from '../../policy/document.ts'
import { CATALOGUE, documentOf, parse, readProjectFile } from './policies.ts'

describe('a text is refused for', () => {
  const repeated = (count: number, text: (index: number) => string) =>
    Array.from({ length: count }, (_, index) => text(index)).join('')
  const bomb = [
    'version: 1',
    'a: &a [x, x, x, x, x, x, x, x, x, x]',
    ...['b', 'c', 'd', 'e', 'f', 'g', 'h', 'i'].map((name, index) => {
      const before = `*${'abcdefgh'[index]}`
      return `${name}: &${name} [${Array(10).fill(before).join(', ')}]`
    }),
  ].join('\n')
  const issuerWithKey = (key: string) =>
    `version: 1\nissuers: {a: {issuer: 'https://a', jwks: {keys: [${key}]}}}`

  // Where the stack ends differs from machine to machine; these rows have no place.
  const shouldRefuse: [name: string, text: string, at: string | null, message: RegExp][] = [
    ['being empty', '', '1:1', /expected object, received null/],
    ['being a comment', '# nothing\n', '1:1', /expected object, received null/],
    ['being a list', '- version: 1', '1:1', /expected object, received array/],
    ['a key twice', 'version: 1\nroutes: {}\nroutes: {}', '3:1', /the key "routes" is there twice/],
    [
      'a key twice below',
      'version: 1\norganizations:\n  acme: {}\n  acme: {}',
      '4:3',
      /"acme" is there twice/,
    ],
    [
      'a key twice, as number and text',
      "version: 1\norganizations:\n  1: {}\n  '1': {}",
      '4:3',
      /"1" is there twice/,
    ],
    [
      'a key twice in JSON',
      '{"version": 1, "audience": "a", "audience": "b"}',
      '1:33',
      /"audience" is there twice/,
    ],
    [
      'a key twice through an escape',
      '{"version": 1, "audience": "a", "a\\u0075dience": "b"}',
      '1:33',
      /there twice/,
    ],
    ['a key by alias', 'version: 1\norganizations:\n  &a acme: {}\n  *a : {}', '4:3', /keys must be strings/],
    ['a key that is a list', 'version: 1\norganizations:\n  ? [a]\n  : {}', '3:5', /keys must be strings/],
    ['the key __proto__', 'version: 1\n__proto__: {audience: x}', '2:1', /no key may be "__proto__"/],
    [
      'an organization __proto__',
      'version: 1\norganizations:\n  __proto__: {}',
      '3:3',
      /no key may be "__proto__"/,
    ],
    ['a merge key', 'version: 1\n<<: {audience: x}', '2:1', /not a known field/],
    ['a merge key by directive', '%YAML 1.1\n---\nversion: 1\n<<: {audience: x}', '4:1', /not a known field/],
    ['a tag of its own', 'version: 1\naudience: !secret x', '2:11', /Unresolved tag: !secret/],
    ['a binary value', 'version: 1\naudience: !!binary aGk=', '2:11', /Unresolved tag/],
    ['two documents', 'version: 1\n---\nversion: 1', '2:1', /multiple documents/],
    ['an open bracket', 'version: 1\nroutes: {', '2:10', /must end with a }|sufficiently indented/],
    ['a tab for indentation', 'version: 1\nroutes:\n\tapi: {}', '3:1', /Tabs are not allowed/],
    ['an alias of nothing', 'version: 1\naudience: *a', '2:11', /there is no anchor &a before it/],
    ['an alias before its anchor', 'version: 1\nroutes: *a\nissuers: &a {}', '2:9', /there is no anchor &a/],
    ['an alias of itself', 'version: 1\nroutes: &r\n  api: *r', '3:8', /\*r stands within itself/],
    [
      'a key of an issuer that holds itself',
      issuerWithKey('&k {kty: RSA, more: *k}'),
      '2:70',
      /stands within itself/,
    ],
    ['a value JSON does not have', issuerWithKey('{kty: .nan}'), '2:51', /expected/],
    ['an alias bomb', bomb, '1:1', /aliases that multiply too far/],
    [
      'many aliases',
      `version: 1\na: [&a x${', *a'.repeat(ALIASES_MAX + 1)}]`,
      '2:4011',
      /may have 1000 aliases/,
    ],
    [
      'many anchors with an alias each',
      `version: 1\na: [${repeated(20_000, (index) => `&a${index} x, *a${index}, `)}]`,
      '2:15795',
      /may have 1000 aliases/,
    ],
    ['deep lists', `version: 1\na: ${'['.repeat(100_000)}`, null, /nested too deeply/],
    [
      'deep lists, closed',
      `version: 1\na: ${'['.repeat(20_000)}${']'.repeat(20_000)}`,
      null,
      /nested too deeply/,
    ],
    ['deep objects', `version: 1\na: ${'{a: '.repeat(20_000)}`, null, /nested too deeply/],
    [
      'deep blocks',
      `version: 1\na:\n${repeated(3000, (index) => `${' '.repeat(index + 1)}a:\n`)}`,
      null,
      /nested too deeply/,
    ],
    ['deep dashes', `version: 1\na: \n  ${'- '.repeat(50_000)}`, null, /nested too deeply/],
    [
      'very many keys',
      `version: 1\n${repeated(60_000, (index) => `k${index}: {}\n`)}`,
      '2:1',
      /not a known field/,
    ],
    ['very many errors', '}'.repeat(50_000), '1:1', /Unexpected/],
    ['its size', `version: 1\n#${'x'.repeat(POLICY_BYTES_MAX)}`, '1:1', /a policy may have 10485760/],
  ]
  test.each(shouldRefuse)('%s', (_name, text, at, message) => {
    const parsed = parse(text)
    if (parsed.ok) throw new Error('the text was accepted')
    expect(parsed.problems.length).toBeLessThanOrEqual(PROBLEMS_MAX)
    const [first] = parsed.problems
    expect(first?.message).toMatch(message)
    if (at !== null) expect(`${first?.line}:${first?.column}`).toBe(at)
  })
})

describe('a text is accepted', () => {
  const members = { version: 1, audience: 'x', organizations: { acme: { displayName: 'Acme' } } }
  test.each([
    ['as JSON', JSON.stringify(members)],
    ['as indented JSON', JSON.stringify(members, null, 2)],
    ['as JSON with tabs', JSON.stringify(members, null, '\t')],
    ['as YAML', 'version: 1\naudience: x\norganizations:\n  acme:\n    displayName: Acme\n'],
    ['with a byte order mark', '\ufeffversion: 1\naudience: x\norganizations: {acme: {displayName: Acme}}'],
    ['with CRLF', 'version: 1\r\naudience: x\r\norganizations:\r\n  acme:\r\n    displayName: Acme\r\n'],
    [
      'with aliases',
      'version: 1\naudience: x\norganizations: {acme: {displayName: &a Acme}, other: {displayName: *a}}',
    ],
  ])('%s', (_name, text) => {
    const { audience, organizations } = documentOf(text)
    expect({ audience, acme: organizations.acme?.displayName }).toEqual({ audience: 'x', acme: 'Acme' })
  })

  test('with words that older YAML takes for booleans', () => {
    const { audience } = documentOf('%YAML 1.1\n---\nversion: 1\naudience: yes')
    expect(audience).toBe('yes')
    expect(documentOf('version: 1\naudience: no').audience).toBe('no')
  })

  test('with the 10,000 projects an organization may have', () => {
    const projects = Array.from({ length: 10_000 }, (_, index) => `      p${index}: {}`).join('\n')
    const { organizations } = documentOf(`version: 1\norganizations:\n  acme:\n    projects:\n${projects}`)
    expect(Object.keys(organizations.acme?.projects ?? {})).toHaveLength(10_000)
  })
})

test('a broken catalogue is a problem of the catalogue', () => {
  const options = { file: 'policy.yaml', catalogue: CATALOGUE.replace('level: global', 'level: planet') }
  const parsed = parsePolicy(readProjectFile('postern.policy.yaml'), options)
  expect(parsed).toMatchObject({ ok: false, problems: [{ file: 'catalogue.yaml' }] })
})
