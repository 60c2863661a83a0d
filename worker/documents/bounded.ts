// Waits for other objects, and for what another request may have begun, no longer than is good: such a promise
// might never settle.

/** Throws when the promise has not settled in time. */
export async function bounded<Value>(promise: Promise<Value>, milliseconds: number): Promise<Value> {
  const settled = new AbortController()
  const late = scheduler.wait(milliseconds, { signal: settled.signal }).then(
    () => {
      throw new Error(`no answer came within ${milliseconds} ms`)
    },
    // Nobody waits for the timer any more.
    () => promise,
  )
  try {
    return await Promise.race([promise, late])
  } finally {
    settled.abort()
  }
}
