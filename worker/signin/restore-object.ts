// The temporary password of LOCAL_RESTORE: a Durable Object makes it, keeps its hash, and counts the guesses.
import { DurableObject } from 'cloudflare:workers'
import type { Environment } from '../environment.ts'

export class RestoreObject extends DurableObject<Environment> {}
