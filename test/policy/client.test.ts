// The typed client: what it sends for an operation, what it makes of an answer, and what does not compile.
import { describe, expect, test } from 'vitest'
import { createClient, type Received, requestOf, type Sent } from '../../policy/client.ts'
import { OPERATIONS, type OperationId } from '../../policy/operations/table.ts'

interface Reply {
  status?: number
  headers?: Record<string, string>
  body?: unknown
}

/** A server that answers one reply after the other, and what it was asked. */
function answering(...replies: Reply[]) {
  const asked: Sent[] = []
  const client = createClient(async (sent): Promise<Received> => {
    asked.push(sent)
    const { status = 200, headers = {}, body = {} } = replies[asked.length - 1] ?? {}
    const text = typeof body === 'string' ? body : JSON.stringify(body)
    return { status, text, header: (name) => headers[name] ?? null }
  })
  return { client, asked }
}

test('an operation that takes nothing is called by its name', async () => {
  const { client, asked } = answering({ body: { items: [] } })
  expect(await client.call('roles.list')).toEqual({
    ok: true,
    status: 200,
    body: { items: [] },
    etag: null,
    publication: null,
  })
  expect(asked).toEqual([
    { method: 'GET', path: '/api/v1/roles', headers: { accept: 'application/json' }, body: null },
  ])
})

test('path, query, body and wishes are sent', async () => {
  const { client, asked } = answering({
    headers: { etag: '"4"', 'postern-publication': 'pending' },
    body: { version: 4 },
  })
  const answer = await client.call('projects.update', {
    params: { organization: 'acme', project: 'payments' },
    query: { confirm: 'last-owner,own access' },
    body: { displayName: 'Zahlungen' },
    ifMatch: 3,
    prefer: 'wait',
  })
  expect(answer).toMatchObject({ ok: true, etag: '"4"', publication: 'pending', body: { version: 4 } })
  expect(asked).toEqual([
    {
      method: 'PATCH',
      path: '/api/v1/organizations/acme/projects/payments?confirm=last-owner%2Cown%20access',
      headers: {
        accept: 'application/json',
        'content-type': 'application/json',
        'if-match': '"3"',
        prefer: 'wait',
      },
      body: '{"displayName":"Zahlungen"}',
    },
  ])
})

test('a create carries its key; an ETag is sent as it came', () => {
  const given = { params: {}, body: { slug: 'acme' }, idempotencyKey: 'once', ifMatch: '"7"' }
  expect(requestOf('organizations.create', given).headers).toMatchObject({
    'idempotency-key': 'once',
    'if-match': '"7"',
  })
})

test('what stands in a path cannot leave it', () => {
  const { path } = requestOf('users.get', { params: { user: '../../x?y#z' } })
  expect(path).toBe('/api/v1/users/..%2F..%2Fx%3Fy%23z')
  expect(() => requestOf('users.get', { params: {} })).toThrow('users.get needs "user"')
})

test('a preview is the call as a dry run', async () => {
  const { client, asked } = answering({ body: { dryRun: true, changes: [] } })
  const answer = await client.preview('organizations.create', { body: { slug: 'acme' } })
  expect(asked[0]?.path).toBe('/api/v1/organizations?dryRun=true')
  expect(answer.ok && answer.body.changes).toEqual([])
})

test('pages follow one another until the last', async () => {
  const page = (items: string[], next: string | null) => ({ body: { items, next, total: null } })
  const { client, asked } = answering(page(['a', 'b'], 'c1'), page([], 'c2'), page(['c'], null))
  const items: unknown[] = []
  for await (const answer of client.pages('organizations.list', { query: { search: 'x', limit: 2 } })) {
    if (answer.ok) items.push(...answer.body.items)
  }
  expect(items).toEqual(['a', 'b', 'c'])
  expect(asked.map(({ path }) => path.split('?')[1])).toEqual([
    'search=x&limit=2',
    'search=x&limit=2&cursor=c1',
    'search=x&limit=2&cursor=c2',
  ])
})

test('pages end with a failure', async () => {
  const problem = { type: 't', title: 'T', status: 503, detail: 'd', reason: 'r', requestId: 'i' }
  const { client, asked } = answering(
    { body: { items: [], next: 'x', total: null } },
    { status: 503, body: problem },
  )
  const seen: boolean[] = []
  for await (const { ok } of client.pages('users.list')) seen.push(ok)
  expect(seen).toEqual([true, false])
  expect(asked).toHaveLength(2)
})

describe('what is no success is a problem', () => {
  const problem = {
    type: 'urn:postern:problem:input_invalid',
    title: 'The request is not as it must be.',
    status: 400,
    detail: 'body.slug: must be a slug',
    reason: 'input_invalid',
    requestId: 'r1',
    errors: [{ path: 'body.slug', message: 'must be a slug' }],
    place: 'kept',
  }

  test('a problem document, whole', async () => {
    const { client } = answering({ status: 400, body: problem })
    expect(await client.call('me.get')).toEqual({ ok: false, problem })
  })

  const shouldRefuse: [name: string, reply: Reply, status: number][] = [
    ['a page of a proxy', { status: 502, body: '<html>Bad gateway</html>' }, 502],
    ['a page instead of an answer', { status: 200, body: '<html>Sign in</html>' }, 200],
    ['JSON that is no problem document', { status: 404, body: { message: 'no' } }, 404],
    ['nothing at all', { status: 500, body: '' }, 500],
  ]
  test.each(shouldRefuse)('%s', async (_name, reply, status) => {
    const { client } = answering({ headers: { 'x-request-id': 'r2' }, ...reply })
    const answer = await client.call('me.get')
    expect(answer).toMatchObject({
      ok: false,
      problem: { status, reason: 'answer_not_understood', requestId: 'r2' },
    })
  })
})

test('every operation can be called', () => {
  for (const id of Object.keys(OPERATIONS) as OperationId[]) {
    const { method, path } = OPERATIONS[id]
    const params = Object.fromEntries([...path.matchAll(/\{(\w+)\}/g)].map(([, name]) => [name, 'x']))
    const sent = requestOf(id, { params })
    expect(sent.method).toBe(method)
    expect(sent.path).not.toMatch(/[{}]/)
  }
})

test('what must not compile does not', () => {
  // The compiler is the test; nothing is sent.
  expect(types).toBeTypeOf('function')
})

async function types() {
  const { client } = answering()
  const got = await client.call('organizations.get', { params: { organization: 'acme' } })
  if (got.ok) {
    const slug: string = got.body.slug
    // @ts-expect-error there is no such member
    got.body.nothing
    return slug
  }
  // @ts-expect-error the organization is missing
  await client.call('organizations.get')
  // @ts-expect-error a body it does not take
  await client.call('organizations.get', { params: { organization: 'acme' }, body: {} })
  // @ts-expect-error the slug is missing
  await client.call('organizations.create', { body: { displayName: 'Acme' } })
  // @ts-expect-error no such operation
  await client.call('organizations.rename')
  // @ts-expect-error dry runs have a method of their own
  await client.call('organizations.create', { body: { slug: 'a' }, query: { dryRun: true } })
  // @ts-expect-error it writes nothing, so there is nothing to preview
  await client.preview('organizations.get', { params: { organization: 'acme' } })
  // Its dry run answers what it answers otherwise, so it is asked for by the call itself.
  await client.call('issuers.delete', { params: { issuer: 'okta' }, query: { dryRun: true } })
  // @ts-expect-error it has no pages
  client.pages('organizations.get', { params: { organization: 'acme' } })
  // @ts-expect-error the document is missing
  await client.call('versions.get', { params: { version: 1 } })
  await client.call('versions.get', { params: { version: 1 }, query: { document: 'policy' } })
  return got.problem.reason
}
