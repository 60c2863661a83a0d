// docs/cli.md: every example in it is run, in order, and must answer what stands there.
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { ROOT } from '../../tools/build.ts'
import { file, folder, run } from './postern.ts'

interface Block {
  language: string
  name: string
  text: string
}

function blocksOf(markdown: string): Block[] {
  return [...markdown.matchAll(/^```(\w+) ?(\S*)\n([\s\S]*?)^```$/gm)].map(([, language, name, text]) => {
    return { language, name, text } as Block
  })
}

/** `$ command` and the lines it prints. */
function examplesOf(text: string): { command: string; printed: string }[] {
  return text.split(/^\$ /m).flatMap((part) => {
    const end = part.indexOf('\n')
    return part === '' ? [] : { command: part.slice(0, end), printed: part.slice(end + 1) }
  })
}

const blocks = blocksOf(readFileSync(join(ROOT, 'docs/cli.md'), 'utf8'))
for (const { name, text } of blocks) if (name !== '') file(name, text)
file('shell', `postern() { '${process.execPath}' '${folder}/bin/postern.mjs' "$@"; }\n`)

const examples = blocks
  .filter(({ language }) => language === 'console')
  .flatMap(({ text }) => examplesOf(text))

test('there are examples', () => expect(examples.length).toBeGreaterThan(5))

test.each(examples)('$command', async ({ command, printed }) => {
  const { stdout, stderr } = await run('bash', ['-c', `source ./shell; ${command}`])
  expect(stdout).toBe(printed)
  // An answer of no may be summed up there; nothing else may.
  expect(stderr.replace(/^.* is not a valid policy: .*\n/, '')).toBe('')
})
