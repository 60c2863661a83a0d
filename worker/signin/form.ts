// A form as browsers and identity providers post it, within bounds. What its fields mean is its readers'.
import { readText } from '../read-body.ts'
import { type Refusal, refuse, shown } from '../refusal.ts'

export type ReadForm = { ok: true; form: URLSearchParams } | Refusal

export async function readForm(request: Request, bytesMax: number): Promise<ReadForm> {
  const type = request.headers.get('content-type')
  if (!/^application\/x-www-form-urlencoded *(?:; *charset="?utf-8"?)? *$/i.test(type ?? '')) {
    const sent = type === null ? 'not declared' : shown(type)
    const detail = `Its type is ${sent}; it must be "application/x-www-form-urlencoded".`
    return refuse('media_type_not_supported', detail, { check: 'content-type' })
  }
  const text = await readText(request, bytesMax)
  if (text === null) {
    const detail = `At most ${bytesMax} bytes are read.`
    return refuse('body_too_large', detail, { members: { limit: bytesMax } })
  }
  return { ok: true, form: new URLSearchParams(text) }
}

/** The value of a parameter; null where it is missing, and where it stands twice and could mean either. */
export function onlyValue(parameters: URLSearchParams, name: string): string | null {
  const [only, ...others] = parameters.getAll(name)
  return only !== undefined && others.length === 0 ? only : null
}
