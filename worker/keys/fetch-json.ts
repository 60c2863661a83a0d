// Fetches a JSON document from an issuer, bounded in bytes and time, following no redirect.
import { readText } from '../read-body.ts'

export const DOCUMENT_BYTES_MAX = 64 * 1024
export const FETCH_TIMEOUT_MS = 5000

export type Fetched =
  | { ok: true; json: unknown }
  /** `status` is 0 when no answer came at all. */
  | { ok: false; status: number; problem: string }

/** Something that fetches: the Worker itself, or a binding to a private network. */
export type Fetching = Pick<Fetcher, 'fetch'>

export const PUBLIC_NETWORK: Fetching = { fetch: (input, init) => fetch(input, init) }

/** Never throws: whatever goes wrong out there is a problem, with a sentence's end that says what. */
export async function fetchJson(address: string, through: Fetching): Promise<Fetched> {
  const signal = AbortSignal.timeout(FETCH_TIMEOUT_MS)
  try {
    const response = await through.fetch(address, {
      redirect: 'manual',
      signal,
      headers: { accept: 'application/json' },
    })
    if (response.status !== 200) {
      await response.body?.cancel()
      const redirect =
        response.status >= 300 && response.status < 400 ? ', and redirects are not followed' : ''
      return { ok: false, status: response.status, problem: `answered ${response.status}${redirect}` }
    }
    const text = await readText(response, DOCUMENT_BYTES_MAX)
    if (text === null) {
      return { ok: false, status: 200, problem: `answered with more than ${DOCUMENT_BYTES_MAX} bytes` }
    }
    return { ok: true, json: JSON.parse(text) }
  } catch (error) {
    if (signal.aborted)
      return { ok: false, status: 0, problem: `did not answer within ${FETCH_TIMEOUT_MS} ms` }
    if (error instanceof SyntaxError)
      return { ok: false, status: 200, problem: 'answered with something that is not JSON' }
    return { ok: false, status: 0, problem: 'could not be reached' }
  }
}
