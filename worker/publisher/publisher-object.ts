// The change feed, and the only writer of published documents: one Durable Object for the instance.
import { DurableObject } from 'cloudflare:workers'
import type { Changes, Publication } from '../documents/published.ts'
import type { Environment } from '../environment.ts'

export class PublisherObject extends DurableObject<Environment> {
  /** What is new since a change; null asks for all that is still kept. */
  async since(_seq: number | null): Promise<Changes> {
    throw new Error('not built yet')
  }

  /** A published document as KV should have it: the JSON of an Envelope; null when there never was one. */
  async document(_name: string): Promise<string | null> {
    throw new Error('not built yet')
  }

  /** Publishes what D1 has and the edge has not, at least up to the edit `seq` when one is named. */
  async catchUp(_seq?: number): Promise<Publication> {
    throw new Error('not built yet')
  }

  async status(): Promise<Publication> {
    throw new Error('not built yet')
  }
}
