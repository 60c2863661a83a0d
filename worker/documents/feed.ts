// The isolate's side of the change feed: when it was last asked, what it said, and whether what is held may
// still be served. What is held is told of changes and forgets by itself (holding.ts).
import { waitUntil } from 'cloudflare:workers'
import type { SingleSignOn } from '../../policy/schema-sign-in.ts'
import { clock } from '../clock.ts'
import type { Environment } from '../environment.ts'
import { createMemory } from '../memory.ts'
import { type Refusal, refuse } from '../refusal.ts'
import { bounded } from './bounded.ts'
import type { Change, Changes } from './published.ts'

/** Until the feed says how often it wants to be asked. */
const RECHECK_MS_USUAL = 15_000
/** Under steady traffic the feed is asked again well before its time, so that edits are there within it. */
const REFRESH_AT = 0.8
/** What was learned is served so many periods long while the feed cannot be reached. */
const PERIODS_MAX = 4
/** Longer than the publisher takes to adopt the policy of a new build. */
const ASK_TIMEOUT_MS = 8000
/** A call that has not settled by then has died with the request that began it. */
const ASK_DEAD_MS = 10_000
/** Pause after a call that failed. */
const RETRY_PAUSE_MS = 1000
const VERSIONS_BYTES_MAX = 8 * 1024 * 1024

/** Learns of changes, each once or more often, before what comes after them is decided. */
export interface ChangeListener {
  changed(change: Change): void
  /** Changes have been missed: everything may have changed. */
  changedAll(): void
}

const listeners: ChangeListener[] = []

export function onChanges(listener: ChangeListener): void {
  listeners.push(listener)
}

interface Feed {
  /** The newest change learned of; null before the first answer. */
  seq: number | null
  published: boolean
  recheckMs: number
  /** What the database sets of single sign-on. */
  singleSignOn: Partial<SingleSignOn>
  /** When the call began that was answered last, in milliseconds since the epoch as all times here. */
  answeredAt: number
  failedAt: number
  lastError: string | null
  asking: { done: Promise<void>; since: number } | null
}

const feed: Feed = {
  seq: null,
  published: false,
  recheckMs: RECHECK_MS_USUAL,
  singleSignOn: {},
  answeredAt: Number.NEGATIVE_INFINITY,
  failedAt: Number.NEGATIVE_INFINITY,
  lastError: null,
  asking: null,
}

/** What the feed has said of documents, held or not: no older copy passes for the present one. */
const createVersions = () => {
  return createMemory<number>({ weightMax: VERSIONS_BYTES_MAX, weigh: (name) => 2 * name.length + 64 })
}
let versions = createVersions()

/** A copy of the document must not be older; 0 when the feed has said nothing of it. */
export function announcedVersion(name: string): number {
  return versions.get(name) ?? 0
}

/** Whether published documents decide. Until anything is published, those in the bundle do. */
export function isPublished(): boolean {
  return feed.published
}

/** Whether what is held may be served as it is. The hot path: never waits, and has the feed asked when it is time. */
export function isFresh(environment: Environment): boolean {
  const { recheckMs, answeredAt } = feed
  const now = clock.now()
  const age = now - answeredAt
  if (recheckMs === 0 || age >= PERIODS_MAX * recheckMs) return false
  if (age >= REFRESH_AT * recheckMs && mayAsk(now)) ask(environment)
  return true
}

/** Waits for the feed where what is held may not be served as it is. Null when it may now. */
export async function becomeFresh(environment: Environment): Promise<Refusal | null> {
  if (isFresh(environment)) return null
  // With no time to go without asking, an answer to a call that began before the request is no answer.
  return feed.recheckMs === 0 ? askNow(environment) : join(environment)
}

/**
 * For what sessions stand on: whether all that was announced one re-check time ago is known here. The hot path: never
 * waits, and has the feed asked when it is time.
 */
export function isCurrent(environment: Environment): boolean {
  return isFresh(environment) && clock.now() - feed.answeredAt < feed.recheckMs
}

/** Waits for the feed where a session may not be served as it is. While it cannot be reached, for a few periods. */
export async function becomeCurrent(environment: Environment): Promise<Refusal | null> {
  if (isCurrent(environment)) return null
  return feed.recheckMs === 0 ? askNow(environment) : join(environment)
}

/** What the database sets of single sign-on, as the feed said last. */
export function storedSingleSignOn(): Partial<SingleSignOn> {
  return feed.singleSignOn
}

/** Asks the feed whatever was learned before. */
export async function askNow(environment: Environment): Promise<Refusal | null> {
  const since = clock.now()
  await ask(environment)
  return feed.answeredAt >= since ? null : unavailable()
}

async function join(environment: Environment): Promise<Refusal | null> {
  const now = clock.now()
  if (mayAsk(now)) ask(environment)
  if (feed.asking) await bounded(feed.asking.done, ASK_DEAD_MS).catch(() => undefined)
  // It may have said just now that it wants to be asked on every request; it has been.
  const periods = Math.max(feed.recheckMs, RETRY_PAUSE_MS) * PERIODS_MAX
  return clock.now() - feed.answeredAt < periods ? null : unavailable()
}

function unavailable(): Refusal {
  const why = feed.lastError ?? 'it has not answered in time'
  return refuse('changes_unavailable', `The change feed cannot be reached: ${why}.`)
}

function mayAsk(now: number): boolean {
  if (feed.asking && now - feed.asking.since < ASK_DEAD_MS) return false
  return now - feed.failedAt >= RETRY_PAUSE_MS
}

/** The call outlives the request that began it: others wait for it too. Never rejects. */
function ask(environment: Environment): Promise<void> {
  const since = clock.now()
  const done = call(environment, since).then((error) => {
    feed.lastError = error
    if (error === null) return
    feed.failedAt = clock.now()
    console.error(`change feed: ${error}; what is held serves for a while`)
  })
  const asking = { done, since }
  feed.asking = asking
  waitUntil(
    done.finally(() => {
      if (feed.asking === asking) feed.asking = null
    }),
  )
  return done
}

/** What went wrong; null when nothing did. */
async function call(environment: Environment, since: number): Promise<string | null> {
  try {
    const publisher = environment.PUBLISHER.getByName('instance')
    learn(await bounded(publisher.since(feed.seq), ASK_TIMEOUT_MS), since)
    return null
  } catch (error) {
    return (error as Error).message
  }
}

function learn(answer: Changes, since: number): void {
  const { seq, complete, changes, recheckSeconds, singleSignOn, published } = answer
  // Where documents come from changes once, when the first policy is published.
  const missed = (!complete && feed.seq !== null) || (published && !feed.published)
  if (!complete) versions = createVersions()
  feed.published ||= published
  if (missed) for (const listener of listeners) listener.changedAll()
  for (const change of changes) {
    if (change.kind === 'document' && change.version > announcedVersion(change.key)) {
      versions.set(change.key, change.version)
    }
    for (const listener of listeners) listener.changed(change)
  }
  // Answers may come in another order than they were asked for.
  feed.seq = complete ? Math.max(feed.seq ?? 0, seq) : seq
  feed.recheckMs = recheckSeconds * 1000
  feed.singleSignOn = singleSignOn
  feed.answeredAt = Math.max(feed.answeredAt, since)
}

/** For people (health.ts): null when all is well. */
export function feedWarning(): string | null {
  if (feed.lastError === null) return null
  const seconds = Math.round((clock.now() - feed.answeredAt) / 1000)
  const age = Number.isFinite(seconds) ? `${seconds} s ago` : 'never'
  return `The change feed cannot be reached; it last answered ${age}: ${feed.lastError}.`
}
