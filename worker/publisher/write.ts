// Writes to KV what the store has and KV has not, buckets first, and announces each document once KV has it.
import { keyOf } from '../documents/published.ts'
import type { Environment } from '../environment.ts'
import { announce, CHANGE_KEPT_MS } from './feed.ts'
import { RANKS, type Store, textOf } from './store.ts'

/** Reads, writes and deletions of KV in one run of the publisher; the next run goes on. */
export const KV_OPERATIONS_MAX = 500
/** KV takes one write a second under one key. */
export const KV_PAUSE_MS = 1000
/** As many as a Worker has connections. */
const KV_PARALLEL = 6
/**
 * Writes noted at once: what the object sends waits until its storage has confirmed what was noted before. Should it
 * end in between, the same is written again.
 */
const NOTED_TOGETHER = 120

export interface Written {
  written: number
  /** When the first of those that wait for their second may be written; null when none waits. */
  waitsUntil: number | null
}

/** Throws at the first that fails; what was written before it stays written, and is announced. */
export async function writePending(
  { KV }: Pick<Environment, 'KV'>,
  store: Store,
  now: () => number,
  operationsMax: number,
): Promise<Written> {
  let written = 0
  for (const rank of Object.values(RANKS)) {
    const rows = duePending(store, rank, now(), operationsMax - written)
    for (let first = 0; first < rows.length; first += NOTED_TOGETHER) {
      const part = rows.slice(first, first + NOTED_TOGETHER)
      const { done, error } = await writeParallel(KV, store, part)
      written += part.length
      noteWritten(store, done, now())
      if (error !== null) throw error
    }
    // A header that comes before its buckets would leave the edge without them.
    if (rank === RANKS.bucket && hasPending(store, rank)) break
    if (written >= operationsMax) break
  }
  const [row] = store.sql
    .exec(
      `SELECT min(written_at) AS at FROM documents WHERE pending = 1 AND written_at > ? AND written_at <= ?`,
      now() - KV_PAUSE_MS,
      now(),
    )
    .toArray()
  const at = row?.at as number | null | undefined
  return { written, waitsUntil: at === null || at === undefined ? null : at + KV_PAUSE_MS }
}

interface Row {
  name: string
  version: number
}

/** What was written later than now was written by a clock that has been set back: it waits for nothing. */
function duePending({ sql }: Store, rank: number, now: number, limit: number): Row[] {
  const rows = sql.exec(
    `SELECT name, version FROM documents WHERE pending = 1 AND rank = ?1 AND (written_at <= ?2 OR written_at > ?3)
     ORDER BY name LIMIT ?4`,
    rank,
    now - KV_PAUSE_MS,
    now,
    limit,
  )
  return rows.toArray() as unknown as Row[]
}

function hasPending({ sql }: Store, rank: number): boolean {
  return sql.exec('SELECT 1 FROM documents WHERE pending = 1 AND rank = ? LIMIT 1', rank).toArray().length > 0
}

/** Ends with the first that fails. */
async function writeParallel(
  kv: KVNamespace,
  store: Store,
  rows: readonly Row[],
): Promise<{ done: Row[]; error: unknown }> {
  const waiting = [...rows]
  const done: Row[] = []
  let error: unknown = null
  const work = async () => {
    for (let row = waiting.shift(); row && error === null; row = waiting.shift()) {
      try {
        await kv.put(keyOf(row.name), textOf(store, row.name) as string)
        done.push(row)
      } catch (reason) {
        error = reason ?? new Error('KV has failed without a reason')
      }
    }
  }
  await Promise.all(Array.from({ length: KV_PARALLEL }, work))
  return { done, error }
}

function noteWritten(store: Store, rows: readonly Row[], now: number): void {
  store.transact(() => {
    for (const { name, version } of rows) {
      store.sql.exec(
        'UPDATE documents SET pending = 0, written_at = ?1 WHERE name = ?2 AND version = ?3',
        now,
        name,
        version,
      )
      // Nobody holds a bucket under a name that says something else now.
      if (name.startsWith('bucket:')) continue
      announce(store, { kind: 'document', key: name, version }, now + CHANGE_KEPT_MS)
    }
  })
}
