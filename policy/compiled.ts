// The compiled policy: the JSON that a Worker is given, and what loading it makes of it. Look-ups by names
// that come from tokens and paths go through Maps, never through members of objects.
import type { Algorithm, RoleLevel } from './schema.ts'

export const COMPILED_FORMAT = 1

/** What Microsoft Entra's multi-tenant issuer has in place of a tenant's id. */
export const TENANT_PLACEHOLDER = '{tenantid}'

/** Lists of pairs where a Map is meant, so that the document is plain JSON. */
type Entries<Value> = [string, Value][]

export interface CompiledRole {
  level: RoleLevel
  /** All it gives, its own and what it implies, each with the role that has it by itself. */
  permissions: Entries<string>
  /** Itself and every role it implies. */
  holds: string[]
}

/** One group mapping, seen from one of its groups. */
export interface Grant {
  role: string
  /** Where the mapping stands in the policy: `organizations.acme.idpGroupMappings[0]`. */
  mapping: string
  /** Ids of the issuer records it believes; null believes each that is trusted at its level. */
  issuers: string[] | null
}

/** How the keys of an issuer come: by discovery, from a fixed address, or written in the policy. */
export type KeyOrigin =
  | { kind: 'discovery'; issuer: string }
  | { kind: 'jwksUri'; issuer: string; jwksUri: string }
  | { kind: 'pinned'; jwks: { keys: Record<string, unknown>[] } }

/** An issuer record. Everything the Worker keeps about an issuer belongs to `id`, never to its URL. */
export interface IssuerRecord {
  /** `okta`, or for an organization's own `acme/okta`. */
  id: string
  /** The organization that owns it; null: the instance. */
  organization: string | null
  /** The `iss` values of its tokens: one, or one for each tenant. */
  issuers: string[]
  /** The tenants of `issuers`, position by position, where the `tid` claim must name the same one. */
  tenants: string[] | null
  /** Accepted `aud` values; null: the instance's audience and, on an organization's routes, its own. */
  audiences: string[] | null
  algorithms: Algorithm[]
  /** Accepted `typ` values, lower case, without "application/". */
  types: string[]
  headers: string[]
  leewaySeconds: number
  maxTokenAgeSeconds: number | null
  authorizedParties: string[] | null
  keyOrigin: KeyOrigin
  keysUsableSeconds: number
  claims: Record<'subject' | 'userName' | 'email' | 'firstName' | 'lastName', string[]>
  groups: { claim: string[]; key: string | null; separator: string | null } | null
}

export interface CompiledProject {
  displayName: string
  grants: Entries<Grant[]>
}

export interface CompiledOrganization {
  displayName: string
  audience: string
  grants: Entries<Grant[]>
  projects: Entries<CompiledProject>
}

export interface CompiledRoute {
  id: string
  upstream: string
  audience: string
  requires: { kind: 'permission'; permission: string } | { kind: 'authenticated' } | { kind: 'anonymous' }
  organization: string | null
  project: string | null
  forwardAuthorization: boolean
  timeoutSeconds: number
}

/** Routes of one host as a tree over path segments. Capture names are the route's, since they may differ. */
export interface CompiledRouteNode {
  literals?: Entries<CompiledRouteNode>
  capture?: CompiledRouteNode
  /** Ends here: method -> route and the names of the captures passed, in order. */
  end?: Entries<CompiledRouteEnd>
  /** Whatever follows, once a "/" is reached. */
  rest?: Entries<CompiledRouteEnd>
}
export interface CompiledRouteEnd {
  route: CompiledRoute
  captures: string[]
}

export interface CompiledPolicy {
  format: typeof COMPILED_FORMAT
  audience: string
  roles: Entries<CompiledRole>
  issuers: IssuerRecord[]
  grants: Entries<Grant[]>
  organizations: Entries<CompiledOrganization>
  hosts: Entries<CompiledRouteNode>
}

export interface LoadedRole {
  level: RoleLevel
  permissions: ReadonlyMap<string, string>
  holds: readonly string[]
}
export type GrantIndex = ReadonlyMap<string, readonly Grant[]>

export interface LoadedOrganization {
  slug: string
  displayName: string
  audience: string
  grants: GrantIndex
  projects: ReadonlyMap<string, { displayName: string; grants: GrantIndex }>
}

export interface RouteNode {
  literals: ReadonlyMap<string, RouteNode> | null
  capture: RouteNode | null
  end: ReadonlyMap<string, CompiledRouteEnd> | null
  rest: ReadonlyMap<string, CompiledRouteEnd> | null
}

/** A compiled policy ready for questions. */
export interface Policy {
  audience: string
  roles: ReadonlyMap<string, LoadedRole>
  issuers: readonly IssuerRecord[]
  /** Records by exact `iss`; several only where organizations share one. */
  issuersByName: ReadonlyMap<string, readonly IssuerRecord[]>
  grants: GrantIndex
  organizations: ReadonlyMap<string, LoadedOrganization>
  hosts: ReadonlyMap<string, RouteNode>
}

/** Throws when the document is of another format: a policy that cannot be read must never decide. */
export function loadPolicy(compiled: CompiledPolicy): Policy {
  if (compiled.format !== COMPILED_FORMAT) {
    throw new Error(`compiled policy has format ${compiled.format}, this build reads ${COMPILED_FORMAT}`)
  }
  return {
    audience: compiled.audience,
    roles: new Map(
      compiled.roles.map(([name, role]) => [name, { ...role, permissions: new Map(role.permissions) }]),
    ),
    issuers: compiled.issuers,
    issuersByName: recordsByName(compiled.issuers),
    grants: new Map(compiled.grants),
    organizations: new Map(
      compiled.organizations.map(([slug, organization]) => [slug, loadOrganization(slug, organization)]),
    ),
    hosts: new Map(compiled.hosts.map(([host, node]) => [host, loadRouteNode(node)])),
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

function loadOrganization(slug: string, organization: CompiledOrganization): LoadedOrganization {
  return {
    slug,
    displayName: organization.displayName,
    audience: organization.audience,
    grants: new Map(organization.grants),
    projects: new Map(
      organization.projects.map(([name, project]) => [name, { ...project, grants: new Map(project.grants) }]),
    ),
  }
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
