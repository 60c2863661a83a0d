// A question with one button: what somebody else's page must not be able to do by a mere link.
import { type Action, answerPage, checkedHref, html } from './page.ts'

export interface Confirmation {
  requestId: string
  title: string
  /** What pressing the button does. */
  text: string
  button: string
  /** Where the form is posted to: a path of this host. */
  action: string
  /** Hidden fields. */
  fields?: Readonly<Record<string, string>>
  /** The way out, a link beside the button. */
  cancel?: Action
  /** Where the answer to the form may lead on to. */
  formAction?: readonly string[]
  frames?: 'any'
  headers?: HeadersInit
}

export async function confirmPage(confirmation: Confirmation): Promise<Response> {
  const { requestId, title, text, button, action, fields = {}, cancel } = confirmation
  const { formAction = [], frames, headers = [] } = confirmation
  const hidden = Object.entries(fields).map(([name, value]) => {
    return html`<input type="hidden" name="${name}" value="${value}">`
  })
  const way = cancel
    ? html`<a class="button second" href="${checkedHref(cancel.href)}">${cancel.label}</a>`
    : null
  return answerPage({
    title,
    status: 200,
    requestId,
    headers,
    formAction,
    ...(frames ? { frames } : {}),
    body: html`<p>${text}</p>
<form method="post" action="${checkedHref(action)}">${hidden}
<p class="actions"><button class="button" type="submit">${button}</button>${way}</p>
</form>`,
  })
}
