// A request that goes well when the caller may make it: its shape, and the ways to write one down. The requests of
// every operation are in api-trials.ts.
import type { Level } from '../../policy/level.ts'
import type { OperationId } from '../../policy/operations/table.ts'
import type { Fixture, Trial } from './api-fixture.ts'

export interface TrialRow {
  id: OperationId
  /** What is special about it, of several for one operation. */
  variant: string
  make: (fixture: Fixture) => Promise<Trial>
  /** When it has gone well once it cannot again: the next caller gets a new one. */
  consumes?: true
  /** It gives a role: the rules of granting say no to some who have the permission. */
  gives?: true
  /** For operations whose level and permission depend on the document asked about. */
  asks?: { level: Level; permissions: string[] }
  /** What of the answer depends on who asks. */
  shows?: (body: Record<string, unknown>) => string
}

export type Row = Omit<TrialRow, 'id'>
export type Make = TrialRow['make']

export const plain = (trial: Trial = {}): Row[] => [{ variant: '', make: async () => trial }]
export const made = (make: Make, more: Partial<Row> = {}): Row[] => [{ variant: '', make, ...more }]

/** Of a reading: with the version read, and a body. */
export function changing(read: OperationId, params: Record<string, string>, body: unknown): Make {
  return async (fixture) => ({ params, body, ifMatch: await fixture.version(read, { params }) })
}
