// People sign in with a real browser: cookies, sites, redirects, history and policies of pages are Chromium's own. What a
// hostile provider or a forged answer meets is the worker tier's business, signing out sign-out.test.ts's.
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { fillSignIn, greeted, isAsked, launchWithoutCookies, newPerson, submitSignIn } from './browser.ts'
import { INACTIVITY_SECONDS, type Place, useBrowser } from './browser-setting.ts'

const test = useBrowser()
const at: Place = (host, path) => test.setting.at(host, path)
const PAYMENTS = '/orgs/acme/projects/payments/hello'
const WEB = '/orgs/globex/projects/web/hello'
const SESSION = '__Host-postern-session'
const IS_WHOLE = 'document.documentElement.scrollWidth <= innerWidth'
const namesOf = (cookie = '') =>
  cookie
    .split('; ')
    .map((pair) => pair.slice(0, pair.indexOf('=')))
    .sort()

async function signIn(person: string, url: string): Promise<void> {
  await test.page.goto(url)
  await submitSignIn(test.page, person)
  expect(test.page.url()).toBe(url)
}

describe('signing in', () => {
  it('at one host, known at another on another site; back, reload and history do no harm [0-4] [2-1] [2-6] [4-1]', async () => {
    const { page } = test
    await signIn('alice', at('app.localhost', `${PAYMENTS}?q=a%26b`))
    expect(await greeted(page)).toBe('alice')
    await page.goto(at('other.localhost', '/whoami'))
    expect(page.url()).toBe(at('other.localhost', '/whoami'))
    expect(await greeted(page)).toBe('alice')
    const sessions = (await test.context.cookies()).filter(({ name }) => name === SESSION)
    expect(sessions.map(({ domain }) => domain).sort()).toEqual([
      '127.0.0.1',
      'app.localhost',
      'other.localhost',
    ])
    expect(new Set(sessions.map(({ value }) => value)).size).toBe(3)
    for (const { httpOnly, secure, sameSite, path } of sessions) {
      expect({ httpOnly, secure, sameSite, path }).toEqual({
        ...{ httpOnly: true, secure: true, sameSite: 'Lax', path: '/' },
      })
    }
    await page.goBack()
    expect(page.url()).toBe(at('app.localhost', `${PAYMENTS}?q=a%26b`))
    expect(await greeted(page)).toBe('alice')
    await page.reload()
    expect(await greeted(page)).toBe('alice')
    // Nothing that a script of the page could read.
    expect(await page.evaluate('document.cookie')).toBe('')
  })

  it('by form post: a POST from another site, which Lax cookies do not follow [0-16] [2-3]', async () => {
    const { page } = test
    const ofGateway = { value: '1', domain: '127.0.0.1', path: '/', secure: true }
    await test.context.addCookies([
      { ...ofGateway, name: 'lax', sameSite: 'Lax' },
      { ...ofGateway, name: 'none', sameSite: 'None' },
    ])
    const followed: Promise<Record<string, string>>[] = []
    const posted: typeof followed = []
    page.on('request', (request) => {
      const { hostname } = new URL(request.url())
      if (hostname === '127.0.0.1')
        (request.method() === 'POST' ? posted : followed).push(request.allHeaders())
    })
    await page.goto(at('app.localhost', WEB))
    // Two providers are offered there; a person without a mouse chooses.
    expect(await page.textContent('h1')).toBe('Sign in')
    await page.focus('a:has-text("Globex by form post")')
    await page.keyboard.press('Enter')
    expect(await isAsked(page)).toBe(true)
    await submitSignIn(page, 'erin')
    expect(page.url()).toBe(at('app.localhost', WEB))
    expect(posted).toHaveLength(1)
    const post = await posted[0]
    expect(post?.['sec-fetch-site']).toBe('cross-site')
    expect(namesOf(post?.cookie)).toEqual(['__Host-postern-attempt-0', 'none'])
    // Links from another site do bring Lax ones.
    expect(namesOf((await followed[0])?.cookie)).toEqual(['lax', 'none'])
    // The provider keeps a session of its own, and that is respected: no password where ours is gone.
    await test.context.clearCookies({ name: SESSION })
    await page.goto(at('app.localhost', WEB))
    const last = page.locator('.choices a').first()
    expect(await last.textContent()).toContain('used last')
    await last.click()
    await page.waitForURL(at('app.localhost', WEB))
    expect(await greeted(page)).toBe('erin')
  })

  it('in two tabs that were open at once: both arrive where they were going', async () => {
    const { page } = test
    const other = await test.context.newPage()
    await page.goto(at('app.localhost', '/whoami?tab=1'))
    await other.goto(at('app.localhost', '/whoami?tab=2'))
    await submitSignIn(page, 'bob')
    await submitSignIn(other, 'bob')
    expect(page.url()).toBe(at('app.localhost', '/whoami?tab=1'))
    expect(other.url()).toBe(at('app.localhost', '/whoami?tab=2'))
    expect(await greeted(other)).toBe('bob')
  })

  it('with a second click on the button', async () => {
    const { page } = test
    await page.goto(at('app.localhost', '/whoami'))
    await fillSignIn(page, 'bob')
    await page.dblclick('button >> nth=0')
    await page.waitForSelector('h1:has-text("Hello, ")')
    expect(await greeted(page)).toBe('bob')
  })

  it('an answer that is opened again leads on whoever is signed in, and tells others why not', async () => {
    const { page } = test
    const answers: string[] = []
    page.on('request', (request) => {
      if (request.url().startsWith(at('127.0.0.1', '/oidc/callback'))) answers.push(request.url())
    })
    await signIn('alice', at('app.localhost', '/whoami'))
    expect(answers).toHaveLength(1)
    const answer = answers[0] as string
    await page.goto(answer)
    expect(page.url()).toBe(at('app.localhost', '/whoami'))
    const stranger = await newPerson(test.browser)
    const their = await stranger.context.newPage()
    const response = await their.goto(answer)
    expect(response?.status()).toBe(400)
    expect(await their.textContent('h1')).toBe('You could not be signed in')
    expect(await their.textContent('main')).toContain('attempt_unknown')
    await their.click('main a')
    expect(await isAsked(their)).toBe(true)
    await stranger.context.close()
    expect(stranger.complaints).toEqual([])
  })

  it('a person who cancels reads so, and can try again', async () => {
    const { page } = test
    await page.goto(at('app.localhost', '/whoami'))
    await page.click('button[name=cancel]')
    await page.waitForURL(/127\.0\.0\.1:\d+\/oidc\/callback/)
    expect(await page.textContent('h1')).toBe('You could not be signed in')
    expect(await page.textContent('main')).toContain('provider_refused')
    await page.click('main a')
    expect(await isAsked(page)).toBe(true)
    await submitSignIn(page, 'alice')
    expect(page.url()).toBe(at('app.localhost', '/whoami'))
  })

  it('on a narrow screen and in the dark every page is whole', async () => {
    const { page } = test
    await page.setViewportSize({ width: 320, height: 568 })
    await page.emulateMedia({ colorScheme: 'dark' })
    for (const url of [
      at('127.0.0.1', '/'),
      at('app.localhost', WEB),
      at('127.0.0.1', '/oidc/callback?state=0.x&code=y'),
      at('app.localhost', `/.postern/login?return_to=${encodeURIComponent(`//${'long'.repeat(100)}`)}`),
      at('127.0.0.1', '/logout?client_id=app'),
    ]) {
      await page.goto(url)
      for (const details of await page.locator('summary').all()) await details.click()
      expect([url, await page.locator('h1').count(), await page.evaluate(IS_WHOLE)]).toEqual([url, 1, true])
    }
  })

  it('after a while without use once more [2-10]', async () => {
    const { page } = test
    await signIn('alice', at('app.localhost', '/whoami'))
    await test.setting.stack.advance(INACTIVITY_SECONDS - 20)
    await page.goto(at('app.localhost', '/whoami'))
    expect(await greeted(page)).toBe('alice')
    await test.setting.stack.advance(INACTIVITY_SECONDS + 1)
    const asked: string[] = []
    page.on('request', (request) => asked.push(new URL(request.url()).pathname))
    await test.context.clearCookies({ domain: 'localhost' })
    await page.goto(at('app.localhost', '/whoami'))
    expect(asked).toContain('/login')
    expect(await isAsked(page)).toBe(true)
    await submitSignIn(page, 'bob')
    expect(await greeted(page)).toBe('bob')
  })

  it('a script is told where to sign in and is not led there; a form of another site does nothing', async () => {
    const { page } = test
    await page.goto(at('app.localhost', '/status'))
    const ask = async () => {
      const response = await fetch('/whoami')
      const body = (await response.json()) as { login_url: string }
      return { status: response.status, redirected: response.redirected, body }
    }
    const answer = await page.evaluate(ask)
    expect(answer).toMatchObject({ status: 401, redirected: false })
    expect(answer.body.login_url).toBe(at('app.localhost', '/.postern/login'))
    await page.goto(`${answer.body.login_url}?return_to=%2Fstatus`)
    await submitSignIn(page, 'alice')
    expect(page.url()).toBe(at('app.localhost', '/status'))
    const write = async (url: string) => (await fetch(url, { method: 'POST', body: 'x' })).status
    expect(await page.evaluate(write, PAYMENTS)).toBe(200)
    const form = `<form method="post" action="${at('app.localhost', PAYMENTS)}"><button>win a prize</button></form>`
    await page.goto(test.setting.elsewhere(form))
    const [response] = await Promise.all([
      page.waitForResponse(at('app.localhost', PAYMENTS)),
      page.click('button'),
    ])
    expect(response.status()).toBe(401)
  })
})

describe('without cookies', () => {
  it.each([
    { what: 'of the gateway host', hosts: ['127.0.0.1'], reason: 'attempt_unknown' },
    { what: 'of the application', hosts: ['app.localhost'], reason: 'cookies_blocked' },
  ])('$what nobody is sent around, and the page says what to do', async ({ hosts, reason }) => {
    const folder = join(test.setting.folder, reason)
    const blocking = await launchWithoutCookies(folder, hosts)
    const tab = await blocking.newPage()
    await tab.goto(at('app.localhost', '/whoami'))
    await fillSignIn(tab, 'alice')
    await tab.keyboard.press('Enter')
    await tab.waitForSelector('footer:has-text("Request")')
    expect(await tab.textContent('main')).toMatch(/cookies/)
    expect(await tab.textContent('details')).toContain(reason)
    await blocking.close()
  })
})
