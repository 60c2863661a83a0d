// What is deployed is what tools/build.ts makes of worker/entry.ts: without the tests' ways to move the clock,
// without libraries that only the build needs, and without a word of the demo. What only the management API and the
// publisher need is in it, and runs when they ask for it.
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { buildWorker, ROOT } from '../../tools/build.ts'
import { startLocalWorker } from '../../tools/local.ts'
import { TEST_ENTRY } from '../support/bundle-once.ts'

const POLICY = 'postern.policy.yaml'
const bundles = { production: '', test: '' }
/** Modules that run when an isolate of the production bundle starts. */
let atStart: string[]
let folder: string
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'postern-bundle-'))
  const policy = { text: readFileSync(join(ROOT, POLICY), 'utf8'), file: POLICY }
  for (const [name, entry] of [
    ['production', {}],
    ['test', { entry: TEST_ENTRY }],
  ] as const) {
    const outFile = join(folder, name, 'worker.js')
    const built = await buildWorker({ policy, outFile, ...entry })
    if (name === 'production') atStart = built.atStart
    bundles[name] = readFileSync(outFile, 'utf8')
  }
})
afterAll(() => rmSync(folder, { recursive: true }))

describe('the bundle that is deployed', () => {
  it.each([
    '/.test/',
    'moveTestClock',
    'callTestAuthorizer',
    'callTestPublisher',
    'setTestFaults',
    'get("ahead")',
  ])('has no %s, which the bundle of the tests has', (name) => {
    expect(bundles.test).toContain(name)
    expect(bundles.production).not.toContain(name)
  })

  it('nowhere writes the clock, which the bundle of the tests does', () => {
    const writing = /\.now\s*=[^=]/
    expect(bundles.test).toMatch(writing)
    expect(bundles.production).not.toMatch(writing)
  })

  it.each(['miniflare', 'esbuild', 'oidc-provider', 'drizzle'])('has no %s', (name) => {
    expect(bundles.production).not.toContain(name)
  })

  it.each([
    'node_modules/zod/',
    'node_modules/yaml/',
    'node_modules/openid-client/',
    'node_modules/oauth4webapi/',
    'node_modules/bowser/',
    'policy/schema',
    'policy/compile.ts',
    'worker/api/',
  ])('runs nothing of %s when an isolate starts', (path) => {
    expect(atStart).toContain('worker/entry.ts')
    expect(atStart.filter((module) => module.startsWith(path))).toEqual([])
  })

  it('carries the source of its policy, which nothing reads at the start', () => {
    expect(bundles.production).toContain('The default role catalogue')
    expect(atStart).toContain('policy:postern:policy')
    expect(atStart).not.toContain('policy:postern:policy-source')
  })

  it.each(['carol', 'globex', 'postern-admins', 'app.localhost', ':8788', ':8789'])(
    'has no demo name: %s',
    (name) => {
      expect(bundles.production).not.toContain(name)
    },
  )

  it.each(['IssuerObject', 'SigningKeysObject', 'PublisherObject', 'PrincipalObject', 'Authorizer'])(
    'exports %s',
    (name) => {
      expect(bundles.production).toMatch(new RegExp(`export\\{[^}]*\\b${name}\\b`))
    },
  )

  it('answers paths of the tests like any other', async () => {
    const worker = await startLocalWorker({
      file: join(folder, 'production/worker.js'),
      ports: [0],
      variables: { GATEWAY_ORIGINS: 'https://gateway.test' },
    })
    const [origin] = worker.origins
    for (const path of ['/.test/clock?ahead=9', '/.test/authorize']) {
      const answer = await fetch(`${origin}${path}`)
      expect([answer.status, ((await answer.json()) as { reason: string }).reason]).toEqual([
        404,
        'host_unknown',
      ])
    }
    await worker.close()
  })
})
