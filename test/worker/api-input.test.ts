// Bad input for every operation of the management API, generated from its own schemas (support/api-bad-input.ts):
// it is refused with 400 and the place of the field, writes nothing, and is never a fault.
import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { Operation } from '../../policy/operations/common.ts'
import { OPERATIONS, type OperationId } from '../../policy/operations/table.ts'
import { badBodies, badParams, badQueries, schemaOf, wholeBody } from '../support/api-bad-input.ts'
import { ownerToken } from '../support/api-callers.ts'
import {
  type Counts,
  type Fixture,
  inParallel,
  startFixture,
  type Trial,
  targetOf,
} from '../support/api-fixture.ts'
import { asDryRun, TRIALS, type TrialRow } from '../support/api-trials.ts'
import { type Answer, GATEWAY_HOST } from '../support/stack.ts'

let fixture: Fixture
let before: Counts
/** A good request for each operation. */
const good = new Map<OperationId, Trial>()

const operations = Object.entries(OPERATIONS) as [OperationId, Operation][]
const withBody = operations.filter(([, { body }]) => body !== null).map(([id]) => id)
const withWrite = operations.filter(([, { write }]) => write !== undefined)

const pages = operations.flatMap(([id, { query, write }]) => {
  return 'cursor' in query.shape && write === undefined && id !== 'policy.preview' ? [id] : []
})

beforeAll(async () => {
  fixture = await startFixture()
  await inParallel(operations, async ([id]) => {
    const row = TRIALS.find((trial) => trial.id === id) as TrialRow
    good.set(id, asDryRun(row, await row.make(fixture)))
  })
  before = await fixture.database()
})
afterAll(() => fixture?.close())

describe('bad input is refused with the place of the field, whatever the operation', () => {
  it.each(operations)('%s', async (id, operation) => {
    const trial = goodOf(id)
    const schema = schemaOf(operation)
    const asked = [
      ...(schema ? badBodies(schema) : []).map((bad) => ({ ...bad, trial: { ...trial, body: bad.value } })),
      ...badQueries(operation).map((bad) => {
        return { ...bad, trial: { ...trial, query: { ...trial.query, [bad.path]: bad.value as string } } }
      }),
      ...badParams(operation).map((bad) => {
        return { ...bad, trial: { ...trial, params: { ...trial.params, [bad.path]: bad.value as string } } }
      }),
    ]
    expect(asked.length).toBeGreaterThan(0)
    const wrong: string[] = []
    await inParallel(asked, async ({ name, path, trial }) => {
      const said = refusalOf(await fixture.send(id, trial), path)
      if (said !== null) wrong.push(`${name}: ${said}`)
    })
    expect(wrong).toEqual([])
  })

  it('a query that says something twice', async () => {
    const path = `${targetOf(OPERATIONS['organizations.list'], {})}?limit=1&limit=2`
    const answer = await fixture.stack.send({ host: GATEWAY_HOST, path, token: ownerToken() })
    expect(refusalOf(answer, 'limit')).toBeNull()
  })

  it.each(pages)('%s with a cursor that no page gave', async (id) => {
    const json = (value: unknown) => Buffer.from(JSON.stringify(value)).toString('base64url')
    const cursors = ['garbage', '%', '', json(null), json([]), json({}), json([1, 2, 3]), json('x'), json(-1)]
    for (const cursor of cursors) {
      const trial = goodOf(id)
      const answer = await fixture.send(id, { ...trial, query: { ...trial.query, cursor } })
      expect({ cursor, said: refusalOf(answer, 'cursor') }).toEqual({ cursor, said: null })
    }
  })

  it('nothing of all that was written', async () => {
    expect(await fixture.database()).toEqual(before)
  })
})

describe('a body that is no body of the operation', () => {
  const bodies: [string, string | Buffer, Record<string, string>, number, string][] = [
    ['nothing at all', '', {}, 400, 'input_invalid'],
    ['half of a body', '{"slug":', {}, 400, 'input_invalid'],
    ['two bodies', '{} {}', {}, 400, 'input_invalid'],
    ['text', '"text"', {}, 400, 'input_invalid'],
    ['a list', '[]', {}, 400, 'input_invalid'],
    ['null', 'null', {}, 400, 'input_invalid'],
    ['a byte that is not UTF-8', Buffer.from('7b22ff223a317d', 'hex'), {}, 400, 'input_invalid'],
    ['a byte order mark', '\ufeff{}', {}, 400, 'input_invalid'],
    ['a member twice', '{"unknownMember":1,"unknownMember":1}', {}, 400, 'input_invalid'],
    ['a member twice, once escaped', '{"unknownMember":1,"unknown\\u004dember":1}', {}, 400, 'input_invalid'],
    ['ten thousand lists', '['.repeat(10_000) + ']'.repeat(10_000), {}, 400, 'input_invalid'],
    ['a hundred objects', `${'{"a":'.repeat(100)}1${'}'.repeat(100)}`, {}, 400, 'input_invalid'],
    ['of no type', '{}', { 'content-type': '' }, 415, 'media_type_not_supported'],
    ['of another type', '{}', { 'content-type': 'text/plain' }, 415, 'media_type_not_supported'],
    [
      'a form',
      'slug=acme',
      { 'content-type': 'application/x-www-form-urlencoded' },
      415,
      'media_type_not_supported',
    ],
    [
      'in another encoding',
      '{}',
      { 'content-type': 'application/json; charset=utf-16' },
      415,
      'media_type_not_supported',
    ],
  ]
  it.each(bodies)('%s', async (_name, body, headers, status, reason) => {
    for (const id of withBody) {
      const answer = await sendBody(id, body, headers)
      const problem = JSON.parse(answer.text)
      expect({ id, status: answer.status, reason: problem.reason }).toEqual({ id, status, reason })
      if (status === 400) expect(problem.errors).toEqual([expect.objectContaining({ path: '' })])
    }
  })

  it('larger than its operation takes', async () => {
    for (const id of withBody.filter((id) => id !== 'organizations.apply')) {
      const answer = await sendBody(id, ' '.repeat(1024 * 1024 + 1))
      expect({ id, status: answer.status }).toEqual({ id, status: 413 })
    }
  })

  it('of 33 MiB, which even a declared organization may not have', async () => {
    const head = [
      'PUT /api/v1/organizations/acme/declaration HTTP/1.1',
      `Host: ${GATEWAY_HOST}`,
      `Authorization: Bearer ${ownerToken()}`,
      'Content-Type: application/json',
      `Content-Length: ${33 * 1024 * 1024}`,
      'Connection: close',
    ]
    // Its length is enough to refuse it; none of it is waited for.
    const answer = await fixture.stack.raw(`${head.join('\r\n')}\r\n\r\n{`)
    expect(answer).toMatch(/^HTTP\/1\.1 413 /)
    expect(answer).toMatch(/body_too_large/)
  })

  it('nothing of all that was written', async () => {
    expect(await fixture.database()).toEqual(before)
  })
})

describe('headers that say how a change is made', () => {
  it.each(withWrite.filter(([, { write }]) => write?.kind === 'update').map(([id]) => id))(
    '%s with an If-Match that is no version',
    async (id) => {
      for (const ifMatch of [
        '1',
        '""',
        '"x"',
        'W/"1"',
        '"1", "2"',
        '*',
        '"01"',
        '"-1"',
        '"1e3"',
        '"99999999999999999"',
      ]) {
        const answer = await fixture.send(id, { ...goodOf(id), ifMatch })
        expect({ ifMatch, said: refusalOf(answer, 'If-Match') }).toEqual({ ifMatch, said: null })
      }
    },
  )

  it.each(withWrite.filter(([, { write }]) => write?.kind === 'create').map(([id]) => id))(
    '%s with an Idempotency-Key that is none',
    async (id) => {
      for (const key of ['', 'two words', 'x'.repeat(201), 'k\u00e9y']) {
        const headers = { 'idempotency-key': key }
        // Not as a dry run, which keeps no answer and needs no key.
        const { query: _dryRun, ...trial } = goodOf(id)
        const answer = await fixture.send(id, { ...trial, headers })
        expect({ key, said: refusalOf(answer, 'Idempotency-Key') }).toEqual({ key, said: null })
      }
    },
  )
})

describe('[4-29] a role that is not of the level', () => {
  const mappings = (roleName: string) => [{ roleName, idpGroups: ['somebody'] }]
  const rows: [OperationId, string, (role: string) => object, string][] = [
    ['instance.update', 'ORG_OWNER', (role) => ({ idpGroupMappings: mappings(role) }), 'GLOBAL_OWNER'],
    ['organizations.create', 'GROUP_OWNER', (role) => ({ idpGroupMappings: mappings(role) }), 'ORG_OWNER'],
    ['organizations.update', 'GLOBAL_OWNER', (role) => ({ idpGroupMappings: mappings(role) }), 'ORG_OWNER'],
    ['organizations.apply', 'GROUP_OWNER', (role) => ({ idpGroupMappings: mappings(role) }), 'ORG_OWNER'],
    ['projects.create', 'ORG_OWNER', (role) => ({ idpGroupMappings: mappings(role) }), 'GROUP_OWNER'],
    ['projects.update', 'ORG_OWNER', (role) => ({ idpGroupMappings: mappings(role) }), 'GROUP_OWNER'],
    ['users.create', 'ORG_OWNER', (role) => ({ given: { roles: [role] } }), 'GLOBAL_OWNER'],
    ['users.update', 'ORG_OWNER', (role) => ({ given: { roles: [role] } }), 'GLOBAL_OWNER'],
    ['members.put', 'GROUP_OWNER', (role) => ({ roles: [role] }), 'ORG_OWNER'],
    ['members.put', 'ORG_OWNER', (role) => ({ projects: { payments: [role] } }), 'GROUP_OWNER'],
    ['serviceAccounts.create', 'ORG_OWNER', (role) => ({ roles: [role] }), 'GROUP_OWNER'],
    ['serviceAccounts.update', 'ORG_OWNER', (role) => ({ roles: [role] }), 'GROUP_OWNER'],
  ]
  it.each(rows)('%s with %s, and with one that nobody knows', async (id, role, members, valid) => {
    for (const roleName of [role, 'NOBODY_KNOWS_IT']) {
      const trial = goodOf(id)
      const own = id.endsWith('create') ? (trial.body as object) : {}
      const answer = await fixture.send(id, { ...trial, body: { ...own, ...members(roleName) } })
      const problem = JSON.parse(answer.text)
      expect({ roleName, status: answer.status, reason: problem.reason }).toEqual({
        roleName,
        status: 400,
        reason: 'input_invalid',
      })
      const errors = problem.errors as { path: string; message: string }[]
      expect(errors.map(({ path }) => path).join()).toMatch(/roleName|roles|projects/)
      // The valid ones are listed.
      expect(errors.map(({ message }) => message).join()).toContain(valid)
    }
  })
})

describe('whatever comes, it is no fault', () => {
  it.each(withBody)('%s with any JSON', async (id) => {
    await fc.assert(
      fc.asyncProperty(fc.jsonValue(), async (body) => {
        expect((await fixture.send(id, { ...goodOf(id), body })).status).toBeLessThan(500)
      }),
      { numRuns: 10, seed: 4 },
    )
  })

  const odd = [
    '\u0000',
    'a\u0000b',
    '\ud800',
    '\udc00x',
    '\u202e',
    '\u0301',
    "'; drop table versions --",
    '<b>&amp;',
    '%',
    '_',
  ]
  it.each(withBody)('%s with odd text wherever text may stand', async (id) => {
    const schema = schemaOf(OPERATIONS[id] as Operation)
    const whole = schema ? wholeBody(schema) : {}
    const faults: string[] = []
    const asked = odd.flatMap((text) => placesOfText(whole).map((place) => ({ text, body: place(text) })))
    await inParallel(asked, async ({ text, body }) => {
      const { status, text: said } = await fixture.send(id, { ...goodOf(id), body })
      if (status >= 500) faults.push(`${JSON.stringify(text)} ${JSON.stringify(body)}: ${said}`)
    })
    expect(faults).toEqual([])
  })

  it.each(operations.filter(([, { query }]) => 'search' in query.shape).map(([id]) => id))(
    '%s for odd words',
    async (id) => {
      const words = [
        ...odd,
        '"',
        '*',
        'a*b',
        'NEAR(a b)',
        'a OR b',
        '-',
        '(',
        '^a',
        'col:x',
        '\u6771',
        '"\u6771',
      ]
      await inParallel(words, async (search) => {
        const trial = goodOf(id)
        const { status, text } = await fixture.send(id, { ...trial, query: { ...trial.query, search } })
        expect({ search, status, text: status < 500 || text }).toMatchObject({ search, text: true })
      })
    },
  )
})

function goodOf(id: OperationId): Trial {
  return good.get(id) as Trial
}

/** Null when it is the refusal it must be, and names the field or something within it. */
function refusalOf({ status, text, headers }: Answer, path: string): string | null {
  const problem = JSON.parse(text) as { reason?: string; errors?: { path: string; message: string }[] }
  if (status !== 400 || problem.reason !== 'input_invalid') return `${status} ${text.slice(0, 300)}`
  if (headers['content-type'] !== 'application/problem+json') return `is ${headers['content-type']}`
  const paths = (problem.errors ?? []).map((error) => error.path)
  const isNamed = paths.some((named) => {
    return named === path || named.startsWith(`${path}.`) || named.startsWith(`${path}[`)
  })
  return isNamed ? null : `names ${paths.join(', ')} instead of ${path}`
}

function sendBody(
  id: OperationId,
  body: string | Buffer,
  headers: Record<string, string> = {},
): Promise<Answer> {
  const { body: _body, ...trial } = goodOf(id)
  const operation = OPERATIONS[id] as Operation
  const all: Record<string, string> = {
    'content-type': 'application/json',
    ...(trial.ifMatch === undefined ? {} : { 'if-match': trial.ifMatch }),
    ...headers,
  }
  const sent = Object.fromEntries(Object.entries(all).filter(([, value]) => value !== ''))
  const path = targetOf(operation, trial)
  return fixture.stack.send({
    host: GATEWAY_HOST,
    method: operation.method,
    path,
    token: ownerToken(),
    headers: sent,
    body,
  })
}

/** The same body, with another text at each place where it has one. */
function placesOfText(body: unknown): ((text: string) => unknown)[] {
  if (typeof body === 'string') return [(text) => text]
  if (typeof body !== 'object' || body === null) return []
  return Object.entries(body).flatMap(([member, value]) => {
    return placesOfText(value).map((place) => (text: string) => {
      const changed = place(text)
      if (Array.isArray(body)) return body.map((item, index) => (String(index) === member ? changed : item))
      return { ...body, [member]: changed }
    })
  })
}
