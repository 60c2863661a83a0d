// The form for the temporary password of LOCAL_RESTORE. Whether it is right is signin/restore.ts's.
import { answerPage, checkedHref, html } from './page.ts'

export interface PasswordForm {
  requestId: string
  /** Where it is posted to, with what signing in is for. */
  action: string
  /** Where the password is to be found. */
  where: string
  /** Why it is asked once more; null the first time. */
  failed: { status: number; text: string } | null
  formAction: readonly string[]
  headers?: HeadersInit
}

export async function passwordPage(form: PasswordForm): Promise<Response> {
  const { requestId, action, where, failed, formAction, headers = [] } = form
  return answerPage({
    title: 'Sign in with the temporary password',
    status: failed?.status ?? 200,
    requestId,
    headers,
    formAction,
    body: html`${failed === null ? null : html`<p class="note" role="alert" id="failed">${failed.text}</p>`}
<p>Signing in with an identity provider is switched off while an administrator repairs something. ${where}</p>
<form method="post" action="${checkedHref(action)}">
<label for="password">Temporary password</label>
<input id="password" name="password" type="password" autocomplete="current-password" autocapitalize="none" spellcheck="false" required autofocus${failed === null ? null : html` aria-invalid="true" aria-describedby="failed"`}>
<p class="actions"><button class="button" type="submit">Sign in</button></p>
</form>`,
  })
}
