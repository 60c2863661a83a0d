// Path tricks over raw sockets, where no client tidies anything up. Each is either refused and no upstream sees
// anything, or what the upstream is sent is what was matched: nobody gets to /admin by way of /public.
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { API_HOST, operatorToken, routeTo, type Setting, startSetting } from '../support/setting.ts'
import { startUpstream, type Upstream } from '../support/upstream.ts'

let setting: Setting
/** Behind the routes that need a permission. */
let admin: Upstream
beforeAll(async () => {
  admin = await startUpstream()
  setting = await startSetting({
    policy: ({ routes }, { upstream }) => {
      routes.public = routeTo(upstream.origin, '/public/*', { access: 'anonymous' })
      routes.admin = routeTo(admin.origin, '/admin/*', { permission: 'instance.read' })
    },
  })
})
afterAll(async () => {
  await setting.close()
  await admin.stop()
})

type Target = string | Buffer

function requestOf(target: Target, lines: string[] = [], method = 'GET', host = API_HOST): Buffer {
  const head = [`Host: ${host}`, 'Connection: close', ...lines].map((line) => `${line}\r\n`).join('')
  return Buffer.concat([
    Buffer.from(`${method} `),
    Buffer.from(target as string),
    Buffer.from(` HTTP/1.1\r\n${head}\r\n`),
  ])
}

/** Sends the target. @returns the status, and the targets that each upstream received. */
async function ask(target: Target, lines?: string[], method?: string, host?: string) {
  const answer = await setting.stack.raw(requestOf(target, lines, method, host))
  return {
    answer,
    status: Number(/^HTTP\/1\.1 (\d+)/.exec(answer)?.[1]),
    seen: setting.upstream.take().map(({ target }) => target),
    admin: admin.take().map(({ target }) => target),
  }
}

const NOT_CANONICAL = 'path_not_canonical'

describe('refused by Postern', () => {
  const targets: [name: string, target: Target][] = [
    ['%2e%2e', '/public/%2e%2e/admin/x'],
    ['%2E%2E', '/public/%2E%2E/admin/x'],
    ['.%2e', '/public/.%2e/admin/x'],
    ['%2E alone', '/public/%2E/x'],
    ['%2e at the end', '/public/%2e'],
    ['%2e in a name', '/public/a%2etxt'],
    ['%2f', '/public%2fx'],
    ['%2F', '/public/..%2Fadmin%2Fx'],
    ['%2f in front', '/%2fadmin/x'],
    ['%5c', '/public/..%5cadmin%5cx'],
    ['\\', '/public\\..\\admin\\x'],
    ['\\ in front', '/\\admin/x'],
    ['// in front', '//admin/x'],
    ['// in front of a host', '//gateway.test/readyz'],
    ['// within', '/public//x'],
    ['// at the end', '/public/x//'],
    [';', '/public/x;y'],
    ['..;', '/public/..;/admin/x'],
    ['%3b', '/public/..%3b/admin/x'],
    ['%00', '/public/x%00'],
    ['%00 before a suffix', '/admin/x%00/public/'],
    ['%0d%0a', '/public/x%0d%0aX-Postern-Roles:%20GLOBAL_OWNER'],
    ['%09', '/public/x%09'],
    ['%252e, encoded twice', '/public/%252e%252e/admin/x'],
    ['%252F, encoded twice', '/public/..%252Fadmin'],
    ['%c0%ae, an overlong dot', '/public/%c0%ae%c0%ae/admin/x'],
    ['%ff, which is no UTF-8', '/public/%ff'],
    ['%7f', '/public/x%7f'],
    ['%61, an encoded letter', '/%61dmin/x'],
    ['%41', '/public/%41'],
    ['%7E, an encoded tilde', '/public/%7Eroot'],
    ['%2D, an encoded hyphen', '/public/a%2Db'],
    ['an invalid percent', '/public/%zz'],
    ['half a percent', '/public/%2'],
    ['a percent at the end', '/public/x%'],
    ['%u', '/public/%u002e%u002e/admin/x'],
    ['a character that URLs encode', '/public/{x}'],
    ['a quote', '/public/"x"'],
    ['non-ASCII', '/public/é'],
  ]
  it.each(targets)('%s', async (_name, target) => {
    const { answer, status, seen, admin } = await ask(target)
    expect({ status, seen, admin }).toEqual({ status: 400, seen: [], admin: [] })
    expect(answer).toContain(NOT_CANONICAL)
    expect(answer).toContain('Content-Type: application/problem+json')
  })
})

describe('refused by the runtime, before Postern', () => {
  const targets: [name: string, target: Target][] = [
    ['a NUL', '/public/\0x'],
    ['a byte that is no UTF-8', Buffer.from([0x2f, 0xff, 0xfe])],
    ['a space', '/public/x y'],
    ['a tab', '/public/\tx'],
    ['a carriage return', '/public/\rx'],
    ['no target', ''],
    ['a query without a path', '?x'],
    ['*', '*'],
    ['user information', '@admin/x'],
    ['a scheme without an authority', 'http:api.test/public/x'],
  ]
  it.each(targets)('%s', async (_name, target) => {
    const { status, seen, admin } = await ask(target)
    expect(status === undefined || Number.isNaN(status) || status >= 400, `status ${status}`).toBe(true)
    expect({ seen, admin }).toEqual({ seen: [], admin: [] })
  })
  it.each(['OPTIONS *', 'CONNECT api.test:80', 'CONNECT /public/x'])('%s', async (line) => {
    const [method, target = ''] = line.split(' ')
    const { seen, admin } = await ask(target, [], method)
    expect({ seen, admin }).toEqual({ seen: [], admin: [] })
  })
})

describe('tidied up by the runtime, then matched as it is forwarded', () => {
  const targets: [name: string, target: string, seen: string | null][] = [
    ['.. within', '/public/a/../b', '/public/b'],
    ['. within', '/public/./a', '/public/a'],
    ['.. into another route', '/public/../admin/x', null],
    ['.. out of another route', '/admin/../public/x', '/public/x'],
    ['.. above the root', '/../../public/x', '/public/x'],
    ['.. at the end', '/public/a/..', '/public/'],
    ['a fragment', '/public/x#/../../admin', '/public/x'],
    ['a fragment behind a query', '/public/x?a#b', '/public/x?a'],
    ['an absolute target', 'http://api.test/public/x', '/public/x'],
    ['an absolute target of another scheme', 'https://api.test/public/x', '/public/x'],
    ['an absolute target of another host', 'http://other.test/public/x', '/public/x'],
    ['an absolute target of the gateway host', 'http://gateway.test/healthz', null],
    ['an absolute target with user information', 'http://user:password@api.test/public/x', '/public/x'],
    ['an absolute target into another route', 'http://api.test/public/../admin/x', null],
    ['a target that is a name', 'public/x', null],
    ['a target that is a host and port', 'api.test:80', null],
  ]
  it.each(targets)('%s', async (_name, target, expected) => {
    const { answer, status, seen, admin } = await ask(target)
    expect({ seen, admin }).toEqual({ seen: expected === null ? [] : [expected], admin: [] })
    expect(status >= 400).toBe(expected === null)
    expect(answer).not.toContain('alive')
  })
})

describe('passed as it is', () => {
  const targets = [
    '/public/',
    '/public/x',
    '/public/x/',
    '/public/a.b/..c/c../...',
    "/public/~user/a_b-c!$&'()*+,=:@",
    '/public/a%20b',
    '/public/caf%C3%A9',
    '/public/caf%c3%a9',
    '/public/a|b[c]',
    '/public/%7Bid%7D',
    '/public/x%3Fy%23z',
    '/public/100%25',
    '/public/x?',
    '/public/x?a=1&a=2&b',
    '/public/x??a=?',
    '/public/x?path=%2e%2e/../..%2fadmin//;&nul=%00',
    '/public/x?q=a+b%20c&e=%C3%A9%ff',
    '/public/x?url=http://a.b/c?d=e/f',
    '/public/x?\\=[]|{}^',
  ]
  it.each(targets)('%s', async (target) => {
    const { status, seen } = await ask(target)
    expect({ status, seen }).toEqual({ status: 200, seen: [target] })
  })
  it('but for a quote and what is not ASCII in a query, which URLs encode', async () => {
    expect((await ask("/public/x?q='é'")).seen).toEqual(['/public/x?q=%27%C3%A9%27'])
  })
})

describe('what a path captures', () => {
  const authorization = () => [
    `Authorization: Bearer ${setting.token({ groups: ['readers', 'web-readers'] })}`,
  ]
  const targets = [
    '/orgs/acme/projects/payments/x',
    '/orgs/globex/../acme/projects/payments/x',
    '/orgs/acme/projects/payments/../../../globex/projects/web/x',
    '/orgs/acme%2fprojects/payments/x',
    '/orgs/acme;globex/projects/payments/x',
    '/orgs/%61cme/projects/payments/x',
    '/orgs/acme%00/projects/payments/x',
    '/orgs/acme/projects/payments%20/x',
    '/orgs/Acme/projects/payments/x',
    '/orgs//acme/projects/payments/x',
    '/orgs/acme/projects/payments/orgs/globex/projects/web/x',
  ]
  it.each(targets)('%s: the organization told is the one in the path sent', async (target) => {
    const answer = await setting.stack.raw(requestOf(target, authorization()))
    const seen = setting.upstream.take()
    for (const { target: sent, headers } of seen) {
      const [, , organization, , project] = sent.split('/')
      expect(headers['x-postern-organization']).toBe(organization)
      expect(headers['x-postern-project']).toBe(project)
    }
    expect(answer.startsWith('HTTP/1.1 200')).toBe(seen.length === 1)
  })
})

describe('hosts', () => {
  const hosts = [
    'api.test/admin',
    'api.test/admin/x?',
    'api.test?x',
    'api.test#x',
    'api.test\\x',
    'user@api.test',
    'gateway.test@api.test',
    'api.test, gateway.test',
    'api.test:80@gateway.test',
    'API.TEST',
    'api.test:80',
    'ap%69.test',
    '',
  ]
  it.each(hosts)('"%s" reaches what it names, or nothing', async (host) => {
    const { answer } = await ask('/public/x', [], 'GET', host)
    expect(answer).not.toContain('alive')
    expect(admin.take()).toEqual([])
  })
  it.each(hosts)('"%s": the upstream is told of the host that was matched', async (host) => {
    await setting.stack.raw(requestOf('/public/x', [], 'GET', host))
    for (const { target, headers } of setting.upstream.take()) {
      expect(target).toBe('/public/x')
      expect(headers['x-forwarded-host'] ?? 'api.test').toMatch(/^api\.test(:80)?$/i)
    }
  })
  it('two Host lines are refused', async () => {
    const { status, seen } = await ask('/public/x', ['Host: gateway.test'])
    expect({ refused: status >= 400, seen }).toEqual({ refused: true, seen: [] })
  })
})

it('a request within the body of another stays its body', async () => {
  const inner = 'GET /admin/x HTTP/1.1\r\nHost: api.test\r\n\r\n'
  const chunked = `0\r\n\r\n${inner}`
  for (const lines of [
    [`Content-Length: ${inner.length}`, 'Transfer-Encoding: chunked'],
    ['Transfer-Encoding: chunked', 'Transfer-Encoding: identity'],
    ['Transfer-Encoding: xchunked', `Content-Length: ${inner.length}`],
    [`Content-Length: 0`, `Content-Length: ${inner.length}`],
  ]) {
    const head = requestOf('/public/x', [...lines, `Authorization: Bearer ${operatorToken()}`], 'POST')
    const body = lines.some((line) => line.endsWith(': chunked')) ? chunked : inner
    await setting.stack.raw(Buffer.concat([head, Buffer.from(body)])).catch(() => undefined)
    expect(setting.upstream.take().filter(({ target }) => target !== '/public/x')).toEqual([])
    expect(admin.take(), lines.join(', ')).toEqual([])
  }
})
