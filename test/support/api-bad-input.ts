// Bad input for every operation of the management API, made of the operation's own schemas: a body that is whole,
// and the same body with one thing wrong, at every place where something can be; queries and paths likewise.
import { z } from 'zod'
import type { Operation } from '../../policy/operations/common.ts'

/** As much of JSON Schema as zod writes. */
interface Schema {
  $ref?: string
  id?: string
  type?: string
  enum?: unknown[]
  const?: unknown
  anyOf?: Schema[]
  oneOf?: Schema[]
  properties?: Record<string, Schema>
  required?: string[]
  propertyNames?: Schema
  additionalProperties?: Schema | boolean
  items?: Schema
  minItems?: number
  maxItems?: number
  minLength?: number
  maxLength?: number
  pattern?: string
  format?: string
  minimum?: number
  maximum?: number
  $defs?: Record<string, Schema>
}

export interface BadInput {
  /** What is wrong, and where. */
  name: string
  value: unknown
  /** The field the answer must name. */
  path: string
}

type Path = readonly (string | number)[]

/** The body's schema, with references into `$defs`. */
export function schemaOf({ body }: Pick<Operation, 'body'>): Schema | null {
  if (body === null) return null
  // Whatever cannot be written as JSON Schema, such as a transformation, is judged by what goes into it.
  return z.toJSONSchema(body, { io: 'input', unrepresentable: 'any' }) as Schema
}

/** Members of which only one may stand there; what JSON Schema does not say. */
const EXCLUSIVE: Record<string, string[]> = {
  ExplainRequest: ['token'],
  Condition: ['oneOf', 'contains'],
}

/** A body with every member there is. */
export function wholeBody(root: Schema): unknown {
  return sampleOf(root, root)
}

const TEXTS = [
  'some-text',
  'GROUP_READ_ONLY',
  'project.read',
  '2026-12-31T23:59:59Z',
  'https://idp.example.com',
  '01234567-89ab-cdef-0123-456789abcdef',
  'somebody@example.com',
]

function sampleOf(schema: Schema, root: Schema): unknown {
  const { name, resolved } = resolve(schema, root)
  if (resolved.const !== undefined) return resolved.const
  if (resolved.enum) return resolved.enum[0]
  const [alternative] = resolved.anyOf ?? (resolved.type ? [] : (resolved.oneOf ?? []))
  if (alternative) return sampleOf(largest(resolved.anyOf ?? [alternative], root), root)
  switch (resolved.type) {
    case 'object': {
      const left = EXCLUSIVE[name] ?? []
      const members = Object.entries(resolved.properties ?? {})
        .filter(([member]) => !left.includes(member))
        .map(([member, of]) => [member, sampleOf(of, root)])
      if (members.length > 0) return Object.fromEntries(members)
      const { additionalProperties: values, propertyNames } = resolved
      if (typeof values !== 'object') return {}
      return { [String(propertyNames ? sampleOf(propertyNames, root) : 'member')]: sampleOf(values, root) }
    }
    case 'array':
      return Array.from({ length: Math.max(1, resolved.minItems ?? 0) }, () =>
        sampleOf(resolved.items ?? {}, root),
      )
    case 'integer':
    case 'number':
      return Math.max(1, resolved.minimum ?? 1)
    case 'boolean':
      return true
    case 'string':
      return textFor(resolved)
    default:
      return 'anything'
  }
}

function textFor({ pattern, minLength = 0, maxLength = Number.POSITIVE_INFINITY }: Schema): string {
  const regexp = pattern === undefined ? /^/ : new RegExp(pattern)
  const candidates = [...TEXTS, 'x']
  const fits = (text: string) => regexp.test(text) && text.length >= minLength && text.length <= maxLength
  const found = candidates.find(fits)
  if (found === undefined) throw new Error(`no sample text matches ${pattern}`)
  return found
}

/** Of alternatives the one with the most to get wrong. */
function largest(alternatives: readonly Schema[], root: Schema): Schema {
  const rank = (schema: Schema) =>
    ['object', 'array', 'string'].indexOf(resolve(schema, root).resolved.type ?? '') + 1 || 9
  return [...alternatives].sort((a, b) => rank(a) - rank(b))[0] as Schema
}

/** `name`: the last one of a chain of references. What has no name of its own is any JSON. */
function resolve(schema: Schema, root: Schema, name = ''): { name: string; resolved: Schema } {
  if (schema.$ref === undefined) return { name, resolved: schema }
  const next = schema.$ref.replace(/^#\/\$defs\//, '')
  if (next.startsWith('__schema')) return { name: next, resolved: {} }
  const resolved = root.$defs?.[next]
  if (!resolved) throw new Error(`no schema ${schema.$ref}`)
  return resolve(resolved, root, next)
}

/** The whole body with one thing wrong, for each thing. */
export function badBodies(root: Schema): BadInput[] {
  const whole = wholeBody(root)
  const bad: BadInput[] = []
  visit(root, whole, [], root, (path, wrong, value, named = path) => {
    bad.push({
      name: `${describe(path)} ${wrong}`,
      value: replaceAt(whole, path, value),
      path: describe(named),
    })
  })
  return bad
}

const REMOVED = Symbol('removed')
type Report = (path: Path, wrong: string, value: unknown, named?: Path) => void

function visit(schema: Schema, value: unknown, path: Path, root: Schema, report: Report): void {
  const { resolved } = resolve(schema, root)
  const alternatives = resolved.anyOf ?? []
  const shapes = alternatives.length > 0 ? alternatives : [schema]
  const types = shapes.map((shape) => resolve(shape, root).resolved)
  if (types.some(({ type, enum: values, const: constant }) => type ?? values ?? constant)) {
    for (const { wrong, sample } of wrongTypes(types)) report(path, wrong, sample)
  }
  for (const shape of types) if (typeFits(shape, value)) visitWithin(shape, value, path, root, report)
}

function wrongTypes(shapes: readonly Schema[]): { wrong: string; sample: unknown }[] {
  const samples: [string, unknown][] = [
    ['is a number', 7.5],
    ['is text', 'neither this nor that'],
    ['is null', null],
    ['is a list', [[[]]]],
    ['is an object', { neither: { this: 'nor that' } }],
    ['is true', true],
  ]
  return samples
    .filter(([, sample]) => !shapes.some((shape) => typeFits(shape, sample)))
    .slice(0, 3)
    .map(([wrong, sample]) => ({ wrong, sample }))
}

function typeFits({ type, enum: values, const: constant }: Schema, value: unknown): boolean {
  if (values) return values.includes(value)
  if (constant !== undefined) return value === constant
  switch (type) {
    case undefined:
      return true
    case 'array':
      return Array.isArray(value)
    case 'object':
      return typeof value === 'object' && value !== null && !Array.isArray(value)
    case 'integer':
      return Number.isInteger(value)
    case 'null':
      return value === null
    default:
      return typeof value === type
  }
}

function visitWithin(schema: Schema, value: unknown, path: Path, root: Schema, report: Report): void {
  if (schema.enum) report(path, 'is none of the values', 'nonsense')
  switch (schema.type) {
    case 'string':
      visitText(schema, path, report)
      return
    case 'integer':
    case 'number':
      visitNumber(schema, path, report)
      return
    case 'array': {
      const items = value as unknown[]
      const { minItems = 0, maxItems = Number.POSITIVE_INFINITY } = schema
      if (minItems > 0) report(path, 'is empty', [])
      if (maxItems < LIST_LENGTH_MAX) {
        const item = smallestOf(schema.items ?? {}, items[0], root)
        report(path, 'is too long', Array(maxItems + 1).fill(item))
      }
      if (items.length > 0) visit(schema.items ?? {}, items[0], [...path, 0], root, report)
      return
    }
    case 'object':
      visitObject(schema, value as Record<string, unknown>, path, root, report)
  }
}

/** Only what must be there, so that many of them are no large body. */
function smallestOf(schema: Schema, value: unknown, root: Schema): unknown {
  const { type, required = [] } = resolve(schema, root).resolved
  if (type !== 'object') return value
  const members = Object.entries(value as Record<string, unknown>)
  return Object.fromEntries(members.filter(([member]) => required.includes(member)))
}

/** Longer lists than this are bounded by the length of the body. */
const LIST_LENGTH_MAX = 20_000

function visitText({ pattern, minLength = 0, maxLength, format }: Schema, path: Path, report: Report): void {
  if (minLength > 0 || pattern !== undefined) report(path, 'is empty', '')
  if (maxLength !== undefined && maxLength < 100_000) report(path, 'is too long', 'x'.repeat(maxLength + 1))
  if (pattern !== undefined) {
    report(path, 'has the wrong form', 'Not ! of \u00e4ny form')
    report(path, 'has a line after it', `${textFor({ pattern })}\n`)
  }
  if (format === 'date-time') report(path, 'is no day there is', '2026-02-30T00:00:00Z')
}

function visitNumber({ type, minimum, maximum }: Schema, path: Path, report: Report): void {
  if (type === 'integer') report(path, 'is a fraction', (minimum ?? 0) + 0.5)
  if (minimum !== undefined && minimum > Number.MIN_SAFE_INTEGER) report(path, 'is too small', minimum - 1)
  if (maximum !== undefined) report(path, 'is too large', maximum + 1)
}

function visitObject(
  schema: Schema,
  value: Record<string, unknown>,
  path: Path,
  root: Schema,
  report: Report,
): void {
  const { properties = {}, required = [], additionalProperties: values, propertyNames } = schema
  if (values === false) {
    report([...path, 'unknownMember'], 'is not known', 1)
    report([...path, '__proto__'], 'is not known', {})
  }
  for (const member of required) report([...path, member], 'is missing', REMOVED)
  for (const [member, of] of Object.entries(properties)) {
    if (Object.hasOwn(value, member)) visit(of, value[member], [...path, member], root, report)
  }
  if (typeof values !== 'object') return
  const [first] = Object.keys(value)
  if (propertyNames && first !== undefined && resolve(propertyNames, root).resolved.pattern) {
    report([...path, 'Not ! a Name'], 'is no name', value[first])
  }
  if (first !== undefined) visit(values, value[first], [...path, first], root, report)
}

function replaceAt(value: unknown, path: Path, replacement: unknown): unknown {
  const [step, ...rest] = path
  if (step === undefined) return replacement
  if (Array.isArray(value)) {
    return value.map((item, index) => (index === step ? replaceAt(item, rest, replacement) : item))
  }
  const entries = Object.entries(value as object).filter(([member]) => member !== step)
  const present = (value as Record<string, unknown>)[step]
  const replaced = replaceAt(Object.hasOwn(value as object, step) ? present : {}, rest, replacement)
  // As JSON has it: a member called __proto__ is one like all others.
  return replaced === REMOVED
    ? Object.fromEntries(entries)
    : Object.fromEntries([...entries, [step, replaced]])
}

/** As the API writes places: `idpGroupMappings[0].roleName`. */
function describe(path: Path): string {
  return path
    .map((step, index) => (typeof step === 'number' ? `[${step}]` : index === 0 ? step : `.${step}`))
    .join('')
}

const TOO_LONG = (length: number) => 'x'.repeat(length + 1)
const NO_SLUGS = ['Not a slug', '-acme', 'acme-', TOO_LONG(64), '\u00e4cme', 'acme.', "acme'--"]

/** What is wrong for a parameter of a query, by its name. A new one has to say here what it does not take. */
const BAD_QUERY: Record<string, string[]> = {
  cursor: [TOO_LONG(500)],
  limit: ['0', '501', '-1', '1.5', 'many', '1e9'],
  search: ['', TOO_LONG(200)],
  dryRun: ['maybe', ''],
  confirm: [TOO_LONG(200)],
  organization: ['', ...NO_SLUGS],
  project: ['', ...NO_SLUGS],
  permission: ['', 'everything', 'Project.read', TOO_LONG(100)],
  after: ['-1', 'x', '1.5'],
  login: ['', TOO_LONG(320)],
  email: ['', TOO_LONG(320)],
  issuer: ['', TOO_LONG(130)],
  subject: ['', TOO_LONG(1024)],
  user: ['', TOO_LONG(100)],
  status: ['', 'asleep'],
  document: ['', 'Policy', 'organization/acme/payments/more', 'organization/../x', TOO_LONG(300)],
  against: ['-1', 'x', '1.5'],
  actor: [TOO_LONG(2000)],
  operation: [TOO_LONG(100)],
  targetKind: [TOO_LONG(50)],
  target: [TOO_LONG(300)],
  from: ['', 'yesterday', '2026-02-30T00:00:00Z', '2026-01-01'],
  until: ['', 'yesterday', '2026-02-30T00:00:00Z', '2026-01-01'],
}

const BAD_PARAMS: Record<string, string[]> = {
  organization: NO_SLUGS,
  project: NO_SLUGS,
  issuer: NO_SLUGS,
  user: [TOO_LONG(100)],
  serviceAccount: [TOO_LONG(100)],
  key: [TOO_LONG(100)],
  version: ['0', '-1', '1.5', 'x', '1e400'],
}

/** One value each, with the name of the parameter as the path. */
export function badQueries({ query }: Pick<Operation, 'query'>): BadInput[] {
  return [...badTexts(Object.keys(query.shape), BAD_QUERY), ...badTexts(['nonsense'], { nonsense: ['1'] })]
}

export function badParams({ params }: Pick<Operation, 'params'>): BadInput[] {
  return badTexts(Object.keys(params.shape), BAD_PARAMS)
}

function badTexts(names: readonly string[], bad: Record<string, string[]>): BadInput[] {
  return names.flatMap((name) => {
    const values = bad[name]
    if (!values) throw new Error(`nothing says what is wrong for "${name}"`)
    return values.map((value) => ({
      name: `${name} is ${JSON.stringify(value.slice(0, 30))}`,
      value,
      path: name,
    }))
  })
}
