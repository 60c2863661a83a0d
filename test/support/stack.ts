// A running Postern: a policy built into the tests' bundle, started in workerd with storage of its own, and
// ways to send it requests, over HTTP with any Host header or as raw bytes.
import { randomBytes } from 'node:crypto'
import { mkdtempSync, rmSync } from 'node:fs'
import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { Agent, type ClientRequest, type IncomingHttpHeaders, type IncomingMessage, request } from 'node:http'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { inject } from 'vitest'
import { fillTemplate } from '../../tools/build.ts'
import { type LocalWorker, type LocalWorkerOptions, startLocalWorker } from '../../tools/local.ts'
import type { IsolateCounts, IsolateFaults } from './isolate-faults.ts'
import { moveTime, secondsAhead } from './time.ts'

export const GATEWAY_HOST = 'gateway.test'
export const GATEWAY_ORIGIN = `https://${GATEWAY_HOST}`

export interface StackOptions {
  /** YAML, or JSON which is YAML. */
  policy: string
  isolates?: number
  /** Of the first isolate, for a browser that is told where it is; a free one unless set. */
  port?: number
  /** Other Workers that it is bound to, by the name of the binding. */
  services?: LocalWorkerOptions['services']
  /** Over the usual variables; null leaves one out. */
  variables?: Record<string, string | null>
}

export interface Asked {
  host: string
  path: string
  method?: string
  /** Sent as a bearer token. */
  token?: string
  headers?: Record<string, string | string[]>
  body?: string | Buffer
  isolate?: number
}

export interface Answer {
  status: number
  headers: IncomingHttpHeaders
  rawHeaders: string[]
  body: Buffer
  text: string
}

export interface Stack {
  send(asked: Asked): Promise<Answer>
  /** For a test that writes or reads the body itself. The caller ends the request. */
  open(asked: Asked): ClientRequest
  /** Writes the bytes to a socket and returns all that comes back until it is closed. */
  raw(bytes: string | Buffer, isolate?: number): Promise<string>
  /** Moves the clocks of the tests and of every isolate. */
  advance(seconds: number): Promise<void>
  /** Ends it and starts it again with what it had stored, on other ports. */
  restart(changes?: Partial<StackOptions>): Promise<void>
  port(isolate?: number): number
  /** What the Worker and its runtime have logged. */
  logs: string[]
  /** Faults at the bindings of one isolate from here on; how often its bindings were asked since the last time. */
  faults(faults: IsolateFaults, isolate?: number): Promise<IsolateCounts>
  /** The same, leaving its faults as they are. */
  counts(isolate?: number): Promise<IsolateCounts>
  /** Publishes what D1 has. */
  publish(): Promise<{ state: string; seq: number; lastError: string | null }>
  /** The KV namespace, as the Worker has it. */
  kv(): ReturnType<LocalWorker['miniflare']['getKVNamespace']>
  /** The D1 database, as the Worker has it. */
  database(): ReturnType<LocalWorker['miniflare']['getD1Database']>
  close(): Promise<void>
}

export async function startStack(options: StackOptions): Promise<Stack> {
  const folder = mkdtempSync(join(tmpdir(), 'postern-stack-'))
  const secret = randomBytes(32).toString('base64url')
  const logs: string[] = []
  let current = options
  let running = await run(current, folder, secret, logs)
  const stack: Stack = {
    logs,
    send: (asked) => send(running, asked),
    open: (asked) => open(running, asked),
    raw: (bytes, isolate = 0) => exchange(running.ports[isolate] as number, bytes),
    advance: async (seconds) => {
      moveTime(seconds)
      await setClocks(running.ports)
    },
    restart: async (changes = {}) => {
      await end(running)
      current = { ...current, ...changes }
      running = await run(current, folder, secret, logs)
    },
    port: (isolate = 0) => running.ports[isolate] as number,
    faults: (faults, isolate = 0) => askTestEntry(running, isolate, 'isolate-faults', JSON.stringify(faults)),
    counts: (isolate = 0) => askTestEntry(running, isolate, 'isolate-faults'),
    publish: () => askTestEntry(running, 0, 'publish'),
    kv: () => running.local.miniflare.getKVNamespace('KV', 'postern'),
    database: () => running.local.miniflare.getD1Database('DB', 'postern'),
    close: async () => {
      await end(running)
      rmSync(folder, { recursive: true })
    },
  }
  return stack
}

interface Running {
  local: LocalWorker
  ports: number[]
  agent: Agent
}

async function run(options: StackOptions, folder: string, secret: string, logs: string[]): Promise<Running> {
  const { policy, isolates = 1, port: first = 0, variables = {} } = options
  const file = join(folder, 'bundle/worker.js')
  const template = await readFile(inject('bundle'), 'utf8')
  await mkdir(dirname(file), { recursive: true })
  await writeFile(file, fillTemplate(template, { text: policy, file: 'test.yaml' }))
  const all: Record<string, string | null> = {
    GATEWAY_ORIGINS: GATEWAY_ORIGIN,
    POSTERN_SECRET: secret,
    DANGEROUSLY_ALLOW_LOOPBACK: 'true',
    ...variables,
  }
  const local = await startLocalWorker({
    file,
    ports: Array.from({ length: isolates }, (_, index) => (index === 0 ? first : 0)),
    variables: Object.fromEntries(Object.entries(all).filter(([, value]) => value !== null)) as Record<
      string,
      string
    >,
    persistTo: join(folder, 'state'),
    ...(options.services ? { services: options.services } : {}),
    onLog: (message) => logs.push(message),
  })
  const ports = local.origins.map((origin) => Number(new URL(origin).port))
  await setClocks(ports)
  return { local, ports, agent: new Agent({ keepAlive: true }) }
}

async function end({ local, agent }: Running): Promise<void> {
  agent.destroy()
  await local.close()
}

async function setClocks(ports: readonly number[]): Promise<void> {
  await Promise.all(
    ports.map(async (port) => {
      const { status } = await fetch(`http://127.0.0.1:${port}/.test/clock?ahead=${secondsAhead()}`)
      if (status !== 200) throw new Error(`the clock answered ${status}`)
    }),
  )
}

async function askTestEntry<Result>(
  { ports }: Running,
  isolate: number,
  path: string,
  body?: string,
): Promise<Result> {
  const init = { method: 'POST', ...(body === undefined ? {} : { body }) }
  const answer = await fetch(`http://127.0.0.1:${ports[isolate]}/.test/${path}`, init)
  if (answer.status !== 200)
    throw new Error(`/.test/${path} answered ${answer.status}: ${await answer.text()}`)
  return (await answer.json()) as Result
}

function open({ ports, agent }: Running, asked: Asked): ClientRequest {
  const { host, path, method = 'GET', token, headers = {}, body, isolate = 0 } = asked
  const port = ports[isolate] as number
  const authorization = token === undefined ? {} : { authorization: `Bearer ${token}` }
  // Node gives some methods no length of their own.
  const length = body === undefined ? {} : { 'content-length': Buffer.byteLength(body) }
  const all = { host, ...authorization, ...length, ...headers }
  return request({ host: '127.0.0.1', port, method, path, agent, headers: all })
}

async function send(running: Running, asked: Asked): Promise<Answer> {
  const asking = open(running, asked)
  const response = new Promise<IncomingMessage>((resolve, reject) => {
    asking.on('response', resolve)
    asking.on('error', reject)
  })
  asking.end(asked.body)
  return readAnswer(await response)
}

export async function readAnswer(response: IncomingMessage): Promise<Answer> {
  const chunks: Buffer[] = []
  for await (const chunk of response as AsyncIterable<Buffer>) chunks.push(chunk)
  const body = Buffer.concat(chunks)
  const { statusCode: status = 0, headers, rawHeaders } = response
  return { status, headers, rawHeaders, body, text: body.toString() }
}

/** How long a raw exchange waits for the other side to close. */
const RAW_TIMEOUT_MS = 5000

function exchange(port: number, bytes: string | Buffer): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect(port, '127.0.0.1', () => socket.write(bytes))
    let received = ''
    socket.setTimeout(RAW_TIMEOUT_MS, () => socket.destroy(new Error('the connection stays open')))
    socket.on('data', (chunk) => {
      received += chunk.toString('latin1')
    })
    socket.on('error', reject)
    socket.on('close', () => resolve(received))
  })
}
