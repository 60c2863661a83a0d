// Learns anew what an issuer says of somebody, without the browser: behind a request of a session whose claims are an hour
// old, by the refresh token that is kept with it. An issuer that no longer vouches ends the session; one that is away does
// not.
import { waitUntil } from 'cloudflare:workers'
import type { Claims } from '../../policy/principal.ts'
import { clock } from '../clock.ts'
import type { Environment } from '../environment.ts'
import { createMemory } from '../memory.ts'
import { type Refusal, refuse } from '../refusal.ts'
import { open, seal } from '../sealing.ts'
import { endSessions } from '../sessions/end.ts'
import type { SessionCopy } from '../sessions/session.ts'
import { verifyIdToken } from '../tokens/id-token.ts'
import { REFRESH_TOKEN_PURPOSE } from './begin-session.ts'
import { groupsSaid } from './groups-said.ts'
import { completeClaims, mergeClaims } from './identity.ts'
import { recordOfId } from './issuer-records.ts'
import {
  exchangeRefreshToken,
  fetchUserInfo,
  type RelyingParty,
  relyingPartyOf,
  signInRecord,
  type Tokens,
} from './relying-party.ts'

/** An isolate asks the session's object so often at most; the object says who may. */
const ASK_PAUSE_MS = 60_000
const MEMORY_BYTES_MAX = 1024 * 1024
const ENTRY_BYTES = 128

const asked = createMemory<number>({ weightMax: MEMORY_BYTES_MAX, weigh: () => ENTRY_BYTES })

/** For a session whose renewal is due (sessions/session.ts). Neither waits nor throws. */
export function renewBehind(environment: Environment, session: SessionCopy): void {
  const now = clock.now()
  if (now - (asked.get(session.id) ?? Number.NEGATIVE_INFINITY) < ASK_PAUSE_MS) return
  asked.set(session.id, now)
  waitUntil(
    renew(environment, session).catch((error: Error) => {
      console.warn(`a session of issuer ${session.issuer} cannot be renewed: ${error.message}`)
    }),
  )
}

async function renew(environment: Environment, session: SessionCopy): Promise<void> {
  const object = environment.SESSIONS.getByName(session.principal)
  const begun = await object.beginRenewal(session.id)
  if (begun === null) return
  const renewed = await renewedBy(environment, session, begun.refreshToken).catch((error: Error) => {
    return refuse('provider_unavailable', error.message)
  })
  if (renewed.ok) {
    const { claims, refreshToken, groups } = renewed
    await object.finishRenewal(session.id, { claims, claimsAt: clock.now(), refreshToken, groups })
    return
  }
  if (isFinal(renewed)) {
    const which = { kind: 'session', id: session.id } as const
    await endSessions(environment, session.principal, which, 'the issuer no longer vouches for it')
    return
  }
  console.warn(`a session of issuer ${session.issuer} is not renewed for now: ${renewed.detail}`)
  await object.finishRenewal(session.id, null)
}

/** The refresh token is no good any more, or answers for somebody else. */
function isFinal({ reason, check }: Refusal): boolean {
  return (reason === 'attempt_used' && check === 'code') || reason === 'subject_mismatch'
}

type Renewed = { ok: true; claims: Claims; refreshToken: string | null; groups: string[] | null } | Refusal

async function renewedBy(environment: Environment, session: SessionCopy, sealed: string): Promise<Renewed> {
  const found = await recordOfId(environment, session.issuer, session.organization)
  if (!found.ok) return found
  const record = signInRecord(found.record)
  if (record === null) return refuse('provider_not_offered', `"${session.issuer}" signs in nobody any more.`)
  const party = await relyingPartyOf(environment, record)
  if (!party.ok) return party
  const refreshToken = await open(environment, REFRESH_TOKEN_PURPOSE, session.id, sealed)
  const tokens = await exchangeRefreshToken(environment, party, refreshToken)
  if (!tokens.ok) return tokens
  const said = await claimsBy(environment, party, session, tokens)
  if (!said.ok) return said
  const completed = await completeClaims(environment, party, said.claims, tokens)
  if (!completed.ok) return completed
  const { claims } = completed
  const next = tokens.refreshToken
  return {
    ok: true,
    claims,
    refreshToken: next && (await seal(environment, REFRESH_TOKEN_PURPOSE, session.id, next)),
    groups: groupsSaid(record, claims),
  }
}

type SaidClaims = { ok: true; claims: Claims & { sub: string } } | Refusal

/** OpenID Connect Core 12.2: an id_token need not come; UserInfo then says what is new. */
async function claimsBy(
  environment: Environment,
  party: RelyingParty,
  { claims }: SessionCopy,
  { idToken, accessToken, client }: Tokens,
): Promise<SaidClaims> {
  const before: Claims & { sub: string } = { ...claims, sub: String(claims.sub) }
  if (idToken === null) {
    if (party.provider.userInfoEndpoint === null) return { ok: true, claims: before }
    const told = await fetchUserInfo(party, client, { accessToken, subject: before.sub })
    return told.ok ? { ok: true, claims: { ...before, ...mergeClaims({}, told.claims) } } : told
  }
  const verified = await verifyIdToken(environment, party.record, idToken, {
    nonce: null,
    accessToken,
    code: null,
  })
  if (!verified.ok || (verified.claims.sub === before.sub && verified.claims.iss === before.iss))
    return verified
  return refuse('subject_mismatch', 'The id_token of the renewal is about somebody else.', { check: 'sub' })
}
