// The load generator and the upstream it stands behind: raw keep-alive sockets, one request outstanding on
// each, written so that they cost far less than what they measure. Rounds and ratios are measure.ts's.
import { type AddressInfo, connect, createServer, type Socket } from 'node:net'

export interface Load {
  port: number
  requests: number
  connections: number
  /** The whole request; called once for each, in order. */
  next: () => Buffer
  /** Any other status in any answer ends the bench. */
  status: number
}

export interface LoadResult {
  perSecond: number
  p50Milliseconds: number
  p99Milliseconds: number
}

/** Connections are opened first; the clock runs from the first request to the last answer. */
export async function runLoad(load: Load): Promise<LoadResult> {
  const sockets = await Promise.all(Array.from({ length: load.connections }, () => openSocket(load.port)))
  const latencies = new Float64Array(load.requests)
  let sent = 0
  let answered = 0
  const begin = performance.now()
  const client = (socket: Socket) =>
    new Promise<void>((resolve, reject) => {
      let sentAt = 0
      const send = () => {
        if (sent === load.requests) return resolve()
        sent++
        sentAt = performance.now()
        socket.write(load.next())
      }
      readAnswers(socket, (status, answer) => {
        latencies[answered++] = performance.now() - sentAt
        if (status === load.status) send()
        else reject(new Error(`Expected status ${load.status}, got:\n${answer.slice(0, 2000)}`))
      })
      socket.once('error', reject)
      socket.once('close', () => reject(new Error('The connection was closed before the answer came.')))
      send()
    })
  try {
    await Promise.all(sockets.map(client))
  } finally {
    for (const socket of sockets) socket.destroy()
  }
  const seconds = (performance.now() - begin) / 1000
  latencies.sort()
  const at = (share: number) => latencies[Math.floor(load.requests * share)]!
  return { perSecond: load.requests / seconds, p50Milliseconds: at(0.5), p99Milliseconds: at(0.99) }
}

/** One request on a connection of its own; the time does not count connecting. */
export async function exchange(
  port: number,
  request: Buffer,
): Promise<{ status: number; answer: string; milliseconds: number }> {
  const socket = await openSocket(port)
  const begin = performance.now()
  try {
    return await new Promise((resolve, reject) => {
      readAnswers(socket, (status, answer) =>
        resolve({ status, answer, milliseconds: performance.now() - begin }),
      )
      socket.once('error', reject)
      socket.once('close', () => reject(new Error('The connection was closed before the answer came.')))
      socket.write(request)
    })
  } finally {
    socket.destroy()
  }
}

export function openSocket(port: number): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = connect({ port, host: '127.0.0.1', noDelay: true })
    socket.once('error', reject)
    socket.once('connect', () => {
      socket.off('error', reject)
      resolve(socket)
    })
  })
}

/** Calls back for each whole answer. Knows Content-Length and chunks, which is what workerd sends. */
export function readAnswers(socket: Socket, onAnswer: (status: number, answer: string) => void): void {
  let pending = ''
  socket.on('data', (bytes: Buffer) => {
    pending = pending === '' ? bytes.toString('latin1') : pending + bytes.toString('latin1')
    const headEnd = pending.indexOf('\r\n\r\n')
    if (headEnd === -1 || !isWhole(pending, headEnd)) return
    const answer = pending
    pending = ''
    onAnswer(Number(answer.slice(9, 12)), answer)
  })
}

const CONTENT_LENGTH = /\r\ncontent-length: *(\d+)/i

function isWhole(answer: string, headEnd: number): boolean {
  const length = CONTENT_LENGTH.exec(answer)
  if (length && length.index < headEnd) return answer.length >= headEnd + 4 + Number(length[1])
  return answer.endsWith('0\r\n\r\n')
}

export function getRequest(path: string, headers: Record<string, string>): Buffer {
  const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`)
  return Buffer.from(`GET ${path} HTTP/1.1\r\n${lines.join('')}\r\n`, 'latin1')
}

const UPSTREAM_BODY = '{"hello":"from the upstream"}'
const UPSTREAM_ANSWER = Buffer.from(
  `HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: ${UPSTREAM_BODY.length}\r\n\r\n${UPSTREAM_BODY}`,
)

export interface Upstream {
  origin: string
  close(): void
}

/** Answers each request, which may have no body, with a small document, reading no more than where it ends. */
export function startUpstream(): Promise<Upstream> {
  const server = createServer({ noDelay: true }, (socket) => {
    let pending = Buffer.alloc(0)
    socket.on('error', () => socket.destroy())
    socket.on('data', (bytes: Buffer) => {
      pending = pending.length > 0 ? Buffer.concat([pending, bytes]) : (bytes as Buffer<ArrayBuffer>)
      if (pending.indexOf('\r\n\r\n') === -1) return
      pending = Buffer.alloc(0)
      socket.write(UPSTREAM_ANSWER)
    })
  })
  server.unref()
  return new Promise((resolve) => {
    server.listen(0, '127.0.0.1', () => {
      const { port } = server.address() as AddressInfo
      resolve({ origin: `http://127.0.0.1:${port}`, close: () => server.close() })
    })
  })
}
