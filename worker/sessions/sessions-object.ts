// The sessions of one principal: a Durable Object that begins, finds, renews and ends them. What has ended is told to
// the change feed until it is told; which isolate holds a copy is nobody's to know here.
import { DurableObject } from 'cloudflare:workers'
import type { LastKnownGroups } from '../../policy/principal.ts'
import { alarmTime, clock } from '../clock.ts'
import type { End } from '../documents/published.ts'
import type { Environment } from '../environment.ts'
import { sidIndexName, subIndexName } from './index-names.ts'
import type { EndedSession, HostCookie, NewSession, SessionCopy, SessionSummary, Which } from './session.ts'
import { deleteSession, namedBy, openSessions, type SessionRow, type StoredSession } from './session-rows.ts'

/** Of more, the oldest end. */
export const SESSIONS_MAX = 100
/** However often a session is used, that is written once a minute at most. */
export const TOUCH_MS = 60_000
/** Whoever renews has so long; after that another may try. */
const RENEWAL_MS = 30_000
/** After a renewal that failed. */
const RENEWAL_PAUSE_MS = 5 * 60_000
const RETRY_MS = 1000
const RETRY_MS_MAX = 60_000
/** As long as groups may stand in for those that are not said (KEEP_DAYS_MAX of policy/schema-issuer.ts). */
const GROUPS_KEPT_MS = 30 * 24 * 60 * 60_000

export class SessionsObject extends DurableObject<Environment> {
  readonly #sql: SqlStorage = this.ctx.storage.sql
  #failures = 0

  /** Kept once it returns. Ends `replaces`, and the oldest where there would be too many. */
  async start(session: NewSession): Promise<void> {
    const { cookie, replaces, groups, ...stored } = session
    const principal = this.#open()
    // Registered first: a session that a logout token could not find would outlive it.
    await this.#register(principal, session)
    this.ctx.storage.transactionSync(() => {
      this.#insert({ ...stored, lastSeenAt: stored.startedAt }, cookie)
      if (groups !== null) this.#keepGroups({ names: groups, at: Math.floor(stored.claimsAt / 1000) })
      const ended = replaces === null ? [] : this.#rows().filter(({ id }) => id === replaces)
      const alive = this.#rows().filter(({ id }) => id !== replaces)
      this.#delete([...ended, ...alive.slice(0, Math.max(0, alive.length - SESSIONS_MAX))])
    })
    await this.#tell()
  }

  /** The live session that the cookie of a host belongs to; null when there is none, or it has ended. */
  async find(hash: string, host: string): Promise<SessionCopy | null> {
    this.#open()
    const [row] = this.#sql
      .exec<{ session: string }>('SELECT session FROM cookies WHERE hash = ? AND host = ?', hash, host)
      .toArray()
    return row ? this.get(row.session) : null
  }

  /** The live session of that id. */
  async get(id: string): Promise<SessionCopy | null> {
    const principal = this.#open()
    const row = this.#rows().find((known) => known.id === id)
    return row ? { ...copyOf(row.stored, principal), lastKnown: this.#groups() } : null
  }

  /** Lets another host's cookie stand for the session. False when the session has ended. */
  async addHost(id: string, { host, hash }: HostCookie): Promise<boolean> {
    this.#open()
    if (!this.#rows().some((row) => row.id === id)) return false
    // A host has one cookie of a session: the one before is of no use to anybody any more.
    this.#sql.exec('DELETE FROM cookies WHERE session = ? AND host = ?', id, host)
    this.#sql.exec('INSERT INTO cookies (hash, session, host) VALUES (?, ?, ?)', hash, id, host)
    return true
  }

  /** That it was used at a time; the newest time known. Null when it has ended. */
  async touch(id: string, at: number): Promise<number | null> {
    this.#open()
    const row = this.#rows().find((known) => known.id === id)
    if (!row) return null
    const { stored } = row
    if (at - stored.lastSeenAt < TOUCH_MS) return stored.lastSeenAt
    this.#write(id, { ...stored, lastSeenAt: at })
    return at
  }

  async list(): Promise<SessionSummary[]> {
    this.#open()
    return this.#rows().map(({ id, stored }) => {
      const { issuer, subject, device, region, startedAt, lastSeenAt, expiresAt } = stored
      const hosts = this.#sql
        .exec<{ host: string }>('SELECT host FROM cookies WHERE session = ? ORDER BY rowid', id)
        .toArray()
        .map(({ host }) => host)
      return { id, issuer, subject, device, region, hosts, startedAt, lastSeenAt, expiresAt }
    })
  }

  /** Ends them for good, and has every isolate told (PublisherObject.announceEnd), for certain. */
  async end(which: Which, why: string): Promise<EndedSession[]> {
    const principal = this.#open()
    const ended = this.#rows().filter(({ id, stored }) => namedBy(which, id, stored))
    this.ctx.storage.transactionSync(() => {
      this.#delete(ended)
      if (which.kind === 'all' && which.except === undefined) {
        // One row for all, also for copies of what this object no longer knows.
        this.#owe({ kind: 'principal', key: principal, version: clock.now() })
      }
    })
    if (ended.length > 0) console.log(`${ended.length} sessions of a principal have ended: ${why}`)
    await this.#tell()
    return ended.map(({ id, stored: { issuer, organization, clientId, idToken } }) => {
      return { id, issuer, organization, clientId, idToken }
    })
  }

  /** The sealed refresh token, to the one who may use it now; null to others, and where there is none. */
  async beginRenewal(id: string): Promise<{ refreshToken: string } | null> {
    this.#open()
    const row = this.#rows().find((known) => known.id === id)
    const now = clock.now()
    if (!row?.stored.refreshToken || now < row.stored.renewAfter) return null
    this.#write(id, { ...row.stored, renewAfter: now + RENEWAL_MS })
    return { refreshToken: row.stored.refreshToken }
  }

  /** What the issuer said anew; a null refresh token keeps the one there is. `claims` null: it failed, try later. */
  async finishRenewal(
    id: string,
    renewed: {
      claims: Record<string, unknown>
      claimsAt: number
      refreshToken: string | null
      groups: string[] | null
    } | null,
  ): Promise<void> {
    this.#open()
    const row = this.#rows().find((known) => known.id === id)
    if (!row) return
    if (renewed === null) {
      this.#write(id, { ...row.stored, renewAfter: clock.now() + RENEWAL_PAUSE_MS })
      return
    }
    const { claims, claimsAt, groups } = renewed
    const refreshToken = renewed.refreshToken ?? row.stored.refreshToken
    this.ctx.storage.transactionSync(() => {
      this.#write(id, { ...row.stored, claims, claimsAt, refreshToken, renewAfter: 0 })
      if (groups !== null) this.#keepGroups({ names: groups, at: Math.floor(claimsAt / 1000) })
      // Copies elsewhere have the claims of before: they are read again, and the session goes on.
      this.#owe({ kind: 'session', key: id, version: claimsAt })
    })
    await this.#tell()
  }

  override async alarm(): Promise<void> {
    this.#open()
    const now = clock.now()
    this.#delete(this.#allRows().filter(({ stored }) => stored.expiresAt <= now))
    this.#sql.exec('DELETE FROM groups WHERE at <= ?', (now - GROUPS_KEPT_MS) / 1000)
    await this.#tell()
  }

  /** @returns the principal, whose name this object has. */
  #open(): string {
    openSessions(this.#sql)
    const { name } = this.ctx.id
    if (name === undefined) throw new Error('an object of sessions is asked for by the id of its principal')
    return name
  }

  async #register(principal: string, { id, issuer, sid, sub, expiresAt }: NewSession): Promise<void> {
    const names = [
      ...(sid === null ? [] : [await sidIndexName(issuer, sid)]),
      ...(sub === null ? [] : [await subIndexName(issuer, sub)]),
    ]
    await Promise.all(
      names.map((name) => this.env.SESSION_INDEX.getByName(name).add(principal, id, expiresAt)),
    )
  }

  #insert(stored: Omit<StoredSession, 'renewAfter'>, { host, hash }: HostCookie): void {
    this.#sql.exec(
      'INSERT INTO sessions (id, started_at, stored) VALUES (?, ?, ?)',
      stored.id,
      stored.startedAt,
      JSON.stringify({ ...stored, renewAfter: 0 }),
    )
    this.#sql.exec('INSERT INTO cookies (hash, session, host) VALUES (?, ?, ?)', hash, stored.id, host)
  }

  #write(id: string, stored: StoredSession): void {
    this.#sql.exec('UPDATE sessions SET stored = ? WHERE id = ?', JSON.stringify(stored), id)
  }

  #allRows(): SessionRow[] {
    const rows = this.#sql.exec<{ id: string; stored: string }>(
      'SELECT id, stored FROM sessions ORDER BY started_at, rowid',
    )
    return rows.toArray().map(({ id, stored }) => ({ id, stored: JSON.parse(stored) as StoredSession }))
  }

  /** Those that have not outlived their time, the oldest first. */
  #rows(): SessionRow[] {
    const now = clock.now()
    return this.#allRows().filter(({ stored }) => stored.expiresAt > now)
  }

  #delete(rows: readonly SessionRow[]): void {
    const now = clock.now()
    for (const { id } of rows) {
      deleteSession(this.#sql, id)
      this.#owe({ kind: 'session', key: id, version: now })
    }
  }

  #groups(): LastKnownGroups | null {
    const [row] = this.#sql.exec<{ names: string; at: number }>('SELECT names, at FROM groups').toArray()
    return row ? { names: JSON.parse(row.names) as string[], at: row.at } : null
  }

  #keepGroups({ names, at }: LastKnownGroups): void {
    this.#sql.exec('DELETE FROM groups')
    this.#sql.exec('INSERT INTO groups (names, at) VALUES (?, ?)', JSON.stringify(names), at)
  }

  /** Written with what it is about; told afterwards, however often that takes. */
  #owe({ kind, key, version }: End): void {
    this.#sql.exec('INSERT INTO owed (kind, key, version) VALUES (?, ?, ?)', kind, key, version)
  }

  async #tell(): Promise<void> {
    const owed = this.#sql
      .exec<{ seq: number; kind: End['kind']; key: string; version: number }>(
        'SELECT seq, kind, key, version FROM owed ORDER BY seq',
      )
      .toArray()
    if (owed.length > 0) {
      // Should the object end within the call, the alarm goes on.
      await this.ctx.storage.setAlarm(alarmTime(RETRY_MS_MAX))
      try {
        const ends = owed.map(({ kind, key, version }) => ({ kind, key, version }))
        await this.env.PUBLISHER.getByName('instance').announceEnd(ends)
        for (const { seq } of owed) this.#sql.exec('DELETE FROM owed WHERE seq = ?', seq)
        this.#failures = 0
      } catch (error) {
        this.#failures += 1
        console.error(`ends of sessions are not in the change feed yet: ${(error as Error).message}`)
        const delay = Math.min(RETRY_MS_MAX, RETRY_MS * 2 ** (this.#failures - 1))
        await this.ctx.storage.setAlarm(alarmTime(delay))
        return
      }
    }
    await this.#schedule()
  }

  /** Until the next session must end, or the groups are forgotten; with nothing left, nothing is kept. */
  async #schedule(): Promise<void> {
    const groups = this.#groups()
    const times = [
      ...this.#allRows().map(({ stored }) => stored.expiresAt),
      ...(groups === null ? [] : [groups.at * 1000 + GROUPS_KEPT_MS]),
    ]
    if (times.length === 0) {
      await this.ctx.storage.deleteAlarm()
      await this.ctx.storage.deleteAll()
      return
    }
    await this.ctx.storage.setAlarm(alarmTime(Math.max(0, Math.min(...times) - clock.now())))
  }
}

function copyOf(stored: StoredSession, principal: string): Omit<SessionCopy, 'lastKnown'> {
  const { id, kind, issuer, subject, organization, claims, startedAt, lastSeenAt, claimsAt, expiresAt } =
    stored
  const renewable = stored.refreshToken !== null
  return {
    ...{ id, kind, principal, issuer, subject, organization, claims },
    ...{ startedAt, lastSeenAt, claimsAt, expiresAt, renewable },
  }
}
