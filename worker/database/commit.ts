// The one way to change anything in D1: one batch, which begins with the new versions. Whoever lost a race fails
// at the first statement and leaves nothing behind, neither rows nor audit events.
import { type AuditContext, type AuditEntry, auditStatement } from './audit.ts'
import { DOCUMENT_BYTES_MAX, DOCUMENT_LENGTH_MAX } from './documents.ts'

export interface DocumentEdit {
  /** documents.ts. */
  name: string
  /** The version now in force, to which the change is made; 0 where there is no document yet. */
  version: number
  /** A value for JSON; null deletes the document. */
  content: unknown
}

export interface Edit extends AuditContext {
  /** May be empty: then nothing is published. */
  documents: readonly DocumentEdit[]
  /** Rows derived from the documents (organizations, group_mappings, search ...), after them in the same batch. */
  derived: readonly D1PreparedStatement[]
  audit: readonly AuditEntry[]
  /** For a create that carried an Idempotency-Key: kept in the same batch. */
  idempotency?: IdempotencyRow | null
}

/** The answer to a request that carried an Idempotency-Key. */
export interface IdempotencyRow {
  key: string
  requestHash: string
  status: number
  headers: string
  body: string
}

export type Committed =
  /** `seq` of the last of the documents, which is what a publication is waited for by; null without documents. */
  | { ok: true; seq: number | null }
  /** Somebody else changed one of the documents first. */
  | { ok: false; reason: 'version_conflict' }
  /** The same Idempotency-Key was used by a request that came through first. */
  | { ok: false; reason: 'idempotency_key' }
  /** Something of that name is there: `organizations.slug`, `service_accounts.organization, ...`. */
  | { ok: false; reason: 'taken'; columns: string }
  /** A guard (rows.ts) found that something else is no longer as it was read. */
  | { ok: false; reason: 'guard' }
  | { ok: false; reason: 'document_too_large'; document: string; length: number }

/** Something that changes no document, and stands in the audit log all the same. */
export function commitAudit(
  database: D1Database,
  context: AuditContext,
  entry: AuditEntry,
): Promise<Committed> {
  return commit(database, { ...context, documents: [], derived: [], audit: [entry] })
}

export async function commit(database: D1Database, edit: Edit): Promise<Committed> {
  const rows = edit.documents.map(({ name, version, content }) => {
    return { name, version: version + 1, text: content === null ? null : JSON.stringify(content) }
  })
  for (const { name, text } of rows) {
    if (text !== null && isTooLarge(text)) {
      return { ok: false, reason: 'document_too_large', document: name, length: text.length }
    }
  }
  const versions = versionStatements(database, edit, rows)
  const audit = await Promise.all(edit.audit.map((entry) => auditStatement(database, edit, entry)))
  const idempotency = edit.idempotency ? idempotencyStatements(database, edit.at, edit.idempotency) : []
  const statements = [...versions, ...edit.derived, ...audit, ...idempotency]
  try {
    const results = await database.batch<{ seq: number }>(statements)
    const last = versions.length === 0 ? undefined : results[versions.length - 1]?.results.at(-1)
    return { ok: true, seq: last?.seq ?? null }
  } catch (error) {
    if (isGuard(error)) return { ok: false, reason: 'guard' }
    const columns = uniqueConstraintOf(error)
    if (columns === null) throw error
    if (columns === 'versions.document, versions.version') return { ok: false, reason: 'version_conflict' }
    if (columns === 'idempotency_keys.key') return { ok: false, reason: 'idempotency_key' }
    return { ok: false, reason: 'taken', columns }
  }
}

function isTooLarge(text: string): boolean {
  if (text.length > DOCUMENT_LENGTH_MAX) return true
  // A character is three bytes of UTF-8 at most.
  return text.length * 3 > DOCUMENT_BYTES_MAX && new TextEncoder().encode(text).length > DOCUMENT_BYTES_MAX
}

interface VersionRow {
  name: string
  version: number
  text: string | null
}

/** More documents than this go as lists, since a batch may not have any number of statements. */
const SINGLE_STATEMENTS_MAX = 20

function versionStatements(
  database: D1Database,
  { operation, actor, requestId, at }: AuditContext,
  rows: readonly VersionRow[],
): D1PreparedStatement[] {
  const who = JSON.stringify(actor)
  if (rows.length <= SINGLE_STATEMENTS_MAX) {
    return rows.map(({ name, version, text }) => {
      return database.prepare(INSERT_ONE).bind(name, version, text, operation, who, requestId, at)
    })
  }
  return jsonChunks(rows.map(({ name, version, text }) => [name, version, text])).map((chunk) => {
    return database.prepare(INSERT_MANY).bind(chunk, operation, who, requestId, at)
  })
}

const INSERT_ONE = `INSERT INTO versions (document, version, content, operation, actor, request_id, at)
  VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7) RETURNING seq`
const INSERT_MANY = `INSERT INTO versions (document, version, content, operation, actor, request_id, at)
  SELECT value ->> 0, value ->> 1, value ->> 2, ?2, ?3, ?4, ?5 FROM json_each(?1) RETURNING seq`

/** A bound parameter of D1 ends at 2 MB. */
const PARAMETER_BYTES_MAX = 1_500_000

/**
 * Rows for `json_each(?)`, as JSON lists that each fit into one parameter. One row by itself must fit.
 */
export function jsonChunks(rows: readonly unknown[]): string[] {
  const chunks: string[] = []
  let chunk: string[] = []
  let bytes = 0
  for (const row of rows) {
    const text = JSON.stringify(row)
    const added = text.length * 3 < 10_000 ? text.length * 3 : new TextEncoder().encode(text).length
    if (chunk.length > 0 && bytes + added > PARAMETER_BYTES_MAX) {
      chunks.push(`[${chunk.join(',')}]`)
      chunk = []
      bytes = 0
    }
    chunk.push(text)
    bytes += added + 1
  }
  if (chunk.length > 0) chunks.push(`[${chunk.join(',')}]`)
  return chunks
}

/** How long the answer to a create is kept for its Idempotency-Key. */
export const IDEMPOTENCY_MS = 24 * 60 * 60_000

/** Rows whose day is over go first, so that their keys may be used anew. */
function idempotencyStatements(
  database: D1Database,
  at: number,
  { key, requestHash, status, headers, body }: IdempotencyRow,
): D1PreparedStatement[] {
  return [
    database.prepare('DELETE FROM idempotency_keys WHERE at <= ?').bind(at - IDEMPOTENCY_MS),
    database
      .prepare(
        'INSERT INTO idempotency_keys (key, request_hash, status, headers, body, at) VALUES (?, ?, ?, ?, ?, ?)',
      )
      .bind(key, requestHash, status, headers, body, at),
  ]
}

/** D1 tells constraints apart in the message alone: it is SQLite's own, which has not changed in decades. */
function uniqueConstraintOf(error: unknown): string | null {
  if (!(error instanceof Error)) return null
  return /UNIQUE constraint failed: ([a-z_.]+(?:, [a-z_.]+)*)/.exec(error.message)?.[1] ?? null
}

function isGuard(error: unknown): boolean {
  return error instanceof Error && error.message.includes('NOT NULL constraint failed: versions.document')
}
