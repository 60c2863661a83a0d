// Every reason Postern can give for a refusal: one closed list, a sentence each. The sentence is the title a
// person reads; what exactly failed, and with which value, is in the refusal's own detail.

/** Why a decision was no (decide.ts). */
export const DECISION_REASONS = {
  organization_unknown: 'No organization of that name exists.',
  project_unknown: 'No project of that name exists in the organization.',
  outside_voucher: "The issuer that vouches for the caller is an organization's own and counts only there.",
  groups_absent: 'The token says nothing about groups, and the route needs a role.',
  groups_overage: 'The issuer left the groups out of the token because there are too many.',
  permission_missing: 'None of the roles of the caller gives the permission the route needs.',
} as const
export type DecisionReason = keyof typeof DECISION_REASONS

/** Why claims make no principal (principal.ts). */
export const PRINCIPAL_REASONS = {
  claim_missing: 'The token lacks a claim it must have.',
  claim_invalid: 'A claim of the token has a value it must not have.',
  access_denied: 'The issuer does not let the caller in.',
  groups_malformed: 'The groups in the token have a shape that was not declared.',
} as const
export type PrincipalReason = keyof typeof PRINCIPAL_REASONS

/** Why a token is not believed. */
export const TOKEN_REASONS = {
  token_too_large: 'The token is larger than any token may be.',
  token_malformed: 'The token is not a well-formed signed JWT.',
  token_ambiguous: 'The JSON in the token can be read in more than one way.',
  header_not_allowed: 'The header of the token has a parameter that is not accepted.',
  algorithm_not_allowed: 'The token is signed with an algorithm that its issuer may not use.',
  type_not_allowed: 'The token is of a type that its issuer may not use here.',
  kind_not_allowed: 'The token is of a kind that is never accepted as a bearer token.',
  issuer_unknown: 'No issuer of that name is trusted here.',
  issuer_ambiguous: 'Several issuer records could have issued the token, and nothing tells which did.',
  issuer_of_another_organization: 'The issuer is trusted by another organization only.',
  tenant_not_allowed: 'The token comes from a tenant that is not accepted.',
  key_unknown: 'The issuer has published no key of that id.',
  key_ambiguous: 'The token names no key, and more than one key of the issuer fits.',
  key_withdrawn: 'The key the token names has been withdrawn.',
  key_unsuitable: 'The key the token names does not fit its algorithm.',
  signature_invalid: 'The signature does not verify with the key of the issuer.',
  audience_mismatch: 'The token is meant for another audience.',
  authorized_party_mismatch: 'The token was issued to a party that is not accepted.',
  token_expired: 'The token has expired.',
  token_not_yet_valid: 'The token is not valid yet.',
  token_issued_in_future: 'The token claims to be issued in the future.',
  token_too_old: 'The token was issued longer ago than its issuer allows.',
} as const
export type TokenReason = keyof typeof TOKEN_REASONS

/** Why a request gets no further, whoever sent it. */
export const REQUEST_REASONS = {
  host_unknown: 'Nothing is served on that host.',
  path_not_canonical: 'The path can be read in more than one way.',
  route_not_found: 'No route matches the request.',
  credentials_missing: 'The request carries no credentials, and the route needs them.',
  credentials_malformed: 'The Authorization header is not of the form "Bearer <token>".',
  principal_inactive: 'The caller has been deactivated.',
  policy_unavailable: 'The policy, or a part of it that the request needs, cannot be read at the moment.',
  changes_unavailable: 'What has changed lately cannot be learned at the moment.',
  keys_unavailable: "The issuer's keys cannot be had at the moment.",
  upstream_unreachable: 'The upstream could not be reached.',
  upstream_timeout: 'The upstream did not answer in time.',
  fault: 'Something in Postern itself went wrong.',
} as const
export type RequestReason = keyof typeof REQUEST_REASONS

/** Why a session does not stand for anybody, or a request may not use it. */
export const SESSION_REASONS = {
  session_invalid: 'The session cookie was not made here, or not for this host.',
  session_ended: 'The session has been ended.',
  session_expired: 'The session was not used for too long, or has lived as long as it may.',
  cross_site_request: 'The request uses a session, and it does not come from a page that may.',
  too_many_requests: 'There have been too many attempts in a short time.',
} as const
export type SessionReason = keyof typeof SESSION_REASONS

/** Why signing in or out goes no further. Most are read by a person, on a page. */
export const SIGN_IN_REASONS = {
  sign_in_off: 'Signing in with an identity provider is switched off for the moment.',
  provider_not_offered: 'There is no identity provider of that name to sign in with.',
  provider_unavailable: 'The identity provider cannot be reached at the moment.',
  provider_refused: 'The identity provider did not sign the person in.',
  provider_misconfigured: 'The identity provider and Postern are not set up to fit each other.',
  attempt_unknown: 'The browser did not bring back the cookie that the sign-in began with.',
  attempt_expired: 'The sign-in took longer than it may.',
  attempt_used: 'The answer of the identity provider has been used already.',
  response_malformed: 'The answer of the identity provider is not as it must be.',
  response_issuer_mismatch: 'The answer comes from another identity provider than the one that was asked.',
  nonce_mismatch: 'The id_token belongs to another sign-in.',
  hash_mismatch: 'The id_token does not belong to what came with it.',
  subject_mismatch: 'Two answers of the identity provider are about different people.',
  return_to_not_allowed: 'The place to return to is not one of this instance.',
  sign_in_request_invalid: 'The request to sign in was not made by a host of this instance, or is too old.',
  ticket_invalid: 'The ticket that hands a session to this host is not valid.',
  ticket_used: 'The ticket that hands a session to this host has been used already.',
  cookies_blocked: 'The browser does not keep the cookies that signing in needs.',
  transport_not_secure: 'Signing in needs https.',
  application_unknown: 'There is no application of that client id.',
  redirect_not_registered: 'The address to go on to after signing out is not registered.',
  redirect_missing: 'The address to go on to after signing out is missing.',
  instance_unknown: 'There is no instance of that id here.',
  logout_token_invalid: 'The logout token is not valid.',
  password_wrong: 'The password is not the right one.',
  password_spent: 'The temporary password has ended, or was tried too often.',
} as const
export type SignInReason = keyof typeof SIGN_IN_REASONS

/** Why the management API does not do what it is asked. */
export const API_REASONS = {
  input_invalid: 'Something in the request is not as it must be.',
  body_too_large: 'The body of the request is larger than the operation takes.',
  media_type_not_supported: 'The body of the request is not declared as JSON.',
  method_not_allowed: 'The path has no such method.',
  not_found: 'There is no such thing, or the caller may not see it.',
  already_exists: 'There is such a thing already, or there was one.',
  name_taken: 'The name belongs to something else.',
  in_use: 'Something else still needs it.',
  set_elsewhere: 'It is set in a place that the API does not write.',
  version_required: 'A change must say which version it is made to.',
  version_conflict: 'It has been changed since the version that was read.',
  access_key_invalid: 'The key of the service account is not valid.',
  link_not_allowed: 'An identity and what a user has elsewhere may not meet in one user.',
  grant_not_allowed: 'The change gives a role that the caller may not give.',
  grant_to_self: 'The change gives the caller a role the caller does not have.',
  confirmation_needed: 'The change has an effect that must be confirmed.',
  limit_reached: 'There would be more of it than there may be.',
  document_too_large: 'What would have to be stored is too large.',
  idempotency_mismatch: 'The idempotency key came before, with another request.',
  database_unavailable: 'The database cannot be had at the moment.',
} as const
export type ApiReason = keyof typeof API_REASONS

export const REASONS = {
  ...REQUEST_REASONS,
  ...API_REASONS,
  ...SESSION_REASONS,
  ...SIGN_IN_REASONS,
  ...TOKEN_REASONS,
  ...PRINCIPAL_REASONS,
  ...DECISION_REASONS,
} as const
export type Reason = keyof typeof REASONS
