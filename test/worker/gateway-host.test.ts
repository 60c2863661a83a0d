// The gateway host: health, our key set, and nothing else.
import { afterAll, beforeAll, expect, it } from 'vitest'
import { expectRefused } from '../support/refused.ts'
import {
  API_HOST,
  operatorToken,
  PAYMENTS,
  routeTo,
  type Setting,
  startSetting,
  WEB,
} from '../support/setting.ts'
import { type Asked, GATEWAY_HOST } from '../support/stack.ts'
import { makeKey, mintToken } from '../support/tokens.ts'

const gateway = (path: string, more: Partial<Asked> = {}) =>
  setting.stack.send({ host: GATEWAY_HOST, path, ...more })

const own = makeKey('ES256')
const ACME = 'https://acme.idp.test'
let setting: Setting
beforeAll(async () => {
  setting = await startSetting({
    variables: { GATEWAY_ORIGINS: `https://${GATEWAY_HOST}, https://second.test:8443` },
    policy: ({ routes, organizations }, { upstream }) => {
      const more = { hosts: [GATEWAY_HOST], access: 'anonymous' }
      routes.everything = routeTo(upstream.origin, '/*', more)
      organizations.acme.issuers.own = { issuer: ACME, jwks: { keys: [own.jwk] } }
    },
  })
})
afterAll(() => setting.close())

it('the gateway host is alive', async () => {
  const answer = await gateway('/healthz')
  expect([answer.status, JSON.parse(answer.text)]).toEqual([200, { status: 'alive' }])
  expect(answer.headers['cache-control']).toBe('no-store')
  expect(answer.headers['x-request-id']).toMatch(/./)
  expect(answer.headers['strict-transport-security']).toBe('max-age=31536000')
})

it('whoever wants to sign in where nobody can is told how it is set up', async () => {
  const answer = await gateway('/login', { headers: { accept: 'text/html' } })
  expect(answer.status).toBe(404)
  expect(answer.text).toContain('<h1>Signing in is not set up yet</h1>')
  expect(answer.text).toContain('OIDC_ISSUER')
})

it('the gateway host takes the request id of the caller', async () => {
  const answer = await gateway('/healthz', { headers: { 'x-request-id': 'probe-1' } })
  expect(answer.headers['x-request-id']).toBe('probe-1')
})

it('the gateway host is ready, and tells anybody no more', async () => {
  const outsiders = [
    undefined,
    setting.token(),
    setting.token({ groups: ['operators'], aud: 'acme' }),
    setting.token({ groups: undefined }),
    mintToken(ACME, own, { groups: ['operators'] }),
    operatorToken({ exp: 1 }),
    'not.a.token',
  ]
  for (const token of outsiders) {
    const answer = await gateway('/readyz', token === undefined ? {} : { token })
    expect([answer.status, JSON.parse(answer.text)]).toEqual([200, { status: 'ready' }])
  }
})

it('the gateway host tells those who may see it what is loaded and where keys come from', async () => {
  // Of organizations, those count that the isolate has at hand.
  for (const path of [PAYMENTS, WEB]) await setting.get(setting.token(), { path })
  setting.upstream.take()
  const { text } = await gateway('/readyz', { token: operatorToken() })
  expect(JSON.parse(text)).toMatchObject({
    status: 'ready',
    policy: { issuers: 3, organizations: 2, hosts: [API_HOST, GATEWAY_HOST] },
    signingKeys: { ready: true, lastError: null },
    warnings: [],
    issuers: [
      { id: 'main', ready: true, source: `${setting.issuer.url}/jwks`, keys: 1, lastError: null },
      { id: 'operators', ready: true, source: 'policy', keys: 1, ageSeconds: null },
      { id: 'acme/own', ready: true, source: 'policy', keys: 1 },
    ],
  })
})

it('the gateway host publishes the public halves of its keys, the next one ahead of its use', async () => {
  const answer = await gateway('/.well-known/jwks.json')
  const { keys } = JSON.parse(answer.text) as { keys: object[] }
  expect(keys).toHaveLength(2)
  for (const key of keys) {
    expect(Object.keys(key).sort()).toEqual(['alg', 'crv', 'kid', 'kty', 'use', 'x', 'y'])
    expect(key).toMatchObject({ kty: 'EC', crv: 'P-256', alg: 'ES256', use: 'sig' })
  }
  expect(answer.headers['content-type']).toMatch(/^application\/json/)
  expect(answer.headers['cache-control']).toBe('public, max-age=600')
})

it('the gateway host has no routes, whatever the policy says', async () => {
  for (const path of ['/open/x', PAYMENTS, '/healthz/', '/.postern/', '/console', '//healthz']) {
    const answer = await gateway(path, { token: setting.token() })
    expectRefused(answer, setting.upstream, { status: 404, reason: 'route_not_found' })
  }
})

it('the gateway host serves no other methods', async () => {
  for (const method of ['POST', 'PUT', 'DELETE', 'OPTIONS']) {
    const answer = await gateway('/healthz', { method })
    expectRefused(answer, setting.upstream, { status: 404, reason: 'route_not_found' })
  }
})

it('the gateway host is there under each of its origins, with the port', async () => {
  expect((await gateway('/healthz', { host: 'second.test:8443' })).status).toBe(200)
  for (const host of ['second.test', 'second.test:443', 'third.test']) {
    const answer = await gateway('/healthz', { host })
    expectRefused(answer, setting.upstream, { status: 404, reason: 'host_unknown' })
  }
})
