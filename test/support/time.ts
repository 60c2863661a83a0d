// The time as tests see it: the real one, and how far a test has moved on from it. Tokens are dated by it, and
// stack.ts keeps the clock of every isolate the same.
let aheadSeconds = 0

/** Seconds since the epoch, as in JWTs. */
export function nowSeconds(): number {
  return Math.floor(Date.now() / 1000) + aheadSeconds
}

export function secondsAhead(): number {
  return aheadSeconds
}

/** Tests call the stack's `advance`, which moves its isolates as well. */
export function moveTime(seconds: number): void {
  aheadSeconds += seconds
}
