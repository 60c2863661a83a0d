// A browser arrives at a fronted host and has no session there: the host remembers it by a cookie, and asks the gateway
// host, in words that only this instance can have said, to sign the person in.
import { base64url } from 'jose'
import { clock } from '../clock.ts'
import { type Environment, settingsOf } from '../environment.ts'
import { type Refusal, refuse } from '../refusal.ts'
import { open, seal } from '../sealing.ts'
import { cookieValue } from './attempt.ts'
import { goTo } from './go-to.ts'
import type { Target } from './target.ts'

const COOKIE = '__Host-postern-arrival'
const COOKIE_PURPOSE = 'arrival'
const REQUEST_PURPOSE = 'sign-in-request'
const ARRIVAL_SECONDS = 600
const BINDING_BYTES = 32
/** Whoever comes back without a session so often within a minute is not sent away again. */
const TRIES_MAX = 5
const TRIES_MS = 60_000
/** In a cookie and an address it would be too long; the person lands at the beginning. */
const PATH_LENGTH_MAX = 2000

interface Arrival {
  binding: string
  tries: number
  /** Of the first of them, in milliseconds since the epoch. */
  since: number
}

export interface Why {
  /** Of the page that was asked for, with its query. */
  path: string
  /** Whose issuers are offered besides the instance's. */
  organization: string | null
  /** A session that began before is no good (milliseconds since the epoch); 0: any is. */
  startedAfter: number
}

/** Off to the gateway host. `host` is a name that a route has. */
export async function beginArrival(
  environment: Environment,
  request: Request,
  host: string,
  why: Why,
): Promise<Response | Refusal> {
  const known = await arrivalOf(environment, request, host)
  const now = clock.now()
  const isAgain = known !== null && now - known.since < TRIES_MS
  const arrival: Arrival = {
    binding: known?.binding ?? base64url.encode(crypto.getRandomValues(new Uint8Array(BINDING_BYTES))),
    tries: isAgain ? known.tries + 1 : 1,
    since: isAgain ? known.since : now,
  }
  if (arrival.tries > TRIES_MAX) {
    const detail = `Signing in was begun ${TRIES_MAX} times within a minute, and no session came back.`
    return refuse('cookies_blocked', detail)
  }
  const target: Target = {
    kind: 'host',
    host,
    path: why.path.length > PATH_LENGTH_MAX ? '/' : why.path,
    binding: await hashOf(arrival.binding),
    organization: why.organization,
    startedAfter: why.startedAfter,
  }
  const asked = { target, expires: now + ARRIVAL_SECONDS * 1000 }
  const sealed = await seal(environment, REQUEST_PURPOSE, '', JSON.stringify(asked))
  const kept = await seal(environment, COOKIE_PURPOSE, host, JSON.stringify(arrival))
  return goTo(`${settingsOf(environment).issuer}/login?request=${sealed}`, [
    cookieLine(kept, ARRIVAL_SECONDS),
  ])
}

export function clearArrival(): string {
  return cookieLine('', 0)
}

function cookieLine(value: string, seconds: number): string {
  return `${COOKIE}=${value}; Path=/; Max-Age=${seconds}; Secure; HttpOnly; SameSite=Lax`
}

/** What a ticket for this browser is bound to; null where it has no such cookie. */
export async function bindingOf(
  environment: Environment,
  request: Request,
  host: string,
): Promise<string | null> {
  const arrival = await arrivalOf(environment, request, host)
  return arrival && hashOf(arrival.binding)
}

async function arrivalOf(environment: Environment, request: Request, host: string): Promise<Arrival | null> {
  const sealed = cookieValue(request, COOKIE)
  if (sealed === null) return null
  const text = await open(environment, COOKIE_PURPOSE, host, sealed).catch(() => null)
  return text === null ? null : (JSON.parse(text) as Arrival)
}

/** What a fronted host has asked for. */
export async function openRequest(
  environment: Environment,
  sealed: string,
): Promise<{ ok: true; target: Target } | Refusal> {
  const text = await open(environment, REQUEST_PURPOSE, '', sealed).catch(() => null)
  if (text === null) {
    return refuse('sign_in_request_invalid', 'No host of this instance has made it.', { check: 'request' })
  }
  const { target, expires } = JSON.parse(text) as { target: Target; expires: number }
  return clock.now() < expires
    ? { ok: true, target }
    : refuse('sign_in_request_invalid', `It is older than ${ARRIVAL_SECONDS} s.`, { check: 'request' })
}

async function hashOf(text: string): Promise<string> {
  const digest = await crypto.subtle.digest('SHA-256', new TextEncoder().encode(text))
  return base64url.encode(new Uint8Array(digest))
}
