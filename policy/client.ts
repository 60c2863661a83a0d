// A client of the management API, typed by the operations table: the console, the command and tests call it.
// How a request gets to the server is the caller's; an answer, whatever it is, comes back as a value.
import type { z } from 'zod'
import { API_PREFIX, type Operation, type Preview } from './operations/common.ts'
import {
  OPERATIONS,
  type OperationId,
  type OutputOf,
  type ParamsOf,
  type QueryOf,
} from './operations/table.ts'
import { ProblemDocument } from './problem-document.ts'

/** What is to be sent, without host and credentials. */
export interface Sent {
  method: Operation['method']
  /** Absolute, with the query: `/api/v1/organizations?limit=50`. */
  path: string
  headers: Record<string, string>
  body: string | null
}

/** Answers that come as lines, a JSON value each, where `accept` asks for them. */
export const LINES_MEDIA_TYPE = 'application/x-ndjson'

export interface Received {
  status: number
  header(name: string): string | null
  text: string
}

/** Throws when no answer comes; what the server says is never thrown. */
export type Send = (sent: Sent) => Promise<Received>

export interface Success<Body> {
  ok: true
  status: number
  body: Body
  /** As it came, quoted; fit for `ifMatch`. */
  etag: string | null
  /** Of a write: whether the edge has it already. */
  publication: 'published' | 'pending' | null
}
export interface Failure {
  ok: false
  problem: ProblemDocument
}
export type Answered<Body> = Success<Body> | Failure

type Table = typeof OPERATIONS

/** Members that a caller may leave out, as the schema's input has it; the types are those after parsing. */
type Loose<Parsed, Input> = {
  [Name in keyof Parsed as Name extends keyof Input
    ? undefined extends Input[Name]
      ? never
      : Name
    : never]: Parsed[Name]
} & {
  [Name in keyof Parsed as Name extends keyof Input
    ? undefined extends Input[Name]
      ? Name
      : never
    : never]?: Parsed[Name] | undefined
}
type Nothing = Record<never, never>
/** An object without members is to the schema's type one with any member that cannot be. */
type Known<Value> = string extends keyof Value ? Nothing : Value
/** What they answer to a dry run is what they answer: whom it locks out. */
type OwnDryRun = 'issuers.delete' | 'organizationIssuers.delete'
type WholeQuery<Id extends OperationId> = Loose<Known<QueryOf<Id>>, z.input<Table[Id]['query']>>
/** `dryRun` has a method of its own, since it changes what comes back. */
type Query<Id extends OperationId> = Id extends OwnDryRun ? WholeQuery<Id> : Omit<WholeQuery<Id>, 'dryRun'>

/** A part may be left out where everything in it may. */
type Part<Name extends string, Value> = Nothing extends Value
  ? { [Key in Name]?: Value | undefined }
  : { [Key in Name]: Value }
/** The schema of a body that never comes has no more than the general type. */
type BodyPart<Id extends OperationId> =
  z.ZodType extends NonNullable<Table[Id]['body']>
    ? { body?: undefined }
    : { body: z.input<NonNullable<Table[Id]['body']>> }

export interface Wishes {
  /** The ETag the change was made from, or its number. */
  ifMatch?: string | number | undefined
  idempotencyKey?: string | undefined
  /** `wait`: answer once the publisher has taken the edit. */
  prefer?: 'wait' | undefined
  /** Instead of JSON; only operations that say so can. */
  accept?: string | undefined
}
export type Given<Id extends OperationId> = Part<'params', Known<ParamsOf<Id>>> &
  Part<'query', Query<Id>> &
  BodyPart<Id> &
  Wishes
/** An operation that takes nothing is called by its name alone. */
type Arguments<Id extends OperationId> = Nothing extends Given<Id> ? [given?: Given<Id>] : [given: Given<Id>]

/** Operations whose answer comes in pages. */
export type PagedId = {
  [Id in OperationId]: OutputOf<Id> extends { items: unknown[]; next: string | null } ? Id : never
}[OperationId]
/** Operations that write, and say beforehand what they would do. */
export type PreviewedId = {
  [Id in Exclude<OperationId, OwnDryRun>]: 'dryRun' extends keyof Known<QueryOf<Id>> ? Id : never
}[Exclude<OperationId, OwnDryRun>]

export interface Client {
  call<Id extends OperationId>(id: Id, ...given: Arguments<Id>): Promise<Answered<OutputOf<Id>>>
  /** The same call as a dry run. */
  preview<Id extends PreviewedId>(id: Id, ...given: Arguments<Id>): Promise<Answered<Preview>>
  /** Page after page; after a failure there is no more. */
  pages<Id extends PagedId>(id: Id, ...given: Arguments<Id>): AsyncGenerator<Answered<OutputOf<Id>>>
}

export function createClient(send: Send): Client {
  const call = async (id: OperationId, given: Loosely = {}) => {
    return answerOf(await send(requestOf(id, given))) as Answered<never>
  }
  async function* pages(id: OperationId, given: Loosely = {}) {
    let { cursor } = given.query ?? {}
    do {
      const answer: Answered<{ next: string | null }> = await call(id, {
        ...given,
        query: { ...given.query, cursor },
      })
      yield answer as Answered<never>
      if (!answer.ok) return
      cursor = answer.body.next
    } while (cursor !== null)
  }
  return {
    call: (id, ...[given]) => call(id, given as Loosely),
    preview: (id, ...[given]) => {
      const { query, ...others } = (given ?? {}) as Loosely
      return call(id, { ...others, query: { ...query, dryRun: true } })
    },
    pages: (id, ...[given]) => pages(id, given as Loosely),
  }
}

/**
 * Where an application sends the browser to sign out, as App ID's `logoutSSO` does ([2-21]); `redirectUri` as it is
 * registered. The application clears its own cookies.
 */
export function logoutUrl(of: {
  origin: string
  tenant?: string
  clientId: string
  redirectUri: string
}): string {
  const { origin, tenant = 'postern', clientId, redirectUri } = of
  const query = `redirect_uri=${encodeURIComponent(redirectUri)}&client_id=${encodeURIComponent(clientId)}`
  return `${origin}/oauth/v4/${encodeURIComponent(tenant)}/cloud_directory/sso/logout?${query}`
}

/** What stands behind Given when it does not matter which operation it is. */
export interface Loosely extends Wishes {
  params?: Record<string, unknown> | undefined
  query?: Record<string, unknown> | undefined
  body?: unknown
}

/** Throws when a part of the path is missing: that is a mistake of the program, not of a person. */
export function requestOf(id: OperationId, { params = {}, query = {}, body, ...wishes }: Loosely): Sent {
  const { method, path }: Operation = OPERATIONS[id]
  const filled = path.replace(/\{(\w+)\}/g, (_, name: string) => {
    const value = params[name]
    if (value === undefined || value === null || value === '') throw new Error(`${id} needs "${name}"`)
    return encodeURIComponent(String(value))
  })
  const asked = Object.entries(query).flatMap(([name, value]) => {
    return value === undefined || value === null ? [] : [`${name}=${encodeURIComponent(String(value))}`]
  })
  return {
    method,
    path: `${API_PREFIX}${filled}${asked.length > 0 ? `?${asked.join('&')}` : ''}`,
    headers: headersOf(wishes, body !== undefined),
    body: body === undefined ? null : JSON.stringify(body),
  }
}

function headersOf(
  { ifMatch, idempotencyKey, prefer, accept = 'application/json' }: Wishes,
  hasBody: boolean,
): Record<string, string> {
  return {
    accept,
    ...(hasBody ? { 'content-type': 'application/json' } : {}),
    ...(ifMatch === undefined ? {} : { 'if-match': typeof ifMatch === 'number' ? `"${ifMatch}"` : ifMatch }),
    ...(idempotencyKey === undefined ? {} : { 'idempotency-key': idempotencyKey }),
    ...(prefer === undefined ? {} : { prefer }),
  }
}

export function answerOf(received: Received): Answered<unknown> {
  const { status, text } = received
  const body = parsed(text)
  if (status >= 200 && status < 300 && body !== undefined) {
    const publication = received.header('postern-publication')
    return {
      ok: true,
      status,
      body,
      etag: received.header('etag'),
      publication: publication === 'published' || publication === 'pending' ? publication : null,
    }
  }
  const problem = ProblemDocument.safeParse(body)
  return { ok: false, problem: problem.success ? problem.data : notUnderstood(received) }
}

function parsed(text: string): unknown {
  if (text === '') return null
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

const SHOWN_LENGTH_MAX = 200

/** Something between here and the server has answered, or the server is none of ours. */
function notUnderstood(received: Received): ProblemDocument {
  const { status, text } = received
  return {
    type: 'about:blank',
    title: 'The answer is none that the API gives.',
    status,
    detail: `${status} ${received.header('content-type') ?? ''}: ${text.slice(0, SHOWN_LENGTH_MAX)}`,
    reason: 'answer_not_understood',
    requestId: received.header('x-request-id') ?? '',
  }
}
