// The sessions of one principal: a Durable Object that begins, finds, renews and ends them.
import { DurableObject } from 'cloudflare:workers'
import type { Environment } from '../environment.ts'
import type { EndedSession, NewSession, SessionCopy, SessionSummary, Which } from './session.ts'

export class SessionsObject extends DurableObject<Environment> {
  /** Kept once it returns. Ends `replaces`, and the oldest where there would be too many. */
  async start(_session: NewSession): Promise<void> {
    throw new Error('not built')
  }
  /** The live session that the cookie of a host belongs to; null when there is none, or it has ended. */
  async find(_hash: string, _host: string): Promise<SessionCopy | null> {
    throw new Error('not built')
  }
  /** The live session of that id. */
  async get(_id: string): Promise<SessionCopy | null> {
    throw new Error('not built')
  }
  /** Lets another host's cookie stand for the session. False when the session has ended. */
  async addHost(_id: string, _cookie: { host: string; hash: string }): Promise<boolean> {
    throw new Error('not built')
  }
  /** That it was used at a time; the newest time known. Null when it has ended. */
  async touch(_id: string, _at: number): Promise<number | null> {
    throw new Error('not built')
  }
  async list(): Promise<SessionSummary[]> {
    throw new Error('not built')
  }
  /** Ends them for good, and has every isolate told (PublisherObject.announceEnd), for certain. */
  async end(_which: Which, _why: string): Promise<EndedSession[]> {
    throw new Error('not built')
  }
  /** The sealed refresh token, to the one who may use it now; null to others, and where there is none. */
  async beginRenewal(_id: string): Promise<{ refreshToken: string } | null> {
    throw new Error('not built')
  }
  /** What the issuer said anew; a null refresh token keeps the one there is. `claims` null: it failed, try later. */
  async finishRenewal(
    _id: string,
    _renewed: {
      claims: Record<string, unknown>
      claimsAt: number
      refreshToken: string | null
      groups: string[] | null
    } | null,
  ): Promise<void> {
    throw new Error('not built')
  }
}
