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
}

type SideName = `${'postern' | 'bare'}.${Scale}`
const NAMES: SideName[] = ['postern.small', 'bare.small', 'postern.large', 'bare.large']

/** Medians of each round, in milliseconds. */
export type Times = Record<SideName, number[]>

export async function takeTurns(sides: Sides, part: Part, plan: Plan): Promise<Times> {
  const run = async (name: SideName, requests: number) => {
    const [kind, scale] = name.split('.') as ['postern' | 'bare', Scale]
    const times: number[] = []
    for (let request = 0; request < requests; request++) times.push(await perform(sides[kind][scale], part))
    // What goes on behind the last answer must not cost the next side.
    if (kind === 'postern') await plan.settle(scale)
    return spreadOf(times).median
  }
  for (const name of NAMES) await run(name, plan.warmUp)
  const times = Object.fromEntries(NAMES.map((name): [string, number[]] => [name, []])) as Times
  for (let round = 0; round < plan.rounds; round++) {
    for (const name of round % 2 === 0 ? NAMES : NAMES.toReversed()) {
      times[name].push(await run(name, plan.requests))
    }
  }
  return times
}

/** Round by round. */
export function ratiosOf(times: Times, of: SideName, to: SideName): number[] {
  return times[of].map((time, round) => time / times[to][round]!)
}
