// Who is calling the management API, and what the edge knows of their rights. Both are asked of the same code
// and the same documents that decide on routes; this is the one file of the API that knows where they are.
import { type Decision, decide, rolesAt } from '../../policy/decide.ts'
import type { Level } from '../../policy/level.ts'
import { organizationAt } from '../../policy/loaded.ts'
import type { Principal } from '../../policy/principal.ts'
import { authenticate } from '../admit.ts'
import { nowSeconds } from '../clock.ts'
import { type Environment, policy } from '../environment.ts'
import type { Refusal } from '../refusal.ts'

/** What a principal may, by the documents that the edge decides by. */
export interface Held {
  decide(permission: string, level: Level): Promise<Decision>
  /** Every role held there, given or implied. */
  rolesAt(level: Level): Promise<readonly string[]>
}

export type Authenticated = { ok: true; principal: Principal } | Refusal

/** A bearer token as the gateway takes it, or a key of ours. `level` takes part in whose word counts. */
export async function authenticateCaller(
  environment: Environment,
  request: Request,
  level: Level,
): Promise<Authenticated> {
  return authenticate(environment, request.headers.get('authorization'), level)
}

export function heldFor(_environment: Environment, principal: Principal): Held {
  return {
    decide: async (permission, level) => {
      return decide(policy, organizationAt(policy, level), principal, {
        permission,
        level,
        now: nowSeconds(),
      })
    },
    rolesAt: async (level) =>
      rolesAt(policy, organizationAt(policy, level), principal, level, nowSeconds()).roles,
  }
}

/** So that whoever has just written sees it: publishes what is not yet, and has the newest documents held. */
export async function refreshHeld(environment: Environment): Promise<void> {
  await environment.PUBLISHER.getByName('instance').catchUp()
}
