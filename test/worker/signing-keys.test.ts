// Our own signing keys over time: kept over restarts, replaced after 30 days by one that was published before,
// and sealed anew while POSTERN_SECRET changes.
import { randomBytes } from 'node:crypto'
import { decodeProtectedHeader } from 'jose'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { type Setting, startSetting } from '../support/setting.ts'
import { GATEWAY_HOST } from '../support/stack.ts'

const HOUR = 60 * 60
const DAY = 24 * HOUR

let setting: Setting
beforeEach(async () => {
  setting = await startSetting({ isolates: 2, variables: { POSTERN_SECRET: secrets[0] } })
})
afterEach(() => setting.close())

const secrets = [1, 2, 3].map(() => randomBytes(32).toString('base64url')) as [string, string, string]

async function publishedKids(isolate = 0): Promise<string[]> {
  const { text } = await setting.stack.send({ host: GATEWAY_HOST, path: '/.well-known/jwks.json', isolate })
  return JSON.parse(text).keys.map(({ kid }: { kid: string }) => kid)
}

/** The key of an assertion made now. */
async function signingKid(isolate = 0): Promise<string> {
  expect((await setting.get(setting.token({ sub: crypto.randomUUID() }), { isolate })).status).toBe(200)
  return decodeProtectedHeader(setting.upstream.takeOnly().headers['x-postern-assertion'] as string)
    .kid as string
}

const isReady = async () => (await setting.stack.send({ host: GATEWAY_HOST, path: '/readyz' })).status === 200

describe('signing keys', () => {
  it('are the same in every isolate and after a restart', async () => {
    const kids = await publishedKids()
    expect(kids).toHaveLength(2)
    expect(await publishedKids(1)).toEqual(kids)
    const signing = await signingKid()
    expect(kids[0]).toBe(signing)
    expect(await signingKid(1)).toBe(signing)
    await setting.stack.restart()
    expect(await publishedKids()).toEqual(kids)
    expect(await signingKid()).toBe(signing)
  })

  it('first made by two isolates at once are one', async () => {
    const kids = await Promise.all([0, 1, 0, 1].map((isolate) => publishedKids(isolate)))
    expect(new Set(kids.map((list) => list.join())).size).toBe(1)
  })

  it('sign for 30 days, then the one published ahead does, and the old one stays published for two', async () => {
    const [first, second] = await publishedKids()
    await setting.stack.advance(29 * DAY)
    expect([await signingKid(), await publishedKids()]).toEqual([first, [first, second]])
    await setting.stack.advance(DAY + HOUR)
    expect(await signingKid()).toBe(second)
    expect(await signingKid(1)).toBe(second)
    const kids = await publishedKids()
    expect(kids).toHaveLength(3)
    expect(kids).toEqual(expect.arrayContaining([first, second]))
    await setting.stack.advance(DAY)
    expect(await publishedKids()).toContain(first)
    await setting.stack.advance(DAY + 2 * HOUR)
    const left = await publishedKids()
    expect([left.length, left.includes(first as string), await signingKid()]).toEqual([2, false, second])
  })

  it('of an instance that slept for a year still follow each other: none signs unannounced', async () => {
    const [, second] = await publishedKids()
    await setting.stack.advance(365 * DAY)
    const before = await publishedKids()
    expect(await signingKid()).toBe(second)
    await setting.stack.advance(31 * DAY)
    expect(before).toContain(await signingKid())
  })
})

describe('POSTERN_SECRET is changed', () => {
  const restart = (POSTERN_SECRET: string, POSTERN_SECRET_PREVIOUS: string | null = null) =>
    setting.stack.restart({ variables: { POSTERN_SECRET, POSTERN_SECRET_PREVIOUS } })

  it('with the one before it in POSTERN_SECRET_PREVIOUS: the keys stay, and are sealed anew', async () => {
    const kids = await publishedKids()
    const signing = await signingKid()
    await restart(secrets[1], secrets[0])
    expect([await publishedKids(), await signingKid()]).toEqual([kids, signing])
    await restart(secrets[1])
    expect([await publishedKids(), await signingKid()]).toEqual([kids, signing])
    await restart(secrets[0])
    expect(await isReady()).toBe(false)
  })

  it('without it: not ready, no new keys, and ready again when it is restored', async () => {
    const kids = await publishedKids()
    await restart(secrets[1])
    expect(await isReady()).toBe(false)
    expect((await setting.health()).signingKeys.lastError).toMatch(
      /restore the secret .* as POSTERN_SECRET_PREVIOUS/,
    )
    expect((await setting.get(setting.token())).status).toBe(500)
    await restart(secrets[2], secrets[1])
    expect(await isReady()).toBe(false)
    await restart(secrets[1], secrets[0])
    expect(await isReady()).toBe(true)
    expect(await publishedKids()).toEqual(kids)
  })
})
