// Where an issuer's keys come from: the discovery document, by the order of decision T1 ([1-6], [1-7]), the
// guard on the addresses it names, and the bounds on what is fetched.
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type DiscoveryPath, startIssuer, type TestIssuer } from '../support/issuer.ts'
import { expectRefused } from '../support/refused.ts'
import { type Health, type Setting, startSetting } from '../support/setting.ts'
import { makeKey } from '../support/tokens.ts'
import { UPSTREAM_TEXT } from '../support/upstream.ts'

const key = makeKey('ES256')
const STANDARD = '/.well-known/openid-configuration'

/** A setting with one more issuer record for each of these issuers, under its own name. */
function settingWith(issuers: Record<string, TestIssuer>): Promise<Setting> {
  return startSetting({
    policy: (policy) => {
      for (const [id, { url }] of Object.entries(issuers)) policy.issuers[id] = { issuer: url }
    },
  })
}

async function closeAll(setting: Setting, issuers: Record<string, TestIssuer>): Promise<void> {
  await setting.close()
  for (const { stop } of Object.values(issuers)) await stop()
}

const readers = { groups: ['readers'] }
const BYTES_MAX = 64 * 1024

describe('[1-6] discovery tries the standard path, then the alias, then RFC 8414', () => {
  const order: DiscoveryPath[] = ['openid-configuration', 'oidc-configuration', 'oauth-authorization-server']

  const places = order.flatMap((name): [string, string, DiscoveryPath][] => [
    [`plain-${name}`, '', name],
    [`realm-${name}`, '/realms/main', name],
  ])
  const issuers: Record<string, TestIssuer> = {}
  let setting: Setting
  beforeAll(async () => {
    for (const [id, path, discovery] of places) {
      issuers[id] = Object.assign(await startIssuer({ keys: [key], path }), { discovery })
    }
    const page = await startIssuer({ keys: [key] })
    page.answers[STANDARD] = { kind: 'text', text: '<!doctype html><title>Sign in</title>' }
    issuers.page = Object.assign(page, { discovery: 'oidc-configuration' })
    setting = await settingWith(issuers)
  })
  afterAll(() => closeAll(setting, issuers))

  it.each(places)('[1-7] %s', async (id, path, discovery) => {
    const issuer = issuers[id] as TestIssuer
    expect((await setting.get(issuer.token(readers))).text).toBe(UPSTREAM_TEXT)
    const origin = issuer.url.slice(0, issuer.url.length - path.length)
    const addresses = [
      `${path}/.well-known/openid-configuration`,
      `${path}/.well-known/oidc-configuration`,
      `/.well-known/oauth-authorization-server${path}`,
    ].slice(0, order.indexOf(discovery) + 1)
    expect(issuer.paths).toEqual([...addresses, `${path}/jwks`])
    expect((await setting.health()).issuers[id]).toMatchObject({
      ready: true,
      keys: 1,
      lastError: null,
      source: `${issuer.url}/jwks`,
      discoveredAt: `${origin}${addresses.at(-1)}`,
    })
  })

  it('a page that is no document at the standard path does not hide the alias', async () => {
    expect((await setting.get(issuers.page?.token(readers) ?? '')).text).toBe(UPSTREAM_TEXT)
  })
})

interface Row {
  attack: string
  prepare: (issuer: TestIssuer) => void
  /** What `/readyz` shows of it. */
  lastError: RegExp
  /** What may have been asked of the issuer's server at most. */
  paths: string[]
}

const document = (members: object) => (issuer: TestIssuer) => Object.assign(issuer.document, members)
const at = (path: string, text: (issuer: TestIssuer) => string) => (issuer: TestIssuer) => {
  issuer.answers[path] = { kind: 'text', text: text(issuer) }
}
const padded = (json: object, bytes: number) => {
  const text = JSON.stringify(json)
  return text + ' '.repeat(bytes - text.length)
}
const good = ({ url }: TestIssuer) => ({ issuer: url, jwks_uri: `${url}/jwks` })

const documents: Row[] = [
  {
    attack: 'the document names another issuer',
    prepare: document({ issuer: 'https://other.example' }),
    lastError: /names the issuer "https:\/\/other.example", configured is "http/,
    paths: [STANDARD],
  },
  {
    attack: 'the document names the issuer with a slash',
    prepare: (issuer) => document({ issuer: `${issuer.url}/` })(issuer),
    lastError: /names the issuer/,
    paths: [STANDARD],
  },
  {
    attack: 'the document names no issuer',
    prepare: document({ issuer: undefined }),
    lastError: /names no issuer/,
    paths: [STANDARD],
  },
  {
    attack: 'the document names the issuer in a list',
    prepare: (issuer) => document({ issuer: [issuer.url] })(issuer),
    lastError: /names no issuer/,
    paths: [STANDARD],
  },
  {
    attack: 'the document has no jwks_uri',
    prepare: document({ jwks_uri: undefined }),
    lastError: /has no jwks_uri/,
    paths: [STANDARD],
  },
  {
    attack: 'the document has keys in place of jwks_uri',
    prepare: document({ jwks_uri: undefined, jwks: { keys: [key.jwk] } }),
    lastError: /has no jwks_uri/,
    paths: [STANDARD],
  },
  {
    attack: 'the document is null',
    prepare: at(STANDARD, () => 'null'),
    lastError: /names no issuer/,
    paths: [STANDARD],
  },
  {
    attack: 'the document is over 64 KiB',
    prepare: at(STANDARD, (issuer) => padded(good(issuer), BYTES_MAX + 1)),
    lastError: /more than 65536 bytes/,
    paths: [STANDARD],
  },
  {
    attack: 'the document is behind a redirect',
    prepare: (issuer) => {
      issuer.answers[STANDARD] = { kind: 'redirect', location: `${issuer.url}/elsewhere` }
    },
    lastError: /answered 302, and redirects are not followed/,
    paths: [STANDARD],
  },
  {
    attack: 'no document anywhere',
    prepare: (issuer) => {
      issuer.answers[STANDARD] = { kind: 'status', status: 404 }
    },
    lastError:
      /openid-configuration answered 404; .*oidc-configuration answered 404; .*oauth-authorization-server answered 404/,
    paths: [STANDARD],
  },
  {
    attack: 'the connection breaks off',
    prepare: (issuer) => {
      issuer.outage = { kind: 'drop' }
    },
    lastError: /could not be reached/,
    paths: [STANDARD],
  },
]

const address = (jwksUri: string, rule: RegExp): Row => {
  return {
    attack: `jwks_uri ${jwksUri}`,
    prepare: document({ jwks_uri: jwksUri }),
    lastError: rule,
    paths: [STANDARD],
  }
}
const addresses: Row[] = [
  address('http://idp.example/jwks', /must use https/),
  address('ftp://idp.example/jwks', /must use https/),
  address('file:///etc/passwd', /must use https/),
  address('data:application/json,{}', /must use https/),
  address('https://10.0.0.1/jwks', /not an IP address/),
  address('https://169.254.169.254/latest/meta-data', /not an IP address/),
  address('https://2852039166/jwks', /not an IP address/),
  address('https://[fd00::1]/jwks', /not an IP address/),
  address('https://metadata.google.internal/jwks', /public host/),
  address('https://idp.local/jwks', /public host/),
  address('https://idp.corp./jwks', /public host/),
  address('https://idp/jwks', /public host/),
  address('https://user:password@idp.example/jwks', /user information/),
  address('https://idp.example/jwks#keys', /fragment/),
  address('https://gateway.test/.well-known/jwks.json', /own hosts/),
  address('https://api.test/open/jwks', /own hosts/),
  address('/jwks', /is not a URL/),
]

const JWKS = '/jwks'
const paths = [STANDARD, JWKS]
const keySets: Row[] = [
  {
    attack: 'the key set is behind a redirect',
    prepare: (issuer) => {
      issuer.answers[JWKS] = { kind: 'redirect', location: `${issuer.url}/elsewhere` }
    },
    lastError: /redirects are not followed/,
    paths,
  },
  {
    attack: 'the key set answers 500',
    prepare: (issuer) => {
      issuer.answers[JWKS] = { kind: 'status', status: 500 }
    },
    lastError: /jwks answered 500/,
    paths,
  },
  {
    attack: 'the key set is over 64 KiB',
    prepare: at(JWKS, () => padded({ keys: [key.jwk] }, BYTES_MAX + 1)),
    lastError: /more than 65536 bytes/,
    paths,
  },
  { attack: 'the key set is not JSON', prepare: at(JWKS, () => '{"keys":['), lastError: /not JSON/, paths },
  {
    attack: 'the key set is a list',
    prepare: at(JWKS, () => JSON.stringify([key.jwk])),
    lastError: /no list "keys"/,
    paths,
  },
  {
    attack: 'the key set is empty',
    prepare: at(JWKS, () => '{"keys":[]}'),
    lastError: /no key that may verify/,
    paths,
  },
  {
    attack: 'the key set has more than 100 keys',
    prepare: at(JWKS, () => JSON.stringify({ keys: Array(101).fill(1) })),
    lastError: /101 keys, at most 100/,
    paths,
  },
]

describe('what is fetched is refused, and tokens with it', () => {
  const rows = [...documents, ...addresses, ...keySets]
  const issuers: Record<string, TestIssuer> = {}
  let setting: Setting
  let health: Health
  beforeAll(async () => {
    for (const [index, { prepare }] of rows.entries()) {
      const issuer = await startIssuer({ keys: [key] })
      prepare(issuer)
      issuers[`row-${index}`] = issuer
    }
    setting = await settingWith(issuers)
    health = await setting.health()
  })
  afterAll(() => closeAll(setting, issuers))

  it.each(rows.map(({ attack }, index) => [attack, index] as const))('%s', async (_attack, index) => {
    const { lastError, paths } = rows[index] as Row
    const id = `row-${index}`
    const issuer = issuers[id] as TestIssuer
    const token = issuer.token(readers)
    const answer = await setting.get(token)
    expectRefused(answer, setting.upstream, { status: 503, reason: 'keys_unavailable', token })
    expect(answer.headers['retry-after']).toBe('5')
    expect(health.issuers[id]).toMatchObject({ ready: false, keys: 0 })
    expect(health.issuers[id]?.lastError).toMatch(lastError)
    expect(
      issuer.paths.filter((path) => !path.startsWith('/.well-known/o') && !paths.includes(path)),
    ).toEqual([])
  })
})
