// How a fronted host refuses: a person's browser that wants to show a page is led to sign in, or reads why not; everything
// else gets a problem document, which says where to sign in.
import { type Level, SLUG } from '../policy/level.ts'
import type { Policy } from '../policy/loaded.ts'
import { answerRefusal } from './answers.ts'
import { holdOrganization } from './documents/held.ts'
import type { Environment } from './environment.ts'
import { frontedOrigin } from './fronted-origin.ts'
import { answerPlainly, isNavigation } from './navigation.ts'
import type { Refusal } from './refusal.ts'
import { hostOfRequest, sessionCookieOf } from './sessions/cookie.ts'

export interface RefusedAt {
  policy: Policy
  level: Level
}

export async function answerRefused(
  environment: Environment,
  request: Request,
  refusal: Refusal,
  { policy, level }: RefusedAt,
  requestId: string,
): Promise<Response> {
  // A path may have anything where the name stands.
  const organization = level.kind !== 'global' && SLUG.test(level.organization) ? level.organization : null
  const isMended = mendedBySigningIn(refusal) && !request.headers.has('authorization')
  if (!isMended || !(await isSignInOffered(environment, policy, organization))) {
    // Who is known and may not may have another account.
    const isKnown = refusal.subject !== undefined && sessionCookieOf(request) !== null
    const actions = isKnown ? [{ label: 'Sign out', href: '/.postern/logout' }] : []
    return answerPlainly(request, refusal, requestId, actions)
  }
  const host = hostOfRequest(request)
  if (!isNavigation(request)) {
    const url = loginUrl(environment, host, organization)
    return answerRefusal({ ...refusal, members: { ...refusal.members, login_url: url } }, requestId)
  }
  const { beginArrival } = await import('./signin/arrival.ts')
  const { pathname, search } = new URL(request.url)
  const why = { path: `${pathname}${search}`, organization, startedAfter: refusal.endedAt ?? 0 }
  const begun = await beginArrival(environment, request, host, why)
  return begun instanceof Response ? begun : answerPlainly(request, begun, requestId)
}

/** Whoever signs in has what was missing. */
function mendedBySigningIn({ reason }: Refusal): boolean {
  return (
    reason === 'credentials_missing' ||
    reason === 'session_ended' ||
    reason === 'session_expired' ||
    reason === 'session_invalid'
  )
}

async function isSignInOffered(
  environment: Environment,
  policy: Policy,
  organization: string | null,
): Promise<boolean> {
  if (environment.LOCAL_RESTORE === 'true' || policy.issuers.some(({ signIn }) => signIn)) return true
  if (organization === null) return false
  const held = await holdOrganization(environment, organization)
  return held.ok && (held.content?.organization.issuers.some(({ signIn }) => signIn) ?? false)
}

/** Where a script may send the person, with `return_to`; the organization's own issuers are offered there as well. */
function loginUrl(environment: Environment, host: string, organization: string | null): string {
  const url = new URL('/.postern/login', frontedOrigin(environment, host))
  if (organization !== null) url.searchParams.set('organization', organization)
  return url.href
}
