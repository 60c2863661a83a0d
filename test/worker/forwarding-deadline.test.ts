// A deadline longer than one request's tick may run (worker/deadlines.ts): another takes over, and it still holds.
import { afterAll, beforeAll, expect, it } from 'vitest'
import { API_HOST, routeTo, type Setting, startSetting } from '../support/setting.ts'

let setting: Setting
beforeAll(async () => {
  setting = await startSetting({
    policy: ({ routes }, { upstream }) => {
      const access = 'anonymous'
      routes.patient = routeTo(upstream.origin, '/patient', { access, timeoutSeconds: 22 })
      routes.endless = routeTo(upstream.origin, '/endless', { access, timeoutSeconds: 300 })
    },
  })
})
afterAll(() => setting.close())

it('an upstream that never answers is given up after 22 s, also when nobody else waits any more', async () => {
  setting.upstream.answering = () => {}
  const leaving = setting.stack.open({ host: API_HOST, path: '/endless' })
  leaving.on('error', () => {})
  leaving.end()
  await expect.poll(() => setting.upstream.seen.length).toBe(1)
  const started = Date.now()
  const waiting = setting.get(null, { path: '/patient' })
  await expect.poll(() => setting.upstream.seen.length).toBe(2)
  leaving.destroy()
  expect((await waiting).status).toBe(504)
  expect(Date.now() - started).toBeGreaterThanOrEqual(22_000)
})
