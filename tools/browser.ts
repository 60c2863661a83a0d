// The browser of the browser tests: Chromium as the machine has it, installed from Debian's packages where it is missing.
//   CHROMIUM_PATH=/path/to/chromium npm test
import { spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'

const USUAL_PATHS = [
  '/usr/bin/chromium',
  '/usr/bin/chromium-browser',
  '/usr/bin/google-chrome',
  '/usr/bin/google-chrome-stable',
  '/snap/bin/chromium',
  '/opt/homebrew/bin/chromium',
  '/Applications/Google Chrome.app/Contents/MacOS/Google Chrome',
  '/Applications/Chromium.app/Contents/MacOS/Chromium',
]

const APT_GET = '/usr/bin/apt-get'
const INSTALL_MS_MAX = 10 * 60 * 1000

/** Null where there is none. */
export function findChromium(): string | null {
  const { CHROMIUM_PATH } = process.env
  if (CHROMIUM_PATH) return existsSync(CHROMIUM_PATH) ? CHROMIUM_PATH : null
  return USUAL_PATHS.find((path) => existsSync(path)) ?? null
}

/** Says what to do where it cannot be installed; the browser tests then fail by themselves. */
export function installChromium(): void {
  if (findChromium() !== null) return
  const { CHROMIUM_PATH } = process.env
  if (!CHROMIUM_PATH && existsSync(APT_GET)) installFromPackages()
  if (findChromium() !== null) return
  const what = CHROMIUM_PATH
    ? `CHROMIUM_PATH names ${CHROMIUM_PATH}, where nothing is.`
    : 'There is no Chromium.'
  console.error(`${what} The browser tests need it: install it (Debian: apt-get install chromium),`)
  console.error('or name one: CHROMIUM_PATH=/path/to/chromium npm test')
}

function installFromPackages(): void {
  console.log('Chromium is missing; it is installed from the packages of this machine (a few minutes).')
  const asRoot = process.getuid?.() === 0 ? [] : ['sudo', '-n']
  // A mirror that is away for updates may still have what is known of already.
  for (const step of ['update -qq', 'install -y -qq chromium']) {
    const [program, ...args] = [...asRoot, APT_GET, ...step.split(' ')] as [string, ...string[]]
    spawnSync(program, args, {
      env: { ...process.env, DEBIAN_FRONTEND: 'noninteractive' },
      stdio: ['ignore', 'ignore', 'inherit'],
      timeout: INSTALL_MS_MAX,
    })
  }
}
