// Finds the route of a request. The most specific path wins, segment by segment: literal text before a
// capture before `*`. The path alone chooses; a method that it does not serve is no reason to try another.
import type { CompiledRoute, CompiledRouteEnd } from './compiled.ts'
import { type Level, levelOf } from './level.ts'
import type { RouteNode } from './loaded.ts'

/** On every host these paths are Postern's own, whatever a route says. */
export const OWN_PATHS = '/.postern/'

export interface RouteMatch {
  route: CompiledRoute
  level: Level
}

/**
 * `pathname` is the path of a WHATWG URL, not decoded: captures compare with slugs as the bytes they are.
 * @returns null when no route serves that method there.
 */
export function matchRoute(root: RouteNode | undefined, method: string, pathname: string): RouteMatch | null {
  if (!root || pathname.startsWith(OWN_PATHS)) return null
  const captured: string[] = []
  const end = walk(root, pathname, 1, captured)?.get(method)
  if (!end) return null
  const { route, captures } = end
  return {
    route,
    level: levelOf(
      route.organization ?? captured[captures.indexOf('org')] ?? null,
      route.project ?? captured[captures.indexOf('project')] ?? null,
    ),
  }
}

/** `start` is where the segment begins; on success `captured` holds what the captures passed. */
function walk(
  node: RouteNode,
  pathname: string,
  start: number,
  captured: string[],
): ReadonlyMap<string, CompiledRouteEnd> | null {
  if (start > pathname.length) return node.end
  const slash = pathname.indexOf('/', start)
  const stop = slash === -1 ? pathname.length : slash
  const segment = pathname.slice(start, stop)
  const literal = node.literals?.get(segment)
  if (literal) {
    const found = walk(literal, pathname, stop + 1, captured)
    if (found) return found
  }
  if (node.capture && segment !== '') {
    captured.push(segment)
    const found = walk(node.capture, pathname, stop + 1, captured)
    if (found) return found
    captured.pop()
  }
  return node.rest
}
