// Which sessions a `sid` or a `sub` of an issuer record means: a Durable Object for each, so that a logout token finds
// them without a cookie. It may name sessions that have ended; their own object knows.
import { DurableObject } from 'cloudflare:workers'
import { alarmTime, clock } from '../clock.ts'
import type { Environment } from '../environment.ts'

/** The newest are kept. More than a principal has sessions (SESSIONS_MAX), by far. */
const ENTRIES_MAX = 1000

export class SessionIndexObject extends DurableObject<Environment> {
  readonly #sql: SqlStorage = this.ctx.storage.sql

  /** `expires` in milliseconds since the epoch: when the session ends at the latest. */
  async add(principal: string, session: string, expires: number): Promise<void> {
    this.#open()
    this.#sql.exec('DELETE FROM entries WHERE session = ?', session)
    this.#sql.exec(
      'INSERT INTO entries (session, principal, expires) VALUES (?, ?, ?)',
      session,
      principal,
      expires,
    )
    this.#sql.exec(
      'DELETE FROM entries WHERE seq IN (SELECT seq FROM entries ORDER BY seq DESC LIMIT -1 OFFSET ?)',
      ENTRIES_MAX,
    )
    await this.#schedule()
  }

  /** Principals (their ids) with sessions of that name, each with the sessions' ids. */
  async list(): Promise<{ principal: string; sessions: string[] }[]> {
    // Anybody may ask for a name that nobody has: it keeps nothing.
    const known = this.#sql.exec("SELECT 1 FROM sqlite_master WHERE name = 'entries'").toArray()
    if (known.length === 0) return []
    const rows = this.#sql.exec<{ principal: string; session: string }>(
      'SELECT principal, session FROM entries WHERE expires > ? ORDER BY seq',
      clock.now(),
    )
    const byPrincipal = new Map<string, string[]>()
    for (const { principal, session } of rows) {
      byPrincipal.set(principal, [...(byPrincipal.get(principal) ?? []), session])
    }
    return [...byPrincipal].map(([principal, sessions]) => ({ principal, sessions }))
  }

  override async alarm(): Promise<void> {
    this.#open()
    this.#sql.exec('DELETE FROM entries WHERE expires <= ?', clock.now())
    await this.#schedule()
  }

  /** deleteAll has taken the table as well. */
  #open(): void {
    this.#sql.exec(
      `CREATE TABLE IF NOT EXISTS entries (seq INTEGER PRIMARY KEY AUTOINCREMENT, session TEXT NOT NULL,
        principal TEXT NOT NULL, expires INTEGER NOT NULL)`,
    )
  }

  async #schedule(): Promise<void> {
    const { next } = this.#sql.exec<{ next: number | null }>('SELECT min(expires) AS next FROM entries').one()
    if (next === null) await this.ctx.storage.deleteAll()
    else await this.ctx.storage.setAlarm(alarmTime(Math.max(0, next - clock.now())))
  }
}
