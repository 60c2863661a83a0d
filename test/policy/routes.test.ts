// Which route a request takes, and which level its path and the route name.
import { describe, expect, test } from 'vitest'
import { matchRoute } from '../../policy/routes.ts'
import { INHERITED_NAMES, levelAt, policyOf } from './policies.ts'

/** Routes by id: "GET,POST host/path". */
function routed(routes: Record<string, string | object>) {
  const members = Object.entries(routes).map(([id, route]) => [id, routeOf(route)])
  const policy = policyOf({
    organizations: { acme: { projects: { payments: {} } } },
    routes: Object.fromEntries(members),
  })
  return (line: string) => {
    const [method, url] = line.split(' ') as [string, string]
    const slash = url.indexOf('/')
    return matchRoute(policy.hosts.get(url.slice(0, slash)), method, url.slice(slash))
  }
}

function routeOf(route: string | object): object {
  const common = { upstream: 'https://upstream.example', access: 'anonymous' }
  if (typeof route !== 'string') return { ...common, ...route }
  const [methods, url] = route.split(' ') as [string, string]
  const slash = url.indexOf('/')
  return { ...common, methods: methods.split(','), hosts: [url.slice(0, slash)], path: url.slice(slash) }
}

describe('the most specific path wins', () => {
  const match = routed({
    root: 'GET h/',
    literal: 'GET h/orgs/acme/hello',
    capture: 'GET h/orgs/{org}/hello',
    deeper: 'GET h/orgs/{org}/projects/{project}',
    rest: 'GET h/orgs/*',
    files: 'GET h/files/{name}/*',
    'files-all': 'GET h/files/*',
    'one-part': 'GET h/{page}',
    'new-only': 'POST h/orgs/acme/new',
    'new-any': 'GET h/orgs/{org}/new',
    slashed: 'GET h/slash/',
    'other-host': 'GET i/orgs/acme/hello',
  })
  const shouldMatch: [request: string, id: string, level: string][] = [
    ['GET h/', 'root', ''],
    ['GET h/orgs/acme/hello', 'literal', ''],
    ['GET h/orgs/globex/hello', 'capture', 'globex'],
    ['GET h/orgs/acme/projects/web', 'deeper', 'acme/web'],
    ['GET h/orgs/acme/bye', 'rest', ''],
    ['GET h/orgs/acme', 'rest', ''],
    ['GET h/orgs/acme/hello/', 'rest', ''],
    ['GET h/orgs/acme/hello/more', 'rest', ''],
    ['GET h/orgs/globex/projects/web/', 'rest', ''],
    ['GET h/orgs//hello', 'rest', ''],
    ['GET h/orgs/', 'rest', ''],
    ['GET h/orgs', 'one-part', ''],
    ['GET h/anything', 'one-part', ''],
    ['GET h/files/a/b', 'files', ''],
    ['GET h/files/a/', 'files', ''],
    ['GET h/files/a', 'files-all', ''],
    ['GET h/files//', 'files-all', ''],
    ['GET h/orgs/globex/new', 'new-any', 'globex'],
    ['POST h/orgs/acme/new', 'new-only', ''],
    ['GET h/slash/', 'slashed', ''],
    ['GET h/slash', 'one-part', ''],
    ['GET i/orgs/acme/hello', 'other-host', ''],
    ['GET h/orgs/Acme/hello', 'capture', 'Acme'],
    ['GET h/orgs/acme%2fx/hello', 'capture', 'acme%2fx'],
    ['GET h/orgs/__proto__/hello', 'capture', '__proto__'],
  ]
  test.each(shouldMatch)('%s takes %s', (request, id, level) => {
    expect(match(request)?.route.id).toBe(id)
    expect(match(request)?.level).toEqual(levelAt(level))
  })

  const shouldRefuse: [name: string, request: string][] = [
    ['a path nothing serves', 'GET h/x/y'],
    ['an empty capture', 'GET h//'],
    ['a method no route there has', 'DELETE h/orgs/acme/hello'],
    ['HEAD where only GET is served', 'HEAD h/orgs/acme/hello'],
    ['a method in lower case', 'get h/orgs/acme/hello'],
    ['a method every object has', 'constructor h/orgs/acme/hello'],
    ['the method of a less specific route', 'GET h/orgs/acme/new'],
    ['a host without routes', 'GET j/orgs/acme/hello'],
    ['a route of another host', 'GET i/orgs/acme/bye'],
  ]
  test.each(shouldRefuse)('refuses %s', (_name, request) => expect(match(request)).toBeNull())

  test.each(INHERITED_NAMES)('refuses %s as a host', (name) => expect(match(`GET ${name}/`)).toBeNull())
})

describe('the level of a route', () => {
  const common = { hosts: ['h'], methods: ['GET'] }
  const match = routed({
    'fixed-organization': { ...common, path: '/a/{project}', organization: 'acme' },
    'fixed-both': { ...common, path: '/b/*', organization: 'acme', project: 'payments' },
    'other-order': { ...common, path: '/c/{project}/of/{org}' },
    'other-names': { ...common, path: '/d/{id}/{org}/{verb}' },
    'own-names': { ...common, path: '/d/{org}/x/{project}', methods: ['PUT'] },
    'no-level': { ...common, path: '/e/{id}' },
    'rest-after-capture': { ...common, path: '/f/{org}/*' },
  })
  test.each([
    ['GET h/a/web', 'acme/web'],
    ['GET h/b/', 'acme/payments'],
    ['GET h/b/x/y', 'acme/payments'],
    ['GET h/c/web/of/globex', 'globex/web'],
    ['GET h/d/1/globex/read', 'globex'],
    ['PUT h/d/globex/x/web', 'globex/web'],
    ['GET h/e/acme', ''],
    ['GET h/f/globex/x', 'globex'],
  ])('of %s is "%s"', (request, level) => expect(match(request)?.level).toEqual(levelAt(level)))

  test('a way that leads nowhere leaves no captures behind', () => {
    const backtracking = routed({
      narrow: 'GET h/x/{id}/a/b',
      wide: 'GET h/{org}/{project}/c',
      all: { ...common, path: '/*', organization: 'acme' },
    })
    expect(backtracking('GET h/x/y/a/b')).toMatchObject({ route: { id: 'narrow' }, level: levelAt('') })
    expect(backtracking('GET h/x/y/c')).toMatchObject({ route: { id: 'wide' }, level: levelAt('x/y') })
    expect(backtracking('GET h/x/y/d')).toMatchObject({ route: { id: 'all' }, level: levelAt('acme') })
  })
})

test('a long path is matched to its end', () => {
  const segments = (text: string) => `/${text}`.repeat(100)
  const match = routed({
    literals: `GET h${segments('a')}/end`,
    captures: `GET h${'/{org}'}${segments('a')}`,
    rest: 'GET h/*',
  })
  for (let times = 0; times < 1000; times++) expect(match(`GET h${segments('a')}/b`)?.route.id).toBe('rest')
})
