// Handlers of organizations.
import type { SomeHandlers } from './call.ts'

export const organizationHandlers = {} satisfies SomeHandlers
