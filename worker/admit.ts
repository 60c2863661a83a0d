// Whether a request may pass: path, route, caller, decision, guard after guard. HTTP (gateway.ts), RPC (rpc.ts)
// and the management API all ask here, so that there is one answer.
import { waitUntil } from 'cloudflare:workers'
import type { CompiledRoute, IssuerRecord } from '../policy/compiled.ts'
import { type Decision, decide, decideRoute } from '../policy/decide.ts'
import type { Level } from '../policy/level.ts'
import { type Claims, groupsAt, type Principal } from '../policy/principal.ts'
import { matchRoute } from '../policy/routes.ts'
import { clock, nowSeconds } from './clock.ts'
import {
  documentsAt,
  type HeldOrganization,
  type HeldPolicy,
  holdOrganization,
  holdPolicy,
  policyNow,
  withBuckets,
} from './documents/held.ts'
import { type HeldRecord, withRecord } from './documents/principals.ts'
import type { Environment } from './environment.ts'
import { readPath } from './path.ts'
import { reportSeen } from './principals/report-seen.ts'
import { type Refusal, refuse, shown } from './refusal.ts'
import { crossSite } from './sessions/cross-site.ts'
import { endedIn, endOf, type HeldSession, sessionNow, sessionOf } from './sessions/held.ts'
import { principalOfSession } from './sessions/principal.ts'
import { isRenewalDue, type SessionCopy } from './sessions/session.ts'
import { singleSignOnBy } from './sessions/settings.ts'
import { type Identity, type IdentityRef, identityFor, recallIdentity } from './tokens/assertion.ts'
import { recallToken, recheckToken, type VerifiedToken, verifyToken } from './tokens/verify.ts'

/** A request that may pass. */
export interface Admission {
  ok: true
  route: CompiledRoute
  level: Level
  /** Null on an anonymous route, when no credentials came that tell, and for a preflight. */
  caller: { principal: Principal; identity: Identity } | null
}

/** Guard after guard; the order is what makes it safe. */
export async function admit(environment: Environment, request: Request): Promise<Admission | Refusal> {
  const policy = policyNow(environment) ?? (await holdPolicy(environment))
  if (!policy.ok) return policy
  const found = findRoute(policy, request)
  return found.ok
    ? (recallAdmission(environment, request, found) ?? admitAt(environment, request, found))
    : found
}

/** Where the request wants to go, by a policy that was fresh when the request came. */
interface Found {
  policy: HeldPolicy
  route: CompiledRoute
  level: Level
  /** A preflight passes without a caller where the route of what it announces says so. */
  asks: 'itself' | 'preflight'
}
export type FoundRoute = ({ ok: true } & Found) | Refusal

export function findRoute(policy: HeldPolicy, request: Request): FoundRoute {
  const path = readPath(request.url)
  if (!path.ok) return path
  const { hostname, pathname } = path
  const host = policy.content.hosts.get(hostname)
  if (!host) return refuse('host_unknown', `No route names the host ${shown(hostname)}.`, { check: 'host' })
  const announced = announcedMethod(request)
  const asked = announced === null ? null : matchRoute(host, announced, pathname)
  if (asked?.route.forwardPreflight) return { ok: true, policy, ...asked, asks: 'preflight' }
  const match = matchRoute(host, request.method, pathname)
  if (match) return { ok: true, policy, ...match, asks: 'itself' }
  const detail = `${request.method} ${shown(pathname)} is served by no route of ${hostname}.`
  return refuse('route_not_found', detail, { check: 'path' })
}

/**
 * The method that a preflight is about: a browser asks whether a page of another origin may send it (Fetch 3.2.2), and
 * never brings credentials. Null for all other requests; what would open a WebSocket is none.
 */
function announcedMethod({ method, headers }: Request): string | null {
  if (method !== 'OPTIONS' || !headers.has('origin') || headers.has('upgrade')) return null
  return headers.get('access-control-request-method')
}

/** An admission that was made, and by which documents: with others it would have to be made anew. */
interface Remembered {
  policy: HeldPolicy
  /** Null at the global level. */
  organization: HeldOrganization | null
  recorded: HeldRecord
  principal: Principal
  identity: IdentityRef
}

/** The admission of a caller who came the same way with the same token before. Never waits. */
export function recallAdmission(
  environment: Environment,
  request: Request,
  { policy, route, level, asks }: Found,
): Admission | null {
  if (asks === 'preflight') return { ok: true, route, level, caller: null }
  const admissions = recallAdmissions(environment, request, level)
  const known = admissions?.get(admissionKey(route, level)) as Remembered | undefined
  if (!known || known.policy !== policy || !isStillHeld(known)) return null
  const identity = recallIdentity(known.identity)
  return identity && { ok: true, route, level, caller: { principal: known.principal, identity } }
}

/** What is remembered of the token or of the session that the request comes with. */
function recallAdmissions(environment: Environment, request: Request, level: Level) {
  const authorization = request.headers.get('authorization')
  if (authorization !== null) {
    if (!authorization.startsWith(BEARER)) return null
    return recallToken(environment, authorization.slice(BEARER.length))?.admissions ?? null
  }
  const session = sessionNow(environment, request)
  if (session === null || crossSite(environment, request, null)) return null
  return level.kind !== 'global' && endedIn(session, level.organization) !== null ? null : session.admissions
}

function isStillHeld({ organization, recorded }: Remembered): boolean {
  if (!recorded.current) return false
  recorded.used = true
  if (organization === null) return true
  organization.used = true
  return organization.current
}

/** Who is calling, and whether they may. */
export async function admitAt(
  environment: Environment,
  request: Request,
  found: Found,
): Promise<Admission | Refusal> {
  const { policy, route, level } = found
  const authorization = request.headers.get('authorization')
  const mayBeAnybody = route.requires.kind === 'anonymous'
  if (authorization === null) {
    const bySession = await admitSession(environment, request, found)
    // Nobody asked for the cookie: where anybody may come, one that is no good counts as none.
    if (bySession?.ok || (bySession !== null && !mayBeAnybody)) return bySession
  }
  // Where the header belongs to the upstream and nobody has to be known, it is not ours to judge.
  if (mayBeAnybody && (authorization === null || route.forwardAuthorization)) {
    return { ok: true, route, level, caller: null }
  }
  const token = readBearer(authorization)
  if (!token.ok) return token
  const organization =
    level.kind === 'global' ? null : await holdOrganization(environment, level.organization)
  if (organization !== null && !organization.ok) return organization
  const caller = await judgeToken(environment, token.text, { policy, organization, level })
  if (!caller.ok) return caller
  const { claims, admissions, validUntil, recorded } = caller.token
  const expires = Math.min(claims.exp as number, validUntil)
  return admitCaller(environment, found, organization, caller.principal, { admissions, recorded, expires })
}

/** Null: the request has no session cookie. */
async function admitSession(
  environment: Environment,
  request: Request,
  found: Found,
): Promise<Admission | Refusal | null> {
  const { policy, level } = found
  const judged = await judgeSession(environment, request, level)
  if (judged === null || !judged.ok) return judged
  if (!policy.current) {
    // The feed was asked for the session's sake: a session is never judged by the policy of before.
    const newer = await holdPolicy(environment)
    if (!newer.ok) return newer
    if (newer !== policy) {
      const again = findRoute(newer, request)
      return again.ok ? admitSession(environment, request, again) : again
    }
  }
  const cross = crossSite(environment, request, policy.content)
  if (cross) return cross
  const organization =
    level.kind === 'global' ? null : await holdOrganization(environment, level.organization)
  if (organization !== null && !organization.ok) return organization
  const { session, principal, recorded } = judged
  const { copy } = session
  // Where the documents of a route do not include the record that vouches, nothing would tell that it has changed.
  const vouched =
    copy.organization === null || (level.kind !== 'global' && level.organization === copy.organization)
  return admitCaller(environment, found, organization, principal, {
    admissions: vouched ? session.admissions : new Map(),
    recorded,
    expires: Math.floor(endOf(copy, singleSignOnBy(policy.content)) / 1000),
  })
}

type JudgedSession =
  | {
      ok: true
      session: HeldSession
      principal: Principal
      record: IssuerRecord | null
      recorded: HeldRecord
    }
  | Refusal

/** The session of the request's cookie, with its principal; null where it has none. */
async function judgeSession(
  environment: Environment,
  request: Request,
  level: Level,
): Promise<JudgedSession | null> {
  const found = await sessionOf(environment, request)
  if (found === null || !found.ok) return found
  const { session } = found
  const ended = level.kind === 'global' ? null : endedIn(session, level.organization)
  if (ended !== null) {
    const detail = 'An admin of the organization has ended the sessions that are used in it.'
    return refuse('session_ended', detail, { endedAt: ended })
  }
  const made = await principalOfSession(environment, session)
  if (!made.ok) return made
  renewSession(environment, session.copy)
  return { ...made, session }
}

/** The caller of a bearer token. */
export interface Caller {
  ok: true
  /** With the roles that were given to it directly. */
  principal: Principal
  /** Null for whoever has the temporary password, whom no issuer vouches for. */
  record: IssuerRecord | null
  claims: Claims
  /** Seconds since the epoch. */
  validUntil: number
}

/** Who has the session of the request's cookie; null where it has none. */
export async function authenticateSession(
  environment: Environment,
  request: Request,
  level: Level,
): Promise<(Caller & { cookie: string; session: SessionCopy }) | Refusal | null> {
  const judged = await judgeSession(environment, request, level)
  if (judged === null || !judged.ok) return judged
  const { principal, record, session } = judged
  const { copy, cookie } = session
  const validUntil = Math.floor(copy.expiresAt / 1000)
  return { ok: true, principal, record, claims: copy.claims, validUntil, cookie, session: copy }
}

/**
 * Who holds the bearer token, judged for a level exactly as the gateway judges it: `level` takes part in whose
 * word counts. A principal that is recorded as inactive is refused.
 */
export async function authenticateAt(
  environment: Environment,
  authorization: string | null,
  level: Level,
): Promise<Caller | Refusal> {
  const token = readBearer(authorization)
  if (!token.ok) return token
  const policy = policyNow(environment) ?? (await holdPolicy(environment))
  if (!policy.ok) return policy
  const organization =
    level.kind === 'global' ? null : await holdOrganization(environment, level.organization)
  if (organization !== null && !organization.ok) return organization
  const judged = await judgeToken(environment, token.text, { policy, organization, level })
  if (!judged.ok) return judged
  const { record, claims, validUntil } = judged.token
  return { ok: true, principal: judged.principal, record, claims, validUntil }
}

/** Whether the principal may, by the documents that this isolate decides by. */
export async function decideAt(
  environment: Environment,
  principal: Principal,
  permission: string,
  level: Level,
): Promise<{ ok: true; decision: Decision } | Refusal> {
  const now = nowSeconds()
  const documents = await documentsAt(environment, level, groupNames(principal, now))
  if (!documents.ok) return documents
  const { policy, organization } = documents
  return { ok: true, decision: decide(policy, organization, principal, { permission, level, now }) }
}

/** What does it is loaded when it is due. */
function renewSession(environment: Environment, session: SessionCopy): void {
  if (!isRenewalDue(session, clock.now())) return
  waitUntil(import('./signin/renew.ts').then(({ renewBehind }) => renewBehind(environment, session)))
}

const BEARER = 'Bearer '

/** RFC 6750 2.1. */
function readBearer(authorization: string | null): { ok: true; text: string } | Refusal {
  if (authorization === null) {
    return refuse('credentials_missing', 'Send a token as "Authorization: Bearer <token>".')
  }
  const scheme = authorization.slice(0, BEARER.length)
  const text = authorization.slice(BEARER.length)
  // A second header would have been joined with a comma and a space.
  if (scheme.toLowerCase() === 'bearer ' && text !== '' && !/[\s,]/.test(text)) return { ok: true, text }
  const detail = 'Exactly one header "Authorization: Bearer <token>" is read.'
  return refuse('credentials_malformed', detail, { check: 'authorization' })
}

type Judged = { ok: true; token: VerifiedToken; principal: Principal } | Refusal

async function judgeToken(
  environment: Environment,
  text: string,
  at: { policy: HeldPolicy; organization: HeldOrganization | null; level: Level },
): Promise<Judged> {
  const destination = {
    policy: at.policy.content,
    organization: at.organization?.content?.organization ?? null,
    level: at.level,
  }
  const known = recallToken(environment, text)
  const rechecked = known && (await recheckToken(environment, known, destination))
  const token = rechecked ?? (await verifyToken(environment, text, destination))
  if (!token.ok) return token
  const whole = withRecord(token.principal, token.recorded.content)
  if (whole.ok && rechecked === null) reportSeen(environment, whole.principal, nowSeconds())
  return whole.ok ? { ok: true, token, principal: whole.principal } : whole
}

/** Admissions kept with one token; a caller seldom has more places to go within a token's life. */
const ADMISSIONS_MAX = 16

/** What a caller came with: a token or a session. */
interface Credential {
  admissions: Map<string, unknown>
  recorded: HeldRecord
  /** Seconds since the epoch. */
  expires: number
}

async function admitCaller(
  environment: Environment,
  { policy, route, level }: Found,
  held: HeldOrganization | null,
  principal: Principal,
  { admissions, recorded, expires }: Credential,
): Promise<Admission | Refusal> {
  const now = nowSeconds()
  const filled = held && (await withBuckets(environment, held, groupNames(principal, now)))
  if (filled !== null && !filled.ok) return filled
  const organization = filled?.organization ?? null
  const decision = decideRoute(policy.content, organization, principal, route, { level, now })
  if (!decision.allowed) return refuse(decision.reason, decision.detail, { subject: principal.subject })
  const admitted = { policy: policy.content, organization, route, level }
  const { identity, ref } = await identityFor(environment, admitted, principal, expires)
  if (filled === null || filled.present) {
    if (admissions.size >= ADMISSIONS_MAX) admissions.clear()
    const remembered: Remembered = { policy, organization: held, recorded, principal, identity: ref }
    admissions.set(admissionKey(route, level), remembered)
  }
  return { ok: true, route, level, caller: { principal, identity } }
}

/** Those whose buckets have to be there. */
function groupNames(principal: Principal, now: number): readonly string[] {
  const groups = groupsAt(principal, now)
  return groups.outcome === 'absent' || groups.outcome === 'overage' ? [] : groups.names
}

/** Neither slugs nor route ids have a space; what a path captured has none either. */
function admissionKey(route: CompiledRoute, level: Level): string {
  if (level.kind === 'global') return route.id
  return level.kind === 'organization'
    ? `${route.id} ${level.organization}`
    : `${route.id} ${level.organization} ${level.project}`
}
