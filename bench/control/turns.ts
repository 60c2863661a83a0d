// Rounds of one operation in which the sides take turns, and what comes of them: times, and ratios within a round.
import { spreadOf } from '../measure.ts'
import { type Part, perform, type Side } from './operations.ts'
import type { Scale } from './stack.ts'

export interface Sides {
  postern: Record<Scale, Side>
  bare: Record<Scale, Side>
}

export interface Plan {
  warmUp: number
  rounds: number
  /** Of each side in each round, one after the other. */
  requests: number
  /** After a side's requests, before the next side's. */
  settle: (scale: Scale) => Promise<void>
  /** Processor time of all sides so far, in nanoseconds. */
  cpuTime: () => number
}

type SideName = `${'postern' | 'bare'}.${Scale}`
const NAMES: SideName[] = ['postern.small', 'bare.small', 'postern.large', 'bare.large']

/** Of one request in one round, in milliseconds: the median time, and the mean processor time. */
export interface Round {
  time: number
  cpu: number
}
export type Rounds = Record<SideName, Round[]>

export async function takeTurns(sides: Sides, part: Part, plan: Plan): Promise<Rounds> {
  const run = async (name: SideName, requests: number): Promise<Round> => {
    const [kind, scale] = name.split('.') as ['postern' | 'bare', Scale]
    const times: number[] = []
    const begin = plan.cpuTime()
    for (let request = 0; request < requests; request++) times.push(await perform(sides[kind][scale], part))
    const cpu = (plan.cpuTime() - begin) / requests / 1e6
    // What goes on behind the last answer must not cost the next side.
    if (kind === 'postern') await plan.settle(scale)
    return { time: spreadOf(times).median, cpu }
  }
  for (const name of NAMES) await run(name, plan.warmUp)
  const rounds = Object.fromEntries(NAMES.map((name): [string, Round[]] => [name, []])) as Rounds
  for (let round = 0; round < plan.rounds; round++) {
    for (const name of round % 2 === 0 ? NAMES : NAMES.toReversed()) {
      rounds[name].push(await run(name, plan.requests))
    }
  }
  return rounds
}

/** Round by round. */
export function ratiosOf(rounds: Rounds, of: SideName, to: SideName, what: keyof Round = 'time'): number[] {
  return rounds[of].map((round, index) => round[what] / rounds[to][index]![what])
}
