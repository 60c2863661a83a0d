// What the demo upstream shows to people with a browser: who Postern says they are, and the request as it came.
import { escapeHtml, pageOf } from './page.ts'
import type { Seen } from './upstream.ts'

/** What Postern says of the caller, in the order in which people ask. */
const SAID: readonly [header: string, label: string][] = [
  ['x-postern-subject', 'You are'],
  ['x-postern-email', 'E-mail'],
  ['x-postern-issuer', 'Vouched for by'],
  ['x-postern-organization', 'Organization'],
  ['x-postern-project', 'Project'],
  ['x-postern-roles', 'Roles'],
]

export function seenPage(seen: Seen): string {
  const { headers, path } = seen
  const subject = textOf(headers['x-postern-subject'])
  const rows = SAID.map(([header, label]) => {
    const value = textOf(headers[header])
    return value && `<dt>${label}</dt><dd>${escapeHtml(value.replaceAll(',', ', '))}</dd>`
  })
  const way = subject
    ? { label: 'Sign out', href: '/.postern/logout' }
    : { label: 'Sign in', href: `/.postern/login?${new URLSearchParams({ return_to: path })}` }
  return pageOf({
    from: 'Postern demo upstream',
    title: subject ? `Hello, ${escapeHtml(subject)}` : 'Hello, whoever you are',
    width: 'wide',
    content: `<dl>${rows.join('')}</dl>
    <nav><a href="${escapeHtml(way.href)}">${way.label}</a></nav>
    <details><summary>The request, as Postern has sent it on</summary>
    <pre>${escapeHtml(JSON.stringify(seen, null, 2))}</pre></details>`,
  })
}

function textOf(value: string | string[] | undefined): string {
  return decodeURIComponent(String(value ?? ''))
}
