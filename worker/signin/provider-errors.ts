// What providers say when something is wrong, at the authorization endpoint and at the others, and what an admin should
// look at. Their words are shown bounded and quoted; ours say what to do.
import { type Refusal, refuse, shown } from '../refusal.ts'
import type { RelyingParty } from './relying-party.ts'

/** RFC 6749 4.1.2.1 and OpenID Connect Core 3.1.2.6: those that say "not now" or "not this person". */
const REFUSED: readonly string[] = [
  'access_denied',
  'login_required',
  'interaction_required',
  'consent_required',
  'account_selection_required',
  'server_error',
  'temporarily_unavailable',
]

/** Those that a change of the configuration mends. */
const MISCONFIGURED: Record<string, string> = {
  invalid_scope: 'Its scopes (signIn.scopes) must be those that the provider lets this client ask for.',
  unauthorized_client:
    'The client must be allowed this flow at the provider (signIn.authMethod, grant types).',
  unsupported_response_type:
    'The client must be allowed this flow at the provider: "pkce" needs the authorization code, "implicit" id_tokens.',
  unsupported_response_mode: 'The provider must support response_mode=form_post, or "authMethod" be "pkce".',
  invalid_request: 'Most often the redirect URI is not registered at the provider, letter by letter.',
  invalid_request_uri: 'The provider does not take the request as it is.',
  request_not_supported: 'The provider does not take the request as it is.',
}

/** The error of an authorization response. */
export function refuseResponse(id: string, error: string, description: string | null): Refusal {
  const said = `The identity provider "${id}" says ${shown(error)}${description ? `: ${shown(description)}` : ''}.`
  const hint = Object.hasOwn(MISCONFIGURED, error) ? MISCONFIGURED[error] : undefined
  if (hint !== undefined) return refuse('provider_misconfigured', `${said} ${hint}`, { check: 'error' })
  const known = REFUSED.includes(error) ? '' : ' It is no error that OpenID Connect knows.'
  return refuse('provider_refused', `${said}${known}`, { check: 'error' })
}

interface ClientFault {
  code?: unknown
  /** RFC 6749 5.2, of a body that names one. */
  error?: unknown
  error_description?: unknown
  status?: unknown
  response?: unknown
  cause?: unknown
  message?: string
}

/** What went wrong at an endpoint that was asked; `where` begins a sentence. */
export function refuseProvider({ record }: RelyingParty, where: string, thrown: unknown): Refusal {
  const fault = (typeof thrown === 'object' && thrown !== null ? thrown : {}) as ClientFault
  const at = `${where} of "${record.id}"`
  const status = statusOf(fault)
  const error = typeof fault.error === 'string' ? fault.error : null
  const description = typeof fault.error_description === 'string' ? fault.error_description : null
  const said = `${at} says ${shown(error ?? '')}${description ? `: ${shown(description)}` : ''}.`
  if (error === 'invalid_grant') return refuse('attempt_used', said, { check: 'code' })
  if (error === 'invalid_client' || error === 'unauthorized_client' || (error === null && status === 401)) {
    const start = error === null ? `${at} does not know Postern as its client (status 401).` : said
    return refuse('provider_misconfigured', `${start} ${CLIENT_HINT}`, { check: 'client' })
  }
  if (error !== null) {
    const hint = Object.hasOwn(MISCONFIGURED, error) ? ` ${MISCONFIGURED[error]}` : ''
    return refuse('provider_misconfigured', `${said}${hint}`, { check: 'error' })
  }
  if (status !== null && status < 500) {
    const redirect = status >= 300 && status < 400 ? ', and redirects are not followed' : ''
    const detail =
      status === 200 ? `${at} answered with something unexpected.` : `${at} answered ${status}${redirect}.`
    return refuse('provider_misconfigured', detail, { check: 'endpoint' })
  }
  const how = status === null ? 'could not be reached, or did not answer in time' : `answered ${status}`
  return refuse('provider_unavailable', `${at} ${how}.`, { check: 'endpoint' })
}

/** [0-28]. */
const CLIENT_HINT =
  "Check the client id, and that the client secret is the secret's Value, not its id (Entra shows both), and has not " +
  'expired; and how Postern authenticates there (signIn.clientAuthentication): a client without a secret needs "none".'

/** The status of the answer, wherever the library keeps it; null: no answer came. */
function statusOf(fault: ClientFault): number | null {
  for (const holder of [fault, fault.response, fault.cause]) {
    const status = (holder as { status?: unknown } | null | undefined)?.status
    if (typeof status === 'number') return status
  }
  // It answered, and not as it must.
  return typeof fault.code === 'string' && ANSWERED.test(fault.code) ? 200 : null
}
const ANSWERED = /^OAUTH_(?:INVALID_RESPONSE|PARSE_ERROR|RESPONSE_IS_NOT_JSON|UNSUPPORTED_OPERATION)$/
