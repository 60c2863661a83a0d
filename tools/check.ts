// `npm run check`: types, lint and format, and which module may import which. `--fix` mends what biome can.
import { spawnSync } from 'node:child_process'
import { join } from 'node:path'
import { ROOT } from './build.ts'

const CHECKS: [name: string, command: string, ...args: string[]][] = [
  ['types of policy/', 'tsc', '-p', 'policy/tsconfig.json'],
  ['types of worker/', 'tsc', '-p', 'worker/tsconfig.json'],
  ['types of everything else', 'tsc', '-p', 'tsconfig.json'],
  ['types of the benchmark peers', 'tsc', '-p', 'bench/peers/tsconfig.json'],
  ['types of the test entry', 'tsc', '-p', 'test/support/worker/tsconfig.json'],
  ['lint and format', 'biome', 'check', '--error-on-warnings'],
]

/** Runs every check, each to its end. @returns the names of those that failed. */
export function runChecks(options: { fix: boolean }): { run: number; failed: string[] } {
  const failed = CHECKS.filter(([name, command, ...args]) => {
    const fix = options.fix && command === 'biome' ? ['--write'] : []
    const program = join(ROOT, 'node_modules/.bin', command)
    const { status } = spawnSync(program, [...args, ...fix], {
      cwd: ROOT,
      stdio: ['ignore', 'inherit', 'inherit'],
    })
    console.log(`${status === 0 ? 'ok    ' : 'FAILED'} ${name}`)
    return status !== 0
  })
  return { run: CHECKS.length, failed: failed.map(([name]) => name) }
}

if (import.meta.main) {
  const { failed } = runChecks({ fix: process.argv.includes('--fix') })
  const imports = spawnSync(join(ROOT, 'node_modules/.bin/vitest'), ['run', 'test/policy/imports.test.ts'], {
    cwd: ROOT,
    stdio: ['ignore', 'inherit', 'inherit'],
  })
  process.exit(failed.length > 0 || imports.status !== 0 ? 1 : 0)
}
