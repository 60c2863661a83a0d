// Flood control of signing in: how many attempts an address has in a minute, counted by the platform where the request
// arrives. It slows down whoever makes many; guesses of a secret are counted in the secret's own object.
import type { Environment } from '../environment.ts'
import { type Refusal, refuse } from '../refusal.ts'

/** What is counted by itself. */
export type Limited = 'login' | 'callback' | 'restore' | 'arrival' | `${InShares}-${string}`
export type InShares = 'back-channel' | 'front-channel'

/** Null: it may go on. */
export async function limited(
  environment: Environment,
  request: Request,
  what: Limited,
): Promise<Refusal | null> {
  const limit = environment.SIGN_IN_LIMIT as RateLimit | undefined
  if (!limit) {
    warnOnce()
    return null
  }
  const address = request.headers.get('cf-connecting-ip') ?? 'local'
  const { success } = await limit.limit({ key: `${what}:${address}` })
  if (success) return null
  return refuse('too_many_requests', 'The address it comes from has made too many within a minute.')
}

/**
 * For what many may send from one address within a minute: an issuer, when its people go home, or their browsers behind
 * one router. An address has the limit once for each share; the same thing sent again and again has one share.
 * `name` is evenly spread over base64url.
 */
export function limitedInShares(
  environment: Environment,
  request: Request,
  { what, name }: { what: InShares; name: string },
): Promise<Refusal | null> {
  return limited(environment, request, `${what}-${name.charAt(0)}`)
}

let warned = false

/** Of a deployment whose wrangler.toml is older than the limit. */
function warnOnce(): void {
  if (!warned) console.warn('SIGN_IN_LIMIT is not bound: attempts to sign in are not limited (wrangler.toml)')
  warned = true
}
