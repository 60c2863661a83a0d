// `postern policy validate`, and what all commands share: reading, help, exit codes, colour.
import { describe, expect, test } from 'vitest'
import { file, folder, POLICY, postern, run } from './postern.ts'

const BROKEN = POLICY.replace('ORG_OWNER', 'ORG_OWNR').replace('https://upstream.example', 'upstream')

describe('validate', () => {
  test('says yes', async () => {
    file('postern.policy.yaml', POLICY)
    const { code, stdout, stderr } = await postern(['policy', 'validate'])
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
    expect(stdout).toBe(
      'postern.policy.yaml is valid: 0 roles, 1 issuer, 1 organization, 1 project, 1 route, 0 tests.\n',
    )
  })

  test('says yes as JSON', async () => {
    const { code, stdout } = await postern(['policy', 'validate', '-', '--json'], { stdin: POLICY })
    expect(code).toBe(0)
    expect(JSON.parse(stdout)).toEqual({
      valid: true,
      file: '<stdin>',
      problems: [],
      counts: { roles: 0, issuers: 1, organizations: 1, projects: 1, routes: 1, tests: 0 },
    })
  })

  test('reads JSON', async () => {
    const { code } = await postern(['policy', 'validate', '-'], { stdin: '{"version": 1}' })
    expect(code).toBe(0)
  })

  test('says no with file, line, column, path and rule', async () => {
    const name = file('broken.yaml', POLICY.replace('ORG_OWNER', 'ORG_OWNR'))
    const { code, stdout, stderr } = await postern(['policy', 'validate', name])
    expect(code).toBe(1)
    expect(stdout).toMatch(
      /^broken\.yaml:12:9: organizations\.acme\.idpGroupMappings\[0\]\.roleName: .*ORG_OWNR.*ORG_OWNER.*\n$/,
    )
    expect(stderr).toBe('broken.yaml is not a valid policy: 1 problem.\n')
  })

  test('says no as JSON', async () => {
    const { code, stdout } = await postern(['policy', 'validate', '-', '--json'], { stdin: BROKEN })
    expect(code).toBe(1)
    const answer = JSON.parse(stdout)
    expect(answer.valid).toBe(false)
    expect(answer.problems[0]).toMatchObject({
      file: '<stdin>',
      line: 24,
      column: 5,
      path: 'routes.read.upstream',
    })
  })

  test('says no to text that is no YAML', async () => {
    const { code, stdout } = await postern(['policy', 'validate', '-'], { stdin: 'version: 1\na: [b' })
    expect(code).toBe(1)
    expect(stdout).toMatch(/^<stdin>:2:\d+: /)
  })
})

const COMMANDS = [
  ['policy', 'validate'],
  ['policy', 'test'],
  ['policy', 'explain', '--issuer', 'okta', '--groups', 'a'],
  ['policy', 'lint'],
  ['policy', 'fmt'],
]

describe.each(COMMANDS)('%s %s', (...command) => {
  test('refuses a policy that is not valid', async () => {
    const { code, stdout, stderr } = await postern([...command, '-'], { stdin: BROKEN })
    expect(code).toBe(1)
    expect(stdout).toMatch(/^<stdin>:24:5: routes\.read\.upstream: must be an origin/)
    expect(stderr).toContain('is not a valid policy')
  })

  test('refuses it as JSON', async () => {
    const { code, stdout } = await postern([...command, '-', '--json'], { stdin: BROKEN })
    expect(code).toBe(1)
    expect(JSON.parse(stdout)).toMatchObject({ valid: false, problems: [{ path: 'routes.read.upstream' }] })
  })

  test.each([
    ['a file that is not there', 'nowhere.yaml', /nowhere\.yaml cannot be read: there is no such file/],
    ['a folder', '.', /it is a folder/],
    ['a device without end', '/dev/zero', /has more than \d+ bytes/],
  ])('cannot read %s', async (_name, path, expected) => {
    const { code, stdout, stderr } = await postern([...command, path])
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' })
    expect(stderr).toMatch(expected)
  })

  test('cannot read what is not UTF-8', async () => {
    const { code, stderr } = await postern([...command, '-'], { stdin: new Uint8Array([0x61, 0xff]) })
    expect(code).toBe(2)
    expect(stderr).toContain('it is not UTF-8 text')
  })
})

describe('help and usage', () => {
  test.each([
    [],
    ['policy'],
    ['policy', 'validate'],
    ['policy', 'test'],
    ['policy', 'explain'],
    ['policy', 'diff'],
    ['policy', 'lint'],
    ['policy', 'fmt'],
    ['completion'],
  ])('postern %s %s --help has examples', async (...command) => {
    const { code, stdout, stderr } = await postern([...command, '--help'])
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
    expect(stdout).toMatch(/^Usage: postern/)
    expect(stdout).toMatch(/\nExamples:\n {2}\$ /)
  })

  test('--version is the package’s', async () => {
    const { default: manifest } = await import('../../package.json', { with: { type: 'json' } })
    expect(await postern(['--version'])).toMatchObject({ code: 0, stdout: `${manifest.version}\n` })
  })

  test.each([
    ['no command', [], /^Usage: /],
    ['no command of policy', ['policy'], /^Usage: /],
    ['an unknown command', ['policy', 'validte'], /unknown command 'validte'\n\(Did you mean validate\?\)/],
    ['an unknown option', ['policy', 'validate', '--jsn'], /unknown option '--jsn'/],
    ['too many arguments', ['policy', 'validate', 'a', 'b'], /too many arguments/],
    ['a missing argument', ['policy', 'diff', 'a'], /missing required argument/],
    ['an unknown shell', ['completion', 'tcsh'], /'tcsh' is invalid/],
  ])('%s is a wrong use', async (_name, args, expected) => {
    const { code, stdout, stderr } = await postern(args)
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' })
    expect(stderr).toMatch(expected)
  })
})

describe('colour', () => {
  const ESCAPE = '\u001b['
  /** Runs the command with a terminal as its output; `script` is part of util-linux. */
  const onTerminal = (env: Record<string, string>) => {
    file('broken.yaml', BROKEN)
    const command = `'${process.execPath}' '${folder}/bin/postern.mjs' policy validate broken.yaml`
    return run('script', ['--quiet', '--return', '--command', command, '/dev/null'], {
      env: { TERM: 'xterm', NO_COLOR: '', ...env },
    })
  }

  test('is there on a terminal', async () => {
    const { code, stdout } = await onTerminal({})
    expect(code).toBe(1)
    expect(stdout).toContain(ESCAPE)
  })

  test('is not there with NO_COLOR', async () => {
    expect((await onTerminal({ NO_COLOR: '1' })).stdout).not.toContain(ESCAPE)
  })

  test('is not there in a pipe', async () => {
    const { stdout, stderr } = await postern(['policy', 'validate', '-'], { stdin: BROKEN })
    expect(stdout + stderr).not.toContain(ESCAPE)
  })
})
