// The `postern` command: its commands, its help, and how it ends. What each command does is in its own file.
import { Command, CommanderError } from 'commander'
import { addAudit } from './audit.ts'
import { addCompletion } from './completion.ts'
import { addDiff } from './diff.ts'
import { version } from './embedded.ts'
import { addExplain } from './explain.ts'
import { addExport } from './export.ts'
import { addFmt } from './fmt.ts'
import { addLint } from './lint.ts'
import { addApply, addPlan } from './plan.ts'
import { addPublish } from './publish.ts'
import { addRestorePassword } from './restore-password.ts'
import { createTerminal, EXIT, type Terminal } from './terminal.ts'
import { addTest } from './test.ts'
import { addValidate } from './validate.ts'

function createProgram(terminal: Terminal): Command {
  const program = new Command('postern')
    .description(
      'Postern, an identity-federation gateway: work with its policy, and with what a server holds.',
    )
    .version(version, '-V, --version', 'print the version')
    .exitOverride()
    .showHelpAfterError('Run the command with --help to see how it is used.')
    .addHelpText(
      'after',
      `
Exit codes: 0 fine, 1 the answer is no, 2 the command was used wrongly or something could not be read, written
or reached.

Examples:
  $ postern policy validate
  $ postern policy explain --issuer okta --groups acme-admins --organization acme
  $ postern plan -f organizations --url https://auth.example.com
  $ postern completion bash`,
    )
  const policy = program
    .command('policy')
    .summary('check, test, explain, compare, format and publish a policy')
    .description(
      'Checks, tests, explains, compares, formats and publishes a policy. Each command has its own --help.',
    )
    .addHelpText(
      'after',
      `
Examples:
  $ postern policy validate
  $ postern policy test --json
  $ postern policy fmt --check`,
    )
  addValidate(policy, terminal)
  addTest(policy, terminal)
  addExplain(policy, terminal)
  addDiff(policy, terminal)
  addLint(policy, terminal)
  addFmt(policy, terminal)
  addPublish(policy, terminal)
  addPlan(program, terminal)
  addApply(program, terminal)
  addExport(program, terminal)
  addAudit(program, terminal)
  addRestorePassword(program, terminal)
  addCompletion(program, terminal)
  return program
}

/** Commander throws when it has said why it stops; what it calls an error is a wrong use. */
async function main(terminal: Terminal): Promise<void> {
  try {
    await createProgram(terminal).parseAsync()
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error
    process.exitCode = error.exitCode === 0 ? EXIT.fine : EXIT.trouble
  }
}

await main(createTerminal(process))
