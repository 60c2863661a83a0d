// What a change would do: what differs, who of the known principals gains and loses what, and what lint says of it.
// Only principals who carry a group that the change touches are looked at, a page at a time.
import { compilePolicy } from '../../policy/compile.ts'
import { rolesAt } from '../../policy/decide.ts'
import { diffPolicies, type PrincipalDiff } from '../../policy/diff.ts'
import { compareDocuments, type StructuralChange } from '../../policy/diff-structure.ts'
import { foldCase } from '../../policy/fold-case.ts'
import { levelOf } from '../../policy/level.ts'
import { lintPolicy, type Warning } from '../../policy/lint.ts'
import { loadPolicy, type WholePolicy } from '../../policy/loaded.ts'
import { mappingLists } from '../../policy/mapping-sites.ts'
import type { Preview } from '../../policy/operations/common.ts'
import { findPatterns, matchPattern, parsePattern } from '../../policy/pattern.ts'
import { type DirectGrant, type Groups, groupsAt, type Principal } from '../../policy/principal.ts'
import { describePath } from '../../policy/problems.ts'
import type { GroupMapping, PatternMapping, PolicyDocument } from '../../policy/schema.ts'
import { groupKeyOf } from '../database/rows.ts'
import { may } from './authorize.ts'
import type { Call } from './call.ts'
import type { DocumentChange } from './change.ts'
import { encodeCursor, readCursor } from './pages.ts'

/** Known principals looked at in one page. */
const PRINCIPALS_MAX = 100
const CURSOR = 'principals'

export type PreviewParts = Omit<Preview, 'dryRun' | 'toConfirm'>

export interface PreviewOptions {
  /** Everybody is looked at where roles or issuers themselves change. */
  considered?: 'carriers' | 'everybody'
  /** Where the page begins; that of the request unless given. */
  cursor?: string | null
}

/**
 * `change` has the touched organizations whole, with the issuers of both owners: gains and losses are told at
 * every level where something changes.
 */
export async function previewChange(
  call: Pick<Call, 'environment' | 'now' | 'wishes' | 'held'>,
  change: DocumentChange,
  { considered = 'carriers', cursor = call.wishes.cursor }: PreviewOptions = {},
): Promise<PreviewParts> {
  const structure = compareDocuments(change.before, change.after)
  const who = considered === 'everybody' ? EVERYBODY : await touchedBy(call, structure)
  const position = readCursor(CURSOR, cursor)
  const found = await knownPrincipals(call, who, position.ok ? position.after : null)
  const now = Math.floor(call.now / 1000)
  const versionOf = (document: PolicyDocument) => ({
    document,
    policy: loadPolicy(compilePolicy(document)),
  })
  const versions = [versionOf(change.before), versionOf(change.after)] as const
  const { principals } = diffPolicies(
    versions[0],
    versions[1],
    found.rows.map(({ principal }) => principal),
    now,
  )
  const readsAll = await may(call, 'instance.users.read', { kind: 'global' })
  const isKnown = readsAll ? () => true : knownBefore(versions[0], now)
  const names = new Map(found.rows.map((row) => [keyOf(row.principal), row]))
  return {
    changes: structure.map(changeItem),
    principals: {
      considered: found.total,
      items: principals.map((diff) => {
        const row = names.get(keyOf(diff))
        return row === undefined || isKnown(row.principal) ? principalItem(diff, row) : nameless(diff)
      }),
      next: found.next,
    },
    findings: findingsOf(change, structure, now),
  }
}

function changeItem({ part, change, path, name, fields, before, after }: StructuralChange) {
  return {
    part,
    change,
    path: describePath(path),
    name,
    fields,
    before: before ?? null,
    after: after ?? null,
  }
}

const keyOf = ({ issuer, subject }: { issuer: string; subject: string | null }) => `${issuer} ${subject}`

function principalItem(diff: PrincipalDiff, row: KnownRow | undefined) {
  return {
    issuer: diff.issuer,
    subject: diff.subject,
    displayName: row?.displayName ?? null,
    email: row?.principal.email ?? null,
    levels: diff.levels,
  }
}

/** That there is somebody, and not who: they carry a group, and the organization has not had to do with them. */
function nameless({ issuer, levels }: PrincipalDiff) {
  return { issuer, subject: null, displayName: null, email: null, levels }
}

/**
 * Whom the organizations have to do with already: those their own issuers vouch for, their members, and whoever has
 * a role there or carries a group that they name. Of others the instance knows, and a draft that names everybody's
 * groups must not list them.
 */
function knownBefore(
  { document, policy }: { document: PolicyDocument; policy: WholePolicy },
  now: number,
): (principal: Principal) => boolean {
  const slugs = Object.keys(document.organizations)
  const named = new Set(
    mappingLists(document)
      .filter(({ level }) => level.kind !== 'global')
      .flatMap(({ idpGroupMappings }) =>
        idpGroupMappings.flatMap(({ idpGroups }) => idpGroups.map(foldCase)),
      ),
  )
  return (principal) => {
    if (principal.voucher.organization !== null) return true
    if (principal.given.some(({ organization }) => slugs.includes(organization ?? ''))) return true
    const groups = groupsAt(principal, now)
    const names = 'names' in groups ? groups.names : []
    if (names.some((name) => named.has(foldCase(name)))) return true
    return slugs.some((slug) => {
      const organization = policy.organization(slug)
      if (organization === null) return false
      if (names.some((name) => findPatterns(organization.patterns, name).length > 0)) return true
      return rolesAt(policy, organization, principal, levelOf(slug, null), now).roles.length > 0
    })
  }
}

/** Judged elsewhere (granting.ts), and said as a refusal or as what to confirm. */
const JUDGED: readonly Warning['code'][] = ['owner_removed', 'grant_not_allowed']

/** Of what was changed, and what was not there before. */
function findingsOf({ before, after }: DocumentChange, structure: readonly StructuralChange[], now: number) {
  const touched = structure.map(({ path }) => describePath(path))
  const textOf = ({ code, message }: Warning) => `${code} ${message}`
  const earlier = new Set(lintPolicy(before, { now }).map(textOf))
  return lintPolicy(after, { now, before })
    .filter(({ code }) => !JUDGED.includes(code))
    .map((warning) => ({ warning, path: describePath(warning.path) }))
    .filter(({ warning, path }) => !earlier.has(textOf(warning)) || touched.some((at) => path.startsWith(at)))
    .slice(0, FINDINGS_MAX)
    .map(({ warning: { code, severity, message }, path }) => ({ code, severity, path, message }))
}
const FINDINGS_MAX = 200

/** Whom a change can concern. */
interface Touched {
  everybody: boolean
  /** Keys of groups, in folded case. */
  groups: string[]
  /** Everybody for whom these organizations vouch, since their default role changes. */
  organizations: string[]
  /** Whose voucher counts where the change is: of these organizations and of the instance; null: anybody's. */
  within: string[] | null
}
const EVERYBODY: Touched = { everybody: true, groups: [], organizations: [], within: null }

async function touchedBy(
  { environment }: Pick<Call, 'environment'>,
  structure: readonly StructuralChange[],
): Promise<Touched> {
  const groups = new Set<string>()
  const patterns = new Map<string, PatternMapping>()
  const organizations = new Set<string>()
  const within = new Set<string>()
  let everywhere = false
  for (const { part, level, before, after, fields, change } of structure) {
    if (level.kind === 'global') everywhere = true
    else within.add(level.organization)
    if (part === 'organization' && (fields.includes('onUnmatched') || change !== 'changed')) {
      const set = [before, after].some((side) => (side as { onUnmatched?: string } | undefined)?.onUnmatched)
      if (set && level.kind !== 'global') organizations.add(level.organization)
    }
    if (part === 'mapping') for (const name of changedNames(before, after, fields)) groups.add(foldCase(name))
    if (part === 'pattern') {
      const mapping = (after ?? before) as PatternMapping
      for (const text of changedNames(before, after, fields)) patterns.set(text, mapping)
    }
  }
  const carried = await matching(environment.DB, patterns)
  for (const name of carried ?? []) groups.add(foldCase(name))
  return {
    everybody: carried === null,
    groups: [...groups],
    organizations: [...organizations],
    within: everywhere ? null : [...within],
  }
}

/** Where only groups came and went, those; else all. */
function changedNames(before: unknown, after: unknown, fields: readonly string[]): string[] {
  const of = (mapping: unknown) => {
    const { idpGroups, groupPatterns } = (mapping ?? {}) as Partial<GroupMapping & PatternMapping>
    return idpGroups ?? groupPatterns ?? []
  }
  const [old, now] = [of(before), of(after)]
  const onlyNames = fields.length === 1 && (fields[0] === 'idpGroups' || fields[0] === 'groupPatterns')
  if (!onlyNames) return [...old, ...now]
  const [had, has] = [new Set(old), new Set(now)]
  return [...old.filter((name) => !has.has(name)), ...now.filter((name) => !had.has(name))]
}

/** Of more groups that begin as a pattern does, it is not worth finding out which match: everybody is looked at. */
const MATCHED_MAX = 10_000

/** Known groups that a pattern matches: found by the text it begins with, then matched. Null: too many. */
async function matching(
  database: D1Database,
  patterns: ReadonlyMap<string, PatternMapping>,
): Promise<string[] | null> {
  if (patterns.size === 0) return []
  const prefixes = [...new Set([...patterns.keys()].map((text) => groupKeyOf('pattern', text)))]
  const { results } = await database
    .prepare(
      `SELECT DISTINCT g.group_name AS name FROM json_each(?) AS prefix
        JOIN known_groups g ON g.group_key >= prefix.value AND g.group_key < prefix.value || char(1114111) LIMIT ?`,
    )
    .bind(JSON.stringify(prefixes), MATCHED_MAX + 1)
    .all<{ name: string }>()
  if (results.length > MATCHED_MAX) return null
  const parsed = [...patterns].flatMap(([text, { ignoreCase = false }]) => {
    const one = parsePattern(text, { ignoreCase })
    return one.ok ? [{ pattern: one.pattern, ignoreCase }] : []
  })
  return results
    .map(({ name }) => name)
    .filter((name) => {
      return parsed.some(({ pattern, ignoreCase }) =>
        matchPattern(pattern, ignoreCase ? foldCase(name) : name),
      )
    })
}

interface KnownRow {
  displayName: string | null
  principal: Principal
}

interface Row {
  id: string
  issuer: string
  subject: string
  organization: string
  user_name: string | null
  email: string | null
  display_name: string | null
  groups: string
  given: string | null
}

async function knownPrincipals(
  { environment: { DB } }: Pick<Call, 'environment'>,
  { everybody, groups, organizations, within }: Touched,
  after: string | null,
): Promise<{ rows: KnownRow[]; total: number; next: string | null }> {
  const carriers = `(?1 OR k.id IN (SELECT g.principal FROM known_groups g WHERE g.group_key IN (SELECT value FROM json_each(?2)))
    OR k.organization IN (SELECT value FROM json_each(?3)))
    AND (?4 IS NULL OR k.organization = '' OR k.organization IN (SELECT value FROM json_each(?4)))`
  const values = [
    everybody ? 1 : 0,
    JSON.stringify(groups),
    JSON.stringify(organizations),
    within === null ? null : JSON.stringify(within),
  ]
  const [counted, found] = await DB.batch<unknown>([
    DB.prepare(`SELECT count(*) AS total FROM known_principals k WHERE ${carriers}`).bind(...values),
    DB.prepare(
      `SELECT k.*, (SELECT json_group_array(json_object('role', m.role_name, 'organization', nullif(m.organization, ''),
          'project', nullif(m.project, ''), 'source', 'memberships.' || m.holder))
          FROM identities i JOIN memberships m ON m.holder = i.holder AND m.role_name <> ''
          WHERE i.issuer = k.issuer AND i.subject = k.subject) AS given
        FROM known_principals k WHERE ${carriers} AND k.id > ?5 ORDER BY k.id LIMIT ?6`,
    ).bind(...values, after ?? '', PRINCIPALS_MAX + 1),
  ])
  const rows = (found?.results ?? []) as Row[]
  const page = rows.slice(0, PRINCIPALS_MAX)
  const last = page.at(-1)
  return {
    rows: page.map(knownRow),
    total: (counted?.results as { total: number }[] | undefined)?.[0]?.total ?? 0,
    next: rows.length > PRINCIPALS_MAX && last ? encodeCursor(CURSOR, last.id) : null,
  }
}

/** Of what the token said nothing is kept but its groups, so conditions on other claims do not hold here. */
function knownRow({ issuer, subject, organization, groups, ...row }: Row): KnownRow {
  return {
    displayName: row.display_name,
    principal: {
      kind: 'user',
      issuer,
      subject,
      voucher: { issuer, organization: organization === '' ? null : organization },
      groups: JSON.parse(groups) as Groups,
      given: row.given === null ? [] : (JSON.parse(row.given) as DirectGrant[]),
      userName: row.user_name,
      email: row.email,
      firstName: null,
      lastName: null,
      claims: {},
    },
  }
}
