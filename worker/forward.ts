// Sends an admitted request to its upstream and hands back what comes: bodies stream both ways, WebSockets
// pass, redirects are the client's to follow. What the upstream is told about the caller comes from us alone.
import type { Admission } from './admit.ts'
import { type Refusal, refuse } from './refusal.ts'

/** RFC 9110 7.6.1, and what clients and proxies before us may not tell the upstream. */
const DROPPED = new Set([
  'connection',
  'keep-alive',
  'proxy-authenticate',
  'proxy-authorization',
  'proxy-connection',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
  'host',
  'forwarded',
  'x-real-ip',
  'x-request-id',
])
/** Cookies whose names begin so are ours. */
const COOKIE_PREFIX = '__Host-postern'

/** A refusal when the upstream cannot be reached or is late: 502 and 504. */
export async function forward(
  request: Request,
  { route, caller }: Admission,
  requestId: string,
): Promise<Response | Refusal> {
  const { url } = request
  const target = url.indexOf('/', url.indexOf('//') + 2)
  const headers = forwardedHeaders(request, route.forwardAuthorization)
  headers.set('x-request-id', requestId)
  headers.set('x-forwarded-host', url.slice(url.indexOf('//') + 2, target))
  headers.set('x-forwarded-proto', url.slice(0, url.indexOf(':')))
  const client = request.headers.get('cf-connecting-ip')
  if (client !== null) headers.set('x-forwarded-for', client)
  for (const [name, value] of caller?.identity.headers ?? []) headers.set(name, value)
  const abort = new AbortController()
  const timer = setTimeout(() => abort.abort(), route.timeoutSeconds * 1000)
  try {
    const response = await fetch(route.upstream + url.slice(target), {
      method: request.method,
      headers,
      body: request.body,
      redirect: 'manual',
      cache: 'no-store',
      signal: abort.signal,
    })
    return answer(response, requestId)
  } catch (error) {
    if (abort.signal.aborted) {
      const detail = `No answer came within ${route.timeoutSeconds} s (route "${route.id}").`
      return refuse('upstream_timeout', detail)
    }
    console.warn(`request ${requestId}: upstream of route ${route.id}: ${(error as Error).message}`)
    return refuse('upstream_unreachable', `Its connection failed (route "${route.id}").`)
  } finally {
    clearTimeout(timer)
  }
}

function answer(response: Response, requestId: string): Response {
  const { webSocket } = response
  const answered = webSocket
    ? new Response(null, { status: 101, webSocket, headers: response.headers })
    : new Response(response.body, response)
  answered.headers.set('x-request-id', requestId)
  return answered
}

/** The client's headers less what must not pass. */
function forwardedHeaders(request: Request, keepAuthorization: boolean): Headers {
  const upgrade = request.headers.get('upgrade')?.toLowerCase() === 'websocket'
  const named = connectionOptions(request.headers.get('connection'))
  const headers = new Headers()
  for (const [name, value] of request.headers) {
    if (DROPPED.has(name) || named?.includes(name)) continue
    // Servers that turn headers into variables take "_" for "-".
    const plain = name.includes('_') ? name.replaceAll('_', '-') : name
    if (plain.startsWith('x-postern-') || plain.startsWith('x-forwarded-') || DROPPED.has(plain)) continue
    if (plain === 'authorization' && !keepAuthorization) continue
    if (plain === 'cookie') {
      const kept = foreignCookies(value)
      if (kept !== '') headers.append(name, kept)
    } else headers.append(name, value)
  }
  if (upgrade) headers.set('upgrade', 'websocket')
  return headers
}

/** RFC 9110 7.6.1: header fields that the Connection header names are for this hop only. */
function connectionOptions(connection: string | null): string[] | null {
  if (connection === null || connection === 'keep-alive' || connection === 'close') return null
  return connection.split(',').map((option) => option.trim().toLowerCase())
}

function foreignCookies(cookie: string): string {
  if (!cookie.includes(COOKIE_PREFIX)) return cookie
  return cookie
    .split(';')
    .map((pair) => pair.trim())
    .filter((pair) => !pair.startsWith(COOKIE_PREFIX))
    .join('; ')
}
