// Every way out with a real browser: by the person, by an application, by the identity provider over the back and the
// front channel, by an administrator; and what a page of another site cannot do. Break-glass stands at the end, since
// it is a way in while the others are off.
import { describe, expect, it } from 'vitest'
import { fillSignIn, greeted, isAsked, newPerson, submitSignIn } from './browser.ts'
import { type Place, useBrowser } from './browser-setting.ts'

const test = useBrowser()
const at: Place = (host, path) => test.setting.at(host, path)
const WHOAMI = '/whoami'
const WEB = '/orgs/globex/projects/web/hello'
/** By then every isolate has heard of what has ended. */
const RECHECK_SECONDS = 15

async function signIn(person: string, page = test.page): Promise<void> {
  await page.goto(at('app.localhost', WHOAMI))
  await submitSignIn(page, person)
}

/** The provider asks whether that is meant, and leads back. */
async function confirmAtProvider(page = test.page): Promise<void> {
  await page.waitForURL(/localhost:\d+\/session\/end/)
  await page.click('button[value=yes]')
}

describe('signing out', () => {
  it('at the gateway host: on every host, and at the provider [2-15] [2-24] [4-36] T5', async () => {
    const { page } = test
    await signIn('alice')
    await page.goto(at('other.localhost', WHOAMI))
    expect(await greeted(page)).toBe('alice')
    await page.goto(at('127.0.0.1', '/logout'))
    expect(await page.textContent('h1')).toBe('Sign out?')
    await page.click('button')
    await confirmAtProvider()
    await page.waitForURL(/127\.0\.0\.1:\d+\/logout\?state=/)
    expect(await page.textContent('h1')).toBe('You are signed out')
    // A host that has not heard of it yet may still know the person.
    await test.setting.stack.advance(RECHECK_SECONDS)
    for (const host of ['other.localhost', 'app.localhost'] as const) {
      await page.goto(at(host, WHOAMI))
      expect(await isAsked(page)).toBe(true)
    }
  })

  it('by a link of an application, and back to where it is registered to lead', async () => {
    const { page } = test
    await signIn('alice')
    await page.click('a:has-text("Sign out")')
    await confirmAtProvider()
    await page.waitForSelector('h1:has-text("You are signed out")')
    await page.click('a:has-text("Sign in again")')
    await signInAtGateway('alice')
    await page.waitForSelector('h1:has-text("You are signed in")')
    const back = at('app.localhost', '/status')
    const query = new URLSearchParams({ client_id: 'app', redirect_uri: back })
    await page.goto(at('127.0.0.1', `/oauth/v4/postern/cloud_directory/sso/logout?${query}`))
    await confirmAtProvider()
    await page.waitForURL(back)
    expect(await greeted(page)).toBe('whoever you are')
    await page.goto(at('app.localhost', WHOAMI))
    expect(await isAsked(page)).toBe(true)
  })

  it('at the provider, which tells over the back channel [4-33] [4-36]', async () => {
    const { page } = test
    await signIn('bob')
    await page.goto(`${test.setting.idp.issuer}/session/end`)
    await confirmAtProvider()
    await page.waitForSelector('h1:has-text("Signed out")')
    await test.setting.stack.advance(RECHECK_SECONDS)
    await page.goto(at('app.localhost', WHOAMI))
    expect(await isAsked(page)).toBe(true)
  })

  it('at the provider, whose page has our address in a frame: the front channel [0-27]', async () => {
    const { page } = test
    const forms: URLSearchParams[] = []
    page.on('request', (request) => {
      if (request.method() === 'POST') forms.push(new URLSearchParams(request.postData() ?? ''))
    })
    await page.goto(at('app.localhost', WEB))
    await page.click('a:has-text("Globex by form post")')
    await submitSignIn(page, 'erin')
    const idToken = forms.map((form) => form.get('id_token')).find((token) => token !== null) ?? ''
    const { iss, sid } = JSON.parse(Buffer.from(idToken.split('.')[1] ?? '', 'base64url').toString())
    const address = at('127.0.0.1', `/logout?${new URLSearchParams({ iss, sid })}`)
    // What no logout is meant by: such a page may not be framed, and ends nothing.
    const asking = at('127.0.0.1', '/logout')
    await page.goto(test.setting.elsewhere(`<img src="${asking}"><iframe src="${address}"></iframe>`))
    expect(await page.frameLocator('iframe').locator('h1').textContent()).toBe('Signed out')
    await test.setting.stack.advance(RECHECK_SECONDS)
    await page.goto(at('app.localhost', WEB))
    expect(await page.textContent('h1')).toBe('Sign in')
  })

  it('nobody is signed out by a picture or a link of another site', async () => {
    const { page } = test
    await signIn('alice')
    const [gateway, host] = [at('127.0.0.1', '/logout'), at('app.localhost', '/.postern/logout')]
    const content = `<img src="${gateway}"><img src="${host}"><a href="${gateway}">prize</a><a href="${host}">more</a>`
    const foreign = test.setting.elsewhere(content)
    for (const link of ['prize', 'more']) {
      await page.goto(foreign)
      await page.click(`a:has-text("${link}")`)
      await page.waitForSelector('h1:has-text("Sign out?")')
    }
    await page.goto(at('app.localhost', WHOAMI))
    expect(await greeted(page)).toBe('alice')
  })

  it('by an administrator: all sessions of a person, in each of their browsers [2-24]', async () => {
    const [phone, admin] = await Promise.all([newPerson(test.browser), newPerson(test.browser)])
    const theirs = [test.page, await phone.context.newPage()]
    for (const page of theirs) await signIn('dave', page)
    const page = await admin.context.newPage()
    await page.goto(at('127.0.0.1', '/login?return_to=/healthz'))
    await signInAtGateway('carol', page)
    await page.waitForURL(at('127.0.0.1', '/healthz'))
    const end = (headers: Record<string, string>) =>
      page.evaluate(
        async ({ headers }) => {
          const body = JSON.stringify({ issuer: 'demo', subject: 'dave' })
          const type = { 'content-type': 'application/json' }
          const init = { method: 'POST', body, headers: { ...type, ...headers } }
          return (await fetch('/api/v1/sessions:end', init)).status
        },
        { headers },
      )
    expect(await end({})).toBe(403)
    const [, token = ''] = /__Host-postern-csrf=([^;]+)/.exec(await page.evaluate('document.cookie')) ?? []
    expect(await end({ 'postern-csrf': token })).toBe(200)
    await test.setting.stack.advance(RECHECK_SECONDS)
    for (const their of theirs) {
      // The provider knows them still, which is another matter.
      await their.context().clearCookies({ domain: 'localhost' })
      await their.goto(at('app.localhost', WHOAMI))
      expect(await isAsked(their)).toBe(true)
    }
    await Promise.all([phone, admin].map(({ context }) => context.close()))
    expect([...phone.complaints, ...admin.complaints]).toEqual([])
  })
})

it('the temporary password of LOCAL_RESTORE, while whoever is signed in stays so [0-33]', async () => {
  const { setting, page } = test
  await signIn('alice')
  await setting.stack.restart({ variables: { ...setting.variables, LOCAL_RESTORE: 'true' } })
  await page.reload()
  expect(await greeted(page)).toBe('alice')
  const stranger = await newPerson(test.browser)
  const their = await stranger.context.newPage()
  await their.goto(at('app.localhost', WHOAMI))
  const said = setting.stack.logs.join('\n').match(/temporary password (\S+) within/)
  await their.fill('input[type=password]', 'wrong')
  await their.keyboard.press('Enter')
  await their.waitForSelector('h1:has-text("You could not be signed in")')
  await their.click('main a')
  await their.fill('input[type=password]', said?.[1] ?? '')
  await their.keyboard.press('Enter')
  await their.waitForURL(at('app.localhost', WHOAMI))
  expect(await greeted(their)).toBe('local-restore')
  await stranger.context.close()
  expect(stranger.complaints).toEqual([])
})

/** The provider's page, on the way to the gateway host itself. */
async function signInAtGateway(person: string, page = test.page): Promise<void> {
  await fillSignIn(page, person)
  await page.keyboard.press('Enter')
}
