// Reads who a policy is asked about: the principal that options describe, and lists of known principals.
import { z } from 'zod'
import type { IssuerRecord } from '../policy/compiled.ts'
import type { Policy } from '../policy/loaded.ts'
import type { Claims } from '../policy/principal.ts'
import { describedClaims } from '../policy/test-claims.ts'

/** Somebody, as the tests in a policy describe a principal: groups as the token says them. */
const Described = z.strictObject({
  issuer: z.string().min(1),
  subject: z.string().min(1).default('somebody'),
  groups: z.array(z.string()).optional(),
  claims: z.record(z.string(), z.json()).default({}),
})
export type Described = z.infer<typeof Described>

export type Principals = { ok: true; principals: Described[] } | { ok: false; message: string }

/** A JSON list, one JSON object, or one object a line (NDJSON). */
export function parsePrincipals(text: string): Principals {
  let values: unknown[]
  try {
    const value: unknown = JSON.parse(text)
    values = Array.isArray(value) ? value : [value]
  } catch {
    values = []
    for (const [index, line] of text.split('\n').entries()) {
      if (line.trim() === '') continue
      try {
        values.push(JSON.parse(line))
      } catch (error) {
        return { ok: false, message: `line ${index + 1} is not JSON: ${(error as Error).message}` }
      }
    }
  }
  const principals: Described[] = []
  for (const [index, value] of values.entries()) {
    const parsed = Described.safeParse(value)
    if (!parsed.success) {
      const [issue] = parsed.error.issues
      const where = issue?.path.length ? ` at ${issue.path.join('.')}` : ''
      return { ok: false, message: `principal ${index + 1}${where}: ${issue?.message}` }
    }
    principals.push(parsed.data)
  }
  return { ok: true, principals }
}

/** The record of that id, or the only one there is. */
export function findRecord({ issuers }: Policy, id: string | undefined): IssuerRecord | string {
  if (id === undefined && issuers.length === 1) return issuers[0] as IssuerRecord
  const known = issuers.find((record) => record.id === id)
  if (known) return known
  const ids = issuers.length > 0 ? issuers.map((record) => record.id).join(', ') : 'none'
  return id === undefined
    ? `--issuer must name an issuer; there are: ${ids}`
    : `there is no issuer "${id}"; there are: ${ids}`
}

/** The claims of a token that says all this; what `claims` has goes first. */
export function claimsOf(record: IssuerRecord, described: Described): ClaimsResult {
  const made = describedClaims(record, described)
  return made.ok ? made : { ok: false, message: `${made.field}: ${made.message}` }
}
export type ClaimsResult = { ok: true; claims: Claims } | { ok: false; message: string }
