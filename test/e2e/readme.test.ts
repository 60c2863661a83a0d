// What the README promises a new user, end to end: the stack of `npm start`, tokens of the real demo identity
// provider, curl, a browser, and an end that leaves nothing behind. Verification and decisions have their own tiers.
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createRemoteJWKSet, decodeProtectedHeader, jwtVerify } from 'jose'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { greeted, launchBrowser, newPerson, submitSignIn } from './browser.ts'
import {
  type Answer,
  freePorts,
  isFree,
  parseAnswer,
  processesOf,
  type Stack,
  type StackPorts,
  shell,
  startStack,
} from './stack.ts'

const PATH = '/orgs/acme/projects/payments/hello'
const SPOILED = /warn|error|deprecat/i

const state = mkdtempSync(join(tmpdir(), 'postern-e2e-'))
let ports: StackPorts
let stack: Stack

async function start(): Promise<Stack> {
  const started = await startStack({ ...ports, POSTERN_STATE: state })
  expect(started.code, started.stack.output()).toBeNull()
  return started.stack
}

/** The README's command, with `-i` to see what comes back; `who` is what follows `npm run -s token --`. */
async function curl(who: string | null, options = ''): Promise<Answer> {
  const bearer = who ? `-H "Authorization: Bearer $(npm run -s token -- ${who})"` : ''
  const command = `curl -s -i ${options} ${bearer} http://app.localhost:${ports.PORT}${PATH}`
  const { code, stdout, stderr } = await shell(command, { ...ports })
  expect(code, stderr).toBe(0)
  return parseAnswer(stdout)
}

async function keyIds(origin: string, path: string): Promise<string[]> {
  const { keys } = (await (await fetch(origin + path)).json()) as { keys: { kid: string }[] }
  return keys.map(({ kid }) => kid).sort()
}

const gateway = () => `http://127.0.0.1:${ports.PORT}`
const idp = () => `http://localhost:${ports.IDP_PORT}`

beforeAll(async () => {
  ports = await freePorts()
  stack = await start()
}, 90_000)

afterAll(async () => {
  if ((await processesOf(stack.group)).length > 0) await stack.interrupt()
  rmSync(state, { recursive: true, force: true })
}, 30_000)

describe('forwarded', { timeout: 30_000 }, () => {
  test.each(['alice', 'alice --alg RS256'])('%s reads', async (who) => {
    const { status, body } = await curl(who)
    expect(status).toBe(200)
    const { method, path, headers } = JSON.parse(body) as Record<string, string> & {
      headers: Record<string, string>
    }
    expect({ method, path }).toEqual({ method: 'GET', path: PATH })
    expect(headers).toMatchObject({
      'x-postern-subject': 'alice',
      'x-postern-email': 'alice@acme.example',
      'x-postern-organization': 'acme',
      'x-postern-project': 'payments',
    })
    expect(headers['x-postern-roles']?.split(',')).toContain('GROUP_OWNER')
    expect(headers).not.toHaveProperty('authorization')

    const keys = createRemoteJWKSet(new URL(`${gateway()}/.well-known/jwks.json`))
    const { payload } = await jwtVerify(headers['x-postern-assertion'] ?? '', keys, {
      algorithms: ['ES256'],
      typ: 'postern-assertion+jwt',
      issuer: gateway(),
      requiredClaims: ['aud', 'exp', 'iat'],
    })
    expect(payload).toMatchObject({
      sub: 'alice',
      email: 'alice@acme.example',
      org: 'acme',
      project: 'payments',
      roles: expect.arrayContaining(['GROUP_OWNER']),
    })
  })

  test.each(['bob', 'carol'])('%s reads', async (who) => {
    const { status, body } = await curl(who)
    expect(status).toBe(200)
    expect(JSON.parse(body).headers['x-postern-subject']).toBe(who)
  })

  test('alice writes, and the body arrives', async () => {
    const { status, body } = await curl('alice', '-X POST --data hello')
    expect(status).toBe(200)
    expect(JSON.parse(body)).toMatchObject({ method: 'POST', path: PATH, body: 'hello' })
  })
})

describe('in a browser', { timeout: 60_000 }, () => {
  test('sign in, be known at the other host, sign out of both', async () => {
    const browser = await launchBrowser()
    const { context, complaints } = await newPerson(browser)
    const page = await context.newPage()
    const [app, other] = ['app', 'other'].map((name) => `http://${name}.localhost:${ports.PORT}/whoami`) as [
      string,
      string,
    ]
    await page.goto(app)
    await submitSignIn(page, 'alice')
    expect(page.url()).toBe(app)
    await page.goto(other)
    expect([page.url(), await greeted(page)]).toEqual([other, 'alice'])
    await page.goto(`${gateway()}/logout`)
    await page.click('button')
    await page.waitForURL(`${idp()}/session/end?**`)
    await page.click('button[value=yes]')
    await page.waitForSelector('h1:has-text("You are signed out")')
    await browser.close()
    expect(complaints).toEqual([])
  })
})

describe('refused', { timeout: 30_000 }, () => {
  test.each([
    { title: 'bob may read, not write', who: 'bob', options: '-X POST --data x' },
    { title: 'dave has no groups', who: 'dave', options: '' },
    { title: 'erin belongs to another organization', who: 'erin', options: '' },
    { title: 'alice without her groups', who: 'alice --groups ""', options: '' },
  ])('$title', async ({ who, options }) => {
    const { status, headers, body } = await curl(who, options)
    expect(status).toBe(403)
    expect(headers.get('content-type')).toBe('application/problem+json')
    expect(JSON.parse(body)).toMatchObject({ status: 403, reason: 'permission_missing' })
  })

  test('no token', async () => {
    const { status, headers, body } = await curl(null)
    expect(status).toBe(401)
    expect(headers.get('www-authenticate')).toMatch(/^Bearer\b/)
    expect(JSON.parse(body)).toMatchObject({ status: 401, reason: 'credentials_missing' })
  })

  test('a token for another audience', async () => {
    const { status, headers, body } = await curl('alice --audience other')
    expect(status).toBe(401)
    expect(headers.get('www-authenticate')).toMatch(/^Bearer .*error="invalid_token"/)
    expect(JSON.parse(body)).toMatchObject({ status: 401, reason: 'audience_mismatch' })
  })
})

describe('npm run token', { timeout: 30_000 }, () => {
  test('prints the token and nothing else', async () => {
    const { code, stdout } = await shell('npm run -s token -- dave --alg RS256', { ...ports })
    expect(code).toBe(0)
    expect(stdout).toMatch(/^[\w-]+\.[\w-]+\.[\w-]+\n$/)
    expect(decodeProtectedHeader(stdout.trim())).toMatchObject({ alg: 'RS256', typ: 'at+jwt' })
  })

  test.each([
    { options: 'zoe', says: /no zoe .*alice, bob, carol, dave, erin/ },
    { options: 'alice --expires 0', says: /--expires .*1 to 86400/ },
    { options: 'alice --alg none', says: /--alg takes ES256 or RS256/ },
    { options: 'alice', says: /start it with npm start/, environment: { IDP_PORT: '1' } },
  ])('refuses $options', async ({ options, says, environment }) => {
    const outcome = await shell(`npm run -s token -- ${options}`, { ...ports, ...environment })
    expect(outcome.code).toBe(1)
    expect(outcome.stdout).toBe('')
    expect(outcome.stderr).toMatch(says)
  })
})

describe('start and stop', { timeout: 60_000 }, () => {
  test.each(['PORT', 'IDP_PORT', 'UPSTREAM_PORT'] as const)('a taken %s is told', async (variable) => {
    const others = await freePorts()
    const taken = { ...others, [variable]: ports[variable], POSTERN_STATE: `${state}-unused` }
    const second = await startStack(taken)
    expect(second.code).toBe(1)
    expect(second.stack.output()).toMatch(
      new RegExp(`^Port ${ports[variable]}, .* is taken .*: ${variable}=\\d+ npm start\n$`),
    )
  })

  test('Ctrl-C leaves nothing behind, and the next start finds the same keys', async () => {
    const keys = () => Promise.all([keyIds(idp(), '/jwks'), keyIds(gateway(), '/.well-known/jwks.json')])
    const before = await keys()
    for (let round = 0; round < 2; round++) {
      expect(await stack.interrupt()).toBe(0)
      expect(await processesOf(stack.group)).toEqual([])
      for (const port of Object.values(ports)) expect(await isFree(port)).toBe(true)
      expect(stack.output()).not.toMatch(SPOILED)
      if (round === 0) stack = await start()
      if (round === 0) expect(await keys()).toEqual(before)
    }
  })
})
