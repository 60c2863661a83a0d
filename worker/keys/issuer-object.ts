// The one place in the world that fetches an issuer's keys and discovery document: a Durable Object for each issuer
// record. It holds the last good ones, lets one fetch be under way and keeps a pause between fetches. Keys it writes to
// KV, near every request; isolates read them there (source.ts). Who signs in with the issuer asks the object itself for
// what discovery says of that (provider.ts).
import { DurableObject } from 'cloudflare:workers'
import type { JWK } from 'jose'
import type { KeyOrigin } from '../../policy/compiled.ts'
import { clock } from '../clock.ts'
import type { Environment } from '../environment.ts'
import { judgeAddress } from './address.ts'
import { discoverJwksUri } from './discovery.ts'
import { fetchJson } from './fetch-json.ts'
import { readKeySet, writeKeySet } from './key-set.ts'
import { type ProviderMetadata, readMetadata } from './provider-metadata.ts'
import { reachOf } from './reach.ts'

export const KEYS_FRESH_MS = 10 * 60_000
/** An unknown `kid` makes the object fetch at most this often. */
export const REFRESH_PAUSE_MS = 30_000
/** Pause after a fetch that failed while there is nothing to serve. */
export const RETRY_PAUSE_MS = 5000
/** Whoever asks for the keys now, gets them at most this often. */
const REFRESH_NOW_PAUSE_MS = 1000
export const DISCOVERY_FRESH_MS = 60 * 60_000

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

/** What the discovery document says to those who sign people in. */
export interface ProviderStatus {
  document: { issuer: string; metadata: ProviderMetadata; fetchedAt: number } | null
  /** `answered`: something came back, and it will not do. */
  lastError: { problem: string; answered: boolean } | null
}

/** Where discovery begins. */
export interface DiscoveredOrigin {
  issuer: string
  vpcBinding: string | null
}

interface ProviderState extends ProviderStatus {
  /** The issuer that the state is of: of another one nothing counts. */
  issuer: string
  lastAttemptAt: number
}

interface State extends KeyStatus {
  discovered: { jwksUri: string; foundAt: string; at: number } | null
}

const EMPTY: State = { document: null, lastAttemptAt: null, lastError: null, discovered: null }

export class IssuerObject extends DurableObject<Environment> {
  #state: State | null = null
  #fetching: Promise<void> | null = null
  #provider: ProviderState | null = null
  #discovering: Promise<void> | null = null

  /** The discovery document as lately as it can be had: the last good one, however old, when the issuer is away. */
  async provider(origin: DiscoveredOrigin): Promise<ProviderStatus> {
    const state = await this.#loadProvider(origin.issuer)
    const { document, lastAttemptAt } = state
    const due = document === null || clock.now() - document.fetchedAt >= DISCOVERY_FRESH_MS
    if (due && clock.now() - lastAttemptAt >= (document ? REFRESH_PAUSE_MS : RETRY_PAUSE_MS)) {
      this.#discovering ??= this.#discover(origin).finally(() => {
        this.#discovering = null
      })
    }
    if (due && this.#discovering) await this.#discovering
    const now = await this.#loadProvider(origin.issuer)
    return { document: now.document, lastError: now.lastError }
  }

  async #discover({ issuer, vpcBinding }: DiscoveredOrigin): Promise<void> {
    const reach = await reachOf(this.env, vpcBinding)
    const found = reach.ok ? await discoverJwksUri(issuer, reach.rules, reach.through) : reach
    if (found.ok) await this.#keepProvider(issuer, found.document)
    else {
      const { document } = await this.#loadProvider(issuer)
      const lastError = { problem: found.problem, answered: 'answered' in found && found.answered === true }
      this.#provider = { issuer, document, lastError, lastAttemptAt: clock.now() }
      await this.ctx.storage.put('provider', this.#provider)
    }
  }

  async #keepProvider(issuer: string, document: Record<string, unknown>): Promise<void> {
    const now = clock.now()
    const kept = { issuer, metadata: readMetadata(document), fetchedAt: now }
    this.#provider = { issuer, document: kept, lastError: null, lastAttemptAt: now }
    await this.ctx.storage.put('provider', this.#provider)
  }

  async #loadProvider(issuer: string): Promise<ProviderState> {
    this.#provider ??= (await this.ctx.storage.get<ProviderState>('provider')) ?? null
    if (this.#provider?.issuer !== issuer) {
      this.#provider = { issuer, document: null, lastError: null, lastAttemptAt: 0 }
    }
    return this.#provider
  }

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
      await this.#keepProvider(origin.issuer, found.document)
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
