// The groups of people who have too many for a token of Microsoft Entra (overage): asked of Microsoft Graph in Postern's
// own name, where the issuer record says so. Otherwise the overage stays, and decides as what it is.
import type { IssuerRecord } from '../../policy/compiled.ts'
import { type Claims, principalFromClaims } from '../../policy/principal.ts'
import type { Environment } from '../environment.ts'
import { judgeAddress } from '../keys/address.ts'
import { readText } from '../read-body.ts'
import { type Refusal, refuse } from '../refusal.ts'
import { exchangeOwnCredentials, type RelyingParty } from './relying-party.ts'

const GRAPH_TIMEOUT_MS = 10_000
/** As many ids as Graph gives of one person, with what stands around them. */
const GRAPH_BYTES_MAX = 1024 * 1024
const GRAPH_GROUPS_MAX = 11_000
const OBJECT_ID = /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i

export function hasGroupsOverage(record: IssuerRecord, claims: Claims): boolean {
  // The gate is another matter.
  const read = principalFromClaims({ ...record, claims: { ...record.claims, access: null } }, claims)
  return read.ok && read.principal.groups.outcome === 'overage'
}

/** The claims with the groups in their place; those given when Graph does not say. */
export async function addGraphGroups(
  environment: Environment,
  party: RelyingParty,
  claims: Claims,
): Promise<{ ok: true; claims: Claims }> {
  const { record } = party
  const [claim, ...deeper] = record.groups?.claim ?? []
  if (claim === undefined || deeper.length > 0) return { ok: true, claims }
  const found = await groupsOf(environment, party, claims)
  if (!found.ok) {
    console.warn(`groups of somebody of issuer ${record.id} cannot be had from Graph: ${found.detail}`)
    return { ok: true, claims }
  }
  const { hasgroups: _left, _claim_names: names, ...rest } = claims
  const others = Object.entries((names ?? {}) as Claims).filter(([name]) => name !== claim)
  const elsewhere = others.length > 0 ? { _claim_names: Object.fromEntries(others) } : {}
  return { ok: true, claims: { ...rest, ...elsewhere, [claim]: found.groups } }
}

type FoundGroups = { ok: true; groups: string[] } | Refusal

async function groupsOf(
  environment: Environment,
  party: RelyingParty,
  { oid, tid }: Claims,
): Promise<FoundGroups> {
  const { record, provider } = party
  const endpoint = record.signIn.graphEndpoint as string
  if (typeof oid !== 'string' || !OBJECT_ID.test(oid)) {
    return refuse('claim_missing', 'The id_token has no "oid", which Graph knows people by.', {
      check: 'oid',
    })
  }
  const address = `${endpoint.replace(/\/$/, '')}/v1.0/users/${oid}/getMemberObjects`
  const wrong = judgeAddress(address, provider.rules)
  if (wrong) return refuse('provider_misconfigured', `${address} ${wrong}.`, { check: 'graph' })
  const own = await exchangeOwnCredentials(environment, party, {
    scope: `${endpoint.replace(/\/$/, '')}/.default`,
    tokenEndpoint: ofTenant(provider.tokenEndpoint ?? '', record, tid),
  })
  if (!own.ok) return own
  return askGraph(address, own.accessToken, party)
}

/** A token in Postern's own name is given by one tenant, never by "all of them". */
function ofTenant(tokenEndpoint: string, { tenants }: IssuerRecord, tenant: unknown): string {
  if (tenants === null || typeof tenant !== 'string' || !tenants.includes(tenant)) return tokenEndpoint
  return tokenEndpoint.replace(/\/(?:common|organizations)\//, `/${tenant}/`)
}

async function askGraph(
  address: string,
  accessToken: string,
  { provider }: RelyingParty,
): Promise<FoundGroups> {
  const failed = (problem: string) => refuse('provider_unavailable', `Graph ${problem}.`, { check: 'graph' })
  try {
    const response = await provider.through.fetch(address, {
      method: 'POST',
      redirect: 'manual',
      signal: AbortSignal.timeout(GRAPH_TIMEOUT_MS),
      headers: {
        authorization: `Bearer ${accessToken}`,
        'content-type': 'application/json',
        accept: 'application/json',
      },
      // Groups that give no rights in Windows count as well, as in tokens.
      body: JSON.stringify({ securityEnabledOnly: false }),
    })
    const text = await readText(response, GRAPH_BYTES_MAX)
    if (response.status !== 200) return failed(`answered ${response.status}`)
    if (text === null) return failed(`answered with more than ${GRAPH_BYTES_MAX} bytes`)
    const { value, '@odata.nextLink': more } = JSON.parse(text) as {
      value?: unknown
      '@odata.nextLink'?: unknown
    }
    const isList = Array.isArray(value) && value.every((id) => typeof id === 'string')
    // A part of somebody's groups is none of the answers that decide() knows.
    if (!isList || more !== undefined || value.length > GRAPH_GROUPS_MAX) {
      return failed('did not answer with a whole list of ids')
    }
    return { ok: true, groups: value }
  } catch {
    return failed('could not be reached, or answered with something else than JSON')
  }
}
