// Signing out, by every way there is, and what must not sign anybody out. Sessions are real: signed in with a scripted
// provider, used on a fronted host.
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import {
  beginSignIn,
  CLIENT,
  carry,
  cookieOf,
  pageRefusal,
  type ScriptedSetting,
  startScriptedSetting,
} from '../support/scripted-sign-in.ts'
import { API_HOST } from '../support/setting.ts'
import { GATEWAY_HOST, GATEWAY_ORIGIN } from '../support/stack.ts'
import { nowSeconds } from '../support/time.ts'
import { mintToken, type SigningKey } from '../support/tokens.ts'
import type { UserAgent } from '../support/user-agent.ts'

const API = `https://${API_HOST}`
const SESSION = '__Host-postern-session'
const EVENT = 'http://schemas.openid.net/event/backchannel-logout'
const LOGGED_OUT = 'You are signed out'

let setting: ScriptedSetting
let agent: UserAgent
let browsers = 0
beforeAll(async () => {
  setting = await startScriptedSetting({ variables: { RECHECK_SECONDS: '0', INSTANCE_ID: 'here' } })
})
afterAll(() => setting.close())
beforeEach(async () => {
  setting.reset()
  agent = await signedIn({})
})

/** A browser with a session on the gateway host and on a fronted one, by a provider that says these claims. */
async function signedIn(claims: object, name: 'code' | 'own' = 'code'): Promise<UserAgent> {
  const browser = setting.browser()
  browsers += 1
  const { script } = setting.providers[name]
  script.person = { ...script.person, sid: `sid-${browsers}`, ...claims }
  const query: Record<string, string> = name === 'own' ? { organization: 'acme' } : {}
  await carry(setting, browser, name, await beginSignIn(setting, browser, name, query))
  expect(cookieOf(browser, SESSION)).toBeDefined()
  if (name === 'code') await isIn(browser)
  return browser
}

async function isIn(browser = agent): Promise<boolean> {
  const gateway = await browser.fetch(`${GATEWAY_ORIGIN}/api/v1/me`)
  const headers = { 'sec-fetch-mode': 'navigate', 'sec-fetch-dest': 'document' }
  if (gateway.status === 200) await browser.visit(`${API}/whoami`, { headers })
  const host = await browser.fetch(`${API}/whoami`)
  // Here and there it is one session: both know it, or neither does.
  expect([gateway.status, host.status]).toEqual(gateway.status === 200 ? [200, 200] : [401, 401])
  return gateway.status === 200
}

describe('a person', () => {
  it('signs out from a page of ours at once, on every host, and at the provider [0-24] [2-15] T5', async () => {
    const out = await agent.visit(`${GATEWAY_ORIGIN}/logout`, { from: GATEWAY_ORIGIN })
    expect(out.url).toContain(`${setting.providers.code.url}/ended?`)
    const asked = new URL(out.url).searchParams
    expect(asked.get('client_id')).toBe(CLIENT)
    expect(asked.get('id_token_hint')?.split('.')).toHaveLength(3)
    expect(asked.get('post_logout_redirect_uri')).toBe(`${GATEWAY_ORIGIN}/logout`)
    expect(cookieOf(agent, SESSION)).toBeUndefined()
    expect(await isIn()).toBe(false)
    const back = await agent.visit(`${GATEWAY_ORIGIN}/logout?state=${asked.get('state')}`, { from: out.url })
    expect(back.text).toContain(LOGGED_OUT)
  })

  it('is asked first when the way leads from elsewhere: logout csrf', async () => {
    for (const from of ['https://evil.test/', undefined]) {
      const page = await agent.visit(`${GATEWAY_ORIGIN}/logout`, from === undefined ? {} : { from })
      expect(page.text).toContain('<form method="post" action="/logout">')
      expect(await isIn()).toBe(true)
    }
    const forged = await agent.visit(`${GATEWAY_ORIGIN}/logout`, {
      method: 'POST',
      form: {},
      from: 'https://evil.test/',
    })
    expect(pageRefusal(forged)).toBe('403 cross_site_request')
    expect(await isIn()).toBe(true)
    await agent.visit(`${GATEWAY_ORIGIN}/logout`, { method: 'POST', form: {}, from: GATEWAY_ORIGIN })
    expect(await isIn()).toBe(false)
  })

  it('signs out on a fronted host, and is signed out on the gateway host too', async () => {
    const page = await agent.visit(`${API}/.postern/logout`, { from: 'https://evil.test/' })
    expect(page.text).toContain('action="/.postern/logout"')
    expect(await isIn()).toBe(true)
    await agent.visit(`${API}/.postern/logout`, { method: 'POST', form: {}, from: API })
    expect(agent.cookies(API_HOST).has(SESSION)).toBe(false)
    expect(await isIn()).toBe(false)
  })

  it('lands where providers lead to, which ends nothing [0-12]', async () => {
    expect((await agent.visit(`${GATEWAY_ORIGIN}/`)).text).toContain('You are signed in')
    const page = await agent.visit(`${GATEWAY_ORIGIN}/logout?state=forged`)
    expect(page.status).toBe(200)
    expect(await isIn()).toBe(true)
    expect((await setting.browser().visit(`${GATEWAY_ORIGIN}/`)).text).toContain('href="/login"')
  })
})

describe('an application, by App ID’s path [2-17] [2-18] [2-19]', () => {
  const path = (query: Record<string, string>, tenant = 'here') =>
    `${GATEWAY_ORIGIN}/oauth/v4/${tenant}/cloud_directory/sso/logout?${new URLSearchParams(query)}`
  const listed = 'https://shop.test/bye'

  it.each([listed, 'http://plain.shop.test/bye'])('goes on to %s [2-13] [2-14]', async (uri) => {
    const url = path({ redirect_uri: uri, client_id: 'shop' })
    const out = await agent.visit(url, { from: 'https://shop.test/' })
    const state = new URL(out.url).searchParams.get('state')
    // From the issuer's page back here, and on to the application.
    const back = await agent.fetch(`${GATEWAY_ORIGIN}/logout?state=${state}`)
    expect([back.status, back.hops[0]?.location]).toEqual([303, uri])
    expect((await agent.fetch(`${API}/whoami`)).status).toBe(401)
  })

  it.each<[string, Record<string, string>, string, string?]>([
    ['no address', { client_id: 'shop' }, '400 redirect_missing'],
    [
      'another address',
      { client_id: 'shop', redirect_uri: 'https://evil.test/' },
      '400 redirect_not_registered',
    ],
    ['a longer one', { client_id: 'shop', redirect_uri: `${listed}/more` }, '400 redirect_not_registered'],
    ['a query', { client_id: 'shop', redirect_uri: `${listed}?a` }, '400 redirect_not_registered'],
    [
      'another case',
      { client_id: 'shop', redirect_uri: 'https://shop.test/Bye' },
      '400 redirect_not_registered',
    ],
    [
      'user info',
      { client_id: 'shop', redirect_uri: 'https://shop.test@evil.test/bye' },
      '400 redirect_not_registered',
    ],
    ['another client', { client_id: 'nobody', redirect_uri: listed }, '400 application_unknown'],
    ['no client', { redirect_uri: listed }, '400 application_unknown'],
    ['another instance', { client_id: 'shop', redirect_uri: listed }, '404 instance_unknown', 'elsewhere'],
  ])('%s: a page, and nothing ends', async (_what, query, refusal, tenant) => {
    expect(pageRefusal(await agent.visit(path(query, tenant)))).toBe(refusal)
    expect(await isIn()).toBe(true)
  })
})

describe('the provider', () => {
  const sidOf = () => `sid-${browsers}`
  const send = (claims: object, { name = 'code' as 'code' | 'own', header = {}, form = {} } = {}) => {
    const { url, keys } = setting.providers[name]
    const token = mintToken(
      url,
      keys[0] as SigningKey,
      {
        aud: CLIENT,
        iat: nowSeconds(),
        exp: nowSeconds() + 120,
        jti: crypto.randomUUID(),
        events: { [EVENT]: {} },
        ...claims,
      },
      { typ: 'logout+jwt', ...header },
    )
    return post({ logout_token: token, ...form })
  }
  const post = (form: Record<string, string>) =>
    setting.stack.send({
      host: GATEWAY_HOST,
      path: '/oidc/backchannel-logout',
      method: 'POST',
      headers: { 'content-type': 'application/x-www-form-urlencoded' },
      body: new URLSearchParams(form).toString(),
    })

  it('over the back channel: one session by its sid [4-33] [4-34] [4-36]', async () => {
    const other = await signedIn({ sid: 'another-one' })
    const answer = await send({ sub: 'alice', sid: `sid-${browsers - 1}` })
    expect([answer.status, answer.headers['cache-control']]).toEqual([200, 'no-store'])
    expect(await isIn(agent)).toBe(false)
    expect(await isIn(other)).toBe(true)
  })

  it('over the back channel: all of a person by the sub [4-35]', async () => {
    const other = await signedIn({})
    expect((await send({ sub: 'alice', exp: undefined })).status).toBe(200)
    expect([await isIn(agent), await isIn(other)]).toEqual([false, false])
  })

  it.each<[string, () => ReturnType<typeof post>]>([
    ['logout-token-with-nonce', () => send({ sub: 'alice', nonce: 'n' })],
    ['logout-token-for-another-client', () => send({ sub: 'alice', aud: 'another-client' })],
    ['without events', () => send({ sub: 'alice', events: undefined })],
    ['with another event', () => send({ sub: 'alice', events: { other: {} } })],
    ['without jti', () => send({ sub: 'alice', jti: undefined })],
    ['without iat', () => send({ sub: 'alice', iat: undefined })],
    ['of long ago', () => send({ sub: 'alice', iat: nowSeconds() - 4000, exp: undefined })],
    ['expired', () => send({ sub: 'alice', exp: nowSeconds() - 1000 })],
    ['naming nobody', () => send({ sub: undefined })],
    ['of another type', () => send({ sub: 'alice' }, { header: { typ: 'at+jwt' } })],
    ['no token at all', () => post({})],
  ])('%s: 400, and nothing ends', async (_attack, attack) => {
    const answer = await attack()
    expect([answer.status, answer.headers['cache-control']]).toEqual([400, 'no-store'])
    expect(JSON.parse(answer.text)).toMatchObject({ error: 'invalid_request' })
    expect(await isIn()).toBe(true)
  })

  it('logout-token-replayed', async () => {
    const claims = { sub: 'alice', jti: crypto.randomUUID() }
    expect((await send(claims)).status).toBe(200)
    const again = await signedIn({})
    expect((await send(claims)).status).toBe(400)
    expect(await isIn(again)).toBe(true)
  })

  it('org-logout-token-for-foreign-session', async () => {
    expect((await send({ sub: 'alice', sid: sidOf() }, { name: 'own' })).status).toBe(200)
    expect(await isIn()).toBe(true)
  })

  it('over the front channel, without a cookie, in a frame [0-27]', async () => {
    const url = setting.providers.code.url
    const query = new URLSearchParams({ iss: url, sid: sidOf() })
    const answer = await setting.stack.send({ host: GATEWAY_HOST, path: `/logout?${query}` })
    expect([answer.status, answer.headers['cache-control']]).toEqual([200, 'no-store'])
    expect(answer.headers['x-frame-options']).toBeUndefined()
    expect(answer.headers['content-security-policy']).toContain('frame-ancestors *')
    expect(await isIn()).toBe(false)
  })

  it('front-channel-logout-of-another-session', async () => {
    for (const [iss, sid] of [
      [setting.providers.own.url, sidOf()],
      [setting.providers.code.url, 'a-guess'],
      ['https://nobody.test', sidOf()],
    ] as const) {
      const path = `/logout?${new URLSearchParams({ iss, sid })}`
      expect((await agent.visit(`${GATEWAY_ORIGIN}${path}`)).status).toBe(200)
    }
    expect(await isIn()).toBe(true)
  })
})

describe('an admin, over the API', () => {
  const operator = (path: string, body: object | null, query = '') => {
    const token = setting.issuer.token({ sub: 'root', groups: ['roots'] })
    return setting.stack.send({
      host: GATEWAY_HOST,
      path: `/api/v1${path}${query}`,
      method: body === null ? 'GET' : 'POST',
      token,
      headers: { 'content-type': 'application/json' },
      ...(body === null ? {} : { body: JSON.stringify(body) }),
    })
  }
  const alice = { issuer: 'code', subject: 'alice' }

  it('sees where a person is signed in, and ends one session or all [2-22] [2-24]', async () => {
    const other = await signedIn({})
    const listed = JSON.parse((await operator(`/sessions?${new URLSearchParams(alice)}`, null)).text)
    expect(listed.items.at(-1)).toMatchObject({ ...alice, hosts: [GATEWAY_HOST, API_HOST], current: false })
    const one = await operator('/sessions:end', { ...alice, session: listed.items.at(-1).id })
    expect([one.status, JSON.parse(one.text)]).toEqual([200, { ended: 1 }])
    expect([await isIn(agent), await isIn(other)]).toEqual([true, false])
    expect((await operator('/sessions:end', alice)).status).toBe(200)
    expect(await isIn(agent)).toBe(false)
  })

  it('ends what an issuer vouched for, and all of the instance', async () => {
    await operator('/sessions:end', { issuer: 'form' })
    expect(await isIn()).toBe(true)
    const ended = await operator('/sessions:end', { issuer: 'code' })
    expect([ended.status, JSON.parse(ended.text)]).toEqual([200, { ended: null }])
    expect(await isIn()).toBe(false)
    const again = await signedIn({})
    expect(JSON.parse((await operator('/sessions:end', { all: true })).text).reason).toBe(
      'confirmation_needed',
    )
    expect(await isIn(again)).toBe(true)
    await operator('/sessions:end', { all: true }, '?confirm=all')
    expect(await isIn(again)).toBe(false)
    expect(await isIn(await signedIn({}))).toBe(true)
  })

  it('of an organization has everybody sign in anew there, and nowhere else', async () => {
    const { script } = setting.providers.code
    agent = await signedIn({ groups: ['readers'] })
    expect((await agent.visit(`${API}/orgs/acme/projects/payments/hello`)).status).toBe(200)
    const ended = await operator('/organizations/acme/sessions:end', {})
    expect([ended.status, JSON.parse(ended.text)]).toEqual([200, { ended: null }])
    const path = `${API}/orgs/acme/projects/payments/hello`
    expect(JSON.parse((await agent.fetch(path)).text).reason).toBe('session_ended')
    expect((await agent.fetch(`${API}/whoami`)).status).toBe(200)
    // The gateway host does not hand the same session out again: no loop.
    script.hold = false
    const led = await agent.visit(path)
    expect([led.status, new URL(led.url).pathname]).toEqual([200, '/login'])
  })

  it('ends one’s own elsewhere', async () => {
    const other = await signedIn({})
    const headers = {
      'content-type': 'application/json',
      'postern-csrf': cookieOf(other, '__Host-postern-csrf') as string,
    }
    const url = `${GATEWAY_ORIGIN}/api/v1/me/sessions:end`
    const answer = await other.fetch(url, { method: 'POST', body: '{}', headers, from: GATEWAY_ORIGIN })
    expect(answer.status).toBe(200)
    expect([await isIn(other), await isIn(agent)]).toEqual([true, false])
  })

  it('by App ID’s path: a token, JSON, and no session [2-23] [2-25]', async () => {
    const path = '/management/v4/here/cloud_directory/Users/nobody/sso/logout'
    const headers = { 'content-type': 'application/json' }
    const send = (more: object) => setting.stack.send({ host: GATEWAY_HOST, path, method: 'POST', ...more })
    const cookie = `${SESSION}=${cookieOf(agent, SESSION)}`
    expect((await send({ headers: { ...headers, cookie }, body: '{}' })).status).toBe(401)
    // Nobody's word has the database asked.
    await setting.stack.counts()
    expect((await send({ headers, token: 'nonsense', body: '{}' })).status).toBe(401)
    expect((await setting.stack.counts()).statements).toBe(0)
    const token = setting.issuer.token({ sub: 'root', groups: ['roots'] })
    expect((await send({ headers: { 'content-type': 'text/plain' }, token, body: '{}' })).status).toBe(415)
    expect((await send({ headers, token, body: '{}' })).status).toBe(404)
  })
})
