// How the demo ends: on Ctrl-C, on a signal, when who started it is gone, or killed outright, nothing it
// started stays behind. What has to be closed is told by who opened it.
import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { subscribe } from 'node:diagnostics_channel'
import { promisify } from 'node:util'
import { DemoError } from './loopback.ts'

const CLOSE_MS_MAX = 3000
const SIGNAL_MS = 100
const STARTER_CHECK_MS = 500
const ANCESTORS_MAX = 4
const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const

export interface Lifetime {
  /** Closed at the end, last opened first. */
  onEnd(close: () => Promise<void>): void
  /** Makes the signals ours alone: libraries that spawn install handlers that exit at once. */
  takeSignals(): void
  /** Closes everything and exits; while that is already under way, it only waits for it. */
  end(exitCode: number): Promise<never>
  /** Says what went wrong and ends. */
  fail(error: Error): Promise<never>
}

export function beginLifetime(): Lifetime {
  const closers: (() => Promise<void>)[] = []
  let ending: Promise<never> | null = null
  const close = async (exitCode: number): Promise<never> => {
    setTimeout(() => process.exit(exitCode), CLOSE_MS_MAX)
    for (const close of closers.reverse()) await close().catch(() => {})
    process.exit(exitCode)
  }
  const end = (exitCode: number) => {
    ending ??= close(exitCode)
    return ending
  }
  const fail = async (error: Error) => {
    // Ctrl-C reaches our children as well, and what fails for that is no failure.
    await new Promise((resume) => setTimeout(resume, SIGNAL_MS))
    if (!ending) console.error(error instanceof DemoError ? error.message : error.stack)
    return end(1)
  }
  process.on('uncaughtException', fail)
  const onSignal = () => {
    // A second Ctrl-C does not wait for anything; `exit` handlers still end the children.
    if (ending) process.exit(130)
    end(0)
  }
  for (const signal of SIGNALS) process.on(signal, onSignal)
  // Ours stays in place throughout: a signal that is on its way is lost when the last listener goes.
  const takeSignals = () => {
    for (const signal of SIGNALS) {
      for (const listener of process.listeners(signal)) {
        if (listener !== onSignal) process.off(signal, listener)
      }
    }
  }
  watchStarter(() => end(0))
  return { onEnd: (close) => closers.push(close), takeSignals, end, fail }
}

/** Our parent, and npm above it, which when ended takes its shell along but not what the shell runs. */
async function watchStarter(onGone: () => void): Promise<void> {
  const parent = process.ppid
  const npm = process.env.npm_lifecycle_event ? await findAncestor(parent, /\bnpm\b/) : null
  const isGone = () => process.ppid !== parent || (npm !== null && !isAlive(npm))
  setInterval(() => isGone() && onGone(), STARTER_CHECK_MS).unref()
}

async function findAncestor(first: number, command: RegExp): Promise<number | null> {
  let pid = first
  for (let step = 0; step < ANCESTORS_MAX; step++) {
    const ps = ['-o', 'ppid=,args=', '-p', String(pid)]
    const line = await promisify(execFile)('ps', ps).catch(() => null)
    const [, parent, args] = line?.stdout.match(/^\s*(\d+)\s+(.*)/) ?? []
    if (parent === undefined || args === undefined) return null
    if (command.test(args)) return pid
    pid = Number(parent)
  }
  return null
}

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0)
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM'
  }
}

/**
 * Children of the named program do not outlive this process even when it is killed (SIGKILL): beside each
 * waits a small shell that reads from us, and what ends its reading is our end. Returns what waits until
 * those shells are gone, which each is soon after its child.
 */
export function bindChildren(program: string): () => Promise<void> {
  const gone: Promise<unknown>[] = []
  const close = async () => {
    await Promise.all(gone)
  }
  if (process.platform === 'win32') return close
  subscribe('child_process', (message) => {
    const child = (message as { process: ChildProcess }).process
    child.once('spawn', () => {
      if (!child.pid || !child.spawnfile.endsWith(program)) return
      const script = 'trap "" INT TERM HUP; read -r _ || kill -9 "$1" 2>/dev/null'
      const keeper = spawn('/bin/sh', ['-c', script, 'sh', String(child.pid)], {
        stdio: ['pipe', 'ignore', 'ignore'],
      })
      gone.push(new Promise((resolve) => keeper.once('exit', resolve).once('error', resolve)))
      keeper.unref()
      keeper.stdin.on('error', () => {})
      child.once('exit', () => keeper.stdin.end('done\n'))
    })
  })
  return close
}
