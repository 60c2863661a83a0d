// The change feed: what isolates are told when they ask what is new. A row for each thing, with a number that rises
// whenever something about it changes; rows end, and whoever asks from before that must forget all it holds.
import type { Change, Changes, End } from '../documents/published.ts'
import { type Store, setState, stateOf } from './store.ts'

/** Longer than KV serves an old copy, and than an isolate goes without asking. */
export const CHANGE_KEPT_MS = 60 * 60_000
/** Of so many, the oldest end early. */
export const CHANGES_MAX = 10_000

export function announce({ sql }: Store, change: Omit<Change, 'seq'>, expires: number): void {
  // The row that stood there goes, and this one has a new number.
  sql.exec(
    'INSERT OR REPLACE INTO changes (kind, key, version, expires) VALUES (?, ?, ?, ?)',
    change.kind,
    change.key,
    change.version,
    expires,
  )
}

/** Longer than any session lives (SESSION_LIFE_SECONDS_MAX), with a day to spare. */
const WIDE_END_KEPT_MS = 91 * 24 * 60 * 60_000
/** Nothing else keeps these: a principal's own object knows which of its sessions have ended. */
const WIDE_KINDS = ['organization', 'issuer', 'instance'] as const
const IS_NARROW = `kind NOT IN ('${WIDE_KINDS.join("', '")}')`

/** A time that was announced before never goes back. */
export function announceEnds(store: Store, ends: readonly End[], now: number): void {
  store.transact(() => {
    for (const { kind, key, version } of ends) {
      const [row] = store.sql
        .exec('SELECT version FROM changes WHERE kind = ? AND key = ?', kind, key)
        .toArray()
      const newest = Math.max(version, (row?.version as number | undefined) ?? 0)
      const isWide = (WIDE_KINDS as readonly string[]).includes(kind)
      announce(store, { kind, key, version: newest }, now + (isWide ? WIDE_END_KEPT_MS : CHANGE_KEPT_MS))
    }
  })
}

/** Null asks for all that is kept, on behalf of somebody who holds nothing. */
export function changesSince(
  store: Store,
  seq: number | null,
): Pick<Changes, 'seq' | 'complete' | 'changes'> {
  const floor = stateOf(store, 'feedFloor') ?? 0
  const [row] = store.sql.exec('SELECT max(seq) AS seq FROM changes').toArray()
  const newest = Math.max(floor, (row?.seq as number | null | undefined) ?? 0)
  // A number that was never given comes from a feed that is lost.
  const complete = seq === null || (seq >= floor && seq <= newest)
  if (seq === newest) return { seq: newest, complete: true, changes: [] }
  const rows = store.sql.exec(
    'SELECT seq, kind, key, version FROM changes WHERE seq > ? ORDER BY seq',
    complete ? (seq ?? 0) : 0,
  )
  return { seq: newest, complete, changes: rows.toArray() as unknown as Change[] }
}

/** At once where there are far too many; the others end hourly. */
export function boundChanges(store: Store, now: number): void {
  const [row] = store.sql.exec(`SELECT count(*) AS count FROM changes WHERE ${IS_NARROW}`).toArray()
  if ((row?.count as number) > 2 * CHANGES_MAX) endChanges(store, now)
}

export function endChanges(store: Store, now: number): void {
  store.transact(() => {
    const [row] = store.sql
      .exec(
        `SELECT max(seq) AS seq FROM (
           SELECT seq FROM changes WHERE expires <= ?1
           UNION ALL SELECT seq FROM (SELECT seq FROM changes WHERE ${IS_NARROW} ORDER BY seq DESC LIMIT -1 OFFSET ?2))`,
        now,
        CHANGES_MAX,
      )
      .toArray()
    const last = row?.seq as number | null | undefined
    if (last === null || last === undefined) return
    store.sql.exec('DELETE FROM changes WHERE expires <= ?', now)
    store.sql.exec(
      `DELETE FROM changes WHERE seq IN
         (SELECT seq FROM changes WHERE ${IS_NARROW} ORDER BY seq DESC LIMIT -1 OFFSET ?)`,
      CHANGES_MAX,
    )
    setState(store, 'feedFloor', Math.max(stateOf(store, 'feedFloor') ?? 0, last))
  })
}
