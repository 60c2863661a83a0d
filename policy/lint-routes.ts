// Routes that are not reached, or not by whom they were meant for. Routes that collide are check.ts's.
import { heldWith } from './mapping-sites.ts'
import { describePath } from './problems.ts'
import type { PolicyDocument, RoleLevel, Route } from './schema.ts'
import { type Warning, warning } from './warnings.ts'

export function lintRoutes(document: PolicyDocument, gatewayHosts: readonly string[]): Warning[] {
  const found: Warning[] = []
  for (const [id, route] of Object.entries(document.routes)) {
    route.hosts.forEach((host, index) => {
      if (!gatewayHosts.includes(host)) return
      const message = `${host} carries sign-in and the console, so the route is never asked; use a host of its own`
      found.push(warning('route_on_gateway_host', ['routes', id, 'hosts', index], message))
    })
    if (/\/\.{1,2}(?:\/|$)/.test(route.path)) {
      const message =
        'has a "." or ".." segment, which no path has when it arrives; write the path without it'
      found.push(warning('route_unreachable', ['routes', id, 'path'], message))
    }
    found.push(...lintPermission(document, id, route))
  }
  for (const [host, paths] of pathsByHost(document.routes)) found.push(...lintHost(host, paths))
  return found
}

/** A path on a host, and what is served there. Captures stand as `{}`, since they match alike. */
interface HostPath {
  segments: string[]
  methods: Set<string>
  routes: string[]
}

function pathsByHost(routes: PolicyDocument['routes']): Map<string, Map<string, HostPath>> {
  const hosts = new Map<string, Map<string, HostPath>>()
  for (const [id, { hosts: names, path, methods }] of Object.entries(routes)) {
    const shape = path.replace(/\{[^}]*\}/g, '{}')
    for (const name of names) {
      const paths = hosts.get(name) ?? new Map<string, HostPath>()
      hosts.set(name, paths)
      const known = paths.get(shape) ?? {
        segments: shape.split('/').slice(1),
        methods: new Set(),
        routes: [],
      }
      paths.set(shape, known)
      for (const method of methods) known.methods.add(method)
      if (!known.routes.includes(id)) known.routes.push(id)
    }
  }
  return hosts
}

function lintHost(host: string, paths: ReadonlyMap<string, HostPath>): Warning[] {
  const found: Warning[] = []
  for (const [shape, path] of paths) {
    const base = shape.slice(0, -1)
    if (shape.endsWith('/*') && isCovered(paths, base)) {
      const message = `${host}${base} and all below it are taken by more specific routes; remove this one or one of ${base}{..}`
      for (const id of path.routes) found.push(warning('route_unreachable', ['routes', id, 'path'], message))
    }
    found.push(...lintMethods(host, shape, path, paths))
  }
  return found
}

/** Whether everything after the slash at the end has a more specific route: nothing, one segment, and more. */
function isCovered(paths: ReadonlyMap<string, HostPath>, base: string): boolean {
  if (!paths.has(base) || !paths.has(`${base}{}`)) return false
  return paths.has(`${base}{}/*`) || isCovered(paths, `${base}{}/`)
}

/** The path alone chooses the route, so a method that is left out is not served by a broader one. */
function lintMethods(
  host: string,
  shape: string,
  path: HostPath,
  paths: ReadonlyMap<string, HostPath>,
): Warning[] {
  const hidden = new Map<string, string>()
  for (const other of paths.values()) {
    if (other === path || !isBroader(other.segments, path.segments)) continue
    for (const method of other.methods) {
      if (!path.methods.has(method)) hidden.set(method, other.routes.join('", "'))
    }
  }
  if (hidden.size === 0) return []
  const methods = [...hidden.keys()].sort().join(', ')
  const broader = [...new Set(hidden.values())].join('", "')
  const message =
    `${methods} ${host}${shape} is not served: this path is more specific than that of "${broader}", ` +
    'and a path alone chooses the route; add the method here, or a route with it on this path'
  return [warning('route_method_hidden', ['routes', path.routes[0] as string, 'methods'], message)]
}

/** Whether every path that the second matches is matched by the first as well. */
function isBroader(broad: readonly string[], narrow: readonly string[]): boolean {
  for (const [index, segment] of broad.entries()) {
    const other = narrow[index]
    if (other === undefined) return false
    if (segment === '*') return true
    if (other === '*') return false
    if (segment === '{}' ? other === '' : segment !== other) return false
  }
  return broad.length === narrow.length
}

/** Levels whose roles count where the route is: the same and those above. */
const COUNTING: Record<RoleLevel, RoleLevel[]> = {
  global: ['global'],
  organization: ['global', 'organization'],
  project: ['global', 'organization', 'project'],
}

function lintPermission({ roles }: PolicyDocument, id: string, route: Route): Warning[] {
  const { permission } = route
  if (permission === undefined) return []
  const path = ['routes', id, 'permission']
  const has = (name: 'org' | 'project') => route.path.includes(`{${name}}`)
  const inProject = route.project !== undefined || has('project')
  const inOrganization = route.organization !== undefined || has('org')
  const level: RoleLevel = inProject ? 'project' : inOrganization ? 'organization' : 'global'
  const giving = Object.entries(roles).filter(([, role]) => role.permissions.includes(permission))
  if (giving.length === 0) {
    const message = `no role gives "${permission}", so everybody is refused; add it to a role's permissions`
    return [warning('route_permission_ungiven', path, message)]
  }
  const held = Object.entries(roles).some(([name, role]) => {
    if (!COUNTING[level].includes(role.level)) return false
    return [...heldWith(roles, name)].some((other) => roles[other]?.permissions.includes(permission))
  })
  if (held) return []
  const names = giving.map(([name]) => name).join(', ')
  const message =
    `"${permission}" is given by ${names} only, and no such role counts at the ${level} level, where the route is; ` +
    `put {org} or {project} into ${describePath(['routes', id, 'path'])}, or ask for another permission`
  return [warning('route_permission_ungiven', path, message)]
}
