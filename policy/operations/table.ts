// The management API in one table: the Worker mounts it (worker/api/), the typed client and the OpenAPI document
// are made of it, tests walk it.
import type { z } from 'zod'
import type { Operation } from './common.ts'
import { historyOperations } from './history.ts'
import { instanceOperations } from './instance.ts'
import { issuerOperations } from './issuers.ts'
import { organizationOperations } from './organizations.ts'
import { peopleOperations } from './people.ts'
import { selfOperations } from './self.ts'
import { sessionOperations } from './sessions.ts'

export const OPERATIONS = {
  ...selfOperations,
  ...organizationOperations,
  ...instanceOperations,
  ...issuerOperations,
  ...peopleOperations,
  ...historyOperations,
  ...sessionOperations,
} satisfies Record<string, Operation>

export type OperationId = keyof typeof OPERATIONS
export type ParamsOf<Id extends OperationId> = z.infer<(typeof OPERATIONS)[Id]['params']>
export type QueryOf<Id extends OperationId> = z.infer<(typeof OPERATIONS)[Id]['query']>
export type BodyOf<Id extends OperationId> = z.infer<NonNullable<(typeof OPERATIONS)[Id]['body']>>
export type OutputOf<Id extends OperationId> = z.infer<(typeof OPERATIONS)[Id]['output']>
