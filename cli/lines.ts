// Answers and files that are lines, one JSON value each.
import { unanswered, whyOf } from './server.ts'

/** Each line as it comes; the last one may lack its end. */
export async function* linesOf(response: Response): AsyncGenerator<string> {
  const body = response.body
  if (!body) return
  let rest = ''
  const decoder = new TextDecoder()
  try {
    for await (const chunk of body as unknown as AsyncIterable<Uint8Array>) {
      const lines = (rest + decoder.decode(chunk, { stream: true })).split('\n')
      rest = lines.pop() ?? ''
      for (const line of lines) if (line !== '') yield line
    }
  } catch (error) {
    throw unanswered(`the answer of ${new URL(response.url).origin} breaks off: ${whyOf(error)}`)
  }
  if (rest !== '') yield rest
}
