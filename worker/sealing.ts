// Secrets at rest: AES-256-GCM with a key per purpose, derived from POSTERN_SECRET by HKDF (RFC 5869), and
// the record's id as associated data, so that a sealed value is of no use in another place. What only has to be known
// again as ours is signed in the same way, with HMAC-SHA256.
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

/** Of a value that JSON can say. */
export function sealJson(secrets: Secrets, purpose: string, id: string, value: unknown): Promise<string> {
  return seal(secrets, purpose, id, JSON.stringify(value))
}

/** For what comes back from a browser: null where it does not open, whoever made it. */
export async function openJson<Value>(
  secrets: Secrets,
  purpose: string,
  id: string,
  sealed: string,
): Promise<Value | null> {
  const text = await open(secrets, purpose, id, sealed).catch(() => null)
  return text === null ? null : (JSON.parse(text) as Value)
}

/** @returns base64url of the HMAC. */
export async function sign(secrets: Secrets, purpose: string, text: string): Promise<string> {
  const key = await signingKey(secrets.POSTERN_SECRET, 'POSTERN_SECRET', purpose)
  return base64url.encode(
    new Uint8Array(await crypto.subtle.sign('HMAC', key, new TextEncoder().encode(text))),
  )
}

/** Whether it was signed here, with the present secret or the previous one. In constant time; one spelling only. */
export async function isSigned(
  secrets: Secrets,
  purpose: string,
  text: string,
  signature: string,
): Promise<boolean> {
  if (!SIGNATURE.test(signature)) return false
  const signed = new TextEncoder().encode(text)
  const bytes = base64url.decode(signature)
  const { POSTERN_SECRET: present, POSTERN_SECRET_PREVIOUS: previous } = secrets
  const key = await signingKey(present, 'POSTERN_SECRET', purpose)
  if (await crypto.subtle.verify('HMAC', key, bytes, signed)) return true
  if (!previous) return false
  const before = await signingKey(previous, 'POSTERN_SECRET_PREVIOUS', purpose)
  return crypto.subtle.verify('HMAC', before, bytes, signed)
}
/** 32 bytes; the last two bits stand for nothing and are zero. */
const SIGNATURE = /^[\w-]{42}[AEIMQUYcgkosw048]$/

/** By secret and purpose: two secrets at most, and a few purposes. */
const signingKeys = new Map<string, CryptoKey>()

async function signingKey(secret: string | undefined, name: string, purpose: string): Promise<CryptoKey> {
  const known = signingKeys.get(`${purpose} ${secret}`)
  if (known) return known
  const algorithm = { name: 'HMAC', hash: 'SHA-256', length: 256 }
  const key = await crypto.subtle.deriveKey(
    derivationOf(purpose),
    await materialOf(secret, name),
    algorithm,
    false,
    ['sign', 'verify'],
  )
  signingKeys.set(`${purpose} ${secret}`, key)
  return key
}

async function deriveKey(secret: string | undefined, name: string, purpose: string): Promise<CryptoKey> {
  const material = await materialOf(secret, name)
  return crypto.subtle.deriveKey(derivationOf(purpose), material, { name: 'AES-GCM', length: 256 }, false, [
    'encrypt',
    'decrypt',
  ])
}

function derivationOf(purpose: string) {
  const info = new TextEncoder().encode(`postern ${purpose}`)
  return { name: 'HKDF', hash: 'SHA-256', salt: new Uint8Array(0), info }
}

async function materialOf(secret: string | undefined, name: string): Promise<CryptoKey> {
  if (!secret) throw new Error(`${name} is not set; it must be 32 random bytes in base64url`)
  const bytes = decodeSecret(secret)
  if (bytes?.length !== SECRET_BYTES) {
    const is = bytes === null ? 'is not base64url' : `has ${bytes.length} bytes`
    throw new Error(`${name} ${is}; it must be ${SECRET_BYTES} random bytes in base64url`)
  }
  return crypto.subtle.importKey('raw', bytes, 'HKDF', false, ['deriveKey'])
}

function decodeSecret(secret: string): Uint8Array | null {
  try {
    return base64url.decode(secret)
  } catch {
    return null
  }
}
