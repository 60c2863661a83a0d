// What was last seen of one principal, on its way to D1: a Durable Object that takes what isolates report, drops what
// says nothing new, and writes the rest a moment later, until it is written. Then it forgets all.
import { DurableObject } from 'cloudflare:workers'
import { foldCase } from '../../policy/fold-case.ts'
import { alarmTime, clock } from '../clock.ts'
import type { Environment } from '../environment.ts'
import type { Sighting } from './report-seen.ts'

/** Several isolates see somebody new at about the same time. */
const WRITE_DELAY_MS = 2000
const HOUR_MS = 60 * 60_000
const RETRY_MS_MAX = 10 * 60_000

interface Kept {
  /** Acknowledged and not yet in D1. */
  pending: Sighting | null
  /** What D1 has: the groups, and when that was seen. */
  written: { said: string; at: number } | null
  failures: number
}

const NOTHING: Kept = { pending: null, written: null, failures: 0 }

export class PrincipalObject extends DurableObject<Environment> {
  /** Once this returns, the sighting comes into D1, or a newer one does. */
  async seen(sighting: Sighting): Promise<void> {
    const kept = await this.#kept()
    const newest = kept.pending ?? kept.written
    if (newest && sighting.at < newest.at) return
    const { pending, written } = kept
    const due = written === null || written.said !== saidOf(sighting) || sighting.at - written.at >= HOUR_MS
    if (pending === null && !due) return
    await this.ctx.storage.put('kept', { ...kept, pending: withLastGroups(sighting, pending) })
    if (pending === null) await this.ctx.storage.setAlarm(alarmTime(WRITE_DELAY_MS))
  }

  override async alarm(): Promise<void> {
    const { pending, written, failures } = await this.#kept()
    if (pending === null) {
      // An hour on, whatever is seen is written anyway.
      if (written === null || clock.now() - written.at >= HOUR_MS) await this.ctx.storage.deleteAll()
      else await this.ctx.storage.setAlarm(alarmTime(HOUR_MS))
      return
    }
    try {
      await this.env.DB.batch(statementsOf(this.env.DB, pending))
    } catch (error) {
      console.warn(`a principal that was seen is not in D1 yet: ${(error as Error).message}`)
      const now = await this.#kept()
      await this.ctx.storage.put('kept', { ...now, failures: failures + 1 })
      await this.ctx.storage.setAlarm(alarmTime(Math.min(RETRY_MS_MAX, WRITE_DELAY_MS * 2 ** failures)))
      return
    }
    // Something newer may have come while this was written.
    const { pending: newer } = await this.#kept()
    const rest =
      newer !== null && (newer.at !== pending.at || saidOf(newer) !== saidOf(pending)) ? newer : null
    const done = { said: saidOf(pending), at: pending.at }
    await this.ctx.storage.put('kept', { pending: rest, written: done, failures: 0 } satisfies Kept)
    await this.ctx.storage.setAlarm(alarmTime(rest ? WRITE_DELAY_MS : HOUR_MS))
  }

  async #kept(): Promise<Kept> {
    return (await this.ctx.storage.get<Kept>('kept')) ?? NOTHING
  }
}

function saidOf({ kind, groups }: Sighting): string {
  return JSON.stringify([kind, groups])
}

/** A token that says nothing of groups takes nothing from what another has said. */
function withLastGroups(sighting: Sighting, pending: Sighting | null): Sighting {
  const says = sighting.groups.outcome === 'listed' || sighting.groups.outcome === 'none'
  return says || pending?.groups.outcome !== 'listed' ? sighting : { ...sighting, groups: pending.groups }
}

function statementsOf(database: D1Database, sighting: Sighting): D1PreparedStatement[] {
  const { id, kind, issuer, subject, organization, userName, email, displayName, groups, at } = sighting
  const statements: D1PreparedStatement[] = []
  if (kind === 'service-account') statements.push(database.prepare(USE_ACCOUNT).bind(issuer, subject, at))
  if (groups.outcome === 'none') return statements
  statements.push(
    database
      .prepare(groups.outcome === 'listed' ? UPSERT_WITH_GROUPS : UPSERT)
      .bind(id, issuer, subject, organization, userName, email, displayName, JSON.stringify(groups), at),
  )
  if (groups.outcome !== 'listed') return statements
  const rows = [...new Set(groups.names)].map((name) => [foldCase(name), name])
  return [
    ...statements,
    database.prepare('DELETE FROM known_groups WHERE principal = ?').bind(id),
    database.prepare(INSERT_GROUPS).bind(JSON.stringify(rows), id),
  ]
}

const USE_ACCOUNT = `
  UPDATE service_accounts SET last_used_at = ?3, last_subject = ?2
  WHERE 'service-account/' || id = (SELECT holder FROM identities WHERE issuer = ?1 AND subject = ?2)
    AND coalesce(last_used_at, 0) < ?3`

/** Groups that are not said stay as they were said last. */
const UPSERT = `
  INSERT INTO known_principals (id, issuer, subject, organization, user_name, email, display_name, groups,
    first_seen_at, last_seen_at)
  VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?9)
  ON CONFLICT (id) DO UPDATE SET organization = excluded.organization, user_name = excluded.user_name,
    email = excluded.email, display_name = excluded.display_name, last_seen_at = excluded.last_seen_at`
const UPSERT_WITH_GROUPS = `${UPSERT}, groups = excluded.groups`

const INSERT_GROUPS = `
  INSERT OR IGNORE INTO known_groups (group_key, group_name, principal)
  SELECT value ->> 0, value ->> 1, ?2 FROM json_each(?1)`
