// The parts of the OpenAPI document that its operations share: headers, problem documents, credentials; and
// the types of what such a document is made of.

/** A JSON Schema of draft 2020-12, as far as the reference page reads it. */
export interface JsonSchema {
  $ref?: string
  type?: string | string[]
  description?: string
  properties?: Record<string, JsonSchema>
  required?: string[]
  items?: JsonSchema
  additionalProperties?: JsonSchema | boolean
  anyOf?: JsonSchema[]
  oneOf?: JsonSchema[]
  allOf?: JsonSchema[]
  enum?: unknown[]
  const?: unknown
  default?: unknown
  pattern?: string
  format?: string
  [keyword: string]: unknown
}

export interface Parameter {
  name: string
  in: 'path' | 'query' | 'header'
  required: boolean
  description?: string
  schema: JsonSchema
  example?: unknown
}

export type Content = Record<string, { schema: JsonSchema; example?: unknown }>
export interface Answer {
  description: string
  headers?: Record<string, { $ref: string }>
  content?: Content
}

export const reference = (name: string): JsonSchema => ({ $ref: `#/components/schemas/${name}` })

export const SECURITY_SCHEMES = {
  bearer: {
    type: 'http',
    scheme: 'bearer',
    description: 'A token of an issuer that is trusted here, or the key of a service account.',
  },
  basic: {
    type: 'http',
    scheme: 'basic',
    description: 'The key of a service account as the password; the user name is not looked at.',
  },
}

export const PROBLEMS: Record<string, Answer> = Object.fromEntries(
  Object.entries({
    400: 'The request is not as its schema says; `errors` names each member.',
    401: 'There are no credentials, or they are not believed.',
    403: 'The caller is known and may not.',
    404: 'There is no such thing, or none that the caller may see.',
    409: 'It is set elsewhere, exists already, or has to be confirmed.',
    412: 'The document is of another version than `If-Match` names.',
    413: 'The body, or the document it makes, is too large.',
    415: 'The body is not JSON.',
    422: 'The `Idempotency-Key` came with another request before.',
    428: 'The update names no version in `If-Match`.',
    500: 'Something in Postern itself went wrong.',
    503: 'What it takes to answer cannot be had at the moment.',
  }).map(([status, description]) => [
    `Problem${status}`,
    { description, content: { 'application/problem+json': { schema: reference('Problem') } } },
  ]),
)

export const HEADERS = {
  ETag: { description: "The document's version, quoted.", schema: { type: 'string' } },
  'Postern-Publication': {
    description: 'Whether the edge has the edit. "pending": it is saved, and follows.',
    schema: { type: 'string', enum: ['published', 'pending'] },
  },
}

export const PARAMETERS: Record<string, Parameter> = {
  IfMatch: {
    name: 'If-Match',
    in: 'header',
    required: true,
    description: 'The ETag of the version the change was made from: `"3"`.',
    schema: { type: 'string' },
  },
  IfMatchOptional: {
    name: 'If-Match',
    in: 'header',
    required: false,
    description: 'Deletes that version only.',
    schema: { type: 'string' },
  },
  IdempotencyKey: {
    name: 'Idempotency-Key',
    in: 'header',
    required: false,
    description: 'The same key with the same request within a day is answered the same, and done once.',
    schema: { type: 'string', minLength: 1, maxLength: 200 },
  },
  Prefer: {
    name: 'Prefer',
    in: 'header',
    required: false,
    description: '`wait` answers once the publisher has taken the edit (RFC 7240).',
    schema: { type: 'string' },
  },
}
