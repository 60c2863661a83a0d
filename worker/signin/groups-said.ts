// The groups that claims say, by the names that policies use: kept with a session for sign-ins that say none (decision T4).
import type { IssuerRecord } from '../../policy/compiled.ts'
import { type Claims, principalFromClaims } from '../../policy/principal.ts'

/** Null where the claims say nothing about groups; an empty list is an answer. */
export function groupsSaid(record: IssuerRecord, claims: Claims): string[] | null {
  const made = principalFromClaims({ ...record, claims: { ...record.claims, access: null } }, claims)
  return made.ok && made.principal.groups.outcome === 'listed' ? made.principal.groups.names : null
}
