// The demo identity provider's secrets: made once, kept in one file that only its owner can read, so that a
// restart does not invalidate tokens and sessions. What they are used for is idp.ts's.
import { randomBytes } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { calculateJwkThumbprint, exportJWK, generateKeyPair, type JWK } from 'jose'
import { SIGNING_ALGORITHMS, type SigningAlgorithm } from './names.ts'
import { writeSecretFile } from './secret-file.ts'

export interface IdpKeys {
  /** Private keys, one for each signing algorithm. */
  signing: JWK[]
  cookies: string[]
  /** The secret of the confidential client `postern`. */
  clientSecret: string
}

export async function loadIdpKeys(file: string): Promise<IdpKeys> {
  const kept = readKept(file)
  if (kept) return kept
  const keys: IdpKeys = {
    signing: await Promise.all(SIGNING_ALGORITHMS.map(newSigningKey)),
    cookies: [randomBytes(32).toString('base64url')],
    clientSecret: randomBytes(32).toString('base64url'),
  }
  writeSecretFile(file, `${JSON.stringify(keys, null, 2)}\n`)
  return keys
}

function readKept(file: string): IdpKeys | null {
  try {
    return JSON.parse(readFileSync(file, 'utf8')) as IdpKeys
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null
    throw error
  }
}

async function newSigningKey(alg: SigningAlgorithm): Promise<JWK> {
  const { privateKey } = await generateKeyPair(alg, { extractable: true, modulusLength: 2048 })
  const jwk = await exportJWK(privateKey)
  return { ...jwk, alg, use: 'sig', kid: await calculateJwkThumbprint(jwk) }
}
