// `postern policy publish`: shows what a policy would change on the server, and publishes it when that is meant.
import type { Command } from 'commander'
import type { Preview } from '../policy/operations/common.ts'
import { checkPublishable } from '../policy/policy-tests.ts'
import { secondsNow } from './clock.ts'
import { confirmOption, mayGoOn } from './confirm.ts'
import { openPolicy, POLICY_FILE, printProblems, readInput, trouble } from './input.ts'
import { printPreview } from './preview-text.ts'
import {
  addServerOptions,
  explainProblem,
  openServer,
  SERVER_HELP,
  type ServerOptions,
  talking,
} from './server.ts'
import { EXIT, type ExitCode, type Terminal } from './terminal.ts'

interface Options extends ServerOptions {
  confirm: string[]
  dryRun?: true
  yes?: true
  json?: true
}

export function addPublish(parent: Command, terminal: Terminal): void {
  const command = parent
    .command('publish')
    .summary('make a policy the one in force')
    .description(
      'Checks a policy, shows what it would change on the server and for whom, asks, and publishes it. Nothing\n' +
        'is published over a version that was not looked at.',
    )
    .argument('[file]', 'the policy', POLICY_FILE)
  addServerOptions(command)
    .option('--dry-run', 'show what it would change, and no more')
    .option('--yes', 'do not ask')
    .addOption(confirmOption())
    .option('--json', 'print one JSON value')
    .addHelpText(
      'after',
      `${SERVER_HELP}
Exit codes: 0 published, or nothing to publish, 1 not valid or not meant, 2 it could not be done.

Examples:
  $ postern policy publish --url https://auth.example.com
  $ postern policy publish --dry-run
  $ postern policy publish policies/production.yaml --yes --json`,
    )
    .action(async (file: string, options: Options) => {
      process.exitCode = await talking(terminal, () => publish(terminal, file, options))
    })
}

async function publish(terminal: Terminal, path: string, options: Options): Promise<ExitCode> {
  const { json, dryRun } = options
  const read = await readInput(terminal, path)
  if (!read.ok) return read.code
  const opened = await openPolicy(terminal, read, options)
  if (!opened.ok) return opened.code
  const failed = checkPublishable(opened.document, secondsNow(undefined))
  if (failed.length > 0) {
    const problems = failed.map((fault) => ({ ...opened.locate(fault.path), ...fault }))
    return printProblems(terminal, opened.file, problems, options)
  }
  const server = openServer(terminal, options)
  if (!server.ok) return server.code
  const { client, origin } = server
  const current = await client.call('policy.get')
  if (!current.ok) return explainProblem(terminal, current.problem, options)
  const { source, locked, version } = current.body
  if (locked) return trouble(terminal, `the policy of ${origin} is managed in ${locked.place}.`).code
  if (source === read.text) {
    if (json) terminal.printJson({ published: false, unchanged: true, version })
    else terminal.print(`${origin} has this policy already, as version ${version}.`)
    return EXIT.fine
  }
  const given = { body: { source: read.text }, ifMatch: current.etag ?? version }
  const preview = await client.preview('policy.put', given)
  if (!preview.ok) return explainProblem(terminal, preview.problem, options)
  if (!json) printChange(terminal, preview.body, `version ${version} of ${origin}`)
  if (dryRun) {
    if (json) terminal.printJson({ published: false, version, preview: preview.body })
    return EXIT.fine
  }
  const going = await mayGoOn(terminal, 'Publish it?', preview.body.toConfirm, options)
  if (!going.ok) return going.code
  const query = going.confirmed.length > 0 ? { confirm: going.confirmed.join(',') } : {}
  const done = await client.call('policy.put', { ...given, query, prefer: 'wait' })
  if (!done.ok) return explainProblem(terminal, done.problem, options)
  const { publication, body } = done
  if (json) {
    terminal.printJson({ published: true, version: body.version, publication, preview: preview.body })
  } else terminal.print(saidOf(body.version, publication))
  return EXIT.fine
}

function printChange(terminal: Terminal, preview: Preview, from: string): void {
  terminal.print(terminal.paint('bold', `Compared with ${from}`))
  if (preview.changes.length === 0) terminal.print('The policies say the same; their texts differ.')
  printPreview(terminal, preview)
}

export function saidOf(version: number, publication: 'published' | 'pending' | null): string {
  return publication === 'pending'
    ? `Saved as version ${version}. The edge does not have it yet, and gets it by itself.`
    : `Published as version ${version}.`
}
