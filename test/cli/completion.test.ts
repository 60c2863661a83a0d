// `postern completion`: the scripts, in the shells that are there.
import { spawnSync } from 'node:child_process'
import { describe, expect, test } from 'vitest'
import { file, folder, POLICY, postern, run } from './postern.ts'

const has = (shell: string) => spawnSync(shell, ['--version']).status === 0

async function script(shell: string): Promise<string> {
  const { code, stdout } = await postern(['completion', shell])
  expect(code).toBe(0)
  return file(`completion.${shell}`, stdout)
}

const cases: [words: string[], expected: string[]][] = [
  [[''], ['apply', 'audit', 'completion', 'export', 'plan', 'policy', 'restore-password']],
  [['pol'], ['policy']],
  [
    ['policy', ''],
    ['diff', 'explain', 'fmt', 'lint', 'publish', 'test', 'validate'],
  ],
  [
    ['policy', 'fmt', '--'],
    ['--check', '--help', '--json', '--write'],
  ],
  [['policy', 'explain', '--tok'], ['--token']],
  [['audit', ''], ['verify']],
  [
    ['plan', '--'],
    ['--folder', '--help', '--json', '--organization', '--url'],
  ],
  [['policy', 'validate', 'some'], ['some.yaml']],
  [['policy', 'fmt', '--check', 'some'], ['some.yaml']],
  [
    ['completion', ''],
    ['bash', 'fish', 'zsh'],
  ],
]

describe('bash', () => {
  test.each(cases)('completes %j', async (words, expected) => {
    const name = await script('bash')
    file('some.yaml', POLICY)
    const program = `source ${name}; COMP_WORDS=(postern "$@"); COMP_CWORD=$#; _postern; printf '%s\\n' "\${COMPREPLY[@]}"`
    const { stdout, stderr } = await run('bash', ['--norc', '-c', program, 'bash', ...words])
    expect(stderr).toBe('')
    const found = stdout.split('\n').filter((word) => word !== '')
    // Where a word can be an option as well, options come along.
    expect(found.filter((word) => words.at(-1) !== '' || !word.startsWith('-')).sort()).toEqual(expected)
  })
})

describe.skipIf(!has('fish'))('fish', () => {
  test.each(cases)('completes %j', async (words, expected) => {
    const name = await script('fish')
    file('some.yaml', POLICY)
    const line = ['postern', ...words].join(' ')
    const { stdout } = await run('fish', ['--no-config', '-c', `source ${name}; complete -C '${line}'`])
    const found = stdout.split('\n').flatMap((found) => found.split('\t')[0] || [])
    expect(found.filter((word) => words.at(-1) !== '' || !word.startsWith('-')).sort()).toEqual(expected)
  })
})

describe.skipIf(!has('zsh'))('zsh', () => {
  test('is a script that zsh reads', async () => {
    const name = await script('zsh')
    expect(await run('zsh', ['-n', name], { cwd: folder })).toMatchObject({ code: 0, stderr: '' })
  })
})

test.each(['bash', 'zsh', 'fish'])('%s knows every command', async (shell) => {
  const { stdout } = await postern(['completion', shell])
  for (const word of [
    'validate',
    'test',
    'explain',
    'diff',
    'lint',
    'fmt',
    'completion',
    'publish',
    'apply',
    'verify',
    'principals',
    'strict',
  ]) {
    expect(stdout).toContain(word)
  }
})
