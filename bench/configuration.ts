// Writes workerd's own configuration: Workers on sockets, KV namespaces in memory, Durable Objects with SQLite in the
// folder, and a network that leads to this machine. The runtime settings are those of wrangler.toml.
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { ROOT } from '../tools/build.ts'

export interface BenchWorker {
  name: string
  /** The Worker's one module, already bundled. */
  code: string
  variables?: Record<string, string>
  /** KV bindings; each is an empty namespace in memory. */
  kv?: string[]
  /** Durable Object bindings: binding name to class name, both this Worker's own. */
  objects?: Record<string, string>
}

/** @returns the path of the configuration, which lies in `folder` with all it names. */
export function writeConfiguration(
  folder: string,
  workers: BenchWorker[],
  ports: Record<string, number>,
): string {
  for (const { name, code } of workers) writeFileSync(join(folder, `${name}.js`), code)
  writeFileSync(join(folder, 'kv.js'), KV_WORKER)
  const file = join(folder, 'workerd.capnp')
  const objects = join(folder, 'objects')
  mkdirSync(objects)
  writeFileSync(file, configuration(workers, ports, objects))
  return file
}

function configuration(workers: BenchWorker[], ports: Record<string, number>, objects: string): string {
  const namespaces = workers.flatMap(({ name, kv = [] }) => kv.map((binding) => kvService(name, binding)))
  const services = [
    '(name = "outbound", network = (allow = ["public", "private", "local"]))',
    `(name = "objects", disk = (path = ${text(objects)}, writable = true))`,
    ...namespaces.map((name) => `(name = ${text(name)}, worker = (${workerBase('kv.js')}))`),
    ...workers.map((worker) => `(name = ${text(worker.name)}, worker = (${workerConfiguration(worker)}))`),
  ]
  const sockets = workers.map(
    ({ name }) =>
      `(name = ${text(name)}, address = "127.0.0.1:${ports[name]}", http = (), service = ${text(name)})`,
  )
  return [
    'using Workerd = import "/workerd/workerd.capnp";',
    'const config :Workerd.Config = (',
    `  services = [\n    ${services.join(',\n    ')}\n  ],`,
    `  sockets = [\n    ${sockets.join(',\n    ')}\n  ]`,
    ');',
  ].join('\n')
}

function workerConfiguration({ name, variables = {}, kv = [], objects = {} }: BenchWorker): string {
  const bindings = [
    ...Object.entries(variables).map(([key, value]) => `(name = ${text(key)}, text = ${text(value)})`),
    ...kv.map((binding) => `(name = ${text(binding)}, kvNamespace = ${text(kvService(name, binding))})`),
    ...Object.entries(objects).map(
      ([binding, className]) => `(name = ${text(binding)}, durableObjectNamespace = ${text(className)})`,
    ),
  ]
  const classes = Object.values(objects).map((className) => {
    return `(className = ${text(className)}, uniqueKey = ${text(`${name}-${className}`)}, enableSql = true)`
  })
  return [
    workerBase(`${name}.js`),
    'globalOutbound = "outbound"',
    `bindings = [${bindings.join(', ')}]`,
    `durableObjectNamespaces = [${classes.join(', ')}]`,
    'durableObjectStorage = (localDisk = "objects")',
  ].join(', ')
}

function workerBase(file: string): string {
  const { date, flags } = compatibility()
  const module = `(name = ${text(file)}, esModule = embed ${text(file)})`
  const names = flags.map(text).join(', ')
  return `modules = [${module}], compatibilityDate = ${text(date)}, compatibilityFlags = [${names}]`
}

function compatibility(): { date: string; flags: string[] } {
  const wrangler = readFileSync(join(ROOT, 'wrangler.toml'), 'utf8')
  const date = /^compatibility_date = "(.+)"$/m.exec(wrangler)?.[1]
  const flags = /^compatibility_flags = (\[.*\])$/m.exec(wrangler)?.[1]
  if (!date || !flags) throw new Error('wrangler.toml has no compatibility_date or compatibility_flags.')
  return { date, flags: JSON.parse(flags) as string[] }
}

function kvService(worker: string, binding: string): string {
  return `${worker}-${binding}`
}

/** A string of the configuration language, which knows JSON's escapes but \u. */
function text(value: string): string {
  if (!/^[\x20-\x7e\n]*$/.test(value)) throw new Error(`Not plain ASCII: ${JSON.stringify(value)}`)
  return JSON.stringify(value)
}

/** What workerd asks of a KV namespace: GET, PUT and DELETE of /key, the key percent-encoded. */
const KV_WORKER = `
const entries = new Map()

export default {
  async fetch(request) {
    const url = new URL(request.url)
    const key = decodeURIComponent(url.pathname.slice(1))
    if (request.method === 'PUT') {
      const seconds = Number(url.searchParams.get('expiration_ttl') ?? Infinity)
      const metadata = request.headers.get('cf-kv-metadata')
      entries.set(key, { value: await request.arrayBuffer(), metadata, expires: Date.now() + seconds * 1000 })
      return new Response()
    }
    if (request.method === 'DELETE') {
      entries.delete(key)
      return new Response()
    }
    const entry = entries.get(key)
    if (!entry || entry.expires <= Date.now()) return new Response(null, { status: 404 })
    return new Response(entry.value, { headers: entry.metadata ? { 'cf-kv-metadata': entry.metadata } : {} })
  },
}
`
