// With whom people can sign in: the issuers of the instance that are set up for it, and those of the organization that is
// meant, whose word counts there only. Which of them it will be: what the request names, else by the address, else chosen.
import { holdOrganization, holdPolicy } from '../documents/held.ts'
import type { Environment } from '../environment.ts'
import { type Refusal, refuse, shown } from '../refusal.ts'
import { type SignInRecord, signInRecord } from './relying-party.ts'

export interface Asked {
  /** Id of an issuer record. */
  issuer: string | null
  organization: string | null
  /** An e-mail address, or whatever else the provider knows people by. */
  loginHint: string | null
}

export type Offered =
  /** Straight to it. */
  | { ok: true; chosen: SignInRecord; several: boolean }
  /** Empty: nobody can sign in here. */
  | { ok: true; chosen: null; choices: SignInRecord[] }
  | Refusal

export async function offeredIssuers(environment: Environment, asked: Asked): Promise<Offered> {
  const records = await recordsFor(environment, asked.organization ?? ownerOf(asked.issuer))
  if (!records.ok) return records
  const { offered } = records
  if (asked.issuer !== null) {
    const chosen = offered.find(({ id }) => id === asked.issuer)
    if (chosen) return { ok: true, chosen, several: offered.length > 1 }
    const detail = `Nobody signs in with an issuer ${shown(asked.issuer)} here.`
    return refuse('provider_not_offered', detail, { check: 'issuer' })
  }
  const choices = narrowedByDomain(offered, asked.loginHint)
  const [only, ...others] = choices
  if (only && others.length === 0) return { ok: true, chosen: only, several: offered.length > 1 }
  return { ok: true, chosen: null, choices }
}

/** An organization's own issuer is named with it: `acme/okta`. */
function ownerOf(issuer: string | null): string | null {
  const slash = issuer?.indexOf('/') ?? -1
  return issuer === null || slash === -1 ? null : issuer.slice(0, slash)
}

async function recordsFor(
  environment: Environment,
  slug: string | null,
): Promise<{ ok: true; offered: SignInRecord[] } | Refusal> {
  const policy = await holdPolicy(environment)
  if (!policy.ok) return policy
  const organization = slug === null ? null : await holdOrganization(environment, slug)
  if (organization && !organization.ok) return organization
  const own = organization?.content?.organization.issuers ?? []
  const offered = [...policy.content.issuers, ...own].flatMap((record) => signInRecord(record) ?? [])
  return { ok: true, offered }
}

/** Those that claim the domain of an address; all where none does. */
function narrowedByDomain(offered: SignInRecord[], hint: string | null): SignInRecord[] {
  const domain = hint?.slice(hint.lastIndexOf('@') + 1).toLowerCase()
  if (!hint?.includes('@') || !domain) return offered
  const claiming = offered.filter(({ signIn }) => signIn.emailDomains.includes(domain))
  return claiming.length > 0 ? claiming : offered
}
