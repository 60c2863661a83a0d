// The change feed, and the only writer of published documents: one Durable Object for the instance. What it does is
// in the files beside this one; here is when: at a call, at its alarm, one run at a time.
import { DurableObject } from 'cloudflare:workers'
import { environmentIssuer } from '../../policy/environment-issuer.ts'
import { alarmTime, clock } from '../clock.ts'
import { sha256 } from '../database/audit.ts'
import { bundledPolicy } from '../database/policy-source.ts'
import { type Changes, type End, PUBLISHED_FORMAT, type Publication } from '../documents/published.ts'
import type { Environment } from '../environment.ts'
import { chainsOf, foldEvents, type RunningHead, runningHead, signHeads } from './audit-heads.ts'
import { cleanDatabase, cleanDocuments } from './clean.ts'
import { announceEnds, boundChanges, changesSince } from './feed.ts'
import type { Context } from './merged.ts'
import { databaseOf, EDITS_MAX, editsAfter, targetOf } from './read.ts'
import { recheckSecondsOf } from './settings.ts'
import { nextTouched, openStore, progressOf, type Store, setState, stateOf, textOf, touch } from './store.ts'
import { KV_OPERATIONS_MAX, writePending } from './write.ts'

/** How often D1 is asked for edits that nobody told of: an edit's own call may get lost. */
export const COMPARE_MS = 60_000
const HOUR_MS = 60 * 60_000
/** Organizations and people compiled in one run; each takes a few queries. */
const TARGETS_MAX = 100
/** Pages of edits taken in one run. */
const PAGES_MAX = 10
/** While the policy of a new build is on its way, whoever asks what is new waits so long at most. */
const START_WAIT_MS = 5000
/** After a failure the next run comes after the first, then twice as late each time. */
const RETRY_MS = 1000
const RETRY_MS_MAX = 60_000
const NEXT_SLICE_MS = 10
/** How often one run waits for documents that were written less than a second ago. */
const WAITS_MAX = 3

type Step = 'adopting' | 'reading' | 'compiling' | 'writing' | 'auditing' | 'cleaning' | 'signing'

/** Steps that an edit waits for; another run soon may mend their failure. */
const PUBLISHING: readonly Step[] = ['adopting', 'reading', 'compiling', 'writing']

export class PublisherObject extends DurableObject<Environment> {
  readonly #store: Store = openStore(this.ctx.storage)
  #errors = new Map<Step, string>()
  #context: Context | null = null
  /** Since the object started: whether there was a run, and whether this build's policy is adopted. */
  #hasRun = false
  #isAdopted = false
  #hasAlarm = false
  #buildHash: Promise<string> | null = null
  #running: Promise<void> | null = null
  #following: Promise<void> | null = null
  #failures = 0

  /** What is new since a change; null asks for all that is still kept. */
  async since(seq: number | null): Promise<Changes> {
    await this.#ensureAlarm()
    if (!this.#hasRun && stateOf(this.#store, 'build') !== (await this.#build())) {
      await Promise.race([this.#work(), scheduler.wait(START_WAIT_MS)])
    } else if (clock.now() - (stateOf(this.#store, 'comparedAt') ?? 0) >= COMPARE_MS) {
      this.ctx.waitUntil(this.#work())
    }
    return {
      ...changesSince(this.#store, seq),
      recheckSeconds: recheckSecondsOf(this.env, stateOf(this.#store, 'settings')),
      singleSignOn: stateOf(this.#store, 'settings')?.singleSignOn ?? {},
      published: stateOf(this.#store, 'published') ?? false,
    }
  }

  /**
   * Tells every isolate that what of this kind and key began before `version` (milliseconds since the epoch) counts no
   * more. Kept once this returns: as long as any session may live for what is wider than one principal.
   */
  async announceEnd(ends: readonly End[]): Promise<void> {
    await this.#ensureAlarm()
    announceEnds(this.#store, ends, clock.now())
  }

  /** A published document as KV should have it: the JSON of an Envelope; null when there is none. */
  async document(name: string): Promise<string | null> {
    await this.#ensureAlarm()
    return textOf(this.#store, name)
  }

  /** Publishes what D1 has and the edge has not, at least up to the edit `seq` when one is named. */
  async catchUp(seq?: number): Promise<Publication> {
    await this.#work()
    return this.#publication(PUBLISHING, seq)
  }

  async status(): Promise<Publication> {
    await this.#ensureAlarm()
    return this.#publication([...PUBLISHING, 'auditing', 'cleaning', 'signing'])
  }

  /** The head of an audit chain as this object has folded it; number 0 where there is no event. */
  async auditHeads(chain: string): Promise<RunningHead> {
    return runningHead(this.#store, chain)
  }

  async auditChains(): Promise<string[]> {
    return chainsOf(this.#store)
  }

  override async alarm(): Promise<void> {
    await this.#work()
  }

  #publication(steps: readonly Step[], wanted?: number): Publication {
    const { seq, pending } = progressOf(this.#store)
    const errors = steps.flatMap((step) => this.#errors.get(step) ?? [])
    const lastError = errors[0] ?? null
    const published = wanted === undefined ? pending === 0 && !this.#errors.has('reading') : seq >= wanted
    return { state: published ? 'published' : 'pending', seq, pending, lastError }
  }

  /** Whoever comes during a run needs one that begins after; all of them share it. */
  #work(): Promise<void> {
    if (this.#running === null) {
      this.#running = this.#run().finally(() => {
        this.#running = null
      })
      return this.#running
    }
    this.#following ??= this.#running.then(() => {
      this.#following = null
      return this.#work()
    })
    return this.#following
  }

  /** Never throws: what goes wrong is in the publication's `lastError`, and comes again. */
  async #run(): Promise<void> {
    // Should the object end within the run, the alarm goes on.
    this.#hasAlarm = true
    await this.ctx.storage.setAlarm(alarmTime(COMPARE_MS))
    if (!this.#isAdopted) await this.#try('adopting', () => this.#adopt())
    this.#hasRun = true
    let isMore = false
    await this.#try('reading', async () => {
      isMore = await this.#takeEdits()
    })
    await this.#try('auditing', () => foldEvents(this.env, this.#store))
    await this.#try('compiling', () => this.#compile())
    let left = KV_OPERATIONS_MAX
    await this.#try('writing', async () => {
      left -= await this.#write(left)
    })
    if (clock.now() - (stateOf(this.#store, 'cleanedAt') ?? 0) >= HOUR_MS) await this.#clean(left)
    await this.#schedule(isMore)
  }

  async #try(step: Step, work: () => Promise<void>): Promise<void> {
    try {
      await work()
      this.#errors.delete(step)
    } catch (error) {
      const message = `${step}: ${(error as Error).message}`
      if (this.#errors.get(step) !== message) console.error(`publisher, ${message}`)
      this.#errors.set(step, message)
    }
  }

  #build(): Promise<string> {
    this.#buildHash ??= this.#hashBuild()
    return this.#buildHash
  }

  async #hashBuild(): Promise<string> {
    const { OIDC_GLOBAL_ROLE_OWNER, POLICY_MANAGED_IN, ...others } = this.env
    const roles = Object.entries({ OIDC_GLOBAL_ROLE_OWNER, ...others })
      .filter(([name]) => name.startsWith('OIDC_GLOBAL_ROLE_'))
      .sort(([a], [b]) => (a < b ? -1 : 1))
    // What they say, and of the secret only whether there is one: a hash of it could be tried out.
    const { issuer } = environmentIssuer(this.env)
    const parts = [PUBLISHED_FORMAT, await bundledPolicy(), roles, POLICY_MANAGED_IN ?? '', issuer]
    return sha256(JSON.stringify(parts))
  }

  /** Once for each deployment: its policy is adopted, and everything is compiled with its code and variables. */
  async #adopt(): Promise<void> {
    const build = await this.#build()
    this.#isAdopted = stateOf(this.#store, 'build') === build
    if (this.#isAdopted) return
    const { adoptBundled } = await import('./adopt.ts')
    const environment = await adoptBundled(this.env, stateOf(this.#store, 'environment'), clock.now())
    this.#store.transact(() => {
      setState(this.#store, 'environment', environment)
      setState(this.#store, 'build', build)
      setState(this.#store, 'frame', '')
      const taken = stateOf(this.#store, 'taken') ?? 0
      for (const target of ['settings', 'policy']) touch(this.#store, target, taken + 1)
    })
    this.#isAdopted = true
  }

  /** @returns whether there may be more. */
  async #takeEdits(): Promise<boolean> {
    for (let page = 0; page < PAGES_MAX; page++) {
      const edits = await editsAfter(databaseOf(this.env), stateOf(this.#store, 'taken') ?? 0)
      this.#store.transact(() => {
        for (const { seq, document } of edits) {
          const target = targetOf(document)
          if (target !== null) touch(this.#store, target, seq)
          setState(this.#store, 'taken', seq)
        }
        setState(this.#store, 'comparedAt', clock.now())
      })
      if (edits.length < EDITS_MAX) return false
    }
    return true
  }

  /** What cannot be compiled stays as it is published, and the others go on. Throws for the first that failed. */
  async #compile(): Promise<void> {
    const failed = new Set<string>()
    let first: Error | null = null
    for (let count = 0; count < TARGETS_MAX; count++) {
      const touched = nextTouched(this.#store, failed)
      if (touched === null) break
      const { compileTarget } = await import('./compile.ts')
      // Whatever was kept of the policy is older than what touched it.
      const context = touched.target === 'policy' ? null : this.#context
      const compiler = { environment: this.env, store: this.#store, context }
      try {
        await compileTarget(compiler, touched, clock.now())
        this.#context = compiler.context
      } catch (error) {
        failed.add(touched.target)
        first ??= new Error(`${touched.target}: ${(error as Error).message}`)
      }
    }
    if (first) throw first
  }

  async #write(operationsMax: number): Promise<number> {
    let operations = 0
    for (let waits = 0; ; waits++) {
      const { written, waitsUntil } = await writePending(
        this.env,
        this.#store,
        clock.now,
        operationsMax - operations,
      )
      operations += written
      if (waitsUntil === null || waits === WAITS_MAX || operations >= operationsMax) break
      await scheduler.wait(Math.max(NEXT_SLICE_MS, waitsUntil - clock.now()))
    }
    boundChanges(this.#store, clock.now())
    const { pending } = progressOf(this.#store)
    if (pending === 0 && textOf(this.#store, 'policy') !== null) setState(this.#store, 'published', true)
    return operations
  }

  async #clean(operationsMax: number): Promise<void> {
    const now = clock.now()
    let isMore = false
    await this.#try('cleaning', async () => {
      isMore = await cleanDocuments(this.env, this.#store, now, operationsMax)
      await cleanDatabase(this.env, this.#store, now)
    })
    await this.#try('signing', async () => {
      isMore = (await signHeads(this.env, this.#store, now)) || isMore
    })
    if (isMore) return
    const failed = this.#errors.has('cleaning') || this.#errors.has('signing')
    // What failed comes again with the next comparison.
    setState(this.#store, 'cleanedAt', failed ? now - HOUR_MS + COMPARE_MS : now)
  }

  async #schedule(isMore: boolean): Promise<void> {
    const { pending } = progressOf(this.#store)
    const failing = PUBLISHING.some((step) => this.#errors.has(step))
    this.#failures = failing ? this.#failures + 1 : 0
    const retry = Math.min(RETRY_MS_MAX, RETRY_MS * 2 ** (this.#failures - 1))
    const delay = failing ? retry : pending > 0 || isMore ? NEXT_SLICE_MS : COMPARE_MS
    await this.ctx.storage.setAlarm(alarmTime(delay))
  }

  /** Whatever is called first, the comparison with D1 begins. */
  async #ensureAlarm(): Promise<void> {
    if (this.#hasAlarm) return
    this.#hasAlarm = true
    if ((await this.ctx.storage.getAlarm()) === null)
      await this.ctx.storage.setAlarm(alarmTime(NEXT_SLICE_MS))
  }
}
