// Builds the `postern` command into one file that runs on Node 20 and later without any package: npm packs
// that file, and an installed command depends on nothing.
import { chmodSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { build, type Plugin } from 'esbuild'
import { ROOT } from './build.ts'

export const CLI_FILE = join(ROOT, 'dist/cli/postern.js')

export async function buildCli({ outFile }: { outFile: string }): Promise<void> {
  await build({
    absWorkingDir: ROOT,
    entryPoints: ['cli/postern.ts'],
    outfile: outFile,
    bundle: true,
    platform: 'node',
    format: 'esm',
    target: 'node20',
    // Commander is CommonJS and asks for Node's modules by `require`.
    banner: {
      js: "#!/usr/bin/env node\nimport { createRequire } from 'node:module';const require = createRequire(import.meta.url);",
    },
    minify: true,
    keepNames: true,
    legalComments: 'eof',
    logLevel: 'warning',
    plugins: [embeddedFiles],
  })
  chmodSync(outFile, 0o755)
}

/** cli/embedded.ts reads two files; here their texts take its place. */
const embeddedFiles: Plugin = {
  name: 'embedded-files',
  setup(build) {
    build.onLoad({ filter: /\/cli\/embedded\.ts$/ }, () => {
      const catalogue = readFileSync(join(ROOT, 'policy/catalogue.yaml'), 'utf8')
      const { version } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8'))
      const contents = `export const catalogue = ${JSON.stringify(catalogue)}\nexport const version = ${JSON.stringify(version)}`
      return { contents, loader: 'js' }
    })
  },
}

if (import.meta.main) await buildCli({ outFile: CLI_FILE })
