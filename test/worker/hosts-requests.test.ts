// Requests to fronted hosts that come with a session: what counts, whom the upstream hears of, who may write, and what is
// answered to people and to programs. Two isolates that share their objects.
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { type SessionSetting, startSessionSetting, twice } from '../support/session-setting.ts'
import { addHost, SESSION_COOKIE } from '../support/sessions.ts'
import { API_HOST, PAYMENTS, routeTo } from '../support/setting.ts'
import { type Asked, GATEWAY_HOST } from '../support/stack.ts'
import { nowSeconds } from '../support/time.ts'
import { connectWebSocket } from '../support/websocket.ts'

const API = `https://${API_HOST}`
const BROWSER = { 'sec-fetch-mode': 'navigate', 'sec-fetch-dest': 'document', accept: 'text/html' }
const FORGED = { cookie: `${SESSION_COOKIE}=forged` }

let setting: SessionSetting
beforeAll(async () => {
  setting = await startSessionSetting({}, (policy, { upstream }) => {
    const both = { hosts: [API_HOST, 'other.test'] }
    Object.assign(policy.routes, {
      whoami: routeTo(upstream.origin, '/whoami', { access: 'authenticated', ...both }),
      asked: routeTo(upstream.origin, '/asked', { access: 'authenticated', forwardPreflight: true }),
      gone: routeTo('http://127.0.0.1:9', '/gone', { access: 'anonymous' }),
    })
    Object.assign(policy, { applications: { shop: { clientId: 'shop', ...both } } })
  })
})
afterAll(() => setting.close())
beforeEach(() => {
  setting.upstream.take()
})

const send = (path: string, asked: Partial<Asked> = {}) =>
  setting.stack.send({ host: API_HOST, path, ...asked })
/** Status, and the reason of a refusal. */
async function answerOf(path: string, asked: Partial<Asked> = {}): Promise<string> {
  const { status, headers, text } = await send(path, asked)
  const isProblem = headers['content-type'] === 'application/problem+json'
  return isProblem && text !== '' ? `${status} ${JSON.parse(text).reason}` : String(status)
}
/** Whom the upstream was told of; null: of nobody. */
const subject = () => setting.upstream.takeOnly().headers['x-postern-subject'] ?? null

async function authorize(url: string, headers: Record<string, string>, method = 'GET') {
  const body = JSON.stringify({ url, method, headers })
  const asked = { host: GATEWAY_HOST, path: '/.test/authorize', method: 'POST', body }
  const { allowed, principal, problem } = JSON.parse((await setting.stack.send(asked)).text)
  return allowed ? (principal?.subject ?? null) : `${problem.status} ${problem.reason}`
}

describe('who is calling', () => {
  it('whoever brings an Authorization header is not judged by a cookie', async () => {
    const { headers } = await setting.start({ subject: 'alice' })
    expect(await answerOf('/whoami', { headers, token: setting.token({ sub: 'bob' }) })).toBe('200')
    expect(subject()).toBe('bob')
    expect(await answerOf('/whoami', { headers, token: 'a.b.c' })).toBe('401 token_malformed')
    const basic = { ...headers, authorization: 'Basic YTpi' }
    expect(await answerOf('/whoami', { headers: basic })).toBe('401 credentials_malformed')
    expect(setting.upstream.take()).toEqual([])
  })

  it('an anonymous route hears of whoever has a session, and no bad cookie closes it', async () => {
    const session = await setting.start({ subject: 'carol' })
    for (let times = 0; times < 2; times++) {
      expect(await answerOf('/open/x', { headers: session.headers })).toBe('200')
      expect(subject()).toBe('carol')
    }
    const changed = { cookie: `${session.headers.cookie}x` }
    const twiceThere = { cookie: `${session.headers.cookie}; ${session.headers.cookie}` }
    for (const headers of [FORGED, changed, twiceThere]) {
      expect(await answerOf('/open/x', { headers })).toBe('200')
      expect(subject()).toBeNull()
    }
    // Another site's write is nobody's.
    const headers = { ...session.headers, 'sec-fetch-site': 'cross-site', origin: 'https://evil.test' }
    expect(await answerOf('/open/x', { headers, method: 'POST' })).toBe('200')
    expect(subject()).toBeNull()
    await setting.operate('/sessions:end', { issuer: 'main', subject: 'carol' })
    await setting.obeyed()
    expect(await answerOf('/open/x', { headers: session.headers })).toBe('200')
    expect(subject()).toBeNull()
  })

  it('other Workers are told the same of a session', async () => {
    const { headers } = await setting.start({ subject: 'dora' })
    const cross = { ...headers, 'sec-fetch-site': 'cross-site' }
    expect(await authorize(`${API}/whoami`, headers)).toBe('dora')
    expect(await authorize('https://other.test/whoami', headers)).toBe('401 session_invalid')
    expect(await authorize(`${API}/whoami`, FORGED)).toBe('401 session_invalid')
    expect(await authorize(`${API}/whoami`, cross, 'POST')).toBe('403 cross_site_request')
    const preflight = { ...headers, origin: 'https://page.test', 'access-control-request-method': 'POST' }
    expect(await authorize(`${API}/asked`, preflight, 'OPTIONS')).toBeNull()
    expect(await authorize(`${API}/whoami`, FORGED, 'OPTIONS')).toBe('401 session_invalid')
  })

  it('roles of the instance follow the policy within the re-check time, also after a pause', async () => {
    const session = await setting.start({ claims: { groups: ['viewers'] } })
    const mapping = (idpGroups: string[]) => ({ roleName: 'GLOBAL_READ_ONLY', idpGroups })
    await setting.change('PATCH', '/instance', { idpGroupMappings: [mapping(['viewers'])] })
    await setting.obeyed()
    expect(await setting.everywhere(session, '/instance')).toEqual(twice('200'))
    await setting.change('PATCH', '/instance', { idpGroupMappings: [mapping(['nobody'])] })
    // A bearer token would be served by the policy of before while the new one is fetched.
    await setting.stack.advance(30)
    expect(await setting.everywhere(session, '/instance')).toEqual(twice('403 permission_missing'))
  })

  it('what is told upstream does not outlive the session', async () => {
    const lifeOf = async (seconds: number) => {
      const expiresAt = (nowSeconds() + seconds) * 1000
      await send('/whoami', { headers: (await setting.start({ expiresAt })).headers })
      const assertion = String(setting.upstream.takeOnly().headers['x-postern-assertion'])
      const { exp } = JSON.parse(Buffer.from(assertion.split('.')[1] ?? '', 'base64url').toString())
      return exp - nowSeconds()
    }
    expect(await lifeOf(86_400)).toBeGreaterThan(290)
    expect(await lifeOf(100)).toBeLessThanOrEqual(100)
  })
})

describe('preflights', () => {
  const asks = (method: string) => ({ origin: 'https://page.test', 'access-control-request-method': method })

  it('pass without a caller, whatever else they bring, where the route of what they announce says so', async () => {
    const { headers } = await setting.start()
    setting.upstream.answering = (_request, response) => {
      response.writeHead(204, { 'access-control-allow-origin': 'https://page.test' }).end()
    }
    for (const more of [{}, { headers }, { token: setting.token() }, { token: 'a.b.c' }]) {
      const all = { ...asks('PUT'), ...more.headers }
      const answer = await send('/asked', { ...more, method: 'OPTIONS', headers: all })
      expect([answer.status, answer.headers['access-control-allow-origin']]).toEqual([
        204,
        'https://page.test',
      ])
      const seen = setting.upstream.takeOnly()
      expect(seen.method).toBe('OPTIONS')
      const names = Object.keys(seen.headers)
      expect(names.filter((name) => /^x-postern|^cookie|^authorization/.test(name))).toEqual([])
    }
    setting.upstream.answering = null
  })

  it.each<[string, string, string, Record<string, string>, string]>([
    ['on another route', '/whoami', 'OPTIONS', asks('GET'), '401 credentials_missing'],
    ['for a method that no route serves', '/asked', 'OPTIONS', asks('PROPFIND'), '401 credentials_missing'],
    [
      'that comes from no page',
      '/asked',
      'OPTIONS',
      { 'access-control-request-method': 'GET' },
      '401 credentials_missing',
    ],
    [
      'that asks for nothing',
      '/asked',
      'OPTIONS',
      { origin: 'https://page.test' },
      '401 credentials_missing',
    ],
    ['by another method', '/asked', 'GET', asks('GET'), '401 credentials_missing'],
    [
      'within a path that hides another',
      '/open/%2e%2e/asked',
      'OPTIONS',
      asks('GET'),
      '400 path_not_canonical',
    ],
  ])('one %s does not', async (_what, path, method, headers, answer) => {
    expect(await answerOf(path, { method, headers })).toBe(answer)
    expect(setting.upstream.take()).toEqual([])
  })

  it('one that would open a WebSocket does not', async () => {
    const lines = ['OPTIONS /asked HTTP/1.1', `Host: ${API_HOST}`, 'Origin: https://page.test']
    const upgrade = ['Connection: Upgrade, close', 'Upgrade: websocket', 'Sec-WebSocket-Version: 13']
    const key = `Sec-WebSocket-Key: ${Buffer.alloc(16).toString('base64')}`
    const all = [...lines, ...upgrade, key, 'Access-Control-Request-Method: GET', '', '']
    expect(await setting.stack.raw(all.join('\r\n'))).not.toMatch(/^HTTP\/1.1 (?:101|200)/)
    expect(setting.upstream.take()).toEqual([])
  })
})

describe('writes and WebSockets by a session', () => {
  it.each<[string, Record<string, string>, string]>([
    ['a page of the host', { 'sec-fetch-site': 'same-origin', origin: API }, '200'],
    ['a person, by hand', { 'sec-fetch-site': 'none' }, '200'],
    ['an old browser’s page of the host', { origin: API }, '200'],
    [
      'a page of the same application',
      { 'sec-fetch-site': 'cross-site', origin: 'https://other.test' },
      '200',
    ],
    ['the same host without TLS', { origin: `http://${API_HOST}` }, '403 cross_site_request'],
    ['another port of the host', { origin: `${API}:8443` }, '403 cross_site_request'],
    [
      'the same host, which another site says of itself',
      { 'sec-fetch-site': 'cross-site', origin: API },
      '403 cross_site_request',
    ],
    [
      'the application’s host without TLS',
      { 'sec-fetch-site': 'cross-site', origin: 'http://other.test' },
      '403 cross_site_request',
    ],
    ['a host whose name begins so', { origin: `${API}.evil.test` }, '403 cross_site_request'],
    [
      'the gateway host',
      { 'sec-fetch-site': 'cross-site', origin: `https://${GATEWAY_HOST}` },
      '403 cross_site_request',
    ],
    ['a page that hides its origin', { origin: 'null' }, '403 cross_site_request'],
    ['a word that is no site', { 'sec-fetch-site': 'same-origin, cross-site' }, '403 cross_site_request'],
    ['nobody says who', {}, '403 cross_site_request'],
  ])('%s: %j', async (_from, from, answer) => {
    const { headers } = await setting.start()
    // Once decided anew, once by what is remembered of a reading.
    for (const method of ['POST', 'GET', 'DELETE']) {
      const expected = method === 'GET' ? '200' : answer
      expect(await answerOf('/whoami', { method, headers: { ...headers, ...from } })).toBe(expected)
    }
    // Without the session the same is not our matter.
    expect(await answerOf('/open/x', { method: 'POST', headers: from })).toBe('200')
  })

  it('a WebSocket opens from a page of the host and of its application, and from nowhere else', async () => {
    const { headers } = await setting.start()
    const open = (from: Record<string, string>) => {
      const all = { host: API_HOST, ...headers, ...from }
      return connectWebSocket({ port: setting.stack.port(), path: '/whoami', headers: all })
    }
    for (const from of [
      { origin: API },
      { origin: API, 'sec-fetch-site': 'cross-site' },
      { origin: 'https://other.test' },
    ]) {
      const socket = await open(from)
      socket.send('hello')
      expect(await socket.next()).toBe('echo hello')
      socket.close()
    }
    const upgrades = setting.upstream.take()
    expect(upgrades.map(({ headers: { cookie } }) => cookie)).toEqual([undefined, undefined, undefined])
    for (const origin of ['https://evil.test', `http://${API_HOST}`, 'null']) {
      await expect(open({ origin })).rejects.toThrow('403')
    }
    await expect(open({})).rejects.toThrow('403')
    expect(setting.upstream.take()).toEqual([])
  })
})

describe('hosts', () => {
  it('a name is the same in any letters and at any port; what leads back is built of the policy', async () => {
    const { headers } = await setting.start()
    for (const host of ['API.test', `${API_HOST}:8443`]) {
      expect(await answerOf('/whoami', { host, headers })).toBe('200')
      const { text } = await send('/whoami', { host })
      expect(JSON.parse(text).login_url).toBe(`${API}/.postern/login`)
      const begun = await send('/whoami', { host, headers: BROWSER })
      expect(begun.status).toBe(303)
      expect(begun.headers.location).toMatch(/^https:\/\/gateway\.test\/login\?request=/)
    }
  })

  it.each([`${API_HOST}.`, 'evil.test', `${API_HOST}.evil.test`, '127.0.0.1', `${API_HOST}@evil.test`])(
    'Postern serves nothing of its own at %j',
    async (host) => {
      const { headers } = await setting.start()
      for (const path of ['/whoami', '/.postern/login', '/.postern/sso?ticket=x']) {
        const answer = await send(path, { host, headers })
        expect(answer.status).toBeGreaterThanOrEqual(400)
        expect(answer.headers['set-cookie']).toBeUndefined()
        expect(answer.headers.location).toBeUndefined()
      }
      expect(setting.upstream.take()).toEqual([])
    },
  )

  it('what begins with /.postern/ is never the upstream’s, however it is written', async () => {
    const { headers } = await setting.start()
    expect(await answerOf('/.postern/else', { headers })).toBe('404 route_not_found')
    expect(await answerOf('/%2epostern/login', { headers })).toBe('400 path_not_canonical')
    expect(await answerOf('/.postern/login', { headers, method: 'POST' })).toBe('404 route_not_found')
    // Whoever looks at a link beforehand does not spend its ticket.
    expect(await answerOf('/.postern/sso?ticket=x', { method: 'HEAD' })).toBe('404')
    for (const path of ['/.postern/login', '/.postern/sso', '/.postern/logout']) {
      expect(await answerOf(path, { host: GATEWAY_HOST, headers: BROWSER })).toBe('404')
    }
    expect(setting.upstream.take()).toEqual([])
  })

  it('the gateway host’s cookie opens no fronted host, and the other way round', async () => {
    const session = await setting.start()
    const { headers } = await addHost(setting.stack, session, { secret: setting.secret, host: GATEWAY_HOST })
    const me = (cookies: Record<string, string>) =>
      answerOf('/api/v1/me', { host: GATEWAY_HOST, headers: cookies })
    expect([await me(headers), await me(session.headers)]).toEqual(['200', '401 session_invalid'])
    expect(await answerOf('/whoami', { headers })).toBe('401 session_invalid')
    expect(await answerOf('/whoami', { headers: session.headers, host: 'other.test' })).toBe(
      '401 session_invalid',
    )
  })
})

describe('what people and programs read', () => {
  const isPage = ({ headers }: Awaited<ReturnType<typeof send>>) =>
    String(headers['content-type']).startsWith('text/html') && headers['cache-control'] === 'no-store'

  it('a refusal is a page for people and a problem document for programs', async () => {
    const { headers } = await setting.start()
    const rows: [string, object, number][] = [
      [PAYMENTS.replace('payments', 'nothing'), headers, 403],
      ['/instance', headers, 403],
      ['/nowhere', headers, 404],
      ['/.postern/nowhere', {}, 404],
      ['/open//x', {}, 400],
      ['/gone', {}, 502],
    ]
    for (const [path, sent, status] of rows) {
      const page = await send(path, { headers: { ...sent, ...BROWSER } })
      expect([page.status, isPage(page)]).toEqual([status, true])
      expect(await answerOf(path, { headers: { ...sent } })).toMatch(`${status} `)
      const { 'content-type': type } = (await send(path, { token: setting.token(), headers: BROWSER }))
        .headers
      expect(type).toBe('application/problem+json')
    }
    const known = await send('/instance', { headers: { ...headers, ...BROWSER } })
    expect(known.text).toContain('href="/.postern/logout"')
    expect(setting.upstream.take()).toEqual([])
  })

  it('a session that has ended leads to sign in again, with that organization’s issuers, and says since when', async () => {
    const { headers } = await setting.start()
    expect(await answerOf(PAYMENTS, { headers })).toBe('200')
    await setting.operate('/organizations/acme/sessions:end', {})
    await setting.obeyed()
    const program = await send(PAYMENTS, { headers })
    expect(program.status).toBe(401)
    expect(JSON.parse(program.text)).toMatchObject({
      reason: 'session_ended',
      login_url: `${API}/.postern/login?organization=acme`,
    })
    const person = await send(PAYMENTS, { headers: { ...headers, ...BROWSER } })
    expect([person.status, person.headers['cache-control']]).toEqual([303, 'no-store'])
    expect(String(person.headers['set-cookie'])).toMatch(
      /^__Host-postern-arrival=[\w-]+; Path=\/; Max-Age=600; Secure; HttpOnly; SameSite=Lax$/,
    )
    // Elsewhere it goes on.
    expect(await answerOf('/whoami', { headers })).toBe('200')
  })
})
