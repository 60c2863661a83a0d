// What is recorded of people: whether they are active, and which roles they were given directly. The voucher bounds
// these as it does all others.
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type SavedUser, saveUser } from '../support/edits.ts'
import { expectRefused } from '../support/refused.ts'
import { type Setting, startSetting } from '../support/setting.ts'
import { makeKey, mintToken } from '../support/tokens.ts'

const ACME = 'https://acme.idp.test'
const acmeKey = makeKey('ES256')
let setting: Setting
beforeAll(async () => {
  setting = await startSetting({
    policy: ({ organizations: { acme } }) => {
      acme.issuers.own = { issuer: ACME, jwks: { keys: [acmeKey.jwk] } }
    },
  })
})
afterAll(() => setting.close())

async function save(user: SavedUser): Promise<void> {
  await saveUser(setting.stack, user)
  expect(await setting.stack.publish()).toMatchObject({ state: 'published', lastError: null })
  await setting.stack.advance(60)
}

const inactive = { status: 403, reason: 'principal_inactive', detail: /deactivated this user/ }

describe('somebody who is deactivated', () => {
  it('is refused with a token that was good a moment ago, and let in again once active', async () => {
    const user = { id: 'u1', issuer: 'main', subject: 'alice' }
    const token = setting.token({ sub: 'alice' })
    expect((await setting.get(token)).status).toBe(200)
    setting.upstream.take()
    await save({ ...user, status: 'inactive' })
    const refused = expectRefused(await setting.get(token), setting.upstream, inactive)
    expect(refused.subject).toBe('alice')
    for (const path of ['/whoami', '/open/x']) {
      expectRefused(await setting.get(token, { path }), setting.upstream, inactive)
    }
    await save({ ...user, status: 'active' })
    expect((await setting.get(token)).status).toBe(200)
    setting.upstream.take()
  })

  it('is refused with a token never seen before, and nobody of the same name elsewhere is', async () => {
    await save({ id: 'u2', issuer: 'main', subject: 'bob', status: 'inactive' })
    expectRefused(await setting.get(setting.token({ sub: 'bob' })), setting.upstream, inactive)
    const other = mintToken(ACME, acmeKey, { sub: 'bob', groups: ['readers'] })
    expect((await setting.get(other)).status).toBe(200)
    setting.upstream.take()
  })

  it('is refused whatever other roles they were given', async () => {
    const given = [{ role: 'GLOBAL_OWNER' }]
    await save({ id: 'u3', issuer: 'main', subject: 'carol', status: 'inactive', given })
    expectRefused(await setting.get(setting.token({ sub: 'carol' })), setting.upstream, inactive)
  })
})

describe('a role given directly', () => {
  const asked = (sub: string, path?: string) => {
    return setting.get(setting.token({ sub, groups: [] }), path === undefined ? {} : { path })
  }

  it('counts where it is given and below, and goes when it is taken', async () => {
    const user = { id: 'u4', issuer: 'main', subject: 'dave' }
    expect((await asked('dave')).status).toBe(403)
    await save({ ...user, given: [{ role: 'GROUP_READ_ONLY', organization: 'acme', project: 'payments' }] })
    const answer = await asked('dave')
    expect(answer.status).toBe(200)
    expect(setting.upstream.take()[0]?.headers['x-postern-roles']).toBe('GROUP_READ_ONLY')
    expect((await asked('dave', '/orgs/globex/projects/web/x')).status).toBe(403)
    await save(user)
    expect((await asked('dave')).status).toBe(403)
  })

  it('counts also where the token says nothing about groups', async () => {
    await save({ id: 'u5', issuer: 'main', subject: 'erin', given: [{ role: 'GLOBAL_READ_ONLY' }] })
    const silent = setting.issuer.token({ sub: 'erin' })
    expect((await setting.get(silent, { path: '/instance' })).status).toBe(200)
    expect((await setting.get(silent)).status).toBe(200)
    setting.upstream.take()
    const other = setting.issuer.token({ sub: 'frank' })
    expectRefused(await setting.get(other), setting.upstream, { status: 403, reason: 'groups_absent' })
  })

  it("is bounded by the voucher: on the word of an organization's issuer nothing outside it", async () => {
    const given = [
      { role: 'GLOBAL_OWNER' },
      { role: 'ORG_OWNER', organization: 'globex' },
      { role: 'GROUP_READ_ONLY', organization: 'acme', project: 'payments' },
    ]
    await save({ id: 'u6', issuer: 'acme/own', subject: 'grace', given })
    const token = mintToken(ACME, acmeKey, { sub: 'grace' })
    expect((await setting.get(token)).status).toBe(200)
    expect(setting.upstream.take()[0]?.headers['x-postern-roles']).toBe('GROUP_READ_ONLY')
    expectRefused(await setting.get(token, { path: '/orgs/acme' }), setting.upstream, {
      status: 403,
      reason: 'groups_absent',
    })
    expectRefused(await setting.get(token, { path: '/instance' }), setting.upstream, {
      status: 403,
      reason: 'outside_voucher',
    })
    expectRefused(await setting.get(token, { path: '/orgs/globex' }), setting.upstream, {
      status: 401,
      reason: 'issuer_of_another_organization',
    })
  })
})

describe('a record that cannot be read', () => {
  it('lets nobody in whose it is, and everybody else', async () => {
    await save({ id: 'u7', issuer: 'main', subject: 'heidi', status: 'inactive' })
    const kv = await setting.stack.kv()
    const { keys } = await kv.list({ prefix: 'published:1:principal:' })
    const texts = await Promise.all(keys.map(async ({ name }) => [name, await kv.get(name)] as const))
    const [key] = texts.find(([, text]) => text?.includes('u7')) ?? []
    const odd = JSON.stringify({
      format: 1,
      version: 1e9,
      content: { kind: 'user', status: 'odd', given: [] },
    })
    await setting.stack.faults({
      kvTexts: { [key as string]: odd },
      publisherTexts: { [(key as string).slice('published:1:'.length)]: odd },
    })
    setting.upstream.take()
    expectRefused(await setting.get(setting.token({ sub: 'heidi' })), setting.upstream, {
      status: 503,
      reason: 'policy_unavailable',
    })
    expect((await setting.get(setting.token({ sub: 'ivan' }))).status).toBe(200)
    await setting.stack.faults({})
  })
})
