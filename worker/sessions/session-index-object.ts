// Which sessions a `sid` or a `sub` of an issuer record means: a Durable Object for each, so that a logout token finds
// them without a cookie.
import { DurableObject } from 'cloudflare:workers'
import type { Environment } from '../environment.ts'

export class SessionIndexObject extends DurableObject<Environment> {
  /** `expires` in milliseconds since the epoch: when the session ends at the latest. */
  async add(_principal: string, _session: string, _expires: number): Promise<void> {
    throw new Error('not built')
  }
  /** Principals (their ids) with sessions of that name, each with the sessions' ids. */
  async list(): Promise<{ principal: string; sessions: string[] }[]> {
    throw new Error('not built')
  }
}
