// Everything the control suite measures, in one miniflare: Postern with a database of each size, each beside a
// bare Worker with an equal database of its own, on local D1, KV and Durable Objects.
import { randomBytes } from 'node:crypto'
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { build } from 'esbuild'
import { convertV4MiniflareOptions, Log, LogLevel, Miniflare } from 'miniflare'
import { unstable_getMiniflareWorkerOptions } from 'wrangler'
import { buildWorker, ROOT } from '../../tools/build.ts'
import { applyMigrations } from '../../tools/migrations.ts'
import type { Publication } from '../../worker/documents/published.ts'
import { FRONTED_HOST, GATEWAY_HOST } from '../sides.ts'
import { ALGORITHMS, AUDIENCE, ISSUER, type TokenIssuer } from '../tokens.ts'
import { cpuTimeOf, onWorkersCore, startedWorkerd } from '../workerd.ts'
import { ADMIN, LARGE, type Size, SMALL } from './contents.ts'

export type Scale = 'small' | 'large'
export const SCALES: Record<Scale, Size> = { small: SMALL, large: LARGE }
/** Isolates of the large one; the first is the one that is measured. */
export const ISOLATES = 3
/** The group that the policy gives GLOBAL_OWNER. */
export const ROUTED_PATH = (organization: string, project: string) =>
  `/orgs/${organization}/projects/${project}/work`

export interface Stack {
  /** Of Postern, isolate by isolate. */
  posternPorts: Record<Scale, number[]>
  barePorts: Record<Scale, number>
  /** Has the policy of the build adopted. */
  adopted(scale: Scale): Promise<void>
  /** Fills a database and its twin; returns the `seq` of the last version. */
  seed(scale: Scale): Promise<number>
  rows<Row>(scale: Scale, twin: 'own' | 'bare', sql: string, ...values: unknown[]): Promise<Row[]>
  /** Begins to publish what was written up to an edit. */
  publish(scale: Scale, seq: number): Promise<void>
  /** Waits until all that was written is published. */
  settled(scale: Scale): Promise<void>
  /** Processor time of everything together, in nanoseconds; 0 where the system does not tell. */
  cpuTime(): number
  /** Names of the documents in KV. */
  published(scale: Scale): Promise<Set<string>>
  close(): Promise<void>
}

export async function startStack(issuer: TokenIssuer, upstream: string): Promise<Stack> {
  const folder = mkdtempSync(join(tmpdir(), 'postern-bench-'))
  try {
    return await start(folder, issuer, upstream)
  } catch (error) {
    rmSync(folder, { recursive: true, force: true })
    throw error
  }
}

async function start(folder: string, issuer: TokenIssuer, upstream: string): Promise<Stack> {
  const policy = { text: policyText(issuer, upstream), file: 'bench policy' }
  await buildWorker({ policy, outFile: join(folder, 'postern/worker.js') })
  for (const peer of ['control-bare', 'control-seed']) await buildPeer(peer, folder)
  const workers = [...posterns('small', folder, 1), ...posterns('large', folder, ISOLATES), ...peers(folder)]
  // The files that the console will have; the Worker's configuration names their folder.
  mkdirSync(join(ROOT, 'dist/assets'), { recursive: true })
  const miniflare = await onWorkersCore(async () => {
    const started = new Miniflare({
      ...convertV4MiniflareOptions({
        host: '127.0.0.1',
        port: 0,
        cf: false,
        log: new Log(LogLevel.WARN),
        resourcePersistencePath: join(folder, 'state'),
        workers,
      } as never),
    })
    await started.ready
    return started
  })
  const pid = startedWorkerd()
  for (const binding of Object.keys(DATABASES)) {
    await applyMigrations((await miniflare.getD1Database(binding, 'seed')) as never)
  }
  const portOf = async (name: string) => Number((await miniflare.unsafeGetDirectURL(name)).port)
  const publisherOf = async (scale: Scale) => {
    const namespace = await miniflare.getDurableObjectNamespace('PUBLISHER', scale)
    return namespace.getByName('instance') as unknown as Publisher
  }
  const publishers = { small: await publisherOf('small'), large: await publisherOf('large') }
  const stack: Stack = {
    posternPorts: {
      small: [await portOf('small')],
      large: await Promise.all(
        Array.from({ length: ISOLATES }, (_, index) => portOf(isolateName('large', index))),
      ),
    },
    barePorts: { small: await portOf('small-bare'), large: await portOf('large-bare') },
    async adopted(scale) {
      await publishers[scale].since(null)
    },
    async seed(scale) {
      const url = new URL(`http://127.0.0.1:${await portOf('seed')}/`)
      url.searchParams.set('database', bindingOf(scale))
      url.searchParams.set('twin', bindingOf(`${scale}-bare`))
      url.searchParams.set('organizations', String(SCALES[scale].organizations))
      url.searchParams.set('at', String(Date.now()))
      const response = await fetch(url)
      if (!response.ok) throw new Error(`Seeding failed: ${await response.text()}`)
      return ((await response.json()) as { seq: number }).seq
    },
    async rows<Row>(scale: Scale, twin: 'own' | 'bare', sql: string, ...values: unknown[]) {
      const name = bindingOf(twin === 'own' ? scale : `${scale}-bare`)
      const database = await miniflare.getD1Database(name, 'seed')
      const { results } = await database
        .prepare(sql)
        .bind(...values)
        .all()
      return results as Row[]
    },
    async publish(scale, seq) {
      await publishers[scale].catchUp(seq)
    },
    async settled(scale) {
      const [newest] = await stack.rows<{ seq: number }>(scale, 'own', 'SELECT max(seq) AS seq FROM versions')
      const deadline = performance.now() + SETTLED_TIMEOUT_MS
      for (;;) {
        const { state, seq, lastError } = await publishers[scale].status()
        if (state === 'published' && seq >= newest!.seq) return
        if (performance.now() > deadline) throw new Error(`Still not published: ${lastError ?? 'no error'}.`)
        await new Promise((resolve) => setTimeout(resolve, SETTLED_POLL_MS))
      }
    },
    cpuTime: () => (pid === null ? 0 : cpuTimeOf(pid)),
    async published(scale) {
      const kv = await miniflare.getKVNamespace('KV', scale)
      const names = new Set<string>()
      let cursor: string | undefined
      do {
        const page = await kv.list(cursor === undefined ? {} : { cursor })
        for (const { name } of page.keys) names.add(name)
        cursor = page.list_complete ? undefined : page.cursor
      } while (cursor !== undefined)
      return names
    },
    async close() {
      await miniflare.dispose()
      rmSync(folder, { recursive: true, force: true })
    },
  }
  return stack
}

const SETTLED_TIMEOUT_MS = 300_000
const SETTLED_POLL_MS = 20

interface Publisher {
  since(seq: number | null): Promise<unknown>
  catchUp(seq: number): Promise<Publication>
  status(): Promise<Publication>
}

/** By binding of the seeding Worker. */
const DATABASES: Record<string, { id: string }> = Object.fromEntries(
  ['small', 'small-bare', 'large', 'large-bare'].map((id) => [bindingOf(id), { id }]),
)

function bindingOf(database: string): string {
  return database.toUpperCase().replace('-', '_')
}

function isolateName(scale: Scale, index: number): string {
  return index === 0 ? scale : `${scale}-${index}`
}

/** As tools/local.ts configures it, with storage of its own for each scale. */
function posterns(scale: Scale, folder: string, isolates: number): object[] {
  const { workerOptions } = unstable_getMiniflareWorkerOptions(join(ROOT, 'wrangler.toml'))
  const { modulesRules: _unused, durableObjects, ...rest } = workerOptions
  const secret = randomBytes(32).toString('base64url')
  return Array.from({ length: isolates }, (_, index) => ({
    ...rest,
    name: isolateName(scale, index),
    modules: true,
    modulesRoot: join(folder, 'postern'),
    scriptPath: join(folder, 'postern/worker.js'),
    bindings: {
      GATEWAY_ORIGINS: `http://${GATEWAY_HOST}`,
      POSTERN_SECRET: secret,
      DANGEROUSLY_ALLOW_LOOPBACK: 'true',
    },
    kvNamespaces: { KV: { id: scale } },
    d1Databases: { DB: { id: scale } },
    durableObjects: index === 0 ? durableObjects : sharedObjects(durableObjects as SharedObjects, scale),
    unsafeDirectSockets: [{ host: '127.0.0.1', port: 0 }],
  }))
}

type SharedObjects = Record<string, object>

function sharedObjects(objects: SharedObjects, scriptName: string): SharedObjects {
  return Object.fromEntries(
    Object.entries(objects).map(([name, object]) => [name, { ...object, scriptName }]),
  )
}

function peers(folder: string): object[] {
  const peer = (name: string, file: string, d1Databases: object) => {
    const { workerOptions } = unstable_getMiniflareWorkerOptions(join(ROOT, 'wrangler.toml'))
    const { compatibilityDate, compatibilityFlags } = workerOptions
    return {
      name,
      compatibilityDate,
      compatibilityFlags,
      modules: true,
      modulesRoot: folder,
      scriptPath: join(folder, file),
      d1Databases,
      unsafeDirectSockets: [{ host: '127.0.0.1', port: 0 }],
    }
  }
  return [
    peer('small-bare', 'control-bare.js', { DB: { id: 'small-bare' } }),
    peer('large-bare', 'control-bare.js', { DB: { id: 'large-bare' } }),
    peer('seed', 'control-seed.js', DATABASES),
  ]
}

async function buildPeer(peer: string, folder: string): Promise<void> {
  await build({
    absWorkingDir: ROOT,
    entryPoints: [`bench/peers/${peer}.ts`],
    outfile: join(folder, `${peer}.js`),
    bundle: true,
    format: 'esm',
    target: 'es2024',
    conditions: ['workerd', 'worker', 'browser'],
    external: ['cloudflare:*', 'node:*', 'postern:*'],
    minify: true,
    legalComments: 'none',
    logLevel: 'warning',
  })
}

/** Everything but one administrator and the route is the database's. */
function policyText({ jwks }: TokenIssuer, upstream: string): string {
  return JSON.stringify({
    version: 1,
    audience: AUDIENCE,
    issuers: { staff: { issuer: ISSUER, algorithms: ALGORITHMS, jwks } },
    idpGroupMappings: [{ roleName: 'GLOBAL_OWNER', idpGroups: [ADMIN.group] }],
    organizations: {},
    routes: {
      project: {
        hosts: [FRONTED_HOST],
        methods: ['GET'],
        path: '/orgs/{org}/projects/{project}/*',
        upstream,
        permission: 'project.read',
      },
    },
  })
}
