// A browser as far as signing in goes: it follows redirects, keeps cookies host by host with their attributes, and tells
// where each request comes from. Names ending in .test lead to the stack; localhost and 127.0.0.1 are dialled.

import { request } from 'node:http'
import { type Answer, readAnswer, type Stack } from './stack.ts'
import { nowSeconds } from './time.ts'

const HOPS_MAX = 20

/** Milliseconds since the epoch. */
const now = () => nowSeconds() * 1000

export interface Hop {
  url: string
  method: string
  status: number
  headers: Answer['headers']
  location: string | null
}

export interface Visit extends Pick<Answer, 'status' | 'headers' | 'text'> {
  /** Of the page that the browser ends on. */
  url: string
  hops: Hop[]
}

export interface VisitOptions {
  method?: 'GET' | 'POST'
  /** Sent as a form. */
  form?: Record<string, string>
  headers?: Record<string, string>
  /** The page that leads there, or its address; without, the person typed it. */
  from?: string | Visit
}

export interface UserAgent {
  /** A navigation, to where it ends. */
  visit(url: string, options?: VisitOptions): Promise<Visit>
  /** What a script of a page sends: no redirect is followed. */
  fetch(url: string, options?: VisitOptions & { body?: string }): Promise<Visit>
  /** Cookies of a host, by their names. */
  cookies(host: string): Map<string, string>
  /** As a Set-Cookie of that host. */
  setCookie(host: string, line: string): void
  forget(): void
}

interface Cookie {
  value: string
  path: string
  sameSite: 'strict' | 'lax' | 'none'
  /** Milliseconds since the epoch. */
  expires: number
}

type Site = 'none' | 'same-origin' | 'same-site' | 'cross-site'

interface Sending {
  url: URL
  method: 'GET' | 'POST'
  body: string | undefined
  /** Between the page it comes from, with all that it came by, and where it goes. */
  site: Site
  /** The same of the page alone, which is what cookies go by. */
  own: Site
  mode: 'navigate' | 'cors'
  headers: Record<string, string>
}

export function createUserAgent({ stack }: { stack: Stack }): UserAgent {
  const jars = new Map<string, Map<string, Cookie>>()
  const jarOf = (host: string) => {
    const jar = jars.get(host) ?? new Map<string, Cookie>()
    jars.set(host, jar)
    return jar
  }

  const setCookie = (host: string, line: string) => {
    const [pair = '', ...attributes] = line.split(';').map((part) => part.trim())
    const [name, value] = [pair.slice(0, pair.indexOf('=')), pair.slice(pair.indexOf('=') + 1)]
    const said = new Map(
      attributes.map((attribute) => {
        const [key = '', ...rest] = attribute.split('=')
        return [key.toLowerCase(), rest.join('=')] as const
      }),
    )
    const expires = expiryOf(said.get('max-age'), said.get('expires'))
    if (expires <= now()) {
      jarOf(host).delete(name)
      return
    }
    const whole = said.has('secure') && said.get('path') === '/' && !said.has('domain')
    // RFC 6265bis 4.1.3.2: else the browser drops it.
    if (name.startsWith('__Host-') && !whole) throw new Error(`${name} is no cookie that a browser keeps`)
    const sameSite = (said.get('samesite')?.toLowerCase() ?? 'lax') as Cookie['sameSite']
    jarOf(host).set(name, { value, path: said.get('path') ?? '/', sameSite, expires })
  }

  const cookieHeader = (host: string, may: (cookie: Cookie) => boolean): Record<string, string> => {
    const fit = [...jarOf(host)].filter(([, cookie]) => cookie.expires > now() && may(cookie))
    return fit.length === 0 ? {} : { cookie: fit.map(([name, { value }]) => `${name}=${value}`).join('; ') }
  }

  const sendOnce = async ({ url, method, body, site, own, mode, headers }: Sending): Promise<Answer> => {
    const jar = cookieHeader(url.hostname, ({ sameSite, path }) => {
      if (!isBelow(url.pathname, path)) return false
      if (own !== 'cross-site') return true
      // Scripts of other sites get none, whether they ask for them or not: browsers keep third parties apart.
      if (mode === 'cors') return false
      if (sameSite === 'none') return true
      return sameSite === 'lax' && method === 'GET'
    })
    const all = {
      'sec-fetch-site': site,
      'sec-fetch-mode': mode,
      'sec-fetch-dest': mode === 'navigate' ? 'document' : 'empty',
      accept: mode === 'navigate' ? 'text/html,application/xhtml+xml,*/*;q=0.8' : '*/*',
      ...jar,
      ...headers,
    }
    const answer = await dial(stack, url, method, all, body)
    for (const line of answer.headers['set-cookie'] ?? []) setCookie(url.hostname, line)
    return answer
  }

  const visit: UserAgent['visit'] = async (address, options = {}) => {
    const { from } = options
    let url = new URL(address)
    let { method = 'GET' } = options
    let body = options.form && new URLSearchParams(options.form).toString()
    let site = siteBetween(from, url)
    let origin = originOf(from)
    const hops: Hop[] = []
    for (;;) {
      const posted: Record<string, string> =
        method === 'POST' ? { 'content-type': 'application/x-www-form-urlencoded', origin } : {}
      const answer = await sendOnce({
        ...{ url, method, body, site, own: siteBetween(from, url), mode: 'navigate' },
        headers: { ...posted, ...options.headers },
      })
      const { status, headers, text } = answer
      const location = headers.location ?? null
      hops.push({ url: url.href, method, status, headers, location })
      if (location === null || status < 300 || status > 399) {
        return { url: url.href, status, headers, text, hops }
      }
      if (hops.length === HOPS_MAX) throw new Error(`more than ${HOPS_MAX} redirects, at last to ${location}`)
      const next = new URL(location, url)
      // A chain that has been on another site stays cross-site, and what another origin sends on has none of its own.
      if (site !== 'none' && siteBetween(url.href, next) === 'cross-site') site = 'cross-site'
      if (next.origin !== url.origin) origin = 'null'
      if (status !== 307 && status !== 308) [method, body] = ['GET', undefined]
      url = next
    }
  }

  return {
    visit,
    fetch: async (address, options = {}) => {
      const url = new URL(address)
      const { method = 'GET', form, body = form && new URLSearchParams(form).toString() } = options
      const from = options.from ?? url.origin
      const site = siteBetween(from, url)
      const origin: Record<string, string> =
        method === 'GET' && site === 'same-origin' ? {} : { origin: addressOf(from).origin }
      const type: Record<string, string> = form ? { 'content-type': 'application/x-www-form-urlencoded' } : {}
      const headers = { ...origin, ...type, ...options.headers }
      const answer = await sendOnce({ url, method, body, site, own: site, headers, mode: 'cors' })
      const location = answer.headers.location ?? null
      const hops = [{ url: url.href, method, status: answer.status, headers: answer.headers, location }]
      return { url: url.href, status: answer.status, headers: answer.headers, text: answer.text, hops }
    },
    cookies: (host) =>
      new Map(
        [...jarOf(host)]
          .filter(([, { expires }]) => expires > now())
          .map(([name, { value }]) => [name, value]),
      ),
    setCookie,
    forget: () => jars.clear(),
  }
}

/** Every name here is a site of its own: `*.localhost` and `*.test` are no public suffixes that share one. */
function siteBetween(from: string | Visit | undefined, to: URL): Site {
  if (from === undefined) return 'none'
  const page = addressOf(from)
  if (page.origin === to.origin) return 'same-origin'
  return page.hostname === to.hostname && page.protocol === to.protocol ? 'same-site' : 'cross-site'
}

function addressOf(from: string | Visit): URL {
  return new URL(typeof from === 'string' ? from : from.url)
}

/** Of a form: a page that tells nobody where it is does not tell its origin, either. */
function originOf(from: string | Visit | undefined): string {
  if (from === undefined) return 'null'
  const isQuiet = typeof from !== 'string' && from.headers['referrer-policy'] === 'no-referrer'
  return isQuiet ? 'null' : addressOf(from).origin
}

/** RFC 6265 5.1.4. */
function isBelow(path: string, cookiePath: string): boolean {
  return path === cookiePath || path.startsWith(cookiePath.endsWith('/') ? cookiePath : `${cookiePath}/`)
}

/** Milliseconds since the epoch; RFC 6265 5.3: Max-Age goes before. */
function expiryOf(maxAge: string | undefined, expires: string | undefined): number {
  if (maxAge !== undefined) return now() + Number(maxAge) * 1000
  return expires === undefined ? Number.POSITIVE_INFINITY : Date.parse(expires)
}

function dial(
  stack: Stack,
  url: URL,
  method: string,
  headers: Record<string, string>,
  body: string | undefined,
): Promise<Answer> {
  const path = `${url.pathname}${url.search}`
  if (url.hostname.endsWith('.test')) {
    return stack.send({ host: url.host, path, method, headers, ...(body === undefined ? {} : { body }) })
  }
  return new Promise((resolve, reject) => {
    const length = body === undefined ? {} : { 'content-length': Buffer.byteLength(body) }
    const options = { host: '127.0.0.1', port: url.port, method, path }
    const asking = request({ ...options, headers: { host: url.host, ...length, ...headers } })
    asking.on('response', (response) => resolve(readAnswer(response)))
    asking.on('error', reject)
    asking.end(body)
  })
}
