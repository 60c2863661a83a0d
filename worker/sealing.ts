// Secrets at rest: AES-256-GCM with a key per purpose, derived from POSTERN_SECRET by HKDF (RFC 5869), and
// the record's id as associated data, so that a sealed value is of no use in another place.
import { base64url } from 'jose'
import type { Environment } from './environment.ts'

type Secrets = Pick<Environment, 'POSTERN_SECRET' | 'POSTERN_SECRET_PREVIOUS'>

const NONCE_BYTES = 12
const SECRET_BYTES = 32

/** @returns base64url of nonce and ciphertext. Throws when POSTERN_SECRET is missing or malformed. */
export async function seal(secrets: Secrets, purpose: string, id: string, plain: string): Promise<string> {
  const nonce = crypto.getRandomValues(new Uint8Array(NONCE_BYTES))
  const key = await deriveKey(secrets.POSTERN_SECRET, 'POSTERN_SECRET', purpose)
  const parameters = { name: 'AES-GCM', iv: nonce, additionalData: new TextEncoder().encode(id) }
  const sealed = new Uint8Array(await crypto.subtle.encrypt(parameters, key, new TextEncoder().encode(plain)))
  const bytes = new Uint8Array(NONCE_BYTES + sealed.length)
  bytes.set(nonce)
  bytes.set(sealed, NONCE_BYTES)
  return base64url.encode(bytes)
}

/** Opens with the present secret, else with the previous one. Throws when neither fits. */
export async function open(secrets: Secrets, purpose: string, id: string, sealed: string): Promise<string> {
  const bytes = base64url.decode(sealed)
  const additionalData = new TextEncoder().encode(id)
  const parameters = { name: 'AES-GCM', iv: bytes.slice(0, NONCE_BYTES), additionalData }
  const keys = [await deriveKey(secrets.POSTERN_SECRET, 'POSTERN_SECRET', purpose)]
  if (secrets.POSTERN_SECRET_PREVIOUS) {
    keys.push(await deriveKey(secrets.POSTERN_SECRET_PREVIOUS, 'POSTERN_SECRET_PREVIOUS', purpose))
  }
  for (const key of keys) {
    const plain = await crypto.subtle.decrypt(parameters, key, bytes.slice(NONCE_BYTES)).catch(() => null)
    if (plain) return new TextDecoder().decode(plain)
  }
  throw new Error(
    `what is sealed for ${purpose} "${id}" does not open with POSTERN_SECRET or POSTERN_SECRET_PREVIOUS; ` +
      'restore the secret it was sealed with as POSTERN_SECRET_PREVIOUS',
  )
}

async function deriveKey(secret: string | undefined, name: string, purpose: string): Promise<CryptoKey> {
  if (!secret) throw new Error(`${name} is not set; it must be 32 random bytes in base64url`)
  const bytes = decodeSecret(secret)
  if (bytes?.length !== SECRET_BYTES) {
    const is = bytes === null ? 'is not base64url' : `has ${bytes.length} bytes`
    throw new Error(`${name} ${is}; it must be ${SECRET_BYTES} random bytes in base64url`)
  }
  const material = await crypto.subtle.importKey('raw', bytes, 'HKDF', false, ['deriveKey'])
  const info = new TextEncoder().encode(`postern ${purpose}`)
  const derivation = { name: 'HKDF', hash: 'SHA-256', salt: new Uint8Array(0), info }
  return crypto.subtle.deriveKey(derivation, material, { name: 'AES-GCM', length: 256 }, false, [
    'encrypt',
    'decrypt',
  ])
}

function decodeSecret(secret: string): Uint8Array | null {
  try {
    return base64url.decode(secret)
  } catch {
    return null
  }
}
