// Where single sign-on is off, each fronted host asks the identity provider for itself, and gets a session that is good on
// that host alone.
import { afterAll, beforeAll, expect, it } from 'vitest'
import { type ScriptedSetting, startScriptedSetting } from '../support/scripted-sign-in.ts'
import { API_HOST } from '../support/setting.ts'
import { GATEWAY_HOST } from '../support/stack.ts'

const SESSION = '__Host-postern-session'
let setting: ScriptedSetting
beforeAll(async () => {
  setting = await startScriptedSetting({ isActive: false })
})
afterAll(() => setting.close())

it('people choose with whom they sign in, host by host [2-8] [2-12]', async () => {
  const agent = setting.browser()
  for (const host of [API_HOST, 'other.test']) {
    const page = `https://${host}/whoami`
    const chooser = await agent.visit(page)
    expect(new URL(chooser.url).pathname).toBe('/login')
    const asked = setting.providers.code.asked.length
    const done = await agent.visit(`${chooser.url}&issuer=code`)
    expect([done.url, done.status]).toEqual([page, 200])
    expect(setting.providers.code.asked.length).toBe(asked + 1)
    expect(agent.cookies(host).has(SESSION)).toBe(true)
    expect(agent.cookies(GATEWAY_HOST).has(SESSION)).toBe(false)
    expect((await agent.visit(page)).hops).toHaveLength(1)
  }
})
