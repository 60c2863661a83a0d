// What is answered as ended is ended, and told: the change feed is away, or the process dies between the end and its
// announcement. Every request asks what is new here (re-check time 0). In the end the instance's secret is changed.
import { execFileSync } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { afterAll, beforeAll, expect, it } from 'vitest'
import type { Change, Changes } from '../../worker/documents/published.ts'
import { type SessionSetting, startSessionSetting, twice } from '../support/session-setting.ts'
import { callSessions, listSessions, type StartedSession } from '../support/sessions.ts'

let setting: SessionSetting
beforeAll(async () => {
  setting = await startSessionSetting({ RECHECK_SECONDS: '0' })
})
afterAll(() => setting.close())

/** As a power cut would: nothing that is under way comes to an end. */
async function die(): Promise<void> {
  const own = execFileSync('pgrep', ['-P', `${process.pid}`, 'workerd'], { encoding: 'utf8' })
  const pids = own.trim().split('\n')
  expect(pids).toHaveLength(1)
  process.kill(Number(pids[0]), 'SIGKILL')
}

async function told(kind: Change['kind'], key: string): Promise<boolean> {
  const body = JSON.stringify({ method: 'since', args: [null] })
  const answer = await fetch(`http://127.0.0.1:${setting.stack.port()}/.test/publisher`, {
    method: 'POST',
    body,
  })
  const { changes } = (await answer.json()) as Changes
  return changes.some((change) => change.kind === kind && change.key === key)
}

const endAll = ({ principal }: StartedSession) => {
  return callSessions<object[]>(setting.stack, principal, 'end', { kind: 'all' }, 'the test ends it')
}

it('with no time to go without asking, the very next request is refused, on any isolate', async () => {
  for (const from of [0, 1]) {
    const session = await setting.start({ subject: `next-${from}` })
    expect(await setting.everywhere(session)).toEqual(twice('200'))
    await setting.operate('/sessions:end', { issuer: 'main', subject: `next-${from}` })
    expect(await setting.answers(session, 1 - from)).toBe('401 session_ended')
    expect(await setting.answers(session, from)).toBe('401 session_ended')
  }
  // Each request asks: for the route, and once more when it is known to be a session's.
  const session = await setting.start()
  await setting.answers(session)
  await setting.stack.counts()
  await setting.answers(session)
  expect((await setting.stack.counts()).feedCalls).toBe(2)
})

it('an end that the feed could not be told is told later; until then it is ended all the same', async () => {
  const session = await setting.start()
  await setting.objectFaults('feed=fails')
  expect(await endAll(session)).toHaveLength(1)
  expect(await told('principal', session.principal)).toBe(false)
  expect(await setting.everywhere(session)).toEqual(twice('401 session_ended'))
  await setting.objectFaults('feed=works')
  await setting.until(() => told('principal', session.principal))
  expect(await told('session', session.id)).toBe(true)
})

it('an end outlives the process that dies before it is announced, and so does a session that has begun', async () => {
  const [ended, alive] = [await setting.start(), await setting.start()]
  const other = await setting.start({ subject: 'twice' })
  const second = await setting.start({ subject: 'twice' })
  expect([...(await setting.everywhere(ended)), ...(await setting.everywhere(alive))]).toEqual(
    Array(4).fill('200'),
  )
  await setting.objectFaults('feed=fails')
  await endAll(ended)
  await callSessions(setting.stack, other.principal, 'end', { kind: 'session', id: other.id }, 'one of two')
  expect([await told('principal', ended.principal), await told('session', other.id)]).toEqual([false, false])
  await die()
  await setting.stack.restart()
  // Nobody asks the objects for anything: their alarms go on.
  await setting.until(async () => {
    return (await told('principal', ended.principal)) && (await told('session', other.id))
  })
  expect(await setting.everywhere(ended)).toEqual(twice('401 session_ended'))
  expect(await setting.everywhere(other)).toEqual(twice('401 session_ended'))
  expect(await setting.everywhere(alive)).toEqual(twice('200'))
  expect(await setting.everywhere(second)).toEqual(twice('200'))
})

it('ends that meet are all told, and none takes what another has still to tell', async () => {
  const sessions = await Promise.all(Array.from({ length: 12 }, () => setting.start({ subject: 'meeting' })))
  const end = ({ principal, id }: StartedSession) => {
    return callSessions(setting.stack, principal, 'end', { kind: 'session', id }, 'one of many')
  }
  await Promise.all(sessions.map(end))
  for (const { id } of sessions) expect(await told('session', id)).toBe(true)
  const { principal } = sessions[0] as StartedSession
  expect(await listSessions(setting.stack, principal)).toEqual([])
  // The object has forgotten all, and goes on as a new one.
  const again = await setting.start({ subject: 'meeting' })
  expect(await setting.everywhere(again)).toEqual(twice('200'))
})

it('a cookie outlives a change of the secret while the previous one stands beside it, and no longer [2-7]', async () => {
  const session = await setting.start()
  const [previous, present] = [setting.secret, randomBytes(32).toString('base64url')]
  const variables = { RECHECK_SECONDS: '0', POSTERN_SECRET: present }
  await setting.stack.restart({ variables: { ...variables, POSTERN_SECRET_PREVIOUS: previous } })
  expect(await setting.everywhere(session)).toEqual(twice('200'))
  const signedAnew = await setting.start({ secret: present })
  expect(await setting.everywhere(signedAnew)).toEqual(twice('200'))
  await setting.stack.restart({ variables })
  expect(await setting.everywhere(session)).toEqual(twice('401 session_invalid'))
  expect(await setting.everywhere(signedAnew)).toEqual(twice('200'))
})
