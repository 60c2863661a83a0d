// Break-glass ([0-33], [0-34]): with LOCAL_RESTORE the operator signs in by a temporary password and by nothing else, as
// GLOBAL_OWNER for that session. Every use stands in the audit log; without the log nobody comes in.

import { clock } from '../clock.ts'
import { commit } from '../database/commit.ts'
import type { Environment } from '../environment.ts'
import { answerPage, html } from '../pages/page.ts'
import { refusalPage } from '../pages/refusal-page.ts'
import { type Refusal, refuse } from '../refusal.ts'
import { crossSite } from '../sessions/cross-site.ts'
import { RESTORE_PRINCIPAL } from '../sessions/principal.ts'
import { beginSession } from './begin-session.ts'
import { limited } from './flood.ts'
import { onlyValue, readForm } from './form.ts'
import { originOf } from './login.ts'
import { finishAt, readTarget } from './target.ts'

const FORM_BYTES_MAX = 4096

/** `GET` and `POST /login` while LOCAL_RESTORE is "true". */
export async function restoreLogin(
  environment: Environment,
  request: Request,
  requestId: string,
): Promise<Response> {
  const flooded = await limited(environment, request, 'restore')
  if (flooded) return refusalPage(flooded, requestId)
  const answer = await restore(environment, request, requestId)
  if (answer instanceof Response) return answer
  const { pathname, search } = new URL(request.url)
  const actions = [{ label: 'Try again', href: `${pathname}${search}` }]
  return refusalPage(answer, requestId, { actions })
}

async function restore(
  environment: Environment,
  request: Request,
  requestId: string,
): Promise<Response | Refusal> {
  const origin = originOf(environment, request)
  if (typeof origin !== 'string') return origin
  const target = await readTarget(environment, new URL(request.url))
  if (!target.ok) return target
  const object = environment.RESTORE.getByName('instance')
  if (request.method !== 'POST') {
    if (await object.prepare()) await audit(environment, requestId, 'restore.password')
    return passwordPage(request, requestId)
  }
  const cross = crossSite(request, null)
  if (cross) return cross
  const read = await readForm(request, FORM_BYTES_MAX)
  if (!read.ok) return read
  const outcome = await object.guess(onlyValue(read.form, 'password')?.trim() ?? '')
  await audit(environment, requestId, `restore.${outcome}`)
  if (outcome === 'spent') return refuse('password_spent', 'It was tried too often within the hour.')
  if (outcome === 'wrong') return refuse('password_wrong', 'It is not the one in the log.')
  const begun = await beginSession(environment, request, {
    kind: 'restore',
    principal: RESTORE_PRINCIPAL,
    claims: {},
    clientId: '',
    idToken: null,
    refreshToken: null,
    groups: null,
    before: null,
    onlyHost: null,
  })
  if (!begun.ok) return begun
  const response = await finishAt(environment, request, target.target, begun.copy)
  for (const cookie of begun.cookies) response.headers.append('set-cookie', cookie)
  return response
}

/** Throws when it cannot be written: nobody comes in unseen. */
async function audit(environment: Environment, requestId: string, operation: string): Promise<void> {
  const { kind, issuer, subject, email } = RESTORE_PRINCIPAL
  const committed = await commit(environment.DB, {
    operation,
    actor: { kind, issuer, subject, email },
    requestId,
    at: clock.now(),
    documents: [],
    derived: [],
    audit: [{ chain: '', target: { kind: 'restore', id: 'LOCAL_RESTORE' }, before: null, after: null }],
  })
  if (!committed.ok) throw new Error(`the use of LOCAL_RESTORE is not in the audit: ${committed.reason}`)
}

function passwordPage(request: Request, requestId: string): Promise<Response> {
  const { pathname, search } = new URL(request.url)
  return answerPage({
    title: 'Sign in with the temporary password',
    status: 200,
    requestId,
    body: html`<p>Signing in with an identity provider is switched off. The password stands in the log of the Worker; it is
good for an hour.</p>
<form method="post" action="${pathname}${search}">
<p><label for="password">Temporary password</label></p>
<p><input id="password" name="password" type="password" autocomplete="off" autofocus required></p>
<p class="actions"><button class="button">Sign in</button></p>
</form>`,
  })
}
