// The documents that the edge reads: their names, their shapes in KV, and the changes that are announced of
// them. The publisher writes them (publisher-object.ts), isolates hold them (held.ts).
import type { CompiledBucket, CompiledOrganization, CompiledPolicy } from '../../policy/compiled.ts'
import type { DirectGrant } from '../../policy/principal.ts'
import type { SingleSignOn } from '../../policy/schema-sign-in.ts'
import { digestOf } from '../opaque.ts'

/** Of the envelope and all that stands in it. It is part of each key, so that two builds can live side by side. */
export const PUBLISHED_FORMAT = 1

/** What KV holds under `keyOf(name)`, as JSON. */
export interface Envelope<Content> {
  format: typeof PUBLISHED_FORMAT
  /** The edit it was made after: `seq` of D1's versions. Only rises under one name. */
  version: number
  /** Null for what was deleted: kept a day, so that no older copy passes for the present one. */
  content: Content | null
}

export const POLICY_DOCUMENT = 'policy'
export const organizationDocument = (slug: string) => `organization:${slug}`
/** Buckets are named by their content, so that a header and its buckets always belong together. */
export const bucketDocument = (slug: string, bucket: number, hash: string) =>
  `bucket:${slug}:${bucket}:${hash}`
/** Which organizations have an issuer of that `iss`. */
export const issuerNameDocument = async (iss: string) => `issuer-name:${await digestOf(iss)}`
/** Whether somebody is more than what a token says: deactivated, or given roles directly. */
export const principalDocument = (id: string) => `principal:${id}`

export const keyOf = (name: string) => `published:${PUBLISHED_FORMAT}:${name}`

/** An organization but for its mappings by name. */
export interface PublishedOrganization {
  header: CompiledOrganization
  /** The hashes of its buckets, one after the other, each of BUCKET_HASH_LENGTH. */
  bucketHashes: string
}
export const BUCKET_HASH_LENGTH = 12
export type PublishedBucket = CompiledBucket
export type PublishedPolicy = CompiledPolicy

export interface IssuerNameRecords {
  records: { id: string; organization: string; audiences: string[] | null }[]
}

/** What is recorded of a principal. Somebody without a record is a user, active, without direct roles. */
export interface PrincipalRecord {
  kind: 'user' | 'service-account'
  /** Id of the user or service account. */
  id: string
  status: 'active' | 'inactive'
  /** Organizations it is a member of, whatever roles it has there. */
  organizations: string[]
  given: DirectGrant[]
}

/** One name for an issuer record and a subject, fit for keys. */
export async function principalId(issuer: string, subject: string): Promise<string> {
  return digestOf(JSON.stringify([issuer, subject]))
}

/** What isolates are told. `document`: a newer copy is published, of this version. */
export interface Change {
  /** Rises with each change. */
  seq: number
  kind: 'document' | 'session' | 'principal' | 'user' | 'organization' | 'issuer' | 'instance'
  key: string
  /** For a document its version; for the rest a time in milliseconds: what is older counts no more. */
  version: number
}

/** That sessions, or whatever else was begun before a time, count no more. */
export type End = Pick<Change, 'key' | 'version'> & { kind: Exclude<Change['kind'], 'document'> }

/** The answer to "what is new since ...". */
export interface Changes {
  /** Of the newest change there is. */
  seq: number
  /** False when changes since then are no longer kept: whoever asked must forget all it holds. */
  complete: boolean
  changes: Change[]
  /** How long an isolate may go without asking, in seconds; 0: ask on every request. */
  recheckSeconds: number
  /** What the database sets of single sign-on; what the policy sets goes before it (sessions/settings.ts). */
  singleSignOn: Partial<SingleSignOn>
  /** Whether a policy is published at all. Until then the one in the bundle decides. */
  published: boolean
}

/** What became of an edit's publication. */
export interface Publication {
  state: 'published' | 'pending'
  /** Edits up to this `seq` have reached the edge. */
  seq: number
  /** Documents that still have to be written. */
  pending: number
  lastError: string | null
}
