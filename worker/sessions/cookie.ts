// The session's cookie: what it is called, how it is found in a request, made, signed and known again. Whether the
// session it names is alive is held.ts's.
import type { Environment } from '../environment.ts'
import { digestOf, randomText } from '../opaque.ts'
import { hostIn } from '../path.ts'
import { isSigned, sign } from '../sealing.ts'
import type { HostCookie } from './session.ts'

export const SESSION_COOKIE = '__Host-postern-session'
export const CSRF_COOKIE = '__Host-postern-csrf'

const COOKIE_PURPOSE = 'session-cookie'
const CSRF_PURPOSE = 'csrf'

/** The cookie came more than once; the browser never sends it so, and which one counts is nobody's to guess. */
export const SEVERAL = Symbol('several session cookies')

/**
 * The value of the session cookie as it came; null where there is none. The hot path: the header is searched, not taken
 * apart.
 */
export function sessionCookieOf(request: Request): string | typeof SEVERAL | null {
  const header = request.headers.get('cookie')
  if (header === null) return null
  const first = findCookie(header, 0)
  if (first === -1) return null
  if (findCookie(header, first) !== -1) return SEVERAL
  const end = header.indexOf(';', first)
  return header.slice(first, end === -1 ? header.length : end).trimEnd()
}

const NAME_AND_EQUALS = `${SESSION_COOKIE}=`
const SPACE = 32
const SEMICOLON = 59

/** Where its value begins; -1 where it is not there. A name within another cookie's value is none (RFC 6265 4.2.1). */
function findCookie(header: string, from: number): number {
  for (let at = header.indexOf(NAME_AND_EQUALS, from); at !== -1; ) {
    let before = at - 1
    while (before >= 0 && header.charCodeAt(before) === SPACE) before -= 1
    const next = at + NAME_AND_EQUALS.length
    if (before < 0 || header.charCodeAt(before) === SEMICOLON) return next
    at = header.indexOf(NAME_AND_EQUALS, next)
  }
  return -1
}

/** The host that a request came to, as cookies know it: in lower case, without a port. */
export function hostOfRequest({ url }: Request): string {
  return cookieHost(hostIn(url))
}

/** Cookies know no ports (RFC 6265 8.5). */
export function cookieHost(host: string): string {
  const lowerCase = host.toLowerCase()
  const port = lowerCase.lastIndexOf(':')
  return port === -1 || lowerCase.endsWith(']') ? lowerCase : lowerCase.slice(0, port)
}

/** What a host's browser gets for a session of a principal: the cookie's value, and what the object keeps of it. */
export async function makeHostCookie(
  environment: Environment,
  { host, principal }: { host: string; principal: string },
): Promise<{ value: string; cookie: HostCookie }> {
  const secret = randomText()
  const plainHost = cookieHost(host)
  const signature = await sign(environment, COOKIE_PURPOSE, signedText(plainHost, principal, secret))
  const value = `${principal}.${secret}.${signature}`
  return { value, cookie: { host: plainHost, hash: await digestOf(secret) } }
}

/** Null for whatever was not made here, for this host. */
export async function openHostCookie(
  environment: Environment,
  host: string,
  value: string,
): Promise<{ principal: string; hash: string } | null> {
  const [, principal, secret, signature] = VALUE.exec(value) ?? []
  if (!principal || !secret || !signature) return null
  const text = signedText(cookieHost(host), principal, secret)
  if (!(await isSigned(environment, COOKIE_PURPOSE, text, signature))) return null
  return { principal, hash: await digestOf(secret) }
}
const VALUE = /^([\w-]{43})\.([\w-]{43})\.([\w-]{43})$/

/** None of the three has a line's end. */
function signedText(host: string, principal: string, secret: string): string {
  return `${host}\n${principal}\n${secret}`
}

/** For Set-Cookie. */
export function setSessionCookie(value: string, maxAgeSeconds: number): string {
  return `${SESSION_COOKIE}=${value}; Path=/; Max-Age=${Math.floor(maxAgeSeconds)}; Secure; HttpOnly; SameSite=Lax`
}

export function clearSessionCookie(): string {
  return setSessionCookie('', 0)
}

/** What a page of the gateway host sends as `Postern-CSRF` with what it writes: it fits one session cookie alone. */
export async function csrfTokenOf(environment: Environment, cookieValue: string): Promise<string> {
  return sign(environment, CSRF_PURPOSE, cookieValue)
}

export async function isCsrfToken(
  environment: Environment,
  cookieValue: string,
  token: string,
): Promise<boolean> {
  return isSigned(environment, CSRF_PURPOSE, cookieValue, token)
}

/** For Set-Cookie; the console reads it. */
export function setCsrfCookie(token: string, maxAgeSeconds: number): string {
  return `${CSRF_COOKIE}=${token}; Path=/; Max-Age=${Math.floor(maxAgeSeconds)}; Secure; SameSite=Lax`
}

export function clearCsrfCookie(): string {
  return setCsrfCookie('', 0)
}
