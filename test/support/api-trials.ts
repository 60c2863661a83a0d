// A request for every operation of the table that goes well when the caller may make it. What can be asked as a
// dry run is, by those who add it; what cannot is asked of something made to be thrown away.
import type { Operation } from '../../policy/operations/common.ts'
import { OPERATIONS, type OperationId } from '../../policy/operations/table.ts'
import type { Trial } from './api-fixture.ts'
import type { Row, TrialRow } from './api-trial.ts'
import { historyRows } from './api-trials-history.ts'
import { peopleRows } from './api-trials-people.ts'
import { placeRows } from './api-trials-places.ts'

export type { TrialRow } from './api-trial.ts'

/** An operation without one does not compile. */
const rows: Record<OperationId, Row[]> = { ...placeRows, ...peopleRows, ...historyRows }

export const TRIALS: readonly TrialRow[] = (Object.keys(OPERATIONS) as OperationId[]).flatMap((id) => {
  return rows[id].map((row) => ({ id, ...row }))
})

/** As a dry run, where the operation has them. */
export function asDryRun({ id }: TrialRow, trial: Trial): Trial {
  const { write } = OPERATIONS[id] as Operation
  return write?.dryRun ? { ...trial, query: { ...trial.query, dryRun: 'true' } } : trial
}

/** What the table calls the row. */
export const nameOf = ({ id, variant }: TrialRow) => (variant === '' ? id : `${id} (${variant})`)
