// The demo upstream: an ordinary HTTP server that knows nothing of Postern and answers with what reached it,
// so that anyone can see what the gateway adds and removes: as JSON, and as a page for people with a browser.
import type { IncomingMessage, ServerResponse } from 'node:http'
import { loopbackOrigin, serveLoopback } from './loopback.ts'
import { seenPage } from './upstream-page.ts'

const BODY_BYTES_MAX = 16 * 1024 * 1024

/** A request as it came. */
export interface Seen {
  method: string
  path: string
  headers: IncomingMessage['headers']
  body: string
}

export async function startUpstream({ port }: { port: number }) {
  const server = await serveLoopback(port, (request, response) => {
    // A client that goes away in the middle has nobody left to answer.
    echo(request, response).catch(() => response.destroy())
  })
  return { origin: loopbackOrigin('127.0.0.1', server.port), close: server.close }
}

async function echo(request: IncomingMessage, response: ServerResponse): Promise<void> {
  const body = await readBody(request)
  if (body === null) return answer(response, 413, { refused: `a body over ${BODY_BYTES_MAX} bytes` })
  const { method = '', url: path = '', headers } = request
  const seen = { method, path, headers, body }
  if (!headers.accept?.includes('text/html')) return answer(response, 200, seen)
  response.writeHead(200, { 'content-type': 'text/html; charset=utf-8', 'cache-control': 'no-store' })
  response.end(seenPage(seen))
}

async function readBody(request: IncomingMessage): Promise<string | null> {
  const chunks: Buffer[] = []
  let bytes = 0
  for await (const chunk of request as AsyncIterable<Buffer>) {
    bytes += chunk.length
    if (bytes <= BODY_BYTES_MAX) chunks.push(chunk)
  }
  return bytes > BODY_BYTES_MAX ? null : Buffer.concat(chunks).toString('utf8')
}

function answer(response: ServerResponse, status: number, content: object): void {
  response.writeHead(status, { 'content-type': 'application/json; charset=utf-8' })
  response.end(`${JSON.stringify(content, null, 2)}\n`)
}
