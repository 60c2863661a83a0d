// What a change of policy does: what is different in the document, and for each known principal which roles
// and permissions are gained and lost, level by level. Both policies decide by the same rules, at one time.
import { rolesAt } from './decide.ts'
import { capturedPlaces, type Place, placesThatChanged } from './diff-places.ts'
import { canonical, compareDocuments, type StructuralChange } from './diff-structure.ts'
import { type Level, levelOf } from './level.ts'
import { organizationAt, type WholePolicy } from './loaded.ts'
import { type Claims, type Presented, type Principal, principalFromClaims } from './principal.ts'
import type { PrincipalReason } from './reasons.ts'
import type { PolicyDocument } from './schema.ts'

export type { StructuralChange }

/** A policy as it is written, and loaded. */
export interface PolicyVersion {
  document: PolicyDocument
  policy: WholePolicy
}

/**
 * Somebody whom the policy may give something. By claims, so that what the change does to reading them shows;
 * or a principal as it is, where only those exist.
 */
export type KnownPrincipal = { issuer: string; claims: Claims; presented?: Presented } | Principal

export interface Difference {
  gained: string[]
  lost: string[]
}

export interface LevelDiff {
  level: Level
  roles: Difference
  permissions: Difference
}

/** Why there is no principal at all: no such issuer record, or its claims make none. */
export type Refused = 'issuer_unknown' | PrincipalReason

export interface PrincipalDiff {
  issuer: string
  /** Null when the claims make no principal before or after. */
  subject: string | null
  /** Null where there is a principal. */
  refused: { before: Refused | null; after: Refused | null }
  /** Levels where something changed only: global, then organizations, each before its projects. */
  levels: LevelDiff[]
}

export interface PolicyDiff {
  structure: StructuralChange[]
  /** Principals for whom something changed only. */
  principals: PrincipalDiff[]
}

export function diffPolicies(
  before: PolicyVersion,
  after: PolicyVersion,
  principals: Iterable<KnownPrincipal>,
  now: number,
): PolicyDiff {
  const structure = compareDocuments(before.document, after.document)
  const change: Change = {
    before: sideOf(before, now),
    after: sideOf(after, now),
    rolesChanged: structure.some(({ part }) => part === 'role'),
    changed: placesThatChanged(structure),
  }
  const diffs = [...principals].flatMap((known) => diffPrincipal(change, known) ?? [])
  return { structure, principals: diffs }
}

/** One of the two policies, and what is looked up in it again and again. */
interface Side extends PolicyVersion {
  now: number
  records: ReadonlyMap<string, WholePolicy['issuers'][number]>
  permissionsOf: Map<string, readonly string[]>
}

function sideOf(version: PolicyVersion, now: number): Side {
  const records = new Map(version.policy.issuers.map((record) => [record.id, record]))
  return { ...version, now, records, permissionsOf: new Map() }
}

interface Change {
  before: Side
  after: Side
  rolesChanged: boolean
  /** Where the documents differ in what they give. */
  changed: readonly Place[]
}

type Resolved = { principal: Principal; refused: null } | { principal: null; refused: Refused }

function resolve({ records }: Side, known: KnownPrincipal): Resolved {
  const record = records.get(known.issuer)
  if (!record) return { principal: null, refused: 'issuer_unknown' }
  if ('voucher' in known) return { principal: known, refused: null }
  const made = principalFromClaims(record, known.claims, known.presented)
  return made.ok ? { principal: made.principal, refused: null } : { principal: null, refused: made.reason }
}

/** Null when nothing changed. */
function diffPrincipal(change: Change, known: KnownPrincipal): PrincipalDiff | null {
  const [old, now] = [resolve(change.before, known), resolve(change.after, known)]
  const levels = levelsToCompare(change, old.principal, now.principal)
  const found = levels.flatMap((level) => diffLevel(change, old.principal, now.principal, level) ?? [])
  if (found.length === 0 && old.refused === now.refused) return null
  return {
    issuer: known.issuer,
    subject: (now.principal ?? old.principal)?.subject ?? null,
    refused: { before: old.refused, after: now.refused },
    levels: found,
  }
}

/**
 * Levels where something can have changed for the principal. Wherever the documents agree and the principal is
 * the same, so is what is held there; global roles and role definitions reach everywhere.
 */
function levelsToCompare(change: Change, old: Principal | null, now: Principal | null): Level[] {
  const { before, after, rolesChanged, changed } = change
  const global: Level = { kind: 'global' }
  const everywhere = rolesChanged || !isSame(old, now) || differs(change, old, now, global)
  const captured = [...capturedPlaces(before.policy, old), ...capturedPlaces(after.policy, now)]
  const touched = new Set([...changed, ...captured].map(({ organization }) => organization))
  const slugs = union(before.policy.organizations, after.policy.organizations)
  const ceiling = old?.voucher.organization === now?.voucher.organization ? now?.voucher.organization : null
  const within = slugs.filter((slug) => {
    return (
      (ceiling === null || ceiling === undefined || slug === ceiling) && (everywhere || touched.has(slug))
    )
  })
  const below = within.flatMap((slug) => {
    const [left, right] = [before.policy.organization(slug), after.policy.organization(slug)]
    const level = levelOf(slug, null)
    // Where a default role comes or goes, it does so at the organization's own level too.
    const all = everywhere || differs(change, old, now, level)
    const projects = union(left?.projects.keys() ?? [], right?.projects.keys() ?? [])
    const places = [...changed, ...captured, ...capturedPlaces(left, old), ...capturedPlaces(right, now)]
    const named = new Set(places.filter((place) => place.organization === slug).map(({ project }) => project))
    return [
      level,
      ...projects.filter((slug) => all || named.has(slug)).map((project) => levelOf(slug, project)),
    ]
  })
  return [global, ...below]
}

function isSame(old: Principal | null, now: Principal | null): boolean {
  if (old === now) return true
  if (old === null || now === null) return false
  const counting = ({ voucher, groups }: Principal) => canonical({ voucher, groups })
  return counting(old) === counting(now)
}

function union(first: Iterable<string>, second: Iterable<string>): string[] {
  return [...new Set([...first, ...second])].sort()
}

interface Held {
  roles: readonly string[]
  permissions: ReadonlySet<string>
}

function heldAt(side: Side, principal: Principal | null, level: Level): Held {
  if (principal === null) return { roles: [], permissions: new Set() }
  const { policy, now } = side
  const { roles } = rolesAt(policy, organizationAt(policy, level), principal, level, now)
  const permissions = new Set<string>()
  for (const role of roles) {
    // What it implies is in the list itself.
    for (const permission of ownPermissions(side, role)) permissions.add(permission)
  }
  return { roles, permissions }
}

function ownPermissions({ policy, permissionsOf }: Side, role: string): readonly string[] {
  const known = permissionsOf.get(role)
  if (known) return known
  const permissions = [...(policy.roles.get(role)?.permissions.keys() ?? [])]
  permissionsOf.set(role, permissions)
  return permissions
}

function differs(change: Change, old: Principal | null, now: Principal | null, level: Level): boolean {
  return diffLevel(change, old, now, level) !== null
}

function diffLevel(
  { before, after }: Change,
  old: Principal | null,
  now: Principal | null,
  level: Level,
): LevelDiff | null {
  const [left, right] = [heldAt(before, old, level), heldAt(after, now, level)]
  const roles = compare(left.roles, right.roles)
  const permissions = compare(left.permissions, right.permissions)
  const count = [roles, permissions].flatMap(({ gained, lost }) => [...gained, ...lost]).length
  return count === 0 ? null : { level, roles, permissions }
}

function compare(before: Iterable<string>, after: Iterable<string>): Difference {
  const [old, now] = [new Set(before), new Set(after)]
  return {
    gained: [...now].filter((name) => !old.has(name)).sort(),
    lost: [...old].filter((name) => !now.has(name)).sort(),
  }
}
