// Service accounts as the API has them: how they are read, and what the API shows of one. Of a key that is its id
// and its times; of the secret only a hash is kept, and that is never read here.
import type { z } from 'zod'
import type { ServiceAccountResource } from '../../../policy/operations/people.ts'
import type { ServiceAccountContent } from '../../database/documents.ts'

type ServiceAccount = z.infer<typeof ServiceAccountResource>
type Key = ServiceAccount['keys'][number]

export interface ServiceAccountRow {
  id: string
  version: number
  created_at: number
  updated_at: number
  content: string
  last_used_at: number | null
  last_subject: string | null
  /** When its identity was seen last. */
  seen_at: number | null
  /** JSON list of KeyRow. */
  keys: string
}

export interface KeyRow {
  id: string
  created_at: number
  expires_at: number | null
  last_used_at: number | null
  revoked_at: number | null
}

/** Of a query over `service_accounts s`. */
export const SERVICE_ACCOUNT_COLUMNS = `s.id, s.version, s.created_at, s.updated_at, s.last_used_at, s.last_subject,
  (SELECT v.content FROM versions v WHERE v.document = 'service-account/' || s.id AND v.version = s.version) AS content,
  (SELECT max(k.last_seen_at) FROM identities i JOIN known_principals k ON k.issuer = i.issuer AND k.subject = i.subject
    WHERE i.holder = 'service-account/' || s.id) AS seen_at,
  (SELECT json_group_array(json_object('id', k.id, 'created_at', k.created_at, 'expires_at', k.expires_at,
      'last_used_at', k.last_used_at, 'revoked_at', k.revoked_at) ORDER BY k.created_at DESC, k.id)
    FROM service_account_keys k WHERE k.service_account = s.id) AS keys`

export interface Place {
  organization: string
  project: string
}

export async function readServiceAccount(
  database: D1Database,
  { organization, project }: Place,
  id: string,
): Promise<ServiceAccountRow | null> {
  return database
    .prepare(
      `SELECT ${SERVICE_ACCOUNT_COLUMNS} FROM service_accounts s
        WHERE s.id = ? AND s.organization = ? AND s.project = ? AND s.deleted_at IS NULL`,
    )
    .bind(id, organization, project)
    .first<ServiceAccountRow>()
}

export function contentOfAccount({ content }: Pick<ServiceAccountRow, 'content'>): ServiceAccountContent {
  return JSON.parse(content) as ServiceAccountContent
}

export function serviceAccountResource(row: ServiceAccountRow): ServiceAccount {
  const content = contentOfAccount(row)
  const used = Math.max(row.last_used_at ?? 0, row.seen_at ?? 0)
  return {
    id: row.id,
    organization: content.organization,
    project: content.project,
    name: content.name,
    authenticationMethod: content.authenticationMethod,
    identity: content.identity,
    status: content.status,
    roles: content.roles,
    keys: keysOf(row).map(keyResource),
    lastUsedAt: used === 0 ? null : timeOf(used),
    lastSubject: row.last_subject,
    version: row.version,
    createdAt: timeOf(row.created_at),
    updatedAt: timeOf(row.updated_at),
  }
}

export function keysOf({ keys }: Pick<ServiceAccountRow, 'keys'>): KeyRow[] {
  return JSON.parse(keys) as KeyRow[]
}

export function keyResource({ id, created_at, expires_at, last_used_at, revoked_at }: KeyRow): Key {
  const orNull = (time: number | null) => (time === null ? null : timeOf(time))
  return {
    id,
    createdAt: timeOf(created_at),
    expiresAt: orNull(expires_at),
    lastUsedAt: orNull(last_used_at),
    revokedAt: orNull(revoked_at),
  }
}

function timeOf(milliseconds: number): string {
  return new Date(milliseconds).toISOString()
}
