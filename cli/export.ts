// `postern export`: writes what the server's organizations hold into declared files, which "postern apply" reads.
import type { Command } from 'commander'
import type { Organization } from '../policy/schema.ts'
import { type Written, writeDeclared } from './declared.ts'
import { trouble } from './input.ts'
import {
  addServerOptions,
  explainProblem,
  openServer,
  SERVER_HELP,
  type ServerOptions,
  talking,
} from './server.ts'
import { type Colour, count, EXIT, type ExitCode, type Terminal } from './terminal.ts'

interface Options extends ServerOptions {
  directory: string
  organization: string[]
  json?: true
}

const append = (value: string, values: string[]) => [...values, value]

export function addExport(program: Command, terminal: Terminal): void {
  const command = program
    .command('export')
    .summary('write what the server holds into declared files')
    .description(
      'Writes a file for each organization that you may read: what the API holds of it, not what the policy says.\n' +
        'A file that says the same already stays as it is, with its comments.',
    )
    .requiredOption('-d, --directory <folder>', 'the folder to write to; made where it is not there')
  addServerOptions(command)
    .option('--organization <slug>', 'only this one; can be given several times', append, [])
    .option('--json', 'print one JSON value')
    .addHelpText(
      'after',
      `${SERVER_HELP}
Exit codes: 0 written, 2 it could not be read or written.

Examples:
  $ postern export -d organizations
  $ postern export -d organizations --organization acme`,
    )
    .action(async (options: Options) => {
      process.exitCode = await talking(terminal, () => exportAll(terminal, options))
    })
}

const COLOURS: Record<Written, Colour> = { created: 'green', changed: 'yellow', unchanged: 'dim' }

async function exportAll(terminal: Terminal, options: Options): Promise<ExitCode> {
  const server = openServer(terminal, options)
  if (!server.ok) return server.code
  const { client } = server
  const slugs = [...options.organization]
  if (slugs.length === 0) {
    for await (const page of client.pages('organizations.list', { query: { limit: 500 } })) {
      if (!page.ok) return explainProblem(terminal, page.problem, options)
      slugs.push(...page.body.items.map(({ slug }) => slug))
    }
  }
  const files: { organization: string; file: string; written: Written }[] = []
  let empty = 0
  for (const [index, slug] of slugs.sort().entries()) {
    terminal.progress(`Reading ${slug} (${index + 1} of ${slugs.length})`)
    const answer = await client.call('organizations.export', { params: { organization: slug } })
    if (!answer.ok) {
      terminal.progress(null)
      return explainProblem(terminal, answer.problem, options)
    }
    // The policy alone knows it, so there is nothing to declare.
    if (answer.etag === '"0"') {
      empty += 1
      continue
    }
    try {
      files.push({
        organization: slug,
        ...writeDeclared(options.directory, slug, answer.body as Organization),
      })
    } catch (error) {
      return trouble(terminal, `${options.directory} cannot be written: ${(error as Error).message}.`).code
    }
  }
  terminal.progress(null)
  if (options.json) terminal.printJson({ files })
  else {
    for (const { file, written } of files)
      terminal.print(`${terminal.paint(COLOURS[written], written)} ${file}`)
    if (empty > 0) terminal.note(`${count(empty, 'organization')} of the policy alone: nothing to write.`)
  }
  return EXIT.fine
}
