// How soon the edge obeys an edit, in several isolates at once, and how long it goes on when it cannot learn of any.
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { mapping, projectContent, saveDocument } from '../support/edits.ts'
import { expectRefused } from '../support/refused.ts'
import { operatorToken, type Setting, startSetting } from '../support/setting.ts'
import { GATEWAY_HOST } from '../support/stack.ts'

const RECHECK_SECONDS = 15
const ISOLATES = [0, 1, 2]
const DOCUMENT = 'project/acme/payments'

let setting: Setting
beforeAll(async () => {
  setting = await startSetting({ isolates: ISOLATES.length })
})
afterAll(() => setting.close())

/** Somebody whom only a mapping in the database gives anything. */
const edited = (isolate: number, to: Setting = setting) => {
  return to.get(to.token({ groups: ['edited'] }), { isolate })
}

async function save(content: object, to: Setting = setting): Promise<void> {
  await saveDocument(to.stack, DOCUMENT, content)
  expect(await to.stack.publish()).toMatchObject({ state: 'published', lastError: null })
}
const GIVEN = projectContent(mapping('GROUP_READ_ONLY', 'edited'))
const TAKEN = projectContent()

/** Has every isolate know what is published now. */
async function settle(): Promise<void> {
  await setting.stack.advance(4 * RECHECK_SECONDS)
  for (const isolate of ISOLATES) expect((await setting.get(setting.token(), { isolate })).status).toBe(200)
  setting.upstream.take()
}

/** After how many seconds of steady traffic every isolate answers so. */
async function secondsUntil(status: number): Promise<number> {
  const tokens = ISOLATES.map(() => setting.token({ groups: ['edited'] }))
  for (let second = 0; second <= 4 * RECHECK_SECONDS; second++) {
    const answers = await Promise.all(
      ISOLATES.map((isolate) => setting.get(tokens[isolate] as string, { isolate })),
    )
    if (answers.every((answer) => answer.status === status)) return second
    await setting.stack.advance(1)
    // What is asked behind the requests comes in meanwhile.
    await sleep(20)
  }
  throw new Error(`not every isolate answered ${status}`)
}

describe('an edit reaches every isolate within the re-check time', () => {
  beforeEach(settle)

  it('that gives a role', async () => {
    for (const isolate of ISOLATES) expect((await edited(isolate)).status).toBe(403)
    await save(GIVEN)
    expect(await secondsUntil(200)).toBeLessThanOrEqual(RECHECK_SECONDS)
  })

  it('that takes it away, also from callers who were admitted by it', async () => {
    expect(await secondsUntil(200)).toBe(0)
    await save(TAKEN)
    expect(await secondsUntil(403)).toBeLessThanOrEqual(RECHECK_SECONDS)
    setting.upstream.take()
    for (const isolate of ISOLATES) {
      expectRefused(await edited(isolate), setting.upstream, { status: 403, reason: 'permission_missing' })
    }
  })

  it('that takes away a role, before the first answer of an isolate nobody has called for a minute', async () => {
    await save(GIVEN)
    await settle()
    expect((await edited(0)).status).toBe(200)
    await save(TAKEN)
    await setting.stack.advance(4 * RECHECK_SECONDS)
    expect((await edited(0)).status).toBe(403)
  })
})

describe('with a re-check time of 0', () => {
  let eager: Setting
  beforeAll(async () => {
    eager = await startSetting({ isolates: 2, variables: { RECHECK_SECONDS: '0' } })
  })
  afterAll(() => eager.close())

  it('the next request obeys, in each isolate', async () => {
    for (const isolate of [0, 1]) expect((await edited(isolate, eager)).status).toBe(403)
    await save(GIVEN, eager)
    for (const isolate of [0, 1]) expect((await edited(isolate, eager)).status).toBe(200)
    await save(TAKEN, eager)
    for (const isolate of [0, 1]) expect((await edited(isolate, eager)).status).toBe(403)
  })

  it('nobody gets in while the change feed cannot be reached', async () => {
    const token = eager.token()
    expect((await eager.get(token)).status).toBe(200)
    eager.upstream.take()
    await eager.stack.faults({ publisher: 'unreachable' })
    expectRefused(await eager.get(token), eager.upstream, { status: 503, reason: 'changes_unavailable' })
    await eager.stack.faults({})
    expect((await eager.get(token)).status).toBe(200)
  })
})

describe('while the change feed cannot be reached', () => {
  beforeEach(settle)

  it('what is held serves for four re-check times and no longer, and comes back with the feed', async () => {
    const token = setting.token({ exp: Math.floor(Date.now() / 1000) + 100_000 })
    expect((await setting.get(token)).status).toBe(200)
    await setting.stack.faults({ publisher: 'unreachable' })
    for (let second = 0; second < 4 * RECHECK_SECONDS - 2; second += 5) {
      expect((await setting.get(token)).status).toBe(200)
      await setting.stack.advance(5)
    }
    setting.upstream.take()
    const refused = await setting.get(token)
    expectRefused(refused, setting.upstream, { status: 503, reason: 'changes_unavailable' })
    expect(refused.headers['retry-after']).toMatch(/^\d+$/)
    await setting.stack.faults({})
    await setting.stack.advance(2)
    expect((await setting.get(token)).status).toBe(200)
  })

  it('those who may see the health are told', async () => {
    await setting.stack.faults({ publisher: 'unreachable' })
    await setting.stack.advance(RECHECK_SECONDS)
    await setting.get(setting.token())
    await sleep(50)
    const { status, warnings } = await setting.health()
    expect(status).toBe('ready')
    expect(warnings.join()).toMatch(/change feed cannot be reached; it last answered 1\d s ago/)
    await setting.stack.faults({})
    await setting.stack.advance(2)
    await setting.get(setting.token())
    await sleep(50)
    expect((await setting.health()).warnings.join()).not.toMatch(/change feed/)
  })

  it('an isolate that knows nothing yet refuses, and lets nobody in', async () => {
    const cold = await startSetting({ isolates: 2 })
    await cold.stack.publish()
    await cold.stack.faults({ publisher: 'unreachable' }, 1)
    for (const path of ['/open/x', undefined]) {
      const answer = await cold.get(cold.token(), { isolate: 1, ...(path ? { path } : {}) })
      expectRefused(answer, cold.upstream, { status: 503, reason: 'changes_unavailable' })
    }
    expect((await cold.stack.send({ host: 'gateway.test', path: '/readyz', isolate: 1 })).status).toBe(503)
    await cold.close()
  })
})

describe('the request path', () => {
  beforeEach(settle)

  it('never reads D1, whatever is asked', async () => {
    await setting.stack.counts()
    const tokens = [
      setting.token(),
      setting.token({ sub: 'bob' }),
      setting.token({ iss: 'https://nobody.test' }),
      null,
    ]
    const paths = ['/orgs/acme', '/orgs/nowhere', '/instance', '/whoami', '/open/x', '/nothing']
    for (const token of tokens) {
      await setting.get(token)
      for (const path of paths) await setting.get(token, { path })
    }
    await setting.health()
    expect((await setting.stack.counts()).statements).toBe(0)
    // The management API does, so that they are counted.
    const listing = { host: GATEWAY_HOST, path: '/api/v1/organizations', token: operatorToken() }
    expect((await setting.stack.send(listing)).status).toBe(200)
    expect((await setting.stack.counts()).statements).toBeGreaterThan(0)
  })

  it('reads nothing at all for a caller who was admitted before', async () => {
    const token = setting.token()
    await setting.get(token)
    await setting.stack.counts()
    for (let times = 0; times < 5; times++) expect((await setting.get(token)).status).toBe(200)
    expect(await setting.stack.counts()).toEqual({
      statements: 0,
      kvReads: 0,
      publisherReads: 0,
      feedCalls: 0,
      sessionCalls: 0,
    })
  })

  it('asks KV once for what is not there, and the publisher seldom, whoever makes up names', async () => {
    // Longer than changes are told of.
    await setting.stack.advance(2 * 3600)
    await settle()
    await setting.stack.counts()
    const ask = (path: string) => setting.get(setting.token(), { path })
    for (let times = 0; times < 3; times++) expect((await ask('/orgs/never-was')).status).toBe(403)
    const once = await setting.stack.counts()
    expect([once.kvReads, once.publisherReads]).toEqual([1, 1])
    // All within a second or two.
    const made = Array.from({ length: 100 }, (_, index) => ask(`/orgs/made-up-${index}`))
    expect(new Set((await Promise.all(made)).map(({ status }) => status))).toEqual(new Set([403]))
    const { kvReads, publisherReads } = await setting.stack.counts()
    expect(kvReads).toBe(100)
    expect(publisherReads).toBeLessThan(60)
  })
})
