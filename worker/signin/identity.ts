// Whom a provider has signed in: the claims of the id_token, with what it leaves out and UserInfo or Microsoft Graph have.
// Whether they let anybody in is judged here too, before a session begins; what they allow is asked at each request.
import type { IssuerRecord } from '../../policy/compiled.ts'
import { type Claims, claimAt, type Principal, principalFromClaims } from '../../policy/principal.ts'
import { nowSeconds } from '../clock.ts'
import { principalRecord, withRecord } from '../documents/principals.ts'
import type { Environment } from '../environment.ts'
import { type Refusal, refuse } from '../refusal.ts'
import { addGraphGroups, hasGroupsOverage } from './graph.ts'
import { fetchUserInfo, type RelyingParty, type Tokens } from './relying-party.ts'

export type CompletedClaims = { ok: true; claims: Claims } | Refusal

/** `tokens` null: nothing but the id_token came, and nothing more can be asked. */
export async function completeClaims(
  environment: Environment,
  party: RelyingParty,
  claims: Claims & { sub: string },
  tokens: Tokens | null,
): Promise<CompletedClaims> {
  const told = await addUserInfo(party, claims, tokens)
  if (!told.ok) return told
  const { record } = party
  if (record.signIn.graphEndpoint === null || !hasGroupsOverage(record, told.claims)) return told
  return addGraphGroups(environment, party, told.claims)
}

/** Asked only where the id_token lacks a claim that the record reads. */
async function addUserInfo(
  party: RelyingParty,
  claims: Claims & { sub: string },
  tokens: Tokens | null,
): Promise<CompletedClaims> {
  const { record, provider } = party
  const missing = missingClaims(record, claims)
  if (missing === 'none' || tokens === null || provider.userInfoEndpoint === null) return { ok: true, claims }
  const asked = { accessToken: tokens.accessToken, subject: claims.sub }
  const told = await fetchUserInfo(party, tokens.client, asked)
  if (told.ok) return { ok: true, claims: mergeClaims(claims, told.claims) }
  if (told.reason === 'subject_mismatch' || missing === 'deciding') return told
  // Names and addresses decide nothing by themselves: nobody is kept out for want of them.
  console.warn(`UserInfo of issuer ${record.id} was of no use: ${told.detail}`)
  return { ok: true, claims }
}

/** `deciding`: one is missing that lets people in, or gives them roles. */
function missingClaims(record: IssuerRecord, claims: Claims): 'none' | 'descriptive' | 'deciding' {
  const isMissing = (path: readonly string[] | null) => path !== null && claimAt(claims, path) === undefined
  const { access, subject, email, userName, firstName, lastName } = record.claims
  const groups = record.groups && !hasGroupsOverage(record, claims) ? record.groups.claim : null
  if ([access, subject, groups].some(isMissing)) return 'deciding'
  return [email, userName, firstName, lastName].some(isMissing) ? 'descriptive' : 'none'
}

/** What belongs to the token, not to the person. */
const TOKEN_CLAIMS: readonly string[] = [
  ...['iss', 'sub', 'aud', 'exp', 'nbf', 'iat', 'jti', 'azp', 'nonce', 'at_hash', 'c_hash', 's_hash', 'sid'],
  ...['auth_time', 'acr', 'amr', 'tid', 'events', 'hasgroups', '_claim_names', '_claim_sources'],
]

/** What `first` says goes before what `second` does. */
export function mergeClaims<First extends Claims>(first: First, second: Claims): First {
  const added = Object.entries(second).filter(([name]) => {
    return !TOKEN_CLAIMS.includes(name) && !Object.hasOwn(first, name)
  })
  return { ...Object.fromEntries(added), ...first }
}

/** Whoever may not get in at all is told so now, on a page, and gets no session. */
export async function admitPerson(
  environment: Environment,
  record: IssuerRecord,
  claims: Claims,
): Promise<{ ok: true; principal: Principal } | Refusal> {
  // Groups that are known from before give roles, and let nobody in.
  const made = principalFromClaims(record, claims, { as: 'sign-in', now: nowSeconds(), lastKnown: null })
  if (!made.ok) return refuse(made.reason, made.detail, { check: 'claims' })
  const { principal } = made
  const recorded = await principalRecord(environment, principal.issuer, principal.subject)
  if (!recorded.ok) return recorded
  const admitted = withRecord(principal, recorded.record)
  if (!admitted.ok) return admitted
  if (admitted.principal.kind === 'user') return admitted
  const detail = 'This identity is that of a service account; machines present their tokens directly.'
  return refuse('access_denied', detail, { subject: principal.subject })
}
