// `postern policy lint`: what a sound policy most likely does not mean, with its position.
import type { Command } from 'commander'
import { lintPolicy, WARNINGS, type Warning } from '../policy/lint.ts'
import { describePath } from '../policy/problems.ts'
import { nowOption, secondsNow } from './clock.ts'
import { type OpenedPolicy, openPolicy, POLICY_FILE } from './input.ts'
import { type Colour, count, EXIT, type ExitCode, type Terminal } from './terminal.ts'

interface Options {
  gatewayHost: string[]
  strict?: true
  now?: number
  json?: true
}

export function addLint(parent: Command, terminal: Terminal): void {
  parent
    .command('lint')
    .summary('find what a valid policy most likely does not mean')
    .description(
      'Finds what a valid policy most likely does not mean: rules that never match, routes nobody reaches,\n' +
        'roles nobody gets, organizations without an owner.',
    )
    .argument('[file]', 'the policy, "-" for standard input', POLICY_FILE)
    .option('--gateway-host <host>', 'a host of the gateway itself; can be given several times', append, [])
    .option('--strict', 'fail on warnings as well')
    .addOption(nowOption())
    .option('--json', 'print one JSON value')
    .addHelpText(
      'after',
      `
Errors always fail, warnings with --strict, notices never.
Exit codes: 0 fine, 1 not fine or not valid, 2 the file cannot be read.

Examples:
  $ postern policy lint
  $ postern policy lint --strict --gateway-host login.example.com
  $ postern policy lint policies/production.yaml --json`,
    )
    .action(async (file: string, options: Options) => {
      process.exitCode = await lint(terminal, file, options)
    })
}

function append(value: string, values: string[]): string[] {
  return [...values, value]
}

async function lint(terminal: Terminal, path: string, options: Options): Promise<ExitCode> {
  const opened = await openPolicy(terminal, path, options)
  if (!opened.ok) return opened.code
  const { document, ownRoles, file } = opened
  const now = secondsNow(options.now)
  const warnings = lintPolicy(document, { now, ownRoles, gatewayHosts: options.gatewayHost })
  const fails = warnings.some(({ severity }) => {
    return severity === 'error' || (severity === 'warning' && options.strict)
  })
  if (options.json)
    terminal.printJson({ valid: true, file, warnings: warnings.map((one) => asJson(opened, one)) })
  else printWarnings(terminal, opened, warnings)
  return fails ? EXIT.no : EXIT.fine
}

function asJson({ locate }: OpenedPolicy, { code, severity, path, message }: Warning) {
  const { line, column } = locate(path)
  return { code, severity, line, column, path: describePath(path), message, about: WARNINGS[code][1] }
}

const COLOURS: Record<Warning['severity'], Colour> = { error: 'red', warning: 'yellow', notice: 'dim' }

function printWarnings(
  terminal: Terminal,
  { positionOf, file }: OpenedPolicy,
  warnings: readonly Warning[],
): void {
  for (const { code, severity, path, message } of warnings) {
    const where = path.length > 0 ? `${terminal.paint('bold', describePath(path))}: ` : ''
    terminal.print(
      `${positionOf(path)}: ${terminal.paint(COLOURS[severity], severity)}: ${where}${message} [${code}]`,
    )
  }
  const of = (severity: Warning['severity']) => warnings.filter((one) => one.severity === severity).length
  const counts = [count(of('error'), 'error'), count(of('warning'), 'warning'), count(of('notice'), 'notice')]
  terminal.print(`${file}: ${counts.join(', ')}.`)
}
