// An issuer as the provider that people sign in with: its endpoints, as the record says them or else as discovery does,
// each judged before anybody is sent there or anything is fetched from it.
import type { IssuerRecord, ProviderEndpoints } from '../../policy/compiled.ts'
import { clock } from '../clock.ts'
import type { Environment } from '../environment.ts'
import { type Refusal, refuse } from '../refusal.ts'
import { type AddressRules, judgeAddress } from './address.ts'
import type { Fetching } from './fetch-json.ts'
import { DISCOVERY_FRESH_MS } from './issuer-object.ts'
import type { ProviderMetadata } from './provider-metadata.ts'
import { reachOf } from './reach.ts'

export interface Provider extends Omit<ProviderMetadata, 'authorizationEndpoint'> {
  ok: true
  /** As configured, to the letter; may hold a placeholder for the tenant. */
  issuer: string
  authorizationEndpoint: string
  /** How its endpoints are reached, and which addresses may be. */
  rules: AddressRules
  through: Fetching
}

/** Refuses with `provider_unavailable` or `provider_misconfigured`. */
export async function providerOf(
  environment: Environment,
  record: IssuerRecord,
): Promise<Provider | Refusal> {
  const reach = await reachOf(environment, record.vpcBinding)
  if (!reach.ok) {
    return refuse('provider_unavailable', `The identity provider "${record.id}" ${reach.problem}.`)
  }
  const { rules, through } = reach
  const { signIn } = record
  const issuer = discoveredName(record)
  const found = signIn?.endpoints
    ? metadataOf(signIn.endpoints)
    : await discovered(environment, record, issuer)
  if ('ok' in found) return found
  const { authorizationEndpoint } = found
  if (authorizationEndpoint === null) {
    return misconfigured(record, 'names no authorization_endpoint in its discovery document')
  }
  const wrong = wrongAddress({ ...found, authorizationEndpoint }, rules)
  return wrong
    ? misconfigured(record, wrong)
    : { ok: true, issuer, ...found, authorizationEndpoint, rules, through }
}

function misconfigured({ id }: IssuerRecord, problem: string): Refusal {
  return refuse('provider_misconfigured', `The identity provider "${id}" ${problem}.`, { check: 'discovery' })
}

/** What discovery is asked for; where keys are pinned it has one name at least. */
function discoveredName({ keyOrigin, issuers }: IssuerRecord): string {
  return keyOrigin.kind === 'pinned' ? (issuers[0] as string) : keyOrigin.issuer
}

/** What is written says nothing more, and asks for nothing more. */
function metadataOf({ authorization, token, userInfo, endSession }: ProviderEndpoints): ProviderMetadata {
  return {
    authorizationEndpoint: authorization,
    tokenEndpoint: token,
    userInfoEndpoint: userInfo,
    endSessionEndpoint: endSession,
    namesItself: false,
    codeChallengeMethods: null,
    tokenAuthMethods: null,
    responseModes: null,
  }
}

async function discovered(
  environment: Environment,
  { id, vpcBinding, keysUsableSeconds }: IssuerRecord,
  issuer: string,
): Promise<ProviderMetadata | Refusal> {
  const { document, lastError } = await environment.ISSUERS.getByName(id).provider({ issuer, vpcBinding })
  // As its keys, the last good document serves on while the issuer is away.
  const usableMs = DISCOVERY_FRESH_MS + keysUsableSeconds * 1000
  if (document && clock.now() - document.fetchedAt < usableMs) return document.metadata
  const why = lastError?.problem ?? 'its discovery document is too old, and no newer one can be had'
  const reason = lastError?.answered ? 'provider_misconfigured' : 'provider_unavailable'
  return refuse(reason, `Discovery of "${id}" failed: ${why}.`, { check: 'discovery' })
}

function wrongAddress(metadata: ProviderMetadata, rules: AddressRules): string | null {
  const { authorizationEndpoint, tokenEndpoint, userInfoEndpoint, endSessionEndpoint } = metadata
  for (const address of [authorizationEndpoint, tokenEndpoint, userInfoEndpoint, endSessionEndpoint]) {
    const wrong = address === null ? null : judgeAddress(address, rules)
    if (wrong) return `has the endpoint ${address}, which ${wrong}`
  }
  return null
}
