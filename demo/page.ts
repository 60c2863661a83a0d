// How the demo's own pages look: each one self-contained HTML document. What stands in them is their writers'.

/** Nothing is loaded from elsewhere. No `form-action`: browsers apply it to the redirects after a form, too. */
export const PAGE_HEADERS = {
  'content-type': 'text/html; charset=utf-8',
  'content-security-policy': "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'",
  'cache-control': 'no-store',
  'referrer-policy': 'no-referrer',
} as const

export interface DemoPage {
  /** Whose page it is. */
  from: string
  title: string
  /** HTML. */
  content: string
  /** For tables. */
  width?: 'wide'
}

export function pageOf({ from, title, content, width }: DemoPage): string {
  return `<!doctype html>
<html lang="en">
<head>
  <meta charset="utf-8">
  <meta name="viewport" content="width=device-width, initial-scale=1">
  <title>${title} - ${from}</title>
  <style>${STYLE}</style>
</head>
<body>
  <main${width ? ` class="${width}"` : ''}>
    <p class="brand">${from}</p>
    <h1>${title}</h1>
    ${content}
  </main>
</body>
</html>
`
}

export function escapeHtml(text: string): string {
  const entities: Record<string, string> = {
    '&': '&amp;',
    '<': '&lt;',
    '>': '&gt;',
    '"': '&quot;',
    "'": '&#39;',
  }
  return text.replace(/[&<>"']/g, (character) => entities[character] ?? character)
}

const STYLE = `
  :root { color-scheme: light dark; --ink: #1c2330; --paper: #fff; --ground: #eef1f5; --line: #8a94a6;
    --accent: #1f4fbf; --on-accent: #fff; --problem: #a3152a }
  @media (prefers-color-scheme: dark) { :root { --ink: #e8ecf3; --paper: #1b212c; --ground: #10141b;
    --line: #78839a; --accent: #8fb0ff; --on-accent: #10141b; --problem: #ff9aa8 } }
  * { box-sizing: border-box }
  body { margin: 0; min-height: 100vh; display: grid; place-items: center; padding: 1rem;
    background: var(--ground); color: var(--ink); font: 16px/1.5 system-ui, sans-serif }
  main { width: 100%; max-width: 22rem; padding: 2rem; background: var(--paper); border-radius: 12px;
    box-shadow: 0 1px 3px #0003 }
  .brand, .hint { margin: 0; font-size: .875rem; opacity: .85 }
  .hint { margin-top: 1.25rem }
  h1 { margin: .25rem 0 1.25rem; font-size: 1.5rem; line-height: 1.2 }
  label { display: block; margin: .75rem 0 .25rem; font-weight: 600 }
  input { width: 100%; padding: .6rem .75rem; font: inherit; color: inherit; background: transparent;
    border: 1px solid var(--line); border-radius: 8px }
  button { width: 100%; margin-top: 1.25rem; padding: .65rem; font: inherit; font-weight: 600; cursor: pointer;
    color: var(--on-accent); background: var(--accent); border: 1px solid var(--accent); border-radius: 8px }
  button.quiet { margin-top: .5rem; color: var(--accent); background: transparent }
  :focus-visible { outline: 3px solid var(--accent); outline-offset: 2px }
  .problem { margin: 0; color: var(--problem); font-weight: 600 }
  main.wide { max-width: 46rem } .wide .brand { margin-bottom: .25rem }
  a { color: var(--accent) } nav { display: flex; flex-wrap: wrap; gap: .5rem 1.5rem; margin: 1.25rem 0 }
  dl { margin: 0 } dt { font-weight: 600 } dd { margin: 0 0 .5rem; overflow-wrap: anywhere }
  summary { cursor: pointer; font-weight: 600 }
  pre { margin: .75rem 0 0; font-size: .8125rem; white-space: pre-wrap; overflow-wrap: anywhere }
`
