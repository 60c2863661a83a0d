// Handlers of the mappings of the global level.
import type { SomeHandlers } from './call.ts'

export const instanceHandlers = {} satisfies SomeHandlers
