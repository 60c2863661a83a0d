// Sends an admitted request to its upstream and hands back what comes: bodies stream both ways, WebSockets
// pass, redirects are the client's to follow.
import type { Admission } from './admit.ts'
import { clock } from './clock.ts'
import { beforeDeadline } from './deadlines.ts'
import { answerPlainly } from './navigation.ts'
import { outboundHeaders } from './outbound-headers.ts'
import { refuse } from './refusal.ts'

/** The upstream's answer; 502 when it cannot be reached, 504 when it is late. */
export async function forward(
  request: Request,
  { route, caller }: Admission,
  requestId: string,
): Promise<Response> {
  const { url, method } = request
  const { outbound, announcesBody } = outboundHeaders(request, route, caller?.identity ?? null, requestId)
  let target: string | Request = route.upstream + url.slice(url.indexOf('/', url.indexOf('//') + 2))
  // The shared cache looks at the URL and not at who is calling (docs/decisions/upstream-cache.md).
  const init: RequestInit = { headers: outbound, redirect: 'manual', cache: 'no-store' }
  if (method === 'GET' || method === 'HEAD') {
    // `init` may not give such a request a body, but a request brings its own.
    if (announcesBody) target = new Request(target, request)
    else init.method = method
  } else {
    init.method = method
    init.body = request.body
  }
  const until = clock.now() + route.timeoutSeconds * 1000
  const answering = fetch(target, init)
  try {
    for (;;) {
      const outcome = await beforeDeadline(answering, until)
      if (outcome === 'handover') continue
      if (outcome !== 'late') return answer(outcome, requestId)
      const detail = `No answer came within ${route.timeoutSeconds} s (route "${route.id}").`
      return answerPlainly(request, refuse('upstream_timeout', detail), requestId)
    }
  } catch (error) {
    console.warn(`request ${requestId}: upstream of route ${route.id}: ${(error as Error).message}`)
    const detail = `Its connection failed (route "${route.id}").`
    return answerPlainly(request, refuse('upstream_unreachable', detail), requestId)
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
