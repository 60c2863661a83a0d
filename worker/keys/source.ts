// The keys of an issuer as an isolate sees them: from its memory, else from KV, else from the issuer's
// object. Sets that are due are refreshed behind the requests; through an outage the last good ones serve.
import { waitUntil } from 'cloudflare:workers'
import type { IssuerRecord } from '../../policy/compiled.ts'
import { clock } from '../clock.ts'
import type { Environment } from '../environment.ts'
import { createMemory } from '../memory.ts'
import { type Refusal, refuse } from '../refusal.ts'
import {
  type FetchedOrigin,
  KEYS_FRESH_MS,
  type KeyDocument,
  type KeyStatus,
  keyDocumentName,
  REFRESH_PAUSE_MS,
} from './issuer-object.ts'
import { readKeySet, type VerificationKey } from './key-set.ts'
import { type DescribedKey, describeKey } from './probe.ts'

/** How long a request waits for a refresh; the refresh may go on after it. */
const REFRESH_WAIT_MS = 12_000
/** A refresh that has not settled by then has died with the request that began it. */
const REFRESH_DEAD_MS = 30_000
const MEMORY_BYTES_MAX = 4 * 1024 * 1024

/** An issuer's keys in this isolate. Replaced as a whole, so that identity tells whether they changed. */
export interface HeldKeys {
  keys: readonly VerificationKey[]
  /** Milliseconds since the epoch, as all times here; 0 for keys written in the policy. */
  fetchedAt: number
  refreshAt: number
  refreshFirstAt: number
  usableUntil: number
}

interface Slot {
  origin: string
  held: HeldKeys | null
  refreshing: { done: Promise<void>; since: number } | null
  /** When the object was last asked and had nothing newer. */
  askedAt: number
}

const slots = createMemory<Slot>({
  weightMax: MEMORY_BYTES_MAX,
  weigh: (_id, { held }) => 1000 + (held?.keys.length ?? 1) * 2000,
})

/** The keys in memory, when they may be used as they are. The hot path; starts no wait. */
export function currentKeys(environment: Environment, record: IssuerRecord): HeldKeys | null {
  const slot = slots.get(record.id)
  if (!slot?.held || slot.origin !== originOf(record)) return null
  const now = clock.now()
  if (mustRefresh(slot, now)) return null
  if (now >= slot.held.refreshAt && mayAsk(slot, now)) refresh(environment, record, slot)
  return slot.held
}

/** The keys, waited for when need be. Refuses with `keys_unavailable` when there are none to trust. */
export async function keysOf(environment: Environment, record: IssuerRecord): Promise<HeldKeys | Refusal> {
  const current = currentKeys(environment, record)
  if (current) return current
  const slot = slotOf(record)
  if (!slot.held) await fillFromKv(environment, record, slot)
  const now = clock.now()
  if (mustRefresh(slot, now)) {
    if (mayAsk(slot, now)) refresh(environment, record, slot)
    await settled(slot)
  }
  if (slot.held && clock.now() < slot.held.usableUntil) return slot.held
  return refuse(
    'keys_unavailable',
    `The keys of issuer "${record.id}" could not be fetched, and none are kept.`,
  )
}

/** For a token whose key is not in `held`: the keys after a refresh, if the issuer may be asked now. */
export async function keysAfterMiss(
  environment: Environment,
  record: IssuerRecord,
  held: HeldKeys,
): Promise<HeldKeys> {
  const slot = slotOf(record)
  if (slot.held === held && mayAsk(slot, clock.now())) refresh(environment, record, slot)
  await settled(slot)
  return slot.held ?? held
}

/** What the issuer's object knows, for people (health.ts). Pinned keys have no object. */
export async function keyStatus(environment: Environment, record: IssuerRecord): Promise<KeyStatus | null> {
  const origin = fetchedOrigin(record)
  return origin && (await environment.ISSUERS.getByName(record.id).status(origin))
}

/** Has the issuer's object fetch the keys now, and takes them over here. Pinned keys have no object. */
export async function refreshKeysNow(
  environment: Environment,
  record: IssuerRecord,
): Promise<KeyStatus | null> {
  const origin = fetchedOrigin(record)
  if (origin === null) return null
  const status = await environment.ISSUERS.getByName(record.id).refreshNow(record.id, origin)
  if (status.document) adopt(record, slotOf(record), status.document)
  return status
}

/** The keys that are known of an issuer, those that were withdrawn among them. */
export function keysOfRecord(
  { keyOrigin, withdrawnKeys }: IssuerRecord,
  status: KeyStatus | null,
): (DescribedKey & { withdrawn: boolean })[] {
  const read = readKeySet(keyOrigin.kind === 'pinned' ? keyOrigin.jwks : status?.document?.jwks)
  const keys = read.ok ? read.keys.map(describeKey) : []
  return keys.map((key) => ({ ...key, withdrawn: key.kid !== null && withdrawnKeys.includes(key.kid) }))
}

/** Null for keys that are written in the policy. */
function fetchedOrigin({ keyOrigin, vpcBinding }: IssuerRecord): FetchedOrigin | null {
  if (keyOrigin.kind === 'pinned') return null
  return vpcBinding === null ? keyOrigin : { ...keyOrigin, vpcBinding }
}

const origins = new WeakMap<IssuerRecord, string>()

/** The record's key origin as text, written once. */
function originOf(record: IssuerRecord): string {
  const known = origins.get(record)
  if (known !== undefined) return known
  const origin = JSON.stringify(fetchedOrigin(record) ?? record.keyOrigin)
  origins.set(record, origin)
  return origin
}

function slotOf(record: IssuerRecord): Slot {
  const origin = originOf(record)
  const known = slots.get(record.id)
  if (known?.origin === origin) return known
  const { keyOrigin } = record
  const slot: Slot = { origin, held: null, refreshing: null, askedAt: 0 }
  if (keyOrigin.kind === 'pinned') slot.held = holdPinned(keyOrigin.jwks)
  slots.set(record.id, slot)
  return slot
}

function holdPinned(jwks: unknown): HeldKeys {
  const read = readKeySet(jwks)
  const keys = read.ok ? read.keys : []
  const never = Number.POSITIVE_INFINITY
  return { keys, fetchedAt: 0, refreshAt: never, refreshFirstAt: never, usableUntil: never }
}

async function fillFromKv(environment: Environment, record: IssuerRecord, slot: Slot): Promise<void> {
  if (record.keyOrigin.kind === 'pinned') return
  const document = await environment.KV.get<KeyDocument>(keyDocumentName(record.id), 'json')
  if (document && slot.held === null) adopt(record, slot, document)
}

/** Takes a document over what the slot holds, unless it is older, or of another origin or format. */
function adopt(record: IssuerRecord, slot: Slot, document: KeyDocument): void {
  if (document.format !== 1 || document.origin !== slot.origin) return
  if (slot.held && document.fetchedAt <= slot.held.fetchedAt) return
  const read = readKeySet(document.jwks)
  if (!read.ok) return
  // A key that was there before stays the same object: imported already, and known to verified tokens.
  const known = new Map(slot.held?.keys.map((key) => [key.id, key]))
  // Isolates are spread over the last fifth of the time, so that they do not all ask at once.
  const refreshAt = document.fetchedAt + KEYS_FRESH_MS * (0.8 + 0.2 * Math.random())
  const usableUntil = document.fetchedAt + KEYS_FRESH_MS + record.keysUsableSeconds * 1000
  slot.held = {
    keys: read.keys.map((key) => known.get(key.id) ?? key),
    fetchedAt: document.fetchedAt,
    refreshAt,
    refreshFirstAt: document.fetchedAt + KEYS_FRESH_MS,
    usableUntil,
  }
}

/** Whether what is held may not be used before it is asked for anew. */
function mustRefresh({ held }: Slot, now: number): boolean {
  return !held || now >= held.refreshFirstAt || now >= held.usableUntil
}

function mayAsk(slot: Slot, now: number): boolean {
  if (slot.refreshing && now - slot.refreshing.since < REFRESH_DEAD_MS) return false
  return now - slot.askedAt >= (slot.held ? REFRESH_PAUSE_MS : 0)
}

/** Asks the issuer's object for something newer; requests that need it wait in `settled`. */
function refresh(environment: Environment, record: IssuerRecord, slot: Slot): void {
  const origin = fetchedOrigin(record)
  if (origin === null) return
  const before = slot.held
  const since = clock.now()
  const done = environment.ISSUERS.getByName(record.id)
    .keys(record.id, origin, before?.fetchedAt ?? 0)
    .then(
      ({ document }) => {
        if (document) adopt(record, slot, document)
      },
      (error: Error) =>
        console.warn(`keys of issuer ${record.id}: its object did not answer: ${error.message}`),
    )
    .finally(() => {
      if (slot.refreshing?.done === done) slot.refreshing = null
      if (slot.held === before) {
        slot.askedAt = clock.now()
        if (before) keepServing(before)
      }
    })
  // The refresh outlives the request that began it: others wait for it too.
  slot.refreshing = { done, since }
  waitUntil(done)
}

/**
 * The issuer gave nothing newer: what is held serves on, and is asked for behind the requests for a while, so
 * that an outage does not make each of them wait.
 */
function keepServing(held: HeldKeys): void {
  const now = clock.now()
  held.refreshAt = Math.max(held.refreshAt, now + REFRESH_PAUSE_MS)
  held.refreshFirstAt = Math.max(held.refreshFirstAt, now + KEYS_FRESH_MS)
}

/** Bounded by a timer of this request: another request's promise might never settle. */
async function settled(slot: Slot): Promise<void> {
  if (!slot.refreshing) return
  const late = new AbortController()
  const timer = scheduler.wait(REFRESH_WAIT_MS, { signal: late.signal }).catch(() => undefined)
  await Promise.race([slot.refreshing.done, timer])
  late.abort()
}
