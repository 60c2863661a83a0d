// The browser of the browser tests: Chromium as the machine has it, installed from Debian's packages where it is missing.
//   CHROMIUM_PATH=/path/to/chromium npm test
import { spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'

const USUAL_PATHS = [
  '/usr/bin/chromium',
  '/usr/bin/chromium-browser',
  '/usr/bin/google-chrome',
  '/usr/bin/google-chrome-stable',
  '/Applications/Google Chrome.app/Contents/MacOS/Google Chrome',
  '/Applications/Chromium.app/Contents/MacOS/Chromium',
]

/** Null where there is none. */
export function findChromium(): string | null {
  const { CHROMIUM_PATH } = process.env
  if (CHROMIUM_PATH) return existsSync(CHROMIUM_PATH) ? CHROMIUM_PATH : null
  return USUAL_PATHS.find((path) => existsSync(path)) ?? null
}

/** Says what to do where it cannot be installed; the browser tests then fail by themselves. */
export function installChromium(): void {
  if (findChromium() !== null) return
  console.log('Chromium is missing; it is installed from the packages of this machine.')
  const asRoot = process.getuid?.() === 0 ? [] : ['sudo', '-n']
  for (const step of [
    ['apt-get', 'update', '-qq'],
    ['apt-get', 'install', '-y', '-qq', 'chromium'],
  ]) {
    const [program, ...args] = [...asRoot, ...step] as [string, ...string[]]
    spawnSync(program, args, { stdio: ['ignore', 'ignore', 'inherit'] })
  }
  if (findChromium() === null) {
    console.error('There is no Chromium. Install it, or name one: CHROMIUM_PATH=/path/to/chromium npm test')
  }
}
