// The headers an upstream gets: the client's less what must not pass, plus who is calling. What the client
// says under our names, in any spelling, never passes.
import { type Identity, KEPT_LENGTH_MAX, type KeptHeaders } from './tokens/assertion.ts'

/** RFC 9110 7.6.1, what fetch sets itself, and what clients may not tell the upstream: where they come
 * from, and another method or path than the one that was decided on. */
const DROPPED = new Set([
  'connection',
  'content-length',
  'forwarded',
  'keep-alive',
  'proxy-authenticate',
  'proxy-authorization',
  'proxy-connection',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
  'x-http-method',
  'x-http-method-override',
  'x-method-override',
  'x-original-url',
  'x-real-ip',
  'x-request-id',
  'x-rewrite-url',
])
const DROPPED_PREFIX = /^x-(?:postern|forwarded)-/
/** Said to the upstream under another name; the client's own word under that name is dropped. */
const RENAMED = new Map([
  ['host', 'x-forwarded-host'],
  ['cf-connecting-ip', 'x-forwarded-for'],
])
/** A name and a port. Whatever else a client writes as Host, some parsers read as another than was matched. */
const HOST = /^[A-Za-z0-9.-]+(?::\d+)?$/
/** Cookies whose names begin so are ours. */
const COOKIE_PREFIX = '__Host-postern'

/** What of the client's headers depends on the route. */
interface Rules {
  forwardAuthorization: boolean
}

/**
 * Copying headers is most of what forwarding costs, so a caller's last ones are kept, and only what differs is
 * written. The result is that kept object: give it to `fetch`, which copies it, before anything is awaited.
 */
export function outboundHeaders(
  request: Request,
  rules: Rules,
  identity: Identity | null,
  requestId: string,
): KeptHeaders {
  const scheme = request.url.slice(0, request.url.indexOf(':'))
  const headers =
    updateKept(request.headers, rules, identity, scheme) ?? build(request.headers, rules, identity, scheme)
  headers.outbound.set('x-request-id', requestId)
  return headers
}

/** Null when the request has other headers than the last one, not only other values. */
function updateKept(
  headers: Headers,
  rules: Rules,
  identity: Identity | null,
  scheme: string,
): KeptHeaders | null {
  const kept = identity?.kept
  if (!kept) return null
  identity.kept = null
  if (kept.scheme !== scheme) return null
  let index = 0
  for (const header of headers) {
    const before = kept.inbound[index]
    if (before?.[0] !== header[0]) return null
    if (before[1] !== header[1]) {
      if (header[0] === 'connection') return null
      pass(kept.outbound, header, rules)
      kept.inbound[index] = header
    }
    index += 1
  }
  if (index !== kept.inbound.length) return null
  identity.kept = kept
  return kept
}

function build(headers: Headers, rules: Rules, identity: Identity | null, scheme: string): KeptHeaders {
  const inbound = [...headers] as [string, string][]
  const options = connectionOptions(headers.get('connection'))
  const outbound = new Headers(identity?.headers ?? {})
  outbound.set('x-forwarded-proto', scheme)
  for (const header of inbound) {
    // What Postern tells of the request is not the client's to take away.
    if (!options.includes(header[0]) || RENAMED.has(header[0])) pass(outbound, header, rules)
  }
  // RFC 9112 6: one of these is there when a body is.
  const announcesBody = headers.has('content-length') || headers.has('transfer-encoding')
  const built = { scheme, announcesBody, inbound, outbound }
  if (headers.get('upgrade')?.toLowerCase() === 'websocket') outbound.set('upgrade', 'websocket')
  else if (identity && options.length === 0 && lengthOf(inbound) <= KEPT_LENGTH_MAX) identity.kept = built
  return built
}

function lengthOf(headers: readonly [name: string, value: string][]): number {
  return headers.reduce((sum, [name, value]) => sum + name.length + value.length, 0)
}

/** Writes one of the client's headers, if it may pass. */
function pass(outbound: Headers, [name, value]: [string, string], rules: Rules): void {
  const renamed = RENAMED.get(name)
  if (name === 'host') setOrDelete(outbound, 'x-forwarded-host', HOST.test(value) ? value : '')
  else if (renamed !== undefined) outbound.set(renamed, value)
  else if (name === 'cookie') setOrDelete(outbound, name, foreignCookies(value))
  else if (mayPass(name) && (rules.forwardAuthorization || name !== 'authorization'))
    outbound.set(name, value)
}

function setOrDelete(outbound: Headers, name: string, value: string): void {
  if (value === '') outbound.delete(name)
  else outbound.set(name, value)
}

/** Servers that turn headers into variables take "_" for "-". */
function mayPass(name: string): boolean {
  const plain = name.includes('_') ? name.replaceAll('_', '-') : name
  if (plain !== name && (plain === 'authorization' || plain === 'cookie' || RENAMED.has(plain))) return false
  return !DROPPED.has(plain) && !DROPPED_PREFIX.test(plain)
}

/** RFC 9110 7.6.1: fields that the Connection header names are for this hop only. */
function connectionOptions(connection: string | null): string[] {
  if (connection === null) return []
  const options = connection.split(',').map((option) => option.trim().toLowerCase())
  return options.filter((option) => option !== 'keep-alive' && option !== 'close')
}

/** Several Cookie headers come as one, joined by a comma. */
function foreignCookies(cookie: string): string {
  if (!cookie.includes(COOKIE_PREFIX)) return cookie
  return cookie
    .split(/;|, /)
    .map((pair) => pair.trim())
    .filter((pair) => !pair.startsWith(COOKIE_PREFIX))
    .join('; ')
}
