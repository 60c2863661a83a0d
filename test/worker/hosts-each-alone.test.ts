// Where single sign-on is off, each fronted host asks the identity provider for itself, and gets a session that is good on
// that host alone.
import { afterAll, beforeAll, expect, it } from 'vitest'
import { pageRefusal, type ScriptedSetting, startScriptedSetting } from '../support/scripted-sign-in.ts'
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

it('whoever signs in once more has another session, and the one before has ended', async () => {
  const agent = setting.browser()
  const whoami = `https://${API_HOST}/whoami`
  const cookies: (string | undefined)[] = []
  for (let times = 0; times < 2; times++) {
    const chooser = await agent.visit(`https://${API_HOST}/.postern/login?return_to=/whoami`)
    expect((await agent.visit(`${chooser.url}&issuer=code`)).url).toBe(whoami)
    cookies.push(agent.cookies(API_HOST).get(SESSION))
  }
  await setting.stack.advance(16)
  expect((await agent.fetch(whoami)).status).toBe(200)
  agent.setCookie(API_HOST, `${SESSION}=${cookies[0]}; Path=/; Secure; SameSite=Lax`)
  const before = await agent.fetch(whoami)
  expect([before.status, JSON.parse(before.text).reason]).toEqual([401, 'session_ended'])
})

it('over http nobody signs in on a host that is not this machine', async () => {
  await setting.stack.restart({ variables: { GATEWAY_ORIGINS: `http://${GATEWAY_HOST}` } })
  const agent = setting.browser()
  for (const page of [`https://${API_HOST}/whoami`, `https://${GATEWAY_HOST}/login`]) {
    const refused = await agent.visit(page)
    expect([refused.hops.length, pageRefusal(refused)]).toEqual([1, '400 transport_not_secure'])
  }
  const variables = { GATEWAY_ORIGINS: `http://${GATEWAY_HOST}`, DANGEROUSLY_ALLOW_HTTP_SIGN_IN: 'true' }
  await setting.stack.restart({ variables })
  const { hops } = await agent.fetch(`https://${API_HOST}/.postern/login`)
  expect(hops[0]?.location).toMatch(/^http:\/\/gateway\.test\/login\?request=/)
})
