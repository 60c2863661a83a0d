// `postern policy diff`: what is different between two policies, and who gains or loses what by it.
import type { Command } from 'commander'
import { diffPolicies, type KnownPrincipal, type PolicyDiff, type PrincipalDiff } from '../policy/diff.ts'
import { describeLevel } from '../policy/level.ts'
import { describePath } from '../policy/problems.ts'
import { nowOption, secondsNow } from './clock.ts'
import { type OpenedPolicy, openPolicy, readInput, trouble } from './input.ts'
import { type ClaimsResult, claimsOf, type Described, parsePrincipals } from './principals.ts'
import { EXIT, type ExitCode, type Terminal } from './terminal.ts'

interface Options {
  principals?: string
  exitCode?: true
  now?: number
  json?: true
}

export function addDiff(parent: Command, terminal: Terminal): void {
  parent
    .command('diff')
    .summary('compare two policies')
    .description(
      'Says what is different between two policies and, for principals you name, which roles and\n' +
        'permissions each gains and loses, level by level.',
    )
    .argument('<before>', 'the policy as it was, "-" for standard input')
    .argument('<after>', 'the policy as it will be, "-" for standard input')
    .option(
      '--principals <file>',
      'JSON or NDJSON of { issuer, subject, groups, claims }, "-" for standard input',
    )
    .option('--exit-code', 'end with 1 when anything is different')
    .addOption(nowOption())
    .option('--json', 'print one JSON value')
    .addHelpText(
      'after',
      `
Exit codes: 0 fine, 1 a policy is not valid or, with --exit-code, they differ, 2 a file cannot be read.

Examples:
  $ postern policy diff before.yaml after.yaml
  $ git show main:postern.policy.yaml | postern policy diff - postern.policy.yaml
  $ postern policy diff before.yaml after.yaml --principals people.ndjson --exit-code`,
    )
    .action(async (before: string, after: string, options: Options) => {
      process.exitCode = await diff(terminal, before, after, options)
    })
}

async function diff(terminal: Terminal, before: string, after: string, options: Options): Promise<ExitCode> {
  if ([before, after, options.principals].filter((path) => path === '-').length > 1) {
    return trouble(terminal, 'standard input can be only one of the files.').code
  }
  const old = await openPolicy(terminal, before, options)
  if (!old.ok) return old.code
  const now = await openPolicy(terminal, after, options)
  if (!now.ok) return now.code
  const principals: KnownPrincipal[] = []
  if (options.principals !== undefined) {
    const read = await readInput(terminal, options.principals)
    if (!read.ok) return read.code
    const parsed = parsePrincipals(read.text)
    if (!parsed.ok) return trouble(terminal, `${read.file}: ${parsed.message}.`).code
    for (const described of parsed.principals) {
      const { issuer } = described
      const made = knownPrincipal(described, old, now)
      if (made === null)
        return trouble(terminal, `${read.file}: neither policy has an issuer "${issuer}".`).code
      if (!made.ok) return trouble(terminal, `${read.file}: ${made.message}.`).code
      principals.push({ issuer, claims: made.claims })
    }
  }
  const found = diffPolicies(old, now, principals, secondsNow(options.now))
  const differs = found.structure.length + found.principals.length > 0
  if (options.json) terminal.printJson({ differs, before: old.file, after: now.file, ...asJson(found) })
  else printDiff(terminal, old, now, found, options.principals !== undefined)
  return differs && options.exitCode ? EXIT.no : EXIT.fine
}

/** By the record of the later policy that has it; null when neither does. */
function knownPrincipal(described: Described, old: OpenedPolicy, now: OpenedPolicy): ClaimsResult | null {
  const records = [...old.policy.issuers, ...now.policy.issuers].filter(({ id }) => id === described.issuer)
  const record = records.at(-1)
  return record ? claimsOf(record, described) : null
}

function asJson({ structure, principals }: PolicyDiff) {
  return { structure: structure.map((one) => ({ ...one, path: describePath(one.path) })), principals }
}

const SIGNS = { added: '+', removed: '-', changed: '~' } as const
const COLOURS = { added: 'green', removed: 'red', changed: 'yellow' } as const

function printDiff(
  terminal: Terminal,
  old: OpenedPolicy,
  now: OpenedPolicy,
  { structure, principals }: PolicyDiff,
  asked: boolean,
): void {
  if (structure.length === 0) terminal.print('The policies say the same.')
  for (const { part, change, level, path, name, fields } of structure) {
    const where = level.kind === 'global' ? '' : ` in ${describeLevel(level)}`
    const what = change === 'changed' && fields.length > 0 ? `: ${fields.join(', ')}` : ''
    const at = (change === 'removed' ? old : now).positionOf(path)
    terminal.print(
      `${terminal.paint(COLOURS[change], `${SIGNS[change]} ${part} ${name}`)}${where}${what}  ${terminal.paint('dim', at)}`,
    )
  }
  if (!asked) return
  terminal.print('')
  if (principals.length === 0) terminal.print('Nobody of the principals gains or loses anything.')
  for (const principal of principals) printPrincipal(terminal, principal)
}

function printPrincipal(terminal: Terminal, { issuer, subject, refused, levels }: PrincipalDiff): void {
  terminal.print(terminal.paint('bold', `${subject ?? 'somebody'} of ${issuer}`))
  if (refused.before !== refused.after) {
    const say = (reason: string | null) => (reason === null ? 'let in' : `refused (${reason})`)
    terminal.print(`  ${say(refused.before)} before, ${say(refused.after)} after`)
  }
  for (const { level, roles, permissions } of levels) {
    terminal.print(`  on ${describeLevel(level)}`)
    for (const [names, difference] of [
      ['roles', roles],
      ['permissions', permissions],
    ] as const) {
      const { gained, lost } = difference
      if (gained.length > 0)
        terminal.print(`    ${terminal.paint('green', `+ ${names}`)} ${gained.join(', ')}`)
      if (lost.length > 0) terminal.print(`    ${terminal.paint('red', `- ${names}`)} ${lost.join(', ')}`)
    }
  }
}
