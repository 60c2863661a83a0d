// What every operation of the management API answers when all goes well, held against its own strict schema of the
// operations table; and against Preview when it was asked for as a dry run.
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type Operation, Preview } from '../../policy/operations/common.ts'
import { AuditEvent } from '../../policy/operations/history.ts'
import { Applied } from '../../policy/operations/organizations.ts'
import { OPERATIONS, type OperationId } from '../../policy/operations/table.ts'
import { type Fixture, inAcme, startFixture } from '../support/api-fixture.ts'
import { asDryRun, nameOf, TRIALS, type TrialRow } from '../support/api-trials.ts'
import type { Answer } from '../support/stack.ts'

let fixture: Fixture
beforeAll(async () => {
  fixture = await startFixture()
})
afterAll(() => fixture?.close())

const writes = TRIALS.filter(({ id }) => operationOf(id).write?.dryRun)
/** What the others ask about goes in the end, the smaller before the larger. */
const LAST: OperationId[] = [
  'organizationIssuers.delete',
  'issuers.delete',
  'projects.delete',
  'organizations.delete',
]
const inOrder = [...TRIALS].sort((a, b) => LAST.indexOf(a.id) - LAST.indexOf(b.id))

/** Their answer is a preview of its own: who would be locked out. */
const OWN_PREVIEWS: OperationId[] = ['issuers.delete', 'organizationIssuers.delete']

describe('a dry run answers a preview and changes nothing', () => {
  it.each(writes.map((row) => [nameOf(row), row] as const))('%s', async (_name, row) => {
    const trial = asDryRun(row, await row.make(fixture))
    const before = await fixture.database()
    const answer = await fixture.send(row.id, trial)
    expect({ status: answer.status, text: answer.text }).toMatchObject({ status: 200 })
    const schema = OWN_PREVIEWS.includes(row.id) ? operationOf(row.id).output : Preview
    expect(schema.safeParse(JSON.parse(answer.text)).error?.issues ?? []).toEqual([])
    expect(answer.headers['postern-publication']).toBeUndefined()
    expect(await fixture.database()).toEqual(before)
  })
})

describe('lines, where they are asked for', () => {
  const lines = (text: string) =>
    text
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line))
  const headers = { accept: 'application/x-ndjson' }

  it.each(['audit.list', 'organizationAudit.list'] as const)(
    '%s: an event each, oldest first',
    async (id) => {
      const trial = id === 'audit.list' ? {} : { params: inAcme }
      const answer = await fixture.send(id, { ...trial, headers })
      expect(answer.status).toBe(200)
      expect(answer.headers['content-type']).toMatch(/^application\/x-ndjson/)
      const events = lines(answer.text).map((line) => AuditEvent.parse(line))
      expect(events.length).toBeGreaterThan(3)
      expect(events.map(({ number }) => number)).toEqual(events.map((_event, index) => index + 1))
    },
  )

  it('organizations.apply: progress, and the result in the end', async () => {
    const slug = fixture.fresh('applied')
    await fixture.make('organizations.create', { body: { slug } })
    const body = { projects: { one: {}, two: { displayName: 'Two' } } }
    const trial = { params: { organization: slug }, body, headers }
    const version = await fixture.version('organizations.export', { params: { organization: slug } })
    const answer = await fixture.send('organizations.apply', { ...trial, ifMatch: version })
    expect(answer.status).toBe(200)
    expect(answer.headers['content-type']).toMatch(/^application\/x-ndjson/)
    const all = lines(answer.text)
    const applied = Applied.parse(all.at(-1).result)
    expect(applied).toMatchObject({ organization: slug, unchanged: false })
    for (const line of all.slice(0, -1)) expect(line).toHaveProperty('progress')
  })
})

describe('an operation answers what the table says', () => {
  it.each(inOrder.map((row) => [nameOf(row), row] as const))('%s', async (_name, row) => {
    const { write, output, status } = operationOf(row.id)
    const trial = await row.make(fixture)
    const before = await fixture.database()
    const answer = await fixture.send(row.id, trial)
    expect({ status: answer.status, text: answer.text }).toMatchObject({ status })
    const body = JSON.parse(answer.text) as { version?: number; document?: string }
    expect(output.safeParse(body).error?.issues ?? []).toEqual([])
    expectHeaders(row, answer, body)
    const after = await fixture.database()
    if (!write) expect(after).toEqual(before)
    // Each edit has its events; without an edit there are none.
    else
      expect(after.audit > before.audit).toBe(after.versions > before.versions || after.audit > before.audit)
  })
})

function operationOf(id: OperationId): Operation {
  return OPERATIONS[id]
}

/** Whatever has one version says it as its ETag as well; nothing of the API is kept by anybody on the way. */
function expectHeaders(row: TrialRow, answer: Answer, body: { version?: number; document?: string }): void {
  expect(answer.headers['cache-control']).toBe('no-store')
  expect(answer.headers['content-type']).toBe('application/json')
  expect(answer.headers['x-request-id']).toMatch(/./)
  const isDocument = typeof body.version === 'number' && body.document === undefined
  if (isDocument) expect(answer.headers.etag).toBe(`"${body.version}"`)
  const { write } = operationOf(row.id)
  const publication = answer.headers['postern-publication']
  if (write && write.kind !== 'act') expect(publication).toMatch(/^(?:published|pending)$/)
}
