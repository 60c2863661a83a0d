// A compiled policy ready for questions: its documents read into Maps. An organization's part is loaded when it
// is first asked for.
import {
  bucketName,
  COMPILED_FORMAT,
  type CompiledApplication,
  type CompiledBucket,
  type CompiledDocuments,
  type CompiledOrganization,
  type CompiledPolicy,
  type CompiledRouteEnd,
  type CompiledRouteNode,
  type Entries,
  type Grant,
  type GroupGrants,
  type IssuerRecord,
  type PatternGrant,
} from './compiled.ts'
import type { Level } from './level.ts'
import { indexPatterns, type PatternIndex } from './pattern.ts'
import type { RoleLevel } from './schema.ts'
import type { SingleSignOn } from './schema-sign-in.ts'

export interface LoadedRole {
  level: RoleLevel
  permissions: ReadonlyMap<string, string>
  holds: readonly string[]
  implies: readonly string[]
}
export type GrantIndex = ReadonlyMap<string, readonly Grant[]>

export interface LoadedGroupGrants {
  here: readonly Grant[]
  projects: GrantIndex
}

/** An organization with at least those buckets that the principal at hand needs. */
export interface LoadedOrganization {
  slug: string
  displayName: string
  audience: string
  /** Display names by slug. */
  projects: ReadonlyMap<string, string>
  onUnmatched: string | null
  /** Its own; they vouch for nobody elsewhere. */
  issuers: readonly IssuerRecord[]
  patterns: PatternIndex<PatternGrant>
  buckets: number
  exact: ReadonlyMap<string, LoadedGroupGrants>
  lowerCase: ReadonlyMap<string, LoadedGroupGrants>
}

export interface RouteNode {
  literals: ReadonlyMap<string, RouteNode> | null
  capture: RouteNode | null
  end: ReadonlyMap<string, CompiledRouteEnd> | null
  rest: ReadonlyMap<string, CompiledRouteEnd> | null
}

/** What deciding needs besides the organization asked about. */
export interface Policy {
  audience: string
  roles: ReadonlyMap<string, LoadedRole>
  /** The instance's own; of a whole policy, those of its organizations as well. */
  issuers: readonly IssuerRecord[]
  /** These by exact `iss`; several only where organizations share one. */
  issuersByName: ReadonlyMap<string, readonly IssuerRecord[]>
  exact: GrantIndex
  lowerCase: GrantIndex
  patterns: PatternIndex<PatternGrant>
  hosts: ReadonlyMap<string, RouteNode>
  applications: readonly CompiledApplication[]
  /** What the policy says of it; the database says the rest. */
  singleSignOn: Partial<SingleSignOn>
}

/** With every organization: for tools that have the whole document. The edge reads them one by one. */
export interface WholePolicy extends Policy {
  /** Slugs of all organizations. */
  organizations: readonly string[]
  /** Whole, with every bucket; null when there is none of that slug. */
  organization(slug: string): LoadedOrganization | null
}

/** Throws when a document is of another format: a policy that cannot be read must never decide. */
export function loadPolicy({ policy, organizations, buckets }: CompiledDocuments): WholePolicy {
  const headers = new Map(organizations)
  const bucketsByName = new Map(buckets)
  const loaded = new Map<string, LoadedOrganization>()
  const issuers = [...policy.issuers, ...organizations.flatMap(([, header]) => header.issuers)]
  return {
    ...loadInstance(policy),
    issuers,
    issuersByName: recordsByName(issuers),
    organizations: [...headers.keys()],
    organization(slug) {
      const known = loaded.get(slug)
      if (known) return known
      const header = headers.get(slug)
      if (!header) return null
      const all = Array.from({ length: header.buckets }, (_, bucket) => {
        const document = bucketsByName.get(bucketName(slug, bucket))
        if (!document) throw new Error(`compiled policy lacks bucket ${bucket} of organization ${slug}`)
        return document
      })
      const organization = loadOrganization(slug, header, all)
      loaded.set(slug, organization)
      return organization
    },
  }
}

/** The instance's part alone. Throws when the document is of another format. */
export function loadInstance(policy: CompiledPolicy): Policy {
  if (policy.format !== COMPILED_FORMAT) {
    throw new Error(`compiled policy has format ${policy.format}, this build reads ${COMPILED_FORMAT}`)
  }
  return {
    audience: policy.audience,
    roles: new Map(
      policy.roles.map(([name, role]) => [name, { ...role, permissions: new Map(role.permissions) }]),
    ),
    issuers: policy.issuers,
    issuersByName: recordsByName(policy.issuers),
    exact: new Map(policy.exact),
    lowerCase: new Map(policy.lowerCase),
    patterns: indexPatterns(policy.patterns),
    hosts: new Map(policy.hosts.map(([host, node]) => [host, loadRouteNode(node)])),
    // A document of an earlier build has none.
    applications: policy.applications ?? [],
    singleSignOn: policy.singleSignOn ?? {},
  }
}

/** The organization a level lies in; null for the global level and for one that does not exist. */
export function organizationAt(policy: WholePolicy, level: Level): LoadedOrganization | null {
  return level.kind === 'global' ? null : policy.organization(level.organization)
}

/** An organization with the mappings of these buckets. */
export function loadOrganization(
  slug: string,
  header: CompiledOrganization,
  buckets: readonly CompiledBucket[],
): GrowingOrganization {
  const organization: GrowingOrganization = {
    ...header,
    slug,
    projects: new Map(header.projects),
    patterns: indexPatterns(header.patterns),
    exact: new Map(),
    lowerCase: new Map(),
  }
  for (const bucket of buckets) addBucket(organization, bucket)
  return organization
}

/** An organization whose buckets come one by one. */
export interface GrowingOrganization extends LoadedOrganization {
  exact: Map<string, LoadedGroupGrants>
  lowerCase: Map<string, LoadedGroupGrants>
}

export function addBucket({ exact, lowerCase }: GrowingOrganization, bucket: CompiledBucket): void {
  addGrants(exact, bucket.exact)
  addGrants(lowerCase, bucket.lowerCase)
}

const NO_PROJECTS: GrantIndex = new Map()

/** Pairs are not taken apart by name: in code that runs for the first time that takes as long as all the rest. */
function addGrants(index: Map<string, LoadedGroupGrants>, grants: Entries<GroupGrants>): void {
  for (const entry of grants) {
    const { here, projects } = entry[1]
    index.set(entry[0], { here, projects: projects.length > 0 ? new Map(projects) : NO_PROJECTS })
  }
}

function recordsByName(records: readonly IssuerRecord[]): Map<string, IssuerRecord[]> {
  const byName = new Map<string, IssuerRecord[]>()
  for (const record of records) {
    for (const name of record.issuers) {
      const known = byName.get(name)
      if (known) known.push(record)
      else byName.set(name, [record])
    }
  }
  return byName
}

function loadRouteNode(node: CompiledRouteNode): RouteNode {
  return {
    literals: node.literals
      ? new Map(node.literals.map(([text, next]) => [text, loadRouteNode(next)]))
      : null,
    capture: node.capture ? loadRouteNode(node.capture) : null,
    end: node.end ? new Map(node.end) : null,
    rest: node.rest ? new Map(node.rest) : null,
  }
}
