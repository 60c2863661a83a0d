// The claims of a token such as a policy's test describes: subject and groups put where the issuer's tokens
// have them, and everything else as it is written.
import type { IssuerRecord } from './compiled.ts'
import { type Claims, claimAt, describeClaim } from './principal.ts'
import type { PolicyTest } from './schema.ts'

type Described = Exclude<PolicyTest['principal'], 'anonymous'>

export type DescribedClaims =
  | { ok: true; claims: Claims }
  | { ok: false; field: 'subject' | 'groups'; message: string }

/** What `claims` says goes first. */
export function describedClaims(
  record: IssuerRecord,
  { subject, groups, claims }: Described,
): DescribedClaims {
  const named = putAt(claims, record.claims.subject, subject)
  if (named === null) return blocked('subject', record.claims.subject)
  if (groups === undefined) return { ok: true, claims: named }
  const { groups: rule } = record
  if (rule === null) {
    const message = `the issuer "${record.id}" says nothing about groups, so nobody it vouches for has any`
    return { ok: false, field: 'groups', message }
  }
  const { key } = rule
  const said = key === null ? groups : groups.map((name) => ({ [key]: name }))
  const grouped = putAt(named, rule.claim, said)
  return grouped === null ? blocked('groups', rule.claim) : { ok: true, claims: grouped }
}

function blocked(field: 'subject' | 'groups', path: readonly string[]): DescribedClaims {
  const message = `"claims" has something at "${describeClaim(path)}" that can hold no members`
  return { ok: false, field, message }
}

/** The claims with a value at the path, unless one is there; null when something else is in the way. */
function putAt(claims: Claims, path: readonly string[], value: unknown): Claims | null {
  if (claimAt(claims, path) !== undefined) return claims
  const [step, ...rest] = path
  if (step === undefined || (Array.isArray(claims) && !/^\d{1,3}$/.test(step))) return null
  if (rest.length === 0) return withMember(claims, step, value)
  const member = claimAt(claims, [step]) ?? {}
  if (typeof member !== 'object') return null
  const put = putAt(member as Claims, rest, value)
  return put === null ? null : withMember(claims, step, put)
}

/** A list stays one. Written as a computed member, `__proto__` is a name like any other. */
function withMember(claims: Claims, step: string, value: unknown): Claims {
  if (!Array.isArray(claims)) return { ...claims, [step]: value }
  const copy: unknown[] = [...claims]
  copy[Number(step)] = value
  return copy as unknown as Claims
}
