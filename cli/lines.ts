// Answers and files that are lines, one JSON value each.
import { unanswered, whyOf } from './server.ts'

/** Each line as it comes; the last one may lack its end. */
export async function* linesIn(chunks: AsyncIterable<Uint8Array>): AsyncGenerator<string> {
  let rest = ''
  const decoder = new TextDecoder()
  for await (const chunk of chunks) {
    const lines = (rest + decoder.decode(chunk, { stream: true })).split('\n')
    rest = lines.pop() ?? ''
    yield* lines
  }
  rest += decoder.decode()
  if (rest !== '') yield rest
}

/** Of an answer, which may break off. */
export async function* linesOf({ body, url }: Response): AsyncGenerator<string> {
  if (!body) return
  try {
    yield* linesIn(body as unknown as AsyncIterable<Uint8Array>)
  } catch (error) {
    throw unanswered(`the answer of ${new URL(url).origin} breaks off: ${whyOf(error)}`)
  }
}
