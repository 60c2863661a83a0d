// One sign-in for every host: a browser that comes to a fronted host is led to sign in and back, other hosts ask nothing
// again, and what is no browser is told where to go. A row for each attack on the way.
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import {
  addressOf,
  beginSignIn,
  carry,
  cookieOf,
  pageRefusal,
  type ScriptedSetting,
  startScriptedSetting,
} from '../support/scripted-sign-in.ts'
import { API_HOST } from '../support/setting.ts'
import { GATEWAY_HOST, GATEWAY_ORIGIN } from '../support/stack.ts'
import type { UserAgent, Visit } from '../support/user-agent.ts'

const API = `https://${API_HOST}`
const OTHER = 'https://other.test'
const WHOAMI = `${API}/whoami?page=2`
const SESSION = '__Host-postern-session'
const ARRIVAL = '__Host-postern-arrival'

let setting: ScriptedSetting
let agent: UserAgent
beforeAll(async () => {
  setting = await startScriptedSetting()
})
afterAll(() => setting.close())
beforeEach(() => {
  setting.reset()
  agent = setting.browser()
})

let address = 0
/** From opening a page of a fronted host to where the sign-in ends. */
async function signInAt(page: string, by = agent): Promise<Visit> {
  address += 1
  const headers = { 'cf-connecting-ip': `198.51.100.${address}` }
  const { script } = setting.providers.code
  script.hold = false
  const chooser = await by.visit(page, { headers })
  expect(chooser.hops.map(({ status }) => status)).toEqual([303, 200])
  return by.visit(`${chooser.url}&issuer=code`, { headers })
}

const lastCall = () => setting.upstream.seen.at(-1)

describe('a person with a browser', () => {
  it('is led to sign in and back to the page; another host asks nothing again [2-1] [2-2] [2-6] [2-15] [4-1]', async () => {
    const done = await signInAt(WHOAMI)
    expect([done.url, done.status]).toEqual([WHOAMI, 200])
    const hosts = done.hops.map(({ url }) => new URL(url).host)
    expect(hosts.slice(-3)).toEqual([GATEWAY_HOST, API_HOST, API_HOST])
    const other = await agent.visit(`${OTHER}/whoami`)
    expect([other.url, other.status]).toEqual([`${OTHER}/whoami`, 200])
    const [ours, theirs] = [agent.cookies(API_HOST).get(SESSION), agent.cookies('other.test').get(SESSION)]
    expect(ours).toBeDefined()
    expect(theirs).not.toBe(ours)
    // Who is calling reaches the upstream; the cookie does not.
    expect(lastCall()?.headers['x-postern-subject']).toBe('alice')
    expect(lastCall()?.headers.cookie ?? '').not.toContain('postern')
  })

  it('has roles by its groups, and reads why not as a page', async () => {
    setting.providers.code.script.person = { ...setting.providers.code.script.person, groups: ['readers'] }
    expect((await signInAt(`${API}/orgs/acme/projects/payments/hello`)).status).toBe(200)
    const refused = await agent.visit(`${API}/orgs/globex/projects/web/hello`)
    expect(pageRefusal(refused)).toBe('403 permission_missing')
    expect(refused.headers['content-security-policy']).toContain("default-src 'none'")
    expect(refused.headers['strict-transport-security']).toBe('max-age=31536000')
  })

  it('goes on when its session has ended, without a loop', async () => {
    await signInAt(WHOAMI)
    await setting.stack.advance(31 * 86_400)
    setting.providers.code.script.hold = false
    const again = await agent.visit(WHOAMI)
    expect(again.status).toBe(200)
    expect(again.url).toContain('/login')
  })

  it('that keeps no cookies is told so, and is not sent around', async () => {
    let last: Visit | null = null
    for (let tries = 0; tries < 7; tries++) last = await agent.visit(WHOAMI)
    expect(pageRefusal(last as Visit)).toBe('400 cookies_blocked')
  })
})

describe('no loop', () => {
  it('is possible where a host does not keep, or does not take, the session that comes', async () => {
    await signInAt(WHOAMI)
    for (let tries = 1; tries < 5; tries++) {
      agent.setCookie(API_HOST, `${SESSION}=; Path=/; Max-Age=0`)
      expect((await agent.visit(WHOAMI)).status).toBe(200)
    }
    agent.setCookie(API_HOST, `${SESSION}=; Path=/; Max-Age=0`)
    expect(pageRefusal(await agent.visit(WHOAMI))).toBe('400 cookies_blocked')
    // A minute later it is a new beginning.
    await setting.stack.advance(61)
    expect((await agent.visit(WHOAMI)).status).toBe(200)
  })

  it('of a session that an organization has ended: it takes signing in once more, and elsewhere it goes on', async () => {
    const { script, asked } = setting.providers.code
    script.person = { ...script.person, groups: ['readers'] }
    const page = `${API}/orgs/acme/projects/payments/hello`
    expect((await signInAt(page)).status).toBe(200)
    await agent.visit(`${OTHER}/whoami`)
    const ended = await setting.stack.send({
      host: GATEWAY_HOST,
      path: '/api/v1/organizations/acme/sessions:end',
      method: 'POST',
      token: setting.token({ sub: 'root', groups: ['roots'] }),
      headers: { 'content-type': 'application/json' },
      body: '{}',
    })
    expect(ended.status).toBe(200)
    await setting.stack.advance(16)
    const times = asked.length
    expect((await agent.visit(`${OTHER}/whoami`)).hops).toHaveLength(1)
    const script401 = await agent.fetch(page)
    const { login_url } = JSON.parse(script401.text)
    expect(login_url).toBe(`${API}/.postern/login?organization=acme`)
    // By the page itself, and by where a script is told to lead.
    for (const address of [page, `${login_url}&return_to=${encodeURIComponent(new URL(page).pathname)}`]) {
      const chooser = await agent.visit(address)
      expect(new URL(chooser.url).pathname).toBe('/login')
      expect(chooser.text).toContain('acme/own')
    }
    const done = await signInAt(page)
    expect([done.url, done.status, asked.length]).toEqual([page, 200, times + 1])
  })

  it('of tabs: whichever arrives first, the others arrive as well', async () => {
    await agent.visit(`${GATEWAY_ORIGIN}/login?issuer=code&return_to=/healthz`, { headers: addressOf(agent) })
    const navigation = { 'sec-fetch-mode': 'navigate', 'sec-fetch-dest': 'document' }
    const paths = ['/whoami?tab=1', '/whoami?tab=2', '/whoami?tab=3']
    const tickets: string[] = []
    for (const path of paths) {
      const opened = await agent.fetch(`${API}${path}`, { headers: navigation })
      const led = await agent.fetch(opened.hops[0]?.location as string, { from: GATEWAY_ORIGIN })
      tickets.push(led.hops[0]?.location as string)
    }
    for (const [index, ticket] of tickets.entries()) {
      // The last is late: the browser has a session by then.
      if (index === 2) await setting.stack.advance(31)
      expect(await agent.visit(ticket)).toMatchObject({ url: `${API}${paths[index]}`, status: 200 })
    }
  })
})

describe('what is no page', () => {
  const login = `${API}/.postern/login`
  it.each<[string, object]>([
    ['a script', { 'sec-fetch-mode': 'cors', 'sec-fetch-dest': 'empty' }],
    ['an image', { 'sec-fetch-mode': 'no-cors', 'sec-fetch-dest': 'image' }],
    ['a frame', { 'sec-fetch-mode': 'navigate', 'sec-fetch-dest': 'iframe' }],
    ['an old browser’s script', { accept: 'text/html', 'x-requested-with': 'XMLHttpRequest' }],
    ['a program', {}],
  ])('%s gets 401 and the address to sign in at', async (_what, headers) => {
    const answer = await setting.stack.send({ host: API_HOST, path: '/whoami', headers: { ...headers } })
    expect(answer.status).toBe(401)
    expect(answer.headers['set-cookie']).toBeUndefined()
    expect(JSON.parse(answer.text)).toMatchObject({ reason: 'credentials_missing', login_url: login })
  })

  it('a write is never led anywhere', async () => {
    const headers = { 'sec-fetch-mode': 'navigate', 'sec-fetch-dest': 'document', accept: 'text/html' }
    const answer = await setting.stack.send({ host: API_HOST, path: '/whoami', method: 'POST', headers })
    expect(answer.status).toBe(401)
  })

  it('the address leads to sign in and back to a path of the host', async () => {
    const done = await signInAt(`${login}?return_to=${encodeURIComponent('/whoami?a=1')}`)
    expect([done.url, done.status]).toEqual([`${API}/whoami?a=1`, 200])
  })

  it('a CORS preflight passes where the route says so, and only there', async () => {
    const preflight = (path: string) => {
      const headers = { origin: 'https://page.test', 'access-control-request-method': 'GET' }
      return setting.stack.send({ host: API_HOST, path, method: 'OPTIONS', headers })
    }
    expect((await preflight('/whoami')).status).toBe(401)
    expect((await preflight('/preflighted')).status).toBe(200)
    expect(lastCall()?.method).toBe('OPTIONS')
    expect(lastCall()?.headers).not.toHaveProperty('x-postern-assertion')
  })
})

describe('attacks', () => {
  /** Up to the ticket, which the browser does not use. */
  async function ticketFor(page: string, by = agent): Promise<string> {
    const begun = await beginAt(page, by)
    return begun
  }
  async function beginAt(page: string, by: UserAgent): Promise<string> {
    const headers = { 'cf-connecting-ip': `198.51.100.${200 + (address++ % 50)}` }
    await by.visit(`${GATEWAY_ORIGIN}/login?issuer=code&return_to=/healthz`, { headers })
    const opened = await by.fetch(page, {
      headers: { 'sec-fetch-mode': 'navigate', 'sec-fetch-dest': 'document' },
    })
    const gateway = await by.fetch(opened.hops[0]?.location as string, { from: GATEWAY_ORIGIN })
    return gateway.hops[0]?.location as string
  }
  beforeEach(() => {
    setting.providers.code.script.hold = false
  })

  it.each([
    'https://evil.test/',
    '//evil.test/',
    '/\\evil.test/',
    '/%0a/evil.test'.replace('%0a', '\n'),
    '/.//evil.test/',
    '/a/..//evil.test/',
    `${GATEWAY_ORIGIN}//evil.test/`,
    'javascript:alert(1)',
    `${GATEWAY_ORIGIN}@evil.test/`,
    `${GATEWAY_ORIGIN}.evil.test/`,
    API,
  ])('return_to-absolute: %j', async (returnTo) => {
    const parameters = new URLSearchParams({ issuer: 'code', return_to: returnTo })
    const page = await agent.visit(`${GATEWAY_ORIGIN}/login?${parameters}`)
    expect(pageRefusal(page)).toBe('400 return_to_not_allowed')
    const there = await agent.fetch(`${API}/.postern/login?${new URLSearchParams({ return_to: returnTo })}`)
    // What is a path there stays on that host, however it is read.
    if (returnTo.startsWith('/') && there.status === 303) {
      expect(new URL(returnTo, API).origin).toBe(API)
    } else expect(pageRefusal(there)).toBe('400 return_to_not_allowed')
  })

  it('ticket-of-another-browser', async () => {
    const ticket = await ticketFor(WHOAMI)
    const victim = setting.browser()
    expect(pageRefusal(await victim.visit(ticket))).toBe('400 cookies_blocked')
    await victim.fetch(WHOAMI, { headers: { 'sec-fetch-mode': 'navigate', 'sec-fetch-dest': 'document' } })
    expect(victim.cookies(API_HOST).has(ARRIVAL)).toBe(true)
    // The victim's browser asks for a ticket of its own, which takes signing in.
    const led = await victim.visit(ticket)
    expect([led.status, new URL(led.url).pathname]).toEqual([200, '/login'])
    expect(victim.cookies(API_HOST).has(SESSION)).toBe(false)
  })

  it('ticket-for-another-host', async () => {
    const ticket = new URL(await ticketFor(WHOAMI))
    ticket.host = 'other.test'
    expect(pageRefusal(await agent.visit(ticket.href))).toBe('400 ticket_invalid')
    expect(agent.cookies('other.test').has(SESSION)).toBe(false)
  })

  it('a ticket used twice, and one that is late', async () => {
    const ticket = await ticketFor(WHOAMI)
    const arrival = agent.cookies(API_HOST).get(ARRIVAL)
    expect((await agent.visit(ticket)).status).toBe(200)
    agent.setCookie(API_HOST, `${ARRIVAL}=${arrival}; Path=/; Secure; SameSite=Lax`)
    expect(pageRefusal(await agent.visit(ticket))).toBe('400 ticket_used')
    agent.setCookie(API_HOST, `${SESSION}=; Path=/; Max-Age=0`)
    const late = await ticketFor(WHOAMI)
    await setting.stack.advance(31)
    expect(pageRefusal(await agent.visit(late))).toBe('400 ticket_invalid')
  })

  it('session-fixation: a cookie that was planted is replaced, and one of another host is none', async () => {
    await signInAt(WHOAMI)
    const planted = agent.cookies(API_HOST).get(SESSION) as string
    const gateways = cookieOf(agent, SESSION) as string
    const victim = setting.browser()
    victim.setCookie(API_HOST, `${SESSION}=${gateways}; Path=/; Secure; SameSite=Lax`)
    const answer = await victim.fetch(`${API}/whoami`)
    expect([answer.status, JSON.parse(answer.text).reason]).toEqual([401, 'session_invalid'])
    // Planted while the victim is at the provider: the answer brings a new one.
    const begun = await beginSignIn(setting, victim, 'code')
    victim.setCookie(GATEWAY_HOST, `${SESSION}=${gateways}; Path=/; Secure; SameSite=Lax`)
    await carry(setting, victim, 'code', begun)
    expect(cookieOf(victim, SESSION)).toBeDefined()
    expect(cookieOf(victim, SESSION)).not.toBe(gateways)
    expect((await agent.fetch(`${GATEWAY_ORIGIN}/api/v1/me`)).status).toBe(200)
    await victim.visit(WHOAMI)
    expect(victim.cookies(API_HOST).get(SESSION)).not.toBe(planted)
  })

  it('a cookie is signed with the key of this instance: with one character changed it is none [2-7]', async () => {
    await signInAt(WHOAMI)
    const cookie = agent.cookies(API_HOST).get(SESSION) as string
    for (const at of [3, 60, 100]) {
      const other = cookie[at] === 'A' ? 'B' : 'A'
      const changed = `${SESSION}=${cookie.slice(0, at)}${other}${cookie.slice(at + 1)}`
      const answer = await setting.stack.send({
        host: API_HOST,
        path: '/whoami',
        headers: { cookie: changed },
      })
      expect([answer.status, JSON.parse(answer.text).reason]).toEqual([401, 'session_invalid'])
    }
  })

  it('org-issuer-session-on-other-organization', async () => {
    const person = setting.providers.own.script.person
    setting.providers.own.script.person = { ...person, groups: ['readers', 'web-readers'] }
    setting.providers.own.script.hold = false
    const url = `${GATEWAY_ORIGIN}/login?organization=acme&issuer=acme%2Fown&return_to=/healthz`
    expect((await agent.visit(url)).url).toBe(`${GATEWAY_ORIGIN}/healthz`)
    expect((await agent.visit(`${API}/orgs/acme/projects/payments/hello`)).status).toBe(200)
    expect(pageRefusal(await agent.visit(`${API}/orgs/globex/projects/web/hello`))).toBe(
      '403 outside_voucher',
    )
  })

  it.each<[string, Record<string, string>]>([
    ['another site', { 'sec-fetch-site': 'cross-site', origin: 'https://evil.test' }],
    ['a neighbour', { 'sec-fetch-site': 'same-site', origin: 'https://evil.api.test' }],
    ['nobody says', {}],
    ['a WebSocket of another site', { upgrade: 'websocket', origin: 'https://evil.test' }],
  ])('a write that uses a session from elsewhere: %s', async (_from, headers) => {
    await signInAt(WHOAMI)
    const cookie = `${SESSION}=${agent.cookies(API_HOST).get(SESSION)}`
    const method = headers.upgrade ? 'GET' : 'POST'
    const asked = { host: API_HOST, path: '/whoami', method, headers: { ...headers, cookie } }
    const answer = await setting.stack.send(asked)
    expect([answer.status, JSON.parse(answer.text).reason]).toEqual([403, 'cross_site_request'])
  })

  it('a page of the same host writes, and so does one of the same application', async () => {
    await signInAt(WHOAMI)
    const post = (from: string) => agent.fetch(`${API}/whoami`, { method: 'POST', from })
    expect((await post(API)).status).toBe(200)
    // Between sites a Lax cookie does not come at all; the header alone is what is judged here.
    const cookie = `${SESSION}=${agent.cookies(API_HOST).get(SESSION)}`
    const headers = { cookie, origin: OTHER, 'sec-fetch-site': 'same-site' }
    const same = await setting.stack.send({ host: API_HOST, path: '/whoami', method: 'POST', headers })
    expect(same.status).toBe(200)
  })

  it('the API takes a session’s write with its token only, from its own pages only', async () => {
    await agent.visit(`${GATEWAY_ORIGIN}/login?issuer=code&return_to=/healthz`)
    const me = await agent.fetch(`${GATEWAY_ORIGIN}/api/v1/me`)
    expect([me.status, JSON.parse(me.text).identity.subject]).toEqual([200, 'alice'])
    const write = (headers: Record<string, string>, from = GATEWAY_ORIGIN) => {
      const body = JSON.stringify({ source: 'version: 1' })
      const all = { 'content-type': 'application/json', ...headers }
      return agent.fetch(`${GATEWAY_ORIGIN}/api/v1/policy/validate`, {
        method: 'POST',
        body,
        from,
        headers: all,
      })
    }
    const token = cookieOf(agent, '__Host-postern-csrf') as string
    const reasonOf = async (answer: Promise<Visit>) => JSON.parse((await answer).text).reason
    expect(await reasonOf(write({}))).toBe('cross_site_request')
    expect(await reasonOf(write({ 'postern-csrf': `${token.slice(0, -4)}AAAA` }))).toBe('cross_site_request')
    expect(await reasonOf(write({ 'postern-csrf': token }))).toBe('permission_missing')
  })
})
