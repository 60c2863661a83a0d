// Creates that carry an Idempotency-Key: what was answered is kept for a day, in the batch of the edit itself,
// and answered again to the same request of the same caller.
import type { OperationId, OutputOf } from '../../policy/operations/table.ts'
import { sha256 } from '../database/audit.ts'
import { IDEMPOTENCY_MS, type IdempotencyRow } from '../database/commit.ts'
import { refuse, shown } from '../refusal.ts'
import { etagOf, type InputError } from './answers.ts'
import type { Answered, Call } from './call.ts'

const KEY = /^[\x21-\x7e]{1,200}$/

export type IdempotencyKey =
  | { ok: true; key: { key: string; requestHash: string } | null }
  | { ok: false; error: InputError }

/** The header, as the hash under which the answer is kept: of caller, operation and key. */
export async function readIdempotencyKey(
  header: string | null,
  of: { id: OperationId; issuer: string; subject: string; params: unknown; query: unknown; text: string },
): Promise<IdempotencyKey> {
  if (header === null) return { ok: true, key: null }
  if (!KEY.test(header)) {
    return {
      ok: false,
      error: {
        path: 'Idempotency-Key',
        message: 'must be 1 to 200 printable ASCII characters without spaces',
      },
    }
  }
  const { id, issuer, subject, params, query, text } = of
  const key = await sha256(JSON.stringify([issuer, subject, id, header]))
  return { ok: true, key: { key, requestHash: await sha256(JSON.stringify([params, query, text])) } }
}

/** The row for a create's answer. */
export function idempotencyRow<Id extends OperationId>(
  { wishes, operation }: Call<Id>,
  body: OutputOf<Id>,
  { version }: { version?: number },
): IdempotencyRow | null {
  if (wishes.idempotency === null) return null
  const headers = version === undefined ? {} : { etag: etagOf(version) }
  return {
    ...wishes.idempotency,
    status: operation.status,
    headers: JSON.stringify(headers),
    body: JSON.stringify(body),
  }
}

interface Kept {
  request_hash: string
  status: number
  headers: string
  body: string
}

/** What was answered to the same request before; null when it never came, or its day is over. */
export async function replay<Id extends OperationId>(call: Call<Id>): Promise<Answered<Id> | null> {
  const { wishes, environment, now } = call
  if (wishes.idempotency === null) return null
  const { key, requestHash } = wishes.idempotency
  const kept = await environment.DB.prepare(
    'SELECT request_hash, status, headers, body FROM idempotency_keys WHERE key = ? AND at > ?',
  )
    .bind(key, now - IDEMPOTENCY_MS)
    .first<Kept>()
  if (!kept) return null
  if (kept.request_hash !== requestHash) {
    const given = call.request.headers.get('idempotency-key')
    return refuse('idempotency_mismatch', `The key ${shown(given)} came with another request before.`)
  }
  const headers = { ...(JSON.parse(kept.headers) as Record<string, string>), 'idempotency-replayed': 'true' }
  return { ok: true, body: JSON.parse(kept.body) as OutputOf<Id>, status: kept.status, headers }
}
