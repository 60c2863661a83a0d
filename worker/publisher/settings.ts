// Settings that the edge works by: a variable first, then what D1 has, then the default.
import type { Environment } from '../environment.ts'

export const RECHECK_SECONDS_DEFAULT = 15
export const RECHECK_SECONDS_MAX = 60

/** A variable that is no whole number of seconds within the bounds counts as not set. */
export function recheckSecondsOf(
  { RECHECK_SECONDS }: Pick<Environment, 'RECHECK_SECONDS'>,
  stored: { recheckSeconds?: number } | null,
): number {
  if (RECHECK_SECONDS !== undefined && /^\d{1,2}$/.test(RECHECK_SECONDS)) {
    const seconds = Number(RECHECK_SECONDS)
    if (seconds <= RECHECK_SECONDS_MAX) return seconds
  }
  return stored?.recheckSeconds ?? RECHECK_SECONDS_DEFAULT
}
