// Who is calling, as the upstream is told: the signed assertion, and the same in plain headers. An upstream needs
// nothing but our key set to believe it.
import {
  createLocalJWKSet,
  decodeProtectedHeader,
  type JSONWebKeySet,
  type JWTPayload,
  jwtVerify,
} from 'jose'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import {
  operatorToken,
  PAYMENTS,
  routeTo,
  type Setting,
  startSetting,
  usualPolicy,
} from '../support/setting.ts'
import { type Asked, GATEWAY_HOST, GATEWAY_ORIGIN } from '../support/stack.ts'
import { nowSeconds } from '../support/time.ts'

const TYPE = 'postern-assertion+jwt'

let setting: Setting
beforeAll(async () => {
  setting = await startSetting({
    isolates: 2,
    policy: ({ routes }, { upstream }) => {
      const place = { organization: 'acme', project: 'payments', audience: 'reports' }
      routes.fixed = routeTo(upstream.origin, '/fixed', { ...place, permission: 'project.read' })
    },
  })
})
afterAll(() => setting.close())

async function published(): Promise<JSONWebKeySet> {
  const { text } = await setting.stack.send({ host: GATEWAY_HOST, path: '/.well-known/jwks.json' })
  return JSON.parse(text)
}

/** The headers that the upstream got, and its assertion as it verifies it. */
async function told(token: string, asked: Partial<Asked> = {}, audience = setting.upstream.origin) {
  const answer = await setting.get(token, asked)
  expect(answer.status, answer.text).toBe(200)
  const { headers } = setting.upstream.takeOnly()
  const assertion = headers['x-postern-assertion'] as string
  const { payload } = await jwtVerify(assertion, createLocalJWKSet(await published()), {
    algorithms: ['ES256'],
    issuer: GATEWAY_ORIGIN,
    audience,
    typ: TYPE,
    currentDate: new Date(nowSeconds() * 1000),
    requiredClaims: ['sub', 'iat', 'exp', 'jti'],
  })
  return { headers, assertion, claims: payload as JWTPayload & Record<string, unknown> }
}

describe('the assertion', () => {
  it('says who is calling, for whom, where, and with which roles', async () => {
    const token = setting.token({ email: 'alice@acme.example', groups: ['acme-admins'] })
    const { assertion, claims, headers } = await told(token)
    expect(decodeProtectedHeader(assertion)).toEqual({ alg: 'ES256', typ: TYPE, kid: expect.any(String) })
    expect(claims).toEqual({
      iss: GATEWAY_ORIGIN,
      aud: setting.upstream.origin,
      sub: 'alice',
      idp: 'main',
      email: 'alice@acme.example',
      org: 'acme',
      project: 'payments',
      roles: expect.arrayContaining(['ORG_OWNER', 'GROUP_OWNER', 'GROUP_READ_ONLY']),
      iat: expect.any(Number),
      exp: expect.any(Number),
      jti: expect.any(String),
    })
    expect(headers).toMatchObject({
      'x-postern-issuer': 'main',
      'x-postern-subject': 'alice',
      'x-postern-email': 'alice@acme.example',
      'x-postern-organization': 'acme',
      'x-postern-project': 'payments',
      'x-postern-roles': (claims.roles as string[]).join(','),
    })
  })

  it('has the audience of the route, and its fixed organization and project', async () => {
    const { claims } = await told(setting.token(), { path: '/fixed' }, 'reports')
    expect(claims).toMatchObject({ aud: 'reports', org: 'acme', project: 'payments' })
  })

  it('has no organization where the route has none', async () => {
    const { claims, headers } = await told(setting.token(), { path: '/whoami' })
    expect(claims).toMatchObject({ sub: 'alice', roles: [] })
    expect([claims.org, claims.project]).toEqual([undefined, undefined])
    expect(headers['x-postern-organization']).toBeUndefined()
    expect(headers['x-postern-project']).toBeUndefined()
  })

  it('has the roles of the place that is asked for, and no others', async () => {
    const groups = ['operators', 'readers', 'web-readers']
    const at = async (path: string) =>
      (await told(operatorToken({ groups }), { path })).claims.roles as string[]
    const [global, acme, web] = [
      await at('/instance'),
      await at(PAYMENTS),
      await at('/orgs/globex/projects/web/x'),
    ]
    expect(global).toEqual(expect.arrayContaining(['GLOBAL_READ_ONLY', 'ORG_READ_ONLY']))
    for (const roles of [acme, web]) expect(roles).toEqual(expect.arrayContaining(global))
    expect(acme).not.toContain('ORG_OWNER')
  })
})

describe('the life of the assertion', () => {
  it('is five minutes at most', async () => {
    const { claims } = await told(setting.token({ exp: nowSeconds() + 3600 }))
    expect((claims.exp as number) - (claims.iat as number)).toBe(300)
  })

  it.each([15, 60, 299])('is not longer than that of a token with %i s left', async (seconds) => {
    const exp = nowSeconds() + seconds
    const { claims } = await told(setting.token({ sub: `short-${seconds}`, exp }))
    expect(claims.exp).toBeLessThanOrEqual(exp)
  })

  it('of a long token is not that of a short one of the same caller', async () => {
    const sub = 'long-and-short'
    const long = await told(setting.token({ sub, exp: nowSeconds() + 3600 }))
    const exp = nowSeconds() + 100
    const short = await told(setting.token({ sub, exp }))
    expect(long.claims.exp).toBeGreaterThan(exp)
    expect(short.claims.exp).toBeLessThanOrEqual(exp)
  })
})

describe('the assertion is used again', () => {
  it('for the same caller and route until two thirds of its life are over, in every isolate by itself', async () => {
    const claims = { sub: 'returning', exp: nowSeconds() + 3600 }
    const first = await told(setting.token(claims))
    expect((await told(setting.token(claims))).assertion).toBe(first.assertion)
    expect((await told(setting.token(claims), { path: '/whoami' })).assertion).not.toBe(first.assertion)
    expect((await told(setting.token(claims), { isolate: 1 })).assertion).not.toBe(first.assertion)
    const token = setting.token(claims)
    expect((await told(token)).assertion).toBe(first.assertion)
    await setting.stack.advance(190)
    expect((await told(token)).assertion).toBe(first.assertion)
    await setting.stack.advance(15)
    const second = await told(token)
    expect(second.assertion).not.toBe(first.assertion)
    expect(second.claims.iat).toBeGreaterThan(first.claims.iat as number)
    expect((await told(setting.token(claims))).assertion).toBe(second.assertion)
  })

  it('never for another subject, issuer, e-mail, place or set of roles', async () => {
    const claims = { sub: 'many', groups: ['readers', 'web-readers'], email: 'a@acme.example' }
    const variants: [object, Partial<Asked>][] = [
      [{}, {}],
      [{ sub: 'many-2' }, {}],
      [{ email: 'b@acme.example' }, {}],
      [{ email: undefined }, {}],
      [{ groups: ['acme-admins'] }, {}],
      [{}, { path: '/orgs/globex/projects/web/x' }],
      [{}, { path: '/whoami' }],
    ]
    const assertions = new Set<string>()
    for (const [more, asked] of variants) {
      assertions.add((await told(setting.token({ ...claims, ...more }), asked)).assertion)
    }
    assertions.add((await told(operatorToken(claims))).assertion)
    expect(assertions.size).toBe(variants.length + 1)
  })
})

describe('plain headers', () => {
  const encoded: [string, string][] = [
    ['bücher@acme.example', 'b%C3%BCcher@acme.example'],
    ['名前', '%E5%90%8D%E5%89%8D'],
    ['100%', '100%25'],
    ['a\r\nX-Postern-Roles: GLOBAL_OWNER', 'a%0D%0AX-Postern-Roles: GLOBAL_OWNER'],
    ['tab\tnul\u0000', 'tab%09nul%00'],
    ['auth0|abc "x", y;z', 'auth0|abc "x", y;z'],
  ]
  it.each(encoded)('%j', async (value, header) => {
    const { headers, claims } = await told(setting.token({ sub: value, email: value }))
    expect(headers['x-postern-subject']).toBe(header)
    expect(headers['x-postern-email']).toBe(header)
    expect(headers['x-postern-roles']).toBe('GROUP_READ_ONLY')
    expect(claims.sub).toBe(value)
  })

  it('a subject with spaces at its ends is not another one for the upstream', async () => {
    const { headers, claims } = await told(setting.token({ sub: ' alice ' }))
    expect(claims.sub).toBe(' alice ')
    expect(headers['x-postern-subject']).toBe('%20alice%20')
  })

  it('over the cap a header is left out and X-Postern-Error says so; nothing is cut', async () => {
    const sub = 'ü'.repeat(1024)
    const { headers, claims } = await told(setting.token({ sub, email: 'alice@acme.example' }))
    expect(headers['x-postern-subject']).toBeUndefined()
    expect(headers['x-postern-error']).toMatch(/x-postern-subject has 6144 bytes, at most 4096 are sent/)
    expect(headers['x-postern-email']).toBe('alice@acme.example')
    expect(claims.sub).toBe(sub)
  })

  it('at the cap a header is whole', async () => {
    const email = `${'a'.repeat(4095)}@`
    const { headers } = await told(setting.token({ sub: 'at-the-cap', email }))
    expect(headers['x-postern-email']).toBe(email)
    expect(headers['x-postern-error']).toBeUndefined()
  })
})

describe('e-mail', () => {
  it.each([[false], ['false']])('that the issuer calls unverified (%j) is not told', async (verified) => {
    const claims = { sub: `unverified-${verified}`, email: 'root@acme.example', email_verified: verified }
    const { headers, claims: asserted } = await told(setting.token(claims))
    expect([headers['x-postern-email'], asserted.email]).toEqual([undefined, undefined])
  })
  it.each([[true], ['true'], [undefined]])('is told when email_verified is %j', async (verified) => {
    const claims = { sub: `verified-${verified}`, email: 'root@acme.example', email_verified: verified }
    expect((await told(setting.token(claims))).headers['x-postern-email']).toBe('root@acme.example')
  })
  it.each([[['a@b.c']], [7], ['']])('that is no text (%j) is not told', async (email) => {
    const { headers } = await told(setting.token({ sub: `odd-${JSON.stringify(email)}`, email }))
    expect(headers['x-postern-email']).toBeUndefined()
  })
})

describe('an issuer that bounds the age of its tokens', () => {
  it('bounds the assertion as well, which does not outlive the token it is made from', async () => {
    const policy = usualPolicy(setting.issuer.url, setting.upstream.origin)
    policy.issuers.main = { ...policy.issuers.main, maxTokenAgeSeconds: 60, leewaySeconds: 0 }
    await setting.stack.restart({ policy: JSON.stringify(policy) })
    const iat = nowSeconds() - 20
    const { claims } = await told(setting.token({ iat, exp: iat + 3600 }))
    expect(claims.exp).toBeLessThanOrEqual(iat + 60)
  })
})
