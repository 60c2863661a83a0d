// Which issuer record a token belongs to, and whether the token is meant for us. Both depend on where the
// request wants to go, so they are asked anew for each level, also for a token verified before.
import type { IssuerRecord } from '../../policy/compiled.ts'
import type { Level } from '../../policy/level.ts'
import type { LoadedOrganization, Policy } from '../../policy/loaded.ts'
import type { Claims } from '../../policy/principal.ts'
import { holdOrganization, recordsNamed } from '../documents/held.ts'
import type { IssuerNameRecords } from '../documents/published.ts'
import type { Environment } from '../environment.ts'
import { type Refusal, refuse, shown } from '../refusal.ts'

/** Where the request wants to go. The organization is the level's, null where there is none; it needs no mappings. */
export interface Destination {
  policy: Policy
  organization: LoadedOrganization | null
  level: Level
}

/** `organization` is the one whose audience counts besides the instance's. */
export type SelectedRecord =
  | { ok: true; record: IssuerRecord; organization: LoadedOrganization | null }
  | Refusal

/**
 * Several records may share an `iss`: the level's organization chooses among them, else the audience does.
 * An `iss` of the instance is the instance's alone.
 */
export function selectRecord(
  environment: Environment,
  destination: Destination,
  claims: Claims,
): SelectedRecord | Promise<SelectedRecord> {
  const { policy, organization } = destination
  const { iss } = claims
  if (typeof iss !== 'string') {
    return refuse('claim_missing', 'It has no "iss" claim that is a string.', { check: 'iss' })
  }
  const record =
    policy.issuersByName.get(iss)?.find((named) => named.organization === null) ??
    organization?.issuers.find(({ issuers }) => issuers.includes(iss))
  return record ? { ok: true, record, organization } : selectElsewhere(environment, destination, iss, claims)
}

/** Neither the instance nor the level's organization has it: what others have of that name. */
async function selectElsewhere(
  environment: Environment,
  { policy, organization, level }: Destination,
  iss: string,
  claims: Claims,
): Promise<SelectedRecord> {
  const named = await recordsNamed(environment, iss)
  if (!named.ok) return named
  if (named.records.length === 0) {
    const near = nearIssuer([...policy.issuers, ...(organization?.issuers ?? [])], iss)
    const hint = near === null ? '' : ` An issuer ${shown(near)} is; they must be equal to the letter.`
    return refuse('issuer_unknown', `No issuer ${shown(iss)} is configured.${hint}`, { check: 'iss' })
  }
  if (level.kind === 'global') return selectByAudience(environment, policy, iss, named.records, claims)
  const detail = `The issuer ${shown(iss)} is not trusted in organization ${shown(level.organization)}.`
  return refuse('issuer_of_another_organization', detail, { check: 'iss' })
}

/** More organizations are not read to find out whom an audience means. */
const CANDIDATES_MAX = 32

async function selectByAudience(
  environment: Environment,
  policy: Policy,
  iss: string,
  named: IssuerNameRecords['records'],
  claims: Claims,
): Promise<SelectedRecord> {
  const ambiguous = () => {
    const detail = `The issuer ${shown(iss)} is trusted by several organizations, and the audience names none.`
    return refuse('issuer_ambiguous', detail, { check: 'iss' })
  }
  const isMeant = isAudience(claims)
  // A record without audiences of its own takes its organization's, which the organization knows.
  const candidates = named.filter(({ audiences }) => audiences === null || audiences.some(isMeant))
  if (candidates.length > CANDIDATES_MAX) return ambiguous()
  const read = await Promise.all(
    candidates.map(async (candidate) => {
      return { id: candidate.id, held: await holdOrganization(environment, candidate.organization) }
    }),
  )
  const meant: { record: IssuerRecord; organization: LoadedOrganization }[] = []
  for (const { id, held } of read) {
    if (!held.ok) return held
    const organization = held.content?.organization
    const record = organization?.issuers.find((one) => one.id === id && one.issuers.includes(iss))
    if (organization && record && audiencesOf(policy, record, organization).some(isMeant)) {
      meant.push({ record, organization })
    }
  }
  const [only, ...others] = meant
  if (only && others.length === 0) return { ok: true, ...only }
  return only ? ambiguous() : audienceMismatch(claims, [])
}

/** The configured issuer that differs by a slash at the end or by case only: the usual mistake. */
function nearIssuer(records: readonly IssuerRecord[], iss: string): string | null {
  const plain = (name: string) => name.toLowerCase().replace(/\/$/, '')
  const names = records.flatMap(({ issuers }) => issuers)
  return names.find((name) => plain(name) === plain(iss)) ?? null
}

/** `aud` (RFC 7519 4.1.3) and `azp` (OpenID Connect Core 2). `organization` is the one that was selected. */
export function checkAudience(
  policy: Policy,
  record: IssuerRecord,
  organization: LoadedOrganization | null,
  claims: Claims,
): Refusal | null {
  const accepted = audiencesOf(policy, record, organization)
  if (!accepted.some(isAudience(claims))) return audienceMismatch(claims, accepted)
  return checkAuthorizedParty(record, accepted, claims)
}

function audiencesOf(
  policy: Policy,
  record: IssuerRecord,
  organization: LoadedOrganization | null,
): readonly string[] {
  if (record.audiences) return record.audiences
  return organization === null ? [policy.audience] : [policy.audience, organization.audience]
}

function isAudience({ aud }: Claims): (audience: string) => boolean {
  return (audience) => aud === audience || (Array.isArray(aud) && aud.includes(audience))
}

function audienceMismatch({ aud }: Claims, accepted: readonly string[]): Refusal {
  const has = aud === undefined ? 'It has no "aud" claim' : `Its "aud" is ${shown(aud)}`
  const wanted = accepted.length > 0 ? `; accepted here: ${accepted.map(shown).join(', ')}` : ''
  return refuse('audience_mismatch', `${has}${wanted}.`, { check: 'aud' })
}

/** With several audiences `azp` says whom the token was issued to; it must then be there and be accepted. */
function checkAuthorizedParty(
  record: IssuerRecord,
  accepted: readonly string[],
  claims: Claims,
): Refusal | null {
  const { aud, azp } = claims
  const several = Array.isArray(aud) && aud.length > 1
  if (!several && (record.authorizedParties === null || azp === undefined)) return null
  if (typeof azp === 'string' && (record.authorizedParties ?? accepted).includes(azp)) return null
  const has = azp === undefined ? 'It has several audiences and no "azp"' : `Its "azp" is ${shown(azp)}`
  const detail = `${has}; it must be a party that issuer "${record.id}" lists (authorizedParties).`
  return refuse('authorized_party_mismatch', detail, { check: 'azp' })
}
