// What zod finds wrong with a document, in words that say what would be right: the field that was meant, the
// values there are, the type expected. Where it stands is document.ts's.
import type { z } from 'zod'
import { nearest } from './nearest.ts'
import type { Fault, Path } from './problems.ts'

/** Fields named in the message where none comes near the unknown one. */
const FIELDS_NAMED_MAX = 20
/** Of one object; whoever has more unknown fields than this has another kind of document. */
const UNKNOWN_FIELDS_MAX = 100

type RawIssue = Parameters<z.core.$ZodErrorMap>[0]

/** To be given to zod's `parse` as its `error`. What it leaves to zod says what is right already. */
export function messageOf(issue: RawIssue): string | undefined {
  switch (issue.code) {
    case 'unrecognized_keys': {
      const fields = fieldsOf(issue.inst)
      const unknown = issue.keys.slice(0, UNKNOWN_FIELDS_MAX)
      // A line for each; faultsOf takes them apart.
      return unknown.map((key) => `is not a known field${suggestField(key, fields)}`).join('\n')
    }
    case 'invalid_type':
      return expected(TYPES[issue.expected] ?? issue.expected, issue.input)
    case 'invalid_value':
      return expectedValue(issue.values, issue.input)
    case 'invalid_union': {
      const alternatives = issue.errors.flatMap((issues) => issues.map(({ message }) => message))
      // Each says what was received; once is enough.
      const last = alternatives.length - 1
      return alternatives.map((text, at) => (at < last ? text.replace(RECEIVED, '') : text)).join(', or ')
    }
    default:
      return undefined
  }
}

/** In the words of YAML and JSON. */
const TYPES: Record<string, string> = { record: 'object', int: 'whole number' }
const RECEIVED = /, received .*$/

function expected(what: string, input: unknown): string {
  return input === undefined ? `is missing; expected ${what}` : `expected ${what}, received ${typeOf(input)}`
}

function typeOf(input: unknown): string {
  if (input === null) return 'null'
  return Array.isArray(input) ? 'array' : typeof input
}

function expectedValue(values: readonly unknown[], input: unknown): string {
  const quoted = values.map((value) => JSON.stringify(value)).join(', ')
  const what = values.length === 1 ? quoted : `one of ${quoted}`
  if (typeof input === 'number' || typeof input === 'boolean') return `expected ${what}, received ${input}`
  if (typeof input !== 'string') return expected(what, input)
  const meant = nearest(
    input,
    values.filter((value) => typeof value === 'string'),
  )
  return `expected ${what}${meant === null ? '' : `; did you mean "${meant}"?`}`
}

function suggestField(key: string, fields: readonly string[]): string {
  const meant = nearest(key, fields)
  if (meant !== null) return `; did you mean "${meant}"?`
  return fields.length === 0 ? '' : `; there are ${fields.slice(0, FIELDS_NAMED_MAX).join(', ')}`
}

/** The members an object's schema has. */
function fieldsOf(schema: RawIssue['inst']): string[] {
  const definition = schema?._zod.def as { shape?: object } | undefined
  return Object.keys(definition?.shape ?? {}).filter((name) => !name.startsWith('$'))
}

/** What of zod's issues is of use here. */
export interface Issue {
  code?: string | undefined
  path: PropertyKey[]
  message: string
  keys?: string[]
  issues?: Issue[]
  errors?: Issue[][]
}

/** The faults an issue stands for, each at its own place. */
export function faultsOf(issue: Issue, parent: Path = []): Fault[] {
  const path = [...parent, ...issue.path.map((step) => (typeof step === 'symbol' ? String(step) : step))]
  switch (issue.code) {
    case 'unrecognized_keys': {
      const messages = issue.message.split('\n')
      return messages.map((message, at) => ({ path: [...path, issue.keys?.[at] as string], message }))
    }
    case 'invalid_key':
      return (issue.issues ?? []).flatMap((inner) => faultsOf(inner, path))
    case 'invalid_union': {
      // The alternative that was meant is the one whose outer shape fits; else any of them would be right.
      const isWithin = ({ code, path: inner }: Issue) => inner.length > 0 || code === 'unrecognized_keys'
      const meant = issue.errors?.find((issues) => issues.every(isWithin))
      return meant ? meant.flatMap((inner) => faultsOf(inner, path)) : [{ path, message: issue.message }]
    }
    default:
      return [{ path, message: issue.message }]
  }
}
