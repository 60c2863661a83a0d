// What was last seen of one principal: a Durable Object that writes it to D1, rarely.
import { DurableObject } from 'cloudflare:workers'
import type { Environment } from '../environment.ts'

export class PrincipalObject extends DurableObject<Environment> {}
