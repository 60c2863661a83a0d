// Turns a checked policy document into the compiled policy: implications resolved, mappings indexed by
// group, routes as trees. Equal documents compile to equal bytes, whatever order their members stand in.
import { capturesOf, issuerNames } from './check.ts'
import {
  COMPILED_FORMAT,
  type CompiledOrganization,
  type CompiledPolicy,
  type CompiledProject,
  type CompiledRole,
  type CompiledRoute,
  type CompiledRouteEnd,
  type CompiledRouteNode,
  type Grant,
  type IssuerRecord,
  type KeyOrigin,
} from './compiled.ts'
import { describePath, type Path } from './problems.ts'
import type { GroupMapping, Issuer, Organization, PolicyDocument, Project, Role, Route } from './schema.ts'

/** The document must have passed checkPolicy. */
export function compilePolicy(policy: PolicyDocument): CompiledPolicy {
  return {
    format: COMPILED_FORMAT,
    audience: policy.audience,
    roles: mapSorted(policy.roles, (name) => compileRole(name, policy.roles)),
    issuers: [
      ...mapSorted(policy.issuers, (id, issuer) => compileIssuer(id, null, issuer)),
      ...mapSorted(policy.organizations, (slug, { issuers }) =>
        mapSorted(issuers, (id, issuer) => compileIssuer(`${slug}/${id}`, slug, issuer)),
      ).flatMap(([, issuers]) => issuers),
    ].map(([, record]) => record),
    grants: indexGrants(policy.idpGroupMappings, ['idpGroupMappings']),
    organizations: mapSorted(policy.organizations, compileOrganization),
    hosts: compileHosts(policy.routes),
  }
}

function mapSorted<From, To>(
  members: Record<string, From>,
  transform: (name: string, value: From) => To,
): [string, To][] {
  return Object.keys(members)
    .sort()
    .map((name) => [name, transform(name, members[name] as From)])
}

function compileRole(name: string, roles: Record<string, Role>): CompiledRole {
  const holds: string[] = []
  const permissions = new Map<string, string>()
  const visit = (held: string) => {
    if (holds.includes(held)) return
    holds.push(held)
    const role = roles[held] as Role
    // The first role to give a permission is the proof's: its own before what it implies.
    for (const permission of role.permissions)
      if (!permissions.has(permission)) permissions.set(permission, held)
    role.implies.forEach(visit)
  }
  visit(name)
  return {
    level: (roles[name] as Role).level,
    permissions: [...permissions].sort(byName),
    holds: holds.sort(),
  }
}

function compileIssuer(id: string, organization: string | null, issuer: Issuer): IssuerRecord {
  return {
    id,
    organization,
    issuers: issuerNames(issuer),
    tenants: issuer.tenants ?? null,
    audiences: issuer.audiences ?? null,
    algorithms: issuer.algorithms,
    types: issuer.types.map((type) => type.toLowerCase().replace(/^application\//, '')),
    headers: issuer.headers,
    leewaySeconds: issuer.leewaySeconds,
    maxTokenAgeSeconds: issuer.maxTokenAgeSeconds ?? null,
    authorizedParties: issuer.authorizedParties ?? null,
    keyOrigin: keyOriginOf(issuer),
    keysUsableSeconds: issuer.keysUsableSeconds,
    claims: issuer.claims,
    groups:
      issuer.groups === 'none'
        ? null
        : {
            claim: issuer.groups.claim,
            key: issuer.groups.key ?? null,
            separator: issuer.groups.separator ?? null,
          },
  }
}

function keyOriginOf({ issuer, jwks, jwksUri }: Issuer): KeyOrigin {
  if (jwks) return { kind: 'pinned', jwks: sortMembers(jwks) as typeof jwks }
  return jwksUri ? { kind: 'jwksUri', issuer, jwksUri } : { kind: 'discovery', issuer }
}

/** The same JSON with the members of its objects in order, for values whose shape the schema leaves open. */
function sortMembers(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sortMembers)
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(
    mapSorted(value as Record<string, unknown>, (_name, member) => sortMembers(member)),
  )
}

function compileOrganization(slug: string, organization: Organization): CompiledOrganization {
  const path = ['organizations', slug]
  return {
    displayName: organization.displayName ?? slug,
    audience: organization.audience ?? slug,
    grants: indexGrants(organization.idpGroupMappings, [...path, 'idpGroupMappings']),
    projects: mapSorted(organization.projects, (name, project) => compileProject(name, project, path)),
  }
}

function compileProject(name: string, project: Project, organization: Path): CompiledProject {
  return {
    displayName: project.displayName ?? name,
    grants: indexGrants(project.idpGroupMappings, [...organization, 'projects', name, 'idpGroupMappings']),
  }
}

function indexGrants(mappings: readonly GroupMapping[], path: Path): [string, Grant[]][] {
  const index = new Map<string, Grant[]>()
  mappings.forEach((mapping, position) => {
    const grant: Grant = {
      role: mapping.roleName,
      mapping: describePath([...path, position]),
      issuers: mapping.issuers ?? null,
    }
    for (const group of new Set(mapping.idpGroups)) {
      const known = index.get(group)
      if (known) known.push(grant)
      else index.set(group, [grant])
    }
  })
  return [...index].sort(byName)
}

/** A route tree while it is built. */
interface Node {
  literals: Map<string, Node>
  capture: Node | null
  end: Map<string, CompiledRouteEnd>
  rest: Map<string, CompiledRouteEnd>
}
const emptyNode = (): Node => ({ literals: new Map(), capture: null, end: new Map(), rest: new Map() })

function compileHosts(routes: Record<string, Route>): [string, CompiledRouteNode][] {
  const hosts = new Map<string, Node>()
  for (const id of Object.keys(routes).sort()) {
    const route = routes[id] as Route
    const compiled = compileRoute(id, route)
    for (const host of route.hosts) {
      const root = hosts.get(host) ?? emptyNode()
      hosts.set(host, root)
      addRoute(root, route, compiled)
    }
  }
  return [...hosts].sort(byName).map(([host, node]) => [host, freezeNode(node)])
}

function compileRoute(id: string, route: Route): CompiledRoute {
  return {
    id,
    upstream: route.upstream,
    audience: route.audience ?? route.upstream,
    requires: route.permission
      ? { kind: 'permission', permission: route.permission }
      : { kind: route.access as 'authenticated' | 'anonymous' },
    organization: route.organization ?? null,
    project: route.project ?? null,
    forwardAuthorization: route.forwardAuthorization,
    timeoutSeconds: route.timeoutSeconds,
  }
}

function addRoute(root: Node, { path, methods }: Route, route: CompiledRoute): void {
  const end = { route, captures: capturesOf(path) }
  let node = root
  let ends = 'end' as 'end' | 'rest'
  for (const segment of path.split('/').slice(1)) {
    if (segment === '*') ends = 'rest'
    else if (segment.startsWith('{')) {
      node.capture ??= emptyNode()
      node = node.capture
    } else {
      const next = node.literals.get(segment) ?? emptyNode()
      node.literals.set(segment, next)
      node = next
    }
  }
  for (const method of methods) node[ends].set(method, end)
}

function freezeNode(node: Node): CompiledRouteNode {
  return {
    ...(node.literals.size > 0
      ? { literals: [...node.literals].sort(byName).map(([text, next]) => [text, freezeNode(next)]) }
      : {}),
    ...(node.capture ? { capture: freezeNode(node.capture) } : {}),
    ...(node.end.size > 0 ? { end: [...node.end].sort(byName) } : {}),
    ...(node.rest.size > 0 ? { rest: [...node.rest].sort(byName) } : {}),
  }
}

/** Order of UTF-16 code units, so that no locale changes the bytes. */
function byName([a]: [string, unknown], [b]: [string, unknown]): number {
  return a < b ? -1 : a > b ? 1 : 0
}
