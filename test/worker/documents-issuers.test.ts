// Issuers as the database has them: keys that an admin withdraws, issuers that organizations set up and share, and
// issuers of a private network, reached through a binding.
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { mapping, projectContent, saveDocument } from '../support/edits.ts'
import { expectRefused, type Refused } from '../support/refused.ts'
import { PAYMENTS, type Setting, startSetting, WEB } from '../support/setting.ts'
import { makeKey, mintToken } from '../support/tokens.ts'

const first = makeKey('ES256', { kid: 'first' })
const second = makeKey('ES256', { kid: 'second' })
const acmeKey = makeKey('ES256', { kid: 'shared' })
const globexKey = makeKey('ES256', { kid: 'shared' })
const vpcKey = makeKey('ES256')
const VPC = 'https://idp.corp.internal'
const SHARED = 'https://shared.idp.test'

const vpc = { asked: [] as string[], up: true }
function answerVpc(request: Request): Response {
  vpc.asked.push(request.url)
  if (!vpc.up) return new Response('no', { status: 503 })
  const { pathname } = new URL(request.url)
  if (pathname === '/.well-known/openid-configuration') {
    return Response.json({ issuer: VPC, jwks_uri: `${VPC}/jwks` })
  }
  return pathname === '/jwks' ? Response.json({ keys: [vpcKey.jwk] }) : new Response('no', { status: 404 })
}

let setting: Setting
beforeAll(async () => {
  setting = await startSetting({
    keys: [first, second],
    isolates: 2,
    services: { CORP_VPC: answerVpc },
    policy: ({ issuers }) => {
      issuers.vpc = { issuer: VPC, vpcBinding: 'CORP_VPC' }
      issuers.unbound = { issuer: 'https://unbound.internal', vpcBinding: 'NO_VPC' }
      issuers.wrong = { issuer: 'https://wrong.internal', vpcBinding: 'KV' }
      issuers.private = { issuer: 'https://private.internal' }
    },
  })
})
afterAll(() => setting.close())

async function save(document: string, content: object | null): Promise<void> {
  await saveDocument(setting.stack, document, content)
  expect(await setting.stack.publish()).toMatchObject({ state: 'published', lastError: null })
  await setting.stack.advance(60)
}

async function refused(token: string, expected: Refused, path = PAYMENTS): Promise<void> {
  setting.upstream.take()
  for (const isolate of [0, 1]) {
    expectRefused(await setting.get(token, { path, isolate }), setting.upstream, expected)
  }
}

describe('a key that an admin withdraws', () => {
  const withdraw = (...kids: string[]) => {
    return save('issuer-keys/main', { withdrawn: kids.map((kid) => ({ kid, reason: 'leaked', at: 0 })) })
  }
  const withdrawn = { status: 401, reason: 'key_withdrawn', check: 'kid', detail: /withdrawn key "first"/ }

  it('verifies nothing any more, neither tokens that passed with it nor new ones; other keys go on', async () => {
    const [seen, other] = [setting.token({}, {}, first), setting.token({}, {}, second)]
    for (const isolate of [0, 1]) {
      expect((await setting.get(seen, { isolate })).status).toBe(200)
      expect((await setting.get(other, { isolate })).status).toBe(200)
    }
    const fetches = setting.issuer.jwksFetches()
    await withdraw('first')
    await refused(seen, withdrawn)
    await refused(setting.token({}, {}, first), withdrawn)
    for (const isolate of [0, 1]) expect((await setting.get(other, { isolate })).status).toBe(200)
    expect(setting.issuer.jwksFetches() - fetches).toBe(0)
  })

  it('verifies nothing either when the token leaves its id out', async () => {
    const nameless = setting.token({}, { kid: undefined }, first)
    await refused(nameless, { status: 401, reason: 'signature_invalid' })
  })

  it('counts again once it is restored', async () => {
    const token = setting.token({}, {}, first)
    await refused(token, withdrawn)
    await withdraw()
    for (const isolate of [0, 1]) expect((await setting.get(token, { isolate })).status).toBe(200)
  })
})

describe('an issuer that an organization sets up', () => {
  const issuerOf = (key: typeof acmeKey, more: object = {}) => ({
    settings: { issuer: SHARED, jwks: { keys: [key.jwk] }, ...more },
  })
  const token = (key: typeof acmeKey, claims: object = {}) => {
    return mintToken(SHARED, key, { groups: ['readers', 'web-readers'], ...claims })
  }

  it('is not known before', async () => {
    await refused(token(acmeKey), { status: 401, reason: 'issuer_unknown', check: 'iss' })
  })

  it('vouches inside the organization and nowhere else', async () => {
    await save('issuer/acme/shared', issuerOf(acmeKey))
    const good = token(acmeKey)
    for (const isolate of [0, 1]) expect((await setting.get(good, { isolate })).status).toBe(200)
    const elsewhere = { status: 401, reason: 'issuer_of_another_organization', check: 'iss' }
    await refused(good, elsewhere, WEB)
    await refused(good, elsewhere, '/orgs/nowhere')
    await refused(good, { status: 403, reason: 'outside_voucher' }, '/instance')
  })

  it('may have the name of another organization: the route tells them apart, else the audience', async () => {
    await save('issuer/globex/shared', issuerOf(globexKey))
    for (const isolate of [0, 1]) {
      expect((await setting.get(token(acmeKey), { isolate })).status).toBe(200)
      expect((await setting.get(token(globexKey), { isolate, path: WEB })).status).toBe(200)
    }
    await refused(token(globexKey), { status: 401, reason: 'signature_invalid' })
    await refused(token(acmeKey), { status: 401, reason: 'issuer_ambiguous' }, '/instance')
    await refused(token(acmeKey, { aud: 'acme' }), { status: 403, reason: 'outside_voucher' }, '/instance')
    await refused(
      token(acmeKey, { aud: 'globex' }),
      { status: 401, reason: 'signature_invalid' },
      '/instance',
    )
    await refused(
      token(acmeKey, { aud: 'nobody' }),
      { status: 401, reason: 'audience_mismatch' },
      '/instance',
    )
  })

  it('is unknown again once it is deleted, also to tokens that passed', async () => {
    const good = token(globexKey)
    expect((await setting.get(good, { path: WEB })).status).toBe(200)
    await save('issuer/globex/shared', null)
    await refused(good, { status: 401, reason: 'issuer_of_another_organization' }, WEB)
    await save('issuer/acme/shared', null)
    await refused(good, { status: 401, reason: 'issuer_unknown' }, WEB)
  })
})

describe('an issuer of a private network', () => {
  const token = (iss: string) => mintToken(iss, vpcKey, { groups: ['readers'] })

  it('is reached through the binding that its record names, and over no other way', async () => {
    expect((await setting.get(token(VPC))).status).toBe(200)
    expect(vpc.asked).toEqual([`${VPC}/.well-known/openid-configuration`, `${VPC}/jwks`])
    const { vpc: health } = (await setting.health()).issuers
    expect(health).toMatchObject({ ready: true, source: `${VPC}/jwks`, keys: 1, lastError: null })
  })

  it.each([
    ['unbound', /"NO_VPC", which the Worker does not have/],
    ['wrong', /"KV", which is no VPC service/],
    ['private', /must name a public host/],
  ])('"%s" has no keys, and the health says why', async (id, why) => {
    await refused(token(`https://${id}.internal`), { status: 503, reason: 'keys_unavailable' })
    const { [id]: health } = (await setting.health()).issuers
    expect(health?.lastError).toMatch(why)
  })
})

it('mappings of the database believe issuers of the database', async () => {
  await save('issuer/acme/own', { settings: { issuer: SHARED, jwks: { keys: [acmeKey.jwk] } } })
  const rule = { ...mapping('GROUP_READ_ONLY', 'contractors'), issuers: ['acme/own'] }
  await save('project/acme/payments', projectContent(rule))
  const claims = { groups: ['contractors'] }
  expect((await setting.get(mintToken(SHARED, acmeKey, claims))).status).toBe(200)
  await refused(setting.token(claims), { status: 403, reason: 'permission_missing' })
})
