// Runs Workers on the workerd binary itself: no development proxy and no miniflare between a request and the
// Worker. Keeps the processes on their core, and ends them. The configuration's text is configuration.ts's.
import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { mkdtempSync, readdirSync, readFileSync, readlinkSync, rmSync } from 'node:fs'
import { createRequire } from 'node:module'
import { type AddressInfo, createServer } from 'node:net'
import { availableParallelism, tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { setTimeout as sleep } from 'node:timers/promises'
import { type BenchWorker, writeConfiguration } from './configuration.ts'
import { exchange, getRequest } from './load.ts'

const READY_TIMEOUT_MS = 20_000

/** With two cores, the Workers have the first, the load generator and the upstream the second. */
const PINNED =
  process.platform === 'linux' &&
  availableParallelism() >= 2 &&
  spawnSync('taskset', ['-V'], { stdio: 'ignore' }).status === 0
const WORKERD_CORE = '0'
const LOAD_CORE = '1'

export const CORES = PINNED
  ? 'workerd on one core, load generator and upstream on another'
  : 'workerd, load generator and upstream share the cores'

const workerdBinary: string = createRequire(import.meta.url)('workerd').default

export interface Workerd {
  /** The port of each Worker, by name. */
  ports: Record<string, number>
  /** From starting the process to the first answer. */
  readyMilliseconds: number
  /** Processor time of all its threads so far, in nanoseconds; 0 where the system does not tell. */
  cpuTime(): number
  close(): Promise<void>
}

/** The request that shows that all is up; any answer counts. Without it: GET / of the last Worker. */
export interface Probe {
  worker: string
  request: Buffer
}

export async function startWorkerd(workers: BenchWorker[], probe?: Probe): Promise<Workerd> {
  const ports: Record<string, number> = {}
  for (const { name } of workers) ports[name] = await freePort()
  const folder = mkdtempSync(join(tmpdir(), 'postern-bench-'))
  const file = writeConfiguration(folder, workers, ports)
  const begin = performance.now()
  const child = spawnWorkerd(file)
  running.set(child, folder)
  const close = () => end(child, folder)
  const { worker, request } = probe ?? {
    worker: workers.at(-1)!.name,
    request: getRequest('/', { Host: 'probe.localhost' }),
  }
  try {
    await untilAnswers(child, ports[worker]!, request)
  } catch (error) {
    await close()
    throw error
  }
  const readyMilliseconds = performance.now() - begin
  return { ports, readyMilliseconds, cpuTime: () => cpuTimeOf(child.pid!), close }
}

/** Moves this process, and what it starts but workerd, off the Workers' core. */
export function pinLoadGenerator(): void {
  if (PINNED) spawnSync('taskset', ['-a', '-p', '-c', LOAD_CORE, String(process.pid)], { stdio: 'ignore' })
}

/** Starts something whose child processes belong on the Workers' core. */
export async function onWorkersCore<Started>(start: () => Promise<Started>): Promise<Started> {
  const move = (core: string) => {
    // A child inherits the core of this process's main thread.
    if (PINNED) spawnSync('taskset', ['-p', '-c', core, String(process.pid)], { stdio: 'ignore' })
  }
  move(WORKERD_CORE)
  try {
    return await start()
  } finally {
    move(LOAD_CORE)
  }
}

/** Every process that runs, and the folder of its configuration: nothing of them outlives this program. */
const running = new Map<ChildProcess, string>()
process.once('exit', () => {
  for (const [child, folder] of running) {
    child.kill('SIGKILL')
    rmSync(folder, { recursive: true, force: true })
  }
})
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.once(signal, () => process.exit(1))

function spawnWorkerd(configurationFile: string): ChildProcess {
  const command = [workerdBinary, 'serve', configurationFile, '--experimental']
  const [program, ...rest] = PINNED ? ['taskset', '-c', WORKERD_CORE, ...command] : command
  const child = spawn(program!, rest, { stdio: ['ignore', 'ignore', 'pipe'] })
  createInterface({ input: child.stderr! }).on('line', (line) => {
    if (!line.includes('does not need to be specified')) console.error(line)
  })
  return child
}

async function end(child: ChildProcess, folder: string): Promise<void> {
  const alive = child.exitCode === null && child.signalCode === null
  const ended = new Promise((resolve) => child.once('exit', resolve))
  child.kill('SIGKILL')
  if (alive) await ended
  running.delete(child)
  rmSync(folder, { recursive: true, force: true })
}

async function untilAnswers(child: ChildProcess, port: number, request: Buffer): Promise<void> {
  const deadline = performance.now() + READY_TIMEOUT_MS
  while (performance.now() < deadline) {
    if (child.exitCode !== null) throw new Error(`workerd ended with code ${child.exitCode} at its start.`)
    const answered = await exchange(port, request).catch(() => null)
    if (answered) return
    await sleep(1)
  }
  throw new Error(`workerd did not answer on port ${port} within ${READY_TIMEOUT_MS} ms.`)
}

function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer()
    server.once('error', reject)
    server.listen(0, '127.0.0.1', () => {
      const { port } = server.address() as AddressInfo
      server.close(() => resolve(port))
    })
  })
}

/** The process of workerd that somebody else (miniflare) has started from this one; null where the system does not tell. */
export function startedWorkerd(): number | null {
  try {
    const threads = readdirSync(`/proc/${process.pid}/task`)
    const children = threads.flatMap((id) => {
      return readFileSync(`/proc/${process.pid}/task/${id}/children`, 'utf8').trim().split(' ').map(Number)
    })
    return children.find((pid) => pid > 0 && readlinkSync(`/proc/${pid}/exe`) === workerdBinary) ?? null
  } catch {
    return null
  }
}

/** Processor time of all its threads so far, in nanoseconds; 0 where the system does not tell. */
export function cpuTimeOf(pid: number): number {
  try {
    const threads = readdirSync(`/proc/${pid}/task`)
    const times = threads.map((id) => readFileSync(`/proc/${pid}/task/${id}/schedstat`, 'utf8').split(' ')[0])
    return times.reduce((sum, time) => sum + Number(time), 0)
  } catch {
    return 0
  }
}
