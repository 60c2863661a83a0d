// Turns a checked policy document into the compiled policy: implications resolved, mappings indexed by
// group, routes as trees. Equal documents compile to equal bytes, whatever order their members stand in.

import { issuerNames } from './check.ts'
import { compileHosts } from './compile-routes.ts'
import { compileApplications, compileSignIn, compileSingleSignOn } from './compile-sign-in.ts'
import {
  bucketName,
  bucketOf,
  COMPILED_FORMAT,
  type CompiledBucket,
  type CompiledCondition,
  type CompiledDocuments,
  type CompiledOrganization,
  type CompiledPolicy,
  type CompiledRole,
  type Entries,
  type Grant,
  type GroupGrants,
  hashOf,
  type IssuerRecord,
  type KeyOrigin,
  type PatternGrant,
} from './compiled.ts'
import { foldCase } from './fold-case.ts'
import { type Pattern, parsePattern } from './pattern.ts'
import { claimsOf, groupsOf } from './presets.ts'
import { describePath, type Path } from './problems.ts'
import type { GroupMapping, Organization, PatternMapping, PolicyDocument, Role } from './schema.ts'
import type { Issuer } from './schema-issuer.ts'
import { byName, mapSorted } from './sorted.ts'
import { secondsOf } from './timestamp.ts'

/** A document of the compiled policy is not larger, so that each fits near every request. */
export const BUCKET_BYTES_MAX = 256 * 1024
/** A small organization's mappings are read at once. */
const BUCKET_BYTES_ALONE = 16 * 1024
/**
 * On average one of several buckets is not larger: a cold isolate reads one for each group of the caller, and what
 * it reads besides that group's mappings is for nothing.
 */
const BUCKET_BYTES_USUAL = 2 * 1024

export interface CompileOptions {
  /** By the id of the issuer record: ids of keys that verify nothing any more. */
  withdrawnKeys?: ReadonlyMap<string, readonly string[]>
  /** How many buckets an organization is spread over now. As many are kept while they are neither too full nor too empty. */
  buckets?: number
}

/** What of a document is compiled without its organizations. */
export type InstancePart = Pick<
  PolicyDocument,
  | 'audience'
  | 'roles'
  | 'issuers'
  | 'idpGroupMappings'
  | 'patternMappings'
  | 'routes'
  | 'applications'
  | 'singleSignOn'
>

/** The document must have passed checkPolicy, here and below. */
export function compilePolicy(policy: PolicyDocument, options: CompileOptions = {}): CompiledDocuments {
  const organizations = mapSorted(policy.organizations, (slug, organization) => {
    return compileOrganization(slug, organization, options)
  })
  return {
    policy: compileInstance(policy, options),
    organizations: organizations.map(([slug, { header }]) => [slug, header]),
    buckets: organizations.flatMap(([slug, { buckets }]) => {
      return buckets.map((bucket, index): [string, CompiledBucket] => [bucketName(slug, index), bucket])
    }),
  }
}

/** The instance's part alone: all but its organizations. */
export function compileInstance(policy: InstancePart, options: CompileOptions = {}): CompiledPolicy {
  return {
    format: COMPILED_FORMAT,
    audience: policy.audience,
    roles: mapSorted(policy.roles, (name) => compileRole(name, policy.roles)),
    issuers: compileIssuers(policy.issuers, null, options),
    exact: indexGrants(policy.idpGroupMappings, ['idpGroupMappings'], false),
    lowerCase: indexGrants(policy.idpGroupMappings, ['idpGroupMappings'], true),
    patterns: patternGrants(policy.patternMappings, ['patternMappings'], null),
    hosts: compileHosts(policy.routes),
    applications: compileApplications(policy.applications),
    singleSignOn: compileSingleSignOn(policy.singleSignOn),
  }
}

function compileRole(name: string, roles: Record<string, Role>): CompiledRole {
  const holds: string[] = []
  const permissions = new Map<string, string>()
  const visit = (held: string) => {
    if (holds.includes(held)) return
    holds.push(held)
    const role = roles[held] as Role
    // The first role to give a permission is the proof's: its own before what it implies.
    for (const permission of role.permissions)
      if (!permissions.has(permission)) permissions.set(permission, held)
    role.implies.forEach(visit)
  }
  visit(name)
  const { level, implies } = roles[name] as Role
  return {
    level,
    permissions: [...permissions].sort(byName),
    holds: holds.sort(),
    implies: [...new Set(implies)].sort(),
  }
}

function compileIssuers(
  issuers: Record<string, Issuer>,
  organization: string | null,
  { withdrawnKeys }: CompileOptions,
): IssuerRecord[] {
  return mapSorted(issuers, (name, issuer) => {
    const id = organization === null ? name : `${organization}/${name}`
    return compileIssuer(id, organization, issuer, withdrawnKeys?.get(id) ?? [])
  }).map(([, record]) => record)
}

function compileIssuer(
  id: string,
  organization: string | null,
  issuer: Issuer,
  withdrawnKeys: readonly string[],
): IssuerRecord {
  return {
    id,
    organization,
    issuers: issuerNames(issuer),
    tenants: issuer.tenants ?? null,
    audiences: issuer.audiences ?? null,
    algorithms: issuer.algorithms,
    types: issuer.types.map((type) => type.toLowerCase().replace(/^application\//, '')),
    headers: issuer.headers,
    leewaySeconds: issuer.leewaySeconds,
    maxTokenAgeSeconds: issuer.maxTokenAgeSeconds ?? null,
    authorizedParties: issuer.authorizedParties ?? null,
    keyOrigin: keyOriginOf(issuer),
    keysUsableSeconds: issuer.keysUsableSeconds,
    withdrawnKeys: [...new Set(withdrawnKeys)].sort(),
    vpcBinding: issuer.vpcBinding ?? null,
    claims: claimsOf(issuer.preset, issuer.claims),
    groups: compileGroups(issuer),
    signIn: issuer.signIn ? compileSignIn(id, issuer.signIn) : null,
  }
}

function compileGroups(issuer: Issuer): IssuerRecord['groups'] {
  const groups = groupsOf(issuer.preset, issuer.groups)
  if (groups === null) return null
  return {
    claim: groups.claim,
    key: groups.key ?? null,
    separator: groups.separator ?? null,
    stripPrefix: groups.stripPrefix ?? '',
    addPrefix: groups.addPrefix ?? '',
    names: mapSorted(groups.names ?? {}, (_id, name) => name),
    keepSeconds: (groups.keepDays ?? 0) * DAY_SECONDS,
  }
}
const DAY_SECONDS = 86_400

function keyOriginOf({ issuer, jwks, jwksUri }: Issuer): KeyOrigin {
  if (jwks) return { kind: 'pinned', jwks: sortMembers(jwks) as typeof jwks }
  return jwksUri ? { kind: 'jwksUri', issuer, jwksUri } : { kind: 'discovery', issuer }
}

/** The same JSON with the members of its objects in order, for values whose shape the schema leaves open. */
function sortMembers(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sortMembers)
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(
    mapSorted(value as Record<string, unknown>, (_name, member) => sortMembers(member)),
  )
}

export interface CompiledInParts {
  header: CompiledOrganization
  buckets: CompiledBucket[]
}

/** One organization alone. */
export function compileOrganization(
  slug: string,
  organization: Organization,
  options: CompileOptions = {},
): CompiledInParts {
  const path = ['organizations', slug]
  const projects = mapSorted(organization.projects, (name, project) => ({
    project,
    path: [...path, 'projects', name],
  }))
  const collect = (lowerCase: boolean) => {
    const groups = new Map<string, GroupGrants>()
    const of = (group: string) => groups.get(group) ?? setIn(groups, group, { here: [], projects: [] })
    const own = indexGrants(organization.idpGroupMappings, [...path, 'idpGroupMappings'], lowerCase)
    for (const [group, grants] of own) of(group).here.push(...grants)
    for (const [name, { project, path: at }] of projects) {
      const given = indexGrants(project.idpGroupMappings, [...at, 'idpGroupMappings'], lowerCase)
      for (const [group, grants] of given) of(group).projects.push([name, grants])
    }
    return [...groups].sort(byName)
  }
  const buckets = spread(collect(false), collect(true), options.buckets ?? null)
  const patterns = [
    ...patternGrants(organization.patternMappings, [...path, 'patternMappings'], null),
    ...projects.flatMap(([name, { project, path: at }]) =>
      patternGrants(project.patternMappings, [...at, 'patternMappings'], name),
    ),
  ]
  const header = {
    displayName: organization.displayName ?? slug,
    audience: organization.audience ?? slug,
    projects: mapSorted(organization.projects, (name, { displayName }) => displayName ?? name),
    onUnmatched: organization.onUnmatched ?? null,
    issuers: compileIssuers(organization.issuers, slug, options),
    patterns,
    buckets: buckets.length,
  }
  return { header, buckets }
}

function setIn<Value>(map: Map<string, Value>, key: string, value: Value): Value {
  map.set(key, value)
  return value
}

/**
 * As few buckets as keep each within its size; their number is a power of two. `now` many stay up to twice and down to
 * a quarter of what is usual: with another number each bucket is another one, and all have to be written.
 */
function spread(
  exact: Entries<GroupGrants>,
  lowerCase: Entries<GroupGrants>,
  now: number | null,
): CompiledBucket[] {
  const groups = [...exact, ...lowerCase].map((entry) => {
    return { hash: hashOf(entry[0]), bytes: bytesOf(JSON.stringify(entry)) + 1 }
  })
  // A group that fills a bucket alone is not helped by more of them.
  const small = groups.filter(({ bytes }) => bytes <= BUCKET_BYTES_MAX - BUCKET_FRAME_BYTES)
  const total = small.reduce((sum, { bytes }) => sum + bytes, 0)
  const usual = (count: number) => (count === 1 ? BUCKET_BYTES_ALONE : count * BUCKET_BYTES_USUAL)
  const isTooLarge = (count: number) => {
    const sizes = new Array<number>(count).fill(BUCKET_FRAME_BYTES)
    for (const { hash, bytes } of small) sizes[hash % count] = (sizes[hash % count] as number) + bytes
    return sizes.some((bytes) => bytes > BUCKET_BYTES_MAX)
  }
  const staysAt = (count: number) => {
    return total <= 2 * usual(count) && (count === 1 || total >= usual(count) / 4) && !isTooLarge(count)
  }
  let count = 1
  if (now !== null && staysAt(now)) count = now
  else while (count < groups.length && (total > usual(count) || isTooLarge(count))) count *= 2
  const buckets = Array.from({ length: count }, (): CompiledBucket => ({ exact: [], lowerCase: [] }))
  for (const entry of exact) (buckets[bucketOf(entry[0], count)] as CompiledBucket).exact.push(entry)
  for (const entry of lowerCase) (buckets[bucketOf(entry[0], count)] as CompiledBucket).lowerCase.push(entry)
  return buckets
}
/** What a bucket's JSON has besides its groups. */
const BUCKET_FRAME_BYTES = JSON.stringify({ exact: [], lowerCase: [] }).length

/** The length of a text in UTF-8. */
function bytesOf(text: string): number {
  let bytes = text.length
  for (let index = 0; index < text.length; index++) {
    const unit = text.charCodeAt(index)
    // The two units of a pair make four bytes; JSON has no single ones.
    if (unit > 0x7f) bytes += unit > 0x7ff && (unit < 0xd800 || unit > 0xdfff) ? 2 : 1
  }
  return bytes
}

type MappingRules = Omit<GroupMapping, 'idpGroups'>

function compileGrant(mapping: MappingRules, path: Path): Grant {
  const { roleName, issuers, when, notBefore, notAfter } = mapping
  return {
    role: roleName,
    mapping: describePath(path),
    ...(issuers ? { issuers } : {}),
    ...(when ? { when: when as CompiledCondition[] } : {}),
    ...(notBefore ? { notBefore: secondsOf(notBefore) } : {}),
    ...(notAfter ? { notAfter: secondsOf(notAfter) } : {}),
  }
}

/** Mappings by name; either those that ignore case, by names in lower case, or the others. */
function indexGrants(mappings: readonly GroupMapping[], path: Path, lowerCase: boolean): Entries<Grant[]> {
  const index = new Map<string, Grant[]>()
  mappings.forEach((mapping, position) => {
    if ((mapping.ignoreCase ?? false) !== lowerCase) return
    const grant = compileGrant(mapping, [...path, position])
    for (const name of new Set(mapping.idpGroups.map((group) => (lowerCase ? foldCase(group) : group)))) {
      const known = index.get(name)
      if (known) known.push(grant)
      else index.set(name, [grant])
    }
  })
  return [...index].sort(byName)
}

function patternGrants(
  mappings: readonly PatternMapping[],
  path: Path,
  project: string | null,
): PatternGrant[] {
  return mappings.flatMap((mapping, position) => {
    const grant = compileGrant(mapping, [...path, position])
    const ignoreCase = mapping.ignoreCase ?? false
    return mapping.groupPatterns.map((text) => {
      const parsed = parsePattern(text, { ignoreCase }) as { pattern: Pattern }
      return { pattern: parsed.pattern, ignoreCase, grant, project }
    })
  })
}
