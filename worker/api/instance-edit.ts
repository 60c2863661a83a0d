// The plan of any change to the mappings of the global level: changed over the API or restored from a version.

import type { z } from 'zod'
import { canonicalJson } from '../../policy/audit-event.ts'
import type { MergedInstance } from '../../policy/layers.ts'
import type { InstanceResource } from '../../policy/operations/instance.ts'
import type { OperationId } from '../../policy/operations/table.ts'
import type { PolicyDocument } from '../../policy/schema.ts'
import { changedMembers } from '../database/audit.ts'
import { readAll } from '../database/batch.ts'
import { INSTANCE, NO_MAPPINGS } from '../database/documents.ts'
import { mappingStatements } from '../database/rows.ts'
import type { Environment } from '../environment.ts'
import type { Refusal } from '../refusal.ts'
import type { Call } from './call.ts'
import { judgeChange } from './change.ts'
import {
  type InstanceInForce,
  type InstanceRows,
  instanceInForce,
  instanceStatements,
  wholeInstance,
} from './effective.ts'
import { echoMappings, type WrittenLevel, withStored } from './mappings.ts'
import { takeLists } from './organizations/level-input.ts'
import { issuersOf } from './organizations/organization-edit.ts'
import { previewChange } from './preview.ts'
import type { Plan } from './write.ts'

export type InstanceBody = z.infer<typeof InstanceResource>

export interface InstanceState {
  instance: InstanceInForce
  issuers: string[]
}

export async function readInstanceState(environment: Environment): Promise<InstanceState> {
  const rows = await readAll<InstanceRows & { issuers: { id: string } }>(environment.DB, {
    ...instanceStatements(environment),
    issuers: issuersOf(environment.DB, ''),
  })
  const instance = await instanceInForce(environment, rows)
  const written = Object.keys(instance.source.policy.issuers)
  return { instance, issuers: [...new Set([...written, ...rows.issuers.map(({ id }) => id)])] }
}

export function instanceResource({ merged, content, version, updatedAt }: InstanceInForce): InstanceBody {
  return {
    ...echoMappings(merged.policy, content, merged.origins),
    version,
    updatedAt: updatedAt === null ? null : new Date(updatedAt).toISOString(),
  }
}

export async function planInstance<Id extends OperationId>(
  call: Call<Id>,
  { instance, issuers }: InstanceState,
  written: WrittenLevel,
  body: (resource: InstanceBody, seq: number | null) => ReturnType<Plan<Id>['body']>,
): Promise<({ ok: true } & Plan<Id>) | Refusal> {
  const { environment, now } = call
  const { merged, content: stored, version } = instance
  const { origins, policy } = merged
  const rules = { roles: policy.roles, level: 'global' as const, issuers }
  const taken = takeLists(written, policy, stored, origins, rules)
  if (!taken.ok) return taken
  const content = taken.mappings
  const isChanged = canonicalJson(stored ?? NO_MAPPINGS) !== canonicalJson(content)
  const after = (whole: MergedInstance): PolicyDocument => withStored(whole.policy, content, origins)
  const plain = (document: PolicyDocument) => ({ ...document, issuers: {}, routes: {}, tests: [] })
  const change = { before: plain(policy), after: plain(after(merged)) }
  const judgement = await judgeChange(call, change, instance.settings)
  const resource = instanceResource({
    ...instance,
    content,
    merged: { ...merged, policy: after(merged) },
    version: isChanged ? version + 1 : version,
    updatedAt: isChanged ? now : instance.updatedAt,
  })
  const place = { document: INSTANCE, organization: '', project: '', above: origins.above }
  return {
    ok: true,
    documents: isChanged ? [{ name: INSTANCE, version, content }] : [],
    derived: isChanged ? mappingStatements(environment.DB, place, stored, content) : [],
    audit: [
      { chain: '', target: { kind: 'instance', id: '' }, ...changedMembers(stored ?? NO_MAPPINGS, content) },
    ],
    judgement,
    version: resource.version,
    preview: async () => {
      const whole = await wholeInstance(environment, instance)
      return previewChange(call, { before: whole.policy, after: after(whole) })
    },
    body: (seq) => body(resource, seq),
  }
}
