// Declared organizations: what says the same is the same, and what is written is read again as it was.
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { compactDeclaration, declareTheSame, normalDeclaration } from '../../policy/declaration.ts'
import { parseDeclaration } from '../../policy/document.ts'
import { writeYaml } from '../../policy/format.ts'
import { Organization } from '../../policy/schema.ts'

const declared = (value: unknown) => Organization.parse(value)

const ACME = {
  displayName: 'Acme',
  idpGroupMappings: [
    { roleName: 'ORG_OWNER', idpGroups: ['acme-admins'] },
    { roleName: 'ORG_MEMBER', idpGroups: ['b', 'a'] },
  ],
  issuers: { okta: { issuer: 'https://acme.okta.com' } },
  projects: { payments: { idpGroupMappings: [{ roleName: 'GROUP_OWNER', idpGroups: ['p'] }] }, empty: {} },
}

describe('what says the same is the same', () => {
  const shouldBeSame: [name: string, other: unknown][] = [
    ['itself', ACME],
    ['in another order', { ...ACME, idpGroupMappings: [...ACME.idpGroupMappings].reverse() }],
    [
      'a mapping in two parts, and a group twice',
      {
        ...ACME,
        idpGroupMappings: [
          ...ACME.idpGroupMappings.slice(0, 1),
          { roleName: 'ORG_MEMBER', idpGroups: ['a', 'a'] },
          { roleName: 'ORG_MEMBER', idpGroups: ['b'] },
        ],
      },
    ],
    ['what is the default said', { ...ACME, patternMappings: [] }],
    ['a claim path as a list', { ...ACME, issuers: { okta: { ...ACME.issuers.okta, leewaySeconds: 60 } } }],
  ]
  test.each(shouldBeSame)('%s', (_name, other) => {
    expect(declareTheSame(declared(ACME), declared(other))).toBe(true)
  })

  const shouldDiffer: [name: string, other: unknown][] = [
    ['another name', { ...ACME, displayName: 'ACME' }],
    ['a project less', { ...ACME, projects: { payments: ACME.projects.payments } }],
    ['a group less', { ...ACME, idpGroupMappings: ACME.idpGroupMappings.slice(1) }],
    ['another issuer', { ...ACME, issuers: { okta: { issuer: 'https://acme.okta.com/' } } }],
  ]
  test.each(shouldDiffer)('%s is not', (_name, other) => {
    expect(declareTheSame(declared(ACME), declared(other))).toBe(false)
  })
})

test('is written shortly, a role before its groups', () => {
  expect(writeYaml(compactDeclaration(normalDeclaration(declared(ACME), {})))).toBe(`displayName: Acme
issuers:
  okta:
    issuer: https://acme.okta.com
    algorithms: [RS256, ES256]
    types: [JWT, at+jwt]
    headers: []
    leewaySeconds: 60
    keysUsableSeconds: 86400
    claims: {}
idpGroupMappings:
  - roleName: ORG_MEMBER
    idpGroups: [a, b]
  - roleName: ORG_OWNER
    idpGroups: [acme-admins]
projects:
  empty: {}
  payments:
    idpGroupMappings:
      - roleName: GROUP_OWNER
        idpGroups: [p]
`)
})

test('what is written is read as it was, whatever its characters', () => {
  const text = fc.oneof(
    fc.string({ minLength: 1, maxLength: 40, unit: 'grapheme' }),
    fc.constantFrom(
      'null',
      '~',
      '1',
      '0x1f',
      'yes',
      '- a',
      '#',
      'a: b',
      '"',
      "'",
      ' x ',
      '1e3',
      '.inf',
      '<<',
      '\t',
      'é\n\nz',
    ),
  )
  const mapping = fc.record({
    roleName: fc.constantFrom('ORG_OWNER', 'ORG_MEMBER'),
    idpGroups: fc.array(text, { minLength: 1, maxLength: 5 }),
  })
  const organization = fc.record({ displayName: text, idpGroupMappings: fc.array(mapping, { maxLength: 5 }) })
  fc.assert(
    fc.property(organization, (value) => {
      const parsed = parseDeclaration(writeYaml(compactDeclaration(declared(value))), 'a.yaml')
      expect(parsed.ok && parsed.value).toEqual(declared(value))
    }),
  )
})

test('a file that is none says where', () => {
  const parsed = parseDeclaration('displayName: Acme\nproject: {}\n', 'acme.yaml')
  expect(parsed).toMatchObject({ ok: false, problems: [{ file: 'acme.yaml', line: 2, column: 1 }] })
})
