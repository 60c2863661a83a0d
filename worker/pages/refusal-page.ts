// A refusal as a page: what happened and what to do, in plain words. What exactly failed is there as well, for whoever
// is asked for help.
import { REASONS, type Reason, type SessionReason, type SignInReason } from '../../policy/reasons.ts'
import { type Problem, problemOf, refusalHeaders } from '../answers.ts'
import type { Refusal } from '../refusal.ts'
import { type Action, actionLinks, answerPage, type HeaderLines, type Html, html } from './page.ts'

export interface RefusalPageOptions {
  actions?: readonly Action[]
  frames?: 'any'
  headers?: HeaderLines
}

export async function refusalPage(
  refusal: Refusal,
  requestId: string,
  { actions = [], frames, headers }: RefusalPageOptions = {},
): Promise<Response> {
  const problem = problemOf(refusal, requestId)
  const { title, advice } = wordsOf(problem)
  const all = new Headers(headers)
  for (const [name, value] of Object.entries(refusalHeaders(problem))) all.set(name, value)
  return answerPage({
    title,
    status: problem.status,
    requestId,
    headers: all,
    ...(frames ? { frames } : {}),
    body: html`<p>${REASONS[refusal.reason]}</p>
<p>${advice}</p>
${actionLinks(actions)}
${detailsOf(problem)}`,
  })
}

function detailsOf({ reason, detail, check, subject }: Problem): Html {
  return html`<details>
<summary>Details for whoever helps you</summary>
<dl>
<dt>What failed</dt><dd>${detail}</dd>
<dt>Reason</dt><dd><code>${reason}</code>${check === undefined ? null : html` (<code>${check}</code>)`}</dd>
${subject === undefined ? null : html`<dt>Signed in as</dt><dd>${subject}</dd>`}
</dl>
</details>`
}

interface Words {
  title: string
  /** What to do. */
  advice: string
}

function wordsOf({ reason, status }: Problem): Words {
  return isOwn(reason) ? ADVICE[reason] : generalWords(status)
}

function isOwn(reason: Reason): reason is keyof typeof ADVICE {
  return Object.hasOwn(ADVICE, reason)
}

function generalWords(status: number): Words {
  if (status === 401) return { title: 'Please sign in', advice: 'Sign in, and open the page once more.' }
  if (status === 403) {
    return {
      title: 'You may not open this',
      advice: 'If you need it, ask your administrator for a role that allows it, and name the request below.',
    }
  }
  if (status === 404 || status === 405) {
    return { title: 'There is nothing here', advice: 'Check the address for a slip, or go back.' }
  }
  if (status === 429) return ADVICE.too_many_requests
  if (status >= 500) {
    return {
      title: 'This does not work at the moment',
      advice: 'Try again in a minute. If it stays so, tell your administrator, and name the request below.',
    }
  }
  return {
    title: 'This request cannot be served',
    advice:
      'Go back and try again. If it happens again, tell your administrator, and name the request below.',
  }
}

const NOT_SIGNED_IN = 'You could not be signed in'
const NOT_SIGNED_OUT = 'You could not be signed out'
const ONCE_MORE = 'Nothing is lost: begin to sign in once more.'
const TELL = 'Tell your administrator, and name the request below.'
const ONCE_MORE_OR_TELL = `Begin to sign in once more. If it happens again: ${TELL.charAt(0).toLowerCase()}${TELL.slice(1)}`

/** For each reason that people meet when they sign in or out, or while they are signed in. */
export const ADVICE: Record<SignInReason | SessionReason, Words> = {
  session_invalid: {
    title: 'You are not signed in here',
    advice: 'Sign in again. If that does not help, delete the cookies of this site first.',
  },
  session_ended: { title: 'You have been signed out', advice: 'Sign in again to go on.' },
  session_expired: {
    title: 'You have been signed out',
    advice: 'This is done after a while for your safety. Sign in again to go on.',
  },
  cross_site_request: {
    title: 'This was not done',
    advice:
      'Another site may have tried to act in your name. If you meant it yourself, open this site by its own address and do it there.',
  },
  too_many_requests: { title: 'Please wait a moment', advice: 'Try again in a minute.' },
  sign_in_off: {
    title: 'Signing in is switched off',
    advice: 'An administrator is repairing something. Whoever is signed in stays so. Try again later.',
  },
  provider_not_offered: {
    title: NOT_SIGNED_IN,
    advice: 'Begin to sign in once more, and choose one of those that are offered.',
  },
  provider_unavailable: {
    title: NOT_SIGNED_IN,
    advice: 'Try again in a minute. Whoever is signed in already can go on working.',
  },
  provider_refused: {
    title: NOT_SIGNED_IN,
    advice:
      'If you stopped it yourself, begin once more. Otherwise ask your administrator whether your account may use this application.',
  },
  provider_misconfigured: {
    title: NOT_SIGNED_IN,
    advice: `This is nothing that you can mend. ${TELL} The details below say what has to be changed.`,
  },
  attempt_unknown: {
    title: NOT_SIGNED_IN,
    advice:
      'This happens when signing in began in another browser or window, or when cookies are blocked. Begin once more, and stay in one window.',
  },
  attempt_expired: { title: NOT_SIGNED_IN, advice: ONCE_MORE },
  attempt_used: {
    title: NOT_SIGNED_IN,
    advice: `This happens when a page is loaded again or the back button is used. ${ONCE_MORE}`,
  },
  response_malformed: { title: NOT_SIGNED_IN, advice: ONCE_MORE_OR_TELL },
  response_issuer_mismatch: { title: NOT_SIGNED_IN, advice: ONCE_MORE_OR_TELL },
  nonce_mismatch: { title: NOT_SIGNED_IN, advice: ONCE_MORE_OR_TELL },
  hash_mismatch: { title: NOT_SIGNED_IN, advice: ONCE_MORE_OR_TELL },
  subject_mismatch: { title: NOT_SIGNED_IN, advice: ONCE_MORE_OR_TELL },
  return_to_not_allowed: {
    title: NOT_SIGNED_IN,
    advice: 'The link that brought you here is wrong. Open the application by its own address.',
  },
  sign_in_request_invalid: {
    title: NOT_SIGNED_IN,
    advice: 'The page was open for too long, or the link is wrong. Open the application once more.',
  },
  ticket_invalid: { title: NOT_SIGNED_IN, advice: 'Open the application once more.' },
  ticket_used: {
    title: NOT_SIGNED_IN,
    advice:
      'This happens when a page is loaded again or the back button is used. Open the application once more.',
  },
  cookies_blocked: {
    title: 'Your browser blocks cookies',
    advice:
      'Allow cookies for this site in the settings of your browser, or leave its private mode, and try again.',
  },
  transport_not_secure: {
    title: NOT_SIGNED_IN,
    advice: 'Open the page by an address that begins with https.',
  },
  application_unknown: {
    title: 'This link leads nowhere',
    advice: 'The link that brought you here is wrong. Open the application by its own address.',
  },
  redirect_not_registered: {
    title: NOT_SIGNED_OUT,
    advice: `You are still signed in. ${TELL} The address must be registered before it is used.`,
  },
  redirect_missing: {
    title: NOT_SIGNED_OUT,
    advice: 'You are still signed in. The link that brought you here is incomplete.',
  },
  instance_unknown: {
    title: 'There is nothing here',
    advice: 'The link that brought you here is wrong. Open the application by its own address.',
  },
  logout_token_invalid: { title: NOT_SIGNED_OUT, advice: TELL },
  password_wrong: { title: NOT_SIGNED_IN, advice: 'Read the password once more, and try again.' },
  password_spent: {
    title: NOT_SIGNED_IN,
    advice:
      'Deploy the Worker once more: another password is then made, and stands in its log. One of your own (LOCAL_RESTORE_PASSWORD_HASH) can be tried again after an hour.',
  },
}
