// Removes what has had its time: answers kept for repeated creates, people not seen for long, documents and buckets
// that nobody is led to any more, changes that every isolate has heard of.
import { keyOf } from '../documents/published.ts'
import type { Environment } from '../environment.ts'
import { endChanges } from './feed.ts'
import { databaseOf } from './read.ts'
import { forgetDocument, RANKS, type Store, stateOf } from './store.ts'

const HOUR_MS = 60 * 60_000
const DAY_MS = 24 * HOUR_MS
export const IDEMPOTENCY_KEPT_MS = DAY_MS
/** A bucket stays so long after its header, which isolates and KV may still have. */
export const BUCKET_KEPT_MS = HOUR_MS
/** That a document is deleted stays known so long. */
export const DELETED_KEPT_MS = DAY_MS
export const KNOWN_PRINCIPALS_MAX = 100_000
export const KNOWN_PRINCIPAL_DAYS = 90

/** Rows deleted by one statement, and how often. */
const ROWS_MAX = 1000
const PAGES_MAX = 20

export async function cleanDatabase(environment: Environment, store: Store, now: number): Promise<void> {
  const database = databaseOf(environment)
  const days = stateOf(store, 'settings')?.knownPrincipalDays ?? KNOWN_PRINCIPAL_DAYS
  await inPages(async () => {
    const { meta } = await database
      .prepare(
        'DELETE FROM idempotency_keys WHERE key IN (SELECT key FROM idempotency_keys WHERE at < ? LIMIT ?)',
      )
      .bind(now - IDEMPOTENCY_KEPT_MS, ROWS_MAX)
      .run()
    return meta.changes
  })
  await forgetPrincipals(
    database,
    'last_seen_at < ?1 ORDER BY last_seen_at, id LIMIT ?2',
    now - days * DAY_MS,
  )
  await forgetPrincipals(
    database,
    'true ORDER BY last_seen_at DESC, id LIMIT ?2 OFFSET ?1',
    KNOWN_PRINCIPALS_MAX,
  )
}

async function forgetPrincipals(database: D1Database, which: string, bound: number): Promise<void> {
  const chosen = `SELECT id FROM known_principals WHERE ${which}`
  await inPages(async () => {
    const [, principals] = await database.batch([
      database.prepare(`DELETE FROM known_groups WHERE principal IN (${chosen})`).bind(bound, ROWS_MAX),
      database.prepare(`DELETE FROM known_principals WHERE id IN (${chosen})`).bind(bound, ROWS_MAX),
    ])
    return principals?.meta.changes ?? 0
  })
}

async function inPages(deletePage: () => Promise<number>): Promise<void> {
  for (let page = 0; page < PAGES_MAX; page++) {
    if ((await deletePage()) < ROWS_MAX) return
  }
}

/** @returns whether more is left to delete from KV. */
export async function cleanDocuments(
  { KV }: Pick<Environment, 'KV'>,
  store: Store,
  now: number,
  operationsMax: number,
): Promise<boolean> {
  endChanges(store, now)
  const names = store.sql
    .exec(
      `SELECT name FROM documents AS old WHERE pending = 0 AND left_at <= iif(rank = ${RANKS.bucket}, ?1, ?2)
         AND NOT (rank = ${RANKS.bucket} AND EXISTS (SELECT 1 FROM documents WHERE organization = old.organization
           AND rank = ${RANKS.organization} AND pending = 1))
       LIMIT ?3`,
      now - BUCKET_KEPT_MS,
      now - DELETED_KEPT_MS,
      operationsMax,
    )
    .toArray()
    .map(({ name }) => name as string)
  for (const name of names) {
    await KV.delete(keyOf(name))
    store.transact(() => forgetDocument(store, name))
  }
  return names.length === operationsMax && names.length > 0
}
