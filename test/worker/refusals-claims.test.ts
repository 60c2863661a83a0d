// Tokens with a good signature that are meant for somebody else, for another time or another use ([1-21], [1-23]).
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { expectRefused, type ProblemJson, type RefusedToken, testRefusals } from '../support/refused.ts'
import { PAYMENTS, type Setting, startSetting, WEB } from '../support/setting.ts'
import { nowSeconds } from '../support/time.ts'
import { makeKey, mintToken, signToken, usualClaims, usualHeader } from '../support/tokens.ts'
import { UPSTREAM_TEXT } from '../support/upstream.ts'

const key = makeKey('ES256')
const jwks = { keys: [key.jwk] }
/** Issuers that differ in one setting. */
const PARTIES = 'https://parties.idp.test'
const AUDIENCES = 'https://audiences.idp.test'
const AGED = 'https://aged.idp.test'
const STRICT = 'https://strict.idp.test'
const NESTED = 'https://nested.idp.test'
const GATED = 'https://gated.idp.test'

let setting: Setting
beforeAll(async () => {
  setting = await startSetting({
    keys: [key],
    policy: ({ issuers }) => {
      issuers.parties = { issuer: PARTIES, jwks, authorizedParties: ['console', 'cli'] }
      issuers.audiences = { issuer: AUDIENCES, jwks, audiences: ['https://api.example', 'postern-eu'] }
      issuers.aged = { issuer: AGED, jwks, maxTokenAgeSeconds: 600, leewaySeconds: 30 }
      issuers.strict = { issuer: STRICT, jwks, leewaySeconds: 0, types: ['at+jwt'] }
      issuers.gated = { issuer: GATED, jwks, claims: { access: 'access' } }
      issuers.nested = { issuer: NESTED, jwks, claims: { subject: 'https://example.com/id' } }
    },
  })
})
afterAll(() => setting.close())

const token = (claims: object, header?: object) => () => setting.token(claims, header)
const from = (iss: string, claims: object, header?: object) => () =>
  mintToken(iss, key, { groups: ['readers'], ...claims }, header)
/** For times that JSON can write and numbers cannot hold. */
const written = (members: string) => () => {
  const { exp: _exp, ...claims } = usualClaims(setting.issuer.url)
  return signToken({
    header: usualHeader(key),
    payload: `${JSON.stringify(claims).slice(0, -1)},"groups":["readers"],${members}}`,
    key,
  })
}
/** Seconds from now; a function, since the table is made before the tests run. */
const times = (offsets: Record<string, number>, iss?: string) => () => {
  const claims = Object.fromEntries(Object.entries(offsets).map(([name, by]) => [name, nowSeconds() + by]))
  return iss === undefined ? setting.token(claims) : from(iss, claims)()
}

const strictlyExpired = () => from(STRICT, { exp: nowSeconds() - 1 }, { typ: 'at+jwt' })()

const audienceMismatch = { reason: 'audience_mismatch', check: 'aud' }
const audiences: RefusedToken[] = [
  {
    attack: 'invalid-aud',
    token: token({ aud: 'wandb' }),
    ...audienceMismatch,
    detail: /"wandb"; accepted here: "postern", "acme"/,
  },
  { attack: 'invalid-aud: another organization', token: token({ aud: 'globex' }), ...audienceMismatch },
  { attack: 'invalid-aud: other letters', token: token({ aud: 'Postern' }), ...audienceMismatch },
  { attack: 'invalid-aud: ours is its beginning', token: token({ aud: 'postern-dev' }), ...audienceMismatch },
  { attack: 'invalid-aud: a list in a string', token: token({ aud: 'postern,acme' }), ...audienceMismatch },
  { attack: 'invalid-aud: an array of others', token: token({ aud: ['a', 'b'] }), ...audienceMismatch },
  { attack: 'invalid-aud: ours one level deeper', token: token({ aud: [['postern']] }), ...audienceMismatch },
  { attack: 'aud an empty array', token: token({ aud: [] }), ...audienceMismatch },
  { attack: 'aud an object', token: token({ aud: { 0: 'postern', length: 1 } }), ...audienceMismatch },
  { attack: 'aud-absent', token: token({ aud: undefined }), ...audienceMismatch, detail: /no "aud" claim/ },
  { attack: 'aud null', token: token({ aud: null }), ...audienceMismatch },
  {
    attack: 'aud the default where the issuer lists its own',
    token: from(AUDIENCES, {}),
    ...audienceMismatch,
  },
  {
    attack: "aud the organization's where the issuer lists its own",
    token: from(AUDIENCES, { aud: 'acme' }),
    ...audienceMismatch,
  },
]

const azp = { reason: 'authorized_party_mismatch', check: 'azp' }
const parties: RefusedToken[] = [
  { attack: 'aud-array-without-azp', token: token({ aud: ['postern', 'other'] }), ...azp },
  {
    attack: 'aud-array with azp of another',
    token: token({ aud: ['postern', 'other'], azp: 'other' }),
    ...azp,
  },
  {
    attack: 'aud-array with azp an array',
    token: token({ aud: ['postern', 'o'], azp: ['postern'] }),
    ...azp,
  },
  { attack: 'azp-of-another', token: from(PARTIES, { azp: 'other' }), ...azp, detail: /"other"/ },
  { attack: 'azp a number', token: from(PARTIES, { azp: 7 }), ...azp },
  {
    attack: 'aud-array with azp ours, not listed',
    token: from(PARTIES, { aud: ['postern', 'x'], azp: 'postern' }),
    ...azp,
  },
]

const lifetime: RefusedToken[] = [
  { attack: '[1-23] expired', token: times({ exp: -61 }), reason: 'token_expired', check: 'exp' },
  { attack: '[1-23] expired this second', token: times({ exp: -60 }), reason: 'token_expired', check: 'exp' },
  {
    attack: 'expired without leeway',
    token: strictlyExpired,
    reason: 'token_expired',
    check: 'exp',
  },
  { attack: 'exp 0', token: token({ exp: 0 }), reason: 'token_expired', check: 'exp' },
  { attack: 'exp negative', token: token({ exp: -1 }), reason: 'token_expired', check: 'exp' },
  { attack: 'exp-missing', token: token({ exp: undefined }), reason: 'claim_missing', check: 'exp' },
  { attack: 'exp-a-string', token: token({ exp: '9999999999' }), reason: 'claim_invalid', check: 'exp' },
  { attack: 'exp null', token: token({ exp: null }), reason: 'claim_invalid', check: 'exp' },
  { attack: 'exp a list', token: token({ exp: [9_999_999_999] }), reason: 'claim_invalid', check: 'exp' },
  { attack: 'exp 1e999', token: written('"exp":1e999'), reason: 'claim_invalid', check: 'exp' },
  { attack: 'not-yet-valid', token: times({ nbf: 65 }), reason: 'token_not_yet_valid', check: 'nbf' },
  { attack: 'nbf a string', token: token({ nbf: '0' }), reason: 'claim_invalid', check: 'nbf' },
  { attack: 'iat-in-future', token: times({ iat: 65 }), reason: 'token_issued_in_future', check: 'iat' },
  { attack: 'iat a string', token: token({ iat: 'now' }), reason: 'claim_invalid', check: 'iat' },
  { attack: 'too-old', token: times({ iat: -631 }, AGED), reason: 'token_too_old', check: 'iat' },
  {
    attack: 'too-old where iat is missing',
    token: from(AGED, { iat: undefined }),
    reason: 'claim_missing',
    check: 'iat',
  },
]

const subjects: RefusedToken[] = [
  {
    attack: '[3-7] access-gate-closed',
    token: from(GATED, { access: 'false' }),
    reason: 'access_denied',
    status: 403,
    check: 'access',
  },
  { attack: 'subject missing', token: token({ sub: undefined }), reason: 'claim_missing', check: 'sub' },
  { attack: 'subject empty', token: token({ sub: '' }), reason: 'claim_invalid', check: 'sub' },
  {
    attack: 'subject too long',
    token: token({ sub: 'a'.repeat(1025) }),
    reason: 'claim_invalid',
    check: 'sub',
  },
  { attack: 'subject a number', token: token({ sub: 1 }), reason: 'claim_invalid', check: 'sub' },
  {
    attack: 'subject half a character',
    token: token({ sub: 'a\ud800' }),
    reason: 'claim_invalid',
    check: 'sub',
  },
  { attack: 'subject a list', token: token({ sub: ['alice'] }), reason: 'claim_invalid', check: 'sub' },
  {
    attack: 'subject in sub where the issuer names another claim',
    token: from(NESTED, {}),
    reason: 'claim_missing',
  },
]

const logout = { 'http://schemas.openid.net/event/backchannel-logout': {} }
const kinds: RefusedToken[] = [
  {
    attack: 'logout-token-as-bearer',
    token: token({ events: logout }, { typ: 'logout+jwt' }),
    reason: 'kind_not_allowed',
    check: 'typ',
  },
  {
    attack: 'logout-token-as-bearer in other letters',
    token: token({}, { typ: 'Application/LOGOUT+jwt' }),
    reason: 'kind_not_allowed',
    check: 'typ',
  },
  {
    attack: 'logout-token-as-bearer without its typ',
    token: token({ events: logout }),
    reason: 'kind_not_allowed',
    check: 'events',
  },
  { attack: 'events null', token: token({ events: null }), reason: 'kind_not_allowed', check: 'events' },
  {
    attack: 'typ of our assertions',
    token: token({}, { typ: 'postern-assertion+jwt' }),
    reason: 'kind_not_allowed',
    check: 'typ',
  },
  {
    attack: 'typ secevent+jwt',
    token: token({}, { typ: 'secevent+jwt' }),
    reason: 'type_not_allowed',
    check: 'typ',
  },
  { attack: 'typ dpop+jwt', token: token({}, { typ: 'dpop+jwt' }), reason: 'type_not_allowed', check: 'typ' },
  {
    attack: 'typ JWT where the issuer allows at+jwt',
    token: from(STRICT, {}),
    reason: 'type_not_allowed',
    check: 'typ',
  },
]

describe('[1-21] audience', () => testRefusals(audiences, () => setting))
describe('authorized party', () => testRefusals(parties, () => setting))
describe('lifetime', () => testRefusals(lifetime, () => setting))
describe('subject', () => testRefusals(subjects, () => setting))
describe('kind of token', () => testRefusals(kinds, () => setting))

it('upstream-assertion-as-bearer is refused: kind_not_allowed', async () => {
  const { get, upstream } = setting
  await get(setting.token())
  const token = upstream.takeOnly().headers['x-postern-assertion'] as string
  expectRefused(await get(token), upstream, { status: 401, reason: 'kind_not_allowed', check: 'typ', token })
})

it('what a token says cannot break out of the answer', async () => {
  const aud = 'a", error="none"\r\nSet-Cookie: a=b\r\n\r\n<script>\\\u0000\u2028é'
  const token = setting.token({ aud })
  const answer = await setting.get(token)
  const { detail } = expectRefused(answer, setting.upstream, { status: 401, ...audienceMismatch, token })
  expect(answer.headers['set-cookie']).toBeUndefined()
  expect(answer.headers['x-content-type-options']).toBe('nosniff')
  expect(detail).not.toMatch(/[\r\n\0\u2028\\]/)
  const long = await setting.get(setting.token({ aud: 'x'.repeat(9000) }))
  expect(long.text.length).toBeLessThan(2000)
})

describe('what is within the rules passes', () => {
  it.each<[string, () => string]>([
    ["[1-21] aud the organization's name", token({ aud: 'acme' })],
    ['aud an array of one', token({ aud: ['postern'] })],
    ['aud-array-with-azp', token({ aud: ['postern', 'other'], azp: 'postern' })],
    ['aud-array with a listed azp', from(PARTIES, { aud: ['other', 'postern'], azp: 'cli' })],
    ['no azp with one audience, though parties are listed', from(PARTIES, {})],
    ['azp of anybody with one audience and no parties listed', token({ azp: 'client-7' })],
    ['aud of the list of the issuer', from(AUDIENCES, { aud: 'postern-eu' })],
    ['[1-23] expired within the leeway', times({ exp: -55 })],
    ['nbf within the leeway', times({ nbf: 55 })],
    ['iat within the leeway', times({ iat: 55 })],
    ['no iat and no nbf', token({ iat: undefined, nbf: undefined })],
    ['fractions of seconds', written(`"exp":${nowSeconds() + 300}.75`)],
    ['as old as may be, and the leeway', times({ iat: -625 }, AGED)],
    ['a subject as long as may be', token({ sub: 'a'.repeat(1024) })],
    ['a subject in a claim named by a URL', from(NESTED, { 'https://example.com/id': 'alice' })],
    ['the typ the issuer lists', from(STRICT, {}, { typ: 'at+jwt' })],
  ])('%s', async (_name, make) => {
    const answer = await setting.get(make())
    expect(answer.text).toBe(UPSTREAM_TEXT)
    expect(setting.upstream.take()).toHaveLength(1)
  })
})

it('[1-21] aud of one organization counts in no other, also for a token that passed at its own', async () => {
  const { get, upstream } = setting
  const groups = ['readers', 'web-readers']
  const both = setting.token({ groups })
  const acme = setting.token({ groups, aud: 'acme' })
  const paths = [PAYMENTS, WEB, '/whoami', PAYMENTS]
  const statuses = async (bearer: string) => {
    const answers = []
    for (const path of paths) answers.push((await get(bearer, { path })).status)
    return answers
  }
  expect(await statuses(both)).toEqual([200, 200, 200, 200])
  expect(await statuses(acme)).toEqual([200, 401, 401, 200])
  upstream.take()
})

describe('[1-23] an answer about times has the time of the token, ours, and the difference', () => {
  const cases: [string, () => string, number][] = [
    ['exp', times({ exp: -90 }), -90],
    ['nbf', times({ nbf: 120 }), 120],
    ['iat', times({ iat: 180 }), 180],
  ]
  it.each(cases)('%s', async (claim, make, difference) => {
    const now = nowSeconds()
    const { check, times, detail } = JSON.parse((await setting.get(make())).text) as ProblemJson
    expect(check).toBe(claim)
    const shown = times as Record<string, number>
    expect(Math.abs((shown.now as number) - now)).toBeLessThanOrEqual(1)
    expect(Math.abs((shown.token as number) - now - difference)).toBeLessThanOrEqual(1)
    expect(shown.differenceSeconds).toBe((shown.token as number) - (shown.now as number))
    expect(shown.leewaySeconds).toBe(60)
    expect(detail).toContain(`${Math.abs(shown.differenceSeconds as number)} s`)
  })
})

it('[1-23] a token that passed is refused as soon as it has expired', async () => {
  const { get, stack, upstream } = setting
  const bearer = setting.token()
  expect((await get(bearer)).status).toBe(200)
  await stack.advance(359)
  expect((await get(bearer)).status).toBe(200)
  await stack.advance(2)
  const answer = await get(bearer)
  expect([answer.status, JSON.parse(answer.text).reason]).toEqual([401, 'token_expired'])
  upstream.take()
})
