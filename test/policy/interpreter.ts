// A second opinion on policies: reads the document itself, mapping by mapping and group by group, with no
// index, no order and no care for time. What policy/ compiles must decide the same.
import type { Level } from '../../policy/level.ts'
import type { Principal } from '../../policy/principal.ts'
import type { GroupMapping, PatternMapping, PolicyDocument } from '../../policy/schema.ts'

/** A role that is given at "" (globally), "acme" or "acme/web", and counts there and below. */
export interface NaiveGrant {
  role: string
  at: string
  byDefault: boolean
}

/** All that the principal is given anywhere that exists, whatever the voucher allows. */
function given(document: PolicyDocument, principal: Principal, now: number): NaiveGrant[] {
  const found: NaiveGrant[] = []
  const read = (mappings: readonly (GroupMapping | PatternMapping)[], at: string) => {
    for (const mapping of mappings) {
      if (!counts(mapping, principal, now)) continue
      for (const group of groupsNow(principal, now) ?? []) {
        for (const place of placesOf(mapping, group)) {
          const where = [at, place.org, place.project].filter(Boolean).join('/')
          if (exists(document, where)) found.push({ role: mapping.roleName, at: where, byDefault: false })
        }
      }
    }
  }
  read([...document.idpGroupMappings, ...document.patternMappings], '')
  for (const [slug, organization] of Object.entries(document.organizations)) {
    read([...organization.idpGroupMappings, ...organization.patternMappings], slug)
    for (const [name, project] of Object.entries(organization.projects)) {
      read([...project.idpGroupMappings, ...project.patternMappings], `${slug}/${name}`)
    }
  }
  return found
}

/** All that the principal is given and may have: nothing when nothing is known of the groups. */
export function naiveGrants(document: PolicyDocument, principal: Principal, now: number): NaiveGrant[] {
  if (groupsNow(principal, now) === null) return []
  const owner = principal.voucher.organization
  if (owner === null) return given(document, principal, now)
  const inside = given(document, principal, now).filter(({ at }) => at.split('/')[0] === owner)
  const role = own(document.organizations, owner)?.onUnmatched
  return inside.length === 0 && role !== undefined ? [{ role, at: owner, byDefault: true }] : inside
}

/** Names of all roles a principal holds at a level; null where it has no standing at all. */
export function naiveRoles(
  document: PolicyDocument,
  principal: Principal,
  level: Level,
  now: number,
): Set<string> | null {
  const organization = level.kind === 'global' ? '' : level.organization
  const path = level.kind === 'project' ? `${organization}/${level.project}` : organization
  const owner = principal.voucher.organization
  if ((owner !== null && owner !== organization) || !exists(document, path)) return null
  const here = naiveGrants(document, principal, now).filter(({ at }) => {
    return at === '' || at === path || path.startsWith(`${at}/`)
  })
  return withImplied(
    document,
    here.map(({ role }) => role),
  )
}

export function naiveAllows(
  document: PolicyDocument,
  principal: Principal,
  permission: string,
  level: Level,
  now: number,
): boolean {
  const held = [...(naiveRoles(document, principal, level, now) ?? [])]
  return held.some((name) => document.roles[name]?.permissions.includes(permission))
}

/** Adds what is implied until nothing is added. */
export function withImplied({ roles }: PolicyDocument, names: string[]): Set<string> {
  const held = new Set(names)
  for (let size = -1; size !== held.size; ) {
    size = held.size
    for (const name of [...held]) for (const implied of roles[name]?.implies ?? []) held.add(implied)
  }
  return held
}

function own<Value>(members: Record<string, Value>, name: string): Value | undefined {
  return new Map(Object.entries(members)).get(name)
}

function exists({ organizations }: PolicyDocument, path: string): boolean {
  const [organization, project] = path.split('/')
  if (!organization) return true
  const found = own(organizations, organization)
  return found !== undefined && (project === undefined || own(found.projects, project) !== undefined)
}

/** Null when nothing is known of them. */
function groupsNow({ groups }: Principal, now: number): string[] | null {
  if (groups.outcome === 'none') return []
  if (groups.outcome === 'listed') return groups.names
  return groups.kept !== null && now < groups.kept.until ? groups.kept.names : null
}

type Rules = Omit<GroupMapping, 'idpGroups'>

function counts(
  { issuers, when, notBefore, notAfter }: Rules,
  { issuer, claims }: Principal,
  now: number,
): boolean {
  if (issuers && !issuers.includes(issuer)) return false
  if (notBefore && now * 1000 < Date.parse(notBefore)) return false
  if (notAfter && now * 1000 >= Date.parse(notAfter)) return false
  return (when ?? []).every(({ claim, equals, oneOf, contains }) => {
    const value = claim.reduce<unknown>((from, step) => {
      return typeof from === 'object' && from !== null
        ? own(from as Record<string, unknown>, step)
        : undefined
    }, claims)
    if (equals !== undefined) return value === equals
    if (oneOf) return oneOf.some((one) => one === value)
    const parts: unknown[] = Array.isArray(value) ? value : typeof value === 'string' ? value.split(' ') : []
    return parts.includes(contains)
  })
}

interface Place {
  org?: string
  project?: string
}

/** Where, below the level it is written at, a mapping gives its role for a group; nowhere when it has no match. */
function placesOf(mapping: GroupMapping | PatternMapping, group: string): Place[] {
  const fold = (text: string) => (mapping.ignoreCase ? text.toLowerCase() : text)
  if ('idpGroups' in mapping) return mapping.idpGroups.some((name) => fold(name) === fold(group)) ? [{}] : []
  return mapping.groupPatterns.flatMap((pattern) => {
    const place = naiveMatch(fold(pattern).split(/(\*|\{[a-z]+\})/), fold(group))
    return place ? [place] : []
  })
}

/** Tries every length of everything. The tokens are literals and, between them, `*` and captures. */
export function naiveMatch(tokens: readonly string[], text: string): Place | null {
  const [literal = '', token, ...rest] = tokens
  if (!text.startsWith(literal)) return null
  const after = text.slice(literal.length)
  if (token === undefined) return after === '' ? {} : null
  for (let length = 0; length <= after.length; length++) {
    const value = after.slice(0, length)
    if (token !== '*' && !isCaptured(value, rest[0] ?? '')) continue
    const place = naiveMatch(rest, after.slice(length))
    if (place) return token === '*' ? place : { ...place, [token.slice(1, -1)]: value }
  }
  return null
}

/** A slug, up to where the literal that follows begins for the first time. */
function isCaptured(value: string, next: string): boolean {
  const isSlug = /^[a-z0-9-]{1,64}$/.test(value) && !value.startsWith('-') && !value.endsWith('-')
  return isSlug && (next === '' || (value + next).indexOf(next) === value.length)
}
