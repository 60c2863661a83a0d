// How every change is made, step after step: the version it is made to, whether the caller may make it, what has
// to be confirmed; then a preview or the commit, and the publication that follows.
import { waitUntil } from 'cloudflare:workers'
import type { Judgement } from '../../policy/granting.ts'
import type { Preview } from '../../policy/operations/common.ts'
import type { OperationId, OutputOf } from '../../policy/operations/table.ts'
import type { AuditEntry } from '../database/audit.ts'
import { type Committed, commit, type DocumentEdit } from '../database/commit.ts'
import type { Environment } from '../environment.ts'
import { type Refusal, refuse } from '../refusal.ts'
import { etagOf, versionConflict } from './answers.ts'
import type { Answered, Call } from './call.ts'
import { idempotencyRow, replay } from './idempotency.ts'

/** A change, ready to be made. Handlers make one and give it to `write`. */
export interface Plan<Id extends OperationId> {
  /**
   * The documents to write; the first is the one that If-Match and ETag are about. One whose content is what it
   * was already need not be here: without any, nothing is written and the answer is as it stands.
   */
  documents: readonly DocumentEdit[]
  /** Rows derived from them (database/rows.ts). */
  derived: readonly D1PreparedStatement[]
  audit: readonly AuditEntry[]
  /** What policy/granting.ts says of the change. */
  judgement: Judgement
  /** What the operation itself asks to be confirmed: a slug. */
  toConfirm?: readonly string[]
  /** Asked for by a dry run only. */
  preview: () => Promise<Omit<Preview, 'dryRun' | 'toConfirm'>>
  /** The answer. `seq` is the edit's, null when nothing was written, or not yet. */
  body: (seq: number | null) => OutputOf<Id>
  /** Of what is in force after the change: the ETag. The first document's, unless given. */
  version?: number
  /** What of a unique row that was taken meanwhile is to be said: already_exists, unless given. */
  taken?: (columns: string) => Refusal
}

/**
 * To be asked first, when the document has been read and before anything costly is done: whether the change is
 * made to the version in force.
 */
export function checkMatch({ wishes, operation }: Call, version: number): Refusal | null {
  const { ifMatch, needsIfMatch } = wishes
  if (ifMatch === null) {
    if (operation.write?.kind !== 'update' || needsIfMatch === 'optional') return null
    const detail = `Send "If-Match: ${etagOf(version)}" if the change is made to version ${version}, which is in force.`
    return refuse('version_required', detail, { check: 'if-match', members: { version } })
  }
  return ifMatch === 'any' || ifMatch === version ? null : versionConflict(version)
}

export async function write<Id extends OperationId>(call: Call<Id>, plan: Plan<Id>): Promise<Answered<Id>> {
  const { wishes, environment } = call
  const refusal = judged(plan.judgement)
  if (refusal) return refusal
  const toConfirm = whatToConfirm(plan)
  if (wishes.dryRun) {
    const names = toConfirm.map(({ what }) => what)
    const preview: Preview = { dryRun: true, ...(await plan.preview()), toConfirm: names }
    return { ok: true, body: preview, status: 200 }
  }
  const missing = toConfirm.filter(({ what }) => !wishes.confirmed.has(what))
  if (missing.length > 0) return confirmationNeeded(missing)
  const first = plan.documents[0]
  if (plan.documents.length === 0 && plan.derived.length === 0) {
    return { ok: true, body: plan.body(null), ...versionOf(plan), headers: publicationHeader('published') }
  }
  const idempotency = idempotencyRow(call, plan.body(null), versionOf(plan))
  const committed = await commit(environment.DB, {
    operation: call.id,
    actor: call.actor,
    requestId: call.requestId,
    at: call.now,
    documents: plan.documents,
    derived: plan.derived,
    audit: plan.audit,
    idempotency,
  })
  if (!committed.ok) {
    // Whoever makes something was not at any version: somebody else has made it meanwhile.
    const isMade = committed.reason === 'version_conflict' && call.operation.write?.kind === 'create'
    const failed: typeof committed = isMade
      ? { ok: false, reason: 'taken', columns: 'versions.document' }
      : committed
    return (await replay(call)) ?? refuseCommit(failed, first?.version ?? 0, plan.taken)
  }
  const headers = await publish(
    environment,
    committed.seq,
    wishes.prefersWait ? 'before the answer' : 'behind it',
  )
  return { ok: true, body: plan.body(committed.seq), ...versionOf(plan), headers }
}

function versionOf({ version, documents }: Pick<Plan<OperationId>, 'version' | 'documents'>) {
  const [first] = documents
  if (version !== undefined) return { version }
  return first && first.content !== null ? { version: first.version + 1 } : {}
}

function judged({ refused }: Judgement): Refusal | null {
  const [first] = refused
  if (!first) return null
  const errors = refused.map(({ path, message }) => ({ path, message }))
  return refuse(first.reason, `${first.path}: ${first.message}.`, { members: { errors } })
}

function whatToConfirm({ judgement, toConfirm = [] }: Pick<Plan<OperationId>, 'judgement' | 'toConfirm'>) {
  return [
    ...toConfirm.map((what) => ({ what, message: `say "confirm=${what}"` })),
    ...judgement.toConfirm,
  ] satisfies { what: string; message: string }[]
}

function confirmationNeeded(missing: readonly { what: string; message: string }[]): Refusal {
  const toConfirm = missing.map(({ what }) => what)
  const detail = `${missing.map(({ message }) => message).join('; ')}. Repeat it with "confirm=${toConfirm.join(',')}".`
  return refuse('confirmation_needed', detail, { members: { toConfirm } })
}

function refuseCommit(
  failed: Extract<Committed, { ok: false }>,
  version: number,
  taken: Plan<OperationId>['taken'],
): Refusal {
  switch (failed.reason) {
    case 'version_conflict':
      return refuse(
        'version_conflict',
        `It is no longer at version ${version}; read it and repeat the change.`,
      )
    case 'guard':
      return (
        taken?.('guard') ??
        refuse('version_conflict', 'What it depends on has been changed; repeat the change.')
      )
    case 'idempotency_key':
      return refuse('idempotency_mismatch', 'The key came with another request at the same time.')
    case 'taken':
      return (
        taken?.(failed.columns) ?? refuse('already_exists', `There is one with the same ${failed.columns}.`)
      )
    case 'document_too_large': {
      const detail = `${failed.document} would have ${failed.length} characters.`
      return refuse('document_too_large', detail, { members: { count: failed.length } })
    }
  }
}

const ANSWER_FIRST_MS = 1
const publicationHeader = (state: 'published' | 'pending') => ({ 'postern-publication': state })

/** Publishes behind the answer, or before it where the caller waits for that (RFC 7240 4.3). */
export async function publish(
  environment: Environment,
  seq: number | null,
  when: 'before the answer' | 'behind it',
): Promise<Record<string, string>> {
  if (seq === null) return publicationHeader('published')
  const catchUp = () =>
    environment.PUBLISHER.getByName('instance')
      .catchUp(seq)
      .catch((error: unknown) => {
        // It is saved. The publisher's own comparison with the database finds it.
        console.error(`edit ${seq}: the publisher could not be told:`, error)
        return null
      })
  if (when === 'behind it') {
    // A call that begins before the answer is written holds it back where the publisher is in the same process.
    waitUntil(scheduler.wait(ANSWER_FIRST_MS).then(catchUp))
    return publicationHeader('pending')
  }
  const publication = await catchUp()
  const reached = publication !== null && publication.seq >= seq && publication.state === 'published'
  return { ...publicationHeader(reached ? 'published' : 'pending'), 'preference-applied': 'wait' }
}
