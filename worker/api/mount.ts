// The management API on a gateway host: the operations of policy/operations/table.ts under /api/v1. What each
// request passes through, in this order, stands in `serve`; nothing of it is a handler's to forget.
import { type Context, Hono } from 'hono'
import type { z } from 'zod'
import { faultsOf, messageOf } from '../../policy/document-errors.ts'
import { type Level, levelOf, SLUG } from '../../policy/level.ts'
import { API_PREFIX, type Operation } from '../../policy/operations/common.ts'
import { OPERATIONS, type OperationId } from '../../policy/operations/table.ts'
import { describePath } from '../../policy/problems.ts'
import { answerFault, refuseUnserved } from '../answers.ts'
import { clock } from '../clock.ts'
import type { Environment } from '../environment.ts'
import { readPath } from '../path.ts'
import { type Refusal, refuse, shown } from '../refusal.ts'
import { sign } from '../sealing.ts'
import { type InputError, refuseInput, respond } from './answers.ts'
import { authenticateCaller, heldFor } from './authenticate.ts'
import { authorize } from './authorize.ts'
import { BODY_BYTES_MAX, DECLARATION_BYTES_MAX, readJson } from './body.ts'
import { type Answered, actorOf, type Call, type Handler, type Wishes } from './call.ts'
import { levelOfDocument } from './document-level.ts'
import { HANDLERS } from './handlers.ts'
import { readIdempotencyKey, replay } from './idempotency.ts'
import { mountOpenApi } from './openapi.ts'
import { mountOpsManager } from './ops-manager/ops-manager.ts'

export type Served = { Bindings: { environment: Environment; requestId: string } }

interface WrittenBody {
  value: unknown
  text: string
}

/** What another way of asking for the same operations (ops-manager.ts) does otherwise. */
export interface Asking {
  id: OperationId
  /** As they came, from the path. */
  params: Record<string, string>
  query: Record<string, string>
  /** In place of the request's own; one that has to be found out is so only for somebody who is known. */
  body?: WrittenBody | (() => Promise<WrittenBody>)
  needsIfMatch: Wishes['needsIfMatch']
  /** The version the change is made to, in place of the request's If-Match. */
  ifMatch?: number
}

export const api = new Hono<Served>()
mountOperations(api)
mountOpenApi(api, answerMethod)
mountOpsManager(api, { ask, answerMethod })
api.notFound((context) => {
  const { method, path } = context.req
  return answer(context, refuseUnserved(method, path))
})
api.onError((error, context) => answerFailure(error, context.env.requestId))

/** What was thrown: a refusal on its way, D1 that is away, or a fault. */
export function answerFailure(error: Error, requestId: string): Response {
  if ('refusal' in error) return respond(error.refusal as Refusal, 0, requestId)
  return isDatabaseAway(error) ? answerAway(error, requestId) : answerFault(error, requestId)
}

function mountOperations(app: Hono<Served>): void {
  const methods = new Map<string, string[]>()
  for (const [id, operation] of Object.entries(OPERATIONS) as [OperationId, Operation][]) {
    const path = API_PREFIX + operation.path.replace(/\{(\w+)\}/g, ':$1')
    methods.set(path, [...(methods.get(path) ?? []), operation.method])
    app.on(operation.method, path, (context) => serve(context, id))
  }
  for (const [path, known] of methods) app.all(path, (context) => answerMethod(context, known))
}

/** D1 says it in words alone. What SQLite itself says is about our statement, and a fault. */
function isDatabaseAway({ message }: Error): boolean {
  return message.startsWith('D1_ERROR') && !/SQLITE_|constraint|syntax error|no such/i.test(message)
}

function answerAway(error: Error, requestId: string): Response {
  console.error(`request ${requestId}:`, error)
  // The answer of a commit may have been lost on its way.
  const detail =
    'Repeat the request. Of a change it is not known whether it was saved: read it first, or send it with the same Idempotency-Key.'
  return respond(refuse('database_unavailable', detail), 0, requestId)
}

/** HEAD is answered as GET without its body, by Hono. There is no CORS: the API is for no other site's pages. */
export function answerMethod(context: Context<Served>, methods: readonly string[]): Response {
  const all = [...methods, ...(methods.includes('GET') ? ['HEAD'] : []), 'OPTIONS']
  const allow = { allow: all.join(', '), 'cache-control': 'no-store' }
  const { method } = context.req
  if (method === 'OPTIONS') return new Response(null, { status: 204, headers: allow })
  const response = answer(
    context,
    refuse('method_not_allowed', `There are ${allow.allow}, not ${shown(method)}.`),
  )
  response.headers.set('allow', allow.allow)
  return response
}

function answer(context: Context<Served>, refusal: Refusal): Response {
  return respond(refusal, 0, context.env.requestId)
}

async function serve(context: Context<Served>, id: OperationId): Promise<Response> {
  const query = readQuery(context.req.url)
  const params = context.req.param() as Record<string, string>
  const answered = query.ok
    ? await ask(context, { id, params, query: query.values, needsIfMatch: 'needed' })
    : query
  return respond(answered, OPERATIONS[id].status, context.env.requestId)
}

/** A query that says something twice could be read in two ways. */
function readQuery(url: string): { ok: true; values: Record<string, string> } | Refusal {
  const values: Record<string, string> = {}
  for (const [name, value] of new URL(url).searchParams) {
    if (Object.hasOwn(values, name) || name === '__proto__') {
      return refuseInput([{ path: name, message: 'stands in the query twice' }])
    }
    values[name] = value
  }
  return { ok: true, values }
}

/** Step after step; the order is what makes it safe. */
export async function ask(context: Context<Served>, asking: Asking): Promise<Answered> {
  const { environment, requestId } = context.env
  const { id, params, query, needsIfMatch } = asking
  const operation = OPERATIONS[id] as Operation
  const request = context.req.raw
  const path = readPath(request.url)
  if (!path.ok) return path
  const authenticated = await authenticateCaller(environment, request, placeOf(operation, params, query))
  if (!authenticated.ok) return authenticated
  const { principal } = authenticated
  const input = await readInput(operation, request, asking)
  if (!input.ok) return input
  const idempotency = await readIdempotencyKey(
    isRepeatable(operation, input.query) ? request.headers.get('idempotency-key') : null,
    {
      id,
      issuer: principal.issuer,
      subject: principal.subject,
      params,
      query,
      text: await textToKeep(environment, input),
    },
  )
  const wishes = readWishes(request, input.query, needsIfMatch)
  const errors = [wishes, idempotency].flatMap((read) => (read.ok ? [] : [read.error]))
  if (!wishes.ok || !idempotency.ok) return refuseInput(errors)
  const call = {
    id,
    operation,
    environment,
    request,
    requestId,
    params: input.params,
    query: input.query,
    body: input.body,
    principal,
    actor: actorOf(principal),
    level: placeOf(operation, params, query),
    now: clock.now(),
    held: heldFor(environment, principal),
    wishes: {
      ...wishes.wishes,
      ...(asking.ifMatch === undefined ? {} : { ifMatch: asking.ifMatch }),
      idempotency: idempotency.key,
    },
  } as Call
  const refused = await authorize(call)
  if (refused) return refused
  const before = await replay(call)
  if (before) return before
  const handler = HANDLERS[id] as Handler<OperationId>
  return handler(call)
}

/** The hash of a request is kept; that of a secret could be tried out, so it is made with a key of ours. */
async function textToKeep(
  environment: Environment,
  { body, text }: Extract<Input, { ok: true }>,
): Promise<string> {
  const hasSecret = typeof body === 'object' && body !== null && 'clientSecret' in body
  return hasSecret ? sign(environment, 'idempotency-key', text) : text
}

/** What a dry run would do is no answer to keep. */
function isRepeatable({ write }: Operation, { dryRun }: Record<string, unknown>): boolean {
  return write?.kind === 'create' && dryRun !== true
}

/** Where it takes place, before the input has been judged: what is no slug is nobody's organization. */
function placeOf(operation: Operation, params: Record<string, string>, query: Record<string, string>): Level {
  const { organization, project } = params
  const isSlug = (text: string | undefined): text is string => text !== undefined && SLUG.test(text)
  switch (operation.level) {
    case 'instance':
      return { kind: 'global' }
    case 'document':
      return levelOfDocument(query.document ?? '')
    case 'organization':
      return isSlug(organization) ? levelOf(organization, null) : { kind: 'global' }
    case 'project':
      return isSlug(organization) && isSlug(project) ? levelOf(organization, project) : { kind: 'global' }
  }
}

type Input =
  | { ok: true; params: object; query: Record<string, unknown>; body: unknown; text: string }
  | Refusal

async function readInput(operation: Operation, request: Request, asking: Asking): Promise<Input> {
  const params = operation.params.safeParse(asking.params, { error: messageOf })
  const query = operation.query.safeParse(asking.query, { error: messageOf })
  const errors = [...errorsOf(params), ...errorsOf(query)]
  if (errors.length > 0) return refuseInput(errors)
  const read = {
    ok: true as const,
    params: params.data as object,
    query: query.data as Record<string, unknown>,
  }
  if (operation.body === null) return { ...read, body: null, text: '' }
  const bytesMax = asking.id === 'organizations.apply' ? DECLARATION_BYTES_MAX : BODY_BYTES_MAX
  const written = typeof asking.body === 'function' ? await asking.body() : asking.body
  const json = written ? { ok: true as const, ...written } : await readJson(request, bytesMax)
  if (!json.ok) return json
  const body = operation.body.safeParse(json.value, { error: messageOf })
  return body.success ? { ...read, body: body.data, text: json.text } : refuseInput(errorsOf(body))
}

function errorsOf(parsed: z.ZodSafeParseResult<unknown>): InputError[] {
  if (parsed.success) return []
  const faults = parsed.error.issues.flatMap((issue) => faultsOf(issue as Parameters<typeof faultsOf>[0]))
  return faults.map(({ path, message }) => ({ path: describePath(path), message }))
}

type ReadWishes = { ok: true; wishes: Omit<Wishes, 'idempotency'> } | { ok: false; error: InputError }

function readWishes(
  { headers }: Request,
  query: Record<string, unknown>,
  needsIfMatch: Wishes['needsIfMatch'],
): ReadWishes {
  const ifMatch = readIfMatch(headers.get('if-match'))
  if (ifMatch === undefined || (ifMatch === 'any' && needsIfMatch === 'needed')) {
    const message = 'must be the ETag that was read, such as "3" in quotation marks'
    return { ok: false, error: { path: 'If-Match', message } }
  }
  const { confirm, dryRun, cursor } = query as { confirm?: string; dryRun?: boolean; cursor?: string }
  const confirmed = (confirm ?? '').split(',').map((what) => what.trim())
  return {
    ok: true,
    wishes: {
      ifMatch,
      needsIfMatch,
      dryRun: dryRun === true,
      confirmed: new Set(confirmed.filter((what) => what !== '')),
      cursor: cursor ?? null,
      prefersWait: /(?:^|,)\s*wait\s*(?:=|,|;|$)/i.test(headers.get('prefer') ?? ''),
    },
  }
}

/** One entity tag (RFC 9110 13.1.1), as respond() makes them; undefined for anything else. */
function readIfMatch(header: string | null): Wishes['ifMatch'] | undefined {
  if (header === null) return null
  const text = header.trim()
  if (text === '*') return 'any'
  const [, version] = /^"(0|[1-9][0-9]{0,14})"$/.exec(text) ?? []
  return version === undefined ? undefined : Number(version)
}
