// With which identity provider to sign in: a list of links. Which are offered, and where each leads, is the caller's.
import { answerPage, checkedHref, type Html, html } from './page.ts'

export interface Choice {
  /** Its display name. */
  label: string
  href: string
  /** This browser signed in with it last. */
  last?: true
}

export interface Chooser {
  requestId: string
  /** At least one; in the order shown. */
  choices: readonly Choice[]
  /** Display name or slug of the organization they are offered for. */
  organization: string | null
  headers?: HeadersInit
}

export async function chooserPage({
  requestId,
  choices,
  organization,
  headers = [],
}: Chooser): Promise<Response> {
  const where = organization === null ? null : html` to <strong>${organization}</strong>`
  return answerPage({
    title: 'Sign in',
    status: 200,
    requestId,
    headers,
    body: html`<p>Choose how you sign in${where}.</p>
<ul class="choices">${choices.map(choiceOf)}</ul>`,
  })
}

function choiceOf({ label, href, last }: Choice): Html {
  const mark = last ? html` <span class="mark">used last time</span>` : null
  return html`<li><a href="${checkedHref(href)}">${label}${mark}</a></li>`
}
