// A change as two documents, before and after, with only the levels it touches and those above: what it is judged
// by (policy/granting.ts), and what its preview compares.
import {
  above,
  type GrantingActor,
  type Judgement,
  judgePrepared,
  type Prepared,
  prepareGranting,
} from '../../policy/granting.ts'
import { describeLevel } from '../../policy/level.ts'
import type { PolicyDocument } from '../../policy/schema.ts'
import type { SettingsContent } from '../database/documents.ts'
import { refreshHeld } from './authenticate.ts'
import type { Call } from './call.ts'
import { ownedByName } from './last-owner.ts'

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
    if (one.ownerless !== undefined) {
      const owned = await ownedByName(call, change.after.roles, one.ownerless)
      if (one.ownerless.every((place) => owned.has(place))) continue
    }
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
