// `postern policy fmt`: the command by examples, the formatter behind it by properties.
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { compilePolicy } from '../../policy/compile.ts'
import { parsePolicy } from '../../policy/document.ts'
import { formatPolicy } from '../../policy/format.ts'
import { file, folder, POLICY, postern } from './postern.ts'
import { writeSomehow } from './written.ts'

const catalogue = readFileSync(new URL('../../policy/catalogue.yaml', import.meta.url), 'utf8')
const OPTIONS = { file: 'policy.yaml', catalogue }

function format(text: string): string {
  const formatted = formatPolicy(text, OPTIONS)
  if (!formatted.ok) throw new Error(JSON.stringify(formatted.problems))
  return formatted.text
}

const MESSY = `# yaml-language-server: $schema=./policy.schema.json
organizations:    # whom we serve
    # Acme, our first
    acme:
        idpGroupMappings:
        -   roleName: 'ORG_OWNER'
            idpGroups: [ acme-admins,
               acme-owners ]   # two groups
            when: [{claim: "acr", equals: 2}]
        # the end of Acme

# who we believe
issuers:
      okta: {issuer: https://acme.okta.com, algorithms: [ES256, RS256, PS256], groups: {claim: a.b, separator: ","}}


audience: "#1"    # ours
version: 1
`

const TIDY = `# yaml-language-server: $schema=./policy.schema.json

version: 1
audience: "#1" # ours

# who we believe
issuers:
  okta:
    issuer: https://acme.okta.com
    algorithms: [ES256, RS256, PS256]
    groups: { claim: a.b, separator: "," }

organizations: # whom we serve
  # Acme, our first
  acme:
    idpGroupMappings:
      - roleName: 'ORG_OWNER'
        idpGroups: [acme-admins, acme-owners] # two groups
        when: [{ claim: "acr", equals: 2 }]
      # the end of Acme
`

describe('fmt', () => {
  test('prints the formatted policy', async () => {
    expect(await postern(['policy', 'fmt', '-'], { stdin: MESSY })).toEqual({
      code: 0,
      stdout: TIDY,
      stderr: '',
    })
    expect(await postern(['policy', 'fmt', '-'], { stdin: TIDY })).toMatchObject({ stdout: TIDY })
  })

  test('prints JSON on demand', async () => {
    const { code, stdout } = await postern(['policy', 'fmt', '-', '--json'], { stdin: MESSY })
    expect(code).toBe(0)
    expect(JSON.parse(stdout)).toEqual({ file: '<stdin>', formatted: false, text: TIDY })
  })

  test('--check says whether a file is formatted and leaves it alone', async () => {
    file('messy.yaml', MESSY)
    const messy = await postern(['policy', 'fmt', '--check', 'messy.yaml'])
    expect(messy).toEqual({ code: 1, stdout: 'messy.yaml is not formatted.\n', stderr: '' })
    expect(readFileSync(join(folder, 'messy.yaml'), 'utf8')).toBe(MESSY)
    const tidy = await postern(['policy', 'fmt', '--check', '-', '--json'], { stdin: TIDY })
    expect(tidy.code).toBe(0)
    expect(JSON.parse(tidy.stdout)).toEqual({ file: '<stdin>', formatted: true })
  })

  test('--write writes the file, once', async () => {
    file('written.yaml', MESSY)
    const first = await postern(['policy', 'fmt', '--write', 'written.yaml'])
    expect(first).toEqual({ code: 0, stdout: '', stderr: 'written.yaml is formatted now.\n' })
    expect(readFileSync(join(folder, 'written.yaml'), 'utf8')).toBe(TIDY)
    const second = await postern(['policy', 'fmt', '--write', 'written.yaml'])
    expect(second).toEqual({ code: 0, stdout: '', stderr: 'written.yaml was formatted already.\n' })
  })

  test.each([
    ['--write and --check', ['--write', '--check', 'a.yaml'], /exclude each other/],
    ['--write of standard input', ['--write', '-'], /needs a file/],
  ])('refuses %s', async (_name, args, expected) => {
    const { code, stderr } = await postern(['policy', 'fmt', ...args])
    expect(code).toBe(2)
    expect(stderr).toMatch(expected)
  })

  test('--write leaves a policy that is not valid as it is', async () => {
    const broken = MESSY.replace('ORG_OWNER', 'ORG')
    file('broken.yaml', broken)
    expect(await postern(['policy', 'fmt', '--write', 'broken.yaml'])).toMatchObject({ code: 1 })
    expect(readFileSync(join(folder, 'broken.yaml'), 'utf8')).toBe(broken)
  })
})

describe('the formatter', () => {
  test.each(['demo/policy.yaml', 'postern.policy.yaml'])('leaves %s as it is', (name) => {
    const text = readFileSync(new URL(`../../${name}`, import.meta.url), 'utf8')
    expect(format(text)).toBe(text)
  })

  test('formats JSON as JSON', () => {
    const text = format('{"organizations": {"acme": {}}, "version": 1}')
    expect(text).toBe('{\n  "version": 1,\n  "organizations": {\n    "acme": {}\n  }\n}\n')
  })

  test('keeps the order of members where aliases need it', () => {
    const text = 'version: 1\norganizations:\n  acme: &it {}\n  beta: *it\naudience: a\n'
    expect(format(text)).toBe('version: 1\n\norganizations:\n  acme: &it {}\n  beta: *it\n\naudience: a\n')
  })

  test('breaks long lists and leaves long names in one piece', () => {
    const name = `CN=${'Some Very Long Name '.repeat(8)}`.trim()
    const text = POLICY.replace(
      '[acme-admins]',
      `[${Array.from({ length: 12 }, () => 'acme-admins')}, ${name.replaceAll(',', '')}]`,
    )
    const formatted = format(text)
    expect(formatted).toContain(`          - ${name}\n`)
    expect(formatted).toContain('          - acme-admins\n')
  })

  test('ends lines as Unix does', () => {
    expect(format(TIDY.replaceAll('\n', '\r\n'))).toBe(TIDY)
  })

  const slug = fc.stringMatching(/^[a-z][a-z0-9]{0,7}$/)
  const text = fc.oneof(
    fc.stringMatching(/^[A-Za-z0-9][A-Za-z0-9 _./:=,@#'"-]{0,30}$/),
    fc.string({ minLength: 1, maxLength: 20, unit: 'grapheme' }),
    fc.constantFrom(
      'true',
      '1',
      'null',
      '~',
      '- a',
      'a: b',
      '# a',
      'a #b',
      ' a',
      'a\nb',
      '[a',
      '*a',
      '&a',
      '%',
    ),
  )
  const mapping = (roleName: string) =>
    fc.record(
      {
        roleName: fc.constant(roleName),
        idpGroups: fc.array(text, { minLength: 1, maxLength: 6 }),
        ignoreCase: fc.constant(true),
        when: fc.array(fc.record({ claim: slug, equals: fc.oneof(text, fc.integer(), fc.boolean()) }), {
          minLength: 1,
          maxLength: 2,
        }),
      },
      { requiredKeys: ['roleName', 'idpGroups'] },
    )
  const mappings = (roleName: string) => fc.array(mapping(roleName), { maxLength: 3 })
  const project = fc.record(
    { displayName: text, idpGroupMappings: mappings('GROUP_OWNER') },
    { requiredKeys: [] },
  )
  const organization = fc.record(
    {
      displayName: text,
      idpGroupMappings: mappings('ORG_OWNER'),
      projects: fc.dictionary(slug, project, { maxKeys: 3 }),
    },
    { requiredKeys: [] },
  )
  const document = fc.record(
    {
      version: fc.constant(1),
      audience: text,
      roles: fc.dictionary(
        fc.stringMatching(/^[A-Z]{1,5}$/),
        fc.record({ level: fc.constant('global'), description: text, permissions: fc.constant(['a.b']) }),
        { maxKeys: 2 },
      ),
      idpGroupMappings: mappings('GLOBAL_OWNER'),
      organizations: fc.dictionary(slug, organization, { maxKeys: 3 }),
      tests: fc.constant([]),
    },
    { requiredKeys: ['version'] },
  )
  const written = fc
    .tuple(document, fc.array(fc.nat(1000), { minLength: 1, maxLength: 200 }))
    .map(([value, choices]) => writeSomehow(value, choices))

  test('is idempotent, keeps comments, and changes nothing that a policy says', () => {
    let refused = 0
    const runs = 300
    fc.assert(
      fc.property(written, ({ text, comments }) => {
        const before = parsePolicy(text, OPTIONS)
        fc.pre(before.ok)
        const formatted = formatPolicy(text, OPTIONS)
        if (!formatted.ok) {
          refused++
          return
        }
        const after = parsePolicy(formatted.text, OPTIONS)
        if (!before.ok || !after.ok) throw new Error('it is a policy no more')
        expect(after.policy).toEqual(before.policy)
        expect(JSON.stringify(compilePolicy(after.policy))).toBe(JSON.stringify(compilePolicy(before.policy)))
        for (const comment of comments) expect(formatted.text).toContain(`#${comment}`)
        expect(format(formatted.text)).toBe(formatted.text)
        expect(formatted.text).not.toMatch(/[ \t]\n|\n\n\n/)
      }),
      { numRuns: runs },
    )
    // It may refuse rather than lose a comment, but hardly ever does.
    expect(refused).toBeLessThan(runs / 100)
  })
})
