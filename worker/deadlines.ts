// Bounds how long upstreams may take to begin their answers. A timer for each request would cost more than
// deciding does, so one tick a second serves every request that waits in this isolate.
import { waitUntil } from 'cloudflare:workers'
import { clock } from './clock.ts'

const TICK_MS = 1000
/** The platform ends what outlives its request by 30 s; well before that another request takes over. */
const TICKS_MAX = 20
/** A tick that is this late has died with its request. */
const TICK_LATE_MS = 3 * TICK_MS

type Outcome = 'late' | 'handover'
interface Waiting {
  until: number
  wake(outcome: Outcome): void
}

const waiting = new Set<Waiting>()
let tickedAt = Number.NEGATIVE_INFINITY

/**
 * What `answer` gives, or 'late' when it has not come by `until` (milliseconds since the epoch), up to one tick
 * more. After 'handover' ask again: the tick has ended with the request it belonged to, and ours starts the next.
 */
export function beforeDeadline<Answer>(answer: Promise<Answer>, until: number): Promise<Answer | Outcome> {
  if (clock.now() - tickedAt > TICK_LATE_MS) waitUntil(tick())
  return new Promise((resolve, reject) => {
    const entry: Waiting = { until, wake: resolve }
    waiting.add(entry)
    answer.then(
      (value) => {
        waiting.delete(entry)
        resolve(value)
      },
      (error) => {
        waiting.delete(entry)
        reject(error)
      },
    )
  })
}

/** Ticks while anyone waits, then lets those that still do start the next. */
async function tick(): Promise<void> {
  for (let ticks = 0; ticks < TICKS_MAX && waiting.size > 0; ticks++) {
    tickedAt = clock.now()
    await scheduler.wait(TICK_MS)
    wakeAll(({ until }) => until <= clock.now(), 'late')
  }
  tickedAt = Number.NEGATIVE_INFINITY
  wakeAll(() => true, 'handover')
}

function wakeAll(condition: (entry: Waiting) => boolean, outcome: Outcome): void {
  for (const entry of [...waiting]) {
    if (!condition(entry)) continue
    waiting.delete(entry)
    entry.wake(outcome)
  }
}
