// Signing in as people do it: tabs, the back button, slow people, several providers to choose from; and providers as they
// are: away, set up wrongly, silent about what they should say. The provider is scripted (support/provider.ts).
import { createPublicKey, verify } from 'node:crypto'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import {
  AFTERWARDS,
  addressOf,
  beginSignIn,
  CALLBACK,
  CLIENT,
  CLIENT_SECRET,
  carry,
  hasSession,
  OBJECT_ID,
  type ProviderName,
  pageRefusal,
  type ScriptedSetting,
  SECOND_ORIGIN,
  sessionCookie,
  signInBy,
  startScriptedSetting,
  TENANT,
  whoAmI,
} from '../support/scripted-sign-in.ts'
import { GATEWAY_HOST, GATEWAY_ORIGIN } from '../support/stack.ts'
import { makeKey } from '../support/tokens.ts'
import type { UserAgent } from '../support/user-agent.ts'

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

const begin = (name: ProviderName, query = {}) => beginSignIn(setting, agent, name, query)
const deliver = (name: ProviderName, answer: Record<string, string>) => carry(setting, agent, name, answer)
const signIn = (name: ProviderName, query = {}) => signInBy(setting, agent, name, query)
const scriptOf = (name: ProviderName) => setting.providers[name].script
const askedOf = (name: ProviderName) => Object.fromEntries(setting.providers[name].asked.at(-1) ?? [])
const callsOf = (name: ProviderName, path: string) => {
  return setting.providers[name].calls.filter((call) => call.path === path)
}
const forget = (name: string) => agent.setCookie(GATEWAY_HOST, `${name}=; Path=/; Max-Age=0`)
const login = (query: Record<string, string>) => {
  const url = `${GATEWAY_ORIGIN}/login?${new URLSearchParams(query)}`
  return agent.visit(url, { headers: addressOf(agent) })
}
/** The same once the change feed has been asked anew. */
const whoIsLeft = async () => {
  await setting.stack.advance(16)
  return whoAmI(agent)
}
const DONE = GATEWAY_ORIGIN + AFTERWARDS

describe('both flows', () => {
  it('authorization code with PKCE, by a public client [0-4] [0-15] [0-17] [0-18] [4-1]', async () => {
    const { url, hops } = await signIn('code')
    expect(url).toBe(DONE)
    expect(hops[0]?.status).toBe(303)
    expect(askedOf('code')).toMatchObject({
      response_type: 'code',
      client_id: CLIENT,
      redirect_uri: CALLBACK,
      scope: 'openid profile email',
      code_challenge_method: 'S256',
      nonce: expect.stringMatching(/^[\w-]{43}$/),
    })
    const { form, headers } = callsOf('code', '/token')[0] as { form: URLSearchParams; headers: object }
    expect(form.get('client_id')).toBe(CLIENT)
    expect(headers).not.toHaveProperty('authorization')
  })

  it('implicit by form post, without a token endpoint [0-3] [0-7] [0-16]', async () => {
    const { url, hops } = await signIn('form')
    expect([url, hops[0]?.method, hops[0]?.status]).toEqual([DONE, 'POST', 303])
    expect(askedOf('form')).toMatchObject({ response_type: 'id_token', response_mode: 'form_post' })
    expect(askedOf('form')).not.toHaveProperty('code_challenge')
    expect(setting.providers.form.calls).toEqual([])
  })

  it('a session, and its cookies with it [2-5]', async () => {
    const { hops } = await signIn('code')
    const set = [hops[0]?.headers?.['set-cookie'] ?? []].flat()
    expect(set).toEqual([
      expect.stringMatching(
        /^__Host-postern-session=[\w-]{43}(\.[\w-]{43}){2}; .*Secure; HttpOnly; SameSite=Lax$/,
      ),
      expect.stringMatching(/^__Host-postern-csrf=[\w-]{43}; .*Secure; SameSite=Lax$/),
    ])
    expect(hops[0]?.headers?.['cache-control']).toBe('no-store')
  })

  it('a name, an address and groups come from the id_token, and give roles [0-2] [0-5] [0-6] [4-18] [4-19] [4-20] [4-21]', async () => {
    scriptOf('code').person.groups = ['operators']
    await signIn('code')
    const { status, me } = await whoAmI(agent)
    expect([status, me]).toMatchObject([
      200,
      {
        identity: { issuer: 'code', subject: 'alice' },
        displayName: 'Alice Anders',
        userName: 'alice',
        email: 'alice@acme.example',
        groups: ['operators'],
      },
    ])
    expect(JSON.stringify(me.roles)).toContain('GLOBAL_READ_ONLY')
    expect(callsOf('code', '/userinfo')).toEqual([])
  })

  it('every gateway host has its own redirect_uri, of the list [0-14] [0-11]', async () => {
    scriptOf('code').hold = true
    await agent.visit(`${SECOND_ORIGIN}/login?issuer=code`, { headers: addressOf(agent) })
    expect(askedOf('code').redirect_uri).toBe(`${SECOND_ORIGIN}/oidc/callback`)
    const plain = await agent.visit('http://plain.test/login?issuer=code', { headers: addressOf(agent) })
    expect(pageRefusal(plain)).toBe('400 transport_not_secure')
  })

  it('an issuer of several tenants: each is named in its id_tokens, and only those listed count', async () => {
    const { tenants } = setting.providers
    const issuer = (tenant: string) => `${tenants.url}/${tenant}/v2.0`
    const say = (tenant: string, tid: string) => {
      scriptOf('tenants').document = {
        issuer: issuer('{tenantid}'),
        authorization_response_iss_parameter_supported: undefined,
      }
      scriptOf('tenants').response = { iss: undefined }
      scriptOf('tenants').idToken = { iss: issuer(tenant), tid }
    }
    say(TENANT, TENANT)
    expect((await signIn('tenants')).url).toBe(DONE)
    expect((await whoAmI(agent)).me).toMatchObject({ identity: { issuer: 'tenants', subject: OBJECT_ID } })
    agent = setting.browser()
    say(TENANT, OBJECT_ID)
    expect(pageRefusal(await signIn('tenants'))).toBe('401 tenant_not_allowed')
    say(OBJECT_ID, OBJECT_ID)
    expect(pageRefusal(await signIn('tenants'))).toBe('400 response_issuer_mismatch')
  })

  it('the keys of the provider change during a sign-in', async () => {
    const provider = setting.providers.form
    await signIn('form')
    await setting.stack.advance(60)
    const before = provider.keys
    provider.keys = [makeKey('ES256')]
    forget('__Host-postern-session')
    expect((await signIn('form')).url).toBe(DONE)
    provider.keys = [...provider.keys, ...before]
  })
})

describe('how Postern shows who it is', () => {
  it('client_secret_basic, without PKCE where it is off [4-9]', async () => {
    expect((await signIn('secret')).url).toBe(DONE)
    expect(askedOf('secret')).not.toHaveProperty('code_challenge')
    const { headers, form } = callsOf('secret', '/token')[0] as (typeof setting.providers.code.calls)[0]
    const [id, secret] = atob(headers.authorization?.replace('Basic ', '') ?? '').split(':') as [
      string,
      string,
    ]
    const decoded = new URLSearchParams(`${id}=${secret}`).get(decodeURIComponent(id))
    expect(decoded).toBe(CLIENT_SECRET)
    expect([...form.keys()]).not.toContain('code_verifier')
  })

  it('client_secret_post', async () => {
    expect((await signIn('post')).url).toBe(DONE)
    const { headers, form } = callsOf('post', '/token')[0] as (typeof setting.providers.code.calls)[0]
    expect([form.get('client_id'), form.get('client_secret')]).toEqual([CLIENT, CLIENT_SECRET])
    expect(headers.authorization).toBeUndefined()
  })

  it('private_key_jwt, signed with a key of our published set, and good for nothing else', async () => {
    expect((await signIn('key')).url).toBe(DONE)
    const { form } = callsOf('key', '/token')[0] as (typeof setting.providers.code.calls)[0]
    const assertion = form.get('client_assertion') as string
    const [header, payload, signature] = assertion.split('.') as [string, string, string]
    const read = (part: string) => JSON.parse(Buffer.from(part, 'base64url').toString())
    expect(read(payload)).toMatchObject({ iss: CLIENT, sub: CLIENT, aud: setting.providers.key.url })
    expect(read(header).typ).toBe('client-authentication+jwt')
    const published = await setting.stack.send({ host: GATEWAY_HOST, path: '/.well-known/jwks.json' })
    const jwk = JSON.parse(published.text).keys.find(({ kid }: { kid: string }) => kid === read(header).kid)
    const key = { key: createPublicKey({ key: jwk, format: 'jwk' }), dsaEncoding: 'ieee-p1363' as const }
    const signed = Buffer.from(`${header}.${payload}`)
    expect(verify('sha256', signed, key, Buffer.from(signature, 'base64url'))).toBe(true)
    const bearer = await setting.get(assertion)
    expect([bearer.status, JSON.parse(bearer.text).reason]).toEqual([401, 'kind_not_allowed'])
  })

  it('a secret that is named and not set is named on the page, and no other', async () => {
    const page = await signIn('unset')
    expect(pageRefusal(page)).toBe('502 provider_misconfigured')
    expect(page.text).toContain('wrangler secret put UNSET_CLIENT_SECRET')
    expect(page.text).not.toContain(CLIENT_SECRET)
  })
})

describe('a browser', () => {
  it('signs in in two tabs at once; the last one’s session stays', async () => {
    const [first, second] = [await begin('code', { return_to: '/healthz?tab=1' }), await begin('code')]
    expect((await deliver('code', second)).url).toBe(DONE)
    const before = sessionCookie(agent)
    expect((await deliver('code', first)).url).toBe(`${DONE}?tab=1`)
    const after = sessionCookie(agent)
    expect(after).not.toBe(before)
    agent.setCookie(GATEWAY_HOST, `__Host-postern-session=${before}; Path=/; Secure; SameSite=Lax`)
    expect((await whoIsLeft()).status).toBe(401)
  })

  it.each(['code', 'form'] as const)('comes back by the back button, or clicks twice (%s)', async (name) => {
    const answer = await begin(name)
    await deliver(name, answer)
    const session = sessionCookie(agent)
    expect((await deliver(name, answer)).url).toBe(DONE)
    expect(sessionCookie(agent)).toBe(session)
    // The attempt's cookie is gone as well: an old tab.
    forget('__Host-postern-attempt-0')
    expect((await deliver(name, answer)).hops.some(({ url }) => url === `${GATEWAY_ORIGIN}/`)).toBe(true)
    expect(sessionCookie(agent)).toBe(session)
  })

  it('has six tabs: the oldest is lost, the others are not', async () => {
    const answers = []
    for (let tab = 0; tab < 6; tab++) answers.push(await begin('code'))
    const [lost, ...kept] = answers as [Record<string, string>, ...Record<string, string>[]]
    expect(pageRefusal(await deliver('code', lost))).toBe('400 attempt_unknown')
    for (const answer of kept) expect((await deliver('code', answer)).url).toBe(DONE)
  })

  it('takes longer than ten minutes, and finds the way on', async () => {
    const answer = await begin('code')
    await setting.stack.advance(601)
    const page = await deliver('code', answer)
    expect(pageRefusal(page)).toBe('400 attempt_expired')
    expect(page.text).toContain('href="/login?return_to=%2Fhealthz&#38;issuer=code"')
    expect((await login({ return_to: AFTERWARDS, issuer: 'code' })).text).toBe('held')
  })

  it('blocks cookies, and is told so', async () => {
    const answer = await begin('code')
    forget('__Host-postern-attempt-0')
    const page = await deliver('code', answer)
    expect(pageRefusal(page)).toBe('400 attempt_unknown')
    expect(page.text).toMatch(/cookies are blocked/)
    expect(page.text).toContain('href="/login"')
  })

  it('has a session already, and goes straight on', async () => {
    await signIn('code')
    const asked = setting.providers.code.asked.length
    expect((await login({ return_to: AFTERWARDS })).url).toBe(DONE)
    expect(setting.providers.code.asked).toHaveLength(asked)
  })

  it('is somebody else’s now: the session before has ended', async () => {
    const alices = await begin('form')
    scriptOf('code').person.sub = 'bob'
    const bobs = await begin('code')
    await deliver('form', alices)
    const before = sessionCookie(agent)
    await deliver('code', bobs)
    expect((await whoAmI(agent)).me).toMatchObject({ identity: { issuer: 'code', subject: 'bob' } })
    agent.setCookie(GATEWAY_HOST, `__Host-postern-session=${before}; Path=/; Secure; SameSite=Lax`)
    expect((await whoIsLeft()).status).toBe(401)
  })
})

describe('a provider that says no', () => {
  it.each([
    ['access_denied', '403 provider_refused'],
    ['login_required', '403 provider_refused'],
    ['interaction_required', '403 provider_refused'],
    ['server_error', '403 provider_refused'],
    ['something_new', '403 provider_refused'],
    ['invalid_scope', '502 provider_misconfigured'],
    ['unauthorized_client', '502 provider_misconfigured'],
    ['unsupported_response_type', '502 provider_misconfigured'],
  ])('%s', async (error, expected) => {
    const description = `<b>${'no '.repeat(200)}`
    scriptOf('code').response = { code: undefined, error, error_description: description }
    const page = await signIn('code')
    expect(pageRefusal(page)).toBe(expected)
    expect(page.text).toContain(error)
    expect(page.text).toContain('&#60;b&#62;no no')
    expect(page.text).not.toContain('<b>')
    expect(page.text).not.toContain(description.slice(3, 300))
    expect(page.text).toMatch(/<footer>Request <code>[\w-]+<\/code>/)
    expect(page.text).toContain('Try again')
  })

  const CHALLENGE = { 'www-authenticate': 'Basic realm="x"' }
  it.each([
    [
      'a wrong client [0-28]',
      { status: 401, body: { error: 'invalid_client' } },
      '502 provider_misconfigured',
      'Value, not its id',
    ],
    [
      'a wrong client, by challenge',
      { status: 401, body: {}, headers: CHALLENGE },
      '502 provider_misconfigured',
      'Value, not its id',
    ],
    ['a used code', { status: 400, body: { error: 'invalid_grant' } }, '400 attempt_used', 'invalid_grant'],
    [
      'another error',
      { status: 400, body: { error: 'invalid_request' } },
      '502 provider_misconfigured',
      'invalid_request',
    ],
    ['a fault', { status: 500, body: 'no' }, '503 provider_unavailable', 'answered 500'],
    [
      'a redirect',
      { status: 302, body: '', headers: { location: '/x' } },
      '502 provider_misconfigured',
      'not followed',
    ],
    ['no JSON', { status: 200, body: 'hello' }, '502 provider_misconfigured', 'something unexpected'],
    [
      'too much',
      { status: 200, body: 'x'.repeat(300_000) },
      '503 provider_unavailable',
      'could not be reached',
    ],
    [
      'no id_token',
      { status: 200, body: { access_token: 'x', token_type: 'Bearer' } },
      '502 provider_misconfigured',
      'no id_token',
    ],
  ])('at the token endpoint: %s', async (_, token, expected, words) => {
    scriptOf('secret').token = token as never
    const page = await signIn('secret')
    expect(pageRefusal(page)).toBe(expected)
    expect(page.text).toContain(words)
    expect(page.text).not.toContain(CLIENT_SECRET)
    expect(hasSession(agent)).toBe(false)
  })

  it('in its discovery document', async () => {
    const row = async (document: object, words: string) => {
      scriptOf('own').document = document as Record<string, unknown>
      await setting.stack.advance(3700)
      const page = await login({ issuer: 'acme/own' })
      expect(pageRefusal(page)).toBe('502 provider_misconfigured')
      expect(page.text).toContain(words)
    }
    await row({ issuer: 'https://other.example' }, 'https://other.example')
    await row({ authorization_endpoint: undefined }, 'authorization_endpoint')
    await row({ token_endpoint: 'http://10.0.0.1/token' }, 'must use https')
    await row({ authorization_endpoint: 'https://gateway.test/x' }, 'own hosts')
    scriptOf('own').document = {}
    await setting.stack.advance(3700)
    expect((await begin('own')).code).toBeDefined()
  })

  it('is away: the last good discovery serves on; whoever never answered is unavailable', async () => {
    const { own } = setting.providers
    await begin('own')
    await own.stop()
    await setting.stack.advance(3700)
    const answer = await setting.stack.send({ host: GATEWAY_HOST, path: '/login?issuer=acme/own' })
    expect([answer.status, answer.headers.location?.startsWith(`${own.url}/authorize`)]).toEqual([303, true])
    // 24 h, as long as its keys would serve.
    await setting.stack.advance(86_400)
    expect(pageRefusal(await login({ issuer: 'acme/own' }))).toBe('503 provider_unavailable')
    await own.start()
    await setting.stack.advance(60)
  })
})

describe('claims that the id_token lacks', () => {
  it('are asked of UserInfo, and taken only where they are missing', async () => {
    scriptOf('code').idToken = { groups: undefined, given_name: undefined }
    const body = {
      sub: 'alice',
      groups: ['operators'],
      given_name: 'Alicia',
      family_name: 'X',
      email: 'x@y.example',
    }
    scriptOf('code').userInfo = { status: 200, body: { ...body, aud: 'x', iss: 'y', exp: 1 } }
    await signIn('code')
    expect(callsOf('code', '/userinfo')).toHaveLength(1)
    expect((await whoAmI(agent)).me).toMatchObject({
      displayName: 'Alicia Anders',
      email: 'alice@acme.example',
      groups: ['operators'],
    })
  })

  it('keep nobody out when they are names only', async () => {
    scriptOf('code').idToken = { given_name: undefined }
    scriptOf('code').userInfo = { status: 500, body: 'no' }
    expect((await signIn('code')).url).toBe(DONE)
  })

  const OVERAGE = { groups: undefined, _claim_names: { groups: 'src1' }, _claim_sources: { src1: {} } }

  it('too many groups: Microsoft Graph is asked for them', async () => {
    const { graph } = setting.providers
    scriptOf('graph').idToken = OVERAGE
    scriptOf('graph').graph = { status: 200, body: { value: ['operators', 'a-group'] } }
    expect((await signIn('graph')).url).toBe(DONE)
    expect((await whoAmI(agent)).me).toMatchObject({
      groups: ['operators', 'a-group'],
      groupsOutcome: 'listed',
    })
    const credentials = callsOf('graph', '/token')[1]?.form
    expect(Object.fromEntries(credentials ?? [])).toMatchObject({
      grant_type: 'client_credentials',
      scope: `${graph.url}/graph/.default`,
    })
    const asked = callsOf('graph', `/graph/v1.0/users/${OBJECT_ID}/getMemberObjects`)[0]
    expect(JSON.parse(asked?.body ?? '')).toEqual({ securityEnabledOnly: false })
    expect(asked?.headers.authorization).toMatch(/^Bearer /)
  })

  it.each([
    ['Graph does not answer', 'graph', { status: 403, body: {} }],
    [
      'Graph answers a part',
      'graph',
      { status: 200, body: { value: ['operators'], '@odata.nextLink': 'x' } },
    ],
    ['nobody may ask Graph', 'code', null],
  ] as const)('too many groups: an outcome of its own when %s', async (_, name, answer) => {
    scriptOf(name).idToken = OVERAGE
    scriptOf(name).graph = answer as never
    expect((await signIn(name)).url).toBe(DONE)
    expect((await whoAmI(agent)).me).toMatchObject({ groups: [], groupsOutcome: 'overage' })
  })
})

describe('several providers', () => {
  it('are offered on a page of links; the last choice is remembered [0-1] T12', async () => {
    const first = await login({ return_to: AFTERWARDS })
    expect(first.status).toBe(200)
    const links = (text: string) => [...text.matchAll(/<a href="([^"]+)"><span>/g)].map(([, href]) => href)
    expect(links(first.text)[0]).toBe('/login?return_to=%2Fhealthz&#38;issuer=code')
    expect(links(first.text)).not.toContain(expect.stringContaining('own'))
    expect(first.text).toContain('The &#60;first&#62; one')
    expect(first.text).not.toMatch(/<script|used last/)
    await signIn('form')
    forget('__Host-postern-session')
    const second = await login({ return_to: AFTERWARDS })
    expect(links(second.text)[0]).toBe('/login?return_to=%2Fhealthz&#38;issuer=form')
    expect(second.text).toContain('used last')
  })

  it('those of an organization are offered with it, and bounded by it', async () => {
    const { text } = await login({ organization: 'acme' })
    expect(text).toContain('issuer=acme%2Fown')
    scriptOf('own').person.groups = ['acme-admins', 'operators', 'web-readers']
    await signIn('own', { organization: 'acme' })
    const { me } = await whoAmI(agent)
    expect(me.voucher).toBe('acme')
    expect(JSON.stringify(me.roles)).toContain('ORG_OWNER')
    expect(JSON.stringify(me.roles)).not.toMatch(/GLOBAL_READ_ONLY|globex/)
  })

  it('an address leads to the one that has its domain, and is handed on', async () => {
    scriptOf('code').hold = true
    await login({ login_hint: 'alice@ACME.example' })
    expect(askedOf('code').login_hint).toBe('alice@ACME.example')
    const { text } = await login({ login_hint: 'somebody@elsewhere.example' })
    expect(text).toContain('Choose with whom')
  })

  it('one that is not offered', async () => {
    const page = await login({ issuer: 'nobody', return_to: AFTERWARDS })
    expect(pageRefusal(page)).toBe('404 provider_not_offered')
    expect(page.text).toContain('href="/login?return_to=%2Fhealthz"')
    // Trusted for tokens only.
    expect(pageRefusal(await login({ issuer: 'operators' }))).toBe('404 provider_not_offered')
    expect(pageRefusal(await login({ issuer: 'globex/own' }))).toBe('404 provider_not_offered')
  })

  it('an address may begin to sign in 60 times a minute', async () => {
    const headers = { 'cf-connecting-ip': '198.51.100.7' }
    const path = '/login?issuer=nobody'
    const statuses = []
    for (let count = 0; count < 70; count++) {
      statuses.push((await setting.stack.send({ host: GATEWAY_HOST, path, headers })).status)
    }
    expect(statuses.at(-1)).toBe(429)
    expect(statuses[0]).toBe(404)
  })
})

describe('claims are learned anew without the browser', () => {
  const renewed = async () => {
    await setting.stack.advance(3700)
    await whoAmI(agent)
  }

  it('behind a request after an hour: groups that have changed count', async () => {
    await signIn('code')
    expect((await whoAmI(agent)).me).toMatchObject({ groups: ['readers'] })
    scriptOf('code').person.groups = ['operators']
    await renewed()
    await expect.poll(async () => (await whoIsLeft()).me.groups, { timeout: 5000 }).toEqual(['operators'])
    expect(callsOf('code', '/token').map(({ form }) => form.get('grant_type'))).toEqual([
      'authorization_code',
      'refresh_token',
    ])
  })

  it('an outage ends nothing; a provider that no longer vouches ends the session', async () => {
    await signIn('code')
    scriptOf('code').token = { status: 500, body: 'no' }
    await renewed()
    await expect.poll(() => callsOf('code', '/token').length, { timeout: 5000 }).toBe(2)
    expect((await whoAmI(agent)).status).toBe(200)
    scriptOf('code').token = { status: 400, body: { error: 'invalid_grant' } }
    await renewed()
    await expect.poll(async () => (await whoIsLeft()).status, { timeout: 5000 }).toBe(401)
  })
})
