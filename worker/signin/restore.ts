// Break-glass ([0-33], [0-34]): with LOCAL_RESTORE the operator signs in by a temporary password and by nothing else, as
// GLOBAL_OWNER for that session. Every use stands in the audit log; without the log nobody comes in.

import { clock } from '../clock.ts'
import { commitAudit } from '../database/commit.ts'
import type { Environment } from '../environment.ts'
import { frontedOrigin } from '../fronted-origin.ts'
import { answerPage, html } from '../pages/page.ts'
import { refusalPage } from '../pages/refusal-page.ts'
import { type Refusal, refuse } from '../refusal.ts'
import { crossSite } from '../sessions/cross-site.ts'
import { RESTORE_PRINCIPAL } from '../sessions/principal.ts'
import { beginSession } from './begin-session.ts'
import { limited } from './flood.ts'
import { onlyValue, readForm } from './form.ts'
import { originOf, presentSession } from './login.ts'
import { finishAt, readTarget, type Target } from './target.ts'

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
  if (answer.reason === 'password_spent') return refusalPage(answer, requestId)
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
  const read = await readTarget(environment, new URL(request.url))
  if (!read.ok) return read
  return request.method === 'POST'
    ? takePassword(environment, request, requestId, read.target)
    : askForPassword(environment, request, requestId, read.target)
}

/**
 * Sessions that there are go on, to fronted hosts and applications as well. At the gateway's own pages only one that was
 * begun with the password does: whoever has another is asked for it here.
 */
async function askForPassword(
  environment: Environment,
  request: Request,
  requestId: string,
  target: Target,
): Promise<Response | Refusal> {
  const present = await presentSession(environment, request, target)
  if (!present.ok) return present
  const { session, goesOn } = present
  if (session && goesOn && (target.kind !== 'path' || session.copy.kind === 'restore')) {
    return finishAt(environment, target, session.copy)
  }
  const refusal = await prepare(environment, requestId)
  return refusal ?? passwordPage(environment, request, requestId, target)
}

async function takePassword(
  environment: Environment,
  request: Request,
  requestId: string,
  target: Target,
): Promise<Response | Refusal> {
  const cross = crossSite(environment, request, null)
  if (cross) return cross
  const posted = await readForm(request, FORM_BYTES_MAX)
  if (!posted.ok) return posted
  const unprepared = await prepare(environment, requestId)
  if (unprepared) return unprepared
  const object = environment.RESTORE.getByName('instance')
  const outcome = await object.guess(onlyValue(posted.form, 'password')?.trim() ?? '')
  // Whoever goes on guessing when there is nothing left to guess does not fill the log.
  if (outcome === 'over') return OVER
  const unaudited = await audit(environment, requestId, `restore.${outcome}`)
  if (unaudited) return unaudited
  if (outcome === 'wrong') return refuse('password_wrong', 'It is not the temporary password.')
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
  return finishAt(environment, target, begun.copy, begun.cookies)
}

const OVER = refuse('password_spent', 'Its hour is over, or it was tried too often.')

/** Has a password made where this deployment has had none; a refusal where there is none to be asked for. */
async function prepare(environment: Environment, requestId: string): Promise<Refusal | null> {
  const object = environment.RESTORE.getByName('instance')
  const state = await object.state()
  if (state === 'over') return OVER
  if (state === 'alive') return null
  // Before it is made: what cannot be written down does not happen.
  const unaudited = await audit(environment, requestId, 'restore.password')
  if (unaudited) return unaudited
  await object.prepare()
  return null
}

/** A refusal when it cannot be written: nobody comes in unseen. */
async function audit(
  environment: Environment,
  requestId: string,
  operation: string,
): Promise<Refusal | null> {
  const { kind, issuer, subject, email } = RESTORE_PRINCIPAL
  try {
    const context = { operation, actor: { kind, issuer, subject, email }, requestId, at: clock.now() }
    const target = { kind: 'restore', id: 'LOCAL_RESTORE' }
    const entry = { chain: '', target, before: null, after: null }
    const committed = await commitAudit(environment.DB, context, entry)
    if (committed.ok) return null
    console.error(`request ${requestId}: ${operation} is not in the audit log: ${committed.reason}`)
  } catch (error) {
    console.error(`request ${requestId}: ${operation} is not in the audit log:`, error)
  }
  return refuse('database_unavailable', 'It has to stand in the audit log, which cannot be written now.')
}

function passwordPage(
  environment: Environment,
  request: Request,
  requestId: string,
  target: Target,
): Promise<Response> {
  const { pathname, search } = new URL(request.url)
  const where = environment.LOCAL_RESTORE_PASSWORD_HASH
    ? 'The password is the one that LOCAL_RESTORE_PASSWORD_HASH was made of.'
    : 'The password stands in the log of the Worker; it is good for an hour.'
  return answerPage({
    title: 'Sign in with the temporary password',
    status: 200,
    requestId,
    formAction: onwardOf(environment, target),
    body: html`<p>Signing in with an identity provider is switched off. ${where}</p>
<form method="post" action="${pathname}${search}">
<p><label for="password">Temporary password</label>
<input id="password" name="password" type="password" autocomplete="off" autocapitalize="none" spellcheck="false" autofocus required></p>
<p class="actions"><button class="button">Sign in</button></p>
</form>`,
  })
}

/** Where the answer to the form redirects to. */
function onwardOf(environment: Environment, target: Target): string[] {
  switch (target.kind) {
    case 'path':
      return []
    case 'host':
      return [frontedOrigin(environment, target.host)]
    case 'application':
      return [target.uri]
  }
}
