// `postern policy validate`: is the file a policy, and if not, what is wrong with it and where.
import type { Command } from 'commander'
import type { PolicyDocument } from '../policy/schema.ts'
import { openPolicy, POLICY_FILE } from './input.ts'
import { count, EXIT, type ExitCode, type Terminal } from './terminal.ts'

export function addValidate(parent: Command, terminal: Terminal): void {
  parent
    .command('validate')
    .summary('say whether a policy is valid')
    .description(
      'Says whether a policy is valid, and what is wrong with it: file:line:column: path: message.',
    )
    .argument('[file]', 'the policy, "-" for standard input', POLICY_FILE)
    .option('--json', 'print one JSON value')
    .addHelpText(
      'after',
      `
Exit codes: 0 valid, 1 not valid, 2 the file cannot be read.

Examples:
  $ postern policy validate
  $ postern policy validate policies/production.yaml
  $ git show HEAD:postern.policy.yaml | postern policy validate - --json`,
    )
    .action(async (file: string, options: { json?: true }) => {
      process.exitCode = await validate(terminal, file, options)
    })
}

async function validate(terminal: Terminal, path: string, options: { json?: true }): Promise<ExitCode> {
  const opened = await openPolicy(terminal, path, options)
  if (!opened.ok) return opened.code
  const { file, document, ownRoles } = opened
  const counts = countsOf(document, ownRoles)
  if (options.json) {
    terminal.printJson({ valid: true, file, problems: [], counts })
    return EXIT.fine
  }
  const parts = Object.entries(counts).map(([plural, number]) => count(number, plural.slice(0, -1), plural))
  terminal.print(`${terminal.paint('green', `${file} is valid`)}: ${parts.join(', ')}.`)
  return EXIT.fine
}

function countsOf({ issuers, organizations, routes, tests }: PolicyDocument, ownRoles: readonly string[]) {
  const owners = Object.values(organizations)
  const sum = (numbers: number[]) => numbers.reduce((total, number) => total + number, 0)
  return {
    roles: ownRoles.length,
    issuers: sum(
      [issuers, ...owners.map((owner) => owner.issuers)].map((records) => Object.keys(records).length),
    ),
    organizations: owners.length,
    projects: sum(owners.map(({ projects }) => Object.keys(projects).length)),
    routes: Object.keys(routes).length,
    tests: tests.length,
  }
}
