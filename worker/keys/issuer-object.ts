// The one place in the world that fetches an issuer's keys: a Durable Object for each issuer record. It
// holds the last good key set, lets one fetch be under way and keeps a pause between fetches. What it has
// it writes to KV, near every request; isolates read it there (source.ts).
import { DurableObject } from 'cloudflare:workers'
import type { JWK } from 'jose'
import type { KeyOrigin } from '../../policy/compiled.ts'
import { clock } from '../clock.ts'
import type { Environment } from '../environment.ts'
import { judgeAddress } from './address.ts'
import { discoverJwksUri } from './discovery.ts'
import { fetchJson } from './fetch-json.ts'
import { readKeySet, writeKeySet } from './key-set.ts'
import { reachOf } from './reach.ts'

export const KEYS_FRESH_MS = 10 * 60_000
/** An unknown `kid` makes the object fetch at most this often. */
export const REFRESH_PAUSE_MS = 30_000
/** Pause after a fetch that failed while there is nothing to serve. */
export const RETRY_PAUSE_MS = 5000
/** Whoever asks for the keys now, gets them at most this often. */
const REFRESH_NOW_PAUSE_MS = 1000
const DISCOVERY_FRESH_MS = 60 * 60_000

/** Where keys are fetched from. `vpcBinding` stands only where the issuer is reached through one. */
export type FetchedOrigin = Exclude<KeyOrigin, { kind: 'pinned' }> & { vpcBinding?: string }

/** What is kept of an issuer's keys, in the object and in KV. */
export interface KeyDocument {
  format: 1
  /** The origin as JSON: keys of another origin are never used, even under the same record id. */
  origin: string
  jwks: { keys: JWK[] }
  /** Milliseconds since the epoch. */
  fetchedAt: number
  jwksUri: string
  /** The discovery document that named the jwksUri; null where the policy does. */
  discoveredAt: string | null
}

export interface KeyStatus {
  document: KeyDocument | null
  lastAttemptAt: number | null
  /** Why the last attempt failed; null when it did not. */
  lastError: string | null
}

export function keyDocumentName(recordId: string): string {
  return `jwks:${recordId}`
}

interface State extends KeyStatus {
  discovered: { jwksUri: string; foundAt: string; at: number } | null
}

const EMPTY: State = { document: null, lastAttemptAt: null, lastError: null, discovered: null }

export class IssuerObject extends DurableObject<Environment> {
  #state: State | null = null
  #fetching: Promise<void> | null = null

  /**
   * The issuer's keys, newer than `newerThan` (milliseconds since the epoch) if a fetch may give that now.
   * Asking with the time of a set just read means: that one will not do.
   */
  async keys(recordId: string, origin: FetchedOrigin, newerThan: number): Promise<KeyStatus> {
    const state = await this.#load(origin)
    const served = state.document?.fetchedAt ?? 0
    // What is old is no answer either, even to somebody who holds something older.
    const due = served <= newerThan || clock.now() - served >= KEYS_FRESH_MS
    if (due && this.#mayFetch(state)) this.#startRefresh(recordId, origin)
    // Whoever asks while a fetch is under way gets what it brings.
    if (this.#fetching && due) await this.#fetching
    return this.status(origin)
  }

  /** The keys as the issuer has them now, discovery included, since somebody wants to see a change. */
  async refreshNow(recordId: string, origin: FetchedOrigin): Promise<KeyStatus> {
    const { lastAttemptAt } = await this.#load(origin)
    if (lastAttemptAt === null || clock.now() - lastAttemptAt >= REFRESH_NOW_PAUSE_MS) {
      if (this.#state && !this.#fetching) this.#state = { ...this.#state, discovered: null }
      this.#startRefresh(recordId, origin)
    }
    await this.#fetching
    return this.status(origin)
  }

  #startRefresh(recordId: string, origin: FetchedOrigin): void {
    this.#fetching ??= this.#refresh(recordId, origin).finally(() => {
      this.#fetching = null
    })
  }

  async status(origin: FetchedOrigin): Promise<KeyStatus> {
    const { document, lastAttemptAt, lastError } = await this.#load(origin)
    return { document, lastAttemptAt, lastError }
  }

  async #load(origin: FetchedOrigin): Promise<State> {
    this.#state ??= (await this.ctx.storage.get<State>('state')) ?? EMPTY
    const known = this.#state.document
    if (known && known.origin !== JSON.stringify(origin)) this.#state = EMPTY
    return this.#state
  }

  #mayFetch({ lastAttemptAt, document }: State): boolean {
    if (lastAttemptAt === null) return true
    return clock.now() - lastAttemptAt >= (document ? REFRESH_PAUSE_MS : RETRY_PAUSE_MS)
  }

  async #refresh(recordId: string, origin: FetchedOrigin): Promise<void> {
    const now = clock.now()
    const state = await this.#load(origin)
    const fetched = await this.#fetch(origin, state, now)
    const lastError = 'problem' in fetched ? fetched.problem : null
    if (lastError !== null) console.warn(`keys of issuer ${recordId}: ${lastError}`)
    const document = 'document' in fetched ? fetched.document : state.document
    // What was discovered is asked for anew after a failure: the address itself may have changed.
    const discovered = 'document' in fetched ? fetched.discovered : null
    // The pause begins when the attempt ends; one that timed out would have used it up otherwise.
    this.#state = { document, discovered, lastError, lastAttemptAt: clock.now() }
    await this.ctx.storage.put('state', this.#state)
    if ('document' in fetched) await this.env.KV.put(keyDocumentName(recordId), JSON.stringify(document))
  }

  async #fetch(
    origin: FetchedOrigin,
    { discovered: known }: State,
    now: number,
  ): Promise<{ document: KeyDocument; discovered: State['discovered'] } | { problem: string }> {
    const reach = await reachOf(this.env, origin.vpcBinding ?? null)
    if (!reach.ok) return { problem: reach.problem }
    const { rules, through } = reach
    let discovered = known && now - known.at < DISCOVERY_FRESH_MS ? known : null
    if (origin.kind === 'discovery' && !discovered) {
      const found = await discoverJwksUri(origin.issuer, rules, through)
      if (!found.ok) return { problem: found.problem }
      discovered = { jwksUri: found.jwksUri, foundAt: found.foundAt, at: now }
    }
    const jwksUri = origin.kind === 'jwksUri' ? origin.jwksUri : (discovered as { jwksUri: string }).jwksUri
    const wrong = judgeAddress(jwksUri, rules)
    if (wrong) return { problem: `${jwksUri} ${wrong}` }
    const fetched = await fetchJson(jwksUri, through)
    if (!fetched.ok) return { problem: `${jwksUri} ${fetched.problem}` }
    const read = readKeySet(fetched.json)
    if (!read.ok) return { problem: `${jwksUri} ${read.problem}` }
    const document: KeyDocument = {
      format: 1,
      origin: JSON.stringify(origin),
      jwks: writeKeySet(read.keys),
      fetchedAt: now,
      jwksUri,
      discoveredAt: origin.kind === 'discovery' ? (discovered?.foundAt ?? null) : null,
    }
    return { document, discovered }
  }
}
