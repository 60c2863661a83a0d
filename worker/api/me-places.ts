// All places where somebody holds a role, found without looking at every organization: through the index of groups
// over all of them, the instance's patterns, and the roles given directly. What is held there is asked of the
// documents that the edge decides by.
import { foldCase } from '../../policy/fold-case.ts'
import { levelOf } from '../../policy/level.ts'
import type { LoadedOrganization, Policy } from '../../policy/loaded.ts'
import { findPatterns } from '../../policy/pattern.ts'
import { type PlacedRole, rolesGivenAt } from '../../policy/places.ts'
import { groupsAt, type Principal } from '../../policy/principal.ts'
import { documentsAt } from '../documents/held.ts'
import type { Environment } from '../environment.ts'
import type { Refusal } from '../refusal.ts'

export const PLACES_MAX = 1000
/** Each may take a few readings of KV, and a request may not make any number of them. */
const ORGANIZATIONS_MAX = 300
/** Beginnings of group names that patterns are looked up by. */
const PREFIXES_MAX = 30_000
const PATTERN_PREFIX_MAX = 200

export interface PlacedRoles {
  ok: true
  roles: PlacedRole[]
  truncated: boolean
}

/** Slugs of projects by organization; an organization without any is a place itself. */
type Places = Map<string, Set<string>>

/** `now` is in seconds since the epoch. */
export async function rolesEverywhere(
  environment: Environment,
  principal: Principal,
  now: number,
): Promise<PlacedRoles | Refusal> {
  const at = groupsAt(principal, now)
  const groups = 'names' in at ? [...new Set(at.names)] : []
  const global = await documentsAt(environment, { kind: 'global' }, groups)
  if (!global.ok) return global
  const { policy } = global
  const places: Places = new Map()
  const truncated = await findPlaces(environment, principal, groups, policy, places)
  const roles = rolesGivenAt(policy, null, principal, { kind: 'global' }, now)
  const slugs = [...places.keys()].sort()
  const held = await Promise.all(
    slugs.slice(0, ORGANIZATIONS_MAX).map((slug) => documentsAt(environment, levelOf(slug, null), groups)),
  )
  let count = 0
  for (const documents of held) {
    if (!documents.ok) return documents
    const { organization } = documents
    if (organization === null) continue
    for (const project of placesWithin(organization, places.get(organization.slug) as Set<string>, groups)) {
      if (count === PLACES_MAX) return { ok: true, roles, truncated: true }
      const found = rolesGivenAt(policy, organization, principal, levelOf(organization.slug, project), now)
      if (found.length === 0) continue
      count += 1
      roles.push(...found)
    }
  }
  return { ok: true, roles, truncated: truncated || slugs.length > ORGANIZATIONS_MAX }
}

/** The organization itself first. What an organization's own patterns capture is known now that it is read. */
function placesWithin(
  organization: LoadedOrganization,
  projects: Set<string>,
  groups: readonly string[],
): (string | null)[] {
  const named = new Set(projects)
  for (const group of groups) {
    for (const { entry, captured } of findPatterns(organization.patterns, group)) {
      const project = entry.project ?? captured.project
      if (project !== undefined) named.add(project)
    }
  }
  return [null, ...[...named].filter((project) => organization.projects.has(project)).sort()]
}

/** Answers whether there may be more than were looked for. */
async function findPlaces(
  environment: Environment,
  principal: Principal,
  groups: readonly string[],
  policy: Policy,
  places: Places,
): Promise<boolean> {
  const ceiling = principal.voucher.organization
  const add = (slug: string, project: string | null | undefined) => {
    if (ceiling !== null && slug !== ceiling) return
    const projects = places.get(slug) ?? new Set()
    places.set(slug, projects)
    if (project) projects.add(project)
  }
  if (ceiling !== null) add(ceiling, null)
  for (const { organization, project } of principal.given)
    if (organization !== null) add(organization, project)
  for (const group of groups) {
    for (const { captured } of findPatterns(policy.patterns, group)) {
      if (captured.org !== undefined) add(captured.org, captured.project)
    }
  }
  if (groups.length === 0) return false
  const prefixes = prefixesOf(groups)
  const { results } = await environment.DB.prepare(FIND)
    .bind(JSON.stringify(groups.map(foldCase)), JSON.stringify([...prefixes]), ceiling, PLACES_MAX + 1)
    .all<{ organization: string; project: string }>()
  for (const { organization, project } of results.slice(0, PLACES_MAX)) add(organization, project)
  return results.length > PLACES_MAX || prefixes.size >= PREFIXES_MAX
}

/** A pattern is found by the text before its first variable part (database/rows.ts). */
function prefixesOf(groups: readonly string[]): Set<string> {
  const prefixes = new Set<string>([''])
  for (const group of groups.map(foldCase)) {
    for (let length = 1; length <= Math.min(group.length, PATTERN_PREFIX_MAX); length++) {
      if (prefixes.size >= PREFIXES_MAX) return prefixes
      prefixes.add(group.slice(0, length))
    }
  }
  return prefixes
}

const FIND = `
  SELECT organization, project FROM group_mappings
    WHERE group_key IN (SELECT value FROM json_each(?1)) AND kind = 'name' AND organization <> ''
      AND organization = coalesce(?3, organization)
  UNION
  SELECT organization, project FROM group_mappings
    WHERE group_key IN (SELECT value FROM json_each(?2)) AND kind = 'pattern' AND organization <> ''
      AND organization = coalesce(?3, organization)
  ORDER BY organization, project LIMIT ?4`
