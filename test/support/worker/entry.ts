// The tests' own entry: the whole Worker, and under /.test/ what only tests may do with it, which is moving
// the clock and calling the RPC entrypoint. test/worker/bundle.test.ts shows that what is deployed has none.
import { clock } from '../../../worker/clock.ts'
import worker from '../../../worker/entry.ts'
import type { Environment } from '../../../worker/environment.ts'
import type { Authorizer } from '../../../worker/rpc.ts'

export * from '../../../worker/entry.ts'

export default {
  async fetch(request: Request, environment: Environment, context: ExecutionContext): Promise<Response> {
    // Compared as text: whatever cannot be parsed as a URL must reach the Worker as it came.
    if (request.url.includes('/.test/clock?')) return moveTestClock(request)
    if (request.url.endsWith('/.test/authorize')) return callTestAuthorizer(request, context)
    return worker.fetch(request, environment, context)
  },
}

/** `?ahead=SECONDS` of the real time. The Durable Objects of this isolate share its clock. */
function moveTestClock(request: Request): Response {
  const aheadMs = Number(new URL(request.url).searchParams.get('ahead')) * 1000
  clock.now = () => Date.now() + aheadMs
  return Response.json({ now: clock.now() })
}

/** The body describes the request to ask about. The call goes over RPC, as another Worker's would. */
async function callTestAuthorizer(request: Request, context: ExecutionContext): Promise<Response> {
  const { url, method, headers } = await request.json<{ url: string; method: string; headers: HeadersInit }>()
  const { Authorizer: binding } = context.exports as unknown as { Authorizer: Service<Authorizer> }
  return Response.json(await binding.authorize(new Request(url, { method, headers })))
}
