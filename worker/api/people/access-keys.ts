// Keys of service accounts ([1-28]): how one is made, what is kept of it, and who holds one. A key is
// `postern_<id>_<secret>`; the id finds the row, and of the secret only a hash is kept.
import { waitUntil } from 'cloudflare:workers'
import { base64url } from 'jose'
import { KEY_ISSUER, type Principal } from '../../../policy/principal.ts'
import { clock } from '../../clock.ts'
import type { Environment } from '../../environment.ts'
import { type Refusal, refuse } from '../../refusal.ts'

export { KEY_ISSUER }
export const KEY_PREFIX = 'postern_'
const KEY = /^postern_([0-9a-f]{24})_([A-Za-z0-9_-]{43})$/
const SECRET_BYTES = 32
const ID_BYTES = 12
/** When a key was last used is written no more often than this. */
const LAST_USED_EVERY_MS = 60 * 60_000

export interface NewAccessKey {
  id: string
  /** The whole key, which is shown once. */
  key: string
  hash: string
}

export async function makeAccessKey(): Promise<NewAccessKey> {
  const id = hex(crypto.getRandomValues(new Uint8Array(ID_BYTES)))
  const secret = base64url.encode(crypto.getRandomValues(new Uint8Array(SECRET_BYTES)))
  return { id, key: `${KEY_PREFIX}${id}_${secret}`, hash: base64url.encode(await hashOf(secret)) }
}

/** Ids of rows that are ours to name. */
export function makeId(): string {
  return hex(crypto.getRandomValues(new Uint8Array(ID_BYTES)))
}

/**
 * The key that an Authorization header carries: after "Bearer", or as the password of "Basic" (RFC 7617), with
 * whatever user name. Null when it carries none, and is to be read as something else.
 */
export function keyInHeader(authorization: string): string | null {
  const [, scheme = '', rest = ''] = /^([A-Za-z]+) +(\S+)$/.exec(authorization) ?? []
  if (scheme.toLowerCase() === 'bearer') return rest.startsWith(KEY_PREFIX) ? rest : null
  if (scheme.toLowerCase() !== 'basic') return null
  const decoded = decodeBasic(rest)
  return decoded === null ? '' : decoded.slice(decoded.indexOf(':') + 1)
}

function decodeBasic(text: string): string | null {
  try {
    return atob(text)
  } catch {
    return null
  }
}

interface KeyRow {
  hash: string
  expires_at: number | null
  revoked_at: number | null
  last_used_at: number | null
  account: string
  organization: string
  project: string
  name: string
  status: 'active' | 'inactive'
  roles: string
}

export type KeyHolder = { ok: true; principal: Principal } | Refusal

/** One look-up in D1, so that a revoked key is refused at once. */
export async function holderOfKey(environment: Environment, key: string): Promise<KeyHolder> {
  const [, id, secret] = KEY.exec(key) ?? []
  // The same words for a key that never was and for a wrong secret: neither tells the other apart.
  if (id === undefined || secret === undefined) return invalid('The key is not one of this instance.')
  const row = await environment.DB.prepare(FIND).bind(id).first<KeyRow>()
  const given = await hashOf(secret)
  const matches = crypto.subtle.timingSafeEqual(given, row === null ? NO_HASH : base64url.decode(row.hash))
  if (row === null || !matches) return invalid('The key is not one of this instance.')
  const now = clock.now()
  if (row.revoked_at !== null) return invalid(`The key was revoked at ${timeOf(row.revoked_at)}.`)
  if (row.expires_at !== null && now >= row.expires_at) {
    return invalid(`The key expired at ${timeOf(row.expires_at)}.`)
  }
  if (row.status === 'inactive') {
    return refuse('principal_inactive', `Service account "${row.name}" is deactivated.`, {
      subject: row.account,
    })
  }
  if (row.last_used_at === null || now - row.last_used_at >= LAST_USED_EVERY_MS) {
    waitUntil(noteUse(environment, id, row.account, now))
  }
  return { ok: true, principal: accountPrincipal(row) }
}

const NO_HASH = new Uint8Array(32)

const FIND = `select k.hash, k.expires_at, k.revoked_at, k.last_used_at,
    a.id as account, a.organization, a.project, a.name, a.status,
    (select json_group_array(m.role_name) from memberships m
      where m.holder = 'service-account/' || a.id and m.organization = a.organization
        and m.project = a.project and m.role_name <> '') as roles
  from service_account_keys k join service_accounts a on a.id = k.service_account
  where k.id = ? and a.deleted_at is null and a.method = 'key'`

/** Its organization vouches for it, so that it counts nowhere else. */
export function accountPrincipal({
  account,
  organization,
  project,
  name,
  roles,
}: Pick<KeyRow, 'account' | 'organization' | 'project' | 'name' | 'roles'>): Principal {
  const source = `memberships.service-account/${account}`
  return {
    kind: 'service-account',
    issuer: KEY_ISSUER,
    subject: account,
    voucher: { issuer: KEY_ISSUER, organization },
    groups: { outcome: 'none' },
    given: (JSON.parse(roles) as string[]).map((role) => ({ role, organization, project, source })),
    userName: name,
    email: null,
    firstName: null,
    lastName: null,
    claims: {},
  }
}

/** For people who look for keys that nobody needs any more; losing one such note is no loss. */
async function noteUse(environment: Environment, id: string, account: string, now: number): Promise<void> {
  const keys = environment.DB.prepare(
    'update service_account_keys set last_used_at = max(coalesce(last_used_at, 0), ?) where id = ?',
  )
  const accounts = environment.DB.prepare(
    'update service_accounts set last_used_at = max(coalesce(last_used_at, 0), ?) where id = ?',
  )
  try {
    await environment.DB.batch([keys.bind(now, id), accounts.bind(now, account)])
  } catch (error) {
    console.warn(`key ${id}: its use could not be noted: ${(error as Error).message}`)
  }
}

function invalid(detail: string): Refusal {
  return refuse('access_key_invalid', detail, { check: 'authorization' })
}

async function hashOf(secret: string): Promise<Uint8Array> {
  return new Uint8Array(await crypto.subtle.digest('SHA-256', new TextEncoder().encode(secret)))
}

function hex(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('')
}

function timeOf(milliseconds: number): string {
  return new Date(milliseconds).toISOString()
}
