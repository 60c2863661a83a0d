// Break-glass: with LOCAL_RESTORE a temporary password is the only way in; it is said once for each deployment, good for
// an hour and five guesses, and every use stands in the audit log.
import { pbkdf2Sync } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import {
  addressOf,
  beginSignIn,
  carry,
  cookieOf,
  pageRefusal,
  recordId,
  type ScriptedSetting,
  sessionCookie,
  startScriptedSetting,
} from '../support/scripted-sign-in.ts'
import { API_HOST } from '../support/setting.ts'
import { GATEWAY_HOST, GATEWAY_ORIGIN } from '../support/stack.ts'
import type { UserAgent } from '../support/user-agent.ts'

const LOGIN = `${GATEWAY_ORIGIN}/login?return_to=/healthz`
const SAID = /temporary password ([a-z2-9+-]+) within/
const ORIGINS = { GATEWAY_ORIGINS: `${GATEWAY_ORIGIN},https://second.test,http://plain.test` }
let setting: ScriptedSetting
/** Signed in by the provider, before the variable was set. */
let before: UserAgent
/** Signed in by the password. */
let owner: UserAgent
let password = ''
beforeAll(async () => {
  setting = await startScriptedSetting()
  before = setting.browser()
  await carry(setting, before, 'code', await beginSignIn(setting, before, 'code'))
  await deploy({ LOCAL_RESTORE: 'true' })
})
afterAll(() => setting.close())

/** The same instance with other variables. */
async function deploy(variables: Record<string, string>): Promise<void> {
  await setting.stack.restart({ variables: { ...ORIGINS, ...variables } })
  await setting.stack.publish()
}

const said = () => setting.stack.logs.flatMap((line) => SAID.exec(line)?.[1] ?? [])
const open = (by = setting.browser()) => by.visit(LOGIN, { headers: addressOf(by) })
const guess = (text: string, by = setting.browser(), from = GATEWAY_ORIGIN) => {
  return by.visit(LOGIN, { method: 'POST', form: { password: text }, from, headers: addressOf(by) })
}
const me = (by: UserAgent) => by.fetch(`${GATEWAY_ORIGIN}/api/v1/me`)
const audited = async () => {
  const { results } = await (await setting.stack.database())
    .prepare("SELECT operation, actor FROM audit_events WHERE target_kind = 'restore' ORDER BY number")
    .all<{ operation: string; actor: string }>()
  return results
}

describe('LOCAL_RESTORE [0-33]', () => {
  it('makes no password, and lets nobody in, while the audit log cannot be written', async () => {
    await setting.stack.faults({ d1: 'unreachable' })
    expect(pageRefusal(await open())).toBe('503 database_unavailable')
    await setting.stack.faults({})
    expect(said()).toEqual([])
  })

  it('says a password once, and asks for it', async () => {
    for (const page of await Promise.all([open(), open(), open()])) {
      expect(page.text).toContain('<input id="password" name="password" type="password"')
    }
    expect(said()).toHaveLength(1)
    password = said()[0] as string
    expect(password.replaceAll('-', '')).toHaveLength(32)
    await setting.stack.faults({ d1: 'unreachable' })
    const refused = setting.browser()
    expect(pageRefusal(await guess(password, refused))).toBe('503 database_unavailable')
    expect(sessionCookie(refused)).toBeUndefined()
    await setting.stack.faults({})
  })

  it('switches off every other way in; sessions and machines go on', async () => {
    const agent = setting.browser()
    const page = await agent.visit(`${GATEWAY_ORIGIN}/login?issuer=${recordId('code')}`)
    expect(page.text).toContain('Temporary password')
    expect(pageRefusal(await agent.visit(`${GATEWAY_ORIGIN}/oidc/callback?state=0.x&code=x`))).toBe(
      '403 sign_in_off',
    )
    expect((await me(before)).status).toBe(200)
    // To a host it has not been to yet as well.
    const there = await before.visit(`https://${API_HOST}/whoami`)
    expect([there.status, there.url]).toEqual([200, `https://${API_HOST}/whoami`])
    expect((await open(before)).text).toContain('Temporary password')
    expect((await setting.get(setting.token())).status).toBe(200)
    expect((await setting.health()).warnings.join()).toContain('LOCAL_RESTORE is set')
  })

  it('makes whoever has the password owner, on every host', async () => {
    owner = setting.browser()
    // A fronted host leads to the form, whose answer leads back: Chromium asks the policy of the page of that.
    const form = await owner.visit(`https://${API_HOST}/orgs/acme`)
    expect(form.headers['content-security-policy']).toContain(`form-action 'self' https://${API_HOST};`)
    const there = await owner.visit(form.url, { method: 'POST', form: { password }, from: GATEWAY_ORIGIN })
    expect([there.status, there.url]).toEqual([200, `https://${API_HOST}/orgs/acme`])
    expect(there.text).toBe('the upstream answers')
    const { roles } = JSON.parse((await me(owner)).text) as { roles: { role: string }[] }
    expect(roles.map(({ role }) => role)).toContain('GLOBAL_OWNER')
    expect((await open(owner)).url).toBe(`${GATEWAY_ORIGIN}/healthz`)
  })

  it('writes what the owner changes into the audit log under its own name', async () => {
    const { status, text } = await owner.fetch(`${GATEWAY_ORIGIN}/api/v1/organizations`, {
      method: 'POST',
      body: JSON.stringify({ slug: 'mended', displayName: 'Mended' }),
      from: GATEWAY_ORIGIN,
      headers: {
        'content-type': 'application/json',
        'postern-csrf': cookieOf(owner, '__Host-postern-csrf') as string,
      },
    })
    expect([status, text]).toEqual([201, expect.stringContaining('mended')])
    const { results } = await (await setting.stack.database())
      .prepare("SELECT actor_key FROM audit_events WHERE target = 'mended'")
      .all<{ actor_key: string }>()
    expect(new Set(results.map((row) => row.actor_key))).toEqual(new Set(['postern local-restore']))
  })

  it('is over after an hour, the session and the password', async () => {
    await setting.stack.advance(3601)
    expect((await me(owner)).status).toBe(401)
    expect(pageRefusal(await open())).toBe('403 password_spent')
    expect(pageRefusal(await guess(password))).toBe('403 password_spent')
    expect(said()).toHaveLength(1)
  })

  it('makes another for the next deployment, and takes five guesses of it, none from another site', async () => {
    await deploy({ LOCAL_RESTORE: 'true' })
    await open()
    const [, next] = said() as [string, string]
    expect(next).not.toBe(password)
    expect(pageRefusal(await guess(next, setting.browser(), 'https://evil.test'))).toBe(
      '403 cross_site_request',
    )
    const guesses = await Promise.all(Array.from({ length: 7 }, (_, index) => guess(`${next}${index}`)))
    const answers = guesses.map(pageRefusal).sort()
    expect(answers.filter((answer) => answer === '401 password_wrong')).toHaveLength(5)
    expect(answers.filter((answer) => answer === '403 password_spent')).toHaveLength(2)
    expect(pageRefusal(await guess(next))).toBe('403 password_spent')
  })

  it('stands in the audit log with every use, and the password nowhere but once in the log', async () => {
    const events = await audited()
    // The three that opened the page at once may each have said that a password is to be made.
    const operations = events.map(({ operation }) => operation).join(' ')
    expect(operations).toMatch(
      /^(?:restore\.password ){1,3}restore\.right restore\.password(?: restore\.wrong){5}$/,
    )
    expect(events.every(({ actor }) => actor.includes('local-restore'))).toBe(true)
    const database = await setting.stack.database()
    const all = JSON.stringify([
      await database.prepare('SELECT * FROM audit_events').all(),
      await database.prepare('SELECT * FROM versions').all(),
    ])
    for (const secret of said()) {
      expect(setting.stack.logs.filter((line) => line.includes(secret))).toHaveLength(1)
      expect(all).not.toContain(secret)
    }
  })

  it('with LOCAL_RESTORE_PASSWORD_HASH nothing is logged, and guesses come anew each hour', async () => {
    const given = 'correct-horse-battery-staple'
    const salt = Buffer.from('sixteen bytes it')
    const hash = pbkdf2Sync(given, salt, 100_000, 32, 'sha256').toString('base64url')
    const LOCAL_RESTORE_PASSWORD_HASH = `pbkdf2-sha256$100000$${salt.toString('base64url')}$${hash}`
    await deploy({ LOCAL_RESTORE: 'true', LOCAL_RESTORE_PASSWORD_HASH })
    expect((await open()).text).toContain('LOCAL_RESTORE_PASSWORD_HASH was made of')
    for (let times = 0; times < 5; times++) {
      expect(pageRefusal(await guess(`${given}${times}`))).toBe('401 password_wrong')
    }
    expect(pageRefusal(await guess(given))).toBe('403 password_spent')
    await setting.stack.advance(3601)
    owner = setting.browser()
    expect((await guess(given, owner)).url).toBe(`${GATEWAY_ORIGIN}/healthz`)
    expect((await me(owner)).status).toBe(200)
    expect(said()).toHaveLength(2)
    expect(setting.stack.logs.join()).not.toContain(given)
    expect(setting.stack.logs.join()).not.toContain(hash)
  })

  it('ends with the variable, and everything is as before [0-34]', async () => {
    await deploy({})
    expect(JSON.parse((await me(owner)).text).reason).toBe('session_ended')
    const posted = await setting.stack.send({ host: GATEWAY_HOST, path: '/login', method: 'POST' })
    expect(posted.status).toBe(404)
    const person = setting.browser()
    const done = await carry(setting, person, 'code', await beginSignIn(setting, person, 'code'))
    expect(done.url).toBe(`${GATEWAY_ORIGIN}/healthz`)
    expect((await setting.health()).warnings.join()).not.toContain('LOCAL_RESTORE')
  })
})

describe('beginning to sign in, from one address', () => {
  it('is stopped after 60 in a minute; other addresses are not', async () => {
    const begin = (address: string) => {
      const headers = { 'cf-connecting-ip': address, accept: 'text/html' }
      return setting.stack.send({ host: GATEWAY_HOST, path: '/login?return_to=//evil.test', headers })
    }
    let taken = 0
    // Twice the limit, and more: its minute may end in the middle.
    let answer = await begin('198.51.100.1')
    for (; answer.status === 400 && taken < 130; taken++) answer = await begin('198.51.100.1')
    expect(taken).toBeGreaterThanOrEqual(60)
    expect(taken).toBeLessThanOrEqual(120)
    expect(pageRefusal(answer as never)).toBe('429 too_many_requests')
    expect(answer.headers['retry-after']).toBe('60')
    expect((await begin('198.51.100.2')).status).toBe(400)
  })
})

describe('LOCAL_RESTORE_PASSWORD_HASH that is none', () => {
  it('is a fault that names it, and lets nobody in', async () => {
    await deploy({ LOCAL_RESTORE: 'true', LOCAL_RESTORE_PASSWORD_HASH: 'pbkdf2-sha256$999999$c2FsdA$aGFzaA' })
    expect(pageRefusal(await open())).toBe('500 fault')
    expect(pageRefusal(await guess('anything'))).toBe('500 fault')
    expect(setting.stack.logs.join()).toContain('LOCAL_RESTORE_PASSWORD_HASH must be what')
  })
})
