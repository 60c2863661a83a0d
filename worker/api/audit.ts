// Handlers of audit events.
import type { SomeHandlers } from './call.ts'

export const auditHandlers = {} satisfies SomeHandlers
