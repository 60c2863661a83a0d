// A recording upstream: keeps what reached it to the byte, and answers plainly unless a test says how.
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { listen, stopListening } from './servers.ts'
import { echoWebSocket } from './websocket.ts'

/** A request as it reached the upstream. */
export interface Seen {
  method: string
  /** The request target as it came, not parsed. */
  target: string
  /** Names and values in turn, as they came. */
  rawHeaders: string[]
  /** One string for a header that came once, by its name in lower case. */
  headers: IncomingMessage['headers']
  /** Whole once the usual answer has been given; answers of a test's own read the request themselves. */
  body: Buffer
}

export type Answering = (request: IncomingMessage, response: ServerResponse) => void | Promise<void>

export interface Upstream {
  origin: string
  seen: Seen[]
  /** What was seen since the last call. */
  take(): Seen[]
  /** The one request that was seen since; throws when it was not exactly one. */
  takeOnly(): Seen
  /** Answers the requests from now on; null: as usual. */
  answering: Answering | null
  /** Answers handshakes of WebSockets with 403. */
  refusesUpgrades: boolean
  stop(): Promise<void>
}

/** Its usual answer: 200 with this text. */
export const UPSTREAM_TEXT = 'the upstream answers'

export async function startUpstream(): Promise<Upstream> {
  const server = createServer((request, response) => {
    const seen = record(upstream, request)
    const { answering } = upstream
    Promise.resolve(answering ? answering(request, response) : answerAsUsual(request, response, seen)).catch(
      () => response.destroy(),
    )
  })
  server.on('upgrade', (request, socket) => {
    record(upstream, request)
    if (upstream.refusesUpgrades) socket.end('HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\n\r\nno')
    else echoWebSocket(request, socket)
  })
  const upstream: Upstream = {
    origin: `http://127.0.0.1:${await listen(server)}`,
    seen: [],
    take: () => upstream.seen.splice(0),
    takeOnly: () => {
      const [only, ...others] = upstream.take()
      if (!only || others.length > 0) {
        throw new Error(`the upstream saw ${only ? others.length + 1 : 'no'} requests`)
      }
      return only
    },
    answering: null,
    refusesUpgrades: false,
    stop: () => stopListening(server),
  }
  return upstream
}

function record(upstream: Upstream, request: IncomingMessage): Seen {
  const { method = '', url: target = '', rawHeaders, headers } = request
  const seen: Seen = { method, target, rawHeaders, headers, body: Buffer.alloc(0) }
  upstream.seen.push(seen)
  return seen
}

async function answerAsUsual(request: IncomingMessage, response: ServerResponse, seen: Seen): Promise<void> {
  const chunks: Buffer[] = []
  for await (const chunk of request as AsyncIterable<Buffer>) chunks.push(chunk)
  seen.body = Buffer.concat(chunks)
  response.writeHead(200, { 'content-type': 'text/plain' })
  response.end(UPSTREAM_TEXT)
}
