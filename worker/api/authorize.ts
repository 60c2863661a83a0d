// Whether the caller may: asked of `decide`, at the operation's level, with the documents that the edge decides
// by. Organizations the caller may not see are answered as if they did not exist.
import type { Level } from '../../policy/level.ts'
import { groupsAt, type Principal } from '../../policy/principal.ts'
import { parseDocumentName } from '../database/documents.ts'
import { type Refusal, refuse } from '../refusal.ts'
import { notFound } from './answers.ts'
import { type Held, heldFor, refreshHeld, renewPrincipal } from './authenticate.ts'
import type { Call } from './call.ts'
import { DOCUMENT_PERMISSIONS, ORGANIZATION_ISSUER_PERMISSIONS } from './document-level.ts'

/** Null when the caller may. A no is asked again with the newest documents, so that scripts see what they wrote. */
export async function authorize(call: Call): Promise<Refusal | null> {
  const permissions = permissionsOf(call)
  const first = await refusalOf(call, permissions)
  if (first === null) return null
  await refreshHeld(call.environment)
  const renewed = await renewPrincipal(call.environment, call.principal)
  if (!renewed.ok) return renewed
  const { principal } = renewed
  Object.assign(call, { principal, held: heldFor(call.environment, principal) })
  return refusalOf(call, permissions)
}

/** What the operation takes, and what members of the body take besides. */
function permissionsOf({ operation, body, query }: Call): string[] {
  const { permission, besides: more = [], alsoFor = {} } = operation
  const members = typeof body === 'object' && body !== null ? Object.entries(body) : []
  const besides = members.flatMap(([name, value]) => {
    const needed = Object.hasOwn(alsoFor, name) ? alsoFor[name] : undefined
    return needed === undefined || isEmpty(value) ? [] : [needed]
  })
  if (operation.level !== 'document')
    return [...new Set([...(permission === null ? [] : [permission]), ...more, ...besides])]
  const ref = parseDocumentName((query as { document: string }).document)
  if (ref === null) return ['instance.read']
  const ofOrganization = (ref.kind === 'issuer' || ref.kind === 'issuer-keys') && ref.organization !== null
  const of = ofOrganization ? ORGANIZATION_ISSUER_PERMISSIONS : DOCUMENT_PERMISSIONS[ref.kind]
  return permission === 'read' ? [of.read] : of.write
}

/** What a schema fills in where nothing was written; undefined for what was left out. */
function isEmpty(value: unknown): boolean {
  return value === undefined
}

async function refusalOf(call: Call, permissions: readonly string[]): Promise<Refusal | null> {
  const { held, level, principal, now } = call
  if (call.id === 'organizations.apply' && (await makesOrganization(call, permissions))) return null
  const unknown = groupsUnknown(principal, now)
  if (level.kind !== 'global' && !(await maySee(held, level, call))) {
    // What is wrong with the token says nothing of what there is.
    return unknown ?? invisible(level)
  }
  for (const permission of permissions) {
    const decision = await held.decide(permission, level)
    if (decision.allowed) continue
    if (decision.reason === 'project_unknown' && level.kind === 'project')
      return notFound('project', level.project)
    return refuse(decision.reason, decision.detail, { subject: principal.subject })
  }
  return null
}

/**
 * A declared organization that is not there yet is made, which is the global level's to allow; what is held there is
 * held below. Whoever may not make one is told what they are told of any that they do not see.
 */
async function makesOrganization({ held, level }: Call, permissions: readonly string[]): Promise<boolean> {
  const [first = 'organization.update'] = permissions
  const decision = await held.decide(first, level)
  if (decision.allowed || decision.reason !== 'organization_unknown') return false
  for (const permission of ['organization.create', ...permissions]) {
    if (!(await held.decide(permission, { kind: 'global' })).allowed) return false
  }
  return true
}

/** Whoever has a role there knows that it exists; so does whoever may list what is theirs in it. */
async function maySee(
  held: Held,
  level: Exclude<Level, { kind: 'global' }>,
  { operation }: Call,
): Promise<boolean> {
  // What is open to everybody known answers with what they may see, which may be nothing.
  if (operation.permission === null) return true
  const { organization } = level
  if ((await held.rolesAt({ kind: 'organization', organization })).length > 0) return true
  return level.kind === 'project' && (await held.rolesAt(level)).length > 0
}

export function invisible(level: Exclude<Level, { kind: 'global' }>): Refusal {
  return notFound('organization', level.organization)
}

function groupsUnknown(principal: Principal, now: number): Refusal | null {
  const { outcome } = groupsAt(principal, Math.floor(now / 1000))
  if (principal.given.length > 0 || outcome === 'listed' || outcome === 'none') return null
  const detail = 'The token says nothing of groups that counts, so no role is known.'
  return refuse(`groups_${outcome}`, detail, { subject: principal.subject })
}

/** For handlers that judge further levels: whether the caller may there. */
export async function may({ held }: Pick<Call, 'held'>, permission: string, level: Level): Promise<boolean> {
  return (await held.decide(permission, level)).allowed
}
