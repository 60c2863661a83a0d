// The one place time comes from. Only the tests' own entry replaces `now`; the built Worker has no way to.
export const clock = {
  /** Milliseconds since the epoch. */
  now: (): number => Date.now(),
}

/** Seconds since the epoch, as in JWTs (RFC 7519 2, NumericDate). */
export function nowSeconds(): number {
  return Math.floor(clock.now() / 1000)
}

/** For alarms and waiting, which the runtime keeps by its own clock. */
export function alarmTime(delayMs: number): number {
  return Date.now() + delayMs
}
