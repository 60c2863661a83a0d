// A peer in a process of its own, with a limit on memory: loads the mappings of a size, then answers and measures
// as it is told.
import { loadCasbin } from './casbin.ts'
import { loadCasl } from './casl.ts'
import { loadCedar } from './cedar.ts'
import { mappingsOf, type Question, type Size } from './mappings.ts'
import type { Ask, LoadedPeer, LoadPeer } from './peer.ts'

export const PEERS = { casbin: loadCasbin, cedar: loadCedar, casl: loadCasl }
export type PeerName = keyof typeof PEERS

export type Order =
  | { kind: 'load'; name: PeerName; size: Size }
  /** Answers until the time is over. */
  | { kind: 'answer'; questions: Question[]; milliseconds: number }
  | { kind: 'cells'; cells: Question[][] }
  | { kind: 'time'; cell: number; milliseconds: number; knowing: boolean }

export type Result = { answers?: boolean[]; nanoseconds?: number | null; loadMilliseconds?: number }

let peer: LoadedPeer
let cells: Question[][] = []
let known: Ask | undefined

async function obey(order: Order): Promise<Result> {
  switch (order.kind) {
    case 'load': {
      const load: LoadPeer = PEERS[order.name]
      const mappings = mappingsOf(order.size)
      const begin = performance.now()
      peer = await load(mappings)
      return { loadMilliseconds: performance.now() - begin }
    }
    case 'answer':
      return { answers: answersWithin(order.questions, order.milliseconds) }
    case 'cells':
      cells = order.cells
      known = await peer.knowing?.(cells.flat())
      return {}
    case 'time': {
      const ask = order.knowing ? known : peer.ask
      return { nanoseconds: ask ? timeOf(ask, cells[order.cell]!, order.milliseconds) : null }
    }
  }
}

function answersWithin(questions: readonly Question[], milliseconds: number): boolean[] {
  const end = performance.now() + milliseconds
  const answers: boolean[] = []
  for (const question of questions) {
    if (performance.now() > end) break
    answers.push(peer.ask(question))
  }
  return answers
}

/** Of one question, on average. */
function timeOf(ask: Ask, questions: readonly Question[], milliseconds: number): number {
  const begin = performance.now()
  let asked = 0
  let now = begin
  while (now < begin + milliseconds) {
    ask(questions[asked % questions.length]!)
    asked++
    now = performance.now()
  }
  return ((now - begin) / asked) * 1e6
}

process.on('message', (order: Order) => {
  obey(order).then(
    (result) => process.send!(result),
    (fault) => {
      console.error(fault)
      process.exit(1)
    },
  )
})
