// Runs one of the project's TypeScript programs: installs what is missing, then starts it with the Node
// that the project brings. It is the one file that must run on the machine's own Node (20 or later).
//   node tools/run.mjs demo/start.ts --reset
import { spawn, spawnSync } from 'node:child_process'
import { existsSync, readFileSync, statSync } from 'node:fs'
import { delimiter, dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = join(dirname(fileURLToPath(import.meta.url)), '..')
const node = join(root, 'node_modules/.bin/node')
const installed = join(root, 'node_modules/.package-lock.json')

/** The lock file npm leaves in node_modules is newer than ours exactly when what we name is installed. */
function isInstalled() {
  if (!existsSync(installed) || !existsSync(node)) return false
  if (statSync(installed).mtimeMs >= statSync(join(root, 'package-lock.json')).mtimeMs) return true
  const packages = (file) => JSON.parse(readFileSync(file, 'utf8')).packages
  const [have, want] = [packages(installed), packages(join(root, 'package-lock.json'))]
  return Object.entries(want).every(([name, { version, optional }]) => {
    return name === '' || optional || have[name]?.version === version
  })
}

if (!isInstalled()) {
  console.error('Installing dependencies (npm ci) ...')
  // What npm prints goes to standard error, so that a program's own output stays clean.
  const { status } = spawnSync('npm', ['ci', '--no-audit', '--no-fund', '--loglevel=error'], {
    cwd: root,
    stdio: ['ignore', 2, 2],
  })
  if (status !== 0) {
    console.error('npm ci failed; the lines above say why. Mend it and run the same command again.')
    process.exit(1)
  }
}

const [program, ...args] = process.argv.slice(2)
// The tools that the program starts in turn find this Node as well, as they do under npm.
const env = { ...process.env, PATH: `${dirname(node)}${delimiter}${process.env.PATH ?? ''}` }
const child = spawn(node, [join(root, program), ...args], { cwd: root, env, stdio: 'inherit' })
// Ctrl-C reaches the child through the terminal; a signal sent to this process alone is passed on.
process.on('SIGINT', () => {})
for (const signal of ['SIGTERM', 'SIGHUP']) process.on(signal, () => child.kill(signal))
// npm starts us through a shell that passes no signal on: when whoever started us is gone, so are we.
const parent = process.ppid
setInterval(() => process.ppid === parent || child.kill('SIGTERM'), 500).unref()
child.on('exit', (code, signal) => process.exit(signal ? 1 : (code ?? 1)))
