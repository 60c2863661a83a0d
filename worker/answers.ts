// What refusals and faults look like on the wire: problem documents (RFC 9457) with the challenge of RFC
// 6750. Everything said is about the request; nothing of a token or a secret is ever echoed.
import { REASONS, type Reason, SESSION_REASONS } from '../policy/reasons.ts'
import { type Refusal, refuse, shown } from './refusal.ts'

/** `type` of a problem document. The name is resolved by the documentation, not by a server. */
const TYPE_PREFIX = 'urn:postern:problem:'

export interface Problem {
  type: string
  title: string
  status: number
  detail: string
  reason: Reason
  requestId: string
  check?: string
  times?: Refusal['times']
  subject?: string
}

/** What the API says besides (RFC 9457 3.2) stands beside the members that every problem has. */
export function problemOf(refusal: Refusal, requestId: string): Problem {
  const { reason, detail, check, times, subject, members } = refusal
  return {
    type: `${TYPE_PREFIX}${reason}`,
    title: REASONS[reason],
    status: statusOf(reason),
    detail,
    reason,
    requestId,
    ...(check === undefined ? {} : { check }),
    ...(times === undefined ? {} : { times }),
    ...(subject === undefined ? {} : { subject }),
    ...members,
  }
}

export function answerRefusal(refusal: Refusal, requestId: string): Response {
  const problem = problemOf(refusal, requestId)
  return new Response(`${JSON.stringify(problem, null, 2)}\n`, {
    status: problem.status,
    headers: refusalHeaders(problem),
  })
}

/** What a gateway host says of a path that none of its parts serves. */
export function refuseUnserved(method: string, path: string): Refusal {
  const detail = `${method} ${shown(path)} is nothing that a gateway host serves.`
  return refuse('route_not_found', detail, { check: 'path' })
}

/** A bug of ours, or broken infrastructure: logged whole, answered without a word of it. */
export function answerFault(error: unknown, requestId: string): Response {
  console.error(`request ${requestId}:`, error)
  return answerRefusal(refuse('fault', 'It has been logged under the request id.'), requestId)
}

/** The headers of a refusal's answer, also for callers that answer themselves (rpc.ts). */
export function refusalHeaders(problem: Problem): Record<string, string> {
  const challenge = challengeOf(problem)
  return {
    'content-type': 'application/problem+json',
    'cache-control': 'no-store',
    'x-content-type-options': 'nosniff',
    'x-request-id': problem.requestId,
    ...(challenge === null ? {} : { 'www-authenticate': challenge }),
    ...retryAfterOf(problem),
  }
}

/** Whoever comes too often waits for the limit's period (wrangler.toml). */
function retryAfterOf({ status }: Problem): Record<string, string> {
  if (status === 503) return { 'retry-after': String(RETRY_AFTER_SECONDS) }
  return status === 429 ? { 'retry-after': String(LIMIT_PERIOD_SECONDS) } : {}
}
const RETRY_AFTER_SECONDS = 5
const LIMIT_PERIOD_SECONDS = 60

function statusOf(reason: Reason): number {
  switch (reason) {
    case 'path_not_canonical':
    case 'attempt_unknown':
    case 'attempt_expired':
    case 'attempt_used':
    case 'response_malformed':
    case 'response_issuer_mismatch':
    case 'nonce_mismatch':
    case 'hash_mismatch':
    case 'subject_mismatch':
    case 'return_to_not_allowed':
    case 'sign_in_request_invalid':
    case 'ticket_invalid':
    case 'ticket_used':
    case 'cookies_blocked':
    case 'transport_not_secure':
    case 'application_unknown':
    case 'redirect_not_registered':
    case 'redirect_missing':
    case 'logout_token_invalid':
    case 'input_invalid':
      return 400
    case 'credentials_missing':
    case 'credentials_malformed':
    case 'token_too_large':
    case 'token_malformed':
    case 'token_ambiguous':
    case 'header_not_allowed':
    case 'algorithm_not_allowed':
    case 'type_not_allowed':
    case 'kind_not_allowed':
    case 'issuer_unknown':
    case 'issuer_ambiguous':
    case 'issuer_of_another_organization':
    case 'tenant_not_allowed':
    case 'key_unknown':
    case 'key_ambiguous':
    case 'key_withdrawn':
    case 'key_unsuitable':
    case 'signature_invalid':
    case 'audience_mismatch':
    case 'authorized_party_mismatch':
    case 'token_expired':
    case 'token_not_yet_valid':
    case 'token_issued_in_future':
    case 'token_too_old':
    case 'claim_missing':
    case 'claim_invalid':
    case 'groups_malformed':
    case 'access_key_invalid':
    case 'session_invalid':
    case 'session_ended':
    case 'session_expired':
    case 'password_wrong':
      return 401
    case 'organization_unknown':
    case 'project_unknown':
    case 'outside_voucher':
    case 'groups_absent':
    case 'groups_overage':
    case 'permission_missing':
    case 'access_denied':
    case 'principal_inactive':
    case 'grant_not_allowed':
    case 'grant_to_self':
    case 'cross_site_request':
    case 'provider_refused':
    case 'password_spent':
    case 'sign_in_off':
      return 403
    case 'host_unknown':
    case 'route_not_found':
    case 'not_found':
    case 'provider_not_offered':
    case 'instance_unknown':
      return 404
    case 'method_not_allowed':
      return 405
    case 'already_exists':
    case 'name_taken':
    case 'link_not_allowed':
    case 'in_use':
    case 'set_elsewhere':
    case 'confirmation_needed':
    case 'limit_reached':
      return 409
    case 'version_conflict':
      return 412
    case 'body_too_large':
    case 'document_too_large':
      return 413
    case 'media_type_not_supported':
      return 415
    case 'idempotency_mismatch':
      return 422
    case 'version_required':
      return 428
    case 'too_many_requests':
      return 429
    case 'fault':
      return 500
    case 'provider_misconfigured':
    case 'upstream_unreachable':
      return 502
    case 'keys_unavailable':
    case 'policy_unavailable':
    case 'changes_unavailable':
    case 'database_unavailable':
    case 'provider_unavailable':
      return 503
    case 'upstream_timeout':
      return 504
  }
}

/** RFC 6750 3: no error code when no credentials came, `invalid_token` or `insufficient_scope` otherwise. */
function challengeOf({ status, reason, title, detail }: Problem): string | null {
  if (status !== 401 && status !== 403) return null
  // A session is nothing that the Authorization header could mend.
  if (reason === 'credentials_missing' || Object.hasOwn(SESSION_REASONS, reason))
    return 'Bearer realm="postern"'
  const error =
    status === 403
      ? 'insufficient_scope'
      : reason === 'credentials_malformed'
        ? 'invalid_request'
        : 'invalid_token'
  // RFC 6750 3: printable ASCII without the quote and the backslash.
  const description = `${title} ${detail}`.replace(/"/g, "'").replace(/[^\x20-\x7e]|\\/g, '?')
  return `Bearer realm="postern", error="${error}", error_description="${description}"`
}
