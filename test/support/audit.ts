// Recomputes the audit chains of a stack's database from the rows alone, with node:crypto and nothing of the Worker's.
import { createHash } from 'node:crypto'
import { canonicalEvent } from '../../policy/audit-event.ts'
import type { Stack } from './stack.ts'

interface Row {
  chain: string
  number: number
  at: number
  actor: string
  operation: string
  target_kind: string
  target: string
  before: string | null
  after: string | null
  request_id: string
  hash: string
  previous: string
}

/** What is wrong with any event; how many there are in each chain. */
export async function verifyAudit(
  stack: Stack,
): Promise<{ wrong: string[]; counts: Record<string, number> }> {
  const database = await stack.database()
  const { results } = await database.prepare('select * from audit_events order by chain, number').all()
  const wrong: string[] = []
  const counts: Record<string, number> = {}
  const heads = new Map<string, string>()
  for (const row of results as unknown as Row[]) {
    const name = `${row.chain}#${row.number}`
    const expected = (counts[row.chain] ?? 0) + 1
    counts[row.chain] = expected
    if (row.number !== expected) wrong.push(`${name} stands where ${expected} should be`)
    if (row.previous !== (heads.get(row.chain) ?? '')) wrong.push(`${name} does not follow the one before it`)
    if (row.hash !== hashOf(row)) wrong.push(`${name} is not what was hashed`)
    heads.set(row.chain, row.hash)
  }
  return { wrong, counts }
}

function hashOf(row: Row): string {
  const event = {
    chain: row.chain,
    at: new Date(row.at).toISOString(),
    actor: JSON.parse(row.actor),
    operation: row.operation,
    target: { kind: row.target_kind, id: row.target },
    before: row.before === null ? null : JSON.parse(row.before),
    after: row.after === null ? null : JSON.parse(row.after),
    requestId: row.request_id,
  }
  return createHash('sha256').update(canonicalEvent(event)).digest('hex')
}
