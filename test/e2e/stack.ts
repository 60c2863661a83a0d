// Starts what `npm start` starts, as a real child process with free ports and its own state folder, runs
// commands against it as a shell would, and stops it as Ctrl-C does. What is expected is the tests' business.
import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { createServer, type Server } from 'node:net'
import { join } from 'node:path'
import { promisify } from 'node:util'

export const ROOT = join(import.meta.dirname, '../..')
const START_MS_MAX = 60_000

export interface StackPorts {
  PORT: string
  IDP_PORT: string
  UPSTREAM_PORT: string
}

export interface Stack {
  /** The process group, which is what a terminal's Ctrl-C reaches. */
  group: number
  /** Everything printed so far, both streams. */
  output(): string
  /** Resolves with the exit code. */
  interrupt(): Promise<number | null>
}

export interface Outcome {
  code: number
  stdout: string
  stderr: string
}

export async function freePorts(): Promise<StackPorts> {
  const servers: Server[] = []
  const free = async () => {
    const server = createServer().listen(0, '127.0.0.1')
    servers.push(server)
    await once(server, 'listening')
    const address = server.address()
    return String(address !== null && typeof address === 'object' ? address.port : 0)
  }
  const ports = { PORT: await free(), IDP_PORT: await free(), UPSTREAM_PORT: await free() }
  for (const server of servers) server.close()
  return ports
}

/** Waits until the last lines are there or the program ends; `code` is null while it runs. */
export async function startStack(environment: StackPorts & { POSTERN_STATE: string }) {
  const child = spawn('node', ['tools/run.mjs', 'demo/start.ts'], {
    cwd: ROOT,
    env: { ...process.env, ...environment },
    detached: true,
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  let output = ''
  const ended = exitOf(child)
  const ready = new Promise<void>((resolve) => {
    const read = (chunk: string) => {
      output += chunk
      if (/^Try, in another terminal:\n\n(.+\n)+\n/m.test(output)) resolve()
    }
    child.stdout.setEncoding('utf8').on('data', read)
    child.stderr.setEncoding('utf8').on('data', read)
  })
  const group = child.pid ?? 0
  const slow = setTimeout(() => process.kill(-group, 'SIGKILL'), START_MS_MAX)
  const code = await Promise.race([ready.then(() => null), ended])
  clearTimeout(slow)
  const stack: Stack = {
    group,
    output: () => output,
    interrupt: () => {
      process.kill(-group, 'SIGINT')
      return ended
    },
  }
  return { code, stack }
}

function exitOf(child: ChildProcess): Promise<number | null> {
  return new Promise((resolve) => child.once('close', (code) => resolve(code ?? -1)))
}

/** What still runs of a process group; what has ended and waits to be collected does not count. */
export async function processesOf(group: number): Promise<string[]> {
  const { stdout } = await promisify(execFile)('ps', ['-A', '-o', 'pgid=,stat=,args='])
  return stdout
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line.startsWith(`${group} `) && !/^\d+\s+Z/.test(line))
}

export function isFree(port: string): Promise<boolean> {
  return new Promise((resolve) => {
    const probe = createServer().once('error', () => resolve(false))
    probe.listen(Number(port), '127.0.0.1', () => probe.close(() => resolve(true)))
  })
}

/** Runs a command line as someone would type it. */
export function shell(command: string, environment: Record<string, string>): Promise<Outcome> {
  return new Promise((resolve) => {
    const options = { cwd: ROOT, env: { ...process.env, ...environment }, encoding: 'utf8' as const }
    execFile('sh', ['-c', command], options, (error, stdout, stderr) => {
      resolve({ code: typeof error?.code === 'number' ? error.code : error ? -1 : 0, stdout, stderr })
    })
  })
}

export interface Answer {
  status: number
  headers: Headers
  body: string
}

/** Reads what `curl -i` printed. */
export function parseAnswer(printed: string): Answer {
  const [head = '', ...rest] = printed.split('\r\n\r\n')
  const [statusLine = '', ...lines] = head.split('\r\n')
  const headers = new Headers(lines.map((line): [string, string] => splitHeader(line)))
  return { status: Number(statusLine.split(' ')[1]), headers, body: rest.join('\r\n\r\n') }
}

function splitHeader(line: string): [string, string] {
  const colon = line.indexOf(':')
  return [line.slice(0, colon), line.slice(colon + 1).trim()]
}
