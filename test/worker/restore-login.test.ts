// Break-glass: with LOCAL_RESTORE a temporary password is the only way in; it is said once, good for an hour and five
// guesses, and every use stands in the audit log.
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import {
  beginSignIn,
  carry,
  cookieOf,
  pageRefusal,
  type ScriptedSetting,
  startScriptedSetting,
} from '../support/scripted-sign-in.ts'
import { API_HOST } from '../support/setting.ts'
import { GATEWAY_ORIGIN } from '../support/stack.ts'
import type { UserAgent } from '../support/user-agent.ts'

const LOGIN = `${GATEWAY_ORIGIN}/login?return_to=/healthz`
const SAID = /temporary password ([a-z2-9+-]+) within/
let setting: ScriptedSetting
let before: UserAgent
let password = ''
beforeAll(async () => {
  setting = await startScriptedSetting()
  before = setting.browser()
  await carry(setting, before, 'code', await beginSignIn(setting, before, 'code'))
  await setting.stack.restart({
    variables: {
      GATEWAY_ORIGINS: `${GATEWAY_ORIGIN},https://second.test,http://plain.test`,
      LOCAL_RESTORE: 'true',
    },
  })
  await setting.stack.publish()
})
afterAll(() => setting.close())

const said = () => setting.stack.logs.flatMap((line) => SAID.exec(line)?.[1] ?? [])
const guess = (text: string, by = setting.browser(), from = GATEWAY_ORIGIN) => {
  return by.visit(LOGIN, { method: 'POST', form: { password: text }, from })
}
const me = (by: UserAgent) => by.fetch(`${GATEWAY_ORIGIN}/api/v1/me`)

describe('LOCAL_RESTORE [0-33]', () => {
  it('says a password once, and asks for it', async () => {
    for (let times = 0; times < 2; times++) {
      const page = await setting.browser().visit(LOGIN)
      expect(page.text).toContain('<input id="password" name="password" type="password"')
    }
    expect(said()).toHaveLength(1)
    password = said()[0] as string
    expect(password.replaceAll('-', '')).toHaveLength(32)
  })

  it('switches off every other way in; sessions and machines go on', async () => {
    const agent = setting.browser()
    const page = await agent.visit(`${GATEWAY_ORIGIN}/login?issuer=code`)
    expect(page.url).toContain(GATEWAY_ORIGIN)
    expect(pageRefusal(await agent.visit(`${GATEWAY_ORIGIN}/oidc/callback?state=0.x&code=x`))).toBe(
      '403 sign_in_off',
    )
    expect((await me(before)).status).toBe(200)
    expect((await setting.get(setting.token())).status).toBe(200)
  })

  it('makes whoever has the password owner, for that session, on every host', async () => {
    const agent = setting.browser()
    expect((await guess(password, agent)).url).toBe(`${GATEWAY_ORIGIN}/healthz`)
    const { roles } = JSON.parse((await me(agent)).text) as { roles: { role: string }[] }
    expect(roles.map(({ role }) => role)).toContain('GLOBAL_OWNER')
    const there = await agent.visit(`https://${API_HOST}/orgs/acme`)
    expect(there.status).toBe(200)
    expect(cookieOf(agent, '__Host-postern-csrf')).toBeDefined()
    await setting.stack.advance(3601)
    expect((await me(agent)).status).toBe(401)
  })

  it('counts five guesses within the hour, and takes none from another site', async () => {
    await setting.browser().visit(LOGIN)
    const [, next] = said() as [string, string]
    expect(next).not.toBe(password)
    expect(pageRefusal(await guess(next, setting.browser(), 'https://evil.test'))).toBe(
      '403 cross_site_request',
    )
    for (let times = 0; times < 5; times++) {
      expect(pageRefusal(await guess(`${next}x`))).toBe('401 password_wrong')
    }
    expect(pageRefusal(await guess(next))).toBe('403 password_spent')
    expect(pageRefusal(await guess(password))).toBe('403 password_spent')
  })

  it('stands in the audit log with every use, without the password', async () => {
    const database = await setting.stack.database()
    const { results } = await database
      .prepare("SELECT operation, actor FROM audit_events WHERE target_kind = 'restore' ORDER BY number")
      .all<{ operation: string; actor: string }>()
    expect(results.map(({ operation }) => operation)).toEqual([
      'restore.password',
      'restore.right',
      'restore.password',
      ...Array.from({ length: 5 }, () => 'restore.wrong'),
      'restore.spent',
      'restore.spent',
    ])
    expect(results[0]?.actor).toContain('local-restore')
    expect(said()).toHaveLength(2)
    const once = setting.stack.logs.filter((line) => line.includes(password))
    expect(once).toHaveLength(1)
    expect(JSON.stringify(await database.prepare('SELECT * FROM audit_events').all())).not.toContain(password)
  })

  it('ends with the variable, and everything is as before [0-34]', async () => {
    await setting.stack.advance(3601)
    const agent = setting.browser()
    await agent.visit(LOGIN)
    await guess(said().at(-1) as string, agent)
    expect((await me(agent)).status).toBe(200)
    await setting.stack.restart({ variables: { GATEWAY_ORIGINS: GATEWAY_ORIGIN } })
    await setting.stack.publish()
    expect(JSON.parse((await me(agent)).text).reason).toBe('session_ended')
    const person = setting.browser()
    const done = await carry(setting, person, 'code', await beginSignIn(setting, person, 'code'))
    expect(done.url).toBe(`${GATEWAY_ORIGIN}/healthz`)
  })
})
