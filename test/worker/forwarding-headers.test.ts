// Header hygiene: what a client says under our names never reaches an upstream, what is for one hop stays on it,
// and all else passes as it came.
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { API_HOST, PAYMENTS, routeTo, type Setting, startSetting } from '../support/setting.ts'
import type { Asked } from '../support/stack.ts'
import type { Seen } from '../support/upstream.ts'

let setting: Setting
let token: string
beforeAll(async () => {
  setting = await startSetting({
    policy: ({ routes }, { upstream }) => {
      const more = { access: 'authenticated', forwardAuthorization: true }
      routes.keep = routeTo(upstream.origin, '/keep/*', more)
    },
  })
})
// A token of its own for each test: what is kept of a caller's last request must not help the next test.
beforeEach(() => {
  token = setting.token()
})
afterAll(() => setting.close())

/** What the upstream sees of a request with these header lines, sent as they are. */
async function seenRaw(lines: string[], path = PAYMENTS, bearer: string | null = token): Promise<Seen> {
  const authorization = bearer === null ? [] : [`Authorization: Bearer ${bearer}`]
  const connection = lines.some((line) => /^connection:/i.test(line)) ? [] : ['Connection: close']
  const head = [`GET ${path} HTTP/1.1`, `Host: ${API_HOST}`, ...authorization, ...connection, ...lines]
  const answer = await setting.stack.raw(`${head.join('\r\n')}\r\n\r\n`)
  expect(answer).toMatch(/^HTTP\/1.1 200 /)
  return setting.upstream.takeOnly()
}

async function seen(asked: Partial<Asked>): Promise<Seen> {
  expect((await setting.get(token, asked)).status).toBe(200)
  return setting.upstream.takeOnly()
}

/** Every value the upstream got under a name, whichever of "-" and "_" it is spelled with. */
function valuesOf({ rawHeaders }: Seen, name: string): string[] {
  return rawHeaders.flatMap((header, index) => {
    const isName = index % 2 === 0 && header.toLowerCase().replaceAll('_', '-') === name
    return isName ? [rawHeaders[index + 1] as string] : []
  })
}

describe('header smuggling', () => {
  const names: [smuggled: string, name: string, expected: string[]][] = [
    ['X-Postern-Roles', 'x-postern-roles', ['GROUP_READ_ONLY']],
    ['x-postern-roles', 'x-postern-roles', ['GROUP_READ_ONLY']],
    ['x_postern_roles', 'x-postern-roles', ['GROUP_READ_ONLY']],
    ['X-Postern_Roles', 'x-postern-roles', ['GROUP_READ_ONLY']],
    ['X_POSTERN-ROLES', 'x-postern-roles', ['GROUP_READ_ONLY']],
    ['X-Postern-Subject', 'x-postern-subject', ['alice']],
    ['X-Postern_Subject', 'x-postern-subject', ['alice']],
    ['X-Postern-Email', 'x-postern-email', []],
    ['X_Postern_Email', 'x-postern-email', []],
    ['X-Postern-Issuer', 'x-postern-issuer', ['main']],
    ['X-Postern-Organization', 'x-postern-organization', ['acme']],
    ['X_Postern_Project', 'x-postern-project', ['payments']],
    ['X-Postern-Error', 'x-postern-error', []],
    ['X-Postern-Anything', 'x-postern-anything', []],
    ['X-Forwarded-For', 'x-forwarded-for', []],
    ['x_forwarded_for', 'x-forwarded-for', []],
    ['X-Forwarded-Host', 'x-forwarded-host', [API_HOST]],
    ['X_Forwarded-Host', 'x-forwarded-host', [API_HOST]],
    ['X-Forwarded-Proto', 'x-forwarded-proto', ['http']],
    ['x_forwarded_proto', 'x-forwarded-proto', ['http']],
    ['X-Forwarded-User', 'x-forwarded-user', []],
    ['X-Forwarded-Prefix', 'x-forwarded-prefix', []],
    ['Forwarded', 'forwarded', []],
    ['X-Real-IP', 'x-real-ip', []],
    ['X_Real_IP', 'x-real-ip', []],
    ['X_Request_Id', 'x-request-id', [expect.stringMatching(/^[0-9a-f-]{36}-/) as string]],
    ['X-Original-URL', 'x-original-url', []],
    ['X-Rewrite-URL', 'x-rewrite-url', []],
    ['X-HTTP-Method-Override', 'x-http-method-override', []],
    ['X_HTTP_Method_Override', 'x-http-method-override', []],
    ['X-Method-Override', 'x-method-override', []],
    ['X-HTTP-Method', 'x-http-method', []],
    ['Proxy-Authorization', 'proxy-authorization', []],
    ['CF_Connecting_IP', 'cf-connecting-ip', []],
    ['Cookie_', 'cookie-', ['smuggled']],
  ]
  it.each(names)('%s', async (smuggled, name, expected) => {
    const request = await seenRaw([`${smuggled}: smuggled`])
    expect(valuesOf(request, name)).toEqual(expected)
  })
  it.each(names)(
    '%s, sent twice after a plain request of the same caller',
    async (smuggled, name, expected) => {
      await seenRaw([])
      const request = await seenRaw([`${smuggled}: smuggled`, `${smuggled}: again`])
      expect(valuesOf(request, name)).toEqual(
        expected.map((value) => (value === 'smuggled' ? 'smuggled, again' : value)),
      )
    },
  )
  it('nobody is made somebody on an anonymous route', async () => {
    const lines = ['X-Postern-Subject: root', 'X-Postern-Assertion: a.b.c', 'x_postern_roles: GLOBAL_OWNER']
    const { rawHeaders } = await seenRaw(lines, '/open/x', null)
    expect(rawHeaders.join('\n')).not.toMatch(/x.postern|root|GLOBAL/i)
  })
  it('the address the platform saw is told as X-Forwarded-For, alone', async () => {
    const request = await seenRaw(['CF-Connecting-IP: 192.0.2.7', 'X-Forwarded-For: 10.0.0.1'])
    expect(valuesOf(request, 'x-forwarded-for')).toEqual(['192.0.2.7'])
    expect(valuesOf(request, 'cf-connecting-ip')).toEqual([])
  })
})

describe('a Connection header', () => {
  const ours = ['x-postern-assertion', 'x-postern-subject', 'x-postern-roles', 'x-postern-organization']
  const facts = ['x-forwarded-host', 'x-forwarded-proto', 'x-forwarded-for', 'x-request-id']

  it.each([
    'close, x-postern-assertion, x-postern-roles, X-Postern-Subject, x-postern-organization',
    'close, host, x-forwarded-host, x-forwarded-proto, x-request-id',
    'close, cf-connecting-ip, x-forwarded-for',
    'close, authorization',
  ])('"%s" takes nothing away that is ours to say', async (connection) => {
    const request = await seenRaw([`Connection: ${connection}`, 'CF-Connecting-IP: 192.0.2.7'])
    for (const name of [...ours, ...facts]) expect(valuesOf(request, name), name).toHaveLength(1)
    expect(request.headers['x-postern-subject']).toBe('alice')
  })

  it('takes away what it names, for this hop alone', async () => {
    const lines = ['X-Hop: 1', 'X-Stays: 2', 'Cookie: a=b']
    expect(valuesOf(await seenRaw(lines), 'x-hop')).toEqual(['1'])
    const request = await seenRaw([...lines, 'Connection: close, X-Hop'])
    expect(valuesOf(request, 'x-hop')).toEqual([])
    expect(valuesOf(request, 'x-stays')).toEqual(['2'])
    expect(valuesOf(request, 'cookie')).toEqual(['a=b'])
    expect(valuesOf(await seenRaw(lines), 'x-hop')).toEqual(['1'])
  })

  it('hop-by-hop headers do not pass', async () => {
    const lines = ['Keep-Alive: timeout=9', 'TE: trailers', 'Trailer: X-Sum', 'Proxy-Connection: keep-alive']
    const request = await seenRaw([...lines, 'Upgrade: h2c', 'Proxy-Authenticate: Basic', 'Keep_Alive: 1'])
    const names = ['keep-alive', 'te', 'trailer', 'proxy-connection', 'upgrade', 'proxy-authenticate']
    for (const name of names) expect(valuesOf(request, name), name).toEqual([])
  })
})

describe('Authorization', () => {
  it('is ours alone unless the route says forwardAuthorization', async () => {
    const request = await seen({})
    expect(request.rawHeaders.join('\n')).not.toContain(token)
    expect(valuesOf(request, 'authorization')).toEqual([])
  })
  it('passes where the route says so', async () => {
    expect(valuesOf(await seen({ path: '/keep/x' }), 'authorization')).toEqual([`Bearer ${token}`])
  })
  it.each([PAYMENTS, '/keep/x'])('has no second spelling (%s)', async (path) => {
    const { rawHeaders } = await seenRaw(['Authoriza_tion: x', 'authorization_: y'], path)
    expect(rawHeaders.filter((name) => /^authorization$/i.test(name))).toHaveLength(path === PAYMENTS ? 0 : 1)
    const smuggled = await setting.stack.raw(
      `GET ${path} HTTP/1.1\r\nHost: ${API_HOST}\r\nConnection: close\r\nAuthorization_: Bearer ${token}\r\n\r\n`,
    )
    expect(smuggled).toContain('credentials_missing')
  })
})

describe('cookies', () => {
  const own = '__Host-postern-session=secret'
  const cases: [name: string, lines: string[], passed: string[]][] = [
    ['of others pass as they came', ['Cookie: a=1;b="2; 3"; c'], ['a=1;b="2; 3"; c']],
    ['of ours do not pass', [`Cookie: ${own}`], []],
    ['of ours between others do not pass', [`Cookie: a=1; ${own}; b=2`], ['a=1; b=2']],
    ['of ours without a space do not pass', [`Cookie: a=1;${own};b=2`], ['a=1; b=2']],
    ['of ours first and last do not pass', [`Cookie: ${own}; a=1; __Host-postern_x=1`], ['a=1']],
    ['that only mention ours stay', ['Cookie: a=__Host-postern-session'], ['a=__Host-postern-session']],
    ['of ours in a second header do not pass', ['Cookie: a=1', `Cookie: ${own}`], ['a=1']],
    ['of ours in a first header do not pass', [`Cookie: ${own}`, 'Cookie: b=2'], ['b=2']],
  ]
  it.each(cases)('%s', async (_name, lines, passed) => {
    const request = await seenRaw(lines)
    expect(valuesOf(request, 'cookie')).toEqual(passed)
    expect(request.rawHeaders.join('\n')).not.toContain('secret')
  })
})

describe('X-Request-Id', () => {
  it('is taken from the client, and the answer and the upstream have it', async () => {
    const answer = await setting.get(token, { headers: { 'x-request-id': 'Trace.1_a-b' } })
    expect(answer.headers['x-request-id']).toBe('Trace.1_a-b')
    expect(setting.upstream.takeOnly().headers['x-request-id']).toBe('Trace.1_a-b')
  })
  it('is made for each request that has none', async () => {
    const ids = []
    for (const _ of [1, 2]) {
      const answer = await setting.get(token)
      expect(setting.upstream.takeOnly().headers['x-request-id']).toBe(answer.headers['x-request-id'])
      ids.push(answer.headers['x-request-id'])
    }
    expect(new Set(ids).size).toBe(2)
  })
  it.each(['', 'a b', 'a"b', 'x'.repeat(129), 'é', '<script>', '{jndi:x}'])(
    '"%s" is replaced',
    async (id) => {
      const answer = await setting.get(token, {
        headers: { 'x-request-id': Buffer.from(id).toString('latin1') },
      })
      expect(answer.headers['x-request-id']).toMatch(/^[A-Za-z0-9._-]{20,}$/)
      expect(setting.upstream.takeOnly().headers['x-request-id']).toBe(answer.headers['x-request-id'])
    },
  )
  it('of the upstream does not replace it', async () => {
    setting.upstream.answering = (_request, response) => {
      response.writeHead(200, { 'x-request-id': 'upstream' }).end()
    }
    const answer = await setting.get(token, { headers: { 'x-request-id': 'client' } })
    setting.upstream.answering = null
    expect(answer.headers['x-request-id']).toBe('client')
    setting.upstream.take()
  })
})

describe('everything else', () => {
  it('passes as it came', async () => {
    const headers = {
      accept: 'text/html, */*;q=0.1',
      'accept-encoding': 'gzip, br',
      'accept-language': 'de',
      'cache-control': 'max-age=0',
      'content-type': 'application/json',
      'if-none-match': '"abc"',
      'if-modified-since': 'Mon, 01 Jan 2024 00:00:00 GMT',
      origin: 'https://app.test',
      pragma: 'x',
      range: 'bytes=0-9',
      referer: 'https://app.test/?a=b',
      'user-agent': 'test/1.0 (x)',
      'x-custom': 'a, b',
      x_custom: 'c',
      traceparent: '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01',
    }
    expect((await seen({ headers })).headers).toMatchObject(headers)
  })

  it("nothing is left over from the caller's request before", async () => {
    const first = await seen({ headers: { 'x-a': '1', 'x-b': '1', cookie: 'a=1' } })
    expect(first.headers).toMatchObject({ 'x-a': '1', 'x-b': '1', cookie: 'a=1' })
    const second = await seen({ headers: { 'x-a': '2', 'x-b': '1', cookie: '__Host-postern-session=1' } })
    expect(second.headers).toMatchObject({ 'x-a': '2', 'x-b': '1' })
    expect(second.headers.cookie).toBeUndefined()
    const third = await seen({ headers: { 'x-b': '3' } })
    expect(third.headers).toMatchObject({ 'x-b': '3' })
    expect(third.headers['x-a']).toBeUndefined()
    const fourth = await seen({})
    expect(fourth.headers['x-b']).toBeUndefined()
    expect(fourth.headers['x-postern-subject']).toBe('alice')
  })

  it('requests of one caller at the same time keep their own', async () => {
    const numbers = Array.from({ length: 200 }, (_, index) => String(index))
    await Promise.all(
      numbers.map((number) =>
        setting.get(token, {
          path: `${PAYMENTS}/${number}`,
          headers: { 'x-number': number, 'x-request-id': number },
        }),
      ),
    )
    const seen = setting.upstream.take()
    expect(seen).toHaveLength(numbers.length)
    for (const { target, headers } of seen) {
      expect([headers['x-number'], headers['x-request-id']]).toEqual([
        target.slice(PAYMENTS.length + 1),
        headers['x-number'],
      ])
    }
  })
})
