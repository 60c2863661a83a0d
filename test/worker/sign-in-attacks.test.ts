// Signing in against a provider, a stranger or a browser that does what it should not: a row for each attack, named as the
// attack, with its status and reason. In none of them does the browser get a session.
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { halfHash } from '../support/provider.ts'
import {
  AFTERWARDS,
  addressOf,
  beginSignIn,
  CALLBACK,
  CLIENT,
  carry,
  cookieOf,
  hasSession,
  type ProviderName,
  pageRefusal,
  type ScriptedSetting,
  startScriptedSetting,
} from '../support/scripted-sign-in.ts'
import { GATEWAY_HOST, GATEWAY_ORIGIN } from '../support/stack.ts'
import { makeKey, mintToken } from '../support/tokens.ts'
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

const begin = (name: ProviderName, by = agent) => beginSignIn(setting, by, name)
const deliver = (name: ProviderName, parameters: Record<string, string>, by = agent) => {
  return carry(setting, by, name, parameters)
}
/** One sign-in from the beginning to its answer, with what the provider's script says. */
const signIn = async (name: ProviderName, by = agent) => deliver(name, await begin(name, by), by)
const scriptOf = (name: ProviderName) => setting.providers[name].script
const dropSession = (by = agent) => by.setCookie(GATEWAY_HOST, '__Host-postern-session=; Path=/; Max-Age=0')

describe('the state of a sign-in', () => {
  it('state-reuse: an answer counts once [0-4] [0-3]', async () => {
    for (const name of ['code', 'form'] as const) {
      const answer = await begin(name)
      expect((await deliver(name, answer)).url).toBe(GATEWAY_ORIGIN + AFTERWARDS)
      dropSession()
      expect(pageRefusal(await deliver(name, answer))).toBe('400 attempt_used')
      expect(hasSession(agent)).toBe(false)
    }
  })

  it('state-reuse: two copies at the same moment make one session', async () => {
    const answer = await begin('code')
    const both = await Promise.all([deliver('code', answer), deliver('code', answer)])
    const statuses = both.map(({ hops }) => hops[0]?.status).sort()
    expect(statuses).toEqual([303, 400])
  })

  it.each(['code', 'form'] as const)('state-of-another-browser (%s)', async (name) => {
    const answer = await begin(name)
    const other = setting.browser()
    expect(pageRefusal(await deliver(name, answer, other))).toBe('400 attempt_unknown')
    expect(hasSession(other)).toBe(false)
  })

  it.each(['code', 'form'] as const)(
    'login-csrf: a stranger’s answer while one’s own is open (%s)',
    async (name) => {
      const stranger = setting.browser()
      const strangers = await begin(name, stranger)
      const own = await begin(name)
      const mixed = { ...strangers, state: own.state as string }
      expect(pageRefusal(await deliver(name, strangers))).toBe('400 attempt_unknown')
      // With the victim's own state, the stranger's code or id_token still belongs to another sign-in.
      expect(pageRefusal(await deliver(name, mixed))).toBe(
        name === 'code' ? '400 attempt_used' : '400 nonce_mismatch',
      )
      expect(hasSession(agent)).toBe(false)
    },
  )

  it('a sealed attempt that was tampered with, or put into another slot, is none', async () => {
    const answer = await begin('code')
    const sealed = cookieOf(agent, '__Host-postern-attempt-0') as string
    const put = (slot: number, value: string) => {
      agent.setCookie(GATEWAY_HOST, `__Host-postern-attempt-${slot}=${value}; Path=/; Secure; SameSite=None`)
    }
    put(0, `${sealed.slice(0, 40)}${sealed[40] === 'A' ? 'B' : 'A'}${sealed.slice(41)}`)
    expect(pageRefusal(await deliver('code', answer))).toBe('400 attempt_unknown')
    put(1, sealed)
    const moved = { ...answer, state: `1${answer.state?.slice(1)}` }
    expect(pageRefusal(await deliver('code', moved))).toBe('400 attempt_unknown')
  })

  it.each([
    ['none', { code: 'x' }, '400 response_malformed'],
    ['none, with an error that a stranger wrote', { error: 'call 555-0100' }, '400 response_malformed'],
    ['no state of ours', { code: 'x', state: '9.x' }, '400 attempt_unknown'],
  ])('state: %s', async (_, parameters, expected) => {
    const answer = await deliver('code', parameters as unknown as Record<string, string>)
    expect(pageRefusal(answer)).toBe(expected)
  })
})

describe('the code', () => {
  it('code-replay: a code that was used is refused by the provider, and signs in nobody', async () => {
    const first = await begin('code')
    await deliver('code', first)
    dropSession()
    const second = await begin('code')
    const replayed = { ...second, code: first.code as string }
    expect(pageRefusal(await deliver('code', replayed))).toBe('400 attempt_used')
    expect(hasSession(agent)).toBe(false)
  })

  it('PKCE-downgrade: S256 whatever discovery says, and a code without it is of no use [0-17]', async () => {
    // The document is read once and kept: this provider's was never read before.
    setting.providers.graph.script.document = { code_challenge_methods_supported: ['plain'] }
    await begin('graph')
    const asked = setting.providers.graph.asked[0] as URLSearchParams
    expect(asked.get('code_challenge_method')).toBe('S256')
    expect(asked.get('code_challenge')).toMatch(/^[\w-]{43}$/)
    // A code that somebody got without a challenge is injected.
    const answer = await begin('code')
    const withoutChallenge = new URL(`${setting.providers.code.url}/authorize`)
    withoutChallenge.search = String(
      new URLSearchParams({ client_id: CLIENT, redirect_uri: CALLBACK, response_type: 'code' }),
    )
    await fetch(withoutChallenge, { redirect: 'manual' })
    const injected = setting.providers.code.answered?.parameters.code as string
    expect(pageRefusal(await deliver('code', { ...answer, code: injected }))).toBe('400 attempt_used')
  })

  it('redirect_uri-by-Host-header: it is the configured origin, whatever the request says [0-14] [4-11]', async () => {
    const headers = {
      'x-forwarded-host': 'evil.test',
      forwarded: 'host=evil.test',
      'x-forwarded-proto': 'http',
    }
    setting.providers.code.script.hold = true
    await agent.visit(`${GATEWAY_ORIGIN}/login?issuer=code`, { headers })
    expect(setting.providers.code.asked[0]?.get('redirect_uri')).toBe(CALLBACK)
    const elsewhere = await setting.stack.send({ host: 'evil.test', path: '/login?issuer=code' })
    expect([elsewhere.status, JSON.parse(elsewhere.text).reason]).toEqual([404, 'host_unknown'])
  })

  it('an id_token in the place of the code is not taken, nor a code in that of an id_token', async () => {
    const { state, iss } = (await begin('code')) as { state: string; iss: string }
    const idToken = mintToken(iss, setting.providers.code.keys[0] as never, { aud: CLIENT, nonce: 'x' })
    expect(pageRefusal(await deliver('code', { state, iss, id_token: idToken }))).toBe(
      '400 response_malformed',
    )
    const form = await begin('form')
    const { id_token: _, ...without } = form
    expect(pageRefusal(await deliver('form', { ...without, code: 'x' }))).toBe('400 response_malformed')
  })
})

describe('who answers', () => {
  it.each([
    ['another issuer’s', () => setting.providers.form.url],
    ['none, where the provider always says it', () => undefined],
  ])('mix-up (iss): %s', async (_, iss) => {
    scriptOf('code').response = { iss: iss() }
    expect(pageRefusal(await signIn('code'))).toBe('400 response_issuer_mismatch')
    expect(setting.providers.code.calls).toEqual([])
    expect(hasSession(agent)).toBe(false)
  })

  it('mix-up (iss): an error of somebody else is not believed, either', async () => {
    scriptOf('code').response = { iss: 'https://evil.example', error: 'access_denied', code: undefined }
    expect(pageRefusal(await signIn('code'))).toBe('400 response_issuer_mismatch')
  })

  it('an id_token of an organization’s issuer signs in nobody at the instance’s', async () => {
    const { own, form } = setting.providers
    const answer = await begin('form')
    const nonce = form.asked[0]?.get('nonce')
    const idToken = mintToken(own.url, own.keys[0] as never, { aud: CLIENT, nonce, ...own.script.person })
    const given = { ...answer, id_token: idToken }
    expect(pageRefusal(await deliver('form', given))).toBe('400 response_issuer_mismatch')
  })
})

/** Each in both flows: the id_token is judged in one place. */
describe.each(['code', 'form'] as const)('the id_token (%s)', (name) => {
  it.each<[string, object, string]>([
    ['nonce-mismatch', { nonce: 'of another sign-in' }, '400 nonce_mismatch'],
    ['nonce-mismatch: none', { nonce: undefined }, '400 nonce_mismatch'],
    ['id_token-for-another-client', { aud: 'another-client' }, '401 audience_mismatch'],
    ['id_token-for-another-client: in a list', { aud: ['another', 'third'] }, '401 audience_mismatch'],
    ['id_token-for-another-client: azp', { azp: 'another-client' }, '401 authorized_party_mismatch'],
    ['id_token-for-another-client: several, no azp', { aud: [CLIENT, 'x'] }, '401 authorized_party_mismatch'],
    ['another issuer', { iss: 'https://evil.example' }, '400 response_issuer_mismatch'],
    ['expired', { exp: 1 }, '401 token_expired'],
    ['of the future', { iat: 9_999_999_999 }, '401 token_issued_in_future'],
    ['no iat', { iat: undefined }, '401 claim_missing'],
    ['no sub', { sub: undefined }, '401 claim_invalid'],
    ['a logout token', { events: {} }, '401 kind_not_allowed'],
  ])('%s', async (_, claims, expected) => {
    scriptOf(name).idToken = claims as Record<string, unknown>
    expect(pageRefusal(await signIn(name))).toBe(expected)
    expect(hasSession(agent)).toBe(false)
  })

  it.each<[string, object, string]>([
    ['an access token', { typ: 'at+jwt' }, '401 type_not_allowed'],
    ['a client assertion of ours', { typ: 'client-authentication+jwt' }, '401 kind_not_allowed'],
    ['unsigned', { alg: 'none' }, '401 algorithm_not_allowed'],
    ['by the client secret', { alg: 'HS256' }, '401 algorithm_not_allowed'],
    ['with a key of its own', { jwk: {} }, '401 header_not_allowed'],
  ])('%s', async (_, header, expected) => {
    scriptOf(name).idTokenHeader = header as Record<string, unknown>
    expect(pageRefusal(await signIn(name))).toBe(expected)
    expect(hasSession(agent)).toBe(false)
  })

  it('signed with a key that the provider has not', async () => {
    const { kid } = setting.providers[name].keys[0] as { kid: string }
    scriptOf(name).idTokenKey = makeKey('ES256', { kid })
    expect(pageRefusal(await signIn(name))).toBe('401 signature_invalid')
    expect(hasSession(agent)).toBe(false)
  })
})

describe('what comes with the id_token', () => {
  it.each(['at_hash', 'c_hash'])('%s-mismatch', async (claim) => {
    scriptOf('code').idToken = { [claim]: halfHash('of something else') }
    expect(pageRefusal(await signIn('code'))).toBe('400 hash_mismatch')
    expect(hasSession(agent)).toBe(false)
  })

  it('UserInfo of another subject [0-6]', async () => {
    scriptOf('code').idToken = { groups: undefined }
    scriptOf('code').userInfo = { status: 200, body: { sub: 'mallory', groups: ['operators'] } }
    expect(pageRefusal(await signIn('code'))).toBe('400 subject_mismatch')
    expect(hasSession(agent)).toBe(false)
  })

  it('a gate that UserInfo would have to open stays shut when it does not answer', async () => {
    scriptOf('code').idToken = { member: undefined }
    scriptOf('code').userInfo = { status: 500, body: 'no' }
    expect(pageRefusal(await signIn('code'))).toBe('503 provider_unavailable')
    scriptOf('code').userInfo = { status: 200, body: { sub: 'alice' } }
    expect(pageRefusal(await signIn('code'))).toBe('403 access_denied')
    expect(hasSession(agent)).toBe(false)
  })
})

describe('the form that the provider’s page posts', () => {
  it.each([
    ['multipart/form-data; boundary=x', '415 media_type_not_supported'],
    ['text/plain', '415 media_type_not_supported'],
    ['application/json', '415 media_type_not_supported'],
  ])('as %s', async (type, expected) => {
    const { text, status } = await setting.stack.send({
      host: GATEWAY_HOST,
      path: '/oidc/callback',
      method: 'POST',
      headers: { 'content-type': type, accept: 'text/html', ...addressOf(agent) },
      body: 'state=x&id_token=y',
    })
    expect(pageRefusal({ text, status } as never)).toBe(expected)
  })

  it('larger than any answer', async () => {
    const answer = await carry(setting, agent, 'form', { state: 'x'.repeat(70_000) })
    expect(pageRefusal(answer)).toBe('413 body_too_large')
  })
})
