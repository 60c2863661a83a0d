// Whether a request may pass: path, route, caller, decision, guard after guard. HTTP (gateway.ts) and RPC
// (rpc.ts) both ask here, so that there is one answer.
import type { CompiledRoute } from '../policy/compiled.ts'
import { decideRoute } from '../policy/decide.ts'
import type { Level } from '../policy/level.ts'
import { organizationAt } from '../policy/loaded.ts'
import type { Principal } from '../policy/principal.ts'
import { matchRoute } from '../policy/routes.ts'
import { nowSeconds } from './clock.ts'
import { type Environment, policy } from './environment.ts'
import { readPath } from './path.ts'
import { type Refusal, refuse, shown } from './refusal.ts'
import { type Identity, identityFor, recallIdentity } from './tokens/assertion.ts'
import { isGoodAt, recallToken, type VerifiedToken, verifyToken } from './tokens/verify.ts'

/** A request that may pass. */
export interface Admission {
  ok: true
  route: CompiledRoute
  level: Level
  /** Null on an anonymous route, when no credentials came. */
  caller: { principal: Principal; identity: Identity } | null
}

/** Guard after guard; the order is what makes it safe. */
export async function admit(environment: Environment, request: Request): Promise<Admission | Refusal> {
  const found = findRoute(request)
  return found.ok
    ? (recallAdmission(environment, request, found) ?? admitAt(environment, request, found))
    : found
}

export type FoundRoute = { ok: true; route: CompiledRoute; level: Level } | Refusal

/** Where the request wants to go. */
export function findRoute(request: Request): FoundRoute {
  const path = readPath(request.url)
  if (!path.ok) return path
  const { hostname, pathname } = path
  const host = policy.hosts.get(hostname)
  if (!host) return refuse('host_unknown', `No route names the host ${shown(hostname)}.`, { check: 'host' })
  const match = matchRoute(host, request.method, pathname)
  if (match) return { ok: true, ...match }
  const detail = `${request.method} ${shown(pathname)} is served by no route of ${hostname}.`
  return refuse('route_not_found', detail, { check: 'path' })
}

interface Destination {
  route: CompiledRoute
  level: Level
}

/** The admission of a caller who came the same way with the same token before. Never waits. */
export function recallAdmission(
  environment: Environment,
  request: Request,
  { route, level }: Destination,
): Admission | null {
  const authorization = request.headers.get('authorization')
  if (!authorization?.startsWith(BEARER)) return null
  const token = recallToken(environment, authorization.slice(BEARER.length))
  const ref = token?.admissions.get(admissionKey(route, level))
  const identity = ref ? recallIdentity(ref) : null
  return token && identity
    ? { ok: true, route, level, caller: { principal: token.principal, identity } }
    : null
}

/** Who is calling, and whether they may. */
export async function admitAt(
  environment: Environment,
  request: Request,
  { route, level }: Destination,
): Promise<Admission | Refusal> {
  const authorization = request.headers.get('authorization')
  // Where the header belongs to the upstream and nobody has to be known, it is not ours to judge.
  const unread = route.requires.kind === 'anonymous' && (authorization === null || route.forwardAuthorization)
  if (unread) return { ok: true, route, level, caller: null }
  const token = await authenticate(environment, authorization, level)
  return token.ok ? admitCaller(environment, route, level, token) : token
}

/** Who holds the bearer token (RFC 6750 2.1). `level` takes part in whose word counts. */
export async function authenticate(
  environment: Environment,
  authorization: string | null,
  level: Level,
): Promise<VerifiedToken | Refusal> {
  if (authorization === null) {
    return refuse('credentials_missing', 'Send a token as "Authorization: Bearer <token>".')
  }
  const token = bearerToken(authorization)
  if (token === null) {
    const detail = 'Exactly one header "Authorization: Bearer <token>" is read.'
    return refuse('credentials_malformed', detail, { check: 'authorization' })
  }
  const known = recallToken(environment, token)
  return known && isGoodAt(known, level) ? known : verifyToken(environment, token, level)
}

const BEARER = 'Bearer '

function bearerToken(authorization: string): string | null {
  const scheme = authorization.slice(0, BEARER.length)
  if (scheme.toLowerCase() !== 'bearer ') return null
  const token = authorization.slice(BEARER.length)
  // A second header would have been joined with a comma and a space.
  return token === '' || /[\s,]/.test(token) ? null : token
}

/** Admissions kept with one token; a caller seldom has more places to go within a token's life. */
const ADMISSIONS_MAX = 16

async function admitCaller(
  environment: Environment,
  route: CompiledRoute,
  level: Level,
  token: VerifiedToken,
): Promise<Admission | Refusal> {
  const { principal, claims, admissions, validUntil } = token
  const now = nowSeconds()
  const decision = decideRoute(policy, organizationAt(policy, level), principal, route, { level, now })
  if (!decision.allowed) return refuse(decision.reason, decision.detail, { subject: principal.subject })
  const expires = Math.min(claims.exp as number, validUntil)
  const { identity, ref } = await identityFor(environment, route, level, principal, expires)
  if (admissions.size >= ADMISSIONS_MAX) admissions.clear()
  admissions.set(admissionKey(route, level), ref)
  return { ok: true, route, level, caller: { principal, identity } }
}

/** Neither slugs nor route ids have a space; what a path captured has none either. */
function admissionKey(route: CompiledRoute, level: Level): string {
  if (level.kind === 'global') return route.id
  return level.kind === 'organization'
    ? `${route.id} ${level.organization}`
    : `${route.id} ${level.organization} ${level.project}`
}
