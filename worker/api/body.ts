// The body of a request as JSON that can be read in one way only: declared as JSON, within bounds, UTF-8, no
// member twice.
import { readBytes } from '../read-body.ts'
import { type Refusal, refuse, shown } from '../refusal.ts'
import { countMembers, countWrittenMembers } from '../tokens/compact.ts'

export const BODY_BYTES_MAX = 1024 * 1024
/** A declared organization with 100,000 mappings. */
export const DECLARATION_BYTES_MAX = 32 * 1024 * 1024
const JSON_DEPTH_MAX = 64

export type ReadBody = { ok: true; value: unknown; text: string } | Refusal

export async function readJson(request: Request, bytesMax: number): Promise<ReadBody> {
  const type = request.headers.get('content-type')
  if (!/^application\/json(?:; *charset="?utf-8"?)? *$/i.test(type ?? '')) {
    const detail = `Its type is ${type === null ? 'not declared' : shown(type)}; send "content-type: application/json".`
    return refuse('media_type_not_supported', detail, { check: 'content-type' })
  }
  const bytes = await readBytes(request, bytesMax)
  if (bytes === null) {
    const detail = `This operation takes ${bytesMax} bytes at most.`
    return refuse('body_too_large', detail, { members: { limit: bytesMax } })
  }
  let text: string
  let value: unknown
  try {
    text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes)
    value = JSON.parse(text)
  } catch (error) {
    const why = error instanceof SyntaxError ? ` ${shown(error.message)}` : ''
    return invalidBody(`The body is not JSON in UTF-8.${why}`)
  }
  const members = typeof value === 'object' && value !== null ? countMembers(value, JSON_DEPTH_MAX) : 0
  if (members === null) return invalidBody(`The body is nested more than ${JSON_DEPTH_MAX} levels deep.`)
  if (!isWellFormed(text, value))
    return invalidBody('The body has half of a surrogate pair, which is no text.')
  // docs/decisions/json-duplicates.md: a member that stands twice is written twice and read once.
  if (members !== countWrittenMembers(text)) return invalidBody('An object in the body has a member twice.')
  return { ok: true, value, text }
}

function invalidBody(message: string): Refusal {
  return refuse('input_invalid', message, { members: { errors: [{ path: '', message }] } })
}

/**
 * Half of a surrogate pair cannot be written as UTF-8, so it would be another text wherever it is kept. In JSON that
 * came as UTF-8 it can only be an escape, which hardly anybody writes.
 */
function isWellFormed(json: string, value: unknown): boolean {
  return !/\\u[dD][89a-fA-F]/.test(json) || everyString(value, (text) => text.isWellFormed())
}

function everyString(value: unknown, holds: (text: string) => boolean): boolean {
  if (typeof value === 'string') return holds(value)
  if (typeof value !== 'object' || value === null) return true
  return Object.entries(value).every(([name, member]) => holds(name) && everyString(member, holds))
}
