// Who is calling the management API, and what the edge knows of their rights. Both are asked of the same code
// and the same documents that decide on routes; this is the one file of the API that knows where they are.
import { type Decision, decide, rolesAt } from '../../policy/decide.ts'
import type { Level } from '../../policy/level.ts'
import { groupsAt, type Principal } from '../../policy/principal.ts'
import { authenticateAt, authenticateSession } from '../admit.ts'
import { nowSeconds } from '../clock.ts'
import { documentsAt, refreshDocuments } from '../documents/held.ts'
import { principalRecord, withRecord } from '../documents/principals.ts'
import type { Environment } from '../environment.ts'
import { type Refusal, refuse } from '../refusal.ts'
import { CSRF_COOKIE, isCsrfToken } from '../sessions/cookie.ts'
import { crossSite } from '../sessions/cross-site.ts'
import { holderOfKey, KEY_ISSUER, keyInHeader } from './people/access-keys.ts'

/** What a principal may, by the documents that the edge decides by. */
export interface Held {
  decide(permission: string, level: Level): Promise<Decision>
  /** Every role held there, given or implied. */
  rolesAt(level: Level): Promise<readonly string[]>
}

/**
 * The edge's documents cannot be had, so nobody may anything. Thrown, since no handler can do without; the mount
 * answers with the refusal.
 */
function unavailable(refusal: Refusal): Error {
  return Object.assign(new Error(refusal.detail), { refusal })
}

export type Authenticated = { ok: true; principal: Principal } | Refusal

/**
 * A bearer token as the gateway takes it, or a key of ours. `level` takes part in whose word counts. A token that is
 * not good there is judged for the instance, so that what is said of it does not depend on which organizations
 * there are.
 */
export async function authenticateCaller(
  environment: Environment,
  request: Request,
  level: Level,
): Promise<Authenticated> {
  const authorization = request.headers.get('authorization')
  const key = authorization === null ? null : keyInHeader(authorization)
  if (key !== null) return holderOfKey(environment, key)
  if (authorization === null) {
    const bySession = await holderOfSession(environment, request, level)
    if (bySession !== null) return bySession
  }
  const there = await authenticateAt(environment, authorization, level)
  return there.ok || level.kind === 'global'
    ? there
    : authenticateAt(environment, authorization, { kind: 'global' })
}

/** The gateway host's session, which writes only from pages of this host, with the token that belongs to it. */
async function holderOfSession(
  environment: Environment,
  request: Request,
  level: Level,
): Promise<Authenticated | null> {
  const there = await authenticateSession(environment, request, level)
  if (there === null || !there.ok) return there
  const cross = crossSite(environment, request, null)
  if (cross) return cross
  if (request.method === 'GET' || request.method === 'HEAD') return there
  const token = request.headers.get('postern-csrf')
  if (token !== null && (await isCsrfToken(environment, there.cookie, token))) return there
  const detail = `Send the value of the cookie ${CSRF_COOKIE} as "Postern-CSRF".`
  return refuse('cross_site_request', detail, { check: 'postern-csrf' })
}

export function heldFor(environment: Environment, principal: Principal): Held {
  const now = nowSeconds()
  const groups = groupsAt(principal, now)
  const names = 'names' in groups ? groups.names : []
  const documents = async (level: Level) => {
    const held = await documentsAt(environment, level, names)
    if (!held.ok) throw unavailable(held)
    return held
  }
  return {
    decide: async (permission, level) => {
      const { policy, organization } = await documents(level)
      return decide(policy, organization, principal, { permission, level, now })
    },
    rolesAt: async (level) => {
      const { policy, organization } = await documents(level)
      return rolesAt(policy, organization, principal, level, now).roles
    },
  }
}

/** The principal with what is recorded of it by now: roles given directly, or that it was deactivated. */
export async function renewPrincipal(environment: Environment, principal: Principal): Promise<Authenticated> {
  // What a key's account has was read from D1 with this request.
  if (principal.issuer === KEY_ISSUER) return { ok: true, principal }
  const recorded = await principalRecord(environment, principal.issuer, principal.subject)
  if (!recorded.ok) return recorded
  return withRecord({ ...principal, kind: 'user', given: [] }, recorded.record)
}

/** So that whoever has just written sees it: publishes what is not yet, and has the newest documents held. */
export async function refreshHeld(environment: Environment): Promise<void> {
  await environment.PUBLISHER.getByName('instance').catchUp()
  const refusal = await refreshDocuments(environment)
  if (refusal) throw unavailable(refusal)
}
