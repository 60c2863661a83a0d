// An explanation as people read it: roles with their proofs, then what does not count, what is nearly right,
// and what would help. Each mapping comes with the place where it is written.
import type { Explanation, GivenRole, HeldRole, UnmatchedPage } from '../policy/explain.ts'
import { describeCondition } from '../policy/explain-failed.ts'
import type { Wanted } from '../policy/explain-wanted.ts'
import { describeLevel } from '../policy/level.ts'
import type { Principal } from '../policy/principal.ts'
import { describeTime } from './clock.ts'
import type { OpenedPolicy } from './input.ts'
import type { Terminal } from './terminal.ts'
import type { TokenCheck } from './token.ts'

/** Every mapping that is spoken of, once. */
export function mappingsOf({ roles, failed, unmatched, near, wanted }: Explanation): string[] {
  const { decision } = wanted ?? { decision: null }
  return [
    ...new Set([
      ...roles.flatMap(({ proofs }) => proofs.map(({ given }) => given.mapping)),
      ...failed.map(({ mapping }) => mapping),
      ...unmatched.mappings.map(({ mapping }) => mapping),
      ...near.map(({ mapping }) => mapping),
      ...(decision?.allowed ? [decision.proof.mapping] : []),
    ]),
  ]
}

/** Prints with what it takes to say where a mapping stands. */
interface Page {
  terminal: Terminal
  /** `organizations.acme.idpGroupMappings[0] (policy.yaml:12:5)` */
  origin(mapping: string): string
}

export function printExplanation(
  terminal: Terminal,
  { positionOf }: OpenedPolicy,
  { subject, issuer }: Principal,
  explanation: Explanation,
  token: { verified: boolean; checks: TokenCheck[] } | null,
): void {
  const origin = (mapping: string) => `${mapping} ${terminal.paint('dim', `(${positionOf(mapping)})`)}`
  const page: Page = { terminal, origin }
  const { level, standing, roles, failed, near, unmatched, wanted } = explanation
  terminal.print(terminal.paint('bold', `${subject} of ${issuer} on ${describeLevel(level)}`))
  if (token) printToken(page, token)
  printGroups(page, explanation)
  if (standing) {
    terminal.print(
      `\n${terminal.paint('red', `Nothing counts here (${standing.reason})`)}: ${standing.detail}`,
    )
  } else {
    printRoles(page, roles)
    printList(page, 'Mappings of a group that do not count', failed, ({ mapping, role, group, detail }) => {
      const of = group === null ? 'the default role' : `group "${group}"`
      return [`${role} by ${origin(mapping)}`, `${of}: ${detail}`]
    })
    printList(page, 'Nearly right', near, ({ mapping, role, sentence, alsoFails }) => {
      return [
        `${role} by ${origin(mapping)}`,
        sentence,
        ...(alsoFails === null ? [] : [`Besides: ${alsoFails}`]),
      ]
    })
    printUnmatched(page, unmatched, new Set(near.map(({ mapping }) => mapping)))
  }
  if (wanted) printWanted(page, wanted)
}

function heading({ terminal }: Page, text: string): void {
  terminal.print(`\n${terminal.paint('bold', text)}`)
}

function printToken(page: Page, { verified, checks }: { verified: boolean; checks: TokenCheck[] }): void {
  const { terminal } = page
  heading(
    page,
    verified ? 'The token (its signature is verified)' : 'The token (its signature is NOT verified)',
  )
  for (const { check, passed, reason, detail } of checks) {
    const sign = passed ? terminal.paint('green', 'ok    ') : terminal.paint('red', 'FAILED')
    terminal.print(`  ${sign} ${check}: ${detail}${reason === null ? '' : ` [${reason}]`}`)
  }
  if (checks.some(({ passed }) => !passed)) {
    terminal.print('  The gateway would refuse this token. What follows is as if it were believed.')
  }
}

const NO_GROUPS: Record<Explanation['groups']['outcome'], string> = {
  listed: 'The token lists no groups.',
  kept: 'No groups are known.',
  none: 'The issuer is set up to say nothing about groups.',
  absent: 'The token says nothing about groups, so nothing can be given.',
  overage: 'The issuer left the groups out because there are too many.',
}

function printGroups(page: Page, { groups: { outcome, claim, names, until } }: Explanation): void {
  const { terminal } = page
  const kept = outcome === 'kept' && until !== null ? `, as last seen, until ${describeTime(until)}` : ''
  heading(page, `Groups${claim === null ? '' : ` (claim ${claim}${kept})`}`)
  if (names.length === 0) terminal.print(`  ${NO_GROUPS[outcome]}`)
  for (const { raw, group } of names) {
    terminal.print(
      `  ${group}${raw === null || raw === group ? '' : ` (the token says ${JSON.stringify(raw)})`}`,
    )
  }
}

/** Those that are given, each with its proofs; then what these hold besides. */
function printRoles(page: Page, roles: readonly HeldRole[]): void {
  const { terminal } = page
  heading(page, 'Roles')
  if (roles.length === 0) terminal.print('  None.')
  const implied = new Map<string, string[]>()
  for (const { role, proofs } of roles) {
    const direct = proofs.filter(({ chain }) => chain.length === 1)
    if (direct.length > 0) terminal.print(`  ${terminal.paint('green', role)}`)
    for (const { given } of direct) for (const line of proofLines(page, given)) terminal.print(`    ${line}`)
    if (direct.length > 0) continue
    const through = [...new Set(proofs.map(({ chain }) => chain.slice(0, -1).join(' > ')))].join(', or ')
    implied.set(through, [...(implied.get(through) ?? []), role])
  }
  for (const [through, names] of implied) {
    terminal.print(`  implied by ${through}:`)
    terminal.print(`    ${names.join(', ')}`)
  }
}

function proofLines({ origin }: Page, given: GivenRole): string[] {
  const { group, mapping, pattern, conditions, notBefore, notAfter } = given
  const by = group === null ? 'the default role of members' : `group "${group}"`
  const captured = Object.entries(pattern?.captured ?? {}).map(([name, value]) => `{${name}} = ${value}`)
  const matches = pattern ? [`by the pattern ${JSON.stringify(pattern.text)}`, ...captured].join(', ') : null
  const window = [
    ...(notBefore === null ? [] : [`from ${describeTime(notBefore)}`]),
    ...(notAfter === null ? [] : [`until ${describeTime(notAfter)}`]),
  ]
  return [
    `${by} in ${origin(mapping)}`,
    ...(matches === null ? [] : [matches]),
    ...conditions.map(
      ({ condition, claimed }) => `${describeCondition(condition)}: it is ${JSON.stringify(claimed)}`,
    ),
    ...(window.length > 0 ? [window.join(' ')] : []),
  ]
}

function printList<Entry>(
  page: Page,
  title: string,
  entries: readonly Entry[],
  linesOf: (entry: Entry) => string[],
): void {
  if (entries.length === 0) return
  heading(page, title)
  for (const entry of entries) {
    const [first, ...others] = linesOf(entry)
    page.terminal.print(`  ${first}`)
    for (const line of others) page.terminal.print(`    ${line}`)
  }
}

function printUnmatched(
  page: Page,
  { total, mappings, next }: UnmatchedPage,
  shown: ReadonlySet<string>,
): void {
  if (total === 0) return
  const others = mappings.filter(({ mapping }) => !shown.has(mapping))
  printList(
    page,
    `Mappings of other groups (${total - shown.size})`,
    others,
    ({ mapping, role, groups, patterns, detail }) => {
      const names = [...groups, ...patterns]
      const more = names.length > 5 ? ` and ${names.length - 5} more` : ''
      const asks = names.slice(0, 5).map((name) => JSON.stringify(name))
      return [`${role} by ${page.origin(mapping)}`, `asks for ${asks.join(', ')}${more}: ${detail}`]
    },
  )
  if (next !== null) page.terminal.print(`  More of them: --after ${next}`)
}

/** The shortest ones; who needs another way reads them all as JSON. */
const FIXES_SHOWN = 3

function printWanted(page: Page, { permission, decision, fixes }: Wanted): void {
  const { terminal, origin } = page
  heading(page, `Permission ${permission}`)
  if (decision.allowed) {
    const { role, grantedRole, mapping, group } = decision.proof
    const through = role === grantedRole ? role : `${role}, held through ${grantedRole}`
    const by = group === null ? 'the default role of members' : `group "${group}"`
    terminal.print(`  ${terminal.paint('green', 'Allowed')} by ${through}: ${by} in ${origin(mapping)}`)
    return
  }
  terminal.print(`  ${terminal.paint('red', `Refused (${decision.reason})`)}: ${decision.detail}`)
  if (fixes.length === 0) return
  terminal.print('  Any one of these would give it, the smallest change first:')
  fixes.slice(0, FIXES_SHOWN).forEach(({ role, changes }, index) => {
    terminal.print(`  ${index + 1}. ${role}`)
    for (const { sentence } of changes) terminal.print(`     - ${sentence}`)
  })
  const more = fixes.length - FIXES_SHOWN
  if (more > 0) terminal.print(terminal.paint('dim', `  (${more} more with --json)`))
}
