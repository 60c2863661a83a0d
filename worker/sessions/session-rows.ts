// The tables of a principal's object, what is asked of them, and which of its sessions a request to end means.
import type { End } from '../documents/published.ts'
import type { HostCookie, NewSession, Which } from './session.ts'

/** Two answers that set a host's cookie may reach a browser in another order than they were made. */
const COOKIES_PER_HOST_MAX = 4

/** A session as it is kept, but for its hosts' cookies. */
export interface StoredSession extends Omit<NewSession, 'cookie' | 'replaces' | 'groups'> {
  /** The name of this object. An object that its alarm has started may not know it otherwise. */
  principal: string
  lastSeenAt: number
  /** Nobody renews before, in milliseconds since the epoch. */
  renewAfter: number
  /** Ends of the whole instance up to then have left it out; without: none has. */
  keptAt?: number
}

export interface SessionRow {
  id: string
  stored: StoredSession
}

export function openSessions(sql: SqlStorage): void {
  for (const statement of TABLES) sql.exec(statement)
}

/** Whoever only reads makes nothing: most principals that are asked about have never signed in. */
export function hasSessions(sql: SqlStorage): boolean {
  return sql.exec("SELECT 1 FROM sqlite_master WHERE name = 'sessions'").toArray().length > 0
}

const TABLES = [
  'CREATE TABLE IF NOT EXISTS sessions (id TEXT PRIMARY KEY, started_at INTEGER NOT NULL, stored TEXT NOT NULL)',
  'CREATE TABLE IF NOT EXISTS cookies (hash TEXT PRIMARY KEY, session TEXT NOT NULL, host TEXT NOT NULL)',
  // One row: the groups that were said last (decision T4); `at` in seconds since the epoch.
  'CREATE TABLE IF NOT EXISTS groups (names TEXT NOT NULL, at INTEGER NOT NULL)',
  // Ends that the change feed has still to be told.
  `CREATE TABLE IF NOT EXISTS owed (seq INTEGER PRIMARY KEY AUTOINCREMENT, kind TEXT NOT NULL, key TEXT NOT NULL,
    version INTEGER NOT NULL)`,
]

/** The oldest first; those that have outlived their time among them, until the alarm comes. */
export function allRows(sql: SqlStorage): SessionRow[] {
  return sql
    .exec<{ id: string; stored: string }>('SELECT id, stored FROM sessions ORDER BY started_at, rowid')
    .toArray()
    .map(({ id, stored }) => ({ id, stored: JSON.parse(stored) as StoredSession }))
}

export function rowOf(sql: SqlStorage, id: string): SessionRow | null {
  const [row] = sql.exec<{ stored: string }>('SELECT stored FROM sessions WHERE id = ?', id).toArray()
  return row ? { id, stored: JSON.parse(row.stored) as StoredSession } : null
}

export function insertRow(sql: SqlStorage, stored: StoredSession): void {
  const { id, startedAt } = stored
  sql.exec(
    'INSERT INTO sessions (id, started_at, stored) VALUES (?, ?, ?)',
    id,
    startedAt,
    JSON.stringify(stored),
  )
}

export function writeRow(sql: SqlStorage, id: string, stored: StoredSession): void {
  sql.exec('UPDATE sessions SET stored = ? WHERE id = ?', JSON.stringify(stored), id)
}

export function deleteRow(sql: SqlStorage, id: string): void {
  sql.exec('DELETE FROM sessions WHERE id = ?', id)
  sql.exec('DELETE FROM cookies WHERE session = ?', id)
}

/** When the first of them ends by itself, in milliseconds since the epoch. */
export function nextExpiry(sql: SqlStorage): number | null {
  return sql.exec<{ next: number | null }>("SELECT min(stored ->> 'expiresAt') AS next FROM sessions").one()
    .next
}

export function sessionOfCookie(sql: SqlStorage, { hash, host }: HostCookie): string | null {
  const [row] = sql
    .exec<{ session: string }>('SELECT session FROM cookies WHERE hash = ? AND host = ?', hash, host)
    .toArray()
  return row?.session ?? null
}

export function addCookie(sql: SqlStorage, session: string, { hash, host }: HostCookie): void {
  sql.exec('INSERT INTO cookies (hash, session, host) VALUES (?, ?, ?)', hash, session, host)
  sql.exec(
    `DELETE FROM cookies WHERE rowid IN
       (SELECT rowid FROM cookies WHERE session = ? AND host = ? ORDER BY rowid DESC LIMIT -1 OFFSET ?)`,
    session,
    host,
    COOKIES_PER_HOST_MAX,
  )
}

export function hostsOf(sql: SqlStorage, session: string): string[] {
  return sql
    .exec<{ host: string }>(
      'SELECT host FROM cookies WHERE session = ? GROUP BY host ORDER BY min(rowid)',
      session,
    )
    .toArray()
    .map(({ host }) => host)
}

/** Written with what it is about; told afterwards, however often that takes. */
export function owe(sql: SqlStorage, { kind, key, version }: End): void {
  sql.exec('INSERT INTO owed (kind, key, version) VALUES (?, ?, ?)', kind, key, version)
}

/** What the feed has still to be told, and the number of the last of it. */
export function owedEnds(sql: SqlStorage): { ends: End[]; last: number } {
  const rows = sql
    .exec<{ seq: number; kind: End['kind']; key: string; version: number }>(
      'SELECT seq, kind, key, version FROM owed ORDER BY seq',
    )
    .toArray()
  return {
    ends: rows.map(({ kind, key, version }) => ({ kind, key, version })),
    last: rows.at(-1)?.seq ?? 0,
  }
}

export function forgetOwed(sql: SqlStorage, last: number): void {
  sql.exec('DELETE FROM owed WHERE seq <= ?', last)
}

/** An issuer's own names count within what it vouches for. */
export function namedBy(which: Which, id: string, { issuer, sid, sub }: StoredSession): boolean {
  switch (which.kind) {
    case 'all':
      return id !== which.except
    case 'session':
      return id === which.id
    case 'sid':
      return issuer === which.issuer && sid === which.sid && (which.sub === null || sub === which.sub)
    case 'sub':
      return issuer === which.issuer && sub === which.sub
  }
}
