// Every mapping that could give a role at a level, as one list in the order of the document. Compiled once for
// a policy and once for each organization, so that a page of it costs the page.
import type { Grant, IssuerRecord, PatternGrant } from './compiled.ts'
import type { Level } from './level.ts'
import type { LoadedOrganization, Policy, WholePolicy } from './loaded.ts'
import type { Principal } from './principal.ts'

/** What an explanation is about. The level exists, and the organization is the level's. */
export interface Asked {
  policy: Policy
  organization: LoadedOrganization | null
  principal: Principal
  level: Level
  now: number
}

/** A mapping as a whole, with all its groups or patterns. */
export interface Listed {
  grant: Grant
  groups: string[]
  patterns: PatternGrant[]
  /** Written at the global level without naming an organization: it counts on the instance's word only. */
  instanceOnly: boolean
}

/** A part of a level's list; which mappings give a role is known without a search. */
export interface Segment {
  mappings: readonly Listed[]
  byRole: ReadonlyMap<string, readonly Listed[]>
}

export type Listing = readonly Segment[]

export function listingAt({ policy, organization, level }: Asked): Listing {
  const ofPolicy = policyParts(policy)
  if (organization === null || level.kind === 'global') return [ofPolicy.global]
  const own = organizationParts(organization)
  if (level.kind === 'organization') return [ofPolicy.global, ofPolicy.anyOrganization, own.here]
  const project = own.projects.get(level.project)
  return [
    ofPolicy.global,
    ofPolicy.anyOrganization,
    ofPolicy.anyProject,
    own.here,
    own.anyProject,
    ...(project ? [project] : []),
  ]
}

export function sizeOf(listing: Listing): number {
  return listing.reduce((sum, { mappings }) => sum + mappings.length, 0)
}

/** The mapping at a place in the list. */
export function* listedFrom(listing: Listing, start: number): Generator<[place: number, listed: Listed]> {
  let before = 0
  for (const { mappings } of listing) {
    for (let index = Math.max(0, start - before); index < mappings.length; index++) {
      yield [before + index, mappings[index] as Listed]
    }
    before += mappings.length
  }
}

/** Null where only the level's own organization is at hand, and nobody can tell. */
export function organizationExists(policy: Policy, slug: string): boolean | null {
  return policyParts(policy).organizations?.has(slug) ?? null
}

/** The issuer record that vouches for the principal, when the policy or the level's organization has it. */
export function recordOf({
  policy,
  organization,
  principal: { issuer },
}: Pick<Asked, 'policy' | 'organization' | 'principal'>): IssuerRecord | null {
  const known = policyParts(policy).records.get(issuer)
  return known ?? organization?.issuers.find(({ id }) => id === issuer) ?? null
}

interface PolicyParts {
  global: Segment
  /** Patterns that capture the organization, and those that capture the project as well. */
  anyOrganization: Segment
  anyProject: Segment
  /** Of a whole policy. */
  organizations: ReadonlySet<string> | null
  records: ReadonlyMap<string, IssuerRecord>
}
const partsOfPolicies = new WeakMap<Policy, PolicyParts>()

function policyParts(policy: Policy & Partial<WholePolicy>): PolicyParts {
  const known = partsOfPolicies.get(policy)
  if (known) return known
  const parts = { global: collector(true), anyOrganization: collector(false), anyProject: collector(false) }
  for (const index of [policy.exact, policy.lowerCase]) {
    for (const [group, grants] of index) parts.global.addGroup(group, grants)
  }
  for (const entry of policy.patterns.entries) {
    const names = entry.pattern.captures.map(({ name }) => name)
    const part = !names.includes('org')
      ? 'global'
      : names.includes('project')
        ? 'anyProject'
        : 'anyOrganization'
    parts[part].addPattern(entry)
  }
  const made = {
    global: parts.global.finish(),
    anyOrganization: parts.anyOrganization.finish(),
    anyProject: parts.anyProject.finish(),
    organizations: policy.organizations ? new Set(policy.organizations) : null,
    records: new Map(policy.issuers.map((record) => [record.id, record])),
  }
  partsOfPolicies.set(policy, made)
  return made
}

interface OrganizationParts {
  here: Segment
  /** Patterns that capture the project. */
  anyProject: Segment
  projects: ReadonlyMap<string, Segment>
}
const partsOfOrganizations = new WeakMap<LoadedOrganization, OrganizationParts>()

function organizationParts(organization: LoadedOrganization): OrganizationParts {
  const known = partsOfOrganizations.get(organization)
  if (known) return known
  const here = collector(false)
  const anyProject = collector(false)
  const projects = new Map<string, Collector>()
  const ofProject = (name: string) => {
    const made = projects.get(name) ?? collector(false)
    projects.set(name, made)
    return made
  }
  for (const index of [organization.exact, organization.lowerCase]) {
    for (const [group, grants] of index) {
      here.addGroup(group, grants.here)
      for (const [name, given] of grants.projects) ofProject(name).addGroup(group, given)
    }
  }
  for (const entry of organization.patterns.entries) {
    const captures = entry.pattern.captures.some(({ name }) => name === 'project')
    const part = entry.project !== null ? ofProject(entry.project) : captures ? anyProject : here
    part.addPattern(entry)
  }
  const made = {
    here: here.finish(),
    anyProject: anyProject.finish(),
    projects: new Map([...projects].map(([name, part]) => [name, part.finish()])),
  }
  partsOfOrganizations.set(organization, made)
  return made
}

interface Collector {
  addGroup(group: string, grants: readonly Grant[]): void
  addPattern(entry: PatternGrant): void
  finish(): Segment
}

/** Puts mappings together again that the index holds group by group. */
function collector(instanceOnly: boolean): Collector {
  const byPath = new Map<string, Listed>()
  const of = (grant: Grant): Listed => {
    const known = byPath.get(grant.mapping)
    if (known) return known
    const made = { grant, groups: [], patterns: [], instanceOnly }
    byPath.set(grant.mapping, made)
    return made
  }
  return {
    addGroup(group, grants) {
      for (const grant of grants) of(grant).groups.push(group)
    },
    addPattern(entry) {
      of(entry.grant).patterns.push(entry)
    },
    finish() {
      const placed = [...byPath.values()].map((listed) => ({ listed, place: placeOf(listed) }))
      const mappings = placed.sort((a, b) => a.place - b.place).map(({ listed }) => listed)
      const byRole = new Map<string, Listed[]>()
      for (const listed of mappings) {
        const same = byRole.get(listed.grant.role)
        if (same) same.push(listed)
        else byRole.set(listed.grant.role, [listed])
      }
      return { mappings, byRole }
    },
  }
}

/** In the order of the document: the number at the end of its path; mappings by name before patterns. */
function placeOf({ grant: { mapping }, patterns }: Listed): number {
  const number = Number(mapping.slice(mapping.lastIndexOf('[') + 1, -1))
  return patterns.length > 0 ? number + PATTERNS_AFTER : number
}
const PATTERNS_AFTER = 2 ** 32
