// The peers next to Postern, one at a time: first whether they agree with it, then how long each takes for the
// same questions, in turn with Postern.
import { type ChildProcess, fork } from 'node:child_process'
import { join } from 'node:path'
import { type Figures, median } from './figures.ts'
import type { Question, Size } from './mappings.ts'
import type { Order, PeerName, Result } from './peer-process.ts'

const LOAD_SECONDS_MAX = 60
const MEMORY_MEGABYTES_MAX = 3500
export const LOAD_LIMITS = `${LOAD_SECONDS_MAX} s and ${MEMORY_MEGABYTES_MAX} MB`
const ROUNDS = 3
const ROUND_MILLISECONDS = 100
/** All questions are asked of the smallest size, as many as fit into this of the others. */
const AGREEMENT_MILLISECONDS_MAX = 5000

/** Questions of one kind, and Postern's time for one of them (measured anew at each call). */
export interface Cell {
  name: string
  questions: Question[]
  nanoseconds: () => number
}

export interface PeerBench {
  figures: Figures
  size: Size
  /** What every engine must answer as Postern does; of a peer that is slow not the whole. */
  agreement: { questions: Question[]; answers: boolean[]; whole: boolean }
  cells: Cell[]
}

/** @returns the least factor, null when the mappings do not load within `LOAD_LIMITS`. */
export async function measurePeer(name: PeerName, bench: PeerBench): Promise<number | null> {
  const { figures, size, agreement, cells } = bench
  const key = `policy.${name}.${size.mappings}`
  const peer = startPeer()
  try {
    const loaded = await peer.order({ kind: 'load', name, size }, LOAD_SECONDS_MAX * 1000)
    if (loaded === null) {
      return null
    }
    figures.figure(`${key}.loadMilliseconds`, `${name}, to load`, loaded.loadMilliseconds!, 'ms', 0)
    const milliseconds = agreement.whole ? Number.POSITIVE_INFINITY : AGREEMENT_MILLISECONDS_MAX
    const { answers } = (await peer.order({ kind: 'answer', questions: agreement.questions, milliseconds }))!
    const differing = answers!.filter((answer, index) => answer !== agreement.answers[index]).length
    if (differing > 0)
      throw new Error(`${name} and Postern differ on ${differing} of ${answers!.length} questions`)
    figures.figure(`${key}.agreed`, '  questions on which it agrees', answers!.length, '', 0)
    await peer.order({ kind: 'cells', cells: cells.map(({ questions }) => questions) })
    const factor = await measureUse('asked', { name, key, bench, peer })
    await measureUse('knowing', { name, key, bench, peer })
    return factor
  } finally {
    peer.end()
  }
}

interface Use {
  name: PeerName
  key: string
  bench: PeerBench
  peer: RunningPeer
}

/** The factor is that of the cell in which the peer comes nearest. */
async function measureUse(use: 'asked' | 'knowing', { name, key, bench, peer }: Use): Promise<number | null> {
  const { figures, cells } = bench
  const factors: number[] = []
  for (const [cell, { name: kind, nanoseconds }] of cells.entries()) {
    const times: number[] = []
    const ratios: number[] = []
    for (let round = 0; round <= ROUNDS; round++) {
      const order = {
        kind: 'time',
        cell,
        milliseconds: ROUND_MILLISECONDS,
        knowing: use === 'knowing',
      } as const
      const result = (await peer.order(order))!
      if (result.nanoseconds === null) return null
      const ours = nanoseconds()
      // The first is for warming up.
      if (round === 0) continue
      times.push(result.nanoseconds! / 1000)
      ratios.push(result.nanoseconds! / ours)
    }
    const factor = median(ratios)
    factors.push(factor)
    const text = `  ${name}${use === 'knowing' ? ', callers known before' : ''}, ${kind}`
    const cellKey = `${key}.${use === 'knowing' ? 'knowing.' : ''}${kind.replaceAll(' ', '.')}`
    figures.figure(`${cellKey}.microseconds`, text, median(times), 'us', 1)
    figures.figure(`${cellKey}.factor`, '    factor', factor, 'times', 1)
  }
  const member = use === 'knowing' ? 'factorKnowing' : 'factor'
  figures.figure(
    `${key}.${member}`,
    `  ${name}: least factor${use === 'knowing' ? ', callers known before' : ''}`,
    Math.min(...factors),
    'times',
    1,
  )
  return Math.min(...factors)
}

interface RunningPeer {
  /** Null when it died or took too long. */
  order(order: Order, millisecondsMax?: number): Promise<Result | null>
  end(): void
}

function startPeer(): RunningPeer {
  const child: ChildProcess = fork(join(import.meta.dirname, 'peer-process.ts'), {
    serialization: 'advanced',
    execArgv: [`--max-old-space-size=${MEMORY_MEGABYTES_MAX}`],
    stdio: ['ignore', 'ignore', 'ignore', 'ipc'],
  })
  return {
    order(order, millisecondsMax) {
      return new Promise((resolve) => {
        const finish = (result: Result | null) => {
          clearTimeout(timer)
          child.removeAllListeners()
          resolve(result)
        }
        const timer =
          millisecondsMax === undefined ? undefined : setTimeout(() => finish(null), millisecondsMax)
        child.once('message', (result: Result) => finish(result))
        child.once('exit', () => finish(null))
        child.send(order)
      })
    },
    end: () => child.kill('SIGKILL'),
  }
}
