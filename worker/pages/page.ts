// The frame of every page that people see when they sign in or out: its HTML, how it looks, and the headers that keep
// it to itself. No page has a script. What each page says is its own file's.
import { STYLE } from './style.ts'

/** One piece of HTML. What is put into a template is text unless it is such a piece, or a list of them. */
export interface Html {
  html: string
}
export type Part = Html | string | number | null | readonly Part[]

/** Escapes whatever is put in; it stands in text or in a quoted attribute, nowhere else. */
export function html(texts: TemplateStringsArray, ...parts: Part[]): Html {
  return { html: texts.reduce((all, text, index) => `${all}${htmlOf(parts[index - 1] ?? null)}${text}`) }
}

function htmlOf(part: Part): string {
  if (part === null) return ''
  if (typeof part === 'object') return 'html' in part ? part.html : part.map(htmlOf).join('')
  return String(part).replace(/[&<>"'`]/g, (char) => `&#${char.charCodeAt(0)};`)
}

export interface Action {
  label: string
  /** A path of this host, or an http(s) address. */
  href: string
}

/** Links that look like buttons: the first is what most people want. */
export function actionLinks(actions: readonly Action[]): Html | null {
  if (actions.length === 0) return null
  return html`<p class="actions">${actions.map(({ label, href }, index) => {
    return html`<a class="${index === 0 ? 'button' : 'button second'}" href="${checkedHref(href)}">${label}</a>`
  })}</p>`
}

/** Escaping does not make an address harmless: what would run is a fault of whoever gave it. */
export function checkedHref(href: string): string {
  if (/^\/(?![/\\])/.test(href)) return href
  if (URL.canParse(href) && /^https?:$/.test(new URL(href).protocol)) return href
  throw new Error('a page may only link to a path or to an http(s) address')
}

/** What `new Headers` takes; in pairs, so that several cookies can be set. */
export type HeaderLines = ConstructorParameters<typeof Headers>[0]

export interface Page {
  /** Stands in the tab and as the page's one heading. */
  title: string
  body: Part
  status: number
  requestId: string
  /** Who may show the page in a frame: nobody, unless "any". */
  frames?: 'any'
  /** Addresses whose origins a form of the page may lead to, this host aside: Chromium asks it of redirects as well. */
  formAction?: readonly string[]
  headers?: HeaderLines
}

export async function answerPage(page: Page): Promise<Response> {
  const headers = new Headers(page.headers)
  for (const [name, value] of Object.entries(await pageHeaders(page))) headers.set(name, value)
  if (page.frames === 'any') headers.delete('x-frame-options')
  return new Response(documentOf(page).html, { status: page.status, headers })
}

/** Answered from the same text always, so its hash is too. */
let styleHash: Promise<string> | undefined

async function pageHeaders({ requestId, frames, formAction = [] }: Page): Promise<Record<string, string>> {
  styleHash ??= hashOf(STYLE)
  const forms = ["'self'", ...new Set(formAction.map((address) => new URL(address).origin))]
  const policy = [
    "default-src 'none'",
    `style-src ${await styleHash}`,
    `form-action ${forms.join(' ')}`,
    `frame-ancestors ${frames === 'any' ? '*' : "'none'"}`,
    "base-uri 'none'",
  ]
  return {
    'content-type': 'text/html; charset=utf-8',
    'content-security-policy': policy.join('; '),
    // Of browsers that do not know frame-ancestors.
    'x-frame-options': 'DENY',
    // Browsers take no notice of it over http.
    'strict-transport-security': 'max-age=31536000',
    'x-content-type-options': 'nosniff',
    'referrer-policy': 'no-referrer',
    'cross-origin-opener-policy': 'same-origin',
    'permissions-policy': 'camera=(), geolocation=(), microphone=(), payment=(), usb=()',
    'cache-control': 'no-store',
    'x-request-id': requestId,
  }
}

async function hashOf(text: string): Promise<string> {
  const digest = await crypto.subtle.digest('SHA-256', new TextEncoder().encode(text))
  return `'sha256-${btoa(String.fromCharCode(...new Uint8Array(digest)))}'`
}

function documentOf({ title, body, requestId }: Page): Html {
  return html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="robots" content="noindex">
<title>${title} · Postern</title>
<style>${{ html: STYLE }}</style>
</head>
<body>
<header><p class="product">${MARK}Postern</p></header>
<main>
<h1>${title}</h1>
${body}
</main>
<footer>Request <code>${requestId}</code></footer>
</body>
</html>
`
}

/** A small door in a wall, which is what a postern is. */
const MARK: Html = {
  html: `<svg viewBox="0 0 24 24" fill="none" stroke="currentColor" stroke-width="2" stroke-linecap="round" stroke-linejoin="round" aria-hidden="true"><path d="M3 21V5a2 2 0 0 1 2-2h14a2 2 0 0 1 2 2v16M1 21h22M8 21v-8a4 4 0 0 1 8 0v8M13 16.5v.01"/></svg>`,
}
