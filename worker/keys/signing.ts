// The signing key in an isolate: fetched sealed from its object, imported so that it cannot be taken out
// again, and kept for an hour at most.
import { type CryptoKey, importJWK, type JWK } from 'jose'
import { clock } from '../clock.ts'
import type { Environment } from '../environment.ts'
import { open } from '../sealing.ts'
import { SIGNING_ALGORITHM, SIGNING_PURPOSE } from './signing-object.ts'

const SIGNER_KEPT_MS = 60 * 60_000

export interface Signer {
  kid: string
  algorithm: typeof SIGNING_ALGORITHM
  key: CryptoKey
  /** The key set we publish (RFC 7517 5). */
  jwks: { keys: JWK[] }
}

let kept: { signer: Signer; until: number } | null = null

/** Throws when the keys cannot be opened: POSTERN_SECRET is missing or is not the one they were sealed with. */
export async function signerOf(environment: Environment): Promise<Signer> {
  if (kept && clock.now() < kept.until) return kept.signer
  const { kid, sealed, jwks } = await environment.SIGNING_KEYS.getByName('instance').keys()
  const jwk = JSON.parse(await open(environment, SIGNING_PURPOSE, kid, sealed)) as JWK
  const key = (await importJWK(jwk, SIGNING_ALGORITHM, { extractable: false })) as CryptoKey
  const signer: Signer = { kid, algorithm: SIGNING_ALGORITHM, key, jwks }
  kept = { signer, until: clock.now() + SIGNER_KEPT_MS }
  return signer
}
