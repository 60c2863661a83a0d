// Signing out where the issuer has a part in it: the demo's real OpenID provider, which is led to and calls back, and
// issuers that are away, want it otherwise, or have nothing to be led to.
import { mkdtempSync, rmSync } from 'node:fs'
import { createServer, type Server } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { type Idp, startIdp } from '../../demo/idp.ts'
import { logoutUrl } from '../../policy/client.ts'
import { startProvider, type TestProvider } from '../support/provider.ts'
import { addressOf, pageRefusal } from '../support/scripted-sign-in.ts'
import { listen, stopListening } from '../support/servers.ts'
import { API_HOST, type Setting, startSetting } from '../support/setting.ts'
import { GATEWAY_HOST, GATEWAY_ORIGIN } from '../support/stack.ts'
import { makeKey, mintToken } from '../support/tokens.ts'
import { createUserAgent, type UserAgent, type Visit } from '../support/user-agent.ts'

const CALLBACK = `${GATEWAY_ORIGIN}/oidc/callback`
const LANDING = `${GATEWAY_ORIGIN}/logout`
const CLIENT = 'postern-public'
const EVENT = 'http://schemas.openid.net/event/backchannel-logout'
const COGNITO = 'https://cognito-idp.eu-central-1.amazonaws.com/eu-central-1_Pool'
const BYE = 'http://shop.test/bye'
const SIGNED_OUT = '<h1>You are signed out</h1>'

const folder = mkdtempSync(join(tmpdir(), 'postern-logout-'))
let setting: Setting
let idp: Idp
/** Issuers by a script: one that two organizations share, and one of the instance. */
let shared: TestProvider
let alone: TestProvider
let relay: Server
/** Answers of ours to the provider's logout tokens. */
const answered: { status: number; token: string }[] = []
let agent: UserAgent

beforeAll(async () => {
  relay = createServer((request, response) => {
    let form = ''
    request.on('data', (chunk) => {
      form += chunk
    })
    request.on('end', async () => {
      const { status } = await post(form, request.headers['content-type'])
      answered.push({ status, token: new URLSearchParams(form).get('logout_token') ?? '' })
      response.writeHead(status).end()
    })
  })
  const relayPort = await listen(relay)
  const free = createServer()
  const port = await listen(free)
  await stopListening(free)
  idp = await startIdp({
    port,
    keysFile: join(folder, 'idp.json'),
    redirectUris: [CALLBACK],
    postLogoutRedirectUris: [LANDING],
    backchannelLogoutUri: `http://127.0.0.1:${relayPort}/`,
  })
  ;[shared, alone] = await Promise.all([startProvider(), startProvider()])
  const open = { clientAuthentication: 'none', clientId: CLIENT }
  setting = await startSetting({
    variables: { RECHECK_SECONDS: '0' },
    policy: (policy) => {
      Object.assign(policy.issuers, {
        demo: { issuer: idp.issuer, signIn: { ...open, label: 'The demo' } },
        alone: { issuer: alone.url, keysUsableSeconds: 0, signIn: { ...open, label: 'The <lone> one' } },
        cognito: {
          issuer: COGNITO,
          jwks: { keys: alone.keys.map(({ jwk }) => jwk) },
          signIn: {
            ...open,
            endpoints: {
              authorization: `${alone.url}/authorize`,
              token: `${alone.url}/token`,
              endSession: `${alone.url}/end?pool=1`,
            },
          },
        },
      })
      const signOut = (how: string) => ({
        own: { issuer: shared.url, signIn: { ...open, label: 'Theirs', signOut: how } },
      })
      policy.organizations.acme.issuers = signOut('none')
      policy.organizations.globex.issuers = signOut('local')
      Object.assign(policy, {
        singleSignOn: { isActive: true, logoutRedirectUris: [BYE] },
        applications: { shop: { clientId: 'shop' } },
      })
    },
  })
})
afterAll(async () => {
  await setting.close()
  await Promise.all([idp.close(), shared.stop(), alone.stop(), stopListening(relay)])
  rmSync(folder, { recursive: true })
})
beforeEach(() => {
  answered.length = 0
  shared.reset()
  alone.reset()
  agent = browser()
})

const browser = () => createUserAgent({ stack: setting.stack })

const post = (form: string, type = 'application/x-www-form-urlencoded') =>
  setting.stack.send({
    host: GATEWAY_HOST,
    path: '/oidc/backchannel-logout',
    method: 'POST',
    headers: { 'content-type': type },
    body: form,
  })

const login = (by: UserAgent, issuer: string) =>
  by.visit(`${GATEWAY_ORIGIN}/login?${new URLSearchParams({ issuer })}`, { headers: addressOf(by) })

/** By the demo's own page. */
async function signIn(person: string, by = agent): Promise<void> {
  const page = await login(by, 'demo')
  const form = { username: person, password: person }
  await by.visit(page.url, { method: 'POST', form, from: page.url, headers: addressOf(by) })
  expect(await isIn(by)).toBe(true)
}

/** By a provider that asks nothing; where it answers by a form, the form is posted. */
async function signInBy(issuer: string, by = agent): Promise<void> {
  const page = await login(by, issuer)
  if (page.url.startsWith(alone.url)) {
    const { parameters = {} } = alone.answered ?? {}
    const headers = addressOf(by)
    await by.visit(CALLBACK, { method: 'POST', form: parameters, from: alone.url, headers })
  }
  expect(await isIn(by)).toBe(true)
}

async function isIn(by = agent): Promise<boolean> {
  const { status } = await by.fetch(`${GATEWAY_ORIGIN}/api/v1/me`)
  expect([200, 401]).toContain(status)
  return status === 200
}

const signOut = () => agent.visit(LANDING, { from: GATEWAY_ORIGIN })

/** Presses the button of the provider's own page. */
async function confirm(page: Visit, by = agent): Promise<Visit> {
  expect(page.text).toContain('Do you want to sign out')
  const [, xsrf = ''] = /name="xsrf" value="([^"]+)"/.exec(page.text) ?? []
  const url = `${idp.issuer}/session/end/confirm`
  return by.visit(url, { method: 'POST', form: { xsrf, logout: 'yes' }, from: page.url })
}

const refreshOf = ({ headers }: Visit) => String(headers.refresh ?? '').replace(/^0; url=/, '')

describe('with a real provider', () => {
  it('a person signs out there too, and lands here; the next sign-in asks for credentials [0-24] [2-15] T5', async () => {
    await signIn('bob')
    const page = await signOut()
    const asked = new URL(page.url)
    expect(`${asked.origin}${asked.pathname}`).toBe(`${idp.issuer}/session/end`)
    expect(Object.fromEntries(asked.searchParams)).toEqual({
      id_token_hint: expect.stringMatching(/^ey[\w-]+\.[\w-]+\.[\w-]+$/),
      client_id: CLIENT,
      post_logout_redirect_uri: LANDING,
      state: expect.stringMatching(/^[\w-]+$/),
    })
    // Signed out here before anything is confirmed there.
    expect(await isIn()).toBe(false)
    const left = [...agent.cookies(GATEWAY_HOST).keys()]
    expect(left.filter((name) => /session|csrf/.test(name))).toEqual([])
    const landed = await confirm(page)
    expect([new URL(landed.url).pathname, landed.status]).toEqual(['/logout', 200])
    expect(landed.text).toContain(SIGNED_OUT)
    expect((await login(agent, 'demo')).url).toContain('/interaction/')
  })

  it('an application’s way leads through it to the registered address [2-15] [2-17] [2-20] [2-21]', async () => {
    await signIn('bob')
    const out = logoutUrl({ origin: GATEWAY_ORIGIN, clientId: 'shop', redirectUri: BYE })
    const page = await agent.visit(out, { from: 'http://shop.test/' })
    expect(await isIn()).toBe(false)
    expect((await confirm(page)).url).toBe(BYE)
    // Nobody is signed in: straight on.
    const again = await agent.visit(out)
    expect(again.hops.map(({ location }) => location)).toEqual([BYE, null])
  })

  it('whoever signs out there is signed out here at once, in that browser alone [4-33] [4-34] [4-35] [4-36]', async () => {
    const other = browser()
    await signIn('bob')
    await signIn('bob', other)
    await confirm(await agent.visit(`${idp.issuer}/session/end`))
    expect(answered.map(({ status }) => status)).toEqual([200])
    expect([await isIn(), await isIn(other)]).toEqual([false, true])
    // The very same token again.
    const replayed = await post(new URLSearchParams({ logout_token: answered[0]?.token ?? '' }).toString())
    expect([replayed.status, JSON.parse(replayed.text)]).toEqual([
      400,
      {
        error: 'invalid_request',
        error_description: expect.stringMatching(/"jti"/),
        reason: 'logout_token_invalid',
        check: 'jti',
      },
    ])
    expect(await isIn(other)).toBe(true)
  })

  it('the button’s answer is a page that leads on, whatever the provider redirects to', async () => {
    await signIn('bob')
    const asked = await agent.visit(LANDING, { from: 'https://elsewhere.test/' })
    expect(asked.text).toContain('<form method="post" action="/logout">')
    expect(asked.headers['content-security-policy']).toContain("form-action 'self';")
    expect(await isIn()).toBe(true)
    const page = await agent.visit(LANDING, { method: 'POST', form: {}, from: GATEWAY_ORIGIN })
    expect([page.status, page.hops.length]).toEqual([200, 1])
    const next = new URL(refreshOf(page))
    expect(`${next.origin}${next.pathname}`).toBe(`${idp.issuer}/session/end`)
    // The same in a link, for browsers that do not go by themselves.
    const [, href = ''] = /<a class="button" href="([^"]+)"/.exec(page.text) ?? []
    expect(href.replaceAll('&#38;', '&')).toBe(next.href)
    expect(await isIn()).toBe(false)
    expect((await confirm(await agent.visit(next.href))).text).toContain(SIGNED_OUT)
  })

  it('a fronted host where nobody is signed in leads to the landing page', async () => {
    const page = await agent.visit(`https://${API_HOST}/.postern/logout`, { from: 'https://elsewhere.test/' })
    expect(new URL(page.url).origin).toBe(GATEWAY_ORIGIN)
    expect(page.text).toContain(SIGNED_OUT)
  })
})

describe('the landing page', () => {
  const stateOf = async () => {
    await signInBy('alone')
    const query = new URLSearchParams({ redirect_uri: BYE, client_id: 'shop' })
    const { hops } = await agent.visit(`${LANDING}?${query}`)
    return new URL(hops[0]?.location ?? '').searchParams.get('state') ?? ''
  }

  it('landing state forged: nothing ends, and it leads nowhere', async () => {
    const state = await stateOf()
    await signInBy('alone')
    const forged = [
      'forged',
      `${state.slice(0, -2)}AA`,
      JSON.stringify({ redirectUri: 'https://evil.test/', left: null, expires: 9e15 }),
      `${state}&state=${state}`,
    ]
    for (const one of forged) {
      const page = await agent.visit(`${LANDING}?state=${one}`, { from: 'https://evil.test/' })
      expect([page.hops.length, page.status]).toEqual([1, 200])
      expect(page.text).toContain('<form method="post" action="/logout">')
      expect(await isIn()).toBe(true)
    }
  })

  it('with a state of ours goes on to its address and ends nothing, for ten minutes', async () => {
    const state = await stateOf()
    await signInBy('alone')
    expect((await agent.visit(`${LANDING}?state=${state}`)).url).toBe(BYE)
    expect(await isIn()).toBe(true)
    await setting.stack.advance(601)
    expect((await agent.visit(`${LANDING}?state=${state}`)).hops).toHaveLength(1)
    expect(await isIn()).toBe(true)
  })

  it('is at the root too, and says who is signed in [0-12]', async () => {
    const out = await agent.visit(`${GATEWAY_ORIGIN}/`)
    expect(out.text).toContain('<h1>You are not signed in</h1>')
    expect(out.text).toContain('href="/login"')
    alone.script.person = { ...alone.script.person, name: 'Alice <Anders>' }
    await signInBy('alone')
    const page = await agent.visit(`${GATEWAY_ORIGIN}/`)
    expect(page.text).toContain('<strong>Alice &#60;Anders&#62;</strong>')
    expect(page.text).toContain('href="/logout"')
    expect(await isIn()).toBe(true)
  })
})

describe('an issuer', () => {
  it('that is away: signed out here, and told so; no address goes unseen past it', async () => {
    await signInBy('alone')
    // What discovery said has become too old.
    await setting.stack.advance(3 * 3600)
    await alone.stop()
    const query = new URLSearchParams({ redirect_uri: BYE, client_id: 'shop' })
    const page = await agent.visit(`${LANDING}?${query}`)
    await alone.start()
    // Its object pauses before it asks again.
    await setting.stack.advance(60)
    expect(page.text).toContain(SIGNED_OUT)
    expect(page.text).toContain('The &#60;lone&#62; one could not be reached')
    expect(page.text).toContain(`href="${BYE}"`)
    expect(await isIn()).toBe(false)
  })

  it('with signOut "none" or "local" is not led to; of the first the page says that it goes on T5', async () => {
    const ways = [
      ['acme/own', 'At Theirs you may still be signed in'],
      ['globex/own', 'No session of this browser is left here'],
    ] as const
    for (const [issuer, said] of ways) {
      await signInBy(issuer)
      const page = await signOut()
      expect(new URL(page.url).origin).toBe(GATEWAY_ORIGIN)
      expect(page.text).toContain(SIGNED_OUT)
      expect(page.text).toContain(said)
      expect(await isIn()).toBe(false)
    }
  })

  it('of Cognito gets the parameter that it has in place of the standard’s [0-12]', async () => {
    alone.script.idToken = { iss: COGNITO }
    alone.script.response = { iss: undefined }
    await signInBy('cognito')
    const { hops } = await signOut()
    const { searchParams } = new URL(hops[0]?.location ?? '')
    expect(searchParams.get('pool')).toBe('1')
    expect([searchParams.get('client_id'), searchParams.get('logout_uri')]).toEqual([CLIENT, GATEWAY_ORIGIN])
  })

  it('that names the session without itself, as Entra does, means the instance’s issuers alone [0-27]', async () => {
    alone.script.person = { ...alone.script.person, sid: 'one' }
    shared.script.person = { ...shared.script.person, sid: 'one' }
    const other = browser()
    await signInBy('alone')
    await signInBy('acme/own', other)
    const frame = browser()
    const ask = (query: string) => frame.visit(`${LANDING}?${query}`, { from: alone.url })
    expect((await ask('sid=one&sid=two')).status).toBe(200)
    expect((await ask(`sid=${'a'.repeat(1001)}`)).status).toBe(200)
    expect(await isIn()).toBe(true)
    const page = await ask('sid=one')
    expect(page.text).toBe(
      (await ask('sid=unknown')).text.replace(
        /Request <code>.*<\/code>/,
        page.text.match(/Request <code>.*<\/code>/)?.[0] ?? '',
      ),
    )
    expect([await isIn(), await isIn(other)]).toEqual([false, true])
  })
})

describe('what is not meant signs nobody out', () => {
  it.each<[string, Record<string, string>]>([
    ['a page of ours loaded beforehand', { 'sec-purpose': 'prefetch;prerender' }],
    ['a picture', { 'sec-fetch-mode': 'no-cors', 'sec-fetch-dest': 'image' }],
    ['a script', { 'sec-fetch-mode': 'cors', 'sec-fetch-dest': 'empty' }],
    ['another site', { 'sec-fetch-site': 'cross-site' }],
    ['a sister site', { 'sec-fetch-site': 'same-site' }],
    ['nothing said at all', { 'sec-fetch-site': '' }],
  ])('%s', async (_what, headers) => {
    await signInBy('alone')
    const page = await agent.visit(LANDING, { from: GATEWAY_ORIGIN, headers })
    expect(page.text).toContain('<form method="post" action="/logout">')
    expect(await isIn()).toBe(true)
  })
})

describe('a logout token', () => {
  const claims = (more: object) => ({ aud: CLIENT, events: { [EVENT]: {} }, ...more })
  const send = (token: string) => post(new URLSearchParams({ logout_token: token }).toString())
  const minted = (provider: TestProvider, more: object, header: object = {}, key = provider.keys[0]) =>
    mintToken(provider.url, key as NonNullable<typeof key>, claims(more), { typ: 'logout+jwt', ...header })

  it('counts for each organization that shares the issuer and the client, and there alone', async () => {
    const [acme, globex] = [browser(), browser()]
    await signInBy('acme/own', acme)
    await signInBy('globex/own', globex)
    await signInBy('alone')
    expect((await send(minted(shared, { sub: 'alice' }))).status).toBe(200)
    expect([await isIn(acme), await isIn(globex), await isIn()]).toEqual([false, false, true])
  })

  it('whose sid is not the sub’s ends nothing', async () => {
    alone.script.person = { ...alone.script.person, sid: 'alices' }
    await signInBy('alone')
    expect((await send(minted(alone, { sub: 'bob', sid: 'alices' }))).status).toBe(200)
    expect(await isIn()).toBe(true)
    expect((await send(minted(alone, { sub: undefined, sid: 'alices' }))).status).toBe(200)
    expect(await isIn()).toBe(false)
  })

  it.each(['JWT', undefined, 'application/logout+jwt'])('of the type %s passes', async (typ) => {
    expect((await send(minted(alone, { sub: 'nobody' }, { typ }))).status).toBe(200)
  })

  it.each<[string, () => string, string]>([
    ['of an issuer that nobody signs in with', () => setting.issuer.token(claims({})), 'issuer_unknown'],
    [
      'with a key of its own',
      () => minted(alone, {}, {}, makeKey('ES256', { kid: alone.keys[0]?.kid ?? null })),
      'signature_invalid',
    ],
    ['of another issuer’s key', () => minted(alone, {}, {}, shared.keys[0]), 'key_unknown'],
    [
      'without a signature',
      () => `${minted(alone, {}, { alg: 'none' }).split('.').slice(0, 2).join('.')}.AAAA`,
      'algorithm_not_allowed',
    ],
    [
      'from the future',
      () => minted(alone, { iat: Math.floor(Date.now() / 1000) + 90_000, exp: undefined }),
      'token_issued_in_future',
    ],
    ['with a sub that is a number', () => minted(alone, { sub: 7 }), 'logout_token_invalid'],
    [
      'with an event that is no object',
      () => minted(alone, { events: { [EVENT]: true } }),
      'logout_token_invalid',
    ],
    ['with a critical header', () => minted(alone, {}, { crit: ['b64'] }), 'header_not_allowed'],
  ])('%s is refused', async (_what, token, reason) => {
    await signInBy('alone')
    const answer = await send(token())
    expect([answer.status, answer.headers['cache-control'], JSON.parse(answer.text).reason]).toEqual([
      400,
      'no-store',
      reason,
    ])
    expect(answer.text).not.toContain(token().split('.')[1])
    expect(await isIn()).toBe(true)
  })

  it('comes in a form, once, and within bounds [4-34]', async () => {
    const token = minted(alone, { sub: 'nobody' })
    const form = `logout_token=${token}`
    const reasons = [
      await post(JSON.stringify({ logout_token: token }), 'application/json'),
      await post(`${form}&${form}`),
      await post(`more=${'a'.repeat(40_000)}&${form}`),
      await post(''),
    ].map(({ status, text }) => `${status} ${JSON.parse(text).reason}`)
    expect(reasons).toEqual([
      '400 media_type_not_supported',
      '400 logout_token_invalid',
      '400 body_too_large',
      '400 logout_token_invalid',
    ])
    expect((await post(form)).status).toBe(200)
    expect((await agent.fetch(`${GATEWAY_ORIGIN}/oidc/backchannel-logout?${form}`)).status).toBe(404)
  })
})

it('one token sent again and again is stopped; the issuer’s others are not', async () => {
  // Twice the limit, and more: its minute may end in the middle.
  const texts = new Map<number, string>()
  for (let times = 0; times < 130; times += 1) {
    const { status, text } = await post('logout_token=the.same.one')
    texts.set(status, text)
  }
  expect([...texts.keys()].sort()).toEqual([400, 429])
  expect(JSON.parse(texts.get(429) ?? '')).toMatchObject({
    error: 'invalid_request',
    reason: 'too_many_requests',
  })
  const others = ['a.b.c', 'd.e.f', 'g.h.i'].map(
    async (token) => (await post(`logout_token=${token}`)).status,
  )
  expect(await Promise.all(others)).toEqual([400, 400, 400])
})

describe('an address to go on to [2-14] [2-18]', () => {
  it.each([
    ['a prefix', 'http://shop.test/by'],
    ['more of it', `${BYE}/more`],
    ['another case', 'http://shop.test/Bye'],
    ['another scheme', 'https://shop.test/bye'],
    ['a slash at the end', `${BYE}/`],
    ['user information', 'http://shop.test@evil.test/bye'],
    ['a port', 'http://shop.test:80/bye'],
    ['a query', `${BYE}?`],
    ['a dot segment', 'http://shop.test/./bye'],
    ['white space', ` ${BYE}`],
  ])('redirect_uri near miss: %s', async (_what, uri) => {
    await signInBy('alone')
    const query = new URLSearchParams({ redirect_uri: uri, client_id: 'shop' })
    expect(pageRefusal(await agent.visit(`${LANDING}?${query}`))).toBe('400 redirect_not_registered')
    expect(pageRefusal(await agent.visit(`${LANDING}?${query}&redirect_uri=${BYE}`))).toBe(
      '400 redirect_missing',
    )
    expect(await isIn()).toBe(true)
  })
})
