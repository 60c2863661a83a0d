// What an edit would do, as people read it: changes, who gains and loses what, what is doubtful, what has to be
// confirmed.
import { describeLevel, levelOf } from '../policy/level.ts'
import type { Preview } from '../policy/operations/common.ts'
import { count, type Terminal } from './terminal.ts'

const SIGNS = { added: '+', removed: '-', changed: '~' } as const
const COLOURS = { added: 'green', removed: 'red', changed: 'yellow' } as const
const SEVERITIES = { error: 'red', warning: 'yellow', notice: 'dim' } as const
/** More than somebody reads; --json has them all. */
const LINES_MAX = 200

export function printPreview(
  terminal: Terminal,
  { changes, principals, findings, toConfirm }: Preview,
): void {
  for (const { change, part, name, path, fields } of changes.slice(0, LINES_MAX)) {
    const what = change === 'changed' && fields.length > 0 ? `: ${fields.join(', ')}` : ''
    const sign = terminal.paint(COLOURS[change], `${SIGNS[change]} ${part} ${name}`)
    terminal.print(`${sign}${what}  ${terminal.paint('dim', path)}`)
  }
  more(terminal, changes.length, LINES_MAX)
  for (const principal of principals.items) printPrincipal(terminal, principal)
  if (principals.items.length === 0 && principals.considered > 0) {
    const whom = count(principals.considered, 'known person', 'known people')
    terminal.print(`Nobody of ${whom} with these groups gains or loses anything.`)
  }
  if (principals.next !== null) terminal.print('There are more whom it concerns.')
  for (const { severity, path, message, code } of findings.slice(0, LINES_MAX)) {
    const where = path === '' ? '' : `${terminal.paint('bold', path)}: `
    terminal.print(`${terminal.paint(SEVERITIES[severity], severity)}: ${where}${message} [${code}]`)
  }
  more(terminal, findings.length, LINES_MAX)
  if (toConfirm.length > 0) {
    terminal.print(`${terminal.paint('yellow', 'It has to be confirmed')}: ${toConfirm.join(', ')}`)
  }
}

function more(terminal: Terminal, length: number, shown: number): void {
  if (length > shown) terminal.print(`(${length - shown} more with --json)`)
}

function printPrincipal(
  terminal: Terminal,
  { issuer, subject, displayName, email, levels }: Preview['principals']['items'][number],
): void {
  const who = [displayName, email ?? subject].filter((name) => name !== null)
  terminal.print(terminal.paint('bold', `${who.join(', ') || 'somebody'} of ${issuer}`))
  for (const { level, roles, permissions } of levels) {
    terminal.print(`  on ${describeLevel(levelOf(level.organization ?? null, level.project ?? null))}`)
    for (const [names, { gained, lost }] of Object.entries({ roles, permissions })) {
      if (gained.length > 0)
        terminal.print(`    ${terminal.paint('green', `+ ${names}`)} ${gained.join(', ')}`)
      if (lost.length > 0) terminal.print(`    ${terminal.paint('red', `- ${names}`)} ${lost.join(', ')}`)
    }
  }
}
