// Our own signing keys: one Durable Object makes them on first use, keeps them sealed, publishes each a day
// before it signs and for days after it has stopped.
import { DurableObject } from 'cloudflare:workers'
import { calculateJwkThumbprint, exportJWK, generateKeyPair, type JWK } from 'jose'
import { clock } from '../clock.ts'
import type { Environment } from '../environment.ts'
import { open, seal } from '../sealing.ts'

export const SIGNING_ALGORITHM = 'ES256'
export const SIGNING_PURPOSE = 'signing-keys'

const DAY_MS = 24 * 60 * 60_000
/** How long a key signs. */
export const KEY_LIFE_MS = 30 * DAY_MS
/** How long a key is published before it signs: longer than anyone keeps our key set. */
export const PUBLISHED_AHEAD_MS = DAY_MS
/** How long a key stays published after: longer than any token it signed lives. */
export const PUBLISHED_AFTER_MS = 2 * DAY_MS

interface StoredKey {
  kid: string
  publicJwk: JWK
  /** The private JWK, sealed with the `kid` as associated data. */
  sealed: string
  createdAt: number
  /** Null until it signs. */
  signsFrom: number | null
}

/** What an isolate needs: the key that signs now, sealed, and all that are published. */
export interface SigningKeys {
  kid: string
  sealed: string
  jwks: { keys: JWK[] }
}

export class SigningKeysObject extends DurableObject<Environment> {
  /** Throws when POSTERN_SECRET is missing, malformed, or not the one the keys were sealed with. */
  async keys(): Promise<SigningKeys> {
    // One at a time, so that two first calls cannot make two first keys.
    return this.ctx.blockConcurrencyWhile(async () => {
      const before = (await this.ctx.storage.get<StoredKey[]>('keys')) ?? []
      const keys = await this.#advance(before, clock.now())
      if (keys !== before) await this.ctx.storage.put('keys', keys)
      const signing = signingKey(keys)
      return {
        kid: signing.kid,
        sealed: signing.sealed,
        jwks: { keys: keys.map(({ publicJwk }) => publicJwk) },
      }
    })
  }

  /** The keys as they should be now: one that signs, one that follows it, those that have just ended. */
  async #advance(before: StoredKey[], now: number): Promise<StoredKey[]> {
    let keys = before
    if (keys.length === 0) keys = [{ ...(await this.#create(now)), signsFrom: now }]
    let [next] = keys.filter(({ signsFrom }) => signsFrom === null)
    if (!next) {
      next = await this.#create(now)
      keys = [...keys, next]
    }
    const due = now - (signingKey(keys).signsFrom as number) >= KEY_LIFE_MS
    if (due && now - next.createdAt >= PUBLISHED_AHEAD_MS) {
      const promoted = { ...next, signsFrom: now }
      keys = [...keys.filter(({ kid }) => kid !== promoted.kid), promoted, await this.#create(now)]
    }
    const since = signingKey(keys).signsFrom as number
    const kept = keys.filter((key) => {
      const ended = key.signsFrom !== null && key.signsFrom < since
      return !ended || now - since < PUBLISHED_AFTER_MS
    })
    keys = kept.length < keys.length ? kept : keys
    return this.#reseal(keys)
  }

  async #create(now: number): Promise<StoredKey> {
    const { publicKey, privateKey } = await generateKeyPair(SIGNING_ALGORITHM, { extractable: true })
    const jwk = await exportJWK(publicKey)
    const kid = await calculateJwkThumbprint(jwk)
    const sealed = await seal(this.env, SIGNING_PURPOSE, kid, JSON.stringify(await exportJWK(privateKey)))
    const publicJwk = { ...jwk, kid, alg: SIGNING_ALGORITHM, use: 'sig' }
    return { kid, publicJwk, sealed, createdAt: now, signsFrom: null }
  }

  /** While a new POSTERN_SECRET takes over from the previous one, the keys are sealed anew with it. */
  async #reseal(keys: StoredKey[]): Promise<StoredKey[]> {
    const { POSTERN_SECRET, POSTERN_SECRET_PREVIOUS } = this.env
    if (!POSTERN_SECRET || !POSTERN_SECRET_PREVIOUS) return keys
    const present = { POSTERN_SECRET }
    const resealed = await Promise.all(
      keys.map(async (key) => {
        const opens = await open(present, SIGNING_PURPOSE, key.kid, key.sealed).catch(() => null)
        if (opens !== null) return key
        const plain = await open(this.env, SIGNING_PURPOSE, key.kid, key.sealed)
        return { ...key, sealed: await seal(present, SIGNING_PURPOSE, key.kid, plain) }
      }),
    )
    return resealed.some((key, index) => key !== keys[index]) ? resealed : keys
  }
}

/** The key that began to sign last. */
function signingKey(keys: readonly StoredKey[]): StoredKey {
  const signing = keys.filter(({ signsFrom }) => signsFrom !== null)
  return signing.reduce((latest, key) =>
    (key.signsFrom as number) > (latest.signsFrom as number) ? key : latest,
  )
}
