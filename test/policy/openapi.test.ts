// The OpenAPI document: a real validator takes it, it says of each operation what the table says, and nothing
// in it leads nowhere.
import { Validator } from '@seriousme/openapi-schema-validator'
import { describe, expect, test } from 'vitest'
import { type DescribedOperation, type JsonSchema, openApiDocument } from '../../policy/openapi.ts'
import { EXAMPLE_BODIES, EXAMPLE_PARAMETERS } from '../../policy/openapi-examples.ts'
import { API_PREFIX } from '../../policy/operations/common.ts'
import { OPERATIONS } from '../../policy/operations/table.ts'

const document = openApiDocument({ origin: 'https://auth.example.com' })

function operations(): [string, DescribedOperation][] {
  return Object.values(document.paths).flatMap((methods) => {
    return Object.values(methods).map(
      (described) => [described.operationId, described] as [string, DescribedOperation],
    )
  })
}

function* referencesOf(value: unknown): Generator<string> {
  if (typeof value !== 'object' || value === null) return
  for (const [name, member] of Object.entries(value)) {
    if (name === '$ref' && typeof member === 'string') yield member
    else yield* referencesOf(member)
  }
}

function resolve(reference: string): unknown {
  const steps = reference.slice(2).split('/')
  return steps.reduce<unknown>(
    (value, step) => (value as Record<string, unknown> | undefined)?.[step],
    document,
  )
}

test('is OpenAPI 3.1', async () => {
  const validator = new Validator()
  const { valid, errors } = await validator.validate(JSON.parse(JSON.stringify(document)))
  expect(errors ?? []).toEqual([])
  expect({ valid, version: validator.version }).toEqual({ valid: true, version: '3.1' })
})

test('has every operation of the table once, at its path', () => {
  expect(
    operations()
      .map(([id]) => id)
      .sort(),
  ).toEqual(Object.keys(OPERATIONS).sort())
  for (const [id, { method, path }] of Object.entries(OPERATIONS)) {
    expect(document.paths[path]?.[method.toLowerCase()]?.operationId).toBe(id)
  }
  expect(document.servers).toEqual([{ url: `https://auth.example.com${API_PREFIX}` }])
})

test('has no reference that leads nowhere, and no schema that nothing uses', () => {
  const references = new Set(referencesOf(document))
  expect(
    [...references].filter((reference) => !reference.startsWith('#/') || resolve(reference) === undefined),
  ).toEqual([])
  const schemas = Object.keys(document.components.schemas)
  expect(schemas.filter((name) => !references.has(`#/components/schemas/${name}`))).toEqual([])
  expect(schemas.filter((name) => name.startsWith('__'))).toEqual([])
})

test('says the same thing each time', () => {
  const again = openApiDocument({ origin: 'https://auth.example.com' })
  expect(JSON.stringify(again)).toBe(JSON.stringify(document))
})

describe.each(operations())('%s', (id, described) => {
  const operation = OPERATIONS[id as keyof typeof OPERATIONS]

  test('names each part of its path as a parameter', () => {
    const named = [...operation.path.matchAll(/\{(\w+)\}/g)].map(([, name]) => name)
    const parameters = described.parameters.flatMap((one) => ('in' in one && one.in === 'path' ? [one] : []))
    expect(parameters.map(({ name }) => name).sort()).toEqual(named.sort())
    for (const { required, schema } of parameters) {
      expect(required).toBe(true)
      expect(schema).not.toEqual({})
    }
  })

  test('says what it takes, and how it may end', () => {
    expect(described.description).toMatch(/permission|Whoever is known/)
    expect(described.requestBody !== undefined).toBe(operation.body !== null)
    const { responses } = described
    for (const status of [String(operation.status), '401', '403', '500', '503']) {
      expect(Object.keys(responses)).toContain(status)
    }
    const headers = described.parameters.flatMap((one) => ('$ref' in one ? [one.$ref.split('/').at(-1)] : []))
    const kind = 'write' in operation ? operation.write?.kind : undefined
    expect(headers.includes('IfMatch')).toBe(kind === 'update')
    expect(headers.includes('IdempotencyKey')).toBe(kind === 'create')
    expect(Object.keys(responses).includes('428')).toBe(kind === 'update')
    expect(Object.keys(responses).includes('412')).toBe(kind === 'update' || kind === 'delete')
  })
})

test.each(Object.entries(EXAMPLE_BODIES))('the example of %s is accepted', (id, body) => {
  const parsed = OPERATIONS[id as keyof typeof EXAMPLE_BODIES].body?.safeParse(body)
  expect(parsed?.error?.issues ?? []).toEqual([])
  expect(JSON.stringify(document.paths)).toContain(JSON.stringify(body))
})

test('what has to be in a path or a query has an example that is accepted', () => {
  for (const { params, query } of Object.values(OPERATIONS)) {
    for (const [name, schema] of Object.entries({ ...params.shape, ...query.shape })) {
      if (schema.safeParse(undefined).success) continue
      expect(schema.safeParse(EXAMPLE_PARAMETERS[name]).error?.issues ?? []).toEqual([])
    }
  }
})

test('[4-25] [4-26] group mappings are said in their shape', () => {
  const { schemas } = document.components
  for (const name of ['OrganizationResource', 'ProjectResource', 'CreateOrganization', 'UpdateProject']) {
    expect((schemas[name] as JsonSchema).properties?.idpGroupMappings).toMatchObject({
      type: 'array',
      items: { $ref: '#/components/schemas/WrittenMapping' },
    })
  }
  expect(schemas.WrittenMapping).toMatchObject({
    required: ['roleName', 'idpGroups'],
    properties: { roleName: { type: 'string' }, idpGroups: { type: 'array', items: { type: 'string' } } },
    additionalProperties: false,
  })
})

test('a dry run is a boolean, and its answer a preview', () => {
  const { patch } = document.paths['/organizations/{organization}'] ?? {}
  expect(patch?.parameters).toContainEqual(
    expect.objectContaining({ name: 'dryRun', in: 'query', required: false, schema: { type: 'boolean' } }),
  )
  expect(JSON.stringify(patch?.responses[200])).toContain('#/components/schemas/Preview')
})
