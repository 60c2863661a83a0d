// `postern policy fmt`: the policy as it is written, printed, written back, or only compared.
import { writeFileSync } from 'node:fs'
import type { Command } from 'commander'
import { formatPolicy } from '../policy/format.ts'
import { catalogue } from './embedded.ts'
import { POLICY_FILE, printProblems, readInput, trouble } from './input.ts'
import { EXIT, type ExitCode, type Terminal } from './terminal.ts'

interface Options {
  check?: true
  write?: true
  json?: true
}

export function addFmt(parent: Command, terminal: Terminal): void {
  parent
    .command('fmt')
    .summary('format a policy')
    .description(
      'Formats a policy: members in one order, two spaces of indentation, comments kept. It never changes\n' +
        'what the policy says. The formatted text is printed unless --check or --write says otherwise.',
    )
    .argument('[file]', 'the policy, "-" for standard input', POLICY_FILE)
    .option('--check', 'print nothing but whether the file is formatted')
    .option('--write', 'write the formatted text back into the file')
    .option('--json', 'print one JSON value')
    .addHelpText(
      'after',
      `
Exit codes: 0 fine, 1 the policy is not valid or, with --check, not formatted, 2 the file cannot be read.

Examples:
  $ postern policy fmt
  $ postern policy fmt --write policies/production.yaml
  $ postern policy fmt --check
  $ postern policy fmt - < policy.yaml > formatted.yaml`,
    )
    .action(async (file: string, options: Options) => {
      process.exitCode = await fmt(terminal, file, options)
    })
}

async function fmt(terminal: Terminal, path: string, { check, write, json }: Options): Promise<ExitCode> {
  if (check && write) return trouble(terminal, '--check and --write exclude each other.').code
  if (write && path === '-') return trouble(terminal, '--write needs a file to write to.').code
  const read = await readInput(terminal, path)
  if (!read.ok) return read.code
  const { text, file } = read
  const formatted = formatPolicy(text, { file, catalogue })
  if (!formatted.ok) return printProblems(terminal, file, formatted.problems, { json: json ?? false })
  const changed = formatted.text !== text
  if (write && changed) {
    try {
      writeFileSync(path, formatted.text)
    } catch (error) {
      return trouble(terminal, `${file} cannot be written: ${(error as Error).message}.`).code
    }
  }
  if (json)
    terminal.printJson({ file, formatted: !changed, ...(check || write ? {} : { text: formatted.text }) })
  else if (check) terminal.print(changed ? `${file} is not formatted.` : `${file} is formatted.`)
  else if (write) terminal.note(changed ? `${file} is formatted now.` : `${file} was formatted already.`)
  else terminal.write(formatted.text)
  return check && changed ? EXIT.no : EXIT.fine
}
