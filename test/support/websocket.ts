// As much of RFC 6455 as the tests need, on both sides: the handshake, short text frames, and closing.
import { createHash, randomBytes } from 'node:crypto'
import { type IncomingMessage, request } from 'node:http'
import type { Duplex } from 'node:stream'

const GUID = '258EAFA5-E914-47DA-95CA-C5AB0DC85B11'
const TEXT = 0x81
const CLOSE = 0x88

function frame(opcode: number, payload: Buffer, masked: 'masked' | 'plain'): Buffer {
  if (payload.length > 125) throw new Error('only short frames are written')
  if (masked === 'plain') return Buffer.concat([Buffer.from([opcode, payload.length]), payload])
  const mask = randomBytes(4)
  return Buffer.concat([Buffer.from([opcode, 0x80 | payload.length]), mask, applyMask(payload, mask)])
}

function applyMask(payload: Buffer, mask: Buffer): Buffer {
  return Buffer.from(payload.map((byte, index) => byte ^ (mask[index % 4] as number)))
}

/** Calls `receive` with every frame that comes, payloads unmasked. */
function readFrames(socket: Duplex, receive: (opcode: number, payload: Buffer) => void): void {
  let buffered = Buffer.alloc(0)
  socket.on('data', (bytes: Buffer) => {
    buffered = Buffer.concat([buffered, bytes])
    for (;;) {
      const [opcode, lengths] = buffered
      if (opcode === undefined || lengths === undefined) return
      const maskLength = lengths & 0x80 ? 4 : 0
      const start = 2 + maskLength
      const end = start + (lengths & 0x7f)
      if (buffered.length < end) return
      const mask = buffered.subarray(2, start)
      const payload = buffered.subarray(start, end)
      receive(opcode, maskLength ? applyMask(payload, mask) : payload)
      buffered = buffered.subarray(end)
    }
  })
}

/** Answers the upgrade and sends every text back with "echo " before it. */
export function echoWebSocket(request: IncomingMessage, socket: Duplex): void {
  const accept = createHash('sha1').update(`${request.headers['sec-websocket-key']}${GUID}`).digest('base64')
  socket.write(
    `HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ${accept}\r\n\r\n`,
  )
  socket.on('error', () => socket.destroy())
  readFrames(socket, (opcode, payload) => {
    if (opcode === TEXT) socket.write(frame(TEXT, Buffer.concat([Buffer.from('echo '), payload]), 'plain'))
    else if (opcode === CLOSE) socket.end(frame(CLOSE, payload, 'plain'))
  })
}

export interface WebSocketClient {
  send(text: string): void
  /** The next text that comes, or null when the other side has closed. */
  next(): Promise<string | null>
  close(): void
}

/** Connects to a port with a host of choice. Throws with the answer's status when it is not 101. */
export async function connectWebSocket(options: {
  port: number
  path: string
  headers: Record<string, string>
}): Promise<WebSocketClient> {
  const { socket, head } = await upgrade(options)
  const waiting: ((text: string | null) => void)[] = []
  const arrived: (string | null)[] = []
  const arrive = (text: string | null) => {
    const next = waiting.shift()
    if (next) next(text)
    else arrived.push(text)
  }
  readFrames(socket, (opcode, payload) => arrive(opcode === TEXT ? payload.toString() : null))
  socket.on('close', () => arrive(null))
  socket.on('error', () => socket.destroy())
  socket.unshift(head)
  return {
    send: (text) => socket.write(frame(TEXT, Buffer.from(text), 'masked')),
    next: () =>
      new Promise((resolve) => {
        if (arrived.length > 0) resolve(arrived.shift() as string | null)
        else waiting.push(resolve)
      }),
    close: () => {
      socket.write(frame(CLOSE, Buffer.from([0x03, 0xe8]), 'masked'))
    },
  }
}

async function upgrade(options: { port: number; path: string; headers: Record<string, string> }) {
  const { port, path, headers } = options
  return new Promise<{ socket: Duplex; head: Buffer }>((resolve, reject) => {
    const asking = request({
      host: '127.0.0.1',
      port,
      path,
      headers: {
        ...headers,
        connection: 'Upgrade',
        upgrade: 'websocket',
        'sec-websocket-version': '13',
        'sec-websocket-key': randomBytes(16).toString('base64'),
      },
    })
    asking.on('upgrade', (_response, socket, head) => resolve({ socket, head }))
    asking.on('response', (response) => {
      response.resume()
      reject(new Error(`answered ${response.statusCode} instead of 101`))
    })
    asking.on('error', reject)
    asking.end()
  })
}
