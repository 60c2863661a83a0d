// Builds the Worker: compiles the policy and bundles worker/entry.ts with it into one file. The file that
// `npm start`, the tests, the benchmarks and `wrangler deploy` run is made here and nowhere else.
import { createHash } from 'node:crypto'
import { mkdirSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { build, type Metafile, type Plugin } from 'esbuild'
import { compilePolicy } from '../policy/compile.ts'
import { describeProblems, parsePolicy } from '../policy/document.ts'
import { checkPublishable } from '../policy/policy-tests.ts'

export const ROOT = join(import.meta.dirname, '..')
export const WORKER_FILE = join(ROOT, 'dist/worker.js')

export interface BuildOptions {
  /** The policy source: YAML text, and the name errors give it. */
  policy: { text: string; file: string }
  outFile: string
  /** The module to bundle; the tests have their own entry, which adds what only tests may do. */
  entry?: string
}

export interface BuiltWorker {
  /** Every module that runs when an isolate starts; the others wait until a dynamic import asks for them. */
  atStart: string[]
}

/**
 * Throws with every problem of the policy, each with file, line and column, when it is not valid or fails its
 * own tests.
 */
export async function buildWorker({
  policy,
  outFile,
  entry = 'worker/entry.ts',
}: BuildOptions): Promise<BuiltWorker> {
  return bundle(entry, outFile, modulesOf(policy))
}

type Modules = Record<'postern:policy' | 'postern:policy-source', string>

function modulesOf(policy: BuildOptions['policy']): Modules {
  const catalogue = readFileSync(join(ROOT, 'policy/catalogue.yaml'), 'utf8')
  const parsed = parsePolicy(policy.text, { file: policy.file, catalogue })
  if (!parsed.ok) throw new Error(`The policy is not valid.\n${describeProblems(parsed.problems)}`)
  const failed = checkPublishable(parsed.policy, Date.now() / 1000)
  if (failed.length > 0) {
    throw new Error(`The policy fails its own tests.\n${describeProblems(failed.map(parsed.locate))}`)
  }
  return {
    'postern:policy': JSON.stringify(compilePolicy(parsed.policy)),
    'postern:policy-source': JSON.stringify({ ...policy, catalogue, revision: compilerRevision() }),
  }
}

/** Stands where a policy's modules go; JSON is an expression of JavaScript, so a module's text can take its place. */
const PLACES: Modules = {
  'postern:policy': '"postern:policy goes here"',
  'postern:policy-source': '"postern:policy-source goes here"',
}

/** For whoever needs the Worker with one policy after another (the tests): all but the policy, bundled once. */
export async function buildTemplate(outFile: string, entry: string): Promise<void> {
  await bundle(entry, outFile, PLACES)
}

/** What buildWorker would make, of a template. Throws as it does. */
export function fillTemplate(template: string, policy: BuildOptions['policy']): string {
  let text = template
  for (const [name, contents] of Object.entries(modulesOf(policy))) {
    const parts = text.split(PLACES[name as keyof Modules])
    if (parts.length !== 2)
      throw new Error(`the template has ${parts.length - 1} places for ${name}, not one`)
    text = parts.join(contents)
  }
  return text
}

async function bundle(entry: string, outFile: string, modules: Modules): Promise<BuiltWorker> {
  const { metafile } = await build({
    absWorkingDir: ROOT,
    entryPoints: [entry],
    outfile: outFile,
    bundle: true,
    // One file. What is reached by dynamic import alone is wrapped, and runs when it is first asked for.
    splitting: false,
    format: 'esm',
    target: 'es2024',
    conditions: ['workerd', 'worker', 'browser'],
    external: ['cloudflare:*', 'node:*'],
    minify: true,
    keepNames: true,
    legalComments: 'none',
    logLevel: 'warning',
    metafile: true,
    plugins: [jsonModules(modules)],
  })
  return { atStart: modulesAtStart(metafile, entry) }
}

/** Modules that are not files: `import policy from 'postern:policy'` gives the compiled policy. */
function jsonModules(modules: Record<string, string>): Plugin {
  return {
    name: 'policy-modules',
    setup(build) {
      build.onResolve({ filter: /^postern:/ }, ({ path }) => ({ path, namespace: 'policy' }))
      build.onLoad({ filter: /.*/, namespace: 'policy' }, ({ path }) => {
        const contents = modules[path]
        return contents === undefined ? undefined : { contents, loader: 'json' }
      })
    },
  }
}

/** One for each way to compile: what another one made has to be compiled again (worker/publisher/). */
function compilerRevision(): string {
  const hash = createHash('sha256')
  const folder = join(ROOT, 'policy')
  for (const name of readdirSync(folder).sort()) {
    if (name.endsWith('.ts')) hash.update(name).update(readFileSync(join(folder, name)))
  }
  return hash.digest('base64url')
}

function modulesAtStart({ inputs }: Metafile, entry: string): string[] {
  const reached = new Set([entry])
  // A Set goes on to what is added while it is walked.
  for (const file of reached) {
    for (const { path, kind, external } of inputs[file]?.imports ?? []) {
      if (!external && kind !== 'dynamic-import') reached.add(path)
    }
  }
  return [...reached].sort()
}

if (import.meta.main) {
  // The console's files will stand here; wrangler wants the folder to exist.
  mkdirSync(join(ROOT, 'dist/assets'), { recursive: true })
  const { values } = parseArgs({ options: { policy: { type: 'string', default: 'postern.policy.yaml' } } })
  const text = readFileSync(join(ROOT, values.policy), 'utf8')
  const building = buildWorker({ policy: { text, file: values.policy }, outFile: WORKER_FILE })
  await building.catch((error: Error) => {
    console.error(error.message)
    process.exit(1)
  })
}
