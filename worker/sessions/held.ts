// The isolate's side of sessions: whose cookie a request has, as its object knows it, held until the change feed says
// that it has ended or changed. Who the principal is and what it may is not asked here.
import { waitUntil } from 'cloudflare:workers'
import type { IssuerRecord } from '../../policy/compiled.ts'
import type { Principal } from '../../policy/principal.ts'
import type { SingleSignOn } from '../../policy/schema-sign-in.ts'
import { clock } from '../clock.ts'
import { becomeCurrent, isCurrent, onChanges } from '../documents/feed.ts'
import { holdKnownPolicy, policyNow } from '../documents/held.ts'
import type { HeldRecord } from '../documents/principals.ts'
import type { Environment } from '../environment.ts'
import { createMemory } from '../memory.ts'
import { type Refusal, refuse } from '../refusal.ts'
import { hostOfRequest, openHostCookie, SEVERAL, sessionCookieOf } from './cookie.ts'
import type { SessionCopy } from './session.ts'
import { TOUCH_MS } from './sessions-object.ts'
import { singleSignOnBy } from './settings.ts'

/** A session as this isolate holds it, for one host's cookie. */
export interface HeldSession {
  copy: SessionCopy
  /** The cookie's value. */
  cookie: string
  /** When it was read from its object, in milliseconds since the epoch. */
  readAt: number
  /** When it was used last, as far as this isolate knows: its object is told once a minute. */
  usedAt: number
  /** The number of the last change that was known then. */
  known: number
  /** The principal made of it last, and of what (principal.ts). */
  made: { record: IssuerRecord | null; recorded: HeldRecord; principal: Principal } | null
  /** What admit.ts keeps with it, by route and level. */
  admissions: Map<string, unknown>
}

const MEMORY_BYTES_MAX = 8 * 1024 * 1024
const ENTRY_BYTES = 4096
/** A copy that seems to have expired is read again unless it is younger: another isolate may have seen it used. */
const READ_AGAIN_MS = TOUCH_MS

/** By host and cookie. `gone`: there is no such session, and there never will be one again. */
const held = createMemory<HeldSession | 'gone'>({
  weightMax: MEMORY_BYTES_MAX,
  weigh: (key, session) =>
    2 * key.length + ENTRY_BYTES + (session === 'gone' ? 0 : 2 * JSON.stringify(session.copy.claims).length),
})

/** Changes are counted as they are learned of; what was read before the change about it is read again. */
let changes = 0
/** What was read before this one is read again, whatever it is. */
let floor = 0
const NAMES_MAX = 50_000
const changedSessions = new Map<string, number>()
const changedPrincipals = new Map<string, number>()
/** What began until then counts no more, in milliseconds since the epoch. */
const ends = { organization: new Map<string, number>(), issuer: new Map<string, number>(), instance: 0 }

onChanges({
  changed({ kind, key, version }) {
    if (kind === 'session') note(changedSessions, key)
    else if (kind === 'principal') note(changedPrincipals, key)
    else if (kind === 'instance') ends.instance = Math.max(ends.instance, version)
    else if (kind === 'organization' || kind === 'issuer') {
      ends[kind].set(key, Math.max(ends[kind].get(key) ?? 0, version))
    }
  },
  changedAll() {
    changes += 1
    floor = changes
  },
})

function note(names: Map<string, number>, name: string): void {
  changes += 1
  names.set(name, changes)
  if (names.size <= NAMES_MAX) return
  names.clear()
  floor = changes
}

function isStale({ known, copy }: HeldSession): boolean {
  return (
    known < floor ||
    known < (changedSessions.get(copy.id) ?? 0) ||
    known < (changedPrincipals.get(copy.principal) ?? 0)
  )
}

/** The live session of this host's cookie, when all that it takes is at hand. The hot path: never waits. */
export function sessionNow(environment: Environment, request: Request): HeldSession | null {
  const cookie = sessionCookieOf(request)
  if (typeof cookie !== 'string' || !isCurrent(environment)) return null
  const policy = policyNow(environment)
  const session = held.get(keyOf(request, cookie))
  if (policy === null || session === undefined || session === 'gone' || isStale(session)) return null
  if (judge(session, singleSignOnBy(policy.content)) !== null) return null
  touch(environment, session)
  return session
}

/** The live session of this host's cookie; null: it has no cookie of ours. */
export async function sessionOf(
  environment: Environment,
  request: Request,
): Promise<{ ok: true; session: HeldSession } | Refusal | null> {
  const cookie = sessionCookieOf(request)
  if (cookie === null) return null
  if (cookie === SEVERAL) return refuse('session_invalid', 'The session cookie came more than once.')
  const late = await becomeCurrent(environment)
  if (late) return late
  const policy = await holdKnownPolicy(environment)
  if (!policy.ok) return policy
  const settings = singleSignOnBy(policy.content)
  const key = keyOf(request, cookie)
  const known = held.get(key)
  let session = known === undefined || (known !== 'gone' && isStale(known)) ? null : known
  session ??= await read(environment, request, cookie)
  if (session === null) return refuse('session_invalid', 'The session cookie was not made for this host.')
  if (session === 'gone') return refuse('session_ended', 'The session of the cookie has ended.')
  let refusal = judge(session, settings)
  if (refusal?.reason === 'session_expired' && clock.now() - session.readAt >= READ_AGAIN_MS) {
    const again = await read(environment, request, cookie)
    if (again === null || again === 'gone') return refusal
    session = again
    refusal = judge(session, settings)
  }
  if (refusal) return refusal
  touch(environment, session)
  return { ok: true, session }
}

/** The browser's session whatever has become of it, so that it can be ended; null where there is none. */
export async function cookieSession(environment: Environment, request: Request): Promise<SessionCopy | null> {
  const cookie = sessionCookieOf(request)
  if (typeof cookie !== 'string') return null
  const session = await read(environment, request, cookie)
  return session === null || session === 'gone' ? null : session.copy
}

/** A cookie is good on one host alone. */
function keyOf(request: Request, cookie: string): string {
  return `${hostOfRequest(request)} ${cookie}`
}

/** Null for a cookie that was not made here; forged ones ask no object. */
async function read(
  environment: Environment,
  request: Request,
  cookie: string,
): Promise<HeldSession | 'gone' | null> {
  const host = hostOfRequest(request)
  const opened = await openHostCookie(environment, host, cookie)
  if (opened === null) return null
  // Whatever changes while it is read may or may not be in it.
  const [known, readAt] = [changes, clock.now()]
  const copy = await environment.SESSIONS.getByName(opened.principal).find(opened.hash, host)
  const key = keyOf(request, cookie)
  const before = held.get(key)
  const usedBefore = before === undefined || before === 'gone' ? 0 : before.usedAt
  const session: HeldSession | 'gone' = copy === null ? 'gone' : hold(copy, { cookie, readAt, known })
  if (session !== 'gone') session.usedAt = Math.max(session.usedAt, usedBefore)
  held.set(key, session)
  return session
}

function hold(copy: SessionCopy, read: Pick<HeldSession, 'cookie' | 'readAt' | 'known'>): HeldSession {
  return { copy, ...read, usedAt: copy.lastSeenAt, made: null, admissions: new Map() }
}

/** What of a session tells whether its time is over. */
type Lived = Pick<SessionCopy, 'issuer' | 'organization' | 'startedAt' | 'expiresAt' | 'keptAt'>

/** Null when it is alive. */
function judge({ copy, usedAt }: HeldSession, settings: SingleSignOn): Refusal | null {
  return judgeLived(copy, Math.max(copy.lastSeenAt, usedAt), settings)
}

/** Of those that an object lists: whether it may still be used anywhere. */
export function isAlive(session: Lived & { lastSeenAt: number }, settings: SingleSignOn): boolean {
  return judgeLived(session, session.lastSeenAt, settings) === null
}

function judgeLived(session: Lived, usedAt: number, settings: SingleSignOn): Refusal | null {
  const { startedAt } = session
  const end = wideEnd(session)
  if (end > 0) {
    return refuse('session_ended', 'An admin has ended the sessions it is one of.', { endedAt: end })
  }
  const now = clock.now()
  if (now >= endOf(session, settings)) {
    return refuse('session_expired', `It began ${seconds(now - startedAt)} s ago and has lived its time.`)
  }
  if (now - usedAt < settings.inactivityTimeoutSeconds * 1000) return null
  return refuse('session_expired', `It was not used for ${seconds(now - usedAt)} s.`)
}

/** When it ended with all of its instance, issuer or organization (milliseconds since the epoch); 0: it has not. */
function wideEnd({ startedAt, keptAt, issuer, organization }: Lived): number {
  const own = Math.max(
    ends.issuer.get(issuer) ?? 0,
    organization === null ? 0 : lastEndIn(organization),
    keptAt !== null && ends.instance <= keptAt ? 0 : ends.instance,
  )
  return startedAt <= own ? own : 0
}

/** However it is used, it ends then (milliseconds since the epoch). */
export function endOf(
  { startedAt, expiresAt }: Pick<SessionCopy, 'startedAt' | 'expiresAt'>,
  settings: SingleSignOn,
): number {
  return Math.min(expiresAt, startedAt + settings.lifetimeSeconds * 1000)
}

function seconds(milliseconds: number): number {
  return Math.floor(milliseconds / 1000)
}

/** Sessions that began until then are no good in the organization (milliseconds since the epoch); 0: all are. */
export function lastEndIn(organization: string): number {
  return ends.organization.get(organization) ?? 0
}

/**
 * When an organization ended the sessions used in it, if this one began before (milliseconds since the epoch); null: it
 * may be used there.
 */
export function endedIn({ copy }: HeldSession, organization: string): number | null {
  const end = lastEndIn(organization)
  return copy.startedAt <= end ? end : null
}

/** Behind the request, once a minute at most. */
function touch(environment: Environment, session: HeldSession): void {
  const { copy } = session
  const now = clock.now()
  session.usedAt = now
  if (now - copy.lastSeenAt < TOUCH_MS) return
  copy.lastSeenAt = now
  waitUntil(
    environment.SESSIONS.getByName(copy.principal)
      .touch(copy.id, now)
      .then((at) => {
        if (at === null) note(changedSessions, copy.id)
      })
      .catch((error: Error) => console.warn(`that a session was used cannot be kept: ${error.message}`)),
  )
}
