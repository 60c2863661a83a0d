// Requests that never come to a token: credentials in the wrong place or form, hosts and routes nobody serves.
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { expectRefused, type Refused } from '../support/refused.ts'
import { API_HOST, PAYMENTS, routeTo, type Setting, startSetting } from '../support/setting.ts'
import type { Answer, Asked } from '../support/stack.ts'
import { UPSTREAM_TEXT } from '../support/upstream.ts'

let setting: Setting
beforeAll(async () => {
  setting = await startSetting({
    policy: ({ routes }, { upstream }) => {
      const access = 'anonymous'
      routes.own = routeTo(upstream.origin, '/own/*', { access, forwardAuthorization: true })
      routes.writes = routeTo(upstream.origin, '/writes', { access, methods: ['POST'] })
      routes.exact = routeTo(upstream.origin, '/exact', { access, methods: ['GET'] })
    },
  })
})
afterAll(() => setting.close())

const ask = (asked: Partial<Asked>) => setting.stack.send({ host: API_HOST, path: PAYMENTS, ...asked })
const authorization = (value: string) => ({ headers: { authorization: value } })

interface Row {
  attack: string
  asked: () => Partial<Asked>
  refused: Refused
}

const missing = { status: 401, reason: 'credentials_missing' }
const malformed = { status: 401, reason: 'credentials_malformed', check: 'authorization' }
const credentials: Row[] = [
  { attack: 'nothing', asked: () => ({}), refused: missing },
  {
    attack: 'the token in the query only',
    asked: () => ({ path: `${PAYMENTS}?access_token=${setting.token()}` }),
    refused: missing,
  },
  {
    attack: 'the token in a form body',
    asked: () => ({
      method: 'POST',
      headers: { 'content-type': 'application/x-www-form-urlencoded' },
      body: `access_token=${setting.token()}`,
    }),
    refused: missing,
  },
  {
    attack: 'the token in a cookie',
    asked: () => ({ headers: { cookie: `token=${setting.token()}` } }),
    refused: missing,
  },
  {
    attack: 'the token in another header',
    asked: () => ({
      headers: {
        'x-authorization': `Bearer ${setting.token()}`,
        'proxy-authorization': `Bearer ${setting.token()}`,
      },
    }),
    refused: missing,
  },
  { attack: 'Basic scheme', asked: () => authorization('Basic YWxpY2U6YWxpY2U='), refused: malformed },
  { attack: 'the token without a scheme', asked: () => authorization(setting.token()), refused: malformed },
  { attack: 'DPoP scheme', asked: () => authorization(`DPoP ${setting.token()}`), refused: malformed },
  {
    attack: 'a scheme that begins with Bearer',
    asked: () => authorization(`BearerX ${setting.token()}`),
    refused: malformed,
  },
  { attack: 'Bearer and nothing', asked: () => authorization('Bearer'), refused: malformed },
  { attack: 'an empty header', asked: () => authorization(''), refused: missing },
  { attack: 'two spaces', asked: () => authorization(`Bearer  ${setting.token()}`), refused: malformed },
  {
    attack: 'a tab in the token',
    asked: () => authorization(`Bearer ${setting.token()}\tx`),
    refused: malformed,
  },
  {
    attack: 'two tokens in one header',
    asked: () => authorization(`Bearer ${setting.token()}, Bearer ${setting.token()}`),
    refused: malformed,
  },
  {
    attack: 'a parameter behind the token',
    asked: () => authorization(`Bearer ${setting.token()},realm="x"`),
    refused: malformed,
  },
  {
    attack: 'two Authorization headers',
    asked: () => ({ headers: { authorization: [`Bearer ${setting.token()}`, `Bearer ${setting.token()}`] } }),
    refused: malformed,
  },
  {
    attack: 'two Authorization headers, one of another scheme',
    asked: () => ({ headers: { authorization: ['Basic YTph', `Bearer ${setting.token()}`] } }),
    refused: malformed,
  },
  {
    attack: 'a bad token where anyone may pass',
    asked: () => ({ path: '/open/x', token: 'a.b.c' }),
    refused: { status: 401, reason: 'token_malformed' },
  },
]

const host = { status: 404, reason: 'host_unknown', check: 'host' }
const route = { status: 404, reason: 'route_not_found', check: 'path' }
const places: Row[] = [
  { attack: 'an unknown host', asked: () => ({ host: 'other.test' }), refused: host },
  { attack: 'a host below a known one', asked: () => ({ host: 'x.api.test' }), refused: host },
  { attack: 'a known host with a dot at its end', asked: () => ({ host: 'api.test.' }), refused: host },
  { attack: 'an IP address', asked: () => ({ host: '127.0.0.1' }), refused: host },
  { attack: 'a host called __proto__', asked: () => ({ host: '__proto__' }), refused: host },
  {
    attack: 'the gateway host on another port',
    asked: () => ({ host: 'gateway.test:8080', path: '/healthz' }),
    refused: host,
  },
  { attack: 'a path no route has', asked: () => ({ path: '/nothing' }), refused: route },
  { attack: 'a path that begins like a route', asked: () => ({ path: '/exact/' }), refused: route },
  { attack: 'a path in other letters', asked: () => ({ path: '/Exact' }), refused: route },
  {
    attack: 'a method the route does not serve',
    asked: () => ({ path: '/exact', method: 'POST' }),
    refused: route,
  },
  {
    attack: 'another method the route does not serve',
    asked: () => ({ path: '/exact', method: 'DELETE' }),
    refused: route,
  },
  {
    attack: 'a method in an overriding header',
    asked: () => ({ path: '/writes', headers: { 'x-http-method-override': 'POST' } }),
    refused: route,
  },
  { attack: "Postern's own paths on a fronted host", asked: () => ({ path: '/.postern/x' }), refused: route },
  {
    attack: "the gateway host's paths on a fronted host",
    asked: () => ({ path: '/.well-known/jwks.json' }),
    refused: route,
  },
]

describe.each([
  ['credentials in the wrong place or form', credentials],
  ['hosts and routes nobody serves', places],
])('%s', (_name, rows) => {
  for (const { attack, asked: make, refused } of rows) {
    it(`${attack} is refused: ${refused.reason}`, async () => {
      const asked = make()
      const token = asked.token === undefined ? {} : { token: asked.token }
      expectRefused(await ask(asked), setting.upstream, { ...refused, ...token })
    })
  }
})

describe('what is in order passes', () => {
  const passes = async (answer: Promise<Answer>) => {
    expect((await answer).text).toBe(UPSTREAM_TEXT)
    return setting.upstream.takeOnly()
  }
  it('the scheme in any letters', async () => {
    await passes(ask(authorization(`bearer ${setting.token()}`)))
    await passes(ask(authorization(`BEARER ${setting.token()}`)))
  })
  it('nobody, where anyone may pass: without an identity', async () => {
    const { rawHeaders } = await passes(ask({ path: '/open/x' }))
    expect(rawHeaders.join('\n')).not.toMatch(/x-postern/i)
  })
  it('somebody, where anyone may pass: with an identity', async () => {
    const { headers } = await passes(ask({ path: '/open/x', token: setting.token() }))
    expect(headers['x-postern-subject']).toBe('alice')
    expect(headers['x-postern-roles']).toBe('')
  })
  it("credentials that are the upstream's alone, not judged", async () => {
    const { headers } = await passes(ask({ path: '/own/x', ...authorization('Basic YTph') }))
    expect(headers.authorization).toBe('Basic YTph')
    expect(headers['x-postern-subject']).toBeUndefined()
  })
})

it('two Authorization header lines on the wire are one request refused', async () => {
  const line = `Authorization: Bearer ${setting.token()}\r\n`
  const answer = await setting.stack.raw(
    `GET ${PAYMENTS} HTTP/1.1\r\nHost: ${API_HOST}\r\nConnection: close\r\n${line}${line}\r\n`,
  )
  expect(answer).toMatch(/^HTTP\/1.1 401 /)
  expect(answer).toContain('credentials_malformed')
  expect(setting.upstream.take()).toEqual([])
})
