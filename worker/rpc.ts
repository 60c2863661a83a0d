// What other Workers can ask without HTTP: a service binding with the entrypoint "Authorizer".
import { WorkerEntrypoint } from 'cloudflare:workers'
import type { Level } from '../policy/level.ts'
import type { Principal } from '../policy/principal.ts'
import { admit } from './admit.ts'
import { type Problem, problemOf, refusalHeaders } from './answers.ts'
import type { Environment } from './environment.ts'
import { requestIdOf } from './request-id.ts'

export type Authorization =
  | {
      allowed: true
      requestId: string
      route: string
      level: Level
      /** Null on an anonymous route. */
      principal: Principal | null
      /** Headers to set on the request to the upstream; all others of these names must be removed from it. */
      headers: [name: string, value: string][]
    }
  | { allowed: false; requestId: string; problem: Problem; headers: [name: string, value: string][] }

export class Authorizer extends WorkerEntrypoint<Environment> {
  /**
   * Answers for a request as the gateway would, with the request's own URL, method and Authorization header;
   * nothing is forwarded and the body is not read.
   */
  async authorize(request: Request): Promise<Authorization> {
    const requestId = requestIdOf(request)
    const admission = await admit(this.env, request)
    if (!admission.ok) {
      const problem = problemOf(admission, requestId)
      return { allowed: false, requestId, problem, headers: Object.entries(refusalHeaders(problem)) }
    }
    const { route, level, caller } = admission
    const identity = Object.entries(caller?.identity.headers ?? {})
    const principal = caller?.principal ?? null
    const headers: [string, string][] = [...identity, ['x-request-id', requestId]]
    return { allowed: true, requestId, route: route.id, level, principal, headers }
  }
}
