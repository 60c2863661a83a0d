// A person with a real browser and the demo's identity provider: sign in once for two hosts on different sites, and out
// again. Cookies, redirects and sites are Chromium's own.
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Browser, type BrowserContext, chromium, type Page } from 'playwright-core'
import { afterAll, afterEach, beforeAll, beforeEach, expect, it } from 'vitest'
import { findChromium } from '../../tools/browser.ts'
import { freePorts, type Stack, startStack } from './stack.ts'

const state = mkdtempSync(join(tmpdir(), 'postern-browser-'))
let stack: Stack
let browser: Browser
let context: BrowserContext
let page: Page
let port: string

beforeAll(async () => {
  const ports = await freePorts()
  port = ports.PORT
  const started = await startStack({ ...ports, POSTERN_STATE: state })
  stack = started.stack
  expect(started.code, stack.output()).toBeNull()
  const executablePath = findChromium()
  if (executablePath === null) throw new Error('there is no Chromium (tools/browser.ts)')
  const args = process.getuid?.() === 0 ? ['--no-sandbox'] : []
  browser = await chromium.launch({ executablePath, args })
})
afterAll(async () => {
  await browser?.close()
  await stack?.interrupt()
  rmSync(state, { recursive: true, force: true })
})
beforeEach(async () => {
  context = await browser.newContext()
  page = await context.newPage()
  page.setDefaultTimeout(10_000)
})
afterEach(() => context.close())

const at = (host: string, path: string) => `http://${host}:${port}${path}`
const WHOAMI = '/whoami?from=browser'

async function signIn(person: string, url: string, on = page): Promise<void> {
  await on.goto(url)
  await on.fill('input[name=username]', person)
  await on.fill('input[name=password]', person)
  await Promise.all([on.waitForURL(url), on.click('button >> nth=0')])
}

it('signs in at one host, and is known at another on another site [0-4] [2-1] [2-6] [4-1]', async () => {
  await signIn('alice', at('app.localhost', WHOAMI))
  expect(await page.textContent('body')).toContain('"x-postern-subject": "alice"')
  await page.goto(at('other.localhost', '/whoami'))
  expect(page.url()).toBe(at('other.localhost', '/whoami'))
  expect(await page.textContent('body')).toContain('"x-postern-subject": "alice"')
  const cookies = await context.cookies()
  const sessions = cookies.filter(({ name }) => name === '__Host-postern-session')
  expect(sessions.map(({ domain }) => domain).sort()).toEqual([
    '127.0.0.1',
    'app.localhost',
    'other.localhost',
  ])
  for (const { httpOnly, secure, sameSite } of sessions) {
    expect({ httpOnly, secure, sameSite }).toEqual({ httpOnly: true, secure: true, sameSite: 'Lax' })
  }
})

it('two tabs that are open at once both arrive', async () => {
  const other = await context.newPage()
  const urls = [at('app.localhost', '/whoami?tab=1'), at('app.localhost', '/whoami?tab=2')] as const
  await page.goto(urls[0])
  await other.goto(urls[1])
  await page.fill('input[name=username]', 'bob')
  await page.fill('input[name=password]', 'bob')
  await Promise.all([page.waitForURL(urls[0]), page.click('button >> nth=0')])
  // The second tab's form belongs to its own attempt, and the provider knows the person by now.
  await other.goto(urls[1])
  expect(other.url()).toBe(urls[1])
  expect(await other.textContent('body')).toContain('"x-postern-subject": "bob"')
})

it('a script of the page is told where to sign in, and is not led there', async () => {
  await page.goto(at('app.localhost', '/status'))
  const answer = await page.evaluate(async () => {
    const response = await fetch('/whoami')
    const body = (await response.json()) as { login_url: string }
    return { status: response.status, redirected: response.redirected, body }
  })
  expect(answer).toMatchObject({ status: 401, redirected: false })
  expect(answer.body.login_url).toBe(at('app.localhost', '/.postern/login'))
})

it('signs out on every host, and at the provider [2-15] [2-24] [4-36] T5', async () => {
  await signIn('alice', at('app.localhost', WHOAMI))
  await page.goto(at('127.0.0.1', '/logout'))
  expect(await page.textContent('h1')).toBe('Sign out?')
  await page.click('button')
  // The provider asks as well.
  await page.waitForURL(/localhost:\d+\/session\/end/)
  await page.click('button[value=yes]')
  await page.waitForURL(/127\.0\.0\.1:\d+\/logout\?state=/)
  expect(await page.textContent('h1')).toContain('signed out')
  await page.goto(at('other.localhost', '/whoami'))
  expect(await page.isVisible('input[name=password]')).toBe(true)
})

it('a browser without cookies reads why it cannot sign in', async () => {
  await context.route('**/*', (route) => {
    const headers = { ...route.request().headers() }
    delete headers.cookie
    return route.continue({ headers })
  })
  await page.goto(at('127.0.0.1', '/oidc/callback?state=0.x&code=y'))
  expect(await page.textContent('main')).toContain('cookie')
  expect(await page.textContent('footer')).toContain('Request')
  expect(await page.evaluate('document.documentElement.scrollWidth <= innerWidth')).toBe(true)
})
