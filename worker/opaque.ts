// Text that tells nothing: random, so that nobody guesses it, or the hash of another text, so that nobody reads that.
import { base64url } from 'jose'

const RANDOM_BYTES = 32

/** 256 random bits, base64url. */
export function randomText(): string {
  return base64url.encode(crypto.getRandomValues(new Uint8Array(RANDOM_BYTES)))
}

/** SHA-256, base64url. */
export async function digestOf(text: string): Promise<string> {
  const digest = await crypto.subtle.digest('SHA-256', new TextEncoder().encode(text))
  return base64url.encode(new Uint8Array(digest))
}
