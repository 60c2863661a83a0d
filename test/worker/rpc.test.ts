// Other Workers ask without HTTP: the entrypoint "Authorizer", called over RPC as a service binding calls it.
import { createLocalJWKSet, jwtVerify } from 'jose'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { PAYMENTS, type Setting, startSetting } from '../support/setting.ts'
import { GATEWAY_HOST, GATEWAY_ORIGIN } from '../support/stack.ts'

let setting: Setting
beforeAll(async () => {
  setting = await startSetting()
})
afterAll(() => setting.close())

interface Authorization {
  allowed: boolean
  requestId: string
  route?: string
  level?: object
  principal?: object | null
  problem?: Record<string, unknown>
  headers: [string, string][]
}

async function authorize(
  path: string,
  headers: Record<string, string>,
  more: { method?: string; host?: string } = {},
) {
  const { method = 'GET', host = 'api.test' } = more
  const body = JSON.stringify({ url: `https://${host}${path}`, method, headers })
  const answer = await setting.stack.send({
    host: GATEWAY_HOST,
    path: '/.test/authorize',
    method: 'POST',
    body,
  })
  const authorization = JSON.parse(answer.text) as Authorization
  return { ...authorization, headers: Object.fromEntries(authorization.headers) }
}
const bearer = (token = setting.token()) => ({ authorization: `Bearer ${token}` })

it('authorize allows, with the principal and the headers to set', async () => {
  const answer = await authorize(`${PAYMENTS}?a=b`, { ...bearer(), 'x-request-id': 'rpc-1' })
  expect(answer).toMatchObject({
    allowed: true,
    requestId: 'rpc-1',
    route: 'project',
    level: { kind: 'project', organization: 'acme', project: 'payments' },
    principal: {
      kind: 'user',
      issuer: 'main',
      subject: 'alice',
      voucher: { issuer: 'main', organization: null },
    },
  })
  expect(answer.headers).toMatchObject({
    'x-postern-subject': 'alice',
    'x-postern-roles': 'GROUP_READ_ONLY',
    'x-postern-organization': 'acme',
    'x-request-id': 'rpc-1',
  })
  const { text } = await setting.stack.send({ host: GATEWAY_HOST, path: '/.well-known/jwks.json' })
  const verified = await jwtVerify(
    answer.headers['x-postern-assertion'] ?? '',
    createLocalJWKSet(JSON.parse(text)),
    {
      issuer: GATEWAY_ORIGIN,
      audience: setting.upstream.origin,
      algorithms: ['ES256'],
    },
  )
  expect(verified.payload.sub).toBe('alice')
  expect(setting.upstream.take()).toEqual([])
})

it('authorize allows nobody in particular on an anonymous route', async () => {
  const answer = await authorize('/open/x', {})
  expect(answer).toMatchObject({ allowed: true, route: 'open', level: { kind: 'global' }, principal: null })
  expect(Object.keys(answer.headers)).toEqual(['x-request-id'])
})

const refusals: [string, () => ReturnType<typeof authorize>, number, string][] = [
  ['no credentials', () => authorize(PAYMENTS, {}), 401, 'credentials_missing'],
  ['a bad token', () => authorize(PAYMENTS, bearer('a.b.c')), 401, 'token_malformed'],
  ['an expired token', () => authorize(PAYMENTS, bearer(setting.token({ exp: 1 }))), 401, 'token_expired'],
  [
    'another group',
    () => authorize(PAYMENTS, bearer(setting.token({ groups: ['x'] }))),
    403,
    'permission_missing',
  ],
  ['an encoded slash', () => authorize('/open%2f..%2finstance', {}), 400, 'path_not_canonical'],
  ['another path', () => authorize('/nothing', {}), 404, 'route_not_found'],
  ['another method', () => authorize('/open/x', {}, { method: 'PROPFIND' }), 404, 'route_not_found'],
  ['another host', () => authorize('/open/x', {}, { host: 'other.test' }), 404, 'host_unknown'],
  ['the gateway host', () => authorize('/healthz', {}, { host: GATEWAY_HOST }), 404, 'host_unknown'],
]
it.each(refusals)(
  'authorize refuses %s, with the problem and the headers of its answer',
  async (_name, ask, status, reason) => {
    const answer = await ask()
    expect(answer).toMatchObject({
      allowed: false,
      problem: { status, reason, requestId: answer.requestId },
    })
    expect(answer.headers['content-type']).toBe('application/problem+json')
    expect(answer.headers['x-postern-assertion']).toBeUndefined()
    expect('www-authenticate' in answer.headers).toBe(status === 401 || status === 403)
    expect(answer.principal).toBeUndefined()
  },
)
