// The hash of a password as a variable carries it: `pbkdf2-sha256$ITERATIONS$SALT$HASH`, salt and hash in base64url.
// cli/restore-password.ts makes it.
import { base64url } from 'jose'

export interface PasswordHash {
  iterations: number
  salt: Uint8Array
  hash: string
}

/** Workers do no more (the platform's own limit). */
const ITERATIONS_MAX = 100_000
const ITERATIONS_MIN = 10_000
/** A hash of 32 bytes: the last two bits stand for nothing and are zero. */
const WRITTEN = /^pbkdf2-sha256\$(\d{5,6})\$([\w-]{22,86})\$([\w-]{42}[AEIMQUYcgkosw048])$/

/** Null for whatever is not of that form. */
export function parsePasswordHash(text: string): PasswordHash | null {
  const [, iterationsText, salt, hash] = WRITTEN.exec(text) ?? []
  const iterations = Number(iterationsText)
  if (!salt || !hash || iterations < ITERATIONS_MIN || iterations > ITERATIONS_MAX) return null
  return { iterations, salt: base64url.decode(salt), hash }
}

export async function fitsPasswordHash(
  { iterations, salt, hash }: PasswordHash,
  password: string,
): Promise<boolean> {
  const text = new TextEncoder().encode(password)
  const key = await crypto.subtle.importKey('raw', text, 'PBKDF2', false, ['deriveBits'])
  const parameters = { name: 'PBKDF2', hash: 'SHA-256', salt, iterations }
  return base64url.encode(new Uint8Array(await crypto.subtle.deriveBits(parameters, key, 256))) === hash
}
