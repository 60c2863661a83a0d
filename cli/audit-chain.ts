// Recomputes an audit chain: the hash of each event, that each names the one before it, that none is missing, and
// the cumulative hashes that signed heads vouch for. Reads events one by one, oldest first.
import { createHash } from 'node:crypto'
import { canonicalEvent, cumulativeText, EMPTY_CUMULATIVE, FIRST_PREVIOUS } from '../policy/audit-event.ts'
import type { AuditEvent } from '../policy/operations/history.ts'

export interface Finding {
  kind: 'altered' | 'removed' | 'cut' | 'inserted' | 'unlinked' | 'rewritten' | 'signature'
  /** Of the event it is about, or of the first one. */
  number: number
  message: string
}

/** A head whose signature was judged already. */
export interface Head {
  number: number
  cumulative: string
  /** The running one has none. */
  isSigned: boolean
}

export interface Checked {
  chain: string | null
  events: number
  cumulative: string
  findings: Finding[]
}

/** More than this says nothing more. */
export const FINDINGS_MAX = 100

export async function checkChain(
  events: AsyncIterable<AuditEvent>,
  heads: readonly Head[],
): Promise<Checked> {
  const findings: Finding[] = []
  const find = (kind: Finding['kind'], number: number, message: string) => {
    if (findings.length < FINDINGS_MAX) findings.push({ kind, number, message })
  }
  const byNumber = new Map<number, Head[]>()
  for (const head of heads) byNumber.set(head.number, [...(byNumber.get(head.number) ?? []), head])
  let chain: string | null = null
  let last = 0
  let count = 0
  let previous = FIRST_PREVIOUS
  let cumulative = EMPTY_CUMULATIVE
  /** From the first break on no cumulative hash can be right; the first is what matters. */
  let isWhole = true
  let vouched = 0
  for await (const event of events) {
    count += 1
    const { number } = event
    chain ??= event.chain
    if (event.chain !== chain) {
      find('inserted', number, `event ${number} is of chain "${event.chain}", the others are of "${chain}"`)
      continue
    }
    if (number <= last) {
      find(
        'inserted',
        number,
        `event ${number} comes after event ${last}: it is there twice, or out of order`,
      )
      continue
    }
    if (number > last + 1) {
      find('removed', last + 1, `${eventsOf(last + 1, number - 1)} missing: removed`)
      isWhole = false
    }
    if (sha256(canonicalEvent(event)) !== event.hash) {
      find('altered', number, `event ${number} is altered: its hash is not that of what it says`)
    }
    if (number === last + 1 && event.previous !== previous) {
      find(
        'unlinked',
        number,
        `event ${number} does not name the hash of event ${last}: one of them is not what it was`,
      )
    }
    cumulative = sha256(cumulativeText(cumulative, event))
    previous = event.hash
    last = number
    for (const head of byNumber.get(number) ?? []) {
      if (head.cumulative === cumulative) vouched = number
      else if (isWhole && findings.length === 0) {
        const which = head.isSigned ? 'the signed head' : "the publisher's head"
        find(
          'rewritten',
          vouched + 1,
          `${eventsOf(vouched + 1, number)} not those that ${which} at ${number} vouches for: rewritten`,
        )
        isWhole = false
      }
    }
  }
  const highest = heads.reduce((max, head) => Math.max(max, head.number), 0)
  if (highest > last) {
    find(
      'cut',
      last + 1,
      `${eventsOf(last + 1, highest)} missing at the end: cut off (a head vouches for ${highest})`,
    )
  }
  return { chain, events: count, cumulative, findings }
}

function eventsOf(from: number, to: number): string {
  return from === to ? `event ${from} is` : `events ${from} to ${to} are`
}

function sha256(text: string): string {
  return createHash('sha256').update(text).digest('hex')
}
