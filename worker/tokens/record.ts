// Which issuer record a token belongs to, and whether the token is meant for us. Both depend on where the
// request wants to go, so they are asked on every request, also for a token verified before.
import type { IssuerRecord } from '../../policy/compiled.ts'
import type { Level } from '../../policy/level.ts'
import type { WholePolicy } from '../../policy/loaded.ts'
import type { Claims } from '../../policy/principal.ts'
import { type Refusal, refuse, shown } from '../refusal.ts'

export type SelectedRecord = { ok: true; record: IssuerRecord } | Refusal

/**
 * Several records may share an `iss`: the level's organization chooses among them, else the audience does.
 * An `iss` of the instance is the instance's alone.
 */
export function selectRecord(policy: WholePolicy, level: Level, claims: Claims): SelectedRecord {
  const { iss } = claims
  if (typeof iss !== 'string') {
    return refuse('claim_missing', 'It has no "iss" claim that is a string.', { check: 'iss' })
  }
  const named = policy.issuersByName.get(iss)
  const [first] = named ?? []
  if (!named || !first) {
    const near = nearIssuer(policy, iss)
    const hint = near === null ? '' : ` An issuer ${shown(near)} is; they must be equal to the letter.`
    return refuse('issuer_unknown', `No issuer ${shown(iss)} is configured.${hint}`, { check: 'iss' })
  }
  if (first.organization === null) return { ok: true, record: first }
  if (level.kind !== 'global') {
    const own = named.find(({ organization }) => organization === level.organization)
    if (own) return { ok: true, record: own }
    const detail = `The issuer ${shown(iss)} is not trusted in organization ${shown(level.organization)}.`
    return refuse('issuer_of_another_organization', detail, { check: 'iss' })
  }
  const meant = named.filter((record) =>
    audiencesOf(policy, record, record.organization).some(isAudience(claims)),
  )
  const [only, ...others] = meant
  if (only && others.length === 0) return { ok: true, record: only }
  if (!only) return audienceMismatch(claims, [])
  const detail = `The issuer ${shown(iss)} is trusted by several organizations, and the audience names none.`
  return refuse('issuer_ambiguous', detail, { check: 'iss' })
}

/** The configured issuer that differs by a slash at the end or by case only: the usual mistake. */
function nearIssuer(policy: WholePolicy, iss: string): string | null {
  const plain = (name: string) => name.toLowerCase().replace(/\/$/, '')
  for (const name of policy.issuersByName.keys()) if (plain(name) === plain(iss)) return name
  return null
}

/** `aud` (RFC 7519 4.1.3) and `azp` (OpenID Connect Core 2). */
export function checkAudience(
  policy: WholePolicy,
  record: IssuerRecord,
  level: Level,
  claims: Claims,
): Refusal | null {
  const organization = record.organization ?? (level.kind === 'global' ? null : level.organization)
  const accepted = audiencesOf(policy, record, organization)
  if (!accepted.some(isAudience(claims))) return audienceMismatch(claims, accepted)
  return checkAuthorizedParty(record, accepted, claims)
}

function audiencesOf(
  policy: WholePolicy,
  record: IssuerRecord,
  organization: string | null,
): readonly string[] {
  if (record.audiences) return record.audiences
  const own = organization === null ? undefined : policy.organization(organization)?.audience
  return own === undefined ? [policy.audience] : [policy.audience, own]
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
