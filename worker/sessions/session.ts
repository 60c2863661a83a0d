// What a session is: the record in the object of its principal, the copy an isolate holds, and what people see.
import type { Claims, LastKnownGroups } from '../../policy/principal.ts'

/** A session's secret on one host: the host's cookie has the secret, the object its hash. */
export interface HostCookie {
  /** Gateway host or fronted host, without a port: cookies know none. */
  host: string
  /** SHA-256 of the secret, base64url. */
  hash: string
}

/** How it began: with an issuer, or by the temporary password of LOCAL_RESTORE. */
export type SessionKind = 'sign-in' | 'restore'

/** All that deciding about a request needs. Times are milliseconds since the epoch throughout. */
export interface SessionCopy {
  /** Public: people see it in lists, the feed names it. It is no secret and opens nothing. */
  id: string
  kind: SessionKind
  /** Name of the object that keeps it (documents/published.ts, principalId). */
  principal: string
  /** Id of the issuer record that vouches; for `restore` KEY_ISSUER. */
  issuer: string
  subject: string
  /** The organization that owns the issuer; null: the instance. */
  organization: string | null
  /** What the issuer said: of the id_token, with what UserInfo or Graph added. The principal is made of it anew. */
  claims: Claims
  /** For issuers that keep groups (decision T4). */
  lastKnown: LastKnownGroups | null
  startedAt: number
  lastSeenAt: number
  /** When the claims were said. */
  claimsAt: number
  /** However it is used, it ends here. */
  expiresAt: number
  /** Ends of the whole instance up to then have left it out: whoever ends all others stays. */
  keptAt: number | null
  /** Whether a refresh token is kept, so that claims can be renewed without the browser. */
  renewable: boolean
}

const CLAIMS_FRESH_MS = 60 * 60_000

/** Whether the issuer is to be asked anew, an hour after it was asked last. `now` in milliseconds since the epoch. */
export function isRenewalDue({ renewable, claimsAt }: SessionCopy, now: number): boolean {
  return renewable && now - claimsAt >= CLAIMS_FRESH_MS
}

/** What the callback gives the object. */
export interface NewSession
  extends Omit<SessionCopy, 'principal' | 'lastSeenAt' | 'keptAt' | 'renewable' | 'lastKnown'> {
  cookie: HostCookie
  /** The issuer's own names of the session and the person: what logout tokens name. */
  sid: string | null
  sub: string | null
  /** The client it was signed in with. */
  clientId: string
  /** For `id_token_hint`; sealed (purpose "id-token", the session's id). Null where it is too long to be one. */
  idToken: string | null
  /** Sealed (purpose "refresh-token", the session's id). */
  refreshToken: string | null
  /** "Chrome on Windows", of the User-Agent; and where the request came from, as the platform says: "DE, Berlin". */
  device: string
  region: string | null
  /** The browser's session before, which ends with this one's beginning. */
  replaces: string | null
  /** Names that the claims say, when they say any groups: kept for decision T4. */
  groups: string[] | null
}

/** What people see of a session. */
export interface SessionSummary
  extends Pick<
    SessionCopy,
    'id' | 'issuer' | 'subject' | 'organization' | 'startedAt' | 'lastSeenAt' | 'expiresAt' | 'keptAt'
  > {
  device: string
  region: string | null
  hosts: string[]
}

/** What is left to be done when a session has ended: signing out at the issuer. */
export interface EndedSession {
  id: string
  issuer: string
  organization: string | null
  clientId: string
  /** Sealed. */
  idToken: string | null
}

/** Which sessions of a principal: all, one, or those that an issuer's logout token names. */
export type Which =
  | { kind: 'all'; except?: string }
  | { kind: 'session'; id: string }
  | { kind: 'sid'; issuer: string; sid: string; sub: string | null }
  | { kind: 'sub'; issuer: string; sub: string }
