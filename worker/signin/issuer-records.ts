// Which issuer records a name means when no route and no token's audience has chosen one yet: the issuer itself
// speaks of its sessions (front and back channel), or a session names its record by id.
import type { IssuerRecord } from '../../policy/compiled.ts'
import { holdOrganization, holdPolicy, recordsNamed } from '../documents/held.ts'
import type { Environment } from '../environment.ts'
import { type Refusal, refuse, shown } from '../refusal.ts'

/** More organizations are not read for one name. */
const CANDIDATES_MAX = 100

export type FoundRecords = { ok: true; records: IssuerRecord[] } | Refusal

/** Records with that `iss` that people sign in with: the instance's and each organization's own. */
export async function recordsOfIssuer(environment: Environment, iss: string): Promise<FoundRecords> {
  const policy = await holdPolicy(environment)
  if (!policy.ok) return policy
  const named = await recordsNamed(environment, iss)
  if (!named.ok) return named
  if (named.records.length > CANDIDATES_MAX) {
    const detail = `${named.records.length} organizations have the issuer ${shown(iss)}; at most ${CANDIDATES_MAX} are asked.`
    return refuse('issuer_ambiguous', detail, { check: 'iss' })
  }
  const found = policy.content.issuers.filter(({ issuers, organization }) => {
    return organization === null && issuers.includes(iss)
  })
  const read = await Promise.all(
    named.records.map(({ id, organization }) => recordOfId(environment, id, organization)),
  )
  for (const one of read) {
    if (!one.ok) return one
    if (one.record?.issuers.includes(iss)) found.push(one.record)
  }
  return { ok: true, records: found.filter(({ signIn }) => signIn !== null) }
}

/** The instance's records that people sign in with. */
export async function instanceRecords(environment: Environment): Promise<FoundRecords> {
  const policy = await holdPolicy(environment)
  if (!policy.ok) return policy
  const { issuers } = policy.content
  return {
    ok: true,
    records: issuers.filter(({ signIn, organization }) => signIn !== null && organization === null),
  }
}

/** The record of that id; null when it is no more. */
export async function recordOfId(
  environment: Environment,
  id: string,
  organization: string | null,
): Promise<{ ok: true; record: IssuerRecord | null } | Refusal> {
  if (organization === null) {
    const policy = await holdPolicy(environment)
    if (!policy.ok) return policy
    const record = policy.content.issuers.find((one) => one.id === id && one.organization === null)
    return { ok: true, record: record ?? null }
  }
  const held = await holdOrganization(environment, organization)
  if (!held.ok) return held
  return { ok: true, record: held.content?.organization.issuers.find((one) => one.id === id) ?? null }
}
