// docs/policy.md says what is so: every example in it is a policy that is accepted and whose tests pass, or one
// that is refused with exactly the message shown under it; and its table of presets is that of presets.ts.
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { compilePolicy } from '../../policy/compile.ts'
import { describeProblems } from '../../policy/document.ts'
import { loadPolicy } from '../../policy/loaded.ts'
import { runPolicyTests } from '../../policy/policy-tests.ts'
import { claimsOf, groupsOf } from '../../policy/presets.ts'
import { Preset } from '../../policy/schema-issuer.ts'
import { documentOf, NOW, ROOT, readProjectFile } from './policies.ts'
import { problemsOf } from './texts.ts'

const TEXT = readProjectFile('docs/policy.md')

interface Block {
  kind: string
  text: string
  /** The heading it stands under. */
  under: string
}

function blocksOf(markdown: string): Block[] {
  const blocks: Block[] = []
  let under = ''
  for (const part of markdown.matchAll(/^#+ (.*)$|^```(.*)\n([\s\S]*?)^```$/gm)) {
    const [, heading, kind, text] = part
    if (heading !== undefined && kind === undefined) under = heading
    else blocks.push({ kind: kind as string, text: text as string, under })
  }
  return blocks
}

const blocks = blocksOf(TEXT)
const policies = blocks.filter(({ kind }) => kind === 'yaml policy')
const refused = blocks.flatMap((block, index) =>
  block.kind === 'yaml refused' ? [{ ...block, shown: blocks[index + 1] }] : [],
)

describe('docs/policy.md', () => {
  test('has no example that is not run', () => {
    const kinds = new Set(blocks.map(({ kind }) => kind))
    expect([...kinds].sort()).toEqual(['text', 'yaml policy', 'yaml refused'])
    expect(blocks.filter(({ kind }) => kind === 'text')).toHaveLength(refused.length)
    expect(policies.length).toBeGreaterThanOrEqual(7)
  })

  test.each(policies)('is right about "$under"', ({ text }) => {
    const document = documentOf(text)
    expect(document.tests.length).toBeGreaterThan(0)
    const results = runPolicyTests(document, loadPolicy(compilePolicy(document)), NOW)
    expect(results.flatMap(({ name, checks }) => checks.map((check) => ({ name, ...check })))).toEqual(
      results.flatMap(({ name, checks }) =>
        checks.map(() => expect.objectContaining({ name, passed: true })),
      ),
    )
  })

  test.each(refused)('shows what is refused under "$under"', ({ text, shown }) => {
    expect(shown).toMatchObject({ kind: 'text', text: `${describeProblems(problemsOf(text))}\n` })
  })

  test('has each preset in its table, with the claims it reads', () => {
    const rows = [...TEXT.matchAll(/^\| `([a-z0-9-]+)` +\| (.+?) +\| (.+?) +\| (.+?) +\|$/gm)]
    expect(rows.map(([, name]) => name)).toEqual(Preset.options)
    for (const [, name, subject, userName, groups] of rows) {
      const preset = name as Preset
      expect(subject).toBe(`\`${claimsOf(preset, {}).subject.join('.')}\``)
      const claim = groupsOf(preset, undefined)?.claim.join('.') ?? null
      // Kubernetes has both inside one claim, which the table says in words; SPIFFE has no name but the subject.
      if (preset === 'kubernetes') expect(groups).toMatch(/namespace/)
      else expect(groups).toMatch(claim === null ? /^none/ : new RegExp(`^\`${claim}\``))
      if (preset !== 'kubernetes' && preset !== 'spiffe')
        expect(userName).toBe(`\`${claimsOf(preset, {}).userName.join('.')}\``)
    }
  })

  test('links to what is there', () => {
    const links = [...TEXT.matchAll(/\]\(([^)#]+)\)/g)].map(([, link]) => link as string)
    expect(links.length).toBeGreaterThan(0)
    for (const link of links) expect(existsSync(join(ROOT, 'docs', link)), link).toBe(true)
  })
})
