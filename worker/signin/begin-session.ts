// Begins the session of somebody who has signed in: a new id each time, the cookies of the gateway host, and what people
// will recognise the session by. The one the browser had before ends.
import type { Claims, Principal } from '../../policy/principal.ts'
import { clock } from '../clock.ts'
import { principalId } from '../documents/published.ts'
import type { Environment } from '../environment.ts'
import { randomText } from '../opaque.ts'
import { reportSeen } from '../principals/report-seen.ts'
import type { Refusal } from '../refusal.ts'
import { seal } from '../sealing.ts'
import {
  csrfTokenOf,
  hostOfRequest,
  makeHostCookie,
  setCsrfCookie,
  setSessionCookie,
} from '../sessions/cookie.ts'
import { endSessions } from '../sessions/end.ts'
import type { NewSession, SessionCopy, SessionKind } from '../sessions/session.ts'
import { singleSignOnOf } from '../sessions/settings.ts'
import { deviceOf, regionOf } from './device.ts'

/** Purposes by which they are sealed, with the session's id. */
export const ID_TOKEN_PURPOSE = 'id-token'
export const REFRESH_TOKEN_PURPOSE = 'refresh-token'
/** A longer one is no `id_token_hint`: an address would be too long with it. */
const ID_TOKEN_LENGTH_MAX = 4096
const SID_LENGTH_MAX = 1000
/** Who came in by the temporary password leaves again. */
const RESTORE_SECONDS_MAX = 3600

export interface Beginning {
  kind: SessionKind
  principal: Principal
  /** What the issuer said. */
  claims: Claims
  clientId: string
  idToken: string | null
  refreshToken: string | null
  /** Groups as they were said, null where nothing was. */
  groups: string[] | null
  before: { principal: string; id: string } | null
  /** Where single sign-on is off, the fronted host that the session is for alone. */
  onlyHost: string | null
}

/** `cookies` are for Set-Cookie. */
export async function beginSession(
  environment: Environment,
  request: Request,
  beginning: Beginning,
): Promise<{ ok: true; copy: SessionCopy; cookies: string[] } | Refusal> {
  const settings = await singleSignOnOf(environment)
  if ('ok' in settings) return settings
  const { principal: person, before, onlyHost } = beginning
  const principal = await principalId(person.issuer, person.subject)
  const now = clock.now()
  const seconds = beginning.kind === 'restore' ? RESTORE_SECONDS_MAX : Number.POSITIVE_INFINITY
  const lifeMs = Math.min(settings.lifetimeSeconds, seconds) * 1000
  const host = onlyHost ?? hostOfRequest(request)
  const { value, cookie } = await makeHostCookie(environment, { host, principal })
  const session: NewSession = {
    ...(await namesOf(environment, beginning)),
    kind: beginning.kind,
    issuer: person.issuer,
    subject: person.subject,
    organization: person.voucher.organization,
    claims: beginning.claims,
    startedAt: now,
    claimsAt: now,
    expiresAt: now + lifeMs,
    cookie,
    clientId: beginning.clientId,
    device: deviceOf(request),
    region: regionOf(request),
    replaces: before?.principal === principal ? before.id : null,
    groups: beginning.groups,
  }
  const object = environment.SESSIONS.getByName(principal)
  await object.start(session)
  const copy = await object.get(session.id)
  if (copy === null) throw new Error('a session that has just begun is not there')
  if (before && before.principal !== principal) {
    const which = { kind: 'session', id: before.id } as const
    await endSessions(
      environment,
      before.principal,
      which,
      'somebody else has signed in with the same browser',
    )
  }
  if (beginning.kind === 'sign-in') reportSeen(environment, person, Math.floor(now / 1000))
  // The host gets its own cookie by a ticket; nobody has the secret of this one.
  if (onlyHost !== null) return { ok: true, copy, cookies: [] }
  const token = await csrfTokenOf(environment, value)
  const maxAge = lifeMs / 1000
  return { ok: true, copy, cookies: [setSessionCookie(value, maxAge), setCsrfCookie(token, maxAge)] }
}

/** The names of the session, here and at the issuer, and what is sealed for it alone. */
async function namesOf(
  environment: Environment,
  { claims: { sid, sub }, idToken, refreshToken }: Beginning,
): Promise<Pick<NewSession, 'id' | 'sid' | 'sub' | 'idToken' | 'refreshToken'>> {
  const id = randomText()
  const sealed = (purpose: string, text: string | null) => {
    return text === null ? null : seal(environment, purpose, id, text)
  }
  return {
    id,
    sid: typeof sid === 'string' && sid !== '' && sid.length <= SID_LENGTH_MAX ? sid : null,
    sub: typeof sub === 'string' ? sub : null,
    idToken: await sealed(
      ID_TOKEN_PURPOSE,
      idToken !== null && idToken.length <= ID_TOKEN_LENGTH_MAX ? idToken : null,
    ),
    refreshToken: await sealed(REFRESH_TOKEN_PURPOSE, refreshToken),
  }
}
