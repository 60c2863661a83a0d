// The tables of a principal's object, and which of its sessions a request to end means.
import type { NewSession, Which } from './session.ts'

/** A session as it is kept, but for its hosts' cookies. */
export interface StoredSession extends Omit<NewSession, 'cookie' | 'replaces' | 'groups'> {
  lastSeenAt: number
  /** Nobody renews before, in milliseconds since the epoch. */
  renewAfter: number
}

export interface SessionRow {
  id: string
  stored: StoredSession
}

export function openSessions(sql: SqlStorage): void {
  for (const statement of TABLES) sql.exec(statement)
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

export function deleteSession(sql: SqlStorage, id: string): void {
  sql.exec('DELETE FROM sessions WHERE id = ?', id)
  sql.exec('DELETE FROM cookies WHERE session = ?', id)
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
