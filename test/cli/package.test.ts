// The packed project as users get it: npm packs it, installs it globally and runs it by npx, with the Node that
// is on the machine. Nothing comes along that the one file does not hold.
import { copyFileSync, existsSync, mkdirSync, readdirSync } from 'node:fs'
import { delimiter, join } from 'node:path'
import { beforeAll, describe, expect, test } from 'vitest'
import { ROOT } from '../../tools/build.ts'
import { file, folder, POLICY, run } from './postern.ts'

const PATH = (process.env.PATH ?? '')
  .split(delimiter)
  .filter((path) => !path.includes('node_modules'))
  .join(delimiter)
/** No setting of an npm that runs these tests may reach the one that is tested. */
const env = {
  ...Object.fromEntries(
    Object.keys(process.env).flatMap((name) => (/^npm_/i.test(name) ? [[name, '']] : [])),
  ),
  PATH,
  npm_config_cache: join(folder, 'cache'),
  npm_config_audit: 'false',
  npm_config_fund: 'false',
  npm_config_update_notifier: 'false',
}
const prefix = join(folder, 'global')
let packed: { filename: string; files: { path: string }[] }
let tarball = ''

beforeAll(async () => {
  const pack = await run('npm', ['pack', '--json', '--pack-destination', folder], { cwd: ROOT, env })
  expect(pack).toMatchObject({ code: 0 })
  packed = JSON.parse(pack.stdout.slice(pack.stdout.indexOf('[\n')))[0]
  tarball = join(folder, packed.filename)
  file('postern.policy.yaml', POLICY)
}, 180_000)

/** Every command once, so that nothing in any of them asks for a newer Node or another package. */
const commands: [args: string[], expected: RegExp][] = [
  [['--version'], /^\d+\.\d+\.\d+\n$/],
  [['policy', 'validate'], /is valid/],
  [['policy', 'test'], /has no tests/],
  [['policy', 'lint'], /0 errors/],
  [['policy', 'fmt'], /^version: 1\n/],
  [['policy', 'diff', 'postern.policy.yaml', 'postern.policy.yaml'], /say the same/],
  [['policy', 'explain', '--groups', 'acme-admins', '--organization', 'acme'], /ORG_OWNER/],
  [['completion', 'bash'], /complete -F _postern postern/],
]

describe('the packed project', () => {
  test('holds the command and how to use it, nothing else', () => {
    expect(packed.files.map(({ path }) => path).sort()).toEqual([
      'README.md',
      'dist/cli/postern.js',
      'docs/cli.md',
      'package.json',
    ])
  })

  test('installs globally, without any other package', async () => {
    const install = await run('npm', ['install', '--global', '--prefix', prefix, tarball], { env })
    expect(install).toMatchObject({ code: 0 })
    expect(readdirSync(join(prefix, 'lib/node_modules'))).toEqual(['postern'])
    expect(existsSync(join(prefix, 'lib/node_modules/postern/node_modules'))).toBe(false)
    for (const [args, expected] of commands) {
      const { code, stdout, stderr } = await run(join(prefix, 'bin/postern'), args, { env })
      expect({ args, code, stderr }).toEqual({ args, code: 0, stderr: '' })
      expect(stdout).toMatch(expected)
    }
  }, 180_000)

  test('runs by npx', async () => {
    const args = ['--yes', `--package=${tarball}`, '--', 'postern', 'policy', 'validate', '-']
    const { code, stdout } = await run('npx', args, { env, stdin: POLICY })
    expect(code).toBe(0)
    expect(stdout).toMatch(/^<stdin> is valid/)
  }, 180_000)

  test('is one file that runs wherever it lies', async () => {
    const alone = join(folder, 'alone')
    mkdirSync(alone)
    copyFileSync(join(prefix, 'lib/node_modules/postern/dist/cli/postern.js'), join(alone, 'postern.mjs'))
    const { code, stdout } = await run(join(alone, 'postern.mjs'), ['policy', 'validate', '-'], {
      env,
      cwd: alone,
      stdin: POLICY,
    })
    expect({ code, stdout }).toEqual({ code: 0, stdout: expect.stringMatching(/is valid/) })
  })
})
