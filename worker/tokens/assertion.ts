// Whom the upstream is told is calling: a JWT signed by us, and the same in plain headers. Minted once for a
// principal, route and level, and used again until two thirds of its life are over.
import { SignJWT } from 'jose'
import type { CompiledRoute } from '../../policy/compiled.ts'
import { rolesAt } from '../../policy/decide.ts'
import type { Level } from '../../policy/level.ts'
import type { LoadedOrganization, Policy } from '../../policy/loaded.ts'
import type { Principal } from '../../policy/principal.ts'
import { nowSeconds } from '../clock.ts'
import { type Environment, settingsOf } from '../environment.ts'
import { signerOf } from '../keys/signing.ts'
import { createMemory } from '../memory.ts'
import { ASSERTION_TYPE } from './claims.ts'

export const ASSERTION_LIFE_SECONDS = 300
/** An assertion has to live as long as the request takes to arrive. */
const ASSERTION_LIFE_SECONDS_MIN = 10
/** An identity header may not be longer; what would be is left out, and `X-Postern-Error` says so. */
export const IDENTITY_HEADER_BYTES_MAX = 4096

/** Headers of a caller's last request on a route, as they came and as they left (outbound-headers.ts). */
export interface KeptHeaders {
  scheme: string
  /** Whether the headers announce a body. */
  announcesBody: boolean
  inbound: [name: string, value: string][]
  outbound: Headers
}

/** Of larger requests nothing is kept: what is kept is counted as this, once as it came and once as it left. */
export const KEPT_LENGTH_MAX = 4096

/** Who is calling, as headers for the upstream. */
export interface Identity {
  headers: Readonly<Record<string, string>>
  /** Kept here, where they live no longer than the assertion among them. */
  kept: KeptHeaders | null
  /** Seconds since the epoch, both: use it again until here, and when the assertion expires. */
  reuseUntil: number
  expires: number
}

/** An identity in memory, for a token that may use it. */
export interface IdentityRef {
  key: string
  /** Seconds since the epoch: an assertion that lives longer is not for this token. */
  expiresMax: number
}

const MEMORY_BYTES_MAX = 24 * 1024 * 1024
const HEADERS_BYTES = 4096
const identities = createMemory<Identity>({
  weightMax: MEMORY_BYTES_MAX,
  // And what may be kept of the last request, as it came and as it left.
  weigh: (key, { headers }) => {
    const sent = Object.values(headers).reduce((sum, value) => sum + 2 * value.length, 2 * key.length)
    return sent + 2 * KEPT_LENGTH_MAX + HEADERS_BYTES
  },
})

/** An identity minted before, while it may be used again. */
export function recallIdentity({ key, expiresMax }: IdentityRef): Identity | null {
  const known = identities.get(key)
  return known && nowSeconds() < known.reuseUntil && known.expires <= expiresMax ? known : null
}

/** Where to, and by which documents. */
export interface Admitted {
  policy: Policy
  organization: LoadedOrganization | null
  route: CompiledRoute
  level: Level
}

/**
 * `tokenExpires` (seconds since the epoch) bounds the assertion: it does not outlive the token it is made
 * from, but for a token that is accepted past its end, within the leeway between clocks.
 */
export async function identityFor(
  environment: Environment,
  { policy, organization, route, level }: Admitted,
  principal: Principal,
  tokenExpires: number,
): Promise<{ identity: Identity; ref: IdentityRef }> {
  const now = nowSeconds()
  const { roles, until } = rolesAt(policy, organization, principal, level, now)
  const { issuer, subject, email } = principal
  // The whole route: one that is edited is another.
  const key = JSON.stringify([issuer, subject, email, route, level, roles])
  const ref = { key, expiresMax: Math.min(tokenExpires, until) }
  const known = recallIdentity(ref)
  if (known) return { identity: known, ref }
  const tokenLife = Math.max(ASSERTION_LIFE_SECONDS_MIN, Math.floor(tokenExpires) - now)
  // No role outlives the mapping that gives it.
  const life = Math.min(ASSERTION_LIFE_SECONDS, tokenLife, Math.max(1, Math.ceil(until) - now))
  const assertion = await mint(environment, route, level, principal, roles, now, life)
  const identity: Identity = {
    headers: { 'x-postern-assertion': assertion, ...plainHeaders(level, principal, roles) },
    kept: null,
    reuseUntil: now + Math.floor((life * 2) / 3),
    expires: now + life,
  }
  identities.set(key, identity)
  return { identity, ref }
}

async function mint(
  environment: Environment,
  route: CompiledRoute,
  level: Level,
  principal: Principal,
  roles: readonly string[],
  now: number,
  life: number,
): Promise<string> {
  const { kid, algorithm, key } = await signerOf(environment)
  const claims = {
    idp: principal.issuer,
    ...(principal.email === null ? {} : { email: principal.email }),
    ...(level.kind === 'global' ? {} : { org: level.organization }),
    ...(level.kind === 'project' ? { project: level.project } : {}),
    roles,
  }
  return new SignJWT(claims)
    .setProtectedHeader({ alg: algorithm, kid, typ: ASSERTION_TYPE })
    .setIssuer(settingsOf(environment).issuer)
    .setAudience(route.audience)
    .setSubject(principal.subject)
    .setIssuedAt(now)
    .setExpirationTime(now + life)
    .setJti(crypto.randomUUID())
    .sign(key)
}

/** A subject is unique only with its issuer, so both are given. */
function plainHeaders(level: Level, principal: Principal, roles: readonly string[]): Record<string, string> {
  const values: [string, string | null][] = [
    ['x-postern-issuer', principal.issuer],
    ['x-postern-subject', principal.subject],
    ['x-postern-email', principal.email],
    ['x-postern-organization', level.kind === 'global' ? null : level.organization],
    ['x-postern-project', level.kind === 'project' ? level.project : null],
    ['x-postern-roles', roles.join(',')],
  ]
  const headers: Record<string, string> = {}
  const left: string[] = []
  for (const [name, value] of values) {
    if (value === null) continue
    const encoded = encodeHeader(value)
    if (encoded.length <= IDENTITY_HEADER_BYTES_MAX) headers[name] = encoded
    else left.push(`${name} has ${encoded.length} bytes, at most ${IDENTITY_HEADER_BYTES_MAX} are sent`)
  }
  if (left.length > 0) headers['x-postern-error'] = left.join('; ')
  return headers
}

/**
 * Printable ASCII stays; the rest, "%" itself, and spaces at the ends, which would be lost, are percent-encoded
 * UTF-8 (RFC 3986 2.1).
 */
function encodeHeader(value: string): string {
  return value.toWellFormed().replace(/[^\x20-\x24\x26-\x7e]|^ | $/gu, encodeURIComponent)
}
