// Which keys may verify signatures, and what is never fetched or waited for too long.
import { createPublicKey, generateKeyPairSync } from 'node:crypto'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { startIssuer, type TestIssuer } from '../support/issuer.ts'
import { expectRefused } from '../support/refused.ts'
import { type Setting, startSetting } from '../support/setting.ts'
import { type Jwk, makeKey, mintToken, type SigningKey } from '../support/tokens.ts'
import { UPSTREAM_TEXT } from '../support/upstream.ts'

const readers = { groups: ['readers'] }
const ALGORITHMS = ['RS256', 'PS256', 'ES256', 'ES384', 'EdDSA']

/** The key as it is published under another name, with other members. */
function published(key: SigningKey, kid: string, members: Jwk): SigningKey {
  return { ...key, kid, jwk: { ...key.jwk, ...members, kid } }
}
const privateJwk = ({ privateKey }: SigningKey) => privateKey.export({ format: 'jwk' }) as Jwk

const rsa = makeKey('RS256')
const ec = makeKey('ES256')
const { x, y } = ec.jwk
const secp256k1 = generateKeyPairSync('ec', { namedCurve: 'secp256k1' })
const k1: SigningKey = {
  alg: 'ES256',
  kid: 'secp256k1',
  privateKey: secp256k1.privateKey,
  jwk: { ...createPublicKey(secp256k1.privateKey).export({ format: 'jwk' }), kid: 'secp256k1' },
}

const unfit: [name: string, key: SigningKey, reason: string][] = [
  ['an RSA key of 1024 bits', makeKey('RS256', { rsaBits: 1024 }), 'key_unknown'],
  ['an RSA key of 2040 bits', makeKey('RS256', { rsaBits: 2040 }), 'key_unknown'],
  ['an RSA key with the exponent 3', makeKey('RS256', { rsaExponent: 3 }), 'key_unknown'],
  ['an RSA key with an even exponent', published(rsa, 'even', { e: 'AQAC' }), 'key_unknown'],
  ['an RSA key of more than 8192 bits', published(rsa, 'huge', { n: '_'.repeat(1400) }), 'key_unknown'],
  ['a modulus that is not base64url', published(rsa, 'odd', { n: `${rsa.jwk.n}==` }), 'key_unknown'],
  ['a key for encryption', published(ec, 'enc', { use: 'enc' }), 'key_unknown'],
  ['a key that may only sign', published(ec, 'ops', { key_ops: ['sign'] }), 'key_unknown'],
  ['a key that may do nothing', published(ec, 'no-ops', { key_ops: [] }), 'key_unknown'],
  ['a private EC key published', published(ec, 'private-ec', privateJwk(ec)), 'key_unknown'],
  ['a private RSA key published', published(rsa, 'private-rsa', privateJwk(rsa)), 'key_unknown'],
  ['a symmetric key', published(ec, 'oct', { kty: 'oct', k: 'AAAA' }), 'key_unknown'],
  ['a key for HS256', published(rsa, 'hs', { alg: 'HS256' }), 'key_unknown'],
  ['a key for none', published(rsa, 'none', { alg: 'none' }), 'key_unknown'],
  ['a key for another algorithm', published(rsa, 'rs512', { alg: 'RS512' }), 'key_unsuitable'],
  ['a key on a curve that is not accepted', k1, 'key_unknown'],
  [
    'a key that names another curve',
    published(ec, 'p384', { crv: 'P-384', alg: undefined }),
    'key_unsuitable',
  ],
  ['a key for key agreement', published(makeKey('EdDSA'), 'x25519', { crv: 'X25519' }), 'key_unknown'],
  ['a point that is not on its curve', published(ec, 'off', { x: y, y: x }), 'key_unsuitable'],
  ['a key without its point', published(ec, 'half', { y: undefined }), 'key_unknown'],
]

describe('keys nobody should use, published beside a good one', () => {
  let setting: Setting
  beforeAll(async () => {
    setting = await startSetting({
      keys: [ec],
      policy: ({ issuers }, { issuer }) => {
        issuers.main = { issuer: issuer.url, algorithms: ALGORITHMS }
      },
    })
    setting.issuer.extraKeys = [null, 'key', {}, [], ...unfit.map(([, { jwk }]) => jwk)]
  })
  afterAll(() => setting.close())

  it.each(unfit)('a token signed with %s is refused', async (_name, key, reason) => {
    const token = setting.token({}, {}, key)
    expectRefused(await setting.get(token), setting.upstream, { status: 401, reason, check: 'kid', token })
  })

  it('the good one verifies', async () => {
    expect((await setting.get(setting.token())).text).toBe(UPSTREAM_TEXT)
    setting.upstream.take()
  })

  it('a private key is not kept, not even in storage', async () => {
    const kept = await (await setting.stack.kv()).get('jwks:main')
    expect(kept).toContain(ec.jwk.x)
    expect(kept).not.toContain(privateJwk(ec).d)
    expect(kept).not.toContain(privateJwk(rsa).d)
  })
})

describe('where no discovery takes place', () => {
  let setting: Setting
  let pinned: TestIssuer
  let direct: TestIssuer
  beforeAll(async () => {
    pinned = await startIssuer({ keys: [ec] })
    direct = await startIssuer({ keys: [ec] })
    setting = await startSetting({
      policy: ({ issuers }) => {
        const weak = makeKey('RS256', { rsaBits: 1024, kid: 'weak' })
        issuers.pinned = { issuer: pinned.url, jwks: { keys: [ec.jwk, weak.jwk] } }
        issuers.direct = { issuer: direct.url, jwksUri: `${direct.url}/jwks` }
        const jwksUri = 'https://10.0.0.1/jwks'
        issuers.forbidden = { issuer: 'https://forbidden.idp.test', jwksUri }
      },
    })
  })
  afterAll(async () => {
    await setting.close()
    await Promise.all([pinned.stop(), direct.stop()])
  })

  it('pinned keys verify without any fetch, also for a kid nobody has', async () => {
    expect((await setting.get(pinned.token(readers))).text).toBe(UPSTREAM_TEXT)
    expect((await setting.get(pinned.token(readers, { kid: 'other' }))).status).toBe(401)
    const health = (await setting.health()).issuers.pinned
    expect(health).toMatchObject({ ready: true, source: 'policy', keys: 1, ageSeconds: null })
    expect(pinned.paths).toEqual([])
  })

  it('a jwksUri of the policy is asked directly', async () => {
    expect((await setting.get(direct.token(readers))).text).toBe(UPSTREAM_TEXT)
    expect(direct.paths).toEqual(['/jwks'])
    const health = (await setting.health()).issuers.direct
    expect(health).toMatchObject({ source: `${direct.url}/jwks`, discoveredAt: null })
  })

  it('a jwksUri of the policy is judged as a discovered one is', async () => {
    const token = mintToken('https://forbidden.idp.test', ec, readers)
    setting.upstream.take()
    const refused = { status: 503, reason: 'keys_unavailable', token }
    expectRefused(await setting.get(token), setting.upstream, refused)
    expect((await setting.health()).issuers.forbidden?.lastError).toMatch(/not an IP address/)
  })
})

describe('without DANGEROUSLY_ALLOW_LOOPBACK', () => {
  let setting: Setting
  afterEach(() => setting.close())

  it.each([null, '', 'TRUE', '1', 'yes'])(
    '(set to %j) an issuer on this machine is never asked',
    async (value) => {
      setting = await startSetting({ variables: { DANGEROUSLY_ALLOW_LOOPBACK: value } })
      const token = setting.token()
      const refused = { status: 503, reason: 'keys_unavailable', token }
      expectRefused(await setting.get(token), setting.upstream, refused)
      expect((await setting.health()).issuers.main?.lastError).toMatch(/must use https/)
      expect(setting.issuer.paths).toEqual([])
    },
  )
})

describe('an issuer that keeps us waiting', () => {
  it('is given up after 5 s, asked once for all who wait, and not asked again at once', async () => {
    const stalling = await startIssuer({ keys: [ec] })
    const setting = await startSetting({
      policy: ({ issuers }) => {
        issuers.stalling = { issuer: stalling.url }
      },
    })
    setting.issuer.outage = { kind: 'hang' }
    stalling.answers['/jwks'] = { kind: 'stall' }
    const started = Date.now()
    const tokens = [setting.token(), setting.token(), stalling.token(readers), stalling.token(readers)]
    const answers = await Promise.all(tokens.map((token) => setting.get(token)))
    const waited = Date.now() - started
    expect(answers.map(({ status }) => status)).toEqual([503, 503, 503, 503])
    expect(waited).toBeGreaterThan(4500)
    expect(waited).toBeLessThan(9000)
    expect((await setting.get(setting.token())).status).toBe(503)
    expect(setting.issuer.paths).toHaveLength(1)
    expect(stalling.jwksFetches()).toBe(1)
    const { main, stalling: stalled } = (await setting.health()).issuers
    expect([main?.lastError, stalled?.lastError]).toEqual([
      expect.stringMatching(/openid-configuration did not answer within 5000 ms/),
      expect.stringMatching(/jwks did not answer within 5000 ms/),
    ])
    expect(setting.upstream.seen).toEqual([])
    await setting.close()
    await stalling.stop()
  })
})
