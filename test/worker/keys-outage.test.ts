// Keys over time: an issuer that goes away and comes back, keys that come and go, isolates that start cold.
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { type OddAnswer, startIssuer } from '../support/issuer.ts'
import { expectRefused } from '../support/refused.ts'
import { type Setting, startSetting, usualPolicy } from '../support/setting.ts'
import { nowSeconds } from '../support/time.ts'
import { makeKey, type SigningKey } from '../support/tokens.ts'
import { UPSTREAM_TEXT } from '../support/upstream.ts'

const MINUTE = 60
const HOUR = 60 * MINUTE

let setting: Setting
beforeEach(async () => {
  setting = await startSetting({ isolates: 2 })
})
afterEach(() => setting.close())

const passes = async (token: string, isolate = 0) => {
  expect((await setting.get(token, { isolate })).text).toBe(UPSTREAM_TEXT)
  setting.upstream.take()
}
const refused = async (token: string, status: number, reason: string, isolate = 0) => {
  expectRefused(await setting.get(token, { isolate }), setting.upstream, { status, reason, token })
}
/** Until a refresh that began behind a request has come in. */
const eventually = (check: () => Promise<void>) =>
  expect.poll(() => check().then(() => true), { timeout: 3000 }).toBe(true)

describe('an issuer that is away', () => {
  it('its tokens keep verifying for 24 hours, then keys_unavailable, and again when it is back', async () => {
    await passes(setting.token())
    await setting.issuer.stop()
    for (const hours of [1, 5, 6]) {
      await setting.stack.advance(hours * HOUR)
      await passes(setting.token())
      await passes(setting.token(), 1)
    }
    const { warnings, issuers } = await setting.health()
    expect(issuers.main).toMatchObject({ ready: true, keys: 1 })
    expect(issuers.main?.ageSeconds).toBeGreaterThanOrEqual(12 * HOUR)
    expect(warnings).toEqual([
      expect.stringMatching(
        /"main" cannot be reached; keys that are \d+ s old serve: .*could not be reached/,
      ),
    ])
    await setting.stack.advance(12 * HOUR + 11 * MINUTE)
    await refused(setting.token(), 503, 'keys_unavailable')
    await refused(setting.token(), 503, 'keys_unavailable', 1)
    expect((await setting.health()).warnings).toEqual([expect.stringMatching(/"main" has no keys/)])
    await setting.issuer.start()
    await setting.stack.advance(31)
    await passes(setting.token())
    await passes(setting.token(), 1)
    expect((await setting.health()).warnings).toEqual([])
  })

  it('a token verified before is refused as well once its keys are too old', async () => {
    const long = setting.token({ exp: nowSeconds() + 48 * HOUR })
    await passes(long)
    await setting.issuer.stop()
    await setting.stack.advance(12 * HOUR)
    await passes(long)
    await setting.stack.advance(13 * HOUR)
    await refused(long, 503, 'keys_unavailable')
  })

  const outages: [string, OddAnswer][] = [
    ['errors', { kind: 'status', status: 503 }],
    ['a redirect', { kind: 'redirect', location: 'https://idp.example/' }],
    ['text that is not JSON', { kind: 'text', text: '<html>maintenance</html>' }],
    ['an empty set', { kind: 'text', text: '{"keys":[]}' }],
    ['an empty object', { kind: 'text', text: '{}' }],
    ['a set of unusable keys', { kind: 'text', text: '{"keys":[{"kty":"oct","k":"AA"}]}' }],
    ['too many bytes', { kind: 'text', text: `{"keys":[]}${' '.repeat(65_536)}` }],
  ]
  it('malformed and empty answers count as an outage: they take no key away', async () => {
    await passes(setting.token())
    for (const [name, odd] of outages) {
      setting.issuer.answers['/jwks'] = odd
      const before = setting.issuer.jwksFetches()
      await setting.stack.advance(25 * MINUTE)
      await passes(setting.token())
      expect(setting.issuer.jwksFetches(), name).toBe(before + 1)
      expect((await setting.health()).warnings, name).toHaveLength(1)
    }
    setting.issuer.answers = {}
    await setting.stack.advance(25 * MINUTE)
    await passes(setting.token())
    expect((await setting.health()).warnings).toEqual([])
  })
})

describe('an issuer whose keys may not outlive their freshness (keysUsableSeconds: 0)', () => {
  it('its tokens are refused as soon as it is away for longer', async () => {
    const policy = usualPolicy(setting.issuer.url, setting.upstream.origin)
    policy.issuers.main = { ...policy.issuers.main, keysUsableSeconds: 0 }
    await setting.stack.restart({ policy: JSON.stringify(policy) })
    await passes(setting.token())
    await setting.issuer.stop()
    await setting.stack.advance(9 * MINUTE)
    await passes(setting.token())
    await setting.stack.advance(2 * MINUTE)
    await refused(setting.token(), 503, 'keys_unavailable')
    await setting.issuer.start()
    await setting.stack.advance(31)
    await passes(setting.token())
  })
})

describe('rotation', () => {
  const next: SigningKey = makeKey('ES256')

  it('a new key is accepted within one refresh, and the old one still', async () => {
    await passes(setting.token())
    const old = setting.issuer.keys[0] as SigningKey
    setting.issuer.keys = [next, old]
    await setting.stack.advance(31)
    const before = setting.issuer.jwksFetches()
    await passes(setting.token())
    await passes(setting.token({}, {}, old))
    await passes(setting.token(), 1)
    expect(setting.issuer.jwksFetches()).toBe(before + 1)
  })

  it('the old one is refused once it is gone, also for a token verified before', async () => {
    const old = setting.issuer.keys[0] as SigningKey
    const seen = setting.token({ exp: nowSeconds() + HOUR })
    await passes(seen)
    await passes(seen, 1)
    setting.issuer.keys = [next]
    await setting.stack.advance(31)
    await passes(setting.token())
    await refused(seen, 401, 'key_unknown')
    await refused(setting.token({}, {}, old), 401, 'key_unknown')
    // The other isolate learns of it when its own copy is due.
    await setting.stack.advance(10 * MINUTE)
    await eventually(() => refused(seen, 401, 'key_unknown', 1))
    await refused(setting.token({}, {}, old), 401, 'key_unknown', 1)
  })

  it('an isolate that slept is not given a set that is old itself', async () => {
    const old = setting.issuer.keys[0] as SigningKey
    await passes(setting.token())
    await passes(setting.token(), 1)
    await setting.stack.advance(11 * MINUTE)
    await passes(setting.token(), 1)
    // By now the issuer's object holds a newer set than the first isolate does; and then nobody asks for long.
    setting.issuer.keys = [next]
    await setting.stack.advance(12 * HOUR)
    await refused(setting.token({}, {}, old), 401, 'key_unknown')
    await passes(setting.token())
  })

  it('a key that is gone is refused by the first request after ten minutes', async () => {
    const old = setting.issuer.keys[0] as SigningKey
    const seen = setting.token({ exp: nowSeconds() + HOUR })
    await passes(seen)
    setting.issuer.keys = [next]
    await setting.stack.advance(10 * MINUTE + 1)
    await refused(seen, 401, 'key_unknown')
    await refused(setting.token({}, {}, old), 401, 'key_unknown')
  })

  it('a key under the kid of another replaces it', async () => {
    const old = setting.issuer.keys[0] as SigningKey
    const seen = setting.token({ exp: nowSeconds() + HOUR })
    await passes(seen)
    setting.issuer.keys = [makeKey('ES256', { kid: old.kid })]
    await setting.stack.advance(21 * MINUTE)
    await refused(seen, 401, 'signature_invalid')
    await passes(setting.token())
  })

  it('keys are refreshed behind the requests when they are ten minutes old', async () => {
    await passes(setting.token())
    await setting.stack.advance(8 * MINUTE - 5)
    await passes(setting.token())
    expect(setting.issuer.jwksFetches()).toBe(1)
    await setting.stack.advance(2 * MINUTE + 5)
    await passes(setting.token())
    await expect.poll(() => setting.issuer.jwksFetches()).toBe(2)
  })

  it('an unknown kid asks the issuer once in 30 s', async () => {
    await passes(setting.token())
    const unknown = () => setting.token({}, { kid: crypto.randomUUID() })
    await refused(unknown(), 401, 'key_unknown')
    expect(setting.issuer.jwksFetches()).toBe(1)
    await setting.stack.advance(31)
    for (const isolate of [0, 1, 0, 1]) await refused(unknown(), 401, 'key_unknown', isolate)
    expect(setting.issuer.jwksFetches()).toBe(2)
    await setting.stack.advance(20)
    await refused(unknown(), 401, 'key_unknown', 1)
    expect(setting.issuer.jwksFetches()).toBe(2)
    await setting.stack.advance(11)
    await refused(unknown(), 401, 'key_unknown', 1)
    expect(setting.issuer.jwksFetches()).toBe(3)
  })
})

describe('an isolate that starts cold', () => {
  it('reads its keys from KV, with the issuer away and nothing asked of it', async () => {
    await passes(setting.token())
    await setting.issuer.stop()
    const asked = setting.issuer.paths.length
    await setting.stack.restart()
    await passes(setting.token())
    await passes(setting.token(), 1)
    expect(setting.issuer.paths).toHaveLength(asked)
  })

  it('believes KV where the document is of its origin, and never where it is of another', async () => {
    await passes(setting.token())
    const kv = await setting.stack.kv()
    const document = JSON.parse((await kv.get('jwks:main')) ?? '{}')
    const other = makeKey('ES256', { kid: 'other' })
    const write = async (changes: object) => {
      const changed = {
        ...document,
        jwks: { keys: [other.jwk] },
        fetchedAt: document.fetchedAt + 1,
        ...changes,
      }
      await (await setting.stack.kv()).put('jwks:main', JSON.stringify(changed))
      await setting.stack.restart()
    }
    await write({})
    await passes(setting.token({}, {}, other))
    for (const changes of [
      { origin: '{"kind":"discovery","issuer":"https://x.example"}' },
      { format: 2 },
      { jwks: 7 },
    ]) {
      await write(changes)
      await refused(setting.token({}, {}, other), 401, 'key_unknown')
      await passes(setting.token())
    }
  })

  it('a record that now names another issuer has none of the keys of the one before', async () => {
    await passes(setting.token())
    const moved = await startIssuer({ keys: [makeKey('ES256', { kid: setting.issuer.keys[0]?.kid ?? '' })] })
    await setting.stack.restart({ policy: JSON.stringify(usualPolicy(moved.url, setting.upstream.origin)) })
    await refused(moved.token({ groups: ['readers'] }, {}, setting.issuer.keys[0]), 401, 'signature_invalid')
    await passes(moved.token({ groups: ['readers'] }))
    await refused(setting.token(), 401, 'issuer_unknown')
    await moved.stop()
  })
})
