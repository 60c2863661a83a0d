// The principal of a session, made anew of what the issuer said whenever the issuer's record or what is recorded of the
// principal is another: groups and roles follow the policy at the next request.
import type { IssuerRecord } from '../../policy/compiled.ts'
import { KEY_ISSUER, type Principal, principalFromClaims } from '../../policy/principal.ts'
import { clock } from '../clock.ts'
import { holdKnownPolicy, holdOrganization } from '../documents/held.ts'
import { type HeldRecord, holdRecord, withRecord } from '../documents/principals.ts'
import type { Environment } from '../environment.ts'
import { type Refusal, refuse } from '../refusal.ts'
import type { HeldSession } from './held.ts'
import type { SessionCopy } from './session.ts'

/** Who has the temporary password of LOCAL_RESTORE. */
export const RESTORE_SUBJECT = 'local-restore'

export const RESTORE_PRINCIPAL: Principal = {
  kind: 'user',
  issuer: KEY_ISSUER,
  subject: RESTORE_SUBJECT,
  voucher: { issuer: KEY_ISSUER, organization: null },
  groups: { outcome: 'none' },
  given: [{ role: 'GLOBAL_OWNER', organization: null, project: null, source: 'LOCAL_RESTORE' }],
  userName: RESTORE_SUBJECT,
  email: null,
  firstName: null,
  lastName: null,
  claims: {},
}

/** `record` is null for the temporary password, which no issuer vouches for. */
export type SessionPrincipal =
  | { ok: true; principal: Principal; record: IssuerRecord | null; recorded: HeldRecord }
  | Refusal

/** The session was found with this request (sessionOf), which has asked the feed. */
export async function principalOfSession(
  environment: Environment,
  session: HeldSession,
): Promise<SessionPrincipal> {
  const { copy, made } = session
  const vouching = await recordOf(environment, copy)
  if (!vouching.ok) return vouching
  const { record } = vouching
  if (made && made.record === record && made.recorded.current) return { ok: true, ...made }
  const recorded = await holdRecord(environment, copy.issuer, copy.subject)
  if (!recorded.ok) return recorded
  const principal = record === null ? { ok: true as const, principal: RESTORE_PRINCIPAL } : make(record, copy)
  if (!principal.ok) return principal
  const whole = withRecord(principal.principal, record === null ? null : recorded.content)
  if (!whole.ok) return whole
  session.made = { record, recorded, principal: whole.principal }
  return { ok: true, ...session.made }
}

function make(record: IssuerRecord, copy: SessionCopy): { ok: true; principal: Principal } | Refusal {
  const now = Math.floor(clock.now() / 1000)
  const presented = { as: 'sign-in', now, lastKnown: copy.lastKnown } as const
  const made = principalFromClaims(record, copy.claims, presented)
  if (!made.ok) return refuse(made.reason, made.detail, { subject: copy.subject })
  // The record may read the subject from another claim by now: then it is another person's session.
  return made.principal.subject === copy.subject ? made : ended(copy)
}

async function recordOf(
  environment: Environment,
  copy: SessionCopy,
): Promise<{ ok: true; record: IssuerRecord | null } | Refusal> {
  if (copy.kind === 'restore') {
    return environment.LOCAL_RESTORE === 'true' ? { ok: true, record: null } : ended(copy)
  }
  const records = await recordsOf(environment, copy.organization)
  if (!records.ok) return records
  const record = records.records.find(({ id }) => id === copy.issuer)
  const vouches = record?.signIn && record.issuers.includes(copy.claims.iss as string)
  return record && vouches ? { ok: true, record } : ended(copy)
}

async function recordsOf(
  environment: Environment,
  organization: string | null,
): Promise<{ ok: true; records: readonly IssuerRecord[] } | Refusal> {
  if (organization === null) {
    const policy = await holdKnownPolicy(environment)
    return policy.ok ? { ok: true, records: policy.content.issuers } : policy
  }
  const held = await holdOrganization(environment, organization)
  return held.ok ? { ok: true, records: held.content?.organization.issuers ?? [] } : held
}

function ended({ issuer }: SessionCopy): Refusal {
  return refuse('session_ended', `Nobody is signed in by "${issuer}" any more, or it speaks of others now.`)
}
