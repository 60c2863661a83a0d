// Handlers that explain somebody else's roles: a known principal with the groups seen last, or a pasted token, which
// is verified as the gateway would and of which nothing is kept or said back.
import { type Explanation, explain } from '../../policy/explain.ts'
import { concerns, explainWithin } from '../../policy/explain-within.ts'
import { type Level, levelOf } from '../../policy/level.ts'
import type { OutputOf } from '../../policy/operations/table.ts'
import { type Groups, type Principal, principalFromClaims } from '../../policy/principal.ts'
import { REASONS } from '../../policy/reasons.ts'
import { readAll } from '../database/batch.ts'
import { organizationOf } from '../database/issuer-rows.ts'
import { documentsAt, type HeldDocuments } from '../documents/held.ts'
import { principalRecord } from '../documents/principals.ts'
import type { Environment } from '../environment.ts'
import type { Refusal } from '../refusal.ts'
import { parseCompact } from '../tokens/compact.ts'
import { selectRecord } from '../tokens/record.ts'
import { verifyTokenOnce } from '../tokens/verify.ts'
import { notFound, refuseInput } from './answers.ts'
import type { Answered, Call, SomeHandlers } from './call.ts'
import { accountPrincipal, KEY_ISSUER, KEY_PREFIX } from './people/access-keys.ts'

export const explainHandlers = {
  explain: async (call) => answer(call, levelAsked(call.body), null),

  organizationExplain: async (call) => {
    const { organization } = call.params
    const { organization: asked = organization } = call.body
    if (asked !== organization) {
      return refuseInput([{ path: 'organization', message: `is another organization than ${organization}` }])
    }
    return answer(call, levelAsked({ ...call.body, organization }), organization)
  },
} satisfies SomeHandlers

type ExplainCall = Call<'explain' | 'organizationExplain'>
type Resource = OutputOf<'explain'>

function levelAsked({ organization, project }: ExplainCall['body']): Level | Refusal {
  if (project !== undefined && organization === undefined) {
    return refuseInput([{ path: 'project', message: 'is without the organization it is in' }])
  }
  return levelOf(organization ?? null, project ?? null)
}

/** `within`: for the admins of that organization, who are told what concerns it. */
async function answer(
  call: ExplainCall,
  level: Level | Refusal,
  within: string | null,
): Promise<Answered<'explain'>> {
  if ('ok' in level) return level
  const { environment, body, now } = call
  const documents = await documentsAt(environment, level, 'all')
  if (!documents.ok) return documents
  const who =
    body.token === undefined
      ? await knownPrincipal(environment, body.principal as NonNullable<typeof body.principal>, within)
      : await tokenPrincipal(environment, body.token, documents, level, within)
  if (!who.ok) return who
  const { principal, refusal } = who
  if (principal === null) return { ok: true, body: { principal: null, refusal, explanation: null } }
  const question = {
    level,
    now: Math.floor(now / 1000),
    ...(body.permission === undefined ? {} : { permission: body.permission }),
    ...(body.after === undefined ? {} : { page: { after: body.after, size: 100 } }),
  }
  const { policy, organization } = documents
  const explanation: Explanation =
    within === null || organization === null
      ? explain(policy, organization, principal, question)
      : explainWithin(policy, organization, principal, question)
  // Somebody of the instance whom nothing there concerns is as unknown to an organization as one who never came.
  const foreign = within !== null && body.token === undefined && principal.voucher.organization === null
  const isMember = principal.given.some(({ organization: slug }) => slug === within)
  if (foreign && !isMember && !concerns(explanation)) return notFound('principal', principal.subject)
  const { issuer, subject } = principal
  return { ok: true, body: { principal: { issuer, subject }, refusal, explanation: { ...explanation } } }
}

type Who = { ok: true; principal: Principal | null; refusal: Resource['refusal'] } | Refusal

type Found = {
  seen: { groups: string; user_name: string | null; email: string | null }
  account: {
    organization: string
    name: string
    status: 'active' | 'inactive'
    roles: string
    project: string
  }
  holder: { holder: string }
}

/** With the groups seen last; of other claims nothing is known, so conditions on these do not hold. */
async function knownPrincipal(
  environment: Environment,
  { issuer, subject }: { issuer: string; subject: string },
  within: string | null,
): Promise<Who> {
  const { DB: database } = environment
  const owner = organizationOf(issuer)
  const found = await readAll<Found>(database, {
    seen: database
      .prepare('SELECT groups, user_name, email FROM known_principals WHERE issuer = ? AND subject = ?')
      .bind(issuer, subject),
    account: database
      .prepare(
        `SELECT s.organization, s.project, s.name, s.status, (SELECT json_group_array(m.role_name) FROM memberships m
            WHERE m.holder = 'service-account/' || s.id AND m.role_name <> '') AS roles
          FROM service_accounts s WHERE ?1 = '${KEY_ISSUER}' AND s.id = ?2 AND s.deleted_at IS NULL`,
      )
      .bind(issuer, subject),
    holder: database
      .prepare('SELECT holder FROM identities WHERE issuer = ? AND subject = ?')
      .bind(issuer, subject),
  })
  const [seen] = found.seen
  const [account] = found.account
  if (account && (within === null || account.organization === within)) {
    return withStatus(accountPrincipal({ ...account, account: subject }), account.status)
  }
  const unseen = !seen && found.holder.length === 0
  if (unseen || (within !== null && owner !== null && owner !== within)) return notFound('principal', subject)
  const recorded = await principalRecord(environment, issuer, subject)
  if (!recorded.ok) return recorded
  const { record } = recorded
  const principal: Principal = {
    kind: record?.kind ?? 'user',
    issuer,
    subject,
    voucher: { issuer, organization: owner },
    groups: seen ? (JSON.parse(seen.groups) as Groups) : { outcome: 'absent', kept: null },
    given: record?.given ?? [],
    userName: seen?.user_name ?? null,
    email: seen?.email ?? null,
    firstName: null,
    lastName: null,
    claims: {},
  }
  return withStatus(principal, record?.status ?? 'active')
}

function withStatus(principal: Principal, status: 'active' | 'inactive'): Who {
  const detail = 'An admin has deactivated it: it is refused everywhere, whatever roles it has.'
  const refusal = status === 'active' ? null : described({ reason: 'principal_inactive', detail })
  return { ok: true, principal, refusal }
}

function described({ reason, detail, check }: Pick<Refusal, 'reason' | 'detail' | 'check'>) {
  return { reason, title: REASONS[reason], detail, check: check ?? null }
}

async function tokenPrincipal(
  environment: Environment,
  pasted: string,
  documents: HeldDocuments,
  level: Level,
  within: string | null,
): Promise<Who> {
  const token = pasted.trim().replace(/^(?:authorization:\s*)?bearer\s+/i, '')
  if (token.startsWith(KEY_PREFIX)) {
    const message = 'is a key of a service account, which is a secret; ask about the account instead'
    return refuseInput([{ path: 'token', message }])
  }
  const destination = { policy: documents.policy, organization: documents.organization, level }
  const verified = await verifyTokenOnce(environment, token, destination)
  if (verified.ok) {
    const { record } = verified
    const recorded = await principalRecord(environment, record.id, verified.principal.subject)
    if (!recorded.ok) return recorded
    const { kind, given, status } = recorded.record ?? {
      kind: verified.principal.kind,
      given: [],
      status: 'active' as const,
    }
    return withStatus({ ...verified.principal, kind, given }, status)
  }
  const principal = await claimedPrincipal(environment, token, destination)
  // What an organization's admin wrote into a token of the instance's issuer is nobody's word.
  const own = within === null || principal?.voucher.organization === within
  return { ok: true, principal: own ? principal : null, refusal: described(verified) }
}

/** Who a token that is refused says it is: its claims as they stand, which nobody vouches for. */
async function claimedPrincipal(
  environment: Environment,
  token: string,
  destination: Parameters<typeof selectRecord>[1],
): Promise<Principal | null> {
  const parsed = parseCompact(token)
  if (!parsed.ok) return null
  const selected = await selectRecord(environment, destination, parsed.claims)
  if (!selected.ok) return null
  const made = principalFromClaims(selected.record, parsed.claims)
  return made.ok ? made.principal : null
}
