// The tests' own entry: the whole Worker, and under /.test/ what only tests may do with it: moving the clock, calling
// the RPC entrypoint, faults at bindings, and publishing what was written to D1 behind the API's back.
// test/worker/bundle.test.ts shows that what is deployed has none.
import { clock } from '../../../worker/clock.ts'
import worker from '../../../worker/entry.ts'
import type { Environment } from '../../../worker/environment.ts'
import { PrincipalObject as ProductionPrincipal } from '../../../worker/principals/principal-object.ts'
import { PublisherObject as ProductionPublisher } from '../../../worker/publisher/publisher-object.ts'
import type { Authorizer } from '../../../worker/rpc.ts'
import { SessionsObject as ProductionSessions } from '../../../worker/sessions/sessions-object.ts'
import { setTestFaults, withTestFaults } from './faults.ts'
import { setIsolateFaults, withIsolateFaults } from './isolate-faults.ts'

export * from '../../../worker/entry.ts'

/** The objects, with bindings that fail when a test wants them to. */
export class PublisherObject extends ProductionPublisher {
  constructor(context: DurableObjectState, environment: Environment) {
    super(context, withTestFaults(environment))
  }
}
export class PrincipalObject extends ProductionPrincipal {
  constructor(context: DurableObjectState, environment: Environment) {
    super(context, withTestFaults(environment))
  }
}
export class SessionsObject extends ProductionSessions {
  constructor(context: DurableObjectState, environment: Environment) {
    super(context, withTestFaults(environment))
  }
}

export default {
  async fetch(request: Request, environment: Environment, context: ExecutionContext): Promise<Response> {
    // Compared as text: whatever cannot be parsed as a URL must reach the Worker as it came.
    if (request.url.includes('/.test/clock?')) return moveTestClock(request)
    if (request.url.endsWith('/.test/authorize')) return callTestAuthorizer(request, context)
    if (request.url.endsWith('/.test/isolate-faults')) return setIsolateFaults(request)
    if (request.url.endsWith('/.test/publish')) return publish(environment)
    if (request.url.includes('/.test/faults?')) return setTestFaults(request)
    if (request.url.endsWith('/.test/publisher')) return callTestPublisher(request, environment)
    if (request.url.endsWith('/.test/sessions')) return callTestSessions(request, environment)
    return worker.fetch(request, withIsolateFaults(environment), context)
  },
}

/** `?ahead=SECONDS` of the real time. The Durable Objects of this isolate share its clock. */
function moveTestClock(request: Request): Response {
  const aheadMs = Number(new URL(request.url).searchParams.get('ahead')) * 1000
  clock.now = () => Date.now() + aheadMs
  return Response.json({ now: clock.now() })
}

/** Until everything that D1 has is in KV. */
async function publish({ PUBLISHER }: Environment): Promise<Response> {
  return Response.json(await PUBLISHER.getByName('instance').catchUp())
}

/** The body describes the request to ask about. The call goes over RPC, as another Worker's would. */
async function callTestAuthorizer(request: Request, context: ExecutionContext): Promise<Response> {
  const { url, method, headers } = await request.json<{ url: string; method: string; headers: HeadersInit }>()
  const { Authorizer: binding } = context.exports as unknown as { Authorizer: Service<Authorizer> }
  return Response.json(await binding.authorize(new Request(url, { method, headers })))
}

/** The body names a method of the publisher and its arguments. */
async function callTestPublisher(request: Request, environment: Environment): Promise<Response> {
  const { method, args } = await request.json<{ method: string; args: unknown[] }>()
  const publisher = environment.PUBLISHER.getByName('instance') as unknown as Record<
    string,
    (...args: unknown[]) => Promise<unknown>
  >
  return Response.json((await publisher[method]?.(...args)) ?? null)
}

/** The body names a principal's object, a method of it and its arguments. */
async function callTestSessions(request: Request, environment: Environment): Promise<Response> {
  const { principal, method, args } = await request.json<{
    principal: string
    method: string
    args: unknown[]
  }>()
  const sessions = environment.SESSIONS.getByName(principal) as unknown as Record<
    string,
    (...args: unknown[]) => Promise<unknown>
  >
  return Response.json((await sessions[method]?.(...args)) ?? null)
}
