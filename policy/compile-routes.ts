// Compiles routes: for each host a tree over path segments, in which the most specific path is found first.
import { capturesOf } from './check.ts'
import type { CompiledRoute, CompiledRouteEnd, CompiledRouteNode } from './compiled.ts'
import type { Route } from './schema.ts'
import { byName } from './sorted.ts'

/** A route tree while it is built. */
interface Node {
  literals: Map<string, Node>
  capture: Node | null
  end: Map<string, CompiledRouteEnd>
  rest: Map<string, CompiledRouteEnd>
}
const emptyNode = (): Node => ({ literals: new Map(), capture: null, end: new Map(), rest: new Map() })

export function compileHosts(routes: Record<string, Route>): [string, CompiledRouteNode][] {
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
    forwardPreflight: route.forwardPreflight,
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
