// Every operation of the management API, tried by a caller of every role: the table beside this file says who
// may, and is compared. To write it anew: REWRITE_ROLE_TABLE=1 npx vitest run test/worker/api-roles.test.ts
import { readFileSync, writeFileSync } from 'node:fs'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { Operation } from '../../policy/operations/common.ts'
import { OPERATIONS, type OperationId } from '../../policy/operations/table.ts'
import { type Caller, callersWith } from '../support/api-callers.ts'
import { type Fixture, inParallel, startFixture, type Trial } from '../support/api-fixture.ts'
import { type Cell, cellKey, cellOf, expectation, renderTable } from '../support/api-table.ts'
import { asDryRun, nameOf, TRIALS, type TrialRow } from '../support/api-trials.ts'

const TABLE = new URL('api-roles.table.md', import.meta.url)

let fixture: Fixture
let callers: Caller[]
const cells = new Map<string, Cell>()
/** Cells that are not what `decide` says, and answers that are neither a yes nor a no. */
const doubtful: string[] = []

beforeAll(async () => {
  fixture = await startFixture()
  // What is open to everybody known does not ask for what is new, so this isolate has to know who was made.
  await fixture.stack.advance(70)
  callers = callersWith(fixture)
})
afterAll(() => fixture?.close())

describe('every operation is tried by a caller of every role', () => {
  it('[4-31] answers what decide says, and nobody reaches another organization or project', async () => {
    const before = await fixture.database()
    await inParallel(TRIALS, (row) => {
      return tryRow(row).catch((error: Error) => void doubtful.push(`${nameOf(row)}: ${error.message}`))
    })
    expect(doubtful).toEqual([])
    expect(cells.size).toBe(TRIALS.length * callers.length)
    // The dry runs among them have written nothing; what was thrown away has.
    expect((await fixture.database()).versions).toBeGreaterThan(before.versions)
  }, 300_000)

  it('the table in the repository says the same', () => {
    const table = renderTable(TRIALS, callers, cells)
    if (process.env.REWRITE_ROLE_TABLE) writeFileSync(TABLE, table)
    expect(table).toBe(readFileSync(TABLE, 'utf8'))
  })
})

describe('who may not see an organization is not told whether it exists', () => {
  const inPath = Object.entries(OPERATIONS).filter(([, { path }]) => path.includes('{organization}'))
  const asked: [OperationId, (trial: Trial, organization: string) => Trial][] = [
    ...inPath.map(([id]): [OperationId, (trial: Trial, organization: string) => Trial] => [
      id as OperationId,
      (trial, organization) => ({ ...trial, params: { ...trial.params, organization } }),
    ]),
    ['me.explain', (_trial, organization) => ({ query: { organization } })],
    ['me.explain', (_trial, organization) => ({ query: { organization, project: 'payments' } })],
    ['versions.list', (_trial, organization) => ({ query: { document: `organization/${organization}` } })],
    [
      'versions.list',
      (_trial, organization) => ({ query: { document: `project/${organization}/payments` } }),
    ],
    ['versions.list', (_trial, organization) => ({ query: { document: `issuer/${organization}/own` } })],
  ]
  it.each(asked)('%s', async (id, of) => {
    const row = TRIALS.find((trial) => trial.id === id) as TrialRow
    const trial = asDryRun(row, await row.make(fixture))
    const strangers = callers.filter(({ name }) =>
      ['no role', 'no groups claim', 'ORG_OWNER of globex', 'GROUP_OWNER of globex/web'].includes(name),
    )
    expect(strangers.length).toBe(4)
    for (const stranger of strangers) {
      const answers = await Promise.all(
        ['acme', 'nosuch'].map(async (organization) => {
          const { status, text } = await fixture.send(id, of(trial, organization), stranger.authorization())
          return { status, text: withoutNames(text, organization) }
        }),
      )
      expect(answers[0]).toEqual(answers[1])
      // What is wrong with a token may be said; it says nothing of what there is.
      expect(stranger.name === 'no groups claim' ? [403, 404] : [404]).toContain(answers[0]?.status)
    }
  })

  it('nor which projects it has', async () => {
    const other = callers.find(({ name }) => name === 'GROUP_OWNER of acme/reports') as Caller
    for (const [id] of inPath.filter(([, { path }]) => path.includes('{project}'))) {
      const row = TRIALS.find((trial) => trial.id === id) as TrialRow
      const trial = asDryRun(row, await row.make(fixture))
      const answers = await Promise.all(
        ['payments', 'nosuch'].map(async (project) => {
          const asking = { ...trial, params: { ...trial.params, project } }
          const { status, text } = await fixture.send(row.id, asking, other.authorization())
          return { id, status, text: withoutNames(text, project) }
        }),
      )
      expect(answers[0]).toEqual(answers[1])
    }
  })
})

describe("what belongs to others is not reached by its id in one's own path", () => {
  const inPath = Object.entries(OPERATIONS) as [OperationId, Operation][]
  const ofSomething = inPath.filter(([, { path }]) => /\{(?:issuer|user|serviceAccount)\}/.test(path))
  const inOrganization = ofSomething.filter(([, { path }]) => path.includes('{organization}'))

  it.each(inOrganization.map(([id]) => id))('%s', async (id) => {
    const row = TRIALS.find((trial) => trial.id === id) as TrialRow
    const trial = asDryRun(row, await row.make(fixture))
    // Both may do everything where they are; what is named belongs to acme, or to its project payments.
    const elsewhere = [
      ['ORG_OWNER of globex', { organization: 'globex', project: 'web' }],
      ['GROUP_OWNER of acme/reports', { organization: 'acme', project: 'reports' }],
    ] as const
    for (const [name, place] of elsewhere) {
      const caller = callers.find((known) => known.name === name) as Caller
      const params = { ...trial.params, ...place }
      const { status, text } = await fixture.send(id, { ...trial, params }, caller.authorization())
      expect({ name, status, reason: JSON.parse(text).reason }).toEqual({
        name,
        status: 404,
        reason: 'not_found',
      })
    }
  })

  it('nor is it told of in lists, histories and the audit', async () => {
    const owner = callers.find(({ name }) => name === 'ORG_OWNER of globex') as Caller
    const params = { organization: 'globex' }
    const read = async (id: OperationId, trial: Trial) => {
      const { status, text } = await fixture.send(id, trial, owner.authorization())
      expect({ id, status }).toEqual({ id, status: 200 })
      return text
    }
    const texts = [
      await read('organizations.list', {}),
      await read('organizations.export', { params }),
      await read('projects.list', { params }),
      await read('members.list', { params }),
      await read('organizationIssuers.list', { params }),
      await read('organizationAudit.list', { params }),
      await read('organizationAudit.heads', { params }),
      await read('organizations.list', { query: { search: 'acme' } }),
      await read('projects.list', { params, query: { search: 'payments' } }),
      await read('members.list', { params, query: { search: 'given' } }),
    ]
    for (const text of texts) {
      expect(text).not.toMatch(/acme|payments/)
      expect(text).not.toContain(fixture.user)
    }
  })
})

/** What differs between any two requests. */
function withoutNames(text: string, name: string): string {
  return text.replaceAll(name, 'NAME').replace(/"requestId": *"[^"]*"/, '')
}

const expected = expectation()

async function tryRow(row: TrialRow): Promise<void> {
  let trial: Trial | null = null
  const tryCaller = async (caller: Caller) => {
    const send = async () => {
      trial ??= asDryRun(row, await row.make(fixture))
      return fixture.send(row.id, trial, caller.authorization())
    }
    let answer = await send()
    if (answer.status === 412) {
      // Another row has changed the same document meanwhile, as both parts of the settings are one.
      trial = null
      answer = await send()
    }
    const due = expected(row, caller, trial as unknown as Trial)
    let cell: Cell
    try {
      cell = cellOf(row, caller, answer)
    } catch (error) {
      doubtful.push((error as Error).message)
      cell = `${answer.status}?`
    }
    cells.set(cellKey(row, caller), cell)
    if (due !== null && due !== cell.replace(/:.*/, '')) {
      const { reason, detail } = answer.status < 300 ? {} : JSON.parse(answer.text)
      doubtful.push(`${nameOf(row)} by ${caller.name}: ${cell} instead of ${due} (${reason}: ${detail})`)
    }
    if (row.consumes && answer.status < 300) trial = null
  }
  // One after the other: whoever comes after a success may need a new target.
  for (const caller of callers) await tryCaller(caller)
}

describe('the trials', () => {
  it('are of every operation', () => {
    expect(new Set(TRIALS.map(({ id }) => id))).toEqual(new Set(Object.keys(OPERATIONS)))
  })

  it('have a body exactly where the operation has one', async () => {
    for (const row of TRIALS) {
      const { body } = await row.make(fixture)
      expect({ row: nameOf(row), body: body !== undefined }).toEqual({
        row: nameOf(row),
        body: (OPERATIONS[row.id] as Operation).body !== null,
      })
    }
  })
})
