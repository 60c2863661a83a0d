// The sessions of one principal: a Durable Object that begins, finds, renews and ends them. What has ended is told to
// the change feed until it is told; which isolate holds a copy is nobody's to know here.
import { DurableObject } from 'cloudflare:workers'
import type { LastKnownGroups } from '../../policy/principal.ts'
import { alarmTime, clock } from '../clock.ts'
import { bounded } from '../documents/bounded.ts'
import { principalId } from '../documents/published.ts'
import type { Environment } from '../environment.ts'
import { sidIndexName, subIndexName } from './index-names.ts'
import type { EndedSession, HostCookie, NewSession, SessionCopy, SessionSummary, Which } from './session.ts'
import {
  addCookie,
  allRows,
  deleteRow,
  forgetOwed,
  hasSessions,
  hostsOf,
  insertRow,
  namedBy,
  nextExpiry,
  openSessions,
  owe,
  owedEnds,
  rowOf,
  type SessionRow,
  type StoredSession,
  sessionOfCookie,
  writeRow,
} from './session-rows.ts'

/** Of more, the oldest end. */
export const SESSIONS_MAX = 100
/** However often a session is used, that is written once a minute at most. */
export const TOUCH_MS = 60_000
/** Whoever renews has so long; after that another may try. */
const RENEWAL_MS = 30_000
/** After a renewal that failed. */
const RENEWAL_PAUSE_MS = 5 * 60_000
/** The feed is waited for so long; after that the alarm tells it. */
const TELL_TIMEOUT_MS = 5000
const RETRY_MS = 1000
const RETRY_MS_MAX = 60_000
/** As long as groups may stand in for those that are not said (KEEP_DAYS_MAX of policy/schema-issuer.ts). */
const GROUPS_KEPT_MS = 30 * 24 * 60 * 60_000

export class SessionsObject extends DurableObject<Environment> {
  readonly #sql: SqlStorage = this.ctx.storage.sql
  #failures = 0
  #telling: Promise<void> | null = null

  /** Kept once it returns. Ends `replaces`, and the oldest where there would be too many. */
  async start(session: NewSession): Promise<void> {
    const { cookie, replaces, groups, ...stored } = session
    const principal = await principalId(session.issuer, session.subject)
    // Registered first: a session that a logout token could not find would outlive it.
    await this.#register(principal, session)
    // Only now: while it waited, the tables may have gone with the last session.
    openSessions(this.#sql)
    this.ctx.storage.transactionSync(() => {
      insertRow(this.#sql, { ...stored, principal, lastSeenAt: stored.startedAt, renewAfter: 0 })
      addCookie(this.#sql, stored.id, cookie)
      if (groups !== null) this.#keepGroups({ names: groups, at: Math.floor(stored.claimsAt / 1000) })
      const rows = this.#rows()
      const others = rows.filter(({ id }) => id !== replaces)
      const replaced = rows.filter(({ id }) => id === replaces)
      this.#end([...replaced, ...others.slice(0, Math.max(0, others.length - SESSIONS_MAX))])
    })
    await this.#tell()
  }

  /** The live session that the cookie of a host belongs to; null when there is none, or it has ended. */
  async find(hash: string, host: string): Promise<SessionCopy | null> {
    if (!hasSessions(this.#sql)) return null
    const id = sessionOfCookie(this.#sql, { hash, host })
    return id === null ? null : this.get(id)
  }

  /** The live session of that id. */
  async get(id: string): Promise<SessionCopy | null> {
    const row = this.#row(id)
    return row && { ...copyOf(row.stored), lastKnown: this.#groups() }
  }

  /** Lets another host's cookie stand for the session. False when the session has ended. */
  async addHost(id: string, cookie: HostCookie): Promise<boolean> {
    if (this.#row(id) === null) return false
    addCookie(this.#sql, id, cookie)
    return true
  }

  /** That it was used at a time; the newest time known. Null when it has ended. */
  async touch(id: string, at: number): Promise<number | null> {
    const row = this.#row(id)
    if (!row) return null
    const { stored } = row
    if (at - stored.lastSeenAt < TOUCH_MS) return stored.lastSeenAt
    writeRow(this.#sql, id, { ...stored, lastSeenAt: at })
    return at
  }

  async list(): Promise<SessionSummary[]> {
    return this.#rows().map(({ id, stored }) => {
      const { issuer, subject, organization, device, region, startedAt, lastSeenAt, expiresAt } = stored
      const hosts = hostsOf(this.#sql, id)
      return {
        ...{ id, issuer, subject, organization, device, region, hosts },
        ...{ startedAt, lastSeenAt, expiresAt, keptAt: stored.keptAt ?? null },
      }
    })
  }

  /** Ends them for good, and has every isolate told (PublisherObject.announceEnd), for certain. */
  async end(which: Which, why: string): Promise<EndedSession[]> {
    openSessions(this.#sql)
    const ended = this.#rows().filter(({ id, stored }) => namedBy(which, id, stored))
    this.ctx.storage.transactionSync(() => {
      this.#end(ended)
      const principal = ended[0]?.stored.principal ?? this.ctx.id.name
      if (which.kind === 'all' && which.except === undefined && principal !== undefined) {
        // One row for all, also for copies of what this object no longer knows.
        owe(this.#sql, { kind: 'principal', key: principal, version: clock.now() })
      }
    })
    if (ended.length > 0) console.log(`${ended.length} sessions of a principal have ended: ${why}`)
    await this.#tell()
    return ended.map(({ id, stored: { issuer, organization, clientId, idToken } }) => {
      return { id, issuer, organization, clientId, idToken }
    })
  }

  /** Ends of the whole instance up to that time leave it out. False when it has ended. */
  async keep(id: string, keptAt: number): Promise<boolean> {
    const row = this.#row(id)
    if (!row) return false
    this.#change(id, { ...row.stored, keptAt })
    await this.#tell()
    return true
  }

  /** The sealed refresh token, to the one who may use it now; null to others, and where there is none. */
  async beginRenewal(id: string): Promise<{ refreshToken: string } | null> {
    const row = this.#row(id)
    const now = clock.now()
    if (!row?.stored.refreshToken || now < row.stored.renewAfter) return null
    writeRow(this.#sql, id, { ...row.stored, renewAfter: now + RENEWAL_MS })
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
    const row = this.#row(id)
    if (!row) return
    // Also when it went well: isolates that have not learned of it yet would do it once more.
    const renewAfter = clock.now() + RENEWAL_PAUSE_MS
    if (renewed === null) {
      writeRow(this.#sql, id, { ...row.stored, renewAfter })
      return
    }
    const { claims, claimsAt, groups } = renewed
    const refreshToken = renewed.refreshToken ?? row.stored.refreshToken
    this.#change(id, { ...row.stored, claims, claimsAt, refreshToken, renewAfter }, () => {
      if (groups !== null) this.#keepGroups({ names: groups, at: Math.floor(claimsAt / 1000) })
    })
    await this.#tell()
  }

  override async alarm(): Promise<void> {
    if (!hasSessions(this.#sql)) return
    const now = clock.now()
    // Copies know by themselves when their time is over: nobody has to be told.
    for (const { id, stored } of allRows(this.#sql)) {
      if (stored.expiresAt <= now) deleteRow(this.#sql, id)
    }
    this.#sql.exec('DELETE FROM groups WHERE at <= ?', (now - GROUPS_KEPT_MS) / 1000)
    await this.#tell()
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

  /** Those that have not outlived their time, the oldest first. */
  #rows(): SessionRow[] {
    const now = clock.now()
    return hasSessions(this.#sql) ? allRows(this.#sql).filter(({ stored }) => stored.expiresAt > now) : []
  }

  #row(id: string): SessionRow | null {
    const row = hasSessions(this.#sql) ? rowOf(this.#sql, id) : null
    return row !== null && row.stored.expiresAt > clock.now() ? row : null
  }

  #end(rows: readonly SessionRow[]): void {
    const now = clock.now()
    for (const { id } of rows) {
      deleteRow(this.#sql, id)
      owe(this.#sql, { kind: 'session', key: id, version: now })
    }
  }

  /** Copies elsewhere have what was before: they are read again, and the session goes on. */
  #change(id: string, stored: StoredSession, more?: () => void): void {
    this.ctx.storage.transactionSync(() => {
      writeRow(this.#sql, id, stored)
      more?.()
      owe(this.#sql, { kind: 'session', key: id, version: clock.now() })
    })
  }

  #groups(): LastKnownGroups | null {
    const [row] = this.#sql.exec<{ names: string; at: number }>('SELECT names, at FROM groups').toArray()
    return row ? { names: JSON.parse(row.names) as string[], at: row.at } : null
  }

  #keepGroups({ names, at }: LastKnownGroups): void {
    this.#sql.exec('DELETE FROM groups')
    this.#sql.exec('INSERT INTO groups (names, at) VALUES (?, ?)', JSON.stringify(names), at)
  }

  /** One at a time. Whoever comes meanwhile has what it owes told afterwards, and waits for that. */
  async #tell(): Promise<void> {
    while (this.#telling !== null) await this.#telling
    const telling = this.#tellNow().finally(() => {
      this.#telling = null
    })
    this.#telling = telling
    await telling
  }

  async #tellNow(): Promise<void> {
    // Somebody else has told all, and nothing was left.
    if (!hasSessions(this.#sql)) return
    const { ends, last } = owedEnds(this.#sql)
    if (ends.length > 0) {
      // Written together with what is owed: should the object end within the call, the alarm goes on.
      await this.ctx.storage.setAlarm(alarmTime(TELL_TIMEOUT_MS))
      try {
        await bounded(this.env.PUBLISHER.getByName('instance').announceEnd(ends), TELL_TIMEOUT_MS)
      } catch (error) {
        this.#failures += 1
        console.error(`ends of sessions are not in the change feed yet: ${(error as Error).message}`)
        const delay = Math.min(RETRY_MS_MAX, RETRY_MS * 2 ** (this.#failures - 1))
        await this.ctx.storage.setAlarm(alarmTime(delay))
        return
      }
      forgetOwed(this.#sql, last)
      this.#failures = 0
    }
    await this.#schedule()
  }

  /** Until the next session must end, or the groups are forgotten; with nothing left, nothing is kept. */
  async #schedule(): Promise<void> {
    // Somebody has ended more meanwhile, and is about to tell it.
    if (owedEnds(this.#sql).ends.length > 0) {
      await this.ctx.storage.setAlarm(alarmTime(RETRY_MS))
      return
    }
    const groups = this.#groups()
    const times = [nextExpiry(this.#sql), groups && groups.at * 1000 + GROUPS_KEPT_MS]
    const known = times.filter((time) => time !== null)
    if (known.length > 0) {
      await this.ctx.storage.setAlarm(alarmTime(Math.max(0, Math.min(...known) - clock.now())))
      return
    }
    // Begun together, so that nothing new can come in between.
    await Promise.all([this.ctx.storage.deleteAlarm(), this.ctx.storage.deleteAll()])
  }
}

function copyOf(stored: StoredSession): Omit<SessionCopy, 'lastKnown'> {
  const { id, kind, principal, issuer, subject, organization, claims } = stored
  const { startedAt, lastSeenAt, claimsAt, expiresAt } = stored
  return {
    ...{ id, kind, principal, issuer, subject, organization, claims },
    ...{ startedAt, lastSeenAt, claimsAt, expiresAt },
    keptAt: stored.keptAt ?? null,
    renewable: stored.refreshToken !== null,
  }
}
