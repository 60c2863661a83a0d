// Thousands of tokens at once must not become thousands of requests to an issuer, whatever they say.
import { afterEach, beforeEach, expect, it } from 'vitest'
import { API_HOST, PAYMENTS, type Setting, startSetting } from '../support/setting.ts'
import { encodePart, usualClaims } from '../support/tokens.ts'

const TOKENS = 2000
/** Fewer, so that even a slow machine is done before the issuer may be asked again. */
const TOKENS_IN_OUTAGE = 300

let setting: Setting
beforeEach(async () => {
  setting = await startSetting({ isolates: 2 })
})
afterEach(() => setting.close())

/** Of a key nobody has; what is in the place of the signature is never looked at. */
function unknownToken(): string {
  const header = encodePart({ alg: 'ES256', kid: crypto.randomUUID() })
  return `${header}.${encodePart(usualClaims(setting.issuer.url))}.${'A'.repeat(86)}`
}

/** Half of them to each isolate, all before the first answer. @returns how often each answer came. */
async function storm(tokens: number): Promise<Record<string, number>> {
  const counts: Record<string, number> = {}
  const answers = Array.from({ length: tokens }, (_, index) =>
    setting.get(unknownToken(), { isolate: index % 2 }).then(({ status, text }) => {
      const outcome = `${status} ${JSON.parse(text).reason}`
      counts[outcome] = (counts[outcome] ?? 0) + 1
    }),
  )
  await Promise.all(answers)
  return counts
}

it('2,000 unknown kids over two isolates that know the issuer cause exactly one fetch', async () => {
  for (const isolate of [0, 1]) expect((await setting.get(setting.token(), { isolate })).status).toBe(200)
  expect(setting.issuer.paths).toEqual(['/.well-known/openid-configuration', '/jwks'])
  await setting.stack.advance(31)
  expect(await storm(TOKENS)).toEqual({ '401 key_unknown': TOKENS })
  expect(setting.issuer.jwksFetches()).toBe(2)
  expect(setting.issuer.paths).toHaveLength(3)
  expect(setting.upstream.take()).toHaveLength(2)
})

it('2,000 unknown kids over two isolates that have never seen the issuer cause exactly one fetch', async () => {
  expect(await storm(TOKENS)).toEqual({ '401 key_unknown': TOKENS })
  expect(setting.issuer.paths).toEqual(['/.well-known/openid-configuration', '/jwks'])
  expect(setting.upstream.seen).toEqual([])
})

it('hundreds of tokens while the issuer is away ask it once, and it is forgiven when it is back', async () => {
  setting.issuer.outage = { kind: 'drop' }
  expect(await storm(TOKENS_IN_OUTAGE)).toEqual({ '503 keys_unavailable': TOKENS_IN_OUTAGE })
  expect(setting.issuer.paths).toHaveLength(1)
  setting.issuer.outage = null
  await setting.stack.advance(6)
  expect((await setting.get(setting.token())).status).toBe(200)
})

it('hundreds of good tokens at a cold start all pass, with one fetch', async () => {
  setting.issuer.delayMs = 200
  const tokens = Array.from({ length: 200 }, () => setting.token())
  const answers = await Promise.all(tokens.map((token, index) => setting.get(token, { isolate: index % 2 })))
  expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([200]))
  expect(setting.issuer.paths).toEqual(['/.well-known/openid-configuration', '/jwks'])
})

it('a client that goes away while keys are fetched for it does not leave others without', async () => {
  setting.issuer.delayMs = 300
  const leaving = setting.stack.open({ host: API_HOST, path: PAYMENTS, token: setting.token() })
  leaving.on('error', () => {})
  leaving.end()
  await expect.poll(() => setting.issuer.paths.length).toBe(1)
  const staying = setting.get(setting.token())
  leaving.destroy()
  expect((await staying).status).toBe(200)
  expect((await setting.get(setting.token())).status).toBe(200)
  expect(setting.issuer.jwksFetches()).toBe(1)
})
