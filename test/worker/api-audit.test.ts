// The audit over the API: what every edit leaves, found by who, what, of what and when; whole as lines; and how a row
// that was changed, cut out or cut off is found.
import { createHash } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { canonicalEvent, cumulativeText } from '../../policy/audit-event.ts'
import type { AuditEvent } from '../../policy/operations/history.ts'
import { ACME_OWNER, type Api, GLOBEX_OWNER, type Json, NOBODY, startApi } from '../support/api.ts'
import { GATEWAY_HOST } from '../support/stack.ts'

let api: Api
beforeAll(async () => {
  api = await startApi()
  await api.make('PATCH', '/organizations/acme', {
    ifMatch: 0,
    body: { displayName: 'Acme Corp', idpGroupMappings: [{ roleName: 'ORG_MEMBER', idpGroups: ['a', 'b'] }] },
    headers: { 'x-request-id': 'the-request' },
  })
  await api.make('PATCH', '/organizations/acme', {
    as: ACME_OWNER,
    ifMatch: 1,
    body: {
      idpGroupMappings: [
        { roleName: 'ORG_MEMBER', idpGroups: ['a', 'b'] },
        { roleName: 'ORG_READ_ONLY', idpGroups: ['c'] },
      ],
    },
  })
  await api.make('POST', '/organizations/acme/projects', { as: ACME_OWNER, body: { slug: 'audited' } })
})
afterAll(() => api.close())

const reasonOf = ({ status, json }: Json) => `${status} ${json.reason}`
const path = '/organizations/acme/audit'
const sha256 = (text: string) => createHash('sha256').update(text).digest('hex')

async function lines(of = path): Promise<AuditEvent[]> {
  const answer = await api.stack.send({
    host: GATEWAY_HOST,
    path: `/api/v1${of}`,
    token: api.token({ subject: 'olivia', groups: ['owners'] }),
    headers: { accept: 'application/x-ndjson' },
  })
  expect(answer.status).toBe(200)
  return answer.text
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as AuditEvent)
}

/** The number of the first event that is not as it was written; null when all are. */
function firstWrong(events: readonly AuditEvent[]): number | null {
  let previous = ''
  for (const [index, event] of events.entries()) {
    const isRight =
      event.number === index + 1 &&
      event.previous === previous &&
      event.hash === sha256(canonicalEvent(event))
    if (!isRight) return index + 1
    previous = event.hash
  }
  return null
}

describe('an event', () => {
  it('says who did what to what, what differs, in which request and when', async () => {
    const { items, next, total } = await api.make('GET', path, { as: ACME_OWNER })
    expect([next, total]).toEqual([null, 3])
    expect(items.map(({ number, operation }: AuditEvent) => `${number} ${operation}`)).toEqual([
      '3 projects.create',
      '2 organizations.update',
      '1 organizations.update',
    ])
    expect(items[2]).toEqual({
      chain: 'acme',
      number: 1,
      at: expect.stringMatching(/^20.*Z$/),
      actor: { kind: 'user', issuer: 'people', subject: 'olivia', email: null },
      operation: 'organizations.update',
      target: { kind: 'organization', id: 'acme' },
      before: null,
      after: {
        displayName: 'Acme Corp',
        idpGroupMappings: [{ roleName: 'ORG_MEMBER', idpGroups: ['a', 'b'], managedBy: 'api' }],
        patternMappings: [],
      },
      requestId: 'the-request',
      hash: expect.stringMatching(/^[0-9a-f]{64}$/),
      previous: '',
    })
    // Only what differs stands in it.
    expect(items[1]).toMatchObject({
      before: { idpGroupMappings: [] },
      after: { idpGroupMappings: [{ roleName: 'ORG_READ_ONLY', idpGroups: ['c'], managedBy: 'api' }] },
      previous: items[2].hash,
    })
  })

  it('is found by actor, operation, target and time, in pages', async () => {
    const numbers = async (query: Record<string, string>) => {
      return (await api.make('GET', path, { query })).items.map(({ number }: AuditEvent) => number)
    }
    expect(await numbers({ actor: 'ada' })).toEqual([3, 2])
    expect(await numbers({ actor: 'people olivia' })).toEqual([1])
    expect(await numbers({ operation: 'projects.create' })).toEqual([3])
    expect(await numbers({ targetKind: 'project', target: 'acme/audited' })).toEqual([3])
    expect(await numbers({ from: '2000-01-01T00:00:00Z', until: '2001-01-01T00:00:00Z' })).toEqual([])
    expect(await numbers({ actor: "' OR 1=1 --" })).toEqual([])
    const first = await api.make('GET', path, { query: { limit: '2' } })
    expect(await numbers({ limit: '2', cursor: first.next })).toEqual([1])
  })

  it("of the instance tells of organizations made and deleted, and is the instance's to read", async () => {
    await api.make('POST', '/organizations', { body: { slug: 'brief' } })
    await api.make('DELETE', '/organizations/brief', { query: { confirm: 'brief' } })
    const { items } = await api.make('GET', '/audit', { query: { target: 'brief' } })
    expect(items.map(({ operation }: AuditEvent) => operation)).toEqual([
      'organizations.delete',
      'organizations.create',
    ])
    expect(reasonOf(await api.ask('GET', '/audit', { as: ACME_OWNER }))).toBe('403 permission_missing')
    for (const as of [GLOBEX_OWNER, NOBODY]) {
      expect(reasonOf(await api.ask('GET', path, { as }))).toBe('404 not_found')
    }
  })
})

describe('a chain', () => {
  it('comes whole as lines, oldest first, and verifies against its head', async () => {
    const events = await lines()
    expect(events.map(({ number }) => number)).toEqual([1, 2, 3])
    expect(firstWrong(events)).toBeNull()
    expect(firstWrong(await lines('/audit'))).toBeNull()
    const { items } = await api.make('GET', `${path}/heads`, { as: ACME_OWNER })
    const cumulative = events.reduce((before, event) => sha256(cumulativeText(before, event)), '')
    expect(items[0]).toMatchObject({ chain: 'acme', number: 3, cumulative, signature: null })
  })

  it('of many events comes in pieces, none lost', async () => {
    const database = await api.stack.database()
    await database.exec(
      "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 350) INSERT INTO audit_events (chain, number, at, actor, actor_key, operation, target_kind, target, request_id, hash, previous) SELECT 'globex', i, 0, '{}', '', 'x', 'x', '', '', '', '' FROM n",
    )
    const events = await lines('/organizations/globex/audit')
    expect(events.map(({ number }) => number)).toEqual(Array.from({ length: 350 }, (_, index) => index + 1))
  })

  it('shows what was altered, cut out or cut off', async () => {
    const { items } = await api.make('GET', `${path}/heads`)
    const database = await api.stack.database()
    await database.exec("UPDATE audit_events SET target = 'globex' WHERE chain = 'acme' AND number = 2")
    expect(firstWrong(await lines())).toBe(2)
    await database.exec("UPDATE audit_events SET target = 'acme' WHERE chain = 'acme' AND number = 2")
    expect(firstWrong(await lines())).toBeNull()
    await database.exec("DELETE FROM audit_events WHERE chain = 'acme' AND number = 2")
    expect(firstWrong(await lines())).toBe(2)
    await database.exec("DELETE FROM audit_events WHERE chain = 'acme' AND number = 3")
    expect(firstWrong(await lines())).toBeNull()
    const left = (await lines()).reduce((before, event) => sha256(cumulativeText(before, event)), '')
    const [head] = (await api.make('GET', `${path}/heads`)).items
    expect(head.number).toBe(items[0].number)
    expect(head.cumulative).not.toBe(left)
  })
})
