// The OpenAPI 3.1 document of the management API, made of the operations table: what a client has to send, and
// what may come back. Nothing is written here that the table says already.
import { z } from 'zod'
import { LINES_MEDIA_TYPE } from './client.ts'
import { EXAMPLE_BODIES, EXAMPLE_PARAMETERS } from './openapi-examples.ts'
import {
  type Answer,
  type Content,
  HEADERS,
  type JsonSchema,
  PARAMETERS,
  type Parameter,
  PROBLEMS,
  reference,
  SECURITY_SCHEMES,
} from './openapi-parts.ts'
import { API_PREFIX, type Operation, Preview } from './operations/common.ts'
import { OPERATIONS, type OperationId } from './operations/table.ts'
import { ProblemDocument } from './problem-document.ts'
import { REASONS } from './reasons.ts'

export interface DescribedOperation {
  operationId: OperationId
  tags: string[]
  summary: string
  description: string
  'x-postern-level': string
  'x-postern-permission': string | null
  parameters: (Parameter | { $ref: string })[]
  requestBody?: { required: true; content: Content }
  responses: Record<string, Answer | { $ref: string }>
}

export interface OpenApiDocument {
  openapi: '3.1.0'
  info: { title: string; version: string; summary: string; description: string }
  servers: { url: string }[]
  security: Record<string, string[]>[]
  tags: { name: string }[]
  paths: Record<string, Record<string, DescribedOperation>>
  components: {
    schemas: Record<string, JsonSchema>
    parameters: Record<string, Parameter>
    headers: Record<string, { description: string; schema: JsonSchema }>
    responses: Record<string, Answer>
    securitySchemes: Record<string, object>
  }
}

export type { Answer, Content, JsonSchema, Parameter }

/** Answers that also come as lines, a JSON value each, when `Accept` asks for them. */
const LINES: Partial<Record<OperationId, { item: string; description: string }>> = {
  'audit.list': { item: 'AuditEvent', description: 'All that match, oldest first.' },
  'organizationAudit.list': { item: 'AuditEvent', description: 'All that match, oldest first.' },
  'organizations.apply': {
    item: 'ProgressLine',
    description: 'Progress, and in the last line the result or the problem.',
  },
}

/** Of the API, not of what serves it: its first number is the one in the path. */
export const API_VERSION = '1.0.0'

/** `origin` is the gateway's own, without a slash at its end. */
export function openApiDocument({ origin }: { origin: string }): OpenApiDocument {
  const { schemas, parts } = schemasOf()
  const paths: OpenApiDocument['paths'] = {}
  for (const [id, operation] of entries()) {
    const described = describeOperation(id, operation, parts[id] as Parts)
    paths[operation.path] = { ...paths[operation.path], [operation.method.toLowerCase()]: described }
  }
  return {
    openapi: '3.1.0',
    info: {
      title: 'Postern management API',
      version: API_VERSION,
      summary: 'Organizations, projects, group mappings, issuers, users and audit of an instance of Postern.',
      description: ABOUT,
    },
    servers: [{ url: `${origin}${API_PREFIX}` }],
    security: [{ bearer: [] }, { basic: [] }],
    tags: [...new Set(entries().map(([, { tag }]) => tag))].map((name) => ({ name })),
    paths,
    components: {
      schemas,
      parameters: PARAMETERS,
      headers: HEADERS,
      responses: PROBLEMS,
      securitySchemes: SECURITY_SCHEMES,
    },
  }
}

const ABOUT = [
  'Every document has a version, which is its `ETag`. An update names the version it was made from in `If-Match`,',
  'so that nobody overwrites what they have not seen. `dryRun=true` answers what an edit would change and for',
  'whom, and changes nothing. An edit is saved when it is answered; `Postern-Publication` says whether the edge',
  'has it already. Refusals are problem documents (RFC 9457).',
].join(' ')

function entries(): [OperationId, Operation][] {
  return Object.entries(OPERATIONS) as [OperationId, Operation][]
}

/** The parts of one operation, with references into the shared schemas. */
interface Parts {
  params: JsonSchema
  query: JsonSchema
  body?: JsonSchema
  output: JsonSchema
}

const ProgressLine = z
  .union([
    z.strictObject({ progress: z.strictObject({ stage: z.string(), done: z.int(), total: z.int() }) }),
    z.strictObject({ result: z.unknown() }),
    z.strictObject({ problem: ProblemDocument }),
  ])
  .meta({ id: 'ProgressLine', description: 'A line of an answer that tells of its progress.' })

/** All in one go, so that a schema which several operations use is there once, under its id. */
function schemasOf(): { schemas: Record<string, JsonSchema>; parts: Record<string, Parts> } {
  const shape = Object.fromEntries(
    entries().map(([id, { params, query, body, output }]) => {
      return [id, z.object({ params, query, output, ...(body === null ? {} : { body }) })]
    }),
  )
  const all = z.object({ ...shape, Preview, ProblemDocument, ProgressLine })
  const made = z.toJSONSchema(all, {
    io: 'input',
    target: 'draft-2020-12',
    override: ({ zodSchema, jsonSchema }) => {
      // "true" and "false" in a query string are a boolean to everybody else.
      if (isBooleanText(zodSchema)) jsonSchema.type = 'boolean'
      if (jsonSchema.minimum === Number.MIN_SAFE_INTEGER) delete jsonSchema.minimum
      if (jsonSchema.maximum === Number.MAX_SAFE_INTEGER) delete jsonSchema.maximum
    },
  })
  const { properties, $defs } = settle(made) as { properties: object; $defs: Record<string, JsonSchema> }
  const parts = Object.entries(properties).map(([id, part]) => [id, part.properties])
  const reasons = { enum: Object.keys(REASONS).sort() }
  const reason = { ...$defs.Problem?.properties?.reason, ...reasons }
  const problem = { ...$defs.Problem, properties: { ...$defs.Problem?.properties, reason } }
  const schemas = { ...$defs, Problem: problem }
  const sorted = Object.entries(schemas).sort(([a], [b]) => (a < b ? -1 : 1))
  return { schemas: Object.fromEntries(sorted), parts: Object.fromEntries(parts) }
}

function isBooleanText(schema: z.core.$ZodTypes): boolean {
  return schema._zod.def.type === 'pipe' && schema._zod.def.out._zod.def.type === 'boolean'
}

/** References lead to the components; a schema without a name of its own is any JSON value. */
function settle(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(settle)
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(
    Object.entries(value)
      .filter(([name]) => name !== '$schema')
      .map(([name, member]) => {
        if (name !== '$ref' || typeof member !== 'string') return [nameOf(name), settle(member)]
        return [name, `#/components/schemas/${nameOf(member.slice('#/$defs/'.length))}`]
      }),
  )
}

/** z.json() is the only one that refers to itself without an id. */
function nameOf(name: string): string {
  return name === '__schema0' ? 'Json' : name
}

function describeOperation(id: OperationId, operation: Operation, parts: Parts): DescribedOperation {
  const { tag, summary, description, level, permission, besides = [], alsoFor = {}, write } = operation
  const { body } = parts
  const also = Object.entries(alsoFor).map(([member, name]) => `\`${member}\` takes \`${name}\` as well.`)
  const needs =
    permission === null
      ? 'Whoever is known may ask, and sees what is theirs.'
      : `Takes the permission ${[permission, ...besides].map((name) => `\`${name}\``).join(' and ')} ${WHERE[level]}.`
  return {
    operationId: id,
    tags: [tag],
    summary,
    description: [description, needs, ...also].filter((text) => text !== undefined).join(' '),
    'x-postern-level': level,
    'x-postern-permission': permission,
    parameters: [
      ...parametersOf('path', parts.params),
      ...parametersOf('query', parts.query),
      ...headersOf(operation).map((name) => ({ $ref: `#/components/parameters/${name}` })),
    ],
    ...(body
      ? { requestBody: { required: true, content: { 'application/json': withExample(id, body) } } }
      : {}),
    responses: { ...answersOf(id, operation, parts), ...problemsOf(operation, write?.kind) },
  }
}

function withExample(id: OperationId, schema: JsonSchema) {
  const examples: Partial<Record<OperationId, unknown>> = EXAMPLE_BODIES
  return { schema, ...(examples[id] === undefined ? {} : { example: examples[id] }) }
}

const WHERE: Record<Operation['level'], string> = {
  instance: 'at the global level',
  organization: 'in the organization',
  project: 'in the project',
  document: 'at the level of the document',
}

function parametersOf(place: 'path' | 'query', { properties = {}, required = [] }: JsonSchema): Parameter[] {
  return Object.entries(properties).map(([name, { description, ...schema }]) => {
    const isRequired = place === 'path' || required.includes(name)
    const example = isRequired ? EXAMPLE_PARAMETERS[name] : undefined
    return {
      name,
      in: place,
      required: isRequired,
      ...(description === undefined ? {} : { description }),
      schema,
      ...(example === undefined ? {} : { example }),
    }
  })
}

function headersOf({ write }: Operation): string[] {
  if (write === undefined) return []
  const { kind } = write
  return [
    ...(kind === 'create' ? ['IdempotencyKey'] : []),
    ...(kind === 'update' ? ['IfMatch'] : []),
    ...(kind === 'delete' ? ['IfMatchOptional'] : []),
    'Prefer',
  ]
}

function answersOf(
  id: OperationId,
  { status, write, output }: Operation,
  parts: Parts,
): Record<string, Answer> {
  const lines = LINES[id]
  const versioned = output instanceof z.ZodObject && Object.hasOwn(output.shape, 'version')
  const headers = Object.fromEntries(
    [...(versioned ? ['ETag'] : []), ...(write ? ['Postern-Publication'] : [])].map((name) => [
      name,
      { $ref: `#/components/headers/${name}` },
    ]),
  )
  const answer = (schema: JsonSchema, description: string): Answer => ({
    description,
    headers,
    content: {
      'application/json': { schema },
      ...(lines ? { [LINES_MEDIA_TYPE]: { schema: reference(lines.item) } } : {}),
    },
  })
  if (!write?.dryRun) return { [status]: answer(parts.output, lines?.description ?? 'Done.') }
  const preview = reference('Preview')
  if (status !== 200) return { [status]: answer(parts.output, 'Done.'), 200: answer(preview, 'A dry run.') }
  return { 200: answer({ anyOf: [parts.output, preview] }, 'Done; with `dryRun=true` what would be.') }
}

function problemsOf({ params, query, body }: Operation, kind: string | undefined) {
  const takes = Object.keys({ ...params.shape, ...query.shape }).length > 0 || body !== null
  const within = Object.keys(params.shape).length > 0 || Object.hasOwn(query.shape, 'document')
  const names = [
    ...(takes ? ['400'] : []),
    '401',
    '403',
    ...(within ? ['404'] : []),
    ...(kind !== undefined ? ['409'] : []),
    ...(kind === 'update' || kind === 'delete' ? ['412'] : []),
    ...(body !== null ? ['413', '415'] : []),
    ...(kind === 'create' ? ['422'] : []),
    ...(kind === 'update' ? ['428'] : []),
    '500',
    '503',
  ]
  return Object.fromEntries(names.map((name) => [name, { $ref: `#/components/responses/Problem${name}` }]))
}
