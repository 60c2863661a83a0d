// Handlers of the audit: a chain's events, newest first in pages or oldest first as a stream of lines, and its heads.
import type { AuditEvent } from '../../policy/operations/history.ts'
import type { OutputOf } from '../../policy/operations/table.ts'
import { clock } from '../clock.ts'
import { type AuditRow, auditEventOf } from '../database/audit.ts'
import type { Environment } from '../environment.ts'
import { NO_STORE } from './answers.ts'
import type { Answered, Call, SomeHandlers } from './call.ts'
import { pageOf, readCursor } from './pages.ts'

type Listing = 'audit.list' | 'organizationAudit.list'
type Heads = 'audit.heads' | 'organizationAudit.heads'

export const auditHandlers = {
  'audit.list': (call) => listEvents(call, ''),
  'organizationAudit.list': (call) => listEvents(call, call.params.organization),
  'audit.heads': ({ environment }) => listHeads(environment, ''),
  'organizationAudit.heads': ({ environment, params }) => listHeads(environment, params.organization),
} satisfies SomeHandlers

type Filter = Call<'audit.list'>['query']

async function listEvents<Id extends Listing>(call: Call<Id>, chain: string): Promise<Answered<Id>> {
  const { environment, request } = call
  const query = call.query as Filter
  const kind = `audit/${chain}`
  const position = readCursor(kind, query.cursor)
  if (!position.ok) return position
  if (/\bapplication\/x-ndjson\b/i.test(request.headers.get('accept') ?? '')) {
    const headers = { ...NO_STORE, 'content-type': 'application/x-ndjson' }
    return { ok: true, body: new Response(exportLines(environment.DB, chain, query), { headers }) }
  }
  const before = position.after === null ? Number.MAX_SAFE_INTEGER : Number(position.after)
  const { sql, values } = conditionsOf(chain, query)
  const { results } = await environment.DB.prepare(
    `SELECT * FROM audit_events WHERE ${sql} AND number < ? ORDER BY number DESC LIMIT ?`,
  )
    .bind(...values, before, query.limit + 1)
    .all<AuditRow>()
  const body = pageOf(kind, results, query.limit, {
    item: auditEventOf,
    position: ({ number }) => String(number),
    isFirst: position.after === null,
  })
  return { ok: true, body: body as OutputOf<Id> }
}

function conditionsOf(
  chain: string,
  { actor, operation, targetKind, target, from, until }: Filter,
): { sql: string; values: unknown[] } {
  const conditions = ['chain = ?']
  const values: unknown[] = [chain]
  const add = (condition: string, ...given: unknown[]) => {
    conditions.push(condition)
    values.push(...given)
  }
  // A subject may have spaces as well, so either reading counts.
  if (actor !== undefined) add("(actor_key = ? OR actor ->> '$.subject' = ?)", actor, actor)
  if (operation !== undefined) add('operation = ?', operation)
  if (targetKind !== undefined) add('target_kind = ?', targetKind)
  if (target !== undefined) add('target = ?', target)
  if (from !== undefined) add('at >= ?', Date.parse(from))
  if (until !== undefined) add('at < ?', Date.parse(until))
  return { sql: conditions.join(' AND '), values }
}

/** Rows read at once; each may hold some hundred kilobytes. */
const LINES_AT_ONCE = 100

/** Never more than a piece in memory, however long the chain is. */
function exportLines(database: D1Database, chain: string, query: Filter): ReadableStream<Uint8Array> {
  const { sql, values } = conditionsOf(chain, query)
  const encoder = new TextEncoder()
  let after = 0
  return new ReadableStream({
    async pull(controller) {
      const { results } = await database
        .prepare(`SELECT * FROM audit_events WHERE ${sql} AND number > ? ORDER BY number LIMIT ?`)
        .bind(...values, after, LINES_AT_ONCE)
        .all<AuditRow>()
      const last = results.at(-1)
      if (last) {
        after = last.number
        controller.enqueue(encoder.encode(results.map(lineOf).join('')))
      }
      if (results.length < LINES_AT_ONCE) controller.close()
    },
  })
}

function lineOf(row: AuditRow): string {
  const event: AuditEvent = auditEventOf(row)
  return `${JSON.stringify(event)}\n`
}

interface HeadRow {
  chain: string
  number: number
  cumulative: string
  signature: string
  at: number
}

/** The signed ones, newest first, before them the running one, which the publisher keeps. */
async function listHeads<Id extends Heads>(
  { DB, PUBLISHER }: Environment,
  chain: string,
): Promise<Answered<Id>> {
  const publisher = PUBLISHER.getByName('instance')
  await publisher.catchUp()
  const [running, signed] = await Promise.all([
    publisher.auditHeads(chain),
    DB.prepare('SELECT * FROM audit_heads WHERE chain = ? ORDER BY number DESC LIMIT ?')
      .bind(chain, HEADS_MAX)
      .all<HeadRow>(),
  ])
  const now = new Date(clock.now()).toISOString()
  const items = [
    { chain, number: running.number, cumulative: running.cumulative, at: now, signature: null },
    ...signed.results.map((head) => ({ ...head, at: new Date(head.at).toISOString() })),
  ]
  return { ok: true, body: { items } as OutputOf<Id> }
}
const HEADS_MAX = 500
