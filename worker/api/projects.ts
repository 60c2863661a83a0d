// Handlers of projects.
import type { SomeHandlers } from './call.ts'

export const projectHandlers = {} satisfies SomeHandlers
