// `npm test`: the checks, then every tier of tests. Ends with one line that counts all of them.
import { spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { installChromium } from './browser.ts'
import { ROOT } from './build.ts'
import { runChecks } from './check.ts'

const checks = runChecks({ fix: false })
installChromium()

const folder = mkdtempSync(join(tmpdir(), 'postern-test-'))
const report = join(folder, 'report.json')
const vitest = spawnSync(
  join(ROOT, 'node_modules/.bin/vitest'),
  ['run', '--reporter=default', '--reporter=json', `--outputFile.json=${report}`, ...process.argv.slice(2)],
  { cwd: ROOT, stdio: ['ignore', 'inherit', 'inherit'] },
)

let passed = checks.run - checks.failed.length
let failed = checks.failed.length
try {
  const { numPassedTests, numFailedTests } = JSON.parse(readFileSync(report, 'utf8'))
  passed += numPassedTests
  failed += numFailedTests
} catch {
  console.error('The tests left no report; the lines above say why.')
}
rmSync(folder, { recursive: true })
// A file that fails before its first test, or an error outside of any, is counted by vitest's exit code only.
if (vitest.status !== 0 && failed === 0) failed = 1
console.log(`${passed} passed, ${failed} failed`)
process.exit(failed > 0 ? 1 : 0)
