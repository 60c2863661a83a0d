// One keep-alive connection with one request outstanding: what a request costs, and what its answer says. As
// lean as load.ts, whose answers nobody reads.
import { openSocket, readAnswers } from '../load.ts'

export interface Asked {
  method?: 'GET' | 'PATCH' | 'POST' | 'PUT' | 'DELETE'
  host: string
  path: string
  headers?: Record<string, string>
  body?: unknown
}

export interface Answered {
  status: number
  /** Without quotes; null where the answer has none. */
  etag: string | null
  body: string
  /** From the first byte sent to the last one received. */
  milliseconds: number
}

export interface Connection {
  ask(asked: Asked): Promise<Answered>
  close(): void
}

export async function connectTo(port: number): Promise<Connection> {
  const socket = await openSocket(port)
  let waiting: {
    resolve: (answered: Answered) => void
    reject: (error: Error) => void
    since: number
  } | null = null
  const fail = (error: Error) => {
    waiting?.reject(error)
    waiting = null
  }
  socket.on('error', fail)
  socket.on('close', () => fail(new Error('The connection was closed before the answer came.')))
  readAnswers(socket, (status, answer) => {
    const milliseconds = performance.now() - waiting!.since
    const { resolve } = waiting!
    waiting = null
    resolve({
      status,
      etag: /\r\netag: *(?:W\/)?"([^"]*)"/i.exec(answer)?.[1] ?? null,
      body: bodyOf(answer),
      milliseconds,
    })
  })
  return {
    ask(asked) {
      const bytes = bytesOf(asked)
      return new Promise((resolve, reject) => {
        waiting = { resolve, reject, since: performance.now() }
        socket.write(bytes)
      })
    },
    close: () => socket.destroy(),
  }
}

function bytesOf({ method = 'GET', host, path, headers = {}, body }: Asked): Buffer {
  const payload = body === undefined ? '' : JSON.stringify(body)
  const all: Record<string, string> = {
    Host: host,
    Accept: 'application/json',
    ...headers,
    ...(body === undefined
      ? {}
      : { 'Content-Type': 'application/json', 'Content-Length': String(Buffer.byteLength(payload)) }),
  }
  const lines = Object.entries(all).map(([name, value]) => `${name}: ${value}\r\n`)
  return Buffer.from(`${method} ${path} HTTP/1.1\r\n${lines.join('')}\r\n${payload}`)
}

/** load.ts reads answers as Latin-1. */
function bodyOf(answer: string): string {
  const headEnd = answer.indexOf('\r\n\r\n')
  const chunked = /\r\ntransfer-encoding: *chunked/i.test(answer.slice(0, headEnd))
  const body = answer.slice(headEnd + 4)
  return Buffer.from(chunked ? withoutChunks(body) : body, 'latin1').toString()
}

function withoutChunks(body: string): string {
  let text = ''
  for (let at = 0; at < body.length; ) {
    const lineEnd = body.indexOf('\r\n', at)
    const length = Number.parseInt(body.slice(at, lineEnd), 16)
    text += body.slice(lineEnd + 2, lineEnd + 2 + length)
    at = lineEnd + 2 + length + 2
  }
  return text
}
