// What a change of roles given directly would do: what the holder's identities gain and lose, beyond what their
// groups, as they were seen last, give them anyway.
import { rolesAt } from '../../../policy/decide.ts'
import { describeLevel, type Level, levelOf } from '../../../policy/level.ts'
import { heldWith } from '../../../policy/mapping-sites.ts'
import type { Identity } from '../../../policy/operations/people.ts'
import { type DirectGrant, type Groups, groupsAt, type Principal } from '../../../policy/principal.ts'
import type { PolicyDocument } from '../../../policy/schema.ts'
import { changedMembers } from '../../database/audit.ts'
import { organizationOf } from '../../database/issuer-rows.ts'
import { documentsAt } from '../../documents/held.ts'
import type { Call } from '../call.ts'
import type { PreviewParts } from '../preview.ts'

type Roles = PolicyDocument['roles']

export interface GivenChange {
  part: 'user' | 'service-account'
  id: string
  displayName: string
  email: string | null
  /** Who has the roles. Without any, nobody has them yet. */
  identities: readonly Identity[]
  roles: Roles
  /** The contents of its document. */
  contents: { before: unknown; after: unknown }
  /** None while it is deactivated. */
  given: { before: readonly DirectGrant[]; after: readonly DirectGrant[] }
}

export async function previewGiven(
  call: Pick<Call, 'environment' | 'now'>,
  change: GivenChange,
): Promise<PreviewParts> {
  const { part, id, displayName, email, identities, contents } = change
  const places = placesOf(change)
  const items = []
  for (const identity of identities.length > 0 ? identities : [null]) {
    const principal = identity && (await seenPrincipal(call, identity))
    const levels = []
    for (const place of places) {
      const anyway = principal ? await heldAnyway(call, principal, place.level) : []
      levels.push(...changesAt(change.roles, place, new Set(anyway)))
    }
    const who = identity ?? { issuer: '', subject: null }
    if (levels.length > 0) items.push({ ...who, displayName, email, levels })
  }
  return {
    changes: [changeOf(part, id, displayName, contents.before, contents.after)],
    principals: { considered: identities.length, items, next: null },
    findings: [],
  }
}

interface Place {
  level: Level
  before: ReadonlySet<string>
  after: ReadonlySet<string>
}

/** What is given at each level, with what it implies. */
function placesOf({ roles, given }: GivenChange): Place[] {
  const places = new Map<string, { level: Level; before: Set<string>; after: Set<string> }>()
  for (const side of ['before', 'after'] as const) {
    for (const { role, organization, project } of given[side]) {
      const level = levelOf(organization, project)
      const key = describeLevel(level)
      const place = places.get(key) ?? { level, before: new Set(), after: new Set() }
      places.set(key, place)
      for (const held of heldWith(roles, role)) place[side].add(held)
    }
  }
  return [...places.values()]
}

function changesAt(roles: Roles, { level, before, after }: Place, anyway: ReadonlySet<string>) {
  const [old, now] = [new Set([...before, ...anyway]), new Set([...after, ...anyway])]
  const names = { gained: without(now, old), lost: without(old, now) }
  if (names.gained.length + names.lost.length === 0) return []
  const [left, right] = [permissionsOf(roles, old), permissionsOf(roles, now)]
  return [{ level, roles: names, permissions: { gained: without(right, left), lost: without(left, right) } }]
}

function permissionsOf(roles: Roles, held: ReadonlySet<string>): Set<string> {
  return new Set(
    [...held].flatMap((role) => (Object.hasOwn(roles, role) ? (roles[role]?.permissions ?? []) : [])),
  )
}

function without(names: ReadonlySet<string>, others: ReadonlySet<string>): string[] {
  return [...names].filter((name) => !others.has(name)).sort()
}

async function seenPrincipal(
  { environment }: Pick<Call, 'environment'>,
  { issuer, subject }: Identity,
): Promise<Principal> {
  const row = await environment.DB.prepare(
    'SELECT groups FROM known_principals WHERE issuer = ? AND subject = ?',
  )
    .bind(issuer, subject)
    .first<{ groups: string }>()
  return {
    kind: 'user',
    issuer,
    subject,
    voucher: { issuer, organization: organizationOf(issuer) },
    groups: row ? (JSON.parse(row.groups) as Groups) : { outcome: 'none' },
    given: [],
    userName: null,
    email: null,
    firstName: null,
    lastName: null,
    claims: {},
  }
}

/** By groups alone. Where the edge does not know the place yet, nothing. */
async function heldAnyway(
  { environment, now }: Pick<Call, 'environment' | 'now'>,
  principal: Principal,
  level: Level,
): Promise<readonly string[]> {
  const seconds = Math.floor(now / 1000)
  const groups = groupsAt(principal, seconds)
  const held = await documentsAt(environment, level, 'names' in groups ? groups.names : [])
  return held.ok ? rolesAt(held.policy, held.organization, principal, level, seconds).roles : []
}

export function changeOf(part: string, id: string, name: string, before: unknown, after: unknown) {
  const change =
    before === null ? ('added' as const) : after === null ? ('removed' as const) : ('changed' as const)
  const differing = changedMembers(before, after)
  const fields =
    change === 'changed'
      ? Object.keys({ ...(differing.before as object), ...(differing.after as object) })
      : []
  return { part, change, path: `${part}/${id}`, name, fields: fields.sort(), before, after }
}
