// The table of the management API's operations and who may use them: what the API says when each is tried, what
// `decide` alone says of it, and the table as text that people review.
import { readFileSync } from 'node:fs'
import { compilePolicy } from '../../policy/compile.ts'
import { decide, rolesAt } from '../../policy/decide.ts'
import { parsePolicy } from '../../policy/document.ts'
import { describeLevel, type Level, levelOf } from '../../policy/level.ts'
import { loadPolicy, organizationAt, type WholePolicy } from '../../policy/loaded.ts'
import type { Operation } from '../../policy/operations/common.ts'
import { OPERATIONS } from '../../policy/operations/table.ts'
import type { Principal } from '../../policy/principal.ts'
import {
  ACME,
  ACME_ISSUER,
  CALLERS_ISSUER,
  type Caller,
  GLOBEX,
  INSTANCE,
  mappingsAt,
  PAYMENTS_PROJECT,
} from './api-callers.ts'
import { inAcme, inPayments, type Trial } from './api-fixture.ts'
import { nameOf, type TrialRow } from './api-trials.ts'
import type { Answer } from './stack.ts'
import { nowSeconds } from './time.ts'

/** What stands in the table: "yes", "yes: acme", "401", "403", "404", "403 grant". */
export type Cell = string

/** Throws for an answer that says neither that the caller may nor that they may not: the request was wrong. */
export function cellOf(row: TrialRow, caller: Caller, { status, text }: Answer): Cell {
  const body = text === '' ? {} : (JSON.parse(text) as Record<string, unknown>)
  if (status >= 200 && status < 300) return row.shows ? `yes: ${row.shows(body)}` : 'yes'
  const granting = body.reason === 'grant_not_allowed' || body.reason === 'grant_to_self'
  if (status === 403 && granting) return '403 grant'
  const isNo = status === 401 || status === 403 || (status === 404 && body.reason === 'not_found')
  if (!isNo) throw new Error(`${nameOf(row)} by ${caller.name} answered ${status}: ${text}`)
  return `${status}`
}

const ACME_PROJECTS = [PAYMENTS_PROJECT, 'reports']

/** The same mappings as the fixture's, in one document. */
function fixturePolicy(): WholePolicy {
  const project = (organization: string, slug: string) => ({
    [slug]: { idpGroupMappings: mappingsAt(`${organization}/${slug}`, 'project') },
  })
  const organization = (slug: string, issuers: object, projects: object) => ({
    [slug]: { issuers, idpGroupMappings: mappingsAt(slug, 'organization'), projects },
  })
  const source = {
    version: 1,
    issuers: { callers: CALLERS_ISSUER },
    idpGroupMappings: mappingsAt(INSTANCE, 'global'),
    organizations: {
      ...organization(
        ACME,
        { own: ACME_ISSUER },
        { ...project(ACME, PAYMENTS_PROJECT), ...project(ACME, 'reports') },
      ),
      ...organization(GLOBEX, {}, project(GLOBEX, 'web')),
    },
  }
  const catalogue = readFileSync(new URL('../../policy/catalogue.yaml', import.meta.url), 'utf8')
  const parsed = parsePolicy(JSON.stringify(source), { file: 'fixture.yaml', catalogue })
  if (!parsed.ok) throw new Error(JSON.stringify(parsed.problems))
  return loadPolicy(compilePolicy(parsed.policy))
}

/**
 * What the table must say by `decide` and the operations table alone: a permission asked for at the operation's
 * level, and for each member of the body that takes another one; 404 for who has no role where it takes place.
 * Null where more is to it: who is known to nobody, and rules of granting.
 */
export function expectation(): (row: TrialRow, caller: Caller, trial: Trial) => 'yes' | '403' | '404' | null {
  const policy = fixturePolicy()
  return (row, { known, name }, { body }) => {
    const operation = OPERATIONS[row.id] as Operation
    if (known === null || row.gives) return null
    const principal = principalOf(name, known)
    const level = row.asks?.level ?? placeOf(operation)
    const now = nowSeconds()
    const organization = organizationAt(policy, level)
    const rolesThere = (at: Level) =>
      rolesAt(policy, organizationAt(policy, at), principal, at, now).roles.length
    if (operation.permission === null) {
      // Whoever has nothing to do with an organization is not told that it exists; of mappings they may come near,
      // as `me.explain` says, the handler knows.
      const has = [null, ...ACME_PROJECTS].some((slug) => rolesThere(levelOf(ACME, slug)) > 0)
      if (row.id === 'projects.list') return has ? 'yes' : '404'
      return row.id === 'me.explain' ? null : 'yes'
    }
    const isSeen =
      level.kind === 'global' || rolesThere(level) > 0 || rolesThere(levelOf(level.organization, null)) > 0
    if (!isSeen) return '404'
    const permissions = row.asks?.permissions ?? [
      operation.permission,
      ...(operation.besides ?? []),
      ...Object.keys((body ?? {}) as object).flatMap((member) => operation.alsoFor?.[member] ?? []),
    ]
    const refused = permissions.some(
      (permission) => !decide(policy, organization, principal, { permission, level, now }).allowed,
    )
    return refused ? '403' : 'yes'
  }
}

function principalOf(name: string, { groups, organization, given }: NonNullable<Caller['known']>): Principal {
  return {
    kind: 'user',
    issuer: organization === null ? 'callers' : `${organization}/own`,
    subject: name,
    voucher: { issuer: organization === null ? 'callers' : `${organization}/own`, organization },
    groups: { outcome: 'listed', names: groups },
    given: given.map((grant) => ({ ...grant, source: 'memberships.user/1' })),
    userName: null,
    email: null,
    firstName: null,
    lastName: null,
    claims: {},
  }
}

function placeOf({ level }: Operation): Level {
  if (level === 'organization') return levelOf(inAcme.organization, null)
  return level === 'project' ? levelOf(inPayments.organization, inPayments.project) : { kind: 'global' }
}

/** The file's text. */
export function renderTable(
  rows: readonly TrialRow[],
  callers: readonly Caller[],
  cells: ReadonlyMap<string, Cell>,
): string {
  const sections = [...new Set(callers.map(({ section }) => section))]
  const parts = sections.map((section) => {
    const columns = callers.filter((caller) => caller.section === section)
    const lines = rows.map((row) => [
      nameOf(row),
      asksOf(row),
      ...columns.map((caller) => cells.get(cellKey(row, caller)) ?? '?'),
    ])
    const heads = ['Operation', 'Asks for', ...columns.map(({ column }) => column)]
    return `## ${section}\n\n${markdownTable([heads, ...lines])}`
  })
  return `${HEAD}\n\n${parts.join('\n\n')}\n`
}

const HEAD = [
  '# Who may use which operation of the management API',
  '',
  'Generated: each operation was tried by each caller. `REWRITE_ROLE_TABLE=1 npx vitest run',
  'test/worker/api-roles.test.ts` writes this file anew; the test compares it with what the API answers. What',
  'changes here has to be reviewed by hand (design.md section 4).',
  '',
  'What is asked about is organization acme and its project payments. "yes": it went well; after a colon, what of',
  'the list the caller saw. 401: not known. 403: known, without the permission. 404: without any role there, so',
  'that the organization is not even admitted to exist. "403 grant": has the permission, but may not give that',
  'role.',
].join('\n')

export const cellKey = (row: TrialRow, caller: Caller) => `${nameOf(row)}\n${caller.name}`

function asksOf(row: TrialRow): string {
  const operation = OPERATIONS[row.id] as Operation
  const permissions = row.asks?.permissions ?? [operation.permission ?? 'nothing']
  const level = row.asks ? row.asks.level : placeOf(operation)
  return operation.permission === null
    ? 'nothing'
    : `${permissions.join(' + ')} at ${describeLevel(level).replace(/^the |organization (?=acme)/g, '')}`
}

/** Padded, so that it can be read without being rendered. */
function markdownTable(lines: readonly string[][]): string {
  const widths = (lines[0] ?? []).map((_, column) =>
    Math.max(...lines.map((line) => (line[column] ?? '').length)),
  )
  const row = (line: readonly string[]) =>
    `| ${line.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join(' | ')} |`
  const [head = [], ...body] = lines
  return [row(head), row(widths.map((width) => '-'.repeat(width))), ...body.map(row)].join('\n')
}
