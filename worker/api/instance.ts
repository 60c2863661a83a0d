// Handlers of the mappings of the global level.
import type { SomeHandlers } from './call.ts'
import { readInstance } from './effective.ts'
import { instanceResource, planInstance, readInstanceState } from './instance-edit.ts'
import { checkMatch, write } from './write.ts'

export const instanceHandlers = {
  'instance.get': async ({ environment }) => {
    const instance = await readInstance(environment)
    return { ok: true, body: instanceResource(instance), version: instance.version }
  },

  'instance.update': async (call) => {
    const state = await readInstanceState(call.environment)
    const mismatch = checkMatch(call, state.instance.version)
    if (mismatch) return mismatch
    const plan = await planInstance(call, state, call.body, (resource) => resource)
    return plan.ok ? write(call, plan) : plan
  },
} satisfies SomeHandlers
