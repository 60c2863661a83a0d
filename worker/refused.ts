// How a fronted host refuses: a person's browser that wants to show a page is led to sign in, or reads why not; everything
// else gets a problem document, which says where to sign in.
import type { Level } from '../policy/level.ts'
import type { Policy } from '../policy/loaded.ts'
import { answerRefusal } from './answers.ts'
import { holdOrganization } from './documents/held.ts'
import type { Environment } from './environment.ts'
import { frontedOrigin } from './fronted-origin.ts'
import type { Refusal } from './refusal.ts'
import { hostOfRequest } from './sessions/cookie.ts'

export interface RefusedAt {
  policy: Policy
  /** Null where no route was found. */
  level: Level | null
}

export async function answerRefused(
  environment: Environment,
  request: Request,
  refusal: Refusal,
  { policy, level }: RefusedAt,
  requestId: string,
): Promise<Response> {
  const shows = isNavigation(request)
  const host = hostOfRequest(request)
  if (mendedBySigningIn(refusal) && !request.headers.has('authorization') && policy.hosts.has(host)) {
    const organization = level === null || level.kind === 'global' ? null : level.organization
    if (await isSignInOffered(environment, policy, organization)) {
      if (!shows) return answerRefusal(withLoginUrl(environment, refusal, host), requestId)
      const [{ beginArrival }, { refusalPage }] = await Promise.all([
        import('./signin/arrival.ts'),
        import('./pages/refusal-page.ts'),
      ])
      const { pathname, search } = new URL(request.url)
      const why = { path: `${pathname}${search}`, organization, startedAfter: refusal.endedAt ?? 0 }
      const begun = await beginArrival(environment, request, host, why)
      return begun instanceof Response ? begun : refusalPage(begun, requestId)
    }
  }
  if (!shows) return answerRefusal(refusal, requestId)
  const { refusalPage } = await import('./pages/refusal-page.ts')
  return refusalPage(refusal, requestId)
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

/** A browser on its way to show a page, as it says itself; of older ones, whoever asks for HTML. */
export function isNavigation({ method, headers }: Request): boolean {
  if (method !== 'GET' || headers.get('upgrade') !== null) return false
  const mode = headers.get('sec-fetch-mode')
  if (mode !== null) return mode === 'navigate' && headers.get('sec-fetch-dest') === 'document'
  return (headers.get('accept') ?? '').includes('text/html') && !headers.has('x-requested-with')
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

function withLoginUrl(environment: Environment, refusal: Refusal, host: string): Refusal {
  const url = `${frontedOrigin(environment, host)}/.postern/login`
  return { ...refusal, members: { ...refusal.members, login_url: url } }
}
