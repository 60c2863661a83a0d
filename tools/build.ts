// Builds the Worker: compiles the policy and bundles worker/entry.ts with it into one file. The file that
// `npm start`, the tests, the benchmarks and `wrangler deploy` run is made here and nowhere else.
import { mkdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { build, type Plugin } from 'esbuild'
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

/**
 * Throws with every problem of the policy, each with file, line and column, when it is not valid or fails its
 * own tests.
 */
export async function buildWorker({
  policy,
  outFile,
  entry = 'worker/entry.ts',
}: BuildOptions): Promise<void> {
  const catalogue = readFileSync(join(ROOT, 'policy/catalogue.yaml'), 'utf8')
  const parsed = parsePolicy(policy.text, { file: policy.file, catalogue })
  if (!parsed.ok) throw new Error(`The policy is not valid.\n${describeProblems(parsed.problems)}`)
  const failed = checkPublishable(parsed.policy, Date.now() / 1000)
  if (failed.length > 0) {
    throw new Error(`The policy fails its own tests.\n${describeProblems(failed.map(parsed.locate))}`)
  }
  const compiled = JSON.stringify(compilePolicy(parsed.policy))
  await build({
    absWorkingDir: ROOT,
    entryPoints: [entry],
    outfile: outFile,
    bundle: true,
    format: 'esm',
    target: 'es2024',
    conditions: ['workerd', 'worker', 'browser'],
    external: ['cloudflare:*', 'node:*'],
    minify: true,
    keepNames: true,
    legalComments: 'none',
    logLevel: 'warning',
    plugins: [bundledPolicy(compiled)],
  })
}

/** `import policy from 'postern:policy'` gives the compiled policy. */
function bundledPolicy(compiled: string): Plugin {
  return {
    name: 'bundled-policy',
    setup(build) {
      build.onResolve({ filter: /^postern:policy$/ }, ({ path }) => ({ path, namespace: 'policy' }))
      build.onLoad({ filter: /.*/, namespace: 'policy' }, () => ({ contents: compiled, loader: 'json' }))
    },
  }
}

if (import.meta.main) {
  // The console's files will stand here; wrangler wants the folder to exist.
  mkdirSync(join(ROOT, 'dist/assets'), { recursive: true })
  const { values } = parseArgs({ options: { policy: { type: 'string', default: 'postern.policy.yaml' } } })
  const text = readFileSync(join(ROOT, values.policy), 'utf8')
  await buildWorker({ policy: { text, file: values.policy }, outFile: WORKER_FILE }).catch((error: Error) => {
    console.error(error.message)
    process.exit(1)
  })
}
