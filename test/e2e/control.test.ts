// The README's "Change it while it runs", end to end: the stack of `npm start`, tokens of the real demo identity
// provider, curl, and the edge that obeys.
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { freePorts, ROOT, type Stack, type StackPorts, shell, startStack } from './stack.ts'

/** The re-check time of 15 s, and the refresh that a request begins behind itself. */
const OBEYED_MS_MAX = 20_000
const state = mkdtempSync(join(tmpdir(), 'postern-e2e-'))
let ports: StackPorts
let stack: Stack

beforeAll(async () => {
  ports = await freePorts()
  const started = await startStack({ ...ports, POSTERN_STATE: state })
  expect(started.code, started.stack.output()).toBeNull()
  stack = started.stack
}, 90_000)

afterAll(async () => {
  await stack.interrupt()
  rmSync(state, { recursive: true, force: true })
}, 30_000)

/** The indented commands of a README section, with the demo's ports replaced by those of the test. */
function commandsOf(heading: string): string[] {
  const readme = readFileSync(join(ROOT, 'README.md'), 'utf8')
  const section = readme.split(`\n## ${heading}\n`)[1]?.split('\n## ')[0] ?? ''
  const blocks = [...section.matchAll(/(?:^ {4}.+\n)+/gm)].map(([block]) => block.replace(/^ {4}/gm, ''))
  return blocks.map((block) => block.replaceAll(':8787', `:${ports.PORT}`).trim())
}

async function run<Body>(command: string): Promise<Body> {
  const { code, stdout, stderr } = await shell(command, { ...ports })
  expect(code, stderr).toBe(0)
  return JSON.parse(stdout) as Body
}

const asking = (who: string, path: string) =>
  `curl -s -H "Authorization: Bearer $(npm run -s token -- ${who})" http://127.0.0.1:${ports.PORT}/api/v1${path}`

test('a mapping is previewed, saved, obeyed by the edge and found in history and audit [4-22] [4-25]', async () => {
  const [preview = '', visit = ''] = commandsOf('Change it while it runs')
  const refused = await run<{ reason: string }>(visit.replace('curl', 'curl -s'))
  expect(refused.reason).toBe('permission_missing')

  const previewed = await run<{ dryRun: boolean; changes: { name: string }[] }>(
    preview.replace('curl', 'curl -s'),
  )
  expect(previewed.dryRun).toBe(true)
  expect(previewed.changes.map(({ name }) => name)).toEqual(['GROUP_READ_ONLY'])

  const saved = await run<{ version: number }>(preview.replace('curl', 'curl -s').replace('?dryRun=true', ''))
  expect(saved.version).toBe(1)
  const until = Date.now() + OBEYED_MS_MAX
  let answer = await run<{ path?: string }>(visit.replace('curl', 'curl -s'))
  while (answer.path === undefined && Date.now() < until) {
    await sleep(500)
    answer = await run(visit.replace('curl', 'curl -s'))
  }
  expect(answer.path).toBe('/orgs/acme/projects/search/hello')

  const versions = await run<{ items: { version: number; actor: { subject: string } }[] }>(
    asking('alice', '/versions?document=project/acme/search'),
  )
  expect(versions.items.map(({ version, actor }) => [version, actor.subject])).toEqual([[1, 'alice']])
  const audit = await run<{ items: { operation: string }[] }>(asking('alice', '/organizations/acme/audit'))
  expect(audit.items.map(({ operation }) => operation)).toContain('projects.update')
  const me = await run<{ roles: { role: string; level: { project?: string } }[] }>(asking('bob', '/me'))
  const places = me.roles.filter(({ role }) => role === 'GROUP_READ_ONLY').map(({ level }) => level.project)
  expect(places).toEqual(expect.arrayContaining(['payments', 'search']))
}, 60_000)

test('the reference page names every operation and loads nothing from elsewhere', async () => {
  const response = await fetch(`http://127.0.0.1:${ports.PORT}/api/v1/docs`)
  const page = await response.text()
  expect(response.status).toBe(200)
  expect(response.headers.get('content-security-policy')).toMatch(/default-src 'none'/)
  expect(page).toContain('projects.update')
  expect(page).not.toMatch(/(?:src|href)="(?:https?:)?\/\//)
})
