// Audit events as rows of D1: appended in the batch of the edit they tell of, each with the hash of the event
// before it in its chain. Number and predecessor are found inside the batch, so that edits which have nothing
// else to do with each other never collide. Signed heads are the publisher's.
import { canonicalEvent } from '../../policy/audit-event.ts'
import type { Actor } from '../../policy/operations/common.ts'
import type { AuditEvent } from '../../policy/operations/history.ts'

/** What one edit did to one thing. */
export interface AuditEntry {
  /** Slug of the organization; '' for the instance. */
  chain: string
  target: { kind: string; id: string }
  /** As JSON values, secrets masked; null where there was or is nothing. Best only what differs (changedMembers). */
  before: unknown
  after: unknown
}

export interface AuditContext {
  operation: string
  actor: Actor
  requestId: string
  /** Milliseconds since the epoch. */
  at: number
}

/** `issuer subject`, by which events are filtered. */
export const actorKeyOf = ({ issuer, subject }: Pick<Actor, 'issuer' | 'subject'>) => `${issuer} ${subject}`

/** Two of these and the rest of a row stay below the 2 MB at which a row of D1 ends. */
const SIDE_BYTES_MAX = 900_000

export async function auditStatement(
  database: D1Database,
  { operation, actor, requestId, at }: AuditContext,
  { chain, target, before, after }: AuditEntry,
): Promise<D1PreparedStatement> {
  const [left, right] = [await bounded(before), await bounded(after)]
  const event = {
    chain,
    at: new Date(at).toISOString(),
    actor,
    operation,
    target,
    before: left.value,
    after: right.value,
    requestId,
  }
  const hash = await sha256(canonicalEvent(event))
  return database
    .prepare(INSERT)
    .bind(
      chain,
      at,
      JSON.stringify(actor),
      actorKeyOf(actor),
      operation,
      target.kind,
      target.id,
      left.text,
      right.text,
      requestId,
      hash,
    )
}

const INSERT = `INSERT INTO audit_events
  (chain, number, at, actor, actor_key, operation, target_kind, target, before, after, request_id, hash, previous)
  VALUES (?1, coalesce((SELECT number FROM audit_events WHERE chain = ?1 ORDER BY number DESC LIMIT 1), 0) + 1,
    ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11,
    coalesce((SELECT hash FROM audit_events WHERE chain = ?1 ORDER BY number DESC LIMIT 1), ''))`

/** What is too large to stand in an event is named by its hash; the versions have it whole. */
async function bounded(value: unknown): Promise<{ value: unknown; text: string | null }> {
  if (value === null || value === undefined) return { value: null, text: null }
  const text = JSON.stringify(value)
  const bytes = new TextEncoder().encode(text).length
  if (bytes <= SIDE_BYTES_MAX) return { value: JSON.parse(text), text }
  const instead = { tooLarge: true, bytes, sha256: await sha256(text) }
  return { value: instead, text: JSON.stringify(instead) }
}

export async function sha256(text: string): Promise<string> {
  const digest = new Uint8Array(await crypto.subtle.digest('SHA-256', new TextEncoder().encode(text)))
  return [...digest].map((byte) => byte.toString(16).padStart(2, '0')).join('')
}

/** The members in which two contents differ, of each; of lists only the entries that the other does not have. */
export function changedMembers(before: unknown, after: unknown): { before: unknown; after: unknown } {
  if (!isObject(before) || !isObject(after)) return { before: before ?? null, after: after ?? null }
  const left: Record<string, unknown> = {}
  const right: Record<string, unknown> = {}
  for (const name of new Set([...Object.keys(before), ...Object.keys(after)])) {
    const [old, now] = [before[name], after[name]]
    if (JSON.stringify(old) === JSON.stringify(now)) continue
    if (Array.isArray(old) && Array.isArray(now)) {
      left[name] = without(old, now)
      right[name] = without(now, old)
    } else {
      if (old !== undefined) left[name] = old
      if (now !== undefined) right[name] = now
    }
  }
  return { before: left, after: right }
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function without(list: readonly unknown[], other: readonly unknown[]): unknown[] {
  const known = new Set(other.map((entry) => JSON.stringify(entry)))
  return list.filter((entry) => !known.has(JSON.stringify(entry)))
}

export interface AuditRow {
  seq: number
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

export function auditEventOf(row: AuditRow): AuditEvent {
  const json = (text: string | null) => (text === null ? null : (JSON.parse(text) as unknown))
  return {
    chain: row.chain,
    number: row.number,
    at: new Date(row.at).toISOString(),
    actor: JSON.parse(row.actor) as Actor,
    operation: row.operation,
    target: { kind: row.target_kind, id: row.target },
    before: json(row.before),
    after: json(row.after),
    requestId: row.request_id,
    hash: row.hash,
    previous: row.previous,
  }
}
