// What decides: the policy, the level's organization with the buckets of the caller's groups, and the index of
// organizations' issuers. Published documents where there are any, else those in the bundle.
import bundled from 'postern:policy'
import { bucketOf, type CompiledBucket, type CompiledPolicy } from '../../policy/compiled.ts'
import { type Level, SLUG } from '../../policy/level.ts'
import {
  addBucket,
  type GrowingOrganization,
  type LoadedOrganization,
  loadInstance,
  loadOrganization,
  loadPolicy,
  type Policy,
  type WholePolicy,
} from '../../policy/loaded.ts'
import { nowSeconds } from '../clock.ts'
import type { Environment } from '../environment.ts'
import type { Refusal } from '../refusal.ts'
import { askNow, becomeFresh, isFresh, isPublished, onChanges } from './feed.ts'
import { createHolding, type Held, hasFailedLately, noteProblem, noteRead, unreadable } from './holding.ts'
import {
  BUCKET_HASH_LENGTH,
  bucketDocument,
  type IssuerNameRecords,
  issuerNameDocument,
  organizationDocument,
  POLICY_DOCUMENT,
  type PublishedOrganization,
} from './published.ts'
import { readDocument } from './reading.ts'

/** The policy is one document and always held, so it is not counted among these. */
const ORGANIZATIONS_BYTES_MAX = 32 * 1024 * 1024
const ISSUER_NAMES_BYTES_MAX = 2 * 1024 * 1024

export type HeldPolicy = Held<Policy>
/** Null: there is no organization of that name. */
export type HeldOrganization = Held<OrganizationParts | null>

/** An organization of one version. Its buckets come as they are needed. */
interface OrganizationParts {
  organization: GrowingOrganization
  /** Bucket by bucket; empty where all were there from the start. */
  hashes: readonly string[]
  read: Map<number, ReadBucket>
  /** The version before, for when a bucket of this one cannot be read. */
  before: OrganizationParts | null
}

interface ReadBucket {
  content: CompiledBucket
  /** Of its text. */
  length: number
}

const policies = createHolding<Policy | null>({
  bytesMax: Number.POSITIVE_INFINITY,
  parse: (content) => loadInstance(content as CompiledPolicy),
  absent: null,
  whenMissing: () => 'ask',
})

const organizations = createHolding<OrganizationParts | null>({
  bytesMax: ORGANIZATIONS_BYTES_MAX,
  parse: (content, name, before) => {
    return parseOrganization(
      content as PublishedOrganization,
      name.slice(organizationDocument('').length),
      before,
    )
  },
  absent: null,
  charactersOf: (parts) =>
    parts ? charactersOf(parts) + (parts.before ? charactersOf(parts.before) : 0) : 0,
  whenMissing: () => (mayAskForMissing() ? 'ask' : 'doubt'),
})

/** Anybody can name organizations that do not exist, and there is one publisher. */
const MISSING_PER_SECOND_MAX = 10
let asked = { second: 0, times: 0 }

function mayAskForMissing(): boolean {
  const second = nowSeconds()
  asked = { second, times: asked.second === second ? asked.times + 1 : 1 }
  return asked.times <= MISSING_PER_SECOND_MAX
}

function charactersOf({ read }: OrganizationParts): number {
  return [...read.values()].reduce((sum, { length }) => sum + length, 0)
}

const issuerNames = createHolding<IssuerNameRecords['records']>({
  bytesMax: ISSUER_NAMES_BYTES_MAX,
  parse: (content) => {
    const { records } = content as IssuerNameRecords
    if (!Array.isArray(records)) throw new Error('it has no list of records')
    return records
  },
  absent: [],
  // Anybody can name an issuer that nobody has.
  whenMissing: () => 'believe',
})

function parseOrganization(
  { header, bucketHashes }: PublishedOrganization,
  slug: string,
  before: OrganizationParts | null,
): OrganizationParts {
  const { buckets, issuers, audience, onUnmatched } = header
  const whole =
    Array.isArray(issuers) &&
    typeof audience === 'string' &&
    (onUnmatched === null || typeof onUnmatched === 'string') &&
    bucketHashes.length === buckets * BUCKET_HASH_LENGTH
  if (!whole) throw new Error('it lacks parts of an organization')
  const hashes = Array.from({ length: buckets }, (_, bucket) => {
    return bucketHashes.slice(bucket * BUCKET_HASH_LENGTH, (bucket + 1) * BUCKET_HASH_LENGTH)
  })
  const parts: OrganizationParts = {
    organization: loadOrganization(slug, header, []),
    hashes,
    read: new Map(),
    before: before && { ...before, before: null },
  }
  // A bucket of the same name is the same bucket.
  for (const [bucket, known] of before?.read ?? []) {
    if (before?.hashes.length === buckets && before.hashes[bucket] === hashes[bucket])
      fill(parts, bucket, known)
  }
  return parts
}

function fill({ organization, read }: OrganizationParts, bucket: number, known: ReadBucket): void {
  addBucket(organization, known.content)
  read.set(bucket, known)
}

let bundle: { policy: WholePolicy; held: HeldPolicy; organizations: Map<string, HeldOrganization> } | null =
  null

/** Loaded when it is first needed, which with a published policy is never. */
function bundledDocuments(): NonNullable<typeof bundle> {
  if (bundle) return bundle
  const policy = loadPolicy(bundled)
  bundle = { policy, held: heldForGood(POLICY_DOCUMENT, policy), organizations: new Map() }
  return bundle
}

function heldForGood<Content>(name: string, content: Content): Held<Content> {
  const always = { current: true, used: true, bytes: 0, retryAt: 0 }
  return { ok: true, name, version: 0, content, ...always }
}

onChanges({
  changed() {},
  changedAll() {
    if (!bundle) return
    // What was decided by the bundle has to be decided anew.
    bundle.held.current = false
    bundle = null
  },
})

/** The policy, when it may be used as it is. The hot path: never waits. */
export function policyNow(environment: Environment): HeldPolicy | null {
  if (!isFresh(environment)) return null
  return isPublished() ? (policies.now(POLICY_DOCUMENT) as HeldPolicy | null) : bundledDocuments().held
}

/** The policy, waited for when need be; the feed has been asked as lately as it must. */
export async function holdPolicy(environment: Environment): Promise<HeldPolicy | Refusal> {
  return (await becomeFresh(environment)) ?? holdKnownPolicy(environment)
}

/** The same, for whoever has asked the feed for this request already. */
export async function holdKnownPolicy(environment: Environment): Promise<HeldPolicy | Refusal> {
  if (!isPublished()) return bundledDocuments().held
  const held = await policies.hold(environment, POLICY_DOCUMENT)
  if (!held.ok) return held
  return held.content === null ? unreadable(POLICY_DOCUMENT) : (held as HeldPolicy)
}

const NO_ORGANIZATION: HeldOrganization = heldForGood('no organization', null)

/** The organization without its mappings by name (holdBuckets). */
export async function holdOrganization(
  environment: Environment,
  slug: string,
): Promise<HeldOrganization | Refusal> {
  // A path may have anything where the name stands.
  if (!SLUG.test(slug)) return NO_ORGANIZATION
  return isPublished()
    ? organizations.hold(environment, organizationDocument(slug))
    : bundledOrganization(slug)
}

function bundledOrganization(slug: string): HeldOrganization {
  const { policy, organizations: known } = bundledDocuments()
  const held = known.get(slug)
  if (held) return held
  const organization = policy.organization(slug)
  if (organization === null) return NO_ORGANIZATION
  const parts = {
    organization: organization as GrowingOrganization,
    hashes: [],
    read: new Map(),
    before: null,
  }
  const made = heldForGood(organizationDocument(slug), parts)
  known.set(slug, made)
  return made
}

/**
 * The organization with the mappings of these groups at least; all: with every mapping. Where a bucket cannot be
 * read, as it was before, which is then not `present`.
 */
export async function withBuckets(
  environment: Environment,
  held: HeldOrganization,
  groups: readonly string[] | 'all',
): Promise<{ ok: true; organization: LoadedOrganization | null; present: boolean } | Refusal> {
  if (held.content === null) return { ok: true, organization: null, present: true }
  for (let parts: OrganizationParts | null = held.content; parts; parts = parts.before) {
    const missing = missingBuckets(parts, groups)
    if (missing.length > 0 && !(await readBuckets(environment, held, parts, missing))) continue
    return { ok: true, organization: parts.organization, present: parts === held.content }
  }
  return unreadable(held.name)
}

function missingBuckets({ hashes, read }: OrganizationParts, groups: readonly string[] | 'all'): number[] {
  if (read.size === hashes.length) return []
  const needed =
    groups === 'all' ? hashes.keys() : new Set(groups.map((group) => bucketOf(group, hashes.length)))
  return [...needed].filter((bucket) => !read.has(bucket))
}

/** Whether all of them could be read. */
async function readBuckets(
  environment: Environment,
  held: HeldOrganization,
  parts: OrganizationParts,
  buckets: readonly number[],
): Promise<boolean> {
  const reads = buckets.map(async (bucket) => {
    const name = bucketDocument(parts.organization.slug, bucket, parts.hashes[bucket] as string)
    if (hasFailedLately(name)) return false
    const parse = (content: unknown) => parseBucket(content as CompiledBucket)
    const read = await readDocument(environment, { name, versionMin: 0, parse, asksForMissing: true })
    if (!read.ok || read.content === null) {
      const problem = read.ok ? 'is missing' : read.problem
      console.error(`document ${name} ${problem}`)
      noteProblem(name, problem)
      return false
    }
    noteRead(name)
    // Another request may have read it in the meantime.
    if (parts.read.has(bucket)) return true
    const { content, length } = read
    fill(parts, bucket, { content, length })
    organizations.grow(held, length)
    return true
  })
  return (await Promise.all(reads)).every((done) => done)
}

function parseBucket({ exact, lowerCase }: CompiledBucket): CompiledBucket {
  if (!Array.isArray(exact) || !Array.isArray(lowerCase)) throw new Error('it lacks parts of a bucket')
  return { exact, lowerCase }
}

/** Records of organizations whose tokens have that `iss`. */
export async function recordsNamed(
  environment: Environment,
  iss: string,
): Promise<{ ok: true; records: IssuerNameRecords['records'] } | Refusal> {
  if (!isPublished()) {
    const named = bundledDocuments().policy.issuersByName.get(iss) ?? []
    const records = named.flatMap(({ id, organization, audiences }) => {
      return organization === null ? [] : [{ id, organization, audiences }]
    })
    return { ok: true, records }
  }
  const held = await issuerNames.hold(environment, await issuerNameDocument(iss))
  return held.ok ? { ok: true, records: held.content } : held
}

/** What decides at a level. */
export interface HeldDocuments {
  ok: true
  policy: Policy
  /** Null at the global level, and where there is none of that name. */
  organization: LoadedOrganization | null
}

/** With the mappings of these groups at least; all: with every mapping, as explaining needs. */
export async function documentsAt(
  environment: Environment,
  level: Level,
  groups: readonly string[] | 'all',
): Promise<HeldDocuments | Refusal> {
  const held = policyNow(environment) ?? (await holdPolicy(environment))
  if (!held.ok) return held
  if (level.kind === 'global') return { ok: true, policy: held.content, organization: null }
  const organization = await holdOrganization(environment, level.organization)
  if (!organization.ok) return organization
  const filled = await withBuckets(environment, organization, groups)
  return filled.ok ? { ok: true, policy: held.content, organization: filled.organization } : filled
}

/** Has the feed asked now, so that what is held from here on is what was published until then. Null when it was. */
export async function refreshDocuments(environment: Environment): Promise<Refusal | null> {
  return askNow(environment)
}

/** What this isolate holds, for people (health.ts). */
export function heldSummary(): { source: 'bundle' | 'published'; organizations: LoadedOrganization[] } {
  if (!isPublished()) {
    const { policy } = bundledDocuments()
    const all = policy.organizations.flatMap((slug) => policy.organization(slug) ?? [])
    return { source: 'bundle', organizations: all }
  }
  const held = [...organizations.all()].flatMap(({ content }) => content?.organization ?? [])
  return { source: 'published', organizations: held }
}
