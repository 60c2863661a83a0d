// How an issuer is reached, and which of its addresses may be fetched: over the public network, or through a binding
// of the Worker to a private one (a VPC service).
import { holdPolicy } from '../documents/held.ts'
import { type Environment, settingsOf } from '../environment.ts'
import type { AddressRules } from './address.ts'
import { type Fetching, PUBLIC_NETWORK } from './fetch-json.ts'

export type Reach =
  | { ok: true; rules: AddressRules; through: Fetching }
  /** The end of a sentence about the issuer. */
  | { ok: false; problem: string }

/** Bindings of the Worker that lead to parts of its own. */
const OWN_BINDINGS: readonly string[] = [
  'ASSETS',
  'DB',
  'ISSUERS',
  'KV',
  'PRINCIPALS',
  'PUBLISHER',
  'RESTORE',
  'SESSIONS',
  'SESSION_INDEX',
  'SIGNING_KEYS',
  'SIGN_IN_LIMIT',
  'SINGLE_USE',
]

export async function reachOf(environment: Environment, vpcBinding: string | null): Promise<Reach> {
  const policy = await holdPolicy(environment)
  // Without the policy nobody knows which hosts are our own.
  if (!policy.ok) return { ok: false, problem: `is not fetched: ${policy.detail}` }
  const { hosts } = policy.content
  const rules = { ...settingsOf(environment), isFronted: (hostname: string) => hosts.has(hostname) }
  if (vpcBinding === null) {
    return { ok: true, rules: { ...rules, network: 'public' }, through: PUBLIC_NETWORK }
  }
  const through = (environment as unknown as Record<string, Partial<Fetcher> | undefined>)[vpcBinding]
  if (through === undefined) {
    const problem = `is to be reached through the binding "${vpcBinding}", which the Worker does not have (wrangler.toml)`
    return { ok: false, problem }
  }
  if (OWN_BINDINGS.includes(vpcBinding) || typeof through.fetch !== 'function') {
    return { ok: false, problem: `is to be reached through "${vpcBinding}", which is no VPC service` }
  }
  return { ok: true, rules: { ...rules, network: 'private' }, through: through as Fetching }
}
