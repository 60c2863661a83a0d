// A change as two documents, before and after, with only the levels it touches and those above: what it is judged
// by (policy/granting.ts), and what its preview compares.
import { above, type Granting, type Judgement, judgeGranting, levelsToJudge } from '../../policy/granting.ts'
import { describeLevel, type Level } from '../../policy/level.ts'
import { heldWith } from '../../policy/mapping-sites.ts'
import type { PolicyDocument } from '../../policy/schema.ts'
import type { SettingsContent } from '../database/documents.ts'
import type { Call } from './call.ts'

export interface DocumentChange {
  before: PolicyDocument
  after: PolicyDocument
}

/** Asks the edge's documents for what the caller holds, and judges. */
export async function judgeChange(
  call: Pick<Call, 'held' | 'principal' | 'now' | 'environment'>,
  { before, after }: DocumentChange,
  { confirmOwnAccess = true }: SettingsContent,
): Promise<Judgement> {
  const { held, principal } = call
  const levels = levelsToJudge({ before, after, actor: { principal, rolesAt: () => [] } })
  const roles = new Map<string, readonly string[]>()
  for (const level of levels.flatMap((at) => [at, ...above(at)])) {
    const name = describeLevel(level)
    if (!roles.has(name)) roles.set(name, await held.rolesAt(level))
  }
  const actor: Granting['actor'] = { principal, rolesAt: (level) => roles.get(describeLevel(level)) ?? [] }
  const judgement = judgeGranting({ before, after, actor, now: Math.floor(call.now / 1000) })
  const toConfirm: Judgement['toConfirm'] = []
  for (const one of judgement.toConfirm) {
    if (one.what === 'own-access' && !confirmOwnAccess) continue
    if (one.what === 'last-owner' && (await isOwnedDirectly(call, after, levels))) continue
    toConfirm.push(one)
  }
  return { ...judgement, toConfirm }
}

/** Whether somebody who is active was made owner by name. */
async function isOwnedDirectly(
  { environment }: Pick<Call, 'environment'>,
  { roles }: PolicyDocument,
  levels: readonly Level[],
): Promise<boolean> {
  const isGlobal = levels.some(({ kind }) => kind === 'global')
  const owner = isGlobal ? 'GLOBAL_OWNER' : 'ORG_OWNER'
  const giving = Object.keys(roles).filter((name) => heldWith(roles, name).has(owner))
  const slugs = levels.flatMap((level) => (level.kind === 'organization' ? [level.organization] : []))
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
