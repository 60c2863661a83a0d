// Rounds, medians and ratios. Sides take turns, so that what disturbs the machine disturbs all of them alike,
// and a ratio is the median of the ratios within a round.
import { type LoadResult, runLoad } from './load.ts'
import type { Workerd } from './workerd.ts'

export const CONNECTIONS = 16

export interface Side {
  /** The Worker's. */
  name: string
  status: number
  next: () => Buffer
}

export interface Rounds {
  warmUpRequests: number
  rounds: number
  requestsPerRound: number
}

/** `cpuMicroseconds`: of workerd, for each request. It stays meaningful on a machine that is busy otherwise. */
export interface RoundResult extends LoadResult {
  cpuMicroseconds: number
}

/** Results of each side by name, round by round. */
export type Results = Record<string, RoundResult[]>

export async function takeTurns(workerd: Workerd, sides: Side[], plan: Rounds): Promise<Results> {
  const load = async ({ name, status, next }: Side, requests: number): Promise<RoundResult> => {
    const begin = workerd.cpuTime()
    const port = workerd.ports[name]!
    const result = await runLoad({ port, status, next, requests, connections: CONNECTIONS })
    return { ...result, cpuMicroseconds: (workerd.cpuTime() - begin) / requests / 1000 }
  }
  for (const side of sides) await load(side, plan.warmUpRequests)
  const results: Results = Object.fromEntries(sides.map(({ name }) => [name, []]))
  for (let round = 0; round < plan.rounds; round++) {
    // Every other round the other way round: coming after a heavy side is nobody's fate.
    for (const side of round % 2 === 0 ? sides : sides.toReversed()) {
      results[side.name]!.push(await load(side, plan.requestsPerRound))
    }
  }
  return results
}

/** A median and the quartiles round it. */
export interface Spread {
  median: number
  low: number
  high: number
}

export function spreadOf(values: number[]): Spread {
  const sorted = values.toSorted((a, b) => a - b)
  const at = (share: number) => sorted[Math.floor(sorted.length * share)]!
  return { median: at(0.5), low: at(0.25), high: at(0.75) }
}

/** How much of the peer's throughput, and of its processor time for each request, round by round. */
export interface Ratios {
  throughput: number[]
  cpu: number[]
}

export function ratiosOf(results: Results, side: string, peer: string): Ratios {
  const pairs = results[side]!.map((ours, round) => [ours, results[peer]![round]!] as const)
  return {
    throughput: pairs.map(([ours, theirs]) => ours.perSecond / theirs.perSecond),
    cpu: pairs.map(([ours, theirs]) => theirs.cpuMicroseconds / ours.cpuMicroseconds),
  }
}

/** Gives each item once, and throws rather than begin again. */
export function onceEach<Item>(items: Item[]): () => Item {
  let index = 0
  return () => {
    const item = items[index++]
    if (item === undefined) throw new Error(`All ${items.length} prepared requests have been sent.`)
    return item
  }
}

export function inTurn<Item>(items: Item[]): () => Item {
  let index = 0
  return () => items[index++ % items.length]!
}
