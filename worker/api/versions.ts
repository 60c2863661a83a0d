// Handlers of versions of documents.
import type { SomeHandlers } from './call.ts'

export const versionHandlers = {} satisfies SomeHandlers
