// A change as two documents, before and after, with only the levels it touches and those above: what it is judged
// by (policy/granting.ts), and what its preview compares.
import { compareDocuments } from '../../policy/diff-structure.ts'
import {
  above,
  type GrantingActor,
  type Judgement,
  judgePrepared,
  type Prepared,
  prepareGranting,
} from '../../policy/granting.ts'
import { describeLevel } from '../../policy/level.ts'
import { heldWith } from '../../policy/mapping-sites.ts'
import type { PolicyDocument } from '../../policy/schema.ts'
import type { SettingsContent } from '../database/documents.ts'
import { refreshHeld } from './authenticate.ts'
import type { Call } from './call.ts'

export interface DocumentChange {
  before: PolicyDocument
  after: PolicyDocument
}

type Judging = Pick<Call, 'held' | 'principal' | 'now' | 'environment'>

/**
 * Asks the edge's documents for what the caller holds, and judges. A no is asked again with the newest documents:
 * the caller may have got the role a moment ago.
 */
export async function judgeChange(
  call: Judging,
  change: DocumentChange,
  { confirmOwnAccess = true }: SettingsContent,
): Promise<Judgement> {
  const prepared = prepareGranting({ ...change, principal: call.principal })
  let judgement = await judgeOnce(call, prepared)
  if (judgement.refused.length > 0) {
    await refreshHeld(call.environment)
    judgement = await judgeOnce(call, prepared)
  }
  const toConfirm: Judgement['toConfirm'] = []
  for (const one of judgement.toConfirm) {
    if (one.what === 'own-access' && !confirmOwnAccess) continue
    if (one.what === 'last-owner' && (await isOwnedDirectly(call, change))) continue
    toConfirm.push(one)
  }
  return { ...judgement, toConfirm }
}

async function judgeOnce({ held, now }: Judging, prepared: Prepared): Promise<Judgement> {
  const { levels, principal } = prepared
  const roles = new Map<string, readonly string[]>()
  for (const level of levels.flatMap((at) => [at, ...above(at)])) {
    const name = describeLevel(level)
    if (!roles.has(name)) roles.set(name, await held.rolesAt(level))
  }
  const actor: GrantingActor = { principal, rolesAt: (level) => roles.get(describeLevel(level)) ?? [] }
  return judgePrepared(prepared, actor, Math.floor(now / 1000))
}

/** Whether somebody who is active was made owner by name. */
async function isOwnedDirectly(
  { environment }: Pick<Call, 'environment'>,
  { before, after }: DocumentChange,
): Promise<boolean> {
  const { roles } = after
  const isGlobal = compareDocuments(before, after).some(({ level }) => level.kind === 'global')
  const owner = isGlobal ? 'GLOBAL_OWNER' : 'ORG_OWNER'
  const giving = Object.keys(roles).filter((name) => heldWith(roles, name).has(owner))
  const slugs = Object.keys(after.organizations)
  const { results } = await environment.DB.prepare(
    `SELECT DISTINCT m.organization FROM memberships m
      WHERE m.project = '' AND m.organization IN (SELECT value FROM json_each(?1))
        AND m.role_name IN (SELECT value FROM json_each(?2))
        AND NOT EXISTS (SELECT 1 FROM users u WHERE m.holder = 'user/' || u.id AND u.status = 'inactive')`,
  )
    .bind(JSON.stringify(isGlobal ? [''] : slugs), JSON.stringify(giving))
    .all<{ organization: string }>()
  return results.length >= (isGlobal ? 1 : slugs.length)
}
