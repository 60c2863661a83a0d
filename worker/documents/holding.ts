// Published documents in an isolate's memory, bounded in bytes. A document that the feed says has changed is read
// anew when it is next needed; one that cannot be read then serves on as it last was, with a warning.
import { waitUntil } from 'cloudflare:workers'
import { clock } from '../clock.ts'
import type { Environment } from '../environment.ts'
import { type Refusal, refuse } from '../refusal.ts'
import { bounded } from './bounded.ts'
import { announcedVersion, onChanges } from './feed.ts'
import { type ReadDocument, readDocument } from './reading.ts'

/** A reading that is not done by then has died with the request that began it. */
const READING_DEAD_MS = 10_000
/** Pause after a reading that failed. */
const RETRY_PAUSE_MS = 5000
/** A problem that has not come again is told of for so long. */
const WARNED_MS = 10 * 60_000
/** What JSON takes as objects, for each character of its text, and an entry besides. */
const BYTES_PER_CHARACTER = 4
const ENTRY_BYTES = 512

/** A document as it is held. What was decided by it counts as long as it is `current`. */
export interface Held<Content> {
  ok: true
  name: string
  version: number
  content: Content
  /** False once there is a newer one, or it is held no more. */
  current: boolean
  /** Since it was last looked at for being dropped. */
  used: boolean
  bytes: number
  /** When a newer copy that could not be read is tried again, in milliseconds since the epoch. */
  retryAt: number
}

export interface Holding<Content> {
  /** The document when it is there and present. Never waits. */
  now(name: string): Held<Content> | null
  hold(environment: Environment, name: string): Promise<Held<Content> | Refusal>
  /** More was read into the document than it came with. */
  grow(held: Held<Content>, characters: number): void
  all(): Iterable<Held<Content>>
}

export interface HoldingOptions<Content> {
  bytesMax: number
  /** Throws when the content is not what it should be. `before` is what is held until now. */
  parse(content: unknown, name: string, before: Content | null): Content
  /** What a document is that is not there. */
  absent: Content
  /** Characters that the content has from elsewhere, besides its own text. */
  charactersOf?(content: Content): number
  /** What is made of a document that KV does not have, where the feed has not spoken of it. */
  whenMissing(): Missing
}

/** The publisher is asked; or there is none; or there is none for now, which is not kept. */
export type Missing = 'ask' | 'believe' | 'doubt'

/** By name: documents that could not be read, whether an older copy serves or none. */
const problems = new Map<string, { problem: string; until: number }>()
const PROBLEMS_MAX = 1000

export function noteProblem(name: string, problem: string): void {
  if (problems.size >= PROBLEMS_MAX) problems.clear()
  problems.set(name, { problem, until: clock.now() + RETRY_PAUSE_MS })
}

export function noteRead(name: string): void {
  problems.delete(name)
}

/** Whether it could not be read a moment ago. */
export function hasFailedLately(name: string): boolean {
  const failed = problems.get(name)
  return failed !== undefined && clock.now() < failed.until
}

/** For people (health.ts). */
export function documentWarnings(): string[] {
  const now = clock.now()
  return [...problems]
    .filter(([, { until }]) => now < until + WARNED_MS)
    .map(([name, { problem }]) => `Document "${name}" ${problem}.`)
}

export function createHolding<Content>(options: HoldingOptions<Content>): Holding<Content> {
  const { bytesMax, absent } = options
  const entries = new Map<string, Held<Content>>()
  const readings = new Map<
    string,
    { done: Promise<Held<Content> | Refusal>; since: number; versionMin: number }
  >()
  let bytes = 0

  const drop = (held: Held<Content>) => {
    held.current = false
    bytes -= held.bytes
    entries.delete(held.name)
  }
  /** What was used since it was last looked at gets a second chance. */
  const makeRoom = (kept: Held<Content>) => {
    for (const held of entries.values()) {
      if (bytes <= bytesMax) return
      if (held === kept) continue
      if (held.used) {
        held.used = false
        entries.delete(held.name)
        entries.set(held.name, held)
      } else drop(held)
    }
  }
  const keep = (held: Held<Content>) => {
    const before = entries.get(held.name)
    if (before) drop(before)
    entries.set(held.name, held)
    bytes += held.bytes
    makeRoom(held)
  }

  const take = (name: string, read: ReadDocument<Content>, missing: Missing): Held<Content> | Refusal => {
    const before = entries.get(name)
    if (!read.ok) {
      noteProblem(name, read.problem)
      const serving = before ? `version ${before.version} serves on` : 'nothing is held of it'
      console.error(`document ${name} ${read.problem}; ${serving}`)
      if (!before) return unreadable(name)
      before.retryAt = clock.now() + RETRY_PAUSE_MS
      return before
    }
    noteRead(name)
    const { version, length } = read
    const current = version >= announcedVersion(name)
    if (before && before.version === version) {
      // Nothing has changed, so what was decided by it stays true.
      before.current = current
      return before
    }
    const content = read.content ?? absent
    const characters = length + (options.charactersOf?.(content) ?? 0)
    const held: Held<Content> = {
      ok: true,
      name,
      version,
      content,
      current,
      used: true,
      bytes: ENTRY_BYTES + 2 * name.length + BYTES_PER_CHARACTER * characters,
      retryAt: 0,
    }
    if (length === 0 && missing === 'doubt') held.current = false
    else keep(held)
    return held
  }

  const read = (environment: Environment, name: string) => {
    const before = entries.get(name)
    const versionMin = Math.max(announcedVersion(name), before?.version ?? 0)
    const running = readings.get(name)
    const joins = running && running.versionMin >= versionMin && clock.now() - running.since < READING_DEAD_MS
    if (joins) return running.done
    const missing = options.whenMissing()
    const done = readDocument<Content>(environment, {
      name,
      versionMin,
      parse: (content) => options.parse(content, name, before?.content ?? null),
      asksForMissing: missing === 'ask',
    }).then((document) => take(name, document, missing))
    const reading = { done, since: clock.now(), versionMin }
    readings.set(name, reading)
    // The reading outlives the request that began it: others wait for it too.
    waitUntil(
      done.finally(() => {
        if (readings.get(name) === reading) readings.delete(name)
      }),
    )
    return done
  }

  onChanges({
    changed({ kind, key, version }) {
      if (kind !== 'document') return
      const held = entries.get(key)
      if (held && held.version < version) held.current = false
    },
    changedAll() {
      for (const held of entries.values()) held.current = false
    },
  })

  return {
    now(name) {
      const held = entries.get(name)
      if (!held?.current) return null
      held.used = true
      return held
    },
    async hold(environment, name) {
      const held = entries.get(name)
      if (held) held.used = true
      if (held && (held.current || clock.now() < held.retryAt)) return held
      if (!held && hasFailedLately(name)) return unreadable(name)
      return bounded(read(environment, name), READING_DEAD_MS).catch(
        () => entries.get(name) ?? unreadable(name),
      )
    },
    grow(held, characters) {
      const more = BYTES_PER_CHARACTER * characters
      held.bytes += more
      if (entries.get(held.name) !== held) return
      bytes += more
      makeRoom(held)
    },
    all: () => entries.values(),
  }
}

export function unreadable(name: string): Refusal {
  return refuse('policy_unavailable', `The document "${name}" cannot be read, and none is held.`)
}
