// How every change is made: races, idempotency, dry runs, what must be confirmed, publication; and what is no
// request that the API reads.
import { createHash } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { canonicalEvent } from '../../policy/audit-event.ts'
import type { AuditEvent } from '../../policy/operations/history.ts'
import { ACME_OWNER, type Api, type Json, OWNER, startApi } from '../support/api.ts'
import { GATEWAY_HOST } from '../support/stack.ts'

let api: Api
beforeAll(async () => {
  api = await startApi()
})
afterAll(() => api.close())

const reasonOf = ({ status, json }: Json) => `${status} ${json?.reason}`
const GROUP = (roleName: string, ...idpGroups: string[]) => ({ roleName, idpGroups })
const behind = { headers: { prefer: 'respond-async' } }
const count = async (sql: string) =>
  (await api.rows<{ count: number }>(`SELECT count(*) AS count FROM ${sql}`))[0]?.count

/** Every event's hash is of what it says, and each names the one before it. */
async function verifyChain(chain: string): Promise<number> {
  const path = chain === '' ? '/audit' : `/organizations/${chain}/audit`
  const answer = await api.stack.send({
    host: GATEWAY_HOST,
    path: `/api/v1${path}`,
    token: api.token(OWNER),
    headers: { accept: 'application/x-ndjson' },
  })
  expect(answer.headers['content-type']).toBe('application/x-ndjson')
  const events = answer.text
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as AuditEvent)
  let previous = ''
  events.forEach((event, index) => {
    expect(event.number).toBe(index + 1)
    expect(event.previous).toBe(previous)
    expect(event.hash).toBe(createHash('sha256').update(canonicalEvent(event)).digest('hex'))
    previous = event.hash
  })
  return events.length
}

describe('two who change one document', () => {
  it('one wins, the other is told and leaves no row and no event', async () => {
    await api.make('POST', '/organizations', { body: { slug: 'raced' } })
    const [versions, events] = [await count('versions'), await count('audit_events')]
    const answers = await Promise.all(
      Array.from({ length: 8 }, (_, index) => {
        return api.ask('PATCH', '/organizations/raced', {
          ...behind,
          ifMatch: 1,
          body: { displayName: `Name ${index}` },
        })
      }),
    )
    expect(answers.map(reasonOf).sort()).toEqual(['200 undefined', ...Array(7).fill('412 version_conflict')])
    expect(await count('versions')).toBe((versions ?? 0) + 1)
    expect(await count('audit_events')).toBe((events ?? 0) + 1)
    const winner = answers.find(({ status }) => status === 200)
    expect(await api.make('GET', '/organizations/raced')).toEqual(winner?.json)
  })

  it('one makes an organization, the other finds it there', async () => {
    const body = { slug: 'contested' }
    const answers = await Promise.all(
      Array.from({ length: 5 }, () => api.ask('POST', '/organizations', { ...behind, body })),
    )
    expect(answers.map(reasonOf).sort()).toEqual(['201 undefined', ...Array(4).fill('409 already_exists')])
  })

  it('audiences go to one of those who want one at the same time', async () => {
    const answers = await Promise.all(
      ['aa', 'bb', 'cc'].map((slug) => {
        return api.ask('POST', '/organizations', { ...behind, body: { slug, audience: 'wanted' } })
      }),
    )
    expect(answers.map(reasonOf).sort()).toEqual(['201 undefined', '409 name_taken', '409 name_taken'])
  })
})

it('owners of fifty projects of one organization never collide, and the chain verifies', async () => {
  await api.make('POST', '/organizations', {
    body: { slug: 'busy', idpGroupMappings: [GROUP('ORG_OWNER', 'busy-owners')] },
  })
  const as = { subject: 'bea', groups: ['busy-owners'] }
  for (let index = 0; index < 50; index++) {
    await api.make('POST', '/organizations/busy/projects', {
      ...behind,
      as,
      body: { slug: `p${index}`, idpGroupMappings: [GROUP('GROUP_OWNER', `owners-${index}`)] },
    })
  }
  await api.make('PATCH', '/organizations/busy', { as, ifMatch: 1, body: { displayName: 'Busy' } })
  const answers = await Promise.all(
    Array.from({ length: 50 }, (_, index) => {
      return api.ask('PATCH', `/organizations/busy/projects/p${index}`, {
        ...behind,
        as: { subject: `owner-${index}`, groups: [`owners-${index}`] },
        ifMatch: 1,
        body: { displayName: `Project ${index}` },
      })
    }),
  )
  expect(new Set(answers.map(reasonOf))).toEqual(new Set(['200 undefined']))
  expect(await verifyChain('busy')).toBe(102)
  await verifyChain('')
}, 90_000)

describe('an Idempotency-Key', () => {
  const make = (slug: string, key: string, more: object = {}) => {
    return api.ask('POST', '/organizations', { body: { slug, ...more }, headers: { 'idempotency-key': key } })
  }

  it('answers the same again, and makes nothing', async () => {
    const first = await make('once', 'key-1')
    const events = await count('audit_events')
    const second = await make('once', 'key-1')
    expect([first.status, second.status]).toEqual([201, 201])
    expect(second.json).toEqual(first.json)
    expect(second.headers.etag).toBe(first.headers.etag)
    expect(second.headers['idempotency-replayed']).toBe('true')
    expect(await count('audit_events')).toBe(events)
  })

  it('is refused with another request', async () => {
    expect(reasonOf(await make('twice', 'key-1'))).toBe('422 idempotency_mismatch')
    expect(reasonOf(await make('once', 'key-1', { displayName: 'Other' }))).toBe('422 idempotency_mismatch')
  })

  it("is one caller's own", async () => {
    const other = await api.ask('POST', '/organizations', {
      as: { subject: 'otto', groups: ['owners'] },
      body: { slug: 'once' },
      headers: { 'idempotency-key': 'key-1' },
    })
    expect(reasonOf(other)).toBe('409 already_exists')
  })

  it('of requests at the same time gives them one answer', async () => {
    const answers = await Promise.all(Array.from({ length: 6 }, () => make('parallel', 'key-2')))
    expect(answers.map(({ status }) => status)).toEqual(Array(6).fill(201))
    expect(new Set(answers.map(({ text }) => text)).size).toBe(1)
  })

  it('counts for a day', async () => {
    await make('daily', 'key-3')
    await api.stack.advance(25 * 3600)
    expect(reasonOf(await make('daily', 'key-3'))).toBe('409 already_exists')
    expect((await make('daily-two', 'key-3')).status).toBe(201)
  })

  it('is nothing to a dry run', async () => {
    const headers = { 'idempotency-key': 'key-4' }
    const query = { dryRun: 'true' }
    const dry = await api.ask('POST', '/organizations', { body: { slug: 'wet' }, headers, query })
    expect(dry.json).toMatchObject({ dryRun: true })
    expect((await make('wet', 'key-4')).status).toBe(201)
  })

  it('must be a short one', async () => {
    expect(reasonOf(await make('never', 'k'.repeat(201)))).toBe('400 input_invalid')
  })
})

describe('a dry run', () => {
  it('leaves nothing behind, whatever it is of', async () => {
    const tables = [
      'versions',
      'audit_events',
      'organizations',
      'projects',
      'group_mappings',
      'search_entries',
      'idempotency_keys',
    ]
    const before = await Promise.all(tables.map(count))
    const query = { dryRun: 'true' }
    const project = '/organizations/acme/projects'
    const ways: [string, string, object?][] = [
      ['POST', '/organizations', { slug: 'dry', idpGroupMappings: [GROUP('ORG_OWNER', 'd')] }],
      ['PATCH', '/organizations/acme', { displayName: 'Dry' }],
      ['POST', project, { slug: 'dry', idpGroupMappings: [GROUP('GROUP_OWNER', 'd')] }],
      ['PATCH', `${project}/web`, { idpGroupMappings: [GROUP('GROUP_OWNER', 'd')] }],
      ['PATCH', '/instance', { idpGroupMappings: [GROUP('GLOBAL_READ_ONLY', 'd')] }],
      ['DELETE', '/organizations/once'],
    ]
    for (const [method, path, body] of ways) {
      const answer = await api.ask(method, path, {
        query,
        ...(body ? { body } : {}),
        ...(method === 'PATCH' ? { ifMatch: 0 } : {}),
        headers: { 'idempotency-key': `dry ${method}`.replace(' ', '-') },
      })
      expect(answer.status, `${method} ${path} ${answer.text}`).toBe(200)
      expect(answer.json, path).toMatchObject({
        dryRun: true,
        principals: { considered: 0, items: [], next: null },
      })
      expect(answer.json.changes.length, path).toBeGreaterThan(0)
      expect(answer.headers['postern-publication']).toBeUndefined()
    }
    expect(await Promise.all(tables.map(count))).toEqual(before)
  })

  it('is refused where the change would be', async () => {
    const refused = await api.ask('PATCH', '/organizations/acme/projects/web', {
      query: { dryRun: 'true' },
      ifMatch: 3,
      body: { displayName: 'x' },
    })
    expect(reasonOf(refused)).toBe('412 version_conflict')
  })
})

describe('publication', () => {
  it('is pending behind the answer, and done when it is waited for', async () => {
    const path = '/organizations/acme/projects/web'
    const fast = await api.ask('PATCH', path, { ...behind, ifMatch: 0, body: { displayName: 'Web 1' } })
    expect(fast.headers['postern-publication']).toBe('pending')
    expect(fast.headers['preference-applied']).toBeUndefined()
    const slow = await api.ask('PATCH', path, { ifMatch: 1, body: { displayName: 'Web 2' } })
    expect(slow.headers['postern-publication']).toBe('published')
    expect(slow.headers['preference-applied']).toBe('wait')
  })

  it('is pending when the publisher cannot be told, and the edit is saved', async () => {
    const path = '/organizations/acme/projects/web'
    await api.stack.faults({ catchUp: 'lost' })
    const saved = await api.ask('PATCH', path, { ifMatch: 2, body: { displayName: 'Web 3' } })
    expect([saved.status, saved.headers['postern-publication']]).toEqual([200, 'pending'])
    await api.stack.faults({})
    expect(await api.make('GET', path)).toMatchObject({ displayName: 'Web 3', version: 3 })
  })
})

describe('a database that is away', () => {
  it('is said as such, and nothing is changed', async () => {
    const events = await count('audit_events')
    await api.stack.faults({ d1: 'unreachable' })
    const asked: [string, string, object?][] = [
      ['GET', '/organizations'],
      ['GET', '/organizations/acme'],
      ['POST', '/organizations', { slug: 'unmade' }],
    ]
    for (const [method, path, body] of asked) {
      const answer = await api.ask(method, path, body ? { body } : {})
      expect(reasonOf(answer), path).toBe('503 database_unavailable')
      expect(answer.headers['retry-after']).toBe('5')
    }
    await api.stack.faults({})
    expect(await count('audit_events')).toBe(events)
  })
})

describe('what is no request', () => {
  const send = (method: string, path: string, headers: Record<string, string>, body?: string) => {
    return api.stack.send({
      host: GATEWAY_HOST,
      path: `/api/v1${path}`,
      method,
      token: api.token(ACME_OWNER),
      headers,
      ...(body === undefined ? {} : { body }),
    })
  }
  const json = { 'content-type': 'application/json' }
  const path = '/organizations/acme/projects'
  const rows: [name: string, ask: () => ReturnType<typeof send>, status: number, reason: string][] = [
    [
      'a form',
      () => send('POST', path, { 'content-type': 'application/x-www-form-urlencoded' }, 'slug=x'),
      415,
      'media_type_not_supported',
    ],
    [
      'text',
      () => send('POST', path, { 'content-type': 'text/plain' }, '{"slug":"x"}'),
      415,
      'media_type_not_supported',
    ],
    ['no type', () => send('POST', path, {}, '{"slug":"x"}'), 415, 'media_type_not_supported'],
    [
      'another charset',
      () => send('POST', path, { 'content-type': 'application/json; charset=utf-16' }, '{}'),
      415,
      'media_type_not_supported',
    ],
    ['no JSON', () => send('POST', path, json, '{"slug":'), 400, 'input_invalid'],
    ['no body', () => send('POST', path, json, ''), 400, 'input_invalid'],
    ['a member twice', () => send('POST', path, json, '{"slug":"x","slug":"y"}'), 400, 'input_invalid'],
    ['an unknown field', () => send('POST', path, json, '{"slug":"x","colour":"red"}'), 400, 'input_invalid'],
    ['a prototype', () => send('POST', path, json, '{"slug":"x","__proto__":{"a":1}}'), 400, 'input_invalid'],
    ['no slug', () => send('POST', path, json, '{"slug":"-x"}'), 400, 'input_invalid'],
    ['an unknown query', () => send('GET', `${path}?colour=red`, {}), 400, 'input_invalid'],
    ['a query twice', () => send('GET', `${path}?limit=1&limit=2`, {}), 400, 'input_invalid'],
    [
      'too large a body',
      () => send('POST', path, json, JSON.stringify({ slug: 'x'.repeat(1024 * 1024) })),
      413,
      'body_too_large',
    ],
    ['nothing there', () => send('GET', '/nothing', {}), 404, 'route_not_found'],
    ['another method', () => send('PUT', path, json, '{}'), 405, 'method_not_allowed'],
    ['an ambiguous path', () => send('GET', '/organizations//projects', {}), 404, 'route_not_found'],
    ['an encoded path', () => send('GET', '/organizations/%61cme', {}), 400, 'path_not_canonical'],
  ]
  it.each(rows)('%s is refused', async (_name, ask, status, reason) => {
    const answer = await ask()
    const problem = JSON.parse(answer.text)
    expect([answer.status, problem.reason, problem.status]).toEqual([status, reason, status])
    expect(answer.headers['content-type']).toBe('application/problem+json')
    expect(answer.headers['cache-control']).toBe('no-store')
    expect(answer.headers['x-request-id']).toBe(problem.requestId)
    expect(answer.headers['access-control-allow-origin']).toBeUndefined()
    if (reason === 'input_invalid') expect(problem.errors[0]).toMatchObject({ path: expect.any(String) })
    if (status === 405) expect(answer.headers.allow).toBe('GET, POST, HEAD, OPTIONS')
  })

  it('names each field that is wrong, with its place', async () => {
    const body = {
      slug: 'x',
      idpGroupMappings: [
        { roleName: 'GROUP_OWNER', idpGroups: [] },
        { idpGroups: ['a', 3], odd: 1 },
      ],
    }
    const answer = await send('POST', path, json, JSON.stringify(body))
    expect(
      JSON.parse(answer.text)
        .errors.map((error: { path: string }) => error.path)
        .sort(),
    ).toEqual([
      'idpGroupMappings[0].idpGroups',
      'idpGroupMappings[1].idpGroups[1]',
      'idpGroupMappings[1].odd',
      'idpGroupMappings[1].roleName',
    ])
  })

  it('HEAD is answered as GET without its body, and OPTIONS with the methods', async () => {
    const head = await send('HEAD', '/organizations/acme', {})
    expect([head.status, head.text]).toEqual([200, ''])
    expect(head.headers.etag).toMatch(/^"\d+"$/)
    const options = await send('OPTIONS', '/organizations/acme', {})
    expect([options.status, options.headers.allow]).toEqual([204, 'GET, PATCH, DELETE, HEAD, OPTIONS'])
    expect(options.headers['access-control-allow-origin']).toBeUndefined()
  })
})
