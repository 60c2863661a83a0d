// Handlers of whoever asks about themselves: who am I, which roles have I where and why, and why not there.
import { explain } from '../../policy/explain.ts'
import { concerns } from '../../policy/explain-within.ts'
import { describeLevel, levelOf } from '../../policy/level.ts'
import { documentsAt } from '../documents/held.ts'
import type { Environment } from '../environment.ts'
import { notFound, refuseInput } from './answers.ts'
import { may } from './authorize.ts'
import type { SomeHandlers } from './call.ts'
import { rolesEverywhere } from './me-places.ts'

export const meHandlers = {
  'me.get': async ({ environment, principal, now }) => {
    const [found, user] = await Promise.all([
      rolesEverywhere(environment, principal, Math.floor(now / 1000)),
      linkedUser(environment, principal),
    ])
    if (!found.ok) return found
    const { kind, issuer, subject, voucher, groups, userName, email, firstName, lastName } = principal
    const named = [firstName, lastName].filter((name) => name !== null).join(' ')
    return {
      ok: true,
      body: {
        kind,
        identity: { issuer, subject },
        voucher: voucher.organization,
        userName,
        displayName: user?.display_name ?? (named === '' ? null : named),
        email,
        user: user?.id ?? null,
        groups: groups.outcome === 'listed' ? [...new Set(groups.names)] : [],
        groupsOutcome: groups.outcome,
        roles: found.roles,
        truncated: found.truncated,
      },
    }
  },

  'me.explain': async (call) => {
    const { environment, principal, query, now } = call
    const { organization = null, project = null, permission, after } = query
    if (project !== null && organization === null) {
      return refuseInput([{ path: 'project', message: 'is without the organization it is in' }])
    }
    const level = levelOf(organization, project)
    const documents = await documentsAt(environment, level, 'all')
    if (!documents.ok) return documents
    const explanation = explain(documents.policy, documents.organization, principal, {
      level,
      now: Math.floor(now / 1000),
      ...(permission === undefined ? {} : { permission }),
      ...(after === undefined ? {} : { page: { after, size: 100 } }),
    })
    const identity = { issuer: principal.issuer, subject: principal.subject }
    const reads =
      level.kind === 'global'
        ? 'instance.read'
        : level.kind === 'organization'
          ? 'organization.read'
          : 'project.read'
    if (await may(call, reads, level)) {
      return { ok: true, body: { principal: identity, refusal: null, explanation: { ...explanation } } }
    }
    // Whoever may not read the place is told of themselves, and of no mapping that has nothing to do with them.
    const ceiling = explanation.standing?.reason === 'outside_voucher'
    const related = concerns(explanation) || explanation.near.length > 0
    if (level.kind !== 'global' && !ceiling && !related) {
      return notFound(describeLevel(level).split(' ')[0] as string, project ?? (organization as string))
    }
    const own = {
      ...explanation,
      unmatched: { total: 0, mappings: [], next: null },
      wanted: explanation.wanted && { ...explanation.wanted, fixes: [] },
    }
    return { ok: true, body: { principal: identity, refusal: null, explanation: own } }
  },
} satisfies SomeHandlers

/** The user that the identity is linked to. */
async function linkedUser(
  { DB: database }: Environment,
  { issuer, subject }: { issuer: string; subject: string },
): Promise<{ id: string; display_name: string } | null> {
  return database
    .prepare(
      `SELECT u.id, u.display_name FROM identities i JOIN users u ON i.holder = 'user/' || u.id
        WHERE i.issuer = ? AND i.subject = ? AND u.deleted_at IS NULL`,
    )
    .bind(issuer, subject)
    .first()
}
