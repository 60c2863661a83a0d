// The user agent of the worker tier (test/support/user-agent.ts) beside Chromium: the same visits to the same server, which
// must see the same of both: where a request says it comes from, and which cookies it brings.
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Browser, Page } from 'playwright-core'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { type LoopbackServer, serveLoopback } from '../../demo/loopback.ts'
import type { Stack } from '../support/stack.ts'
import { createUserAgent, type UserAgent } from '../support/user-agent.ts'
import { launchBrowser, newPerson } from './browser.ts'

let server: LoopbackServer
let browser: Browser
let seen: string[] = []

beforeAll(async () => {
  server = await serveLoopback(0, answer)
  browser = await launchBrowser()
})
afterAll(async () => {
  await browser?.close()
  await server?.close()
})

/** Two sites. */
type Host = 'localhost' | '127.0.0.1'
const at = (host: Host, path: string) => `http://${host}:${server.port}${path}`

const COOKIES = [
  'lax=1; Path=/; Secure; SameSite=Lax',
  'none=1; Path=/; Secure; SameSite=None',
  'strict=1; Path=/; Secure; SameSite=Strict',
  '__Host-ours=1; Path=/; Secure; HttpOnly; SameSite=None',
  'below=1; Path=/below; SameSite=Lax',
  'gone=1; Path=/; Max-Age=0',
  'old=1; Path=/; Expires=Thu, 01 Jan 1970 00:00:00 GMT',
]

function answer(request: IncomingMessage, response: ServerResponse): void {
  const { pathname, searchParams } = new URL(request.url ?? '', 'http://server')
  const { headers, method } = request
  if (pathname === '/favicon.ico') return void response.writeHead(404).end()
  const names = (headers.cookie ?? '').split('; ').map((pair) => pair.split('=')[0])
  const [site, mode, dest] = ['site', 'mode', 'dest'].map((name) => headers[`sec-fetch-${name}`])
  seen.push(
    `${method} ${pathname}: ${site} ${mode} ${dest}, origin ${headers.origin?.replaceAll(String(server.port), '')}, cookies ${names.sort()}`,
  )
  const to = searchParams.get('to')
  const status = Number(searchParams.get('status') ?? 200)
  const policy = searchParams.get('referrer') ?? 'strict-origin-when-cross-origin'
  response.writeHead(status, {
    'content-type': 'text/html',
    'referrer-policy': policy,
    'access-control-allow-origin': '*',
    ...(pathname === '/set' ? { 'set-cookie': COOKIES } : {}),
    ...(status > 300 && to ? { location: to } : {}),
  })
  response.end(
    `<a href="${to?.replaceAll('&', '&amp;')}">go</a><form method="post" action="${to?.replaceAll('&', '&amp;')}"><button>send</button></form>`,
  )
}

/** What somebody does on a page: it is opened, and then left by its link or its form. */
interface Visit {
  what: string
  page?: string
  by: 'typing' | 'link' | 'form' | 'script'
  to: string
}

const leading = (to: string, more = '') => `/page?to=${encodeURIComponent(to)}${more}`

const visits = (): Visit[] => {
  const here = at('127.0.0.1', '/here')
  const back = (status: number) => at('localhost', `/on?status=${status}&to=${encodeURIComponent(here)}`)
  const bounce = `/bounce?status=302&to=${encodeURIComponent(at('localhost', `/on?status=302&to=${encodeURIComponent(here)}`))}`
  return [
    { what: 'an address that is typed', by: 'typing', to: here },
    { what: 'the same by way of another site', by: 'typing', to: back(302) },
    { what: 'a path that has a cookie of its own', by: 'typing', to: at('127.0.0.1', '/below/it') },
    { what: 'a link on the same host', page: at('127.0.0.1', leading(here)), by: 'link', to: here },
    { what: 'a link on another site', page: at('localhost', leading(here)), by: 'link', to: here },
    {
      what: 'a link that comes back from another site',
      page: at('127.0.0.1', leading(bounce)),
      by: 'link',
      to: at('127.0.0.1', bounce),
    },
    { what: 'a form on the same host', page: at('127.0.0.1', leading(here)), by: 'form', to: here },
    {
      what: 'a form on a page that says nothing of itself',
      page: at('127.0.0.1', leading(here, '&referrer=no-referrer')),
      by: 'form',
      to: here,
    },
    { what: 'a form on another site', page: at('localhost', leading(here)), by: 'form', to: here },
    {
      what: 'a form that is sent on as a GET',
      page: at('localhost', leading(back(303))),
      by: 'form',
      to: back(303),
    },
    {
      what: 'a form that is sent on as a POST',
      page: at('localhost', leading(back(307))),
      by: 'form',
      to: back(307),
    },
    { what: 'a script on the same host', page: at('127.0.0.1', leading(here)), by: 'script', to: here },
    { what: 'a script on another site', page: at('localhost', leading(here)), by: 'script', to: here },
  ]
}

/** What the server has seen since, the page itself left out. */
function take(): string[] {
  const all = seen.filter((line) => !/ \/(page|set):/.test(line))
  seen = []
  return all
}

async function inChromium(page: Page, { page: start, by, to }: Visit): Promise<string[]> {
  if (start) await page.goto(start)
  take()
  if (by === 'typing') await page.goto(to)
  else if (by === 'script') {
    const ask = (url: string) => fetch(url, { credentials: 'include' }).catch(() => null)
    await page.evaluate(`(${ask})(${JSON.stringify(to)}).then(() => null)`)
  } else await Promise.all([page.waitForURL(/\/here/), page.click(by === 'link' ? 'a' : 'button')])
  return take()
}

async function inUserAgent(agent: UserAgent, { page: start, by, to }: Visit): Promise<string[]> {
  const page = start ? await agent.visit(start) : null
  take()
  const from = page ? { from: page } : {}
  if (by === 'script') await agent.fetch(to, from)
  else await agent.visit(to, { ...from, ...(by === 'form' ? { method: 'POST', form: {} } : {}) })
  return take()
}

it('the user agent of the worker tier does as Chromium does', async () => {
  const { context } = await newPerson(browser)
  const page = await context.newPage()
  const agent = createUserAgent({ stack: {} as Stack })
  for (const host of ['127.0.0.1', 'localhost'] as const) {
    await page.goto(at(host, '/set'))
    await agent.visit(at(host, '/set'))
  }
  for (const visit of visits()) {
    const [theirs, ours] = [await inChromium(page, visit), await inUserAgent(agent, visit)]
    expect(theirs.length).toBeGreaterThan(0)
    expect.soft({ what: visit.what, seen: ours }).toEqual({ what: visit.what, seen: theirs })
  }
  await context.close()
})
