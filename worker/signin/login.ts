// Begins to sign somebody in: where to afterwards, with whom, and off to the provider. Whoever has a session already that
// is good for it goes straight on.
import type { Environment } from '../environment.ts'
import { checkTransport, gatewayOriginOf } from '../fronted-origin.ts'
import { randomText } from '../opaque.ts'
import { refusalPage } from '../pages/refusal-page.ts'
import { type Refusal, refuse } from '../refusal.ts'
import { type HeldSession, sessionOf } from '../sessions/held.ts'
import { principalOfSession } from '../sessions/principal.ts'
import { singleSignOnOf } from '../sessions/settings.ts'
import { beginAttempt } from './attempt.ts'
import { choicePage, nobodyOfferedPage, rememberIssuer } from './choose.ts'
import { limited } from './flood.ts'
import { goTo } from './go-to.ts'
import { offeredIssuers } from './offered.ts'
import { authorizationUrl, relyingPartyOf, type SignInRecord } from './relying-party.ts'
import { finishAt, readTarget, type Target } from './target.ts'

export const CALLBACK_PATH = '/oidc/callback'
const HINT_LENGTH_MAX = 320

export async function login(
  environment: Environment,
  request: Request,
  requestId: string,
): Promise<Response> {
  const flooded = await limited(environment, request, 'login')
  if (flooded) return refusalPage(flooded, requestId)
  const answer = await beginLogin(environment, request, requestId)
  if (answer instanceof Response) return answer
  return refusalPage(answer, requestId, { actions: actionsAfter(answer, request) })
}

/** An issuer that is not offered was asked for: the others may be. */
function actionsAfter({ reason }: Refusal, request: Request) {
  const { pathname, search, searchParams } = new URL(request.url)
  if (reason === 'return_to_not_allowed' || reason === 'sign_in_request_invalid') return []
  if (reason !== 'provider_not_offered') return [{ label: 'Try again', href: `${pathname}${search}` }]
  searchParams.delete('issuer')
  return [{ label: 'Choose another way', href: `${pathname}?${searchParams}` }]
}

async function beginLogin(
  environment: Environment,
  request: Request,
  requestId: string,
): Promise<Response | Refusal> {
  const url = new URL(request.url)
  const origin = originOf(environment, request)
  if (typeof origin !== 'string') return origin
  const read = await readTarget(environment, url)
  if (!read.ok) return read
  const { target } = read
  const present = await presentSession(environment, request, target)
  if (!present.ok) return present
  if (present.goesOn && present.session) return finishAt(environment, target, present.session.copy)
  const query = (name: string) => url.searchParams.get(name) || null
  const loginHint = query('login_hint')?.slice(0, HINT_LENGTH_MAX) ?? null
  const organization = query('organization') ?? (target.kind === 'host' ? target.organization : null)
  const offered = await offeredIssuers(environment, { issuer: query('issuer'), organization, loginHint })
  if (!offered.ok) return offered
  if (offered.chosen === null) {
    return offered.choices.length > 0
      ? choicePage(request, offered.choices, requestId)
      : nobodyOfferedPage(requestId)
  }
  const before = present.session && { principal: present.session.copy.principal, id: present.session.copy.id }
  const remembered = offered.several ? rememberIssuer(offered.chosen.id) : null
  return askProvider(environment, request, offered.chosen, { origin, target, before, loginHint, remembered })
}

/** The origin of the gateway host that the request came to: as it is configured, whatever the request says. */
export function originOf(environment: Environment, request: Request): string | Refusal {
  const origin = gatewayOriginOf(environment, request)
  if (origin === null) return refuse('host_unknown', 'It is no gateway host.', { check: 'host' })
  return checkTransport(environment, origin) ?? origin
}

type Present = { ok: true; session: HeldSession | null; goesOn: boolean } | Refusal

/** The browser's live session on this gateway host, and whether it is good for the target. */
export async function presentSession(
  environment: Environment,
  request: Request,
  target: Target,
): Promise<Present> {
  const held = await sessionOf(environment, request)
  // One that has ended is none; that it cannot be known at the moment is another matter.
  if (held === null || !held.ok) {
    return held?.reason === 'changes_unavailable' || held?.reason === 'policy_unavailable'
      ? held
      : { ok: true, session: null, goesOn: false }
  }
  const { session } = held
  // One that would be refused where it is to be used would come back from there at once.
  const stands = await principalOfSession(environment, session)
  if (!stands.ok) return { ok: true, session, goesOn: false }
  if (target.kind !== 'host') return { ok: true, session, goesOn: true }
  const settings = await singleSignOnOf(environment)
  if ('ok' in settings) return settings
  const goesOn = settings.isActive && session.copy.startedAt > target.startedAfter
  return { ok: true, session, goesOn }
}

interface Begun {
  origin: string
  target: Target
  before: { principal: string; id: string } | null
  loginHint: string | null
  /** For Set-Cookie. */
  remembered: string | null
}

async function askProvider(
  environment: Environment,
  request: Request,
  record: SignInRecord,
  { origin, target, before, loginHint, remembered }: Begun,
): Promise<Response | Refusal> {
  const party = await relyingPartyOf(environment, record)
  if (!party.ok) return party
  const { authMethod, pkce } = record.signIn
  const { attempt, cookie } = await beginAttempt(environment, request, {
    verifier: authMethod === 'pkce' && pkce ? randomText() : null,
    issuer: record.id,
    organization: record.organization,
    redirectUri: `${origin}${CALLBACK_PATH}`,
    target,
    before,
  })
  const location = await authorizationUrl(party, { ...attempt, loginHint })
  return goTo(location.href, remembered === null ? [cookie] : [cookie, remembered])
}
