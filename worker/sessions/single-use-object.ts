// What may be used once: `state`, `jti`, tickets. A Durable Object for each, which forgets when it has expired anyway.
import { DurableObject } from 'cloudflare:workers'
import { alarmTime, clock } from '../clock.ts'
import type { Environment } from '../environment.ts'

/** Clocks differ: an isolate whose clock is late still takes what has expired here. */
const KEPT_LONGER_MS = 5 * 60_000

export class SingleUseObject extends DurableObject<Environment> {
  /** True for the first caller alone. `expires` (milliseconds since the epoch): from then on it is refused anyway. */
  async use(expires: number): Promise<boolean> {
    const now = clock.now()
    const { kv } = this.ctx.storage
    // Read and written without waiting, so that nobody comes in between.
    if (kv.get('until') !== undefined) return false
    const until = Math.max(expires, now) + KEPT_LONGER_MS
    kv.put('until', until)
    await this.ctx.storage.setAlarm(alarmTime(until - now))
    return true
  }

  /** Gives it back: what it was used for has failed, and whoever sent it will send it again. */
  async forget(): Promise<void> {
    await this.ctx.storage.deleteAlarm()
    await this.ctx.storage.deleteAll()
  }

  override async alarm(): Promise<void> {
    const left = (this.ctx.storage.kv.get<number>('until') ?? 0) - clock.now()
    if (left <= 0) await this.ctx.storage.deleteAll()
    else await this.ctx.storage.setAlarm(alarmTime(left))
  }
}
