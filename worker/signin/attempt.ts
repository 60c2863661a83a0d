// A sign-in between the redirect to the provider and its answer: sealed in a cookie of its own, of which a browser has
// five, so that tabs do not disturb each other. Nothing is stored here until the answer comes; then its `state` is used
// once.
import { clock } from '../clock.ts'
import type { Environment } from '../environment.ts'
import { digestOf, randomText } from '../opaque.ts'
import { type Refusal, refuse } from '../refusal.ts'
import { openJson, sealJson } from '../sealing.ts'
import type { Target } from './target.ts'

export const ATTEMPT_SECONDS_MAX = 600
/** The cookie stays longer, so that whoever comes too late is told so, and finds the way on. */
const COOKIE_SECONDS = 3600
const SLOTS = 5
const PURPOSE = 'sign-in-attempt'

export interface Attempt {
  state: string
  nonce: string
  /** Null: the issuer gets no PKCE. */
  verifier: string | null
  /** Id of the issuer record. */
  issuer: string
  /** The organization that owns it; null: the instance. */
  organization: string | null
  redirectUri: string
  target: Target
  /** The browser's session when it began: a form post does not bring its cookie, and it ends with the next one. */
  before: { principal: string; id: string } | null
  /** Milliseconds since the epoch. */
  startedAt: number
}

/** Begins an attempt in a free slot, else in that of the oldest. `cookie` is for Set-Cookie. */
export async function beginAttempt(
  environment: Environment,
  request: Request,
  begun: Omit<Attempt, 'state' | 'nonce' | 'startedAt'>,
): Promise<{ attempt: Attempt; cookie: string }> {
  const slot = await chooseSlot(environment, request)
  const secrets = { state: `${slot}.${randomText()}`, nonce: randomText() }
  const attempt = { ...begun, target: shortTarget(begun.target), ...secrets, startedAt: clock.now() }
  const name = cookieName(slot)
  const sealed = await sealJson(environment, PURPOSE, name, attempt)
  // The answer may be a form that another site posts, which brings SameSite=None cookies only.
  const cookie = `${name}=${sealed}; Path=/; Max-Age=${COOKIE_SECONDS}; Secure; HttpOnly; SameSite=None`
  return { attempt, cookie }
}

/** Browsers keep no cookie of more than 4096 bytes: whoever comes from a longer path lands at the beginning. */
function shortTarget(target: Target): Target {
  return 'path' in target && target.path.length > PATH_LENGTH_MAX ? { ...target, path: '/' } : target
}
const PATH_LENGTH_MAX = 2000

async function chooseSlot(environment: Environment, request: Request): Promise<number> {
  let chosen = { slot: 0, startedAt: Number.POSITIVE_INFINITY }
  for (let slot = 0; slot < SLOTS; slot++) {
    const attempt = await openSlot(environment, request, slot)
    if (attempt === null) return slot
    if (attempt.startedAt < chosen.startedAt) chosen = { slot, startedAt: attempt.startedAt }
  }
  return chosen.slot
}

/** The browser's attempt that the answer names; null when it has none. */
export async function attemptOf(
  environment: Environment,
  request: Request,
  state: string,
): Promise<Attempt | null> {
  if (!STATE.test(state)) return null
  const attempt = await openSlot(environment, request, Number(state[0]))
  return attempt?.state === state ? attempt : null
}
const STATE = /^[0-4]\.[\w-]{43}$/

async function openSlot(environment: Environment, request: Request, slot: number): Promise<Attempt | null> {
  const name = cookieName(slot)
  const sealed = cookieValue(request, name)
  return sealed === null ? null : openJson<Attempt>(environment, PURPOSE, name, sealed)
}

function cookieName(slot: number): string {
  return `__Host-postern-attempt-${slot}`
}

/** The value of a cookie; null where it is not there, and where it is there twice. */
export function cookieValue(request: Request, name: string): string | null {
  const [only, ...others] = (request.headers.get('cookie') ?? '')
    .split(';')
    .map((pair) => pair.trim())
    .filter((pair) => pair.startsWith(`${name}=`))
  return only !== undefined && others.length === 0 ? only.slice(name.length + 1) : null
}

/** Null for the first who uses it within its time. */
export async function useAttempt(environment: Environment, attempt: Attempt): Promise<Refusal | null> {
  const { state, startedAt } = attempt
  const expires = startedAt + ATTEMPT_SECONDS_MAX * 1000
  const now = clock.now()
  if (now >= expires) {
    const age = Math.round((now - startedAt) / 1000)
    const detail = `It began ${age} s ago; ${ATTEMPT_SECONDS_MAX} s are allowed.`
    return refuse('attempt_expired', detail, { check: 'state' })
  }
  const name = `state:${await digestOf(state)}`
  if (await environment.SINGLE_USE.getByName(name).use(expires)) return null
  return refuse('attempt_used', 'Its "state" has been used already.', { check: 'state' })
}
