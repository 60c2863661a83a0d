// The demo identity provider's pages: sign-in, sign-out and errors, each one self-contained HTML document. What
// happens when a form comes back is idp.ts's.
import { PEOPLE } from './people.ts'

/** Nothing is loaded from elsewhere. No `form-action`: browsers apply it to the redirects after a form, too. */
export const PAGE_HEADERS = {
  'content-type': 'text/html; charset=utf-8',
  'content-security-policy': "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'",
  'cache-control': 'no-store',
  'referrer-policy': 'no-referrer',
} as const

export function signInPage({ userName, problem }: { userName: string; problem: string | null }): string {
  const names = PEOPLE.map(({ name }) => `<code>${escapeHtml(name)}</code>`).join(' ')
  return page(
    'Sign in',
    `<form method="post" autocomplete="off">
      ${problem ? `<p class="problem" role="alert">${escapeHtml(problem)}</p>` : ''}
      <label for="username">User name</label>
      <input id="username" name="username" value="${escapeHtml(userName)}" autofocus required>
      <label for="password">Password</label>
      <input id="password" name="password" type="password" required>
      <button>Sign in</button>
      <button class="quiet" name="cancel" value="yes" formnovalidate>Cancel</button>
    </form>
    <p class="hint">Demo people: ${names}. The password is the name.</p>`,
  )
}

/** `form` is oidc-provider's own form, which carries the anti-forgery value. */
export function signOutPage(form: string): string {
  return page(
    'Sign out',
    `<p>Do you want to sign out of the demo identity provider?</p>
    ${form}
    <button form="op.logoutForm" name="logout" value="yes" autofocus>Sign out</button>
    <button form="op.logoutForm" class="quiet">Stay signed in</button>`,
  )
}

export function signedOutPage(): string {
  return page('Signed out', '<p>You are signed out of the demo identity provider.</p>')
}

export function errorPage(details: Record<string, unknown>): string {
  const rows = Object.entries(details)
    .filter(([, value]) => value !== undefined)
    .map(([name, value]) => `<dt>${escapeHtml(name)}</dt><dd>${escapeHtml(String(value))}</dd>`)
  return page('This did not work', `<dl>${rows.join('')}</dl>`)
}

function page(title: string, content: string): string {
  return `<!doctype html>
<html lang="en">
<head>
  <meta charset="utf-8">
  <meta name="viewport" content="width=device-width, initial-scale=1">
  <title>${title} - Postern demo identity provider</title>
  <style>${STYLE}</style>
</head>
<body>
  <main>
    <p class="brand">Postern demo identity provider</p>
    <h1>${title}</h1>
    ${content}
  </main>
</body>
</html>
`
}

function escapeHtml(text: string): string {
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
  dt { font-weight: 600 } dd { margin: 0 0 .5rem; overflow-wrap: anywhere }
`
