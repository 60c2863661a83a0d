// Requests by sessions on every isolate, and what is noted of them: when each session was served last, and how often it was
// after its end had been acknowledged.
import { setTimeout as sleep } from 'node:timers/promises'
import { connectTo } from '../control/connection.ts'
import { FRONTED_HOST } from '../sides.ts'
import type { BenchSession } from './people.ts'

/** The end of some sessions, as somebody has it done. All times are of performance.now(). */
export interface End {
  name: string
  targets: readonly BenchSession[]
  perform(): Promise<void>
  /** When it was asked for, and when it was acknowledged; 0 before. */
  clickedAt: number
  acknowledgedAt: number
  /** When the last request of a target was answered as let through. */
  lastServedAt: number
  /** Requests of targets that were sent after the acknowledgement, and let through. */
  servedAfter: number
  /** Requests of targets that each isolate has refused. */
  refused: number[]
}

export interface Traffic {
  /** Asks with these, one after the other, on every isolate until it ends. */
  keepAsking(sessions: readonly BenchSession[], pauseMs: number): void
  /** What happens to its targets from here on counts for it. */
  watch(end: End): void
  /** Sessions that each isolate has served. */
  servedEverywhere(): number
  /** Throws what went wrong meanwhile. */
  check(): void
  end(): Promise<void>
}

export function startTraffic(ports: readonly number[]): Traffic {
  const ends = new Map<BenchSession, End>()
  const served = ports.map(() => new Set<BenchSession>())
  const running: Promise<void>[] = []
  let over = false
  let failure: Error | null = null

  const note = (session: BenchSession, isolate: number, status: number, sentAt: number) => {
    const end = ends.get(session)
    if (status === 200) {
      served[isolate]!.add(session)
      if (!end) return
      end.lastServedAt = performance.now()
      if (end.acknowledgedAt > 0 && sentAt > end.acknowledgedAt) end.servedAfter += 1
      return
    }
    if (status !== 401 || !end || end.clickedAt === 0) {
      throw new Error(`A session of ${session.issuer} that nobody has ended was answered with ${status}.`)
    }
    end.refused[isolate]! += 1
  }

  const ask = async (sessions: readonly BenchSession[], isolate: number, pauseMs: number) => {
    const connection = connectTo(ports[isolate]!)
    try {
      for (let turn = 0; !over; turn++) {
        const session = sessions[turn % sessions.length]!
        const sentAt = performance.now()
        const { path, headers } = session
        const { status } = await connection.ask({ host: FRONTED_HOST, path, headers })
        note(session, isolate, status, sentAt)
        await sleep(pauseMs)
      }
    } finally {
      connection.close()
    }
  }

  return {
    keepAsking(sessions, pauseMs) {
      for (const isolate of ports.keys()) {
        const stream = ask(sessions, isolate, pauseMs).catch((error: Error) => {
          failure ??= error
        })
        running.push(stream)
      }
    },
    watch(end) {
      for (const session of end.targets) ends.set(session, end)
    },
    servedEverywhere: () => Math.min(...served.map(({ size }) => size)),
    check() {
      if (failure) throw failure
    },
    async end() {
      over = true
      await Promise.all(running)
    },
  }
}
