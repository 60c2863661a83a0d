// Sessions on two isolates that share their objects: whose cookie counts, what a request costs, and for how long one lives.
import { randomBytes } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { principalId } from '../../worker/documents/published.ts'
import {
  RECHECK_SECONDS,
  type SessionSetting,
  startSessionSetting,
  twice,
} from '../support/session-setting.ts'
import {
  addHost,
  callSessions,
  headersOf,
  listSessions,
  makeCookie,
  SESSION_COOKIE,
} from '../support/sessions.ts'
import { API_HOST, PAYMENTS } from '../support/setting.ts'
import { GATEWAY_HOST } from '../support/stack.ts'

let setting: SessionSetting
beforeAll(async () => {
  setting = await startSessionSetting()
})
afterAll(() => setting.close())

describe('the cookie', () => {
  it('is good on its own host alone, and once a request [2-7]', async () => {
    const session = await setting.start()
    const gateway = await addHost(setting.stack, session, { secret: setting.secret, host: GATEWAY_HOST })
    expect(await setting.everywhere(session)).toEqual(twice('200'))
    expect(await setting.answers(gateway)).toBe('401 session_invalid')
    const both = { cookie: `${session.headers.cookie}; ${gateway.headers.cookie}` }
    expect(await setting.answers({ headers: both })).toBe('401 session_invalid')
    const same = { cookie: `${session.headers.cookie}; ${session.headers.cookie}` }
    expect(await setting.answers({ headers: same })).toBe('401 session_invalid')
  })

  it.each([
    ['among others', (cookie: string) => `a=1; ${cookie}; b=2`, '200'],
    ['without a space between', (cookie: string) => `a=1;${cookie};b=2`, '200'],
    ['within the value of another', (cookie: string) => `a=${cookie}`, '401 credentials_missing'],
    ['under a longer name', (cookie: string) => `x${cookie}`, '401 credentials_missing'],
    ['in other letters', (cookie: string) => cookie.replace('__Host', '__host'), '401 credentials_missing'],
    ['in quotation marks', (cookie: string) => cookie.replace(/=(.*)$/, '="$1"'), '401 session_invalid'],
    ['empty', () => `${SESSION_COOKIE}=`, '401 session_invalid'],
  ])('%s', async (_how, write, answer) => {
    const session = await setting.start()
    expect(await setting.answers({ headers: { cookie: write(session.headers.cookie) } })).toBe(answer)
  })

  it('with one character changed is none, and asks no object [2-7]', async () => {
    const { value } = await setting.start()
    await setting.answers({ headers: headersOf(value) })
    await setting.stack.counts()
    const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_'
    // In each of its parts, and at their ends, where a spelling has bits to spare.
    for (const at of [0, 20, 42, 44, 60, 86, 88, 100, 130]) {
      const before = value[at] as string
      const after = alphabet[(alphabet.indexOf(before) + 1) % 64] as string
      const forged = `${value.slice(0, at)}${after}${value.slice(at + 1)}`
      expect(await setting.answers({ headers: headersOf(forged) })).toBe('401 session_invalid')
    }
    expect((await setting.stack.counts()).sessionCalls).toBe(0)
  })

  it('of another instance, signed with its own key, is none [2-7]', async () => {
    const { principal } = await setting.start()
    const other = makeCookie(randomBytes(32).toString('base64url'), API_HOST, principal)
    expect(await setting.answers({ headers: headersOf(other.value) })).toBe('401 session_invalid')
    // Signed here, and never given to anybody.
    const unknown = makeCookie(setting.secret, API_HOST, principal)
    expect(await setting.answers({ headers: headersOf(unknown.value) })).toBe('401 session_ended')
  })
})

describe('a session that is held', () => {
  it('is served without a call to anything [2-1]', async () => {
    const session = await setting.start()
    expect(await setting.answers(session, 0, PAYMENTS)).toBe('200')
    await setting.stack.counts()
    for (let times = 0; times < 5; times++) expect(await setting.answers(session, 0, PAYMENTS)).toBe('200')
    const none = { statements: 0, kvReads: 0, publisherReads: 0, feedCalls: 0, sessionCalls: 0 }
    expect(await setting.stack.counts()).toEqual(none)
  })

  it('is written down as used once a minute', async () => {
    const session = await setting.start()
    const seen = async () => (await listSessions(setting.stack, session.principal))[0]?.lastSeenAt as number
    const first = await seen()
    expect(await setting.everywhere(session)).toEqual(twice('200'))
    await setting.stack.counts()
    for (let times = 0; times < 5; times++) {
      await setting.stack.advance(11)
      await setting.answers(session)
    }
    expect((await setting.stack.counts()).sessionCalls).toBe(0)
    expect(await seen()).toBe(first)
    await setting.stack.advance(6)
    for (let times = 0; times < 3; times++) await setting.answers(session)
    expect((await setting.stack.counts()).sessionCalls).toBe(1)
    const second = await seen()
    expect(second - first).toBeGreaterThan(59_000)
    // The other isolate has not seen that; its call writes nothing.
    await setting.answers(session, 1)
    expect((await setting.stack.counts(1)).sessionCalls).toBeGreaterThan(0)
    expect(await seen()).toBe(second)
  })

  it('follows the mappings at the next request, not the next sign-in', async () => {
    const session = await setting.start({ claims: { groups: ['followers'] } })
    expect(await setting.everywhere(session, PAYMENTS)).toEqual(twice('403 permission_missing'))
    await setting.giveTo(['readers', 'followers'], { prefer: 'wait' })
    await setting.obeyed()
    expect(await setting.everywhere(session, PAYMENTS)).toEqual(twice('200'))
    await setting.giveTo(['readers'], { prefer: 'wait' })
    await setting.obeyed()
    expect(await setting.everywhere(session, PAYMENTS)).toEqual(twice('403 permission_missing'))
  })

  it('is served for four periods without the feed, and then not, as any other caller', async () => {
    const session = await setting.start()
    expect(await setting.everywhere(session)).toEqual(twice('200'))
    await setting.stack.faults({ publisher: 'unreachable' }, 1)
    await setting.stack.advance(4 * RECHECK_SECONDS - 2)
    expect(await setting.everywhere(session)).toEqual(twice('200'))
    await setting.stack.advance(2)
    expect(await setting.everywhere(session)).toEqual(['200', '503 changes_unavailable'])
    await setting.stack.faults({}, 1)
    // After a call that failed there is a pause.
    await setting.stack.advance(1)
    expect(await setting.everywhere(session)).toEqual(twice('200'))
  })
})

describe('time', () => {
  const set = async (settings: object) => {
    await setting.change('PUT', '/settings/sso', settings)
    await setting.obeyed()
  }

  it('ends a session that is not used, whichever isolate it was used on [2-10]', async () => {
    await set({ inactivityTimeoutSeconds: 3600 })
    const session = await setting.start()
    const idle = await setting.start()
    expect([...(await setting.everywhere(session)), ...(await setting.everywhere(idle))]).toEqual(
      Array(4).fill('200'),
    )
    await setting.stack.advance(3590)
    expect(await setting.answers(session)).toBe('200')
    // The copy of the other isolate is of long ago: the object knows better.
    await setting.stack.advance(100)
    expect(await setting.everywhere(session)).toEqual(twice('200'))
    expect(await setting.everywhere(idle)).toEqual(twice('401 session_expired'))
    await setting.stack.advance(3600)
    expect(await setting.everywhere(session)).toEqual(twice('401 session_expired'))
  })

  it('leaves one alone that is used again and again, however short the timeout is', async () => {
    await set({ inactivityTimeoutSeconds: 60 })
    const session = await setting.start()
    for (let times = 0; times < 8; times++) {
      expect(await setting.answers(session)).toBe('200')
      await setting.stack.advance(31)
    }
    await setting.stack.advance(29)
    expect(await setting.answers(session)).toBe('401 session_expired')
    await set({ inactivityTimeoutSeconds: 86_400 })
  })

  it('ends every session, used or not; a setting that is lowered counts for those that are there', async () => {
    const short = await setting.start({ expiresAt: Date.now() + 24 * 3600_000 })
    const session = await setting.start({ subject: 'lasting' })
    const { expiresAt, startedAt } = (await listSessions(setting.stack, session.principal))[0] as {
      expiresAt: number
      startedAt: number
    }
    expect(expiresAt - startedAt).toBe(30 * 24 * 3600_000)
    for (let days = 0; days < 2; days++) {
      expect(await setting.answers(session)).toBe('200')
      await setting.stack.advance(12 * 3600)
    }
    expect(await setting.everywhere(session)).toEqual(twice('200'))
    expect(await setting.answers(short)).toMatch(/^401 session_e/)
    expect(await listSessions(setting.stack, short.principal)).toEqual([])
    await set({ lifetimeSeconds: 3600 })
    expect(await setting.everywhere(session)).toEqual(twice('401 session_expired'))
    const { items } = JSON.parse((await setting.edit('GET', '/sessions?issuer=main&subject=lasting')).text)
    expect(items).toEqual([])
    await set({ lifetimeSeconds: 2_592_000 })
  })
})

describe('an object of sessions', () => {
  it('keeps nothing of a principal that has none', async () => {
    const principal = await principalId('main', 'never-was')
    expect(await listSessions(setting.stack, principal)).toEqual([])
    expect(await callSessions(setting.stack, principal, 'end', { kind: 'all' }, 'nothing is there')).toEqual(
      [],
    )
    expect(await callSessions(setting.stack, principal, 'touch', 'none', 1)).toBeNull()
    expect(await callSessions(setting.stack, principal, 'addHost', 'none', { host: 'a', hash: 'b' })).toBe(
      false,
    )
  })

  it('lets one renew at a time, and tells isolates of what is new', async () => {
    const session = await setting.start({ refreshToken: 'sealed', claims: { groups: [] } })
    const { principal, id } = session
    const call = (method: string, ...args: unknown[]) => {
      return callSessions<unknown>(setting.stack, principal, method, ...args)
    }
    expect(await setting.everywhere(session, PAYMENTS)).toEqual(twice('403 permission_missing'))
    expect(await call('beginRenewal', id)).toEqual({ refreshToken: 'sealed' })
    expect(await call('beginRenewal', id)).toBeNull()
    // Whoever was to do it is gone.
    await setting.stack.advance(30)
    expect(await call('beginRenewal', id)).toEqual({ refreshToken: 'sealed' })
    const [listed] = await listSessions(setting.stack, principal)
    const claims = { iss: setting.issuer.url, sub: listed?.subject, groups: ['readers'] }
    const claimsAt = Date.now()
    await call('finishRenewal', id, { claims, claimsAt, refreshToken: 'next', groups: ['readers'] })
    expect(await call('beginRenewal', id)).toBeNull()
    await setting.obeyed()
    expect(await setting.everywhere(session, PAYMENTS)).toEqual(twice('200'))
    await setting.stack.advance(300)
    expect(await call('beginRenewal', id)).toEqual({ refreshToken: 'next' })
    await call('finishRenewal', id, null)
    expect(await call('get', id)).toMatchObject({ renewable: true, lastKnown: { names: ['readers'] } })
  })
})
