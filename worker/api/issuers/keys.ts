// Handlers of the keys of issuers: their state, fetching them now, withdrawing one and letting it count again. These
// stand in a document of their own, so that they work for issuers of the policy's source as well.
import type { z } from 'zod'
import type { IssuerRecord } from '../../../policy/compiled.ts'
import type { KeyState } from '../../../policy/operations/issuers.ts'
import type { ParamsOf } from '../../../policy/operations/table.ts'
import { clock } from '../../clock.ts'
import { contentOf, readNewest } from '../../database/batch.ts'
import { type IssuerKeysContent, issuerKeysName } from '../../database/documents.ts'
import { organizationOf } from '../../database/issuer-rows.ts'
import { documentsAt, refreshDocuments } from '../../documents/held.ts'
import type { Environment } from '../../environment.ts'
import type { KeyStatus } from '../../keys/issuer-object.ts'
import { keyStatus, keysOfRecord, refreshKeysNow } from '../../keys/source.ts'
import type { Refusal } from '../../refusal.ts'
import { limitReached, notFound } from '../answers.ts'
import type { Answered, Call, SomeHandlers } from '../call.ts'
import { write } from '../write.ts'
import { recordIdOf } from './issuers.ts'
import { readIssuer } from './store.ts'

export const WITHDRAWN_MAX = 1000

type State = z.infer<typeof KeyState>
type Changing = 'issuers.withdrawKey' | 'issuers.restoreKey'

export const issuerKeyHandlers = {
  'issuers.keys': (call) => state(call),
  'organizationIssuers.keys': (call) => state(call),
  'issuers.refreshKeys': (call) => refresh(call),
  'organizationIssuers.refreshKeys': (call) => refresh(call),
  'issuers.withdrawKey': (call) => withdraw(call),
  'organizationIssuers.withdrawKey': (call) => withdraw(call as unknown as Call<Changing>),
  'issuers.restoreKey': (call) => restore(call),
  'organizationIssuers.restoreKey': (call) => restore(call as unknown as Call<Changing>),
} satisfies SomeHandlers

interface Asked {
  environment: Environment
  params: ParamsOf<'issuers.keys'>
}

async function state({ environment, params }: Asked): Promise<Answered<'issuers.keys'>> {
  const found = await find(environment, params)
  if (!found.ok) return found
  const { record, withdrawn } = found
  return { ok: true, body: stateOf(record, await keyStatus(environment, record), withdrawn.content) }
}

async function refresh({ environment, params }: Asked): Promise<Answered<'issuers.refreshKeys'>> {
  const found = await find(environment, params)
  if (!found.ok) return found
  const { record, withdrawn } = found
  return { ok: true, body: stateOf(record, await refreshKeysNow(environment, record), withdrawn.content) }
}

async function withdraw(call: Call<Changing>): Promise<Answered<Changing>> {
  const { kid, reason = null } = call.body
  return change(call, (before) => {
    const known = before.withdrawn.some((key) => key.kid === kid)
    return known ? before : { withdrawn: [...before.withdrawn, { kid, reason, at: call.now }] }
  })
}

async function restore(call: Call<Changing>): Promise<Answered<Changing>> {
  const { kid } = call.body
  return change(call, (before) => {
    const rest = before.withdrawn.filter((key) => key.kid !== kid)
    return rest.length === before.withdrawn.length ? notFound('withdrawn key', kid) : { withdrawn: rest }
  })
}

async function change(
  call: Call<Changing>,
  edit: (before: IssuerKeysContent) => IssuerKeysContent | Refusal,
): Promise<Answered<Changing>> {
  const { environment, params } = call
  const found = await find(environment, params)
  if (!found.ok) return found
  const { id, record, withdrawn } = found
  const after = edit(withdrawn.content)
  if ('ok' in after) return after
  const count = after.withdrawn.length
  if (count > WITHDRAWN_MAX) return limitReached('withdrawn keys of the issuer', count, WITHDRAWN_MAX)
  const status = await keyStatus(environment, record)
  const same = after === withdrawn.content
  return write(call, {
    documents: same ? [] : [{ name: issuerKeysName(id), version: withdrawn.version, content: after }],
    derived: [],
    audit: [
      {
        chain: organizationOf(id) ?? '',
        target: { kind: 'issuer-keys', id },
        before: withdrawn.content,
        after,
      },
    ],
    judgement: { refused: [], toConfirm: [] },
    preview: async () => ({
      changes: [],
      principals: { considered: 0, items: [], next: null },
      findings: [],
    }),
    body: () => stateOf(record, status, after),
  })
}

type Found =
  | { ok: true; id: string; record: IssuerRecord; withdrawn: { version: number; content: IssuerKeysContent } }
  | Refusal

/** The record as it is in force at the edge; one that was made just now is published first. */
async function find(environment: Environment, params: ParamsOf<'issuers.keys'>): Promise<Found> {
  const id = recordIdOf(params)
  const [stored, row] = await Promise.all([
    readIssuer(environment, id),
    readNewest(environment.DB, issuerKeysName(id)),
  ])
  if (stored.settings === null) return notFound('issuer', params.issuer)
  const held = await recordInForce(environment, id, stored.settings.issuer)
  if (!held.ok) return held
  const content = contentOf<IssuerKeysContent>(row ?? undefined) ?? { withdrawn: [] }
  return { ok: true, id, record: held.record, withdrawn: { version: row?.version ?? 0, content } }
}

/** `issuer` is what is saved: a copy that says another one is older than that. */
export async function recordInForce(
  environment: Environment,
  id: string,
  issuer: string,
): Promise<{ ok: true; record: IssuerRecord } | Refusal> {
  const first = await recordHeld(environment, id)
  if (!first.ok) return first
  const isOf = (record: IssuerRecord | null) => {
    return record !== null && (record.keyOrigin.kind === 'pinned' || record.keyOrigin.issuer === issuer)
  }
  if (first.record !== null && isOf(first.record)) return { ok: true, record: first.record }
  await environment.PUBLISHER.getByName('instance').catchUp()
  const refusal = await refreshDocuments(environment)
  if (refusal) return refusal
  const second = await recordHeld(environment, id)
  if (!second.ok) return second
  return second.record === null ? notFound('issuer', id) : { ok: true, record: second.record }
}

async function recordHeld(
  environment: Environment,
  id: string,
): Promise<{ ok: true; record: IssuerRecord | null } | Refusal> {
  const slug = organizationOf(id)
  const level =
    slug === null ? ({ kind: 'global' } as const) : ({ kind: 'organization', organization: slug } as const)
  const held = await documentsAt(environment, level, [])
  if (!held.ok) return held
  const records = slug === null ? held.policy.issuers : (held.organization?.issuers ?? [])
  return { ok: true, record: records.find((record) => record.id === id) ?? null }
}

function stateOf(record: IssuerRecord, status: KeyStatus | null, { withdrawn }: IssuerKeysContent): State {
  const document = status?.document ?? null
  const ids = withdrawn.map(({ kid }) => kid)
  const time = (at: number | null | undefined) =>
    at === null || at === undefined ? null : new Date(at).toISOString()
  return {
    source: record.keyOrigin.kind === 'pinned' ? 'policy' : (document?.jwksUri ?? null),
    discoveredAt: document?.discoveredAt ?? null,
    fetchedAt: time(document?.fetchedAt),
    ageSeconds: document ? Math.max(0, Math.round((clock.now() - document.fetchedAt) / 1000)) : null,
    lastAttemptAt: time(status?.lastAttemptAt),
    lastError: status?.lastError ?? null,
    keys: keysOfRecord({ ...record, withdrawnKeys: ids }, status),
    withdrawn: ids,
  }
}
