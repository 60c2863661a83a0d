// Runs a built Worker on this machine: workerd with local KV, D1 and Durable Objects, with the bindings that
// wrangler.toml names. `npm start` and the worker tests both start it here.
import { dirname, join } from 'node:path'
import { convertV4MiniflareOptions, Log, LogLevel, Miniflare } from 'miniflare'
import { unstable_getMiniflareWorkerOptions } from 'wrangler'
import { ROOT } from './build.ts'
import { applyMigrations } from './migrations.ts'

export interface LocalWorkerOptions {
  /** The built Worker (tools/build.ts). */
  file: string
  /** One isolate for each port, all sharing the first one's objects and storage; 0 takes a free port. */
  ports: number[]
  /** Variables and secrets, over those in wrangler.toml. */
  variables: Record<string, string>
  /** The folder that keeps KV, D1 and objects; without it nothing outlives the process. */
  persistTo?: string
  /** Other Workers that it is bound to, by the name of the binding: what answers their requests. */
  services?: Record<string, (request: Request) => Response | Promise<Response>>
  onUncaughtError?: (error: Error) => void
  /** Takes what the Worker and its runtime log; without it, that goes to the terminal. */
  onLog?: (message: string) => void
}

export interface LocalWorker {
  /** `http://127.0.0.1:PORT` of each isolate. */
  origins: string[]
  miniflare: Miniflare
  close(): Promise<void>
}

/** Sockets lead straight to the Worker, with no development proxy that would rewrite the request's path. */
export async function startLocalWorker(options: LocalWorkerOptions): Promise<LocalWorker> {
  const { workerOptions } = unstable_getMiniflareWorkerOptions(join(ROOT, 'wrangler.toml'))
  const { modulesRules: _unused, durableObjects = {}, bindings, ...rest } = workerOptions
  const names = options.ports.map((_, index) => (index === 0 ? 'postern' : `postern-${index}`))
  const workers = options.ports.map((port, index) => ({
    ...rest,
    name: names[index],
    modules: true,
    modulesRoot: dirname(options.file),
    scriptPath: options.file,
    bindings: { ...(bindings as object), ...options.variables },
    durableObjects: index === 0 ? durableObjects : sharedObjects(durableObjects as object),
    ...(options.services ? { serviceBindings: options.services } : {}),
    unsafeDirectSockets: [{ host: '127.0.0.1', port }],
  }))
  const { onLog } = options
  const miniflare = new Miniflare({
    ...convertV4MiniflareOptions({
      host: '127.0.0.1',
      port: 0,
      cf: false,
      log: new Log(LogLevel.WARN),
      ...(options.persistTo ? { resourcePersistencePath: options.persistTo } : {}),
      ...(options.onUncaughtError ? { handleUncaughtError: options.onUncaughtError } : {}),
      ...(onLog ? { handleStructuredLogs: ({ message }: { message: string }) => onLog(message) } : {}),
      workers,
    } as never),
  })
  await miniflare.ready
  await applyMigrations((await miniflare.getD1Database('DB', 'postern')) as never)
  const origins = await Promise.all(
    names.map(async (name) => (await miniflare.unsafeGetDirectURL(name)).origin),
  )
  return { origins, miniflare, close: () => miniflare.dispose() }
}

/** The same classes, run by the first isolate. */
function sharedObjects(durableObjects: object) {
  const entries = Object.entries(durableObjects as Record<string, string | { className: string }>)
  return Object.fromEntries(
    entries.map(([name, object]) => {
      const designator = typeof object === 'string' ? { className: object } : object
      return [name, { ...designator, scriptName: 'postern' }]
    }),
  )
}
