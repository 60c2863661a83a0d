// What an audit event's hash is made of, and how the hashes of a chain are folded into one: the Worker writes
// them so, `postern audit verify` and anybody with an export recomputes them. Hashing itself is the caller's.
import type { Actor } from './operations/common.ts'

/** All that an event says, but for its place in the chain. */
export interface AuditedEvent {
  /** Slug of the organization; empty for the instance. */
  chain: string
  /** As the API writes it: ISO 8601 in UTC with milliseconds. */
  at: string
  actor: Actor
  operation: string
  target: { kind: string; id: string }
  /** Null where there was or is nothing. */
  before: unknown
  after: unknown
  requestId: string
}

/** `previous` of a chain's first event. */
export const FIRST_PREVIOUS = ''
/** `typ` of a signed head: a compact JWS over { chain, number, cumulative }, with `iss` and `iat`. */
export const AUDIT_HEAD_TYPE = 'postern-audit-head+jwt'
/** The cumulative hash of a chain without events. */
export const EMPTY_CUMULATIVE = ''

/**
 * The bytes (as UTF-8) whose SHA-256, in lower-case hexadecimal digits, is the event's `hash`. Number and
 * `previous` are left out: the database gives them, in the same batch that inserts the event.
 */
export function canonicalEvent(event: AuditedEvent): string {
  const { chain, at, actor, operation, target, before, after, requestId } = event
  return canonicalJson({ chain, at, actor, operation, target, before, after, requestId })
}

/** What is hashed to the next cumulative hash: SHA-256(c[n-1] || hash[n] || previous[n]), of their digits. */
export function cumulativeText(cumulative: string, event: { hash: string; previous: string }): string {
  return `${cumulative}${event.hash}${event.previous}`
}

/** JSON without white space, members in the order of their names' UTF-16 code units (as RFC 8785 3.2). */
export function canonicalJson(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(canonicalJson).join(',')}]`
  if (typeof value !== 'object' || value === null) return JSON.stringify(value) ?? 'null'
  const members = value as Record<string, unknown>
  const written = Object.keys(members)
    .filter((name) => members[name] !== undefined)
    .sort()
    .map((name) => `${JSON.stringify(name)}:${canonicalJson(members[name])}`)
  return `{${written.join(',')}}`
}
