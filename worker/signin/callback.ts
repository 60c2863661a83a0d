// The provider's answer to a sign-in: whose it is, whether it is what was asked for, what it says, and then a session and
// on to where the person wanted to go. Straight down; each way it can go wrong has its own reason, and its own page.
import { type IssuerRecord, TENANT_PLACEHOLDER } from '../../policy/compiled.ts'
import { holdPolicy } from '../documents/held.ts'
import type { Environment } from '../environment.ts'
import { frontedOrigin } from '../fronted-origin.ts'
import { refusalPage } from '../pages/refusal-page.ts'
import { type Refusal, refuse, shown } from '../refusal.ts'
import { singleSignOnOf } from '../sessions/settings.ts'
import { verifyIdToken } from '../tokens/id-token.ts'
import { type Attempt, attemptOf, useAttempt } from './attempt.ts'
import { beginSession } from './begin-session.ts'
import { limited } from './flood.ts'
import { onlyValue, readForm } from './form.ts'
import { goTo } from './go-to.ts'
import { groupsSaid } from './groups-said.ts'
import { admitPerson, completeClaims } from './identity.ts'
import { recordOfId } from './issuer-records.ts'
import { CALLBACK_PATH, originOf, presentSession } from './login.ts'
import { refuseResponse } from './provider-errors.ts'
import {
  exchangeCode,
  type RelyingParty,
  relyingPartyOf,
  signInRecord,
  type Tokens,
} from './relying-party.ts'
import { finishAt, type Target } from './target.ts'

const FORM_BYTES_MAX = 64 * 1024

export async function callback(
  environment: Environment,
  request: Request,
  requestId: string,
): Promise<Response> {
  const flooded = await limited(environment, request, 'callback')
  if (flooded) return refusalPage(flooded, requestId)
  if (environment.LOCAL_RESTORE === 'true') {
    return refusalPage(refuse('sign_in_off', 'LOCAL_RESTORE is set.'), requestId)
  }
  const read = await readResponse(request)
  if (!read.ok) return refusalPage(read, requestId, { actions: [BEGIN_AGAIN] })
  const { response } = read
  const state = onlyValue(response, 'state')
  if (state === null) return refusalPage(withoutState(response), requestId, { actions: [BEGIN_AGAIN] })
  const attempt = await attemptOf(environment, request, state)
  const refusal = attempt ? await useAttempt(environment, attempt) : refuse('attempt_unknown', NO_COOKIE)
  if (!attempt || refusal) {
    return answerStale(environment, request, requestId, { state, attempt, refusal: refusal as Refusal })
  }
  const done = await signInBy(environment, request, attempt, response)
  if (done instanceof Response) return done
  const actions = [{ label: 'Try again', href: await againHref(environment, attempt) }]
  return refusalPage(done, requestId, { actions })
}

const BEGIN_AGAIN = { label: 'Sign in', href: '/login' }
const NO_COOKIE =
  'No cookie of this browser fits the "state" of the answer. Either signing in began somewhere else, or more than five ' +
  'were begun since, or the browser does not keep cookies of this site.'

/** Parameters of the query, or of a form that the provider has the browser post: from another site, as ever. */
async function readResponse(request: Request): Promise<{ ok: true; response: URLSearchParams } | Refusal> {
  if (request.method !== 'POST') return { ok: true, response: new URL(request.url).searchParams }
  const read = await readForm(request, FORM_BYTES_MAX)
  return read.ok ? { ok: true, response: read.form } : read
}

function withoutState(response: URLSearchParams): Refusal {
  const error = onlyValue(response, 'error')
  const said = error === null ? '' : ` It says ${shown(error)}.`
  return refuse('response_malformed', `The answer does not have one "state".${said}`, { check: 'state' })
}

interface Stale {
  state: string
  attempt: Attempt | null
  refusal: Refusal
}

/**
 * The back button, a second click, an old tab: whoever has been signed in meanwhile goes on. A form that another site
 * posts does not bring the session's cookie, so the browser comes once more by itself.
 */
async function answerStale(
  environment: Environment,
  request: Request,
  requestId: string,
  { state, attempt, refusal }: Stale,
): Promise<Response> {
  if (request.method === 'POST') {
    const location = `${CALLBACK_PATH}?${new URLSearchParams({ state: state.slice(0, STATE_LENGTH_MAX) })}`
    return goTo(location)
  }
  const target: Target = attempt?.target ?? { kind: 'path', path: '/' }
  const present = await presentSession(environment, request, target)
  if (present.ok && present.session && present.goesOn) {
    return finishAt(environment, target, present.session.copy)
  }
  const href = attempt ? await againHref(environment, attempt) : BEGIN_AGAIN.href
  return refusalPage(present.ok ? refusal : present, requestId, { actions: [{ label: 'Try again', href }] })
}
const STATE_LENGTH_MAX = 100

/** The same sign-in once more; for a fronted host by opening what was to be opened there. */
async function againHref(environment: Environment, { target, issuer }: Attempt): Promise<string> {
  const link = (parameters: Record<string, string>) => `/login?${new URLSearchParams(parameters)}`
  if (target.kind === 'path') return link({ return_to: target.path, issuer })
  if (target.kind === 'host') {
    return `${frontedOrigin(environment, target.host)}${target.path}`
  }
  const policy = await holdPolicy(environment)
  const application = policy.ok
    ? policy.content.applications.find(({ redirectUris }) => redirectUris.includes(target.uri))
    : undefined
  return application ? link({ return_to: target.uri, client_id: application.clientId }) : '/login'
}

/** From an answer that belongs to a sign-in of this browser to its session. */
async function signInBy(
  environment: Environment,
  request: Request,
  attempt: Attempt,
  response: URLSearchParams,
): Promise<Response | Refusal> {
  const origin = originOf(environment, request)
  if (typeof origin !== 'string') return origin
  if (attempt.redirectUri !== `${origin}${CALLBACK_PATH}`) {
    return refuse('response_malformed', 'The answer came to another host than was asked.', { check: 'host' })
  }
  const found = await recordOfId(environment, attempt.issuer, attempt.organization)
  if (!found.ok) return found
  const record = signInRecord(found.record)
  if (record === null) {
    const detail = `Nobody signs in with the issuer "${attempt.issuer}" any more.`
    return refuse('provider_not_offered', detail, { check: 'issuer' })
  }
  const party = await relyingPartyOf(environment, record)
  if (!party.ok) return party
  const wrong = checkResponse(party, response)
  if (wrong) return wrong
  const answered = await tokensOf(environment, party, attempt, response)
  if (!answered.ok) return answered
  const { tokens, idToken, code } = answered
  const verified = await verifyIdToken(environment, record, idToken, {
    nonce: attempt.nonce,
    accessToken: tokens?.accessToken ?? null,
    code,
  })
  if (!verified.ok) return verified
  const completed = await completeClaims(environment, party, verified.claims, tokens)
  if (!completed.ok) return completed
  const admitted = await admitPerson(environment, record, completed.claims)
  if (!admitted.ok) return admitted
  const settings = await singleSignOnOf(environment)
  if ('ok' in settings) return settings
  const { target } = attempt
  const onlyHost = target.kind === 'host' && !settings.isActive ? target.host : null
  const begun = await beginSession(environment, request, {
    kind: 'sign-in',
    principal: admitted.principal,
    claims: completed.claims,
    clientId: record.signIn.clientId,
    idToken,
    refreshToken: record.signIn.refresh ? (tokens?.refreshToken ?? null) : null,
    groups: groupsSaid(record, completed.claims),
    before: onlyHost === null ? await sessionBefore(environment, request, attempt) : null,
    onlyHost,
  })
  if (!begun.ok) return begun
  return finishAt(environment, target, begun.copy, begun.cookies)
}

/** RFC 9207 2.4, then RFC 6749 4.1.2.1: what somebody else says of an error is of no interest, either. */
function checkResponse({ record, provider }: RelyingParty, response: URLSearchParams): Refusal | null {
  const iss = response.get('iss')
  // An id_token in the answer says as much, so that some leave the parameter out beside it.
  const mustName = provider.namesItself && record.signIn.authMethod !== 'implicit'
  if (iss === null ? mustName : !isNameOf(record, iss)) {
    const has = iss === null ? 'does not say whose it is' : `is that of ${shown(iss)}`
    const detail = `The answer ${has}; asked was "${record.id}", ${shown(provider.issuer)}.`
    return refuse('response_issuer_mismatch', detail, { check: 'iss' })
  }
  const error = response.get('error')
  if (error !== null) return refuseResponse(record.id, error, response.get('error_description'))
  const twice = ['iss', 'code', 'id_token'].find((name) => response.getAll(name).length > 1)
  return twice ? refuse('response_malformed', `The answer has "${twice}" twice.`, { check: twice }) : null
}

/** For issuers of several tenants the template is a name as well. */
function isNameOf({ issuers, tenants, keyOrigin }: IssuerRecord, iss: string): boolean {
  if (issuers.includes(iss)) return true
  const template = tenants !== null && 'issuer' in keyOrigin ? keyOrigin.issuer : null
  return iss === template && iss.includes(TENANT_PLACEHOLDER)
}

type Answered = { ok: true; tokens: Tokens | null; idToken: string; code: string | null } | Refusal

/** Only what was asked for is taken: a code where a code was, an id_token where an id_token was. */
async function tokensOf(
  environment: Environment,
  party: RelyingParty,
  { state, redirectUri, verifier }: Attempt,
  response: URLSearchParams,
): Promise<Answered> {
  const { record } = party
  const [code, idToken] = [response.get('code'), response.get('id_token')]
  const lacks = (what: string) => {
    return refuse('response_malformed', `The answer of "${record.id}" has no ${what}.`, { check: what })
  }
  if (record.signIn.authMethod === 'implicit') {
    return idToken === null ? lacks('id_token') : { ok: true, tokens: null, idToken, code: null }
  }
  if (code === null) return lacks('code')
  const grant = { code, iss: response.get('iss'), redirectUri, verifier, state }
  const tokens = await exchangeCode(environment, party, grant)
  if (!tokens.ok) return tokens
  if (tokens.idToken === null) {
    const detail = `The token endpoint of "${record.id}" gave no id_token; the scope "openid" must be allowed.`
    return refuse('provider_misconfigured', detail, { check: 'id_token' })
  }
  return { ok: true, tokens, idToken: tokens.idToken, code }
}

async function sessionBefore(environment: Environment, request: Request, { before, target }: Attempt) {
  const present = await presentSession(environment, request, target)
  if (!present.ok || present.session === null) return before
  const { principal, id } = present.session.copy
  return { principal, id }
}
