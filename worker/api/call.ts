// What a handler of the management API is given, and what it answers with. Who runs them is mount.ts's.
import type { Level } from '../../policy/level.ts'
import type { Actor, Operation, Preview } from '../../policy/operations/common.ts'
import type {
  BodyOf,
  OPERATIONS,
  OperationId,
  OutputOf,
  ParamsOf,
  QueryOf,
} from '../../policy/operations/table.ts'
import type { Principal } from '../../policy/principal.ts'
import type { Environment } from '../environment.ts'
import type { Refusal } from '../refusal.ts'
import type { Held } from './authenticate.ts'

/** One request for one operation, authenticated, parsed and authorized. */
export interface Call<Id extends OperationId = OperationId> {
  id: Id
  operation: Operation
  environment: Environment
  /** As it came; its body has been read. */
  request: Request
  requestId: string
  params: ParamsOf<Id>
  query: QueryOf<Id>
  body: (typeof OPERATIONS)[Id]['body'] extends null ? null : BodyOf<Id>
  principal: Principal
  /** The principal, as versions and audit name it. */
  actor: Actor
  /** Where the operation takes place. */
  level: Level
  /** Milliseconds since the epoch. */
  now: number
  /** What the edge decides by: it was asked whether the caller may, and answers for other permissions too. */
  held: Held
  /** What the request says of how it wants to be carried out; none of it counts for a reading. */
  wishes: Wishes
}

export interface Wishes {
  /** `If-Match`: the version the change is made to; "any" for "*", which only comes where that is allowed. */
  ifMatch: number | 'any' | null
  /** Whether a change without If-Match is refused (428); the Ops Manager paths do not. */
  needsIfMatch: 'needed' | 'optional'
  dryRun: boolean
  /** What `confirm` says. */
  confirmed: ReadonlySet<string>
  /** Where the page of a dry run's principals begins (preview.ts). */
  cursor: string | null
  prefersWait: boolean
  /** Of a create with an Idempotency-Key. */
  idempotency: { key: string; requestHash: string } | null
}

/** What an operation answers when all went well. */
export interface Answer<Id extends OperationId = OperationId> {
  ok: true
  body: OutputOf<Id> | Preview | Response
  /** The version of the document read or written; its ETag. */
  version?: number
  /** 200 where it differs from the operation's own: a dry run, a create that came again. */
  status?: number
  headers?: Record<string, string>
}

export type Answered<Id extends OperationId = OperationId> = Answer<Id> | Refusal

export type Handler<Id extends OperationId> = (call: Call<Id>) => Promise<Answered<Id>>
export type Handlers = { [Id in OperationId]: Handler<Id> }
/** `export const organizationHandlers = {...} satisfies SomeHandlers` */
export type SomeHandlers = Partial<Handlers>

/** The principal as versions and audit name it. */
export function actorOf({ kind, issuer, subject, email }: Principal): Actor {
  return { kind, issuer, subject, email }
}
