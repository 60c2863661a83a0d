// Tries an issuer on the spot, for somebody who sets it up: discovery, then the key set, with all that was found on
// the way. Saves nothing.
import type { Environment } from '../environment.ts'
import { judgeAddress } from './address.ts'
import { discoverJwksUri } from './discovery.ts'
import { fetchJson } from './fetch-json.ts'
import { readKeySet, type VerificationKey } from './key-set.ts'
import { type ProviderMetadata, readMetadata } from './provider-metadata.ts'
import { reachOf } from './reach.ts'

/** What is known of the issuer: its name, and where its keys are when that is not for discovery to say. */
export interface Probing {
  issuer: string
  jwksUri?: string | undefined
  jwks?: unknown
  vpcBinding?: string | null | undefined
}

export interface DescribedKey {
  kid: string | null
  kty: string
  algorithms: string[]
}

export interface Probed {
  ok: boolean
  /** The discovery document that answered. */
  foundAt: string | null
  jwksUri: string | null
  keys: DescribedKey[]
  /** Keys that may not be used, and why. */
  left: string[]
  /** What else the discovery document names, by its member. */
  endpoints: Record<string, string>
  problem: string | null
  /** What the discovery document says to a relying party; null where none answered. */
  metadata: ProviderMetadata | null
}

const NOTHING: Probed = {
  ok: false,
  foundAt: null,
  jwksUri: null,
  keys: [],
  left: [],
  endpoints: {},
  problem: null,
  metadata: null,
}

export async function probeIssuer(
  environment: Environment,
  { issuer, jwksUri, jwks, vpcBinding = null }: Probing,
): Promise<Probed> {
  if (jwks !== undefined) return withKeys(NOTHING, 'its written key set', jwks)
  const reach = await reachOf(environment, vpcBinding)
  if (!reach.ok) return { ...NOTHING, problem: `${issuer} ${reach.problem}` }
  const { rules, through } = reach
  let found = NOTHING
  if (jwksUri === undefined) {
    const discovered = await discoverJwksUri(issuer, rules, through)
    if (!discovered.ok) return { ...NOTHING, problem: discovered.problem }
    found = {
      ...NOTHING,
      foundAt: discovered.foundAt,
      jwksUri: discovered.jwksUri,
      endpoints: endpointsOf(discovered.document),
      metadata: readMetadata(discovered.document),
    }
  } else {
    found = { ...NOTHING, jwksUri }
    const wrong = judgeAddress(jwksUri, rules)
    if (wrong) return { ...found, problem: `${jwksUri} ${wrong}` }
  }
  const address = found.jwksUri as string
  const fetched = await fetchJson(address, through)
  return fetched.ok
    ? withKeys(found, address, fetched.json)
    : { ...found, problem: `${address} ${fetched.problem}` }
}

function withKeys(found: Probed, source: string, json: unknown): Probed {
  const read = readKeySet(json)
  if (!read.ok) return { ...found, problem: `${source} ${read.problem}` }
  return { ...found, ok: true, keys: read.keys.map(describeKey), left: read.left }
}

export function describeKey({ kid, jwk, algorithms }: VerificationKey): DescribedKey {
  return { kid, kty: jwk.kty ?? '', algorithms: [...algorithms] }
}

/** OpenID Connect Discovery 3 names them so; the key set is told of by itself. */
function endpointsOf(document: Record<string, unknown>): Record<string, string> {
  const named = Object.entries(document).filter((entry): entry is [string, string] => {
    return entry[0].endsWith('_endpoint') && typeof entry[1] === 'string'
  })
  return Object.fromEntries(named.map(([name, address]) => [name, address.slice(0, ADDRESS_LENGTH_MAX)]))
}
const ADDRESS_LENGTH_MAX = 2000
