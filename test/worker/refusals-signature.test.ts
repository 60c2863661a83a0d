// Tokens signed with the wrong key, with the wrong algorithm, or not at all ([1-18], the first line of defence).
import { createHmac, createPublicKey, randomBytes } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { expectRefused, type RefusedToken, testRefusals } from '../support/refused.ts'
import { type Setting, startSetting } from '../support/setting.ts'
import { encodePart, makeKey, mintToken, type SigningKey, signToken, usualClaims } from '../support/tokens.ts'
import { UPSTREAM_TEXT } from '../support/upstream.ts'

const ALGORITHMS = [
  ...['RS256', 'RS384', 'RS512', 'PS256', 'PS384', 'PS512'],
  ...['ES256', 'ES384', 'ES512', 'EdDSA'],
]
const rsa = makeKey('RS256', { kid: 'rsa' })
const ec = makeKey('ES256', { kid: 'ec' })
const curves = ['ES256', 'ES384', 'ES512', 'EdDSA'].map((alg) => makeKey(alg))
/** Published without `alg`, so that it serves all six algorithms of its kind. */
const anyRsa = { ...rsa, kid: 'any-rsa', jwk: { ...rsa.jwk, kid: 'any-rsa', alg: undefined } }
const keyFor = (alg: string): SigningKey => ({ ...(curves.find((key) => key.alg === alg) ?? anyRsa), alg })

const SINGLE = 'https://single.idp.test'
const EVERY = 'https://every.idp.test'
const without = (alg: string) => `https://without-${alg.toLowerCase()}.idp.test`

let setting: Setting
beforeAll(async () => {
  setting = await startSetting({
    keys: [ec, rsa, makeKey('ES256', { kid: 'ec-2' })],
    policy: (policy) => {
      const jwks = { keys: [anyRsa, ...curves].map(({ jwk }) => jwk) }
      policy.issuers.single = { issuer: SINGLE, jwks: { keys: [ec.jwk, rsa.jwk] } }
      policy.issuers.every = { issuer: EVERY, algorithms: ALGORITHMS, jwks }
      for (const alg of ALGORITHMS) {
        const algorithms = ALGORITHMS.filter((other) => other !== alg)
        policy.issuers[`without-${alg.toLowerCase()}`] = { issuer: without(alg), algorithms, jwks }
      }
    },
  })
})
afterAll(() => setting.close())

const claims = (more: object = {}) => ({ ...usualClaims(setting.issuer.url), groups: ['readers'], ...more })
/** A token whose header says one thing and whose signature is made as `key` and `alg` say. */
const sign = (header: object, key: SigningKey, alg = key.alg) =>
  signToken({ header, payload: claims(), key, alg })
const resign = (token: string, change: (signature: Buffer) => Uint8Array) => {
  const [header, payload, signature = ''] = token.split('.')
  return `${header}.${payload}.${encodePart(change(Buffer.from(signature, 'base64url')))}`
}
const swapClaims = (token: string, more: object) => {
  const [header, , signature] = token.split('.')
  return `${header}.${encodePart(claims(more))}.${signature}`
}
const swapHeader = (token: string, header: object) =>
  [encodePart(header), ...token.split('.').slice(1)].join('.')
const hmac = (alg: string, secret: string | Buffer) => {
  const signed = `${encodePart({ alg, typ: 'JWT', kid: 'rsa' })}.${encodePart(claims())}`
  return `${signed}.${createHmac(`sha${alg.slice(2)}`, secret)
    .update(signed)
    .digest('base64url')}`
}
const publicPem = () => createPublicKey(rsa.privateKey).export({ type: 'spki', format: 'pem' })
const publicDer = () => createPublicKey(rsa.privateKey).export({ type: 'spki', format: 'der' })

const alg = { reason: 'algorithm_not_allowed', check: 'alg' }
const notSigned: RefusedToken[] = [
  ...['none', 'None', 'NONE', 'nOnE', ''].map((name) => ({
    attack: `sig-none, written "${name}"`,
    token: () => resign(sign({ alg: name, typ: 'JWT' }, ec), () => randomBytes(64)),
    ...alg,
  })),
  {
    attack: 'sig-none with nothing behind the last dot',
    token: () => `${encodePart({ alg: 'none' })}.${encodePart(claims())}.`,
    reason: 'token_malformed',
    check: 'format',
  },
  { attack: 'alg absent', token: () => sign({ typ: 'JWT', kid: 'ec' }, ec), ...alg },
  { attack: 'alg-hs256-with-rsa-key (PEM)', token: () => hmac('HS256', publicPem()), ...alg },
  { attack: 'alg-hs256-with-rsa-key (DER)', token: () => hmac('HS256', publicDer()), ...alg },
  { attack: 'alg-hs512-with-rsa-key', token: () => hmac('HS512', publicPem()), ...alg },
  { attack: 'alg-hs256 with an empty secret', token: () => hmac('HS256', ''), ...alg },
  { attack: 'alg in other letters', token: () => sign({ alg: 'es256', kid: 'ec' }, ec), ...alg },
  { attack: 'alg constructor', token: () => sign({ alg: 'constructor', kid: 'ec' }, ec), ...alg },
  { attack: 'alg RSA1_5', token: () => sign({ alg: 'RSA1_5', kid: 'rsa' }, rsa), ...alg },
  { attack: 'alg ES256K', token: () => sign({ alg: 'ES256K', kid: 'ec' }, ec), ...alg },
]

const signature = { reason: 'signature_invalid', check: 'signature' }
const wrongSignature: RefusedToken[] = [
  {
    attack: 'sig-by-another-key under the kid of a known one',
    token: () => setting.token({}, { kid: 'ec' }, makeKey('ES256')),
    ...signature,
  },
  {
    attack: "sig-by-another-key of the issuer's own",
    token: () => sign({ alg: 'ES256', kid: 'ec-2' }, ec),
    ...signature,
  },
  { attack: 'claims changed', token: () => swapClaims(setting.token(), { sub: 'root' }), ...signature },
  {
    attack: 'header changed',
    token: () => swapHeader(setting.token(), { alg: 'ES256', kid: 'ec' }),
    ...signature,
  },
  {
    attack: 'signature of another token',
    token: () => resign(setting.token(), () => Buffer.from(setting.token().split('.')[2] ?? '', 'base64url')),
    ...signature,
  },
  {
    attack: 'signature of zeros',
    token: () => resign(setting.token(), () => Buffer.alloc(64)),
    ...signature,
  },
  { attack: 'signature of one byte', token: () => resign(setting.token(), () => Buffer.of(0)), ...signature },
  {
    attack: 'signature with bytes behind it',
    token: () => resign(setting.token(), (bytes) => Buffer.concat([bytes, Buffer.alloc(3)])),
    ...signature,
  },
  {
    attack: 'RSA padding PSS under the name RS256',
    token: () => sign({ alg: 'RS256', kid: 'rsa' }, rsa, 'PS256'),
    ...signature,
  },
  {
    attack: 'RSA with SHA-512 under the name RS256',
    token: () => sign({ alg: 'RS256', kid: 'rsa' }, rsa, 'RS512'),
    ...signature,
  },
]

const wrongKey: RefusedToken[] = [
  {
    attack: 'kid-unknown',
    token: () => setting.token({}, { kid: 'nobody' }),
    reason: 'key_unknown',
    check: 'kid',
  },
  { attack: 'kid empty', token: () => setting.token({}, { kid: '' }), reason: 'key_unknown', check: 'kid' },
  {
    attack: 'kid __proto__',
    token: () => sign(JSON.parse('{"alg":"ES256","kid":"__proto__"}'), ec),
    reason: 'key_unknown',
    check: 'kid',
  },
  {
    attack: 'kid-absent-many-keys',
    token: () => setting.token({}, { kid: undefined }),
    reason: 'key_ambiguous',
    check: 'kid',
  },
  {
    attack: 'kid-of-other-type: RS256 with the kid of an EC key',
    token: () => sign({ alg: 'RS256', kid: 'ec' }, rsa),
    reason: 'key_unsuitable',
    check: 'kid',
  },
  {
    attack: 'kid-of-other-type: ES256 with the kid of an RSA key',
    token: () => sign({ alg: 'ES256', kid: 'rsa' }, ec),
    reason: 'key_unsuitable',
    check: 'kid',
  },
]

describe('[1-18] not signed by a key pair', () => testRefusals(notSigned, () => setting))
describe('[1-18] signed by something else', () => testRefusals(wrongSignature, () => setting))
describe('[1-18] naming a key that does not fit', () => testRefusals(wrongKey, () => setting))

it('an unacceptable key does not spoil the good token before and after it', async () => {
  const token = setting.token()
  expect((await setting.get(token)).text).toBe(UPSTREAM_TEXT)
  const forged = resign(token, (bytes) => bytes.map((byte, index) => (index === 9 ? byte ^ 1 : byte)))
  expect((await setting.get(forged)).status).toBe(401)
  expect((await setting.get(token)).text).toBe(UPSTREAM_TEXT)
  setting.upstream.take()
})

it('kid-absent-one-key is accepted: exactly one key of the issuer fits the algorithm', async () => {
  const token = mintToken(SINGLE, ec, { groups: ['readers'] }, { kid: undefined })
  expect((await setting.get(token)).text).toBe(UPSTREAM_TEXT)
  setting.upstream.take()
})

describe.each(ALGORITHMS)('%s', (name) => {
  const key = keyFor(name)

  it('[1-18] is accepted from an issuer that lists it', async () => {
    const token = mintToken(EVERY, key, { groups: ['readers'] })
    expect((await setting.get(token)).text).toBe(UPSTREAM_TEXT)
    expect(setting.upstream.take()).toHaveLength(1)
  })

  it('[1-18] is refused from an issuer that does not, though its key would verify', async () => {
    const token = mintToken(without(name), key, { groups: ['readers'] })
    expectRefused(await setting.get(token), setting.upstream, { status: 401, ...alg, token })
  })

  it('[1-18] is refused with one bit of the signature changed', async () => {
    const token = resign(mintToken(EVERY, key, { groups: ['readers'] }), (bytes) => {
      return bytes.map((byte, index) => (index === bytes.length - 1 ? byte ^ 1 : byte))
    })
    expectRefused(await setting.get(token), setting.upstream, { status: 401, ...signature, token })
  })
})
