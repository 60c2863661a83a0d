// Faults that a test asks for at the bindings of one isolate, and what is counted there (worker/isolate-faults.ts).

export interface IsolateFaults {
  /** Every call of the publisher fails. */
  publisher?: 'unreachable'
  /** Every call of the publisher, and every reading of KV, takes so much longer. */
  delayMs?: number
  /** What it is told of edits never reaches it. */
  catchUp?: 'lost'
  /** Every reading of KV fails. */
  kv?: 'unreachable'
  /** Every statement fails as D1 says it when it cannot be reached. */
  d1?: 'unreachable'
  /** By key: what KV gives instead; null: nothing. */
  kvTexts?: Record<string, string | null>
  /** By document: what the publisher gives instead; null: nothing. */
  publisherTexts?: Record<string, string | null>
}

/** How often the bindings were asked. */
export interface IsolateCounts {
  /** Of D1. */
  statements: number
  kvReads: number
  /** Of documents. */
  publisherReads: number
  feedCalls: number
  /** Of objects of sessions. */
  sessionCalls: number
}
