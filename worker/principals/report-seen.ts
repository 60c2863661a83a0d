// The isolate's side of known principals: whoever comes with a token that was verified just now is reported to the
// object of that principal, behind the request, unless this isolate reported the same within the hour.
import { waitUntil } from 'cloudflare:workers'
import type { Groups, Principal } from '../../policy/principal.ts'
import { principalId } from '../documents/published.ts'
import type { Environment } from '../environment.ts'
import { createMemory } from '../memory.ts'

/** Somebody whose groups have not changed is reported again after an hour. */
export const REPORT_PAUSE_SECONDS = 60 * 60
/** Of more groups only the first are kept of a principal. */
export const KNOWN_GROUPS_MAX = 1000
const MEMORY_BYTES_MAX = 4 * 1024 * 1024
const ENTRY_BYTES = 128

/** What the object of a principal is told. */
export interface Sighting {
  id: string
  kind: Principal['kind']
  issuer: string
  subject: string
  /** The voucher's organization; empty: the instance. */
  organization: string
  userName: string | null
  email: string | null
  displayName: string | null
  groups: Groups
  /** Milliseconds since the epoch. */
  at: number
}

interface Reported {
  groups: string
  at: number
}

const reported = createMemory<Reported>({
  weightMax: MEMORY_BYTES_MAX,
  weigh: (key, { groups }) => 2 * (key.length + groups.length) + ENTRY_BYTES,
})

/** `now` in seconds since the epoch. Neither waits nor throws: nobody's request depends on it. */
export function reportSeen(environment: Environment, principal: Principal, now: number): void {
  const { issuer, subject, kind } = principal
  const groups = boundedGroups(principal.groups)
  // Each job of a workload issuer has a subject of its own; only those with a service account are worth a row.
  if (groups.outcome === 'none' && kind !== 'service-account') return
  const key = JSON.stringify([issuer, subject])
  const said = JSON.stringify([kind, groups])
  const known = reported.get(key)
  if (known && known.groups === said && now - known.at < REPORT_PAUSE_SECONDS) return
  reported.set(key, { groups: said, at: now })
  waitUntil(
    tell(environment, principal, groups, now).catch((error: Error) => {
      // Told again with the next token.
      reported.set(key, { groups: '', at: 0 })
      console.warn(`a principal that was seen cannot be reported: ${error.message}`)
    }),
  )
}

async function tell(
  environment: Environment,
  principal: Principal,
  groups: Groups,
  now: number,
): Promise<void> {
  const { kind, issuer, subject, voucher, userName, email, firstName, lastName } = principal
  const id = await principalId(issuer, subject)
  const names = [firstName, lastName].filter((name) => name !== null)
  await environment.PRINCIPALS.getByName(id).seen({
    id,
    kind,
    issuer,
    subject,
    organization: voucher.organization ?? '',
    userName,
    email,
    displayName: names.length > 0 ? names.join(' ') : null,
    groups,
    at: now * 1000,
  })
}

function boundedGroups(groups: Groups): Groups {
  if (groups.outcome !== 'listed' || groups.names.length <= KNOWN_GROUPS_MAX) return groups
  return { outcome: 'listed', names: groups.names.slice(0, KNOWN_GROUPS_MAX) }
}
