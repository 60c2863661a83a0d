// What may be used once: `state`, `jti`, tickets. A Durable Object for each, which forgets when it has expired anyway.
import { DurableObject } from 'cloudflare:workers'
import type { Environment } from '../environment.ts'

export class SingleUseObject extends DurableObject<Environment> {
  /** True for the first caller alone. `expires` (milliseconds since the epoch): from then on it is refused anyway. */
  async use(_expires: number): Promise<boolean> {
    throw new Error('not built')
  }
}
