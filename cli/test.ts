// `postern policy test`: runs the tests that stand in the policy and says which fail, and what came instead.
import type { Command } from 'commander'
import { runPolicyTests, type TestResult } from '../policy/policy-tests.ts'
import { describePath } from '../policy/problems.ts'
import { nowOption, secondsNow } from './clock.ts'
import { type OpenedPolicy, openPolicy, POLICY_FILE } from './input.ts'
import { count, EXIT, type ExitCode, type Terminal } from './terminal.ts'

interface Options {
  now?: number
  json?: true
}

export function addTest(parent: Command, terminal: Terminal): void {
  parent
    .command('test')
    .summary('run the tests in a policy')
    .description('Runs the tests that stand in a policy. A policy whose tests fail cannot be published.')
    .argument('[file]', 'the policy, "-" for standard input', POLICY_FILE)
    .addOption(nowOption())
    .option('--json', 'print one JSON value')
    .addHelpText(
      'after',
      `
Exit codes: 0 all pass, 1 a test fails or the policy is not valid, 2 the file cannot be read.

Examples:
  $ postern policy test
  $ postern policy test --now 2027-01-01T00:00:00Z
  $ postern policy test policies/production.yaml --json`,
    )
    .action(async (file: string, options: Options) => {
      process.exitCode = await test(terminal, file, options)
    })
}

async function test(terminal: Terminal, path: string, options: Options): Promise<ExitCode> {
  const opened = await openPolicy(terminal, path, options)
  if (!opened.ok) return opened.code
  const results = runPolicyTests(opened.document, opened.policy, secondsNow(options.now))
  const failed = results.filter(({ passed }) => !passed).length
  if (options.json) {
    const tests = results.map((result) => asJson(opened, result))
    terminal.printJson({ valid: true, file: opened.file, passed: results.length - failed, failed, tests })
  } else {
    for (const result of results) printResult(terminal, opened, result)
    const summary = `${results.length - failed} passed, ${failed} failed`
    if (results.length === 0) terminal.print(`${opened.file} has no tests.`)
    else
      terminal.print(
        `${count(results.length, 'test')}: ${terminal.paint(failed > 0 ? 'red' : 'green', summary)}.`,
      )
  }
  return failed > 0 ? EXIT.no : EXIT.fine
}

function asJson({ locate }: OpenedPolicy, { name, path, passed, checks }: TestResult) {
  const { line, column } = locate(path)
  return {
    name,
    line,
    column,
    passed,
    checks: checks.map((check) => ({ ...check, path: describePath(check.path) })),
  }
}

function printResult(
  terminal: Terminal,
  { positionOf }: OpenedPolicy,
  { name, passed, checks }: TestResult,
): void {
  if (passed) {
    terminal.print(`${terminal.paint('green', 'ok')}     ${name}`)
    return
  }
  terminal.print(`${terminal.paint('red', 'FAILED')} ${terminal.paint('bold', name)}`)
  for (const check of checks) {
    if (check.passed) continue
    terminal.print(`       ${positionOf(check.path)}`)
    terminal.print(`       expected ${check.expected}`)
    terminal.print(`       came     ${check.came}`)
  }
}
