// Whatever ends a session is obeyed everywhere once the re-check time is over: two isolates that share their objects hold
// copies of it. What an end costs is counted: one object for a person, none for an organization, an issuer or all.
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type SessionSetting, startSessionSetting, twice } from '../support/session-setting.ts'
import { addHost, csrfOf, listSessions, type StartedSession } from '../support/sessions.ts'
import { API_HOST, PAYMENTS, WEB } from '../support/setting.ts'
import { GATEWAY_HOST } from '../support/stack.ts'

const BOTH = [0, 1]

let setting: SessionSetting
beforeAll(async () => {
  setting = await startSessionSetting()
})
afterAll(() => setting.close())

describe('an end is obeyed everywhere within the re-check time', () => {
  it('of one session: its person’s others go on, and one object is asked', async () => {
    const [one, other] = [await setting.start({ subject: 'one' }), await setting.start({ subject: 'one' })]
    expect([...(await setting.everywhere(one)), ...(await setting.everywhere(other))]).toEqual(
      Array(4).fill('200'),
    )
    const body = { issuer: 'main', subject: 'one', session: one.id }
    expect(await setting.operate('/sessions:end', body)).toEqual({ json: { ended: 1 }, sessionCalls: 1 })
    await setting.obeyed()
    expect(await setting.everywhere(one)).toEqual(twice('401 session_ended'))
    expect(await setting.everywhere(other)).toEqual(twice('200'))
  })

  it('of all of a person, on any host and device: one object is asked [2-22] [2-24]', async () => {
    const sessions = await Promise.all([1, 2, 3].map(() => setting.start({ subject: 'all' })))
    const elsewhere = await addHost(setting.stack, sessions[0] as StartedSession, {
      secret: setting.secret,
      host: GATEWAY_HOST,
    })
    const me = () =>
      Promise.all(
        BOTH.map(async (isolate) => {
          const { headers } = elsewhere
          const asked = { host: GATEWAY_HOST, path: '/api/v1/me', headers, isolate }
          return (await setting.stack.send(asked)).status
        }),
      )
    const stranger = await setting.start()
    for (const session of [...sessions, stranger])
      expect(await setting.everywhere(session)).toEqual(twice('200'))
    expect(await me()).toEqual([200, 200])
    const ended = await setting.operate('/sessions:end', { issuer: 'main', subject: 'all' })
    expect(ended).toEqual({ json: { ended: 3 }, sessionCalls: 1 })
    await setting.obeyed()
    for (const session of sessions)
      expect(await setting.everywhere(session)).toEqual(twice('401 session_ended'))
    expect(await me()).toEqual([401, 401])
    expect(await setting.everywhere(stranger)).toEqual(twice('200'))
  })

  it('of a user: with every identity', async () => {
    const identities = [
      { issuer: 'main', subject: 'linked' },
      { issuer: 'second', subject: 'linked-too' },
    ]
    const { id } = await setting.make('POST', '/users', { displayName: 'Linked', identities })
    const sessions = await Promise.all(identities.map((identity) => setting.start(identity)))
    await setting.obeyed()
    for (const session of sessions) expect(await setting.everywhere(session)).toEqual(twice('200'))
    const listed = JSON.parse((await setting.edit('GET', `/sessions?user=${id}`)).text)
    expect(listed.items).toHaveLength(2)
    expect((await setting.operate('/sessions:end', { user: id })).json).toEqual({ ended: 2 })
    await setting.obeyed()
    for (const session of sessions)
      expect(await setting.everywhere(session)).toEqual(twice('401 session_ended'))
  })

  it('of a user, by App ID’s path; of a subject only where one issuer signs people in [2-22] [2-23]', async () => {
    const identities = [{ issuer: 'main', subject: 'by-app-id' }]
    const { id } = await setting.make('POST', '/users', { displayName: 'By App ID', identities })
    const session = await setting.start({ subject: 'by-app-id' })
    expect(await setting.everywhere(session)).toEqual(twice('200'))
    const end = async (named: string) => {
      const path = `/management/v4/postern/cloud_directory/Users/${named}/sso/logout`
      const headers = { 'content-type': 'application/json' }
      const token = setting.token({ sub: 'olivia', groups: ['owners'] })
      return setting.stack.send({ host: GATEWAY_HOST, method: 'POST', path, token, headers, body: '{}' })
    }
    // Two issuers of the instance may mean somebody else by it each.
    expect((await end('by-app-id')).status).toBe(404)
    expect(await setting.everywhere(session)).toEqual(twice('200'))
    const { status, text } = await end(id as string)
    expect([status, text]).toEqual([204, ''])
    await setting.obeyed()
    expect(await setting.everywhere(session)).toEqual(twice('401 session_ended'))
  })

  it('of an organization: no object is asked; sessions of others end there alone', async () => {
    const own = await setting.start({ issuer: 'acme/own', organization: 'acme' })
    const shared = await setting.start({ claims: { groups: ['readers', 'web-readers'] } })
    expect([
      ...(await setting.everywhere(own, PAYMENTS)),
      ...(await setting.everywhere(shared, PAYMENTS)),
    ]).toEqual(Array(4).fill('200'))
    const ended = await setting.operate('/organizations/acme/sessions:end', {})
    expect(ended).toEqual({ json: { ended: null }, sessionCalls: 0 })
    await setting.obeyed()
    await setting.stack.counts()
    expect(await setting.everywhere(own)).toEqual(twice('401 session_ended'))
    expect(await setting.everywhere(shared, PAYMENTS)).toEqual(twice('401 session_ended'))
    expect(await setting.everywhere(shared, WEB)).toEqual(twice('200'))
    // Nor is one asked when they come again.
    expect((await setting.stack.counts()).sessionCalls).toBe(0)
    // Whoever signs in anew comes in.
    const again = await setting.start({ issuer: 'acme/own', organization: 'acme' })
    expect(await setting.everywhere(again, PAYMENTS)).toEqual(twice('200'))
  })

  it('of an issuer: no object is asked', async () => {
    const second = await setting.start({ issuer: 'second' })
    const main = await setting.start()
    expect([...(await setting.everywhere(second)), ...(await setting.everywhere(main))]).toEqual(
      Array(4).fill('200'),
    )
    const ended = await setting.operate('/sessions:end', { issuer: 'second' })
    expect(ended).toEqual({ json: { ended: null }, sessionCalls: 0 })
    await setting.obeyed()
    expect(await setting.everywhere(second)).toEqual(twice('401 session_ended'))
    expect(await setting.everywhere(main)).toEqual(twice('200'))
  })

  it('of all: no object is asked but the one of who stays signed in [T6]', async () => {
    const sessions = await Promise.all([setting.start(), setting.start({ issuer: 'second' })])
    for (const session of sessions) expect(await setting.everywhere(session)).toEqual(twice('200'))
    const ended = await setting.operate('/sessions:end?confirm=all', { all: true })
    expect(ended).toEqual({ json: { ended: null }, sessionCalls: 0 })
    await setting.obeyed()
    for (const session of sessions)
      expect(await setting.everywhere(session)).toEqual(twice('401 session_ended'))
    // It is at all ends of the feed, also for an isolate that asks for the first time.
    expect(await setting.everywhere(await setting.start())).toEqual(twice('200'))
  })

  it('by the person: all others, and the one in use goes on', async () => {
    const { csrf, owner, gateway } = await signedInOwner()
    const other = await setting.start({ subject: 'olivia' })
    expect(await setting.everywhere(other)).toEqual(twice('200'))
    const listed = await setting.stack.send({
      host: GATEWAY_HOST,
      path: '/api/v1/me/sessions',
      headers: gateway.headers,
    })
    const items = JSON.parse(listed.text).items as { id: string; current: boolean; hosts: string[] }[]
    expect(items.map(({ id, current, hosts }) => ({ id, current, hosts }))).toEqual([
      { id: owner.id, current: true, hosts: [API_HOST, GATEWAY_HOST] },
      { id: other.id, current: false, hosts: [API_HOST] },
    ])
    await csrf('/me/sessions:end', {})
    await setting.obeyed()
    expect(await setting.everywhere(other)).toEqual(twice('401 session_ended'))
    expect(await setting.everywhere(owner)).toEqual(twice('200'))
  })

  it('of all by a session, which stays unless it is to end as well [T6]', async () => {
    const { csrf, owner } = await signedInOwner()
    const other = await setting.start()
    expect([...(await setting.everywhere(owner)), ...(await setting.everywhere(other))]).toEqual(
      Array(4).fill('200'),
    )
    await csrf('/sessions:end?confirm=all', { all: true })
    await setting.obeyed()
    expect(await setting.everywhere(owner)).toEqual(twice('200'))
    expect(await setting.everywhere(other)).toEqual(twice('401 session_ended'))
    await csrf('/sessions:end?confirm=all', { all: true, own: true })
    await setting.obeyed()
    expect(await setting.everywhere(owner)).toEqual(twice('401 session_ended'))
  })

  /** An owner with a session on the gateway host and on the fronted one. */
  async function signedInOwner() {
    const owner = await setting.start({ subject: 'olivia', claims: { groups: ['owners'] } })
    const gateway = await addHost(setting.stack, owner, { secret: setting.secret, host: GATEWAY_HOST })
    const token = csrfOf(setting.secret, gateway.value)
    const csrf = async (path: string, body: object) => {
      const headers = {
        ...gateway.headers,
        'content-type': 'application/json',
        'sec-fetch-site': 'same-origin',
        'postern-csrf': token,
      }
      const asked = { host: GATEWAY_HOST, method: 'POST', path: `/api/v1${path}`, headers }
      expect((await setting.stack.send({ ...asked, body: JSON.stringify(body) })).status).toBe(200)
    }
    return { owner, gateway, csrf }
  }
})

describe('a session ends by itself', () => {
  it('when its user is deactivated', async () => {
    const identities = [{ issuer: 'main', subject: 'leaver' }]
    const { id } = await setting.make('POST', '/users', { displayName: 'Leaver', identities })
    const session = await setting.start({ subject: 'leaver' })
    await setting.obeyed()
    expect(await setting.everywhere(session)).toEqual(twice('200'))
    await setting.change('PATCH', `/users/${id}`, { status: 'inactive' })
    await setting.obeyed()
    expect(await setting.everywhere(session)).toEqual(twice('403 principal_inactive'))
  })

  it('when the browser begins another, or a person has more than a hundred', async () => {
    const first = await setting.start({ subject: 'collector' })
    expect(await setting.everywhere(first)).toEqual(twice('200'))
    const second = await setting.start({ subject: 'collector', replaces: first.id })
    await setting.obeyed()
    expect(await setting.everywhere(first)).toEqual(twice('401 session_ended'))
    for (let sessions = 1; sessions < 100; sessions++) await setting.start({ subject: 'collector' })
    expect(await setting.answers(second)).toBe('200')
    const last = await setting.start({ subject: 'collector' })
    await setting.obeyed()
    expect(await setting.everywhere(second)).toEqual(twice('401 session_ended'))
    expect(await setting.everywhere(last)).toEqual(twice('200'))
    expect(await listSessions(setting.stack, second.principal)).toHaveLength(100)
  })

  it('when the organization that vouches is deleted', async () => {
    const session = await setting.start({ issuer: 'brief/own', organization: 'brief' })
    // Known, and vouched for there alone.
    expect(await setting.everywhere(session)).toEqual(twice('403 outside_voucher'))
    await setting.change('DELETE', '/organizations/brief', undefined, '?confirm=brief')
    await setting.obeyed()
    expect(await setting.everywhere(session)).toEqual(twice('401 session_ended'))
  })

  it('when its issuer is another under the same id, and when it is gone', async () => {
    const before = await setting.start({ issuer: 'second' })
    expect(await setting.everywhere(before)).toEqual(twice('200'))
    const { issuer } = JSON.parse((await setting.edit('GET', '/issuers/second')).text)
    await setting.change('PUT', '/issuers/second', {
      settings: { ...issuer, issuer: 'https://moved.example.org' },
    })
    await setting.obeyed()
    expect(await setting.everywhere(before)).toEqual(twice('401 session_ended'))
    const after = await setting.start({ issuer: 'second', claims: { iss: 'https://moved.example.org' } })
    expect(await setting.everywhere(after)).toEqual(twice('200'))
    await setting.change('DELETE', '/issuers/second', undefined, '?confirm=second')
    await setting.obeyed()
    for (const session of [before, after]) {
      expect(await setting.everywhere(session)).toEqual(twice('401 session_ended'))
    }
    // Nor does another of that id and iss bring them back.
    const again = { clientId: 'postern', clientAuthentication: 'none' }
    const settings = { issuer: 'https://moved.example.org', signIn: again }
    await setting.make('POST', '/issuers', { id: 'second', settings })
    await setting.obeyed()
    expect(await setting.everywhere(after)).toEqual(twice('401 session_ended'))
    const claims = { iss: 'https://moved.example.org' }
    expect(await setting.everywhere(await setting.start({ issuer: 'second', claims }))).toEqual(twice('200'))
  })
})
