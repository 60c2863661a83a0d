// Handlers of an organization's users: who they are, and the roles they are given directly in the organization and
// its projects. An organization's admins see and edit their organization's part of a user, and only of users who
// are theirs: members, and those whom the organization's own issuers vouch for.
import type { DirectRoles } from '../../../policy/operations/people.ts'
import { organizationOf } from '../../database/issuer-rows.ts'
import type { Refusal } from '../../refusal.ts'
import { notFound } from '../answers.ts'
import { may } from '../authorize.ts'
import type { Call, SomeHandlers } from '../call.ts'
import { checkMatch, write } from '../write.ts'
import {
  contentOfUser,
  own,
  type PlannedUser,
  planUser,
  readUser,
  type UserRow,
  userResource,
} from './people.ts'
import { listUsers } from './users.ts'

export const memberHandlers = {
  'members.list': async ({ environment, query, params }) =>
    listUsers(environment.DB, query, params.organization),

  'members.put': async (call) => {
    const { organization } = call.params
    const { roles, projects } = call.body
    const planned = await planMember(call, (given) => ({
      ...given,
      organizations: { ...given.organizations, [organization]: { roles, projects } },
    }))
    return planned.ok
      ? write(call, { ...planned.plan, body: () => userResource(planned.row, organization) })
      : planned
  },

  'members.remove': async (call) => {
    const { organization, user } = call.params
    const planned = await planMember(call, (given) => {
      const { [organization]: _gone, ...organizations } = given.organizations
      return own(given.organizations, organization) === undefined
        ? notFound('member', user)
        : { ...given, organizations }
    })
    return planned.ok ? write(call, { ...planned.plan, body: () => ({ removed: user }) }) : planned
  },
} satisfies SomeHandlers

type Changing = 'members.put' | 'members.remove'

/** `row` is the user as after the change. */
async function planMember(
  call: Call<Changing>,
  change: (given: DirectRoles) => DirectRoles | Refusal,
): Promise<{ ok: true; plan: PlannedUser; row: UserRow } | Refusal> {
  const { organization, user: id } = call.params
  const row = await readUser(call.environment.DB, id)
  if (row === null || !(await isTheirs(call, row, organization))) return notFound('user', id)
  const mismatch = checkMatch(call, row.version)
  if (mismatch) return mismatch
  const content = contentOfUser(row)
  const given = change(content.given)
  if ('ok' in given) return given
  const before = { version: row.version, content }
  const after = { ...content, given }
  const planned = await planUser(call, { id, before, after, createdAt: row.created_at })
  if (!planned.ok) return planned
  const { plan } = planned
  const changed = { ...row, version: plan.version, updated_at: call.now, content: JSON.stringify(after) }
  const preview = narrowed(plan.preview, organization)
  return { ok: true, plan: { ...plan, preview }, row: plan.documents.length === 0 ? row : changed }
}

/** Whoever administers the users of the instance makes anybody a member; an organization's admins only their own. */
async function isTheirs(call: Call, row: UserRow, organization: string): Promise<boolean> {
  const { given, identities } = contentOfUser(row)
  if (Object.hasOwn(given.organizations, organization)) return true
  if (identities.some(({ issuer }) => organizationOf(issuer) === organization)) return true
  return may(call, 'instance.users.write', { kind: 'global' })
}

type PreviewOf = PlannedUser['preview']

/** A preview shows whole documents; of this one an organization's admin may see a part. */
function narrowed(preview: PreviewOf, organization: string): PreviewOf {
  return async () => {
    const whole = await preview()
    const part = (content: unknown) => {
      const { given } = (content ?? {}) as { given?: DirectRoles }
      return own(given?.organizations, organization) ?? null
    }
    return {
      ...whole,
      changes: whole.changes.map((change) => ({
        ...change,
        before: part(change.before),
        after: part(change.after),
      })),
      principals: {
        ...whole.principals,
        items: whole.principals.items.filter(({ issuer }) =>
          [null, organization].includes(organizationOf(issuer)),
        ),
      },
    }
  }
}
