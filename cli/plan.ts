// `postern plan` and `postern apply`: what differs between declared files and the server, and making the server
// what they say. Every organization is one edit; one that is as declared is left alone.
import type { Command } from 'commander'
import { z } from 'zod'
import { answerOf, LINES_MEDIA_TYPE, requestOf } from '../policy/client.ts'
import type { Preview } from '../policy/operations/common.ts'
import { Applied } from '../policy/operations/organizations.ts'
import { ProblemDocument } from '../policy/problem-document.ts'
import { confirmOption, mayGoOn } from './confirm.ts'
import { type Declared, readFolder } from './declared.ts'
import { printProblems, trouble } from './input.ts'
import { linesOf } from './lines.ts'
import { printPreview } from './preview-text.ts'
import {
  addServerOptions,
  explainProblem,
  openServer,
  SERVER_HELP,
  type Server,
  type ServerOptions,
  talking,
  unanswered,
} from './server.ts'
import { count, EXIT, type ExitCode, type Terminal } from './terminal.ts'

interface Options extends ServerOptions {
  folder: string
  organization: string[]
  json?: true
}
interface ApplyOptions extends Options {
  confirm: string[]
  yes?: true
}

const append = (value: string, values: string[]) => [...values, value]

function addFolderOptions(command: Command): Command {
  return addServerOptions(
    command.requiredOption('-f, --folder <folder>', 'the folder with a file for each organization'),
  ).option('--organization <slug>', 'only this one; can be given several times', append, [])
}

export function addPlan(program: Command, terminal: Terminal): void {
  const command = program
    .command('plan')
    .summary('show what differs between declared files and the server')
    .description(
      'Compares the files of a folder, one for each organization (acme.yaml), with the server: what would be\n' +
        'created, changed and deleted, and who would gain and lose what. Changes nothing.',
    )
  addFolderOptions(command)
    .option('--json', 'print one JSON value')
    .addHelpText(
      'after',
      `${SERVER_HELP}
Exit codes: 0 nothing differs, 1 something does or a file is not valid, 2 it could not be compared.

Examples:
  $ postern plan -f organizations
  $ postern plan -f organizations --organization acme --json`,
    )
    .action(async (options: Options) => {
      process.exitCode = await talking(terminal, () => plan(terminal, options))
    })
}

export function addApply(program: Command, terminal: Terminal): void {
  const command = program
    .command('apply')
    .summary('make the server what declared files say')
    .description(
      'Shows what "postern plan" shows, asks, and makes each organization what its file says, in one edit each.\n' +
        'What the file does not name is deleted; organizations without a file stay as they are.',
    )
  addFolderOptions(command)
    .option('--yes', 'do not ask')
    .addOption(confirmOption())
    .option('--json', 'print one JSON value')
    .addHelpText(
      'after',
      `${SERVER_HELP}
Exit codes: 0 all is as declared, 1 not valid or not meant, 2 it could not be done.

Examples:
  $ postern apply -f organizations
  $ postern apply -f organizations --organization acme --yes --confirm deletions`,
    )
    .action(async (options: ApplyOptions) => {
      process.exitCode = await talking(terminal, () => apply(terminal, options))
    })
}

/** What one file would change. */
interface Planned extends Declared {
  etag: string
  preview: Preview
}

type Plans = { ok: true; server: Server; planned: Planned[] } | { ok: false; code: ExitCode }

async function plan(terminal: Terminal, options: Options): Promise<ExitCode> {
  const made = await makePlans(terminal, options)
  if (!made.ok) return made.code
  const differing = made.planned.filter(differs)
  if (options.json)
    terminal.printJson({ differs: differing.length > 0, organizations: made.planned.map(asJson) })
  else printPlans(terminal, made.planned)
  return differing.length > 0 ? EXIT.no : EXIT.fine
}

const differs = ({ preview }: Planned) => preview.changes.length > 0

function asJson(planned: Planned) {
  const { slug, file, preview } = planned
  return { organization: slug, file, differs: differs(planned), preview }
}

async function makePlans(terminal: Terminal, options: Options): Promise<Plans> {
  const server = openServer(terminal, options)
  if (!server.ok) return server
  const read = readFolder(options.folder, options.organization)
  if (!read.ok) {
    if ('message' in read) return trouble(terminal, `${read.message}.`)
    for (const { file, problems } of read.problems) printProblems(terminal, file, problems, options)
    return { ok: false, code: EXIT.no }
  }
  const planned: Planned[] = []
  for (const declared of read.declared) {
    terminal.progress(`Comparing ${declared.slug} (${planned.length + 1} of ${read.declared.length})`)
    const params = { organization: declared.slug }
    const current = await server.client.call('organizations.export', { params })
    // What is not there yet, or what may not be seen: the server says which when it is to be changed.
    if (!current.ok && current.problem.status !== 404)
      return refused(terminal, declared, current.problem, options)
    const etag = current.ok ? (current.etag ?? '"0"') : '"0"'
    const preview = await server.client.preview('organizations.apply', {
      params,
      body: declared.organization,
      ifMatch: etag,
    })
    if (!preview.ok) return refused(terminal, declared, preview.problem, options)
    planned.push({ ...declared, etag, preview: preview.body })
  }
  terminal.progress(null)
  return { ok: true, server, planned }
}

function refused(
  terminal: Terminal,
  { file }: Declared,
  problem: ProblemDocument,
  options: { json?: true },
): { ok: false; code: ExitCode } {
  terminal.progress(null)
  terminal.note(`${file}:`)
  return { ok: false, code: explainProblem(terminal, problem, options) }
}

function printPlans(terminal: Terminal, planned: readonly Planned[]): void {
  for (const one of planned.filter(differs)) {
    terminal.print(terminal.paint('bold', `${one.slug} (${one.file})`))
    printPreview(terminal, one.preview)
  }
  const differing = planned.filter(differs).length
  const same = planned.length - differing
  terminal.print(`${count(differing, 'organization')} to change, ${same} as declared.`)
}

async function apply(terminal: Terminal, options: ApplyOptions): Promise<ExitCode> {
  const made = await makePlans(terminal, options)
  if (!made.ok) return made.code
  const { server, planned } = made
  const differing = planned.filter(differs)
  if (!options.json) printPlans(terminal, planned)
  if (differing.length === 0) {
    if (options.json) terminal.printJson({ applied: [] })
    return EXIT.fine
  }
  const toConfirm = [...new Set(differing.flatMap(({ preview }) => preview.toConfirm))]
  const going = await mayGoOn(terminal, 'Apply it?', toConfirm, options)
  if (!going.ok) return going.code
  const applied: z.infer<typeof Applied>[] = []
  for (const one of differing) {
    const result = await applyOne(terminal, server, one, going.confirmed)
    if (!result.ok) {
      if (options.json) terminal.printJson({ applied, problem: result.problem })
      else if (applied.length > 0)
        terminal.note(`Applied before: ${applied.map((done) => done.organization).join(', ')}.`)
      return refused(terminal, one, result.problem, {}).code
    }
    applied.push(result.applied)
    if (!options.json) terminal.print(saidOf(result.applied))
  }
  if (options.json) terminal.printJson({ applied })
  return EXIT.fine
}

function saidOf({ organization, created, changed, deleted, unchanged }: z.infer<typeof Applied>): string {
  if (unchanged) return `${organization} was as declared meanwhile.`
  const counts = [`${created.length} created`, `${changed.length} changed`, `${deleted.length} deleted`]
  return `${organization}: ${counts.join(', ')}.`
}

const Line = z.union([
  z.object({ progress: z.object({ stage: z.string(), done: z.number(), total: z.number() }) }),
  z.object({ result: Applied }),
  z.object({ problem: ProblemDocument }),
])

type AppliedOne = { ok: true; applied: z.infer<typeof Applied> } | { ok: false; problem: ProblemDocument }

async function applyOne(
  terminal: Terminal,
  server: Server,
  { slug, organization, etag }: Planned,
  confirmed: readonly string[],
): Promise<AppliedOne> {
  const response = await server.open(
    requestOf('organizations.apply', {
      params: { organization: slug },
      query: confirmed.length > 0 ? { confirm: confirmed.join(',') } : {},
      body: organization,
      ifMatch: etag,
      prefer: 'wait',
      accept: LINES_MEDIA_TYPE,
    }),
  )
  if (!response.ok) {
    const { status, headers } = response
    const answer = answerOf({ status, text: await response.text(), header: (name) => headers.get(name) })
    if (!answer.ok) return answer
  }
  for await (const text of linesOf(response)) {
    if (text === '') continue
    const line = Line.parse(JSON.parse(text))
    if ('progress' in line) {
      const { stage, done, total } = line.progress
      terminal.progress(`${slug}: ${stage} ${total > 1 ? `${done} of ${total}` : ''}`)
      continue
    }
    terminal.progress(null)
    return 'result' in line ? { ok: true, applied: line.result } : { ok: false, problem: line.problem }
  }
  // It may have been saved all the same; the next plan tells.
  throw unanswered(`the answer for ${slug} ended without a result; run "postern plan" to see where it is`)
}
