// What is recorded of a principal beyond what tokens say: whether it is still active, and which roles it was given
// directly. Most have no record; that is held as well.
import type { DirectGrant, Principal } from '../../policy/principal.ts'
import type { Environment } from '../environment.ts'
import { type Refusal, refuse } from '../refusal.ts'
import { isPublished, onChanges } from './feed.ts'
import { createHolding, type Held } from './holding.ts'
import { type PrincipalRecord, principalDocument, principalId } from './published.ts'

const BYTES_MAX = 8 * 1024 * 1024

/** Null: there is no record. */
export type HeldRecord = Held<PrincipalRecord | null>

const records = createHolding<PrincipalRecord | null>({
  bytesMax: BYTES_MAX,
  parse: (content) => parseRecord(content as PrincipalRecord),
  absent: null,
  // Nearly nobody has one, so that a missing record is no reason to ask.
  whenMissing: () => 'believe',
})

/** Whatever it says that is not understood, it does not say "active". */
function parseRecord(record: PrincipalRecord): PrincipalRecord {
  const { kind, status, given } = record
  const whole =
    (kind === 'user' || kind === 'service-account') &&
    (status === 'active' || status === 'inactive') &&
    Array.isArray(given) &&
    given.every(isGrant)
  if (!whole) throw new Error('it lacks parts of a record')
  return record
}

function isGrant({ role, organization, project, source }: DirectGrant): boolean {
  const isName = (value: unknown) => value === null || typeof value === 'string'
  return typeof role === 'string' && typeof source === 'string' && isName(organization) && isName(project)
}

/** While the bundle decides, nobody has a record. What this was held for is asked anew once that ends. */
let noRecord = holdNone()

function holdNone(): HeldRecord {
  const always = { version: 0, content: null, current: true, used: true, bytes: 0, retryAt: 0 }
  return { ok: true, name: 'no record', ...always }
}

onChanges({
  changed() {},
  changedAll() {
    noRecord.current = false
    noRecord = holdNone()
  },
})

/** Never throws, so that it may run beside other work. */
export async function holdRecord(
  environment: Environment,
  issuer: string,
  subject: string,
): Promise<HeldRecord | Refusal> {
  if (!isPublished()) return noRecord
  return records.hold(environment, principalDocument(await principalId(issuer, subject)))
}

/** What is recorded of a principal; null for somebody without a record, who is active and has no direct roles. */
export async function principalRecord(
  environment: Environment,
  issuer: string,
  subject: string,
): Promise<{ ok: true; record: PrincipalRecord | null } | Refusal> {
  const held = await holdRecord(environment, issuer, subject)
  return held.ok ? { ok: true, record: held.content } : held
}

/** The principal with what is recorded of it; refused when it is inactive. */
export function withRecord(
  principal: Principal,
  record: PrincipalRecord | null,
): { ok: true; principal: Principal } | Refusal {
  if (record === null) return { ok: true, principal }
  const { kind, status, given } = record
  if (status !== 'active') {
    const detail = `An admin has deactivated this ${kind === 'user' ? 'user' : 'service account'}.`
    return refuse('principal_inactive', detail, { subject: principal.subject })
  }
  return { ok: true, principal: { ...principal, kind, given } }
}
