// A browser arrives at a fronted host and has no session there: the host remembers it by a cookie, and asks the gateway
// host, in words that only this instance can have said, to sign the person in.
import { clock } from '../clock.ts'
import { type Environment, settingsOf } from '../environment.ts'
import { checkTransport, frontedOrigin } from '../fronted-origin.ts'
import { digestOf, randomText } from '../opaque.ts'
import { type Refusal, refuse } from '../refusal.ts'
import { openJson, sealJson } from '../sealing.ts'
import { cookieValue } from './attempt.ts'
import { goTo } from './go-to.ts'
import type { Target } from './target.ts'

const COOKIE = '__Host-postern-arrival'
const COOKIE_PURPOSE = 'arrival'
const REQUEST_PURPOSE = 'sign-in-request'
const ARRIVAL_SECONDS = 600
/** Whoever is sent to sign in so often within a minute, whatever came of it, is not sent away again. */
const TRIES_MAX = 5
const TRIES_SECONDS = 60
/** In a cookie and an address it would be too long; the person lands at the beginning. */
const PATH_LENGTH_MAX = 2000

export interface Arrival {
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
  const insecure = checkTransport(environment, frontedOrigin(environment, host))
  if (insecure) return insecure
  const known = await arrivalOf(environment, request, host)
  const now = clock.now()
  const isAgain = known !== null && now - known.since < TRIES_SECONDS * 1000
  const arrival: Arrival = {
    binding: known?.binding ?? randomText(),
    tries: isAgain ? known.tries + 1 : 1,
    since: isAgain ? known.since : now,
  }
  if (arrival.tries > TRIES_MAX) {
    const detail = `Signing in was begun ${TRIES_MAX} times within a minute, and no session came back that is good here.`
    return refuse('cookies_blocked', detail)
  }
  const target: Target = {
    kind: 'host',
    host,
    path: why.path.length > PATH_LENGTH_MAX ? '/' : why.path,
    binding: await digestOf(arrival.binding),
    organization: why.organization,
    startedAfter: why.startedAfter,
  }
  const asked = { target, expires: now + ARRIVAL_SECONDS * 1000 }
  const sealed = await sealJson(environment, REQUEST_PURPOSE, '', asked)
  const cookie = await cookieLine(environment, host, arrival, ARRIVAL_SECONDS)
  return goTo(`${settingsOf(environment).issuer}/login?request=${sealed}`, [cookie])
}

/**
 * For Set-Cookie, when the session has come: what tickets were bound to is gone. The tries stay until their minute is over,
 * so that a session which this host does not take for whatever reason cannot send a browser around.
 */
export function endArrival(environment: Environment, host: string, arrival: Arrival): Promise<string> {
  const left = Math.max(0, TRIES_SECONDS - Math.floor((clock.now() - arrival.since) / 1000))
  return cookieLine(environment, host, { ...arrival, binding: randomText() }, left)
}

async function cookieLine(
  environment: Environment,
  host: string,
  arrival: Arrival,
  seconds: number,
): Promise<string> {
  const sealed = await sealJson(environment, COOKIE_PURPOSE, host, arrival)
  return `${COOKIE}=${sealed}; Path=/; Max-Age=${seconds}; Secure; HttpOnly; SameSite=Lax`
}

/** Whether a ticket is for the browser that has arrived so. */
export async function isBoundTo(arrival: Arrival, binding: string): Promise<boolean> {
  return (await digestOf(arrival.binding)) === binding
}

/** Null where the browser has no such cookie. */
export async function arrivalOf(
  environment: Environment,
  request: Request,
  host: string,
): Promise<Arrival | null> {
  const sealed = cookieValue(request, COOKIE)
  return sealed === null ? null : openJson<Arrival>(environment, COOKIE_PURPOSE, host, sealed)
}

/** What a fronted host has asked for. */
export async function openRequest(
  environment: Environment,
  sealed: string,
): Promise<{ ok: true; target: Target } | Refusal> {
  const asked = await openJson<{ target: Target; expires: number }>(environment, REQUEST_PURPOSE, '', sealed)
  if (asked === null) {
    return refuse('sign_in_request_invalid', 'No host of this instance has made it.', { check: 'request' })
  }
  return clock.now() < asked.expires
    ? { ok: true, target: asked.target }
    : refuse('sign_in_request_invalid', `It is older than ${ARRIVAL_SECONDS} s.`, { check: 'request' })
}
