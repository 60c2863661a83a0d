// The demo identity provider's pages: sign-in, sign-out and errors. How they look is page.ts's, and what happens when a
// form comes back idp.ts's.
import { escapeHtml, pageOf } from './page.ts'
import { PEOPLE } from './people.ts'

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
  return pageOf({ from: 'Postern demo identity provider', title, content })
}
