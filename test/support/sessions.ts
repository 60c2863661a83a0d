// Sessions without a sign-in: begun in the object of their principal as the callback begins them, with a cookie that is made
// here, by the words of STORAGE.md and not by the Worker's code.
import { createHash, createHmac, hkdfSync, randomBytes } from 'node:crypto'
import { principalId } from '../../worker/documents/published.ts'
import type { NewSession, SessionSummary } from '../../worker/sessions/session.ts'
import type { Stack } from './stack.ts'
import { secondsAhead } from './time.ts'

export const SESSION_COOKIE = '__Host-postern-session'
const LIFE_MS = 30 * 24 * 60 * 60_000

export interface StartedSession {
  id: string
  /** Name of its object. */
  principal: string
  /** Of the host's cookie. */
  value: string
  /** The header that brings it. */
  headers: { cookie: string }
}

export interface StartOptions extends Partial<NewSession> {
  /** The instance's POSTERN_SECRET. */
  secret: string
  /** The host whose browser has it. */
  host: string
}

/** What is given of a session goes over what is usual; `claims` and `issuer` must fit a record that people sign in with. */
export async function startSession(
  stack: Stack,
  { secret, host, ...given }: StartOptions,
): Promise<StartedSession> {
  const session = newSession(given)
  const principal = await principalId(session.issuer, session.subject)
  const made = makeCookie(secret, host, principal)
  await callSessions(stack, principal, 'start', { ...session, cookie: made.cookie })
  return { id: session.id, principal, value: made.value, headers: headersOf(made.value) }
}

/** The same session on another host. */
export async function addHost(
  stack: Stack,
  { id, principal }: StartedSession,
  { secret, host }: { secret: string; host: string },
): Promise<StartedSession> {
  const made = makeCookie(secret, host, principal)
  if (!(await callSessions(stack, principal, 'addHost', id, made.cookie))) throw new Error('it has ended')
  return { id, principal, value: made.value, headers: headersOf(made.value) }
}

export function headersOf(value: string): { cookie: string } {
  return { cookie: `${SESSION_COOKIE}=${value}` }
}

export function newSession(given: Partial<NewSession>): Omit<NewSession, 'cookie'> {
  const now = Date.now() + secondsAhead() * 1000
  const { subject = 'alice', startedAt = now } = given
  return {
    id: randomBytes(16).toString('base64url'),
    kind: 'sign-in',
    issuer: 'main',
    subject,
    organization: null,
    claims: { sub: subject },
    startedAt,
    claimsAt: startedAt,
    expiresAt: startedAt + LIFE_MS,
    sid: null,
    sub: subject,
    clientId: 'postern',
    idToken: null,
    refreshToken: null,
    device: 'Firefox on Linux',
    region: null,
    replaces: null,
    groups: null,
    ...given,
  }
}

export function makeCookie(secret: string, host: string, principal: string) {
  const random = randomBytes(32).toString('base64url')
  const text = `${host}\n${principal}\n${random}`
  const signature = createHmac('sha256', keyFor(secret, 'session-cookie')).update(text).digest('base64url')
  const hash = createHash('sha256').update(random).digest('base64url')
  return { value: `${principal}.${random}.${signature}`, cookie: { host, hash } }
}

/** What the console sends with what it writes. */
export function csrfOf(secret: string, cookie: string): string {
  return createHmac('sha256', keyFor(secret, 'csrf')).update(cookie).digest('base64url')
}

function keyFor(secret: string, purpose: string): Buffer {
  const bytes = Buffer.from(secret, 'base64url')
  return Buffer.from(hkdfSync('sha256', bytes, Buffer.alloc(0), `postern ${purpose}`, 32))
}

/** A method of the object of that principal. */
export async function callSessions<Result>(
  stack: Pick<Stack, 'port'>,
  principal: string,
  method: string,
  ...args: unknown[]
): Promise<Result> {
  const answer = await fetch(`http://127.0.0.1:${stack.port()}/.test/sessions`, {
    method: 'POST',
    body: JSON.stringify({ principal, method, args }),
  })
  if (answer.status !== 200) throw new Error(`${method} answered ${answer.status}: ${await answer.text()}`)
  return (await answer.json()) as Result
}

export function listSessions(stack: Stack, principal: string): Promise<SessionSummary[]> {
  return callSessions(stack, principal, 'list')
}
