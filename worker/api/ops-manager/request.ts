// One request of Ops Manager's paths: whom it comes from, how it wants its answer, and how our own operations are
// asked for it.
import type { Context } from 'hono'
import type { Level } from '../../../policy/level.ts'
import type { Principal } from '../../../policy/principal.ts'
import type { Environment } from '../../environment.ts'
import type { Refusal } from '../../refusal.ts'
import { notFound } from '../answers.ts'
import { authenticateCaller } from '../authenticate.ts'
import type { Answered } from '../call.ts'
import type { Asking, Served } from '../mount.ts'
import type { Form } from './shapes.ts'

/** What mount.ts has, which mounts this. */
export interface Mounted {
  ask(context: Context<Served>, asking: Asking): Promise<Answered>
  answerMethod(context: Context<Served>, methods: readonly string[]): Response
}

export type Kind = 'ORG' | 'GROUP'

/** One request: whom it comes from, and how it wants its answer. */
export interface Asked {
  context: Context<Served>
  environment: Environment
  requestId: string
  kind: Kind
  form: Form
  /** Of links: the gateway's own origin. */
  base: string
  mounted: Mounted
}

/** What a handler answers; a null body is "done", without content. */
export type Done =
  | { ok: true; status: number; body: object | null; headers?: Record<string, string> }
  | Refusal

export function asking(id: Asking['id'], params: Record<string, string>, more: Partial<Asking> = {}): Asking {
  return { id, params, query: {}, needsIfMatch: 'optional', ...more }
}

export function shaped(status: number, answered: Extract<Answered, { ok: true }>, body: object): Done {
  const { version, headers } = answered
  return {
    ok: true,
    status,
    body,
    headers: { ...headers, ...(version === undefined ? {} : { etag: `"${version}"` }) },
  }
}

/** Nothing of that id: said to those alone who have said who they are. */
export async function unknown(asked: Asked, what: string, name: string): Promise<Refusal> {
  const caller = await authenticated(asked, { kind: 'global' })
  return caller.ok ? notFound(what, name) : caller
}

export async function authenticated(
  { context, environment }: Asked,
  level: Level,
): Promise<{ ok: true; principal: Principal } | Refusal> {
  return authenticateCaller(environment, context.req.raw, level)
}
