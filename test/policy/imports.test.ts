// Imports go one way. The rules are import-rules.ts's; here they meet the project's own files, and made-up
// ones that break each of them.
import { readdirSync } from 'node:fs'
import ts from 'typescript'
import { describe, expect, test } from 'vitest'
import { brokenImports, type ImportGraph } from './import-rules.ts'
import { ROOT, readProjectFile } from './policies.ts'
import { diagnose, importsOf, parseSource } from './typescript.ts'

const NOT_OURS = /^(?:node_modules|dist|docs|\..*)$/
const SOURCE = /\.(?:ts|mts|js|mjs|svelte)$/

/** Every source file of the project, as a path from its root. */
function sourceFiles(): string[] {
  return readdirSync(ROOT, { withFileTypes: true })
    .filter(({ name }) => !NOT_OURS.test(name))
    .flatMap((entry) =>
      entry.isDirectory()
        ? readdirSync(`${ROOT}/${entry.name}`, { recursive: true, encoding: 'utf8' }).map(
            (name) => `${entry.name}/${name.replaceAll('\\', '/')}`,
          )
        : [entry.name],
    )
    .filter((file) => SOURCE.test(file) && !file.includes('/node_modules/'))
}

/** In a Svelte component the imports stand in its scripts. */
function scriptOf(file: string, text: string): string {
  if (!file.endsWith('.svelte')) return text
  return [...text.matchAll(/<script[^>]*>([\s\S]*?)<\/script>/g)].map(([, script]) => script).join('\n')
}

function graphOf(files: Record<string, string>): ImportGraph {
  return Object.fromEntries(
    Object.entries(files).map(([file, text]) => [file, importsOf(scriptOf(file, text))]),
  )
}

describe('the imports of the project', () => {
  const files = sourceFiles()

  test('are found', () => {
    expect(files).toContain('policy/decide.ts')
    expect(files).toContain('worker/keys/source.ts')
    expect(importsOf(readProjectFile('worker/entry.ts')).map(({ specifier }) => specifier)).toContain(
      './gateway.ts',
    )
  })

  test('go one way, without cycles', () => {
    expect(
      brokenImports(graphOf(Object.fromEntries(files.map((file) => [file, readProjectFile(file)])))),
    ).toEqual([])
  })
})

describe('the rules refuse', () => {
  const shouldRefuse: [name: string, files: Record<string, string>, expected: RegExp][] = [
    [
      'policy using the worker',
      { 'policy/a.ts': "import '../worker/clock.ts'" },
      /policy\/ may not use worker/,
    ],
    ['policy using Node', { 'policy/a.ts': "import { join } from 'node:path'" }, /no such package/],
    [
      'policy using a package by its types',
      { 'policy/a.ts': "import type { JWK } from 'jose'" },
      /no such package/,
    ],
    ['policy using part of a package', { 'policy/a.ts': "import { z } from 'zod/mini'" }, /no such package/],
    [
      'yaml where documents are not read or written',
      { 'policy/check.ts': "import { parse } from 'yaml'" },
      /only policy\/document\.ts and policy\/format\.ts may/,
    ],
    ['web using the worker', { 'web/a.ts': "import '../worker/clock.ts'" }, /web\/ may not use worker/],
    [
      'web using the types of the worker',
      { 'web/a.ts': "import type { A } from '../worker/answers.ts'" },
      /may not/,
    ],
    [
      'a component using the worker',
      { 'web/A.svelte': `<script lang="ts">import '../worker/clock.ts'</script>` },
      /may not/,
    ],
    [
      'the worker using web',
      { 'worker/path.ts': "export * from '../web/api.ts'" },
      /worker\/ may not use web/,
    ],
    ['cli using the worker', { 'cli/a.ts': "import '../worker/clock.ts'" }, /cli\/ may not use worker/],
    ['production using test', { 'worker/path.ts': "import '../test/support/tokens.ts'" }, /may not use test/],
    ['production using demo', { 'cli/a.ts': "await import('../demo/names.ts')" }, /may not use demo/],
    ['production using bench', { 'policy/a.ts': "import '../bench/load.ts'" }, /may not use bench/],
    ['production using tools', { 'worker/path.ts': "import '../tools/build.ts'" }, /may not use tools/],
    [
      'production using a file of the root',
      { 'worker/path.ts': "import '../vitest.config.ts'" },
      /may not use/,
    ],
    ['tools using the worker', { 'tools/a.ts': "import '../worker/entry.ts'" }, /tools\/ may not use worker/],
    ['keys using tokens', { 'worker/keys/source.ts': "import '../tokens/verify.ts'" }, /upwards/],
    ['tokens using the pipeline', { 'worker/tokens/a.ts': "import { admit } from '../admit.ts'" }, /upwards/],
    [
      'the pipeline using a surface',
      { 'worker/admit.ts': "export { gateway } from './gateway.ts'" },
      /upwards/,
    ],
    ['a surface using the entry', { 'worker/rpc.ts': "import type { A } from './entry.ts'" }, /upwards/],
    [
      'the ground using keys',
      { 'worker/memory.ts': "type A = import('./keys/source.ts').HeldKeys" },
      /upwards/,
    ],
    [
      'the environment using a value of a Durable Object',
      { 'worker/environment.ts': "import { IssuerObject } from './keys/issuer-object.ts'" },
      /upwards/,
    ],
    [
      'the environment loading a Durable Object for its type',
      { 'worker/environment.ts': "import { type IssuerObject } from './keys/issuer-object.ts'" },
      /upwards/,
    ],
    [
      'the environment using the types of another file of keys/',
      { 'worker/environment.ts': "import type { HeldKeys } from './keys/source.ts'" },
      /upwards/,
    ],
    ['a file of worker/ without a level', { 'worker/utils.ts': '' }, /no level/],
    ['a folder without a rule', { 'lib/a.ts': '' }, /without a rule/],
    ['an absolute path', { 'demo/a.ts': "import '/etc/a.ts'" }, /absolute path/],
    [
      'a cycle',
      {
        'worker/keys/a.ts': "import './b.ts'",
        'worker/keys/b.ts': "import './c.ts'",
        'worker/keys/c.ts': "export * from './a.ts'",
      },
      /cycle: worker\/keys\/a\.ts -> worker\/keys\/b\.ts -> worker\/keys\/c\.ts -> worker\/keys\/a\.ts/,
    ],
    ['a file that imports itself', { 'demo/a.ts': "import './a.ts'" }, /cycle/],
  ]
  test.each(shouldRefuse)('%s', (_name, files, expected) => {
    const broken = brokenImports(graphOf(files))
    expect(broken).toHaveLength(1)
    expect(broken[0]).toMatch(expected)
  })
})

describe('the rules allow', () => {
  const shouldAllow: [name: string, files: Record<string, string>][] = [
    ['zod anywhere in policy/', { 'policy/a.ts': "import { z } from 'zod'" }],
    ['yaml in document.ts', { 'policy/document.ts': "import { parse } from 'yaml'" }],
    [
      'policy for all',
      { 'web/a.ts': "import '../policy/decide.ts'", 'cli/a.ts': "import '../policy/decide.ts'" },
    ],
    ['policy for tools', { 'tools/a.ts': "import '../policy/compile.ts'" }],
    ['the worker for the support of its tests', { 'test/support/a.ts': "import '../../worker/entry.ts'" }],
    ['the same level', { 'worker/keys/a.ts': "import './b.ts'" }],
    ['two levels down', { 'worker/admit.ts': "import './keys/source.ts'" }],
    [
      'the class of a Durable Object as the type of its binding',
      { 'worker/environment.ts': "import type { IssuerObject } from './keys/issuer-object.ts'" },
    ],
    [
      'a cycle of types',
      { 'policy/a.ts': "import type { B } from './b.ts'", 'policy/b.ts': "import './a.ts'" },
    ],
  ]
  test.each(shouldAllow)('%s', (_name, files) => expect(brokenImports(graphOf(files))).toEqual([]))
})

describe('policy/ is pure', () => {
  const platform = [
    'fetch',
    'crypto',
    'URL',
    'process',
    'console',
    'setTimeout',
    'Response',
    'Buffer',
    'navigator',
  ]
  const nameOf = (name: string) => `policy/uses-${name}.ts`
  const snippets = Object.fromEntries(platform.map((name) => [nameOf(name), `export const it = ${name}\n`]))
  const pure = { 'policy/uses-nothing.ts': 'export const it: number | undefined = [1].at(0)\n' }
  const diagnoses = diagnose('policy/tsconfig.json', { ...snippets, ...pure })

  test.each(platform)('%s does not compile there', (name) => {
    const found = diagnoses.filter(({ file }) => file === nameOf(name))
    expect(found).toHaveLength(1)
    expect(found[0]?.message).toMatch(new RegExp(`^Cannot find name '${name}'`))
  })

  test('the language itself does', () => {
    expect(diagnoses.filter(({ file }) => !Object.hasOwn(snippets, file))).toEqual([])
  })

  // The language brings a clock and chance of its own, which no compiler option takes away.
  test.each(sourceFiles().filter((file) => file.startsWith('policy/')))(
    '%s has no clock and no chance',
    (file) => {
      const found: string[] = []
      const visit = (node: ts.Node): void => {
        if (ts.isIdentifier(node) && ['Date', 'random', 'globalThis', 'Intl'].includes(node.text))
          found.push(node.text)
        ts.forEachChild(node, visit)
      }
      visit(parseSource(readProjectFile(file)))
      expect(found).toEqual([])
    },
  )
})
