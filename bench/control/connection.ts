// One keep-alive connection with one request outstanding: what a request costs, and what its answer says. As
// lean as load.ts, whose answers nobody reads.
import type { Socket } from 'node:net'
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

const ANSWER_TIMEOUT_MS = 60_000

/** Opened with the first request, and again when the other side has closed it meanwhile. */
export function connectTo(port: number): Connection {
  let open: Channel | null = null
  return {
    async ask(asked) {
      if (open === null || open.socket.destroyed) open = channelOn(await openSocket(port))
      return open.ask(asked)
    },
    close: () => open?.socket.destroy(),
  }
}

interface Channel {
  socket: Socket
  ask(asked: Asked): Promise<Answered>
}

function channelOn(socket: Socket): Channel {
  let waiting: {
    resolve: (answered: Answered) => void
    reject: (error: Error) => void
    since: number
  } | null = null
  let asking = ''
  const fail = (error: Error) => {
    waiting?.reject(error)
    waiting = null
    socket.destroy()
  }
  socket.on('error', fail)
  socket.on('close', () => fail(new Error(`${asking}: the connection was closed before the answer came.`)))
  socket.setTimeout(ANSWER_TIMEOUT_MS, () => {
    fail(new Error(`${asking} was not answered within ${ANSWER_TIMEOUT_MS / 1000} s.`))
  })
  readAnswers(socket, (status, answer) => {
    const { resolve, since } = waiting!
    const milliseconds = performance.now() - since
    waiting = null
    const etag = /\r\netag: *(?:W\/)?"([^"]*)"/i.exec(answer)?.[1] ?? null
    resolve({ status, etag, body: bodyOf(answer), milliseconds })
  })
  return {
    socket,
    ask(asked) {
      const bytes = bytesOf(asked)
      asking = `${asked.method ?? 'GET'} ${asked.path}`
      return new Promise((resolve, reject) => {
        waiting = { resolve, reject, since: performance.now() }
        socket.write(bytes)
      })
    },
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
