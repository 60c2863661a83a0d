// Tokens whose very text can be read in two ways, or is no token: refused before anything of it is believed.
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type RefusedToken, testRefusals } from '../support/refused.ts'
import { type Setting, startSetting } from '../support/setting.ts'
import { makeKey, signToken, usualClaims, usualHeader } from '../support/tokens.ts'

const key = makeKey('ES256')
let setting: Setting
beforeAll(async () => {
  setting = await startSetting({
    keys: [key],
    policy: (policy, { issuer }) => {
      policy.issuers.main = { issuer: issuer.url, headers: ['nonce'] }
    },
  })
})
afterAll(() => setting.close())

const good = () => setting.token()
const claims = () => ({ ...usualClaims(setting.issuer.url), groups: ['readers'] })
/** JSON text of the usual claims with more members written behind them. */
const claimsAnd = (members: string) => `${JSON.stringify(claims()).slice(0, -1)},${members}}`
const headerAnd = (members: string) => `${JSON.stringify(usualHeader(key)).slice(0, -1)},${members}}`
const withPayload = (payload: string | Uint8Array) => signToken({ header: usualHeader(key), payload, key })
const withHeader = (header: string | object) => signToken({ header, payload: claims(), key })
const replacePart = (token: string, index: number, change: (part: string) => string) =>
  token
    .split('.')
    .map((part, at) => (at === index ? change(part) : part))
    .join('.')

/** The same bytes with another last character: one whose surplus bits are not zero. */
function spellDifferently(part: string): string {
  const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_'
  const other = `${part.slice(0, -1)}${alphabet[alphabet.indexOf(part.at(-1) as string) + 1]}`
  if (!Buffer.from(other, 'base64url').equals(Buffer.from(part, 'base64url'))) throw new Error('other bytes')
  return other
}
/** A payload of whole groups of three bytes has no surplus bits; this one has. */
const surplusClaims = () => {
  const text = JSON.stringify(claims())
  return text.length % 3 === 0 ? `${text} ` : text
}

const malformed: RefusedToken[] = [
  { attack: 'too-large', token: () => setting.token({ pad: 'x'.repeat(12_300) }), reason: 'token_too_large' },
  { attack: 'truncated: signature gone', token: () => good().split('.').slice(0, 2).join('.') },
  { attack: 'truncated: signature empty', token: () => replacePart(good(), 2, () => '') },
  { attack: 'truncated: last character cut', token: () => good().slice(0, -1) },
  { attack: 'truncated: payload cut', token: () => replacePart(good(), 1, (part) => part.slice(0, -8)) },
  { attack: 'one part only', token: () => good().replaceAll('.', '') },
  { attack: 'extra part', token: () => `${good()}.AAAA`, detail: /has 4 parts/ },
  { attack: 'JWE five parts', token: () => `${good()}.AAAA.AAAA`, detail: /encrypt/ },
  { attack: 'header empty', token: () => replacePart(good(), 0, () => '') },
  { attack: 'header an array', token: () => withHeader('[]'), detail: /header is not a JSON object/ },
  { attack: 'header null', token: () => withHeader('null') },
  { attack: 'header not JSON', token: () => withHeader('{"alg":"ES256"') },
  { attack: 'payload an array', token: () => withPayload(JSON.stringify([claims()])) },
  { attack: 'payload a string', token: () => withPayload('"alice"') },
  { attack: 'payload null', token: () => withPayload('null') },
  { attack: 'payload not JSON', token: () => withPayload('sub=alice') },
  { attack: 'payload with a comment', token: () => withPayload(`${JSON.stringify(claims())}//`) },
  { attack: 'payload with a byte order mark', token: () => withPayload(`\ufeff${JSON.stringify(claims())}`) },
  {
    attack: 'invalid UTF-8 in the payload',
    token: () => withPayload(Buffer.from(claimsAnd('"name":"\xff"'), 'latin1')),
    detail: /UTF-8/,
  },
  {
    attack: 'overlong UTF-8 in the payload',
    token: () => withPayload(Buffer.from(claimsAnd('"name":"\xc0\xaf"'), 'latin1')),
  },
].map((row) => ({ reason: 'token_malformed', ...row }))

const nonCanonicalBase64: RefusedToken[] = [
  { attack: 'trailing bits in the signature', token: () => replacePart(good(), 2, spellDifferently) },
  {
    attack: 'trailing bits in the payload',
    token: () => replacePart(withPayload(surplusClaims()), 1, spellDifferently),
  },
  { attack: 'padding on the signature', token: () => `${good()}==` },
  { attack: 'padding on the payload', token: () => replacePart(good(), 1, (part) => `${part}=`) },
  { attack: '+ in the signature', token: () => replacePart(good(), 2, (part) => `+${part.slice(1)}`) },
  { attack: '/ in the signature', token: () => replacePart(good(), 2, (part) => `/${part.slice(1)}`) },
  { attack: 'percent-encoding', token: () => replacePart(good(), 1, (part) => `%65${part.slice(1)}`) },
  {
    attack: 'the alphabet of plain base64 in the header',
    token: () => replacePart(good(), 0, () => Buffer.from('{"kid":"???>>>"}').toString('base64')),
  },
].map((row) => ({ reason: 'token_malformed', detail: /base64url/, ...row }))

const ambiguous: RefusedToken[] = [
  { attack: 'alg twice in the header', token: () => withHeader(headerAnd('"alg":"ES256"')) },
  { attack: 'kid twice in the header', token: () => withHeader(headerAnd('"kid":"other"')) },
  { attack: 'iss twice', token: () => withPayload(claimsAnd('"iss":"https://other.example"')) },
  { attack: 'iss twice, once spelled \\u0069ss', token: () => withPayload(claimsAnd('"\\u0069ss":"x"')) },
  { attack: 'groups twice with the same value', token: () => withPayload(claimsAnd('"groups":["readers"]')) },
  { attack: 'a nested member twice', token: () => withPayload(claimsAnd('"realm":{"a":1,"a":1}')) },
  { attack: 'a member twice in a list', token: () => withPayload(claimsAnd('"list":[[{"a":1,"a":2}]]')) },
  { attack: '__proto__ twice', token: () => withPayload(claimsAnd('"__proto__":1,"__proto__":{}')) },
  { attack: 'an empty name twice', token: () => withPayload(claimsAnd('"":1,"":2')) },
  {
    attack: 'a name of escaped quotes twice',
    token: () => withPayload(claimsAnd('"\\":\\"":1,"\\":\\"":2')),
  },
].map((row) => ({ reason: 'token_ambiguous', detail: /twice/, ...row }))

const nested = (depth: number, value = '1') => `"deep":${'['.repeat(depth)}${value}${']'.repeat(depth)}`
const tooDeep: RefusedToken[] = [
  { attack: 'lists', token: () => withPayload(claimsAnd(nested(16))) },
  { attack: 'objects', token: () => withPayload(claimsAnd(`"a":${'{"a":'.repeat(16)}1${'}'.repeat(16)}`)) },
  { attack: 'as deep as a token is long', token: () => withPayload(claimsAnd(nested(5500))) },
].map((row) => ({ reason: 'token_ambiguous', detail: /nested/, ...row }))

const headers: RefusedToken[] = [
  { attack: 'crit-unknown', token: () => setting.token({}, { crit: ['exp'], exp: 1 }), check: 'crit' },
  { attack: 'crit empty', token: () => setting.token({}, { crit: [] }), check: 'crit' },
  { attack: 'b64-false', token: () => setting.token({}, { crit: ['b64'], b64: false }) },
  { attack: 'b64-false without crit', token: () => setting.token({}, { b64: false }), check: 'b64' },
  { attack: 'jwk-in-header', token: () => setting.token({}, { jwk: makeKey('ES256').jwk }), check: 'jwk' },
  { attack: 'jku-in-header', token: () => setting.token({}, { jku: `${setting.issuer.url}/jwks` }) },
  { attack: 'x5u-in-header', token: () => setting.token({}, { x5u: 'https://attacker.example/c.pem' }) },
  { attack: 'x5c-in-header', token: () => setting.token({}, { x5c: ['MIIB'] }), check: 'x5c' },
  { attack: 'zip', token: () => setting.token({}, { zip: 'DEF' }), check: 'zip' },
  { attack: 'cty of a nested token', token: () => setting.token({}, { cty: 'JWT' }), check: 'cty' },
  { attack: 'unknown-header-parameter', token: () => setting.token({}, { tenant: 'a' }), check: 'tenant' },
  { attack: '__proto__ as a parameter', token: () => withHeader(headerAnd('"__proto__":{"alg":"none"}')) },
].map((row) => ({ reason: 'header_not_allowed', ...row }))

const notStrings: RefusedToken[] = [
  { attack: 'kid a number', token: () => setting.token({}, { kid: 1 }), reason: 'token_malformed' },
  { attack: 'kid a list', token: () => setting.token({}, { kid: [key.kid] }), reason: 'token_malformed' },
  { attack: 'alg a list', token: () => setting.token({}, { alg: ['ES256'] }), reason: 'token_malformed' },
  { attack: 'typ an object', token: () => setting.token({}, { typ: { a: 1 } }), reason: 'token_malformed' },
]

describe('not a signed JWT', () => testRefusals(malformed, () => setting))
describe('non-canonical-base64', () => testRefusals(nonCanonicalBase64, () => setting))
describe('duplicate-json-member', () => testRefusals(ambiguous, () => setting))
describe('nested-too-deep', () => testRefusals(tooDeep, () => setting))
describe('header parameters', () => testRefusals(headers, () => setting))
describe('header parameters that are no strings', () => testRefusals(notStrings, () => setting))

describe('what only looks wrong passes', () => {
  it.each([
    ['16 KiB', () => setting.token({ pad: 'x'.repeat(11_800) })],
    ['colons and escaped quotes within strings', () => setting.token({ 'a:"b\\': 'c":"d\\\\":', e: '\\"' })],
    ['the same name in two objects', () => setting.token({ a: { sub: 1 }, b: [{ sub: 2 }, { sub: 3 }] })],
    ['nested as deep as may be', () => withPayload(claimsAnd(nested(15)))],
    ['white space in the JSON', () => withPayload(` ${JSON.stringify(claims(), null, 2)}\n`)],
    ['x5t and x5t#S256', () => setting.token({}, { x5t: 'AAAA', 'x5t#S256': 'BBBB' })],
    ['a header parameter that the issuer may use', () => setting.token({}, { nonce: 'n' })],
    ['no typ', () => setting.token({}, { typ: undefined })],
    ['typ in other letters and with its prefix', () => setting.token({}, { typ: 'application/AT+JWT' })],
  ])('%s', async (_name, make) => {
    const token = make()
    expect(token.length).toBeLessThanOrEqual(16 * 1024)
    const answer = await setting.get(token)
    expect(answer.text).toBe('the upstream answers')
    expect(setting.upstream.take()).toHaveLength(1)
  })
})

it('16 KiB are read, and not one byte more', async () => {
  const reasonOf = async (bytes: number) => {
    const { text } = await setting.get(`${'A'.repeat(bytes - 4)}.A.A`)
    return JSON.parse(text).reason
  }
  expect(await reasonOf(16 * 1024)).toBe('token_malformed')
  expect(await reasonOf(16 * 1024 + 1)).toBe('token_too_large')
})
