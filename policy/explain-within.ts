// What an organization's admins may be told of somebody: explain.ts's answer, narrowed to their organization. The
// instance's mappings are named where they give a role there, since that is access to the organization; those
// that give none, and groups that mean nothing there, are somebody else's.
import { type ExplainQuestion, type Explanation, explain } from './explain.ts'
import type { Fix } from './explain-wanted.ts'
import type { LoadedOrganization, Policy } from './loaded.ts'
import { indexPatterns } from './pattern.ts'
import type { Principal } from './principal.ts'

/** The question's level must be in the organization. */
export function explainWithin(
  policy: Policy,
  organization: LoadedOrganization,
  principal: Principal,
  question: ExplainQuestion,
): Explanation {
  const whole = explain(policy, organization, principal, question)
  if (whole.standing) return { ...whole, groups: { ...whole.groups, names: [] } }
  const own = explain(withoutInstance(policy), organization, principal, question)
  const { failed, unmatched, near } = own
  const telling = new Set([
    ...whole.roles.flatMap(({ proofs }) => proofs.flatMap(({ given }) => given.group ?? [])),
    ...[...failed, ...near].flatMap(({ group }) => group ?? []),
  ])
  // Whom the organization's own issuer vouches for is the organization's with all that is said of them.
  const ofOwn = principal.voucher.organization === organization.slug
  const names = ofOwn ? whole.groups.names : whole.groups.names.filter(({ group }) => telling.has(group))
  return {
    ...whole,
    groups: { ...whole.groups, names },
    failed,
    unmatched,
    near,
    wanted: whole.wanted && {
      ...whole.wanted,
      fixes: whole.wanted.decision.allowed ? [] : (own.wanted?.fixes ?? []).filter(isWithin),
    },
  }
}

/** Whether anything of the organization has to do with the principal's groups or direct roles. */
export function concerns({ roles, failed }: Pick<Explanation, 'roles' | 'failed'>): boolean {
  return roles.length > 0 || failed.some(({ group }) => group !== null)
}

function isWithin({ changes }: Fix): boolean {
  return changes.every((change) => change.kind !== 'add_mapping' || change.level.kind !== 'global')
}

/** The same policy without mappings of its own, once for each, since explain keeps indexes of it. */
const stripped = new WeakMap<Policy, Policy>()

function withoutInstance(policy: Policy): Policy {
  const known = stripped.get(policy)
  if (known) return known
  const made = { ...policy, exact: new Map(), lowerCase: new Map(), patterns: indexPatterns([]) }
  stripped.set(policy, made)
  return made
}
