// What of the instance's own set-up is missing or wrong is a fault that the log names and the answer does not.
import { randomBytes } from 'node:crypto'
import { afterEach, expect, it } from 'vitest'
import { expectRefused } from '../support/refused.ts'
import { type Setting, type SettingOptions, startSetting } from '../support/setting.ts'
import { type Answer, GATEWAY_HOST } from '../support/stack.ts'

let setting: Setting
afterEach(() => setting.close())
const gateway = (path: string) => setting.stack.send({ host: GATEWAY_HOST, path })
const start = async (variables: NonNullable<SettingOptions['variables']>) => {
  setting = await startSetting({ variables })
}
const expectFault = async (asked: Promise<Answer>, secrets: string[]) => {
  const answer = await asked
  const { requestId } = expectRefused(answer, setting.upstream, { status: 500, reason: 'fault' })
  for (const secret of [...secrets, 'POSTERN', 'Error', 'at ']) expect(answer.text).not.toContain(secret)
  await expect.poll(() => setting.stack.logs.join('\n')).toContain(`request ${requestId}`)
  for (const secret of secrets) expect(setting.stack.logs.join('\n')).not.toContain(secret)
}

const short = randomBytes(16).toString('base64url')
const secrets: [name: string, value: string | null, shown: RegExp][] = [
  ['missing', null, /POSTERN_SECRET is not set/],
  ['empty', '', /POSTERN_SECRET is not set/],
  ['too short', short, /POSTERN_SECRET has 16 bytes/],
  ['not base64url', 'p@ssword, p@ssword, p@ssword, p@ssword', /POSTERN_SECRET is not base64url/],
]
it.each(secrets)(
  'POSTERN_SECRET %s: not ready, and a fault that says nothing of it',
  async (_name, value, shown) => {
    await start({ POSTERN_SECRET: value })
    const hidden = value ? [value] : []
    const readiness = await gateway('/readyz')
    expect([readiness.status, JSON.parse(readiness.text)]).toEqual([503, { status: 'not ready' }])
    const { signingKeys } = await setting.health()
    expect(signingKeys.ready).toBe(false)
    expect(signingKeys.lastError).toMatch(shown)
    for (const secret of hidden) expect(signingKeys.lastError).not.toContain(secret)
    const token = setting.token()
    await expectFault(setting.get(token), [...hidden, token])
    await expectFault(gateway('/.well-known/jwks.json'), hidden)
    expect((await gateway('/healthz')).status).toBe(200)
    expect((await setting.get(null, { path: '/open/x' })).status).toBe(200)
  },
)

it.each([
  '',
  'gateway.test',
  'https://gateway.test/',
  'https://gateway.test/path',
  'https://a.test,,https://b.test',
])('GATEWAY_ORIGINS "%s" is a fault on every request', async (origins) => {
  await start({ GATEWAY_ORIGINS: origins })
  await expectFault(gateway('/healthz'), [])
  await expectFault(setting.get(setting.token()), [])
})
