// Which module may import which (ARCHITECTURE: imports go one way), as a function over a graph, so that a
// test can show it graphs that are wrong.
import { posix } from 'node:path'
import type { Import } from './typescript.ts'

/** Files by their path in the repository, each with its imports. */
export type ImportGraph = Record<string, Import[]>

/** What a folder may import from. The others, which nobody deploys, are free. */
const FOLDERS: Record<string, string[]> = {
  policy: ['policy'],
  worker: ['policy', 'worker'],
  web: ['policy', 'web'],
  cli: ['policy', 'cli'],
  tools: ['policy', 'tools'],
}
const FREE_FOLDERS = ['bench', 'demo', 'test', '']

/** Packages of policy/, and the only files that may have each; null: any. */
const POLICY_PACKAGES: Record<string, string[] | null> = {
  zod: null,
  yaml: ['policy/document.ts', 'policy/format.ts'],
}

/** The levels inside worker/, highest first. A file imports from its own level and those below. */
const WORKER_LEVELS: string[][] = [
  ['entry.ts'],
  ['gateway.ts', 'gateway-host.ts', 'rpc.ts', 'health.ts', 'api/'],
  ['refused.ts', 'admit.ts', 'forward.ts', 'outbound-headers.ts', 'deadlines.ts'],
  ['signin/'],
  ['principals/', 'publisher/', 'sessions/'],
  ['tokens/'],
  ['keys/'],
  ['documents/'],
  ['database/'],
  [
    'answers.ts',
    'opaque.ts',
    'read-body.ts',
    'pages/',
    'path.ts',
    'sealing.ts',
    'memory.ts',
    'refusal.ts',
    'request-id.ts',
    'environment.ts',
    'fronted-origin.ts',
    'navigation.ts',
    'clock.ts',
    // Declares the module of the bundled policy; it loads nothing.
    'policy.d.ts',
  ],
]

/** The type of a Durable Object's binding is its class, which stands above. Types only, never a value. */
const UPWARD_TYPES: Record<string, string[]> = {
  'worker/environment.ts': [
    'worker/keys/issuer-object.ts',
    'worker/keys/signing-object.ts',
    'worker/principals/principal-object.ts',
    'worker/publisher/publisher-object.ts',
    'worker/sessions/session-index-object.ts',
    'worker/sessions/sessions-object.ts',
    'worker/sessions/single-use-object.ts',
    'worker/signin/restore-object.ts',
  ],
}

/** Every import that breaks a rule, a line each; none when all is well. */
export function brokenImports(graph: ImportGraph): string[] {
  const broken: string[] = []
  for (const [file, imports] of Object.entries(graph)) {
    if (file.startsWith('worker/') && workerLevel(file) === -1) broken.push(`${file} has no level in worker/`)
    if (!Object.hasOwn(FOLDERS, folderOf(file)) && !FREE_FOLDERS.includes(folderOf(file))) {
      broken.push(`${file} is in a folder without a rule`)
    }
    for (const { specifier, typeOnly } of imports) {
      const why = /^\.{1,2}\//.test(specifier)
        ? judgeFile(file, resolve(file, specifier), typeOnly)
        : judgePackage(file, specifier)
      if (why) broken.push(`${file} imports ${specifier}: ${why}`)
    }
  }
  return [...broken, ...cycles(graph)]
}

function folderOf(file: string): string {
  return file.includes('/') ? (file.split('/')[0] as string) : ''
}

function resolve(file: string, specifier: string): string {
  return posix.join(posix.dirname(file), specifier)
}

function judgePackage(file: string, specifier: string): string | null {
  if (specifier.startsWith('/') || specifier.startsWith('file:')) return 'an absolute path'
  if (folderOf(file) !== 'policy') return null
  const only = Object.hasOwn(POLICY_PACKAGES, specifier) ? POLICY_PACKAGES[specifier] : undefined
  if (only === undefined) return 'policy/ has no such package'
  return only === null || only.includes(file) ? null : `only ${only.join(' and ')} may`
}

function judgeFile(file: string, target: string, typeOnly: boolean): string | null {
  const allowed = FOLDERS[folderOf(file)]
  if (!allowed) return null
  if (!allowed.includes(folderOf(target))) return `${folderOf(file)}/ may not use ${folderOf(target)}/`
  if (folderOf(file) !== 'worker' || folderOf(target) !== 'worker') return null
  if (workerLevel(target) >= workerLevel(file)) return null
  if (typeOnly && UPWARD_TYPES[file]?.includes(target)) return null
  return 'upwards'
}

/** Counted from the top, so that what may be imported has the same number or a larger one. */
function workerLevel(file: string): number {
  const name = file.slice('worker/'.length)
  return WORKER_LEVELS.findIndex((level) =>
    level.some((part) => (part.endsWith('/') ? name.startsWith(part) : name === part)),
  )
}

/** A line for each cycle of imports that load something. */
function cycles(graph: ImportGraph): string[] {
  const found: string[] = []
  const done = new Set<string>()
  const visit = (file: string, above: string[]) => {
    if (above.includes(file)) found.push(`cycle: ${[...above.slice(above.indexOf(file)), file].join(' -> ')}`)
    if (done.has(file) || above.includes(file)) return
    for (const { specifier, typeOnly } of graph[file] ?? []) {
      if (!typeOnly && specifier.startsWith('.')) visit(resolve(file, specifier), [...above, file])
    }
    done.add(file)
  }
  for (const file of Object.keys(graph)) visit(file, [])
  return found
}
