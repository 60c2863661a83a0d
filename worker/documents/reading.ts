// Reads one published document: from KV, near every request, and from the publisher where KV's copy is missing,
// cannot be read, or is older than the feed says. What is not whole is never taken for anything.
import type { Environment } from '../environment.ts'
import { bounded } from './bounded.ts'
import { type Envelope, keyOf, PUBLISHED_FORMAT } from './published.ts'

const PUBLISHER_TIMEOUT_MS = 5000

export type ReadDocument<Content> =
  /** `content` is null for what was deleted and for what never was; `length` is the text's. */
  | { ok: true; version: number; content: Content | null; length: number }
  /** The end of a sentence that begins with the document's name. */
  | { ok: false; problem: string }

export interface Reading<Content> {
  name: string
  /** A copy that is older is none. */
  versionMin: number
  /** Throws when the content is not what it should be. */
  parse(content: unknown): Content
  /** Whether the publisher is asked for what KV does not have, though the feed has not spoken of it. */
  asksForMissing: boolean
}

export async function readDocument<Content>(
  environment: Environment,
  reading: Reading<Content>,
): Promise<ReadDocument<Content>> {
  const { name, versionMin } = reading
  const stored = await attempt(() => environment.KV.get(keyOf(name)), reading)
  if (stored.ok) {
    const missing = stored.length === 0
    if (missing ? versionMin === 0 && !reading.asksForMissing : stored.version >= versionMin) return stored
  }
  const publisher = environment.PUBLISHER.getByName('instance')
  const published = await attempt(() => bounded(publisher.document(name), PUBLISHER_TIMEOUT_MS), reading)
  // What nobody has does not exist; but a copy that cannot be read does.
  if (published.ok && published.version >= versionMin && (published.length > 0 || stored.ok)) return published
  return {
    ok: false,
    problem: `${describe(stored, versionMin)}; at the publisher it ${describe(published, versionMin)}`,
  }
}

function describe(read: ReadDocument<unknown>, versionMin: number): string {
  if (!read.ok) return read.problem
  return read.length === 0 ? 'is missing' : `has version ${read.version}, wanted is ${versionMin}`
}

/** A text that is not there is content null of version 0. */
async function attempt<Content>(
  read: () => Promise<string | null>,
  { parse }: Reading<Content>,
): Promise<ReadDocument<Content>> {
  try {
    const text = await read()
    if (text === null) return { ok: true, version: 0, content: null, length: 0 }
    const { format, version, content } = JSON.parse(text) as Envelope<unknown>
    if (format !== PUBLISHED_FORMAT) {
      return {
        ok: false,
        problem: `is of format ${JSON.stringify(format)}, this build reads ${PUBLISHED_FORMAT}`,
      }
    }
    if (!Number.isSafeInteger(version) || content === undefined)
      return { ok: false, problem: 'is not whole: it has no version or no content' }
    return { ok: true, version, content: content === null ? null : parse(content), length: text.length }
  } catch (error) {
    return { ok: false, problem: `cannot be read (${(error as Error).message})` }
  }
}
