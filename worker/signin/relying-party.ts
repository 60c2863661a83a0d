// Postern as a relying party: what is asked of a provider and how Postern shows who it is, by openid-client. It takes the
// id_token out of an answer and hands it on as it came: tokens/id-token.ts judges it, as each kind of token is judged in
// one place only.
import type { ClientAuth, Configuration, CustomFetch, UserInfoResponse } from 'openid-client'
import type { IssuerRecord, SignInRule } from '../../policy/compiled.ts'
import { clock } from '../clock.ts'
import { type Environment, settingsOf } from '../environment.ts'
import { judgeAddress } from '../keys/address.ts'
import { type Provider, providerOf } from '../keys/provider.ts'
import { signerOf } from '../keys/signing.ts'
import { readText } from '../read-body.ts'
import { type Refusal, refuse } from '../refusal.ts'
import { CLIENT_ASSERTION_TYPE } from '../tokens/claims.ts'
import { clientSecretOf, missingSecret } from './client-secret.ts'
import { refuseProvider } from './provider-errors.ts'

/** How long an endpoint of the provider may take, and how much it may say. */
const ANSWER_TIMEOUT_SECONDS = 10
const ANSWER_BYTES_MAX = 256 * 1024

export type SignInRecord = IssuerRecord & { signIn: SignInRule }

/** A record that people sign in with; null: nobody does. */
export function signInRecord(record: IssuerRecord | null | undefined): SignInRecord | null {
  return record?.signIn ? (record as SignInRecord) : null
}

export interface RelyingParty {
  ok: true
  record: SignInRecord
  provider: Provider
  library: typeof import('openid-client')
}

export async function relyingPartyOf(
  environment: Environment,
  record: SignInRecord,
): Promise<RelyingParty | Refusal> {
  const provider = await providerOf(environment, record)
  if (!provider.ok) return provider
  // Loaded by the first who signs in: what only forwards never evaluates it.
  return { ok: true, record, provider, library: await import('openid-client') }
}

/** What a sign-in is asked for with; `verifier` null: without PKCE. */
export interface AuthorizationRequest {
  state: string
  nonce: string
  verifier: string | null
  redirectUri: string
  loginHint: string | null
}

export async function authorizationUrl(
  { library, provider, record }: RelyingParty,
  { state, nonce, verifier, redirectUri, loginHint }: AuthorizationRequest,
): Promise<URL> {
  const { signIn } = record
  const url = new URL(provider.authorizationEndpoint)
  const parameters: Record<string, string> = {
    client_id: signIn.clientId,
    redirect_uri: redirectUri,
    scope: signIn.scopes.join(' '),
    state,
    nonce,
    ...(signIn.authMethod === 'implicit'
      ? { response_type: 'id_token', response_mode: 'form_post' }
      : { response_type: 'code' }),
    // S256 whatever the provider says it supports: anything less could be chosen by whoever stands between.
    ...(verifier === null
      ? {}
      : {
          code_challenge: await library.calculatePKCECodeChallenge(verifier),
          code_challenge_method: 'S256',
        }),
    ...(loginHint === null ? {} : { login_hint: loginHint }),
  }
  for (const [name, value] of Object.entries(parameters)) url.searchParams.set(name, value)
  return url
}

/** What a token endpoint gave. */
export interface Tokens {
  ok: true
  /** As it came; nothing of it is believed yet. */
  idToken: string | null
  accessToken: string
  refreshToken: string | null
  /** For what else is asked with the same client. */
  client: Client
}

/** The client as one exchange knows it: it holds the secret, and is gone with the exchange. */
export interface Client {
  configuration: Configuration
  /** The id_token of the last answer. */
  idToken: string | null
}

/** RFC 6749 4.1.3, RFC 7636 4.5. `iss` is what the answer named itself, where it did (RFC 9207). */
export async function exchangeCode(
  environment: Environment,
  party: RelyingParty,
  grant: { code: string; iss: string | null; redirectUri: string; verifier: string | null; state: string },
): Promise<Tokens | Refusal> {
  const { library } = party
  return grantTokens(environment, party, grant.iss ?? party.provider.issuer, ({ configuration }) => {
    const url = new URL(grant.redirectUri)
    url.searchParams.set('code', grant.code)
    url.searchParams.set('state', grant.state)
    if (grant.iss !== null) url.searchParams.set('iss', grant.iss)
    return library.authorizationCodeGrant(configuration, url, {
      expectedState: grant.state,
      ...(grant.verifier === null ? {} : { pkceCodeVerifier: grant.verifier }),
    })
  })
}

/** RFC 6749 6. */
export async function exchangeRefreshToken(
  environment: Environment,
  party: RelyingParty,
  refreshToken: string,
): Promise<Tokens | Refusal> {
  return grantTokens(environment, party, party.provider.issuer, ({ configuration }) =>
    party.library.refreshTokenGrant(configuration, refreshToken),
  )
}

/** RFC 6749 4.4: a token for Postern itself, of the endpoint given. */
export async function exchangeOwnCredentials(
  environment: Environment,
  party: RelyingParty,
  { scope, tokenEndpoint }: { scope: string; tokenEndpoint: string },
): Promise<Tokens | Refusal> {
  const elsewhere = { ...party, provider: { ...party.provider, tokenEndpoint } }
  return grantTokens(environment, elsewhere, party.provider.issuer, ({ configuration }) =>
    party.library.clientCredentialsGrant(configuration, { scope }),
  )
}

async function grantTokens(
  environment: Environment,
  party: RelyingParty,
  issuer: string,
  ask: (client: Client) => Promise<{ access_token: string; refresh_token?: string }>,
): Promise<Tokens | Refusal> {
  const { provider, record } = party
  if (provider.tokenEndpoint === null) {
    const detail = `The identity provider "${record.id}" has no token endpoint; "implicit" needs none.`
    return refuse('provider_misconfigured', detail, { check: 'token_endpoint' })
  }
  const client = await clientOf(environment, party, issuer)
  if ('ok' in client) return client
  try {
    const { access_token: accessToken, refresh_token: refreshToken = null } = await ask(client)
    return { ok: true, idToken: client.idToken, accessToken, refreshToken, client }
  } catch (error) {
    return refuseProvider(party, 'The token endpoint', error)
  }
}

/** OpenID Connect Core 5.3. It must be about the same person. */
export async function fetchUserInfo(
  party: RelyingParty,
  { configuration }: Client,
  { accessToken, subject }: { accessToken: string; subject: string },
): Promise<{ ok: true; claims: UserInfoResponse } | Refusal> {
  try {
    const claims = await party.library.fetchUserInfo(configuration, accessToken, subject)
    return { ok: true, claims }
  } catch (error) {
    const { code } = error as { code?: unknown }
    if (code === 'OAUTH_JSON_ATTRIBUTE_COMPARISON_FAILED') {
      const detail = `UserInfo of "${party.record.id}" has another "sub" than the id_token.`
      return refuse('subject_mismatch', detail, { check: 'sub' })
    }
    return refuseProvider(party, 'The UserInfo endpoint', error)
  }
}

async function clientOf(
  environment: Environment,
  party: RelyingParty,
  issuer: string,
): Promise<Client | Refusal> {
  const { library, provider, record } = party
  const authentication = await authenticationOf(environment, party)
  if (typeof authentication !== 'function') return authentication
  const { tokenEndpoint, userInfoEndpoint, namesItself } = provider
  const server = {
    issuer,
    ...(tokenEndpoint === null ? {} : { token_endpoint: tokenEndpoint }),
    ...(userInfoEndpoint === null ? {} : { userinfo_endpoint: userInfoEndpoint }),
    authorization_response_iss_parameter_supported: namesItself,
  }
  const metadata = {
    [library.clockTolerance]: record.leewaySeconds,
    [library.clockSkew]: Math.round((clock.now() - Date.now()) / 1000),
  }
  const configuration = new library.Configuration(server, record.signIn.clientId, metadata, authentication)
  const client: Client = { configuration, idToken: null }
  configuration.timeout = ANSWER_TIMEOUT_SECONDS
  configuration[library.customFetch] = fetchBounded(provider, client)
  // Only the local stack; which addresses are asked over http is still judged one by one.
  if (settingsOf(environment).allowLoopback) library.allowInsecureRequests(configuration)
  return client
}

/** Follows no redirect, reads a bounded answer, and keeps the id_token apart. */
function fetchBounded({ rules, through }: Provider, client: Client): CustomFetch {
  return async (address, { method, headers, body, signal }) => {
    const wrong = judgeAddress(address, rules)
    if (wrong) throw new Error(`${address} ${wrong}`)
    const response = await through.fetch(address, {
      method,
      headers,
      redirect: 'manual',
      ...(body ? { body: body as BodyInit } : {}),
      ...(signal ? { signal } : {}),
    })
    const text = await readText(response, ANSWER_BYTES_MAX)
    if (text === null) throw new Error(`${address} answered with more than ${ANSWER_BYTES_MAX} bytes`)
    const kept = new Headers(response.headers)
    for (const name of ['content-length', 'content-encoding']) kept.delete(name)
    return new Response(takeIdToken(text, client), { status: response.status, headers: kept })
  }
}

function takeIdToken(text: string, client: Client): string {
  if (!text.includes('"id_token"')) return text
  try {
    const { id_token: idToken, ...rest } = JSON.parse(text) as { id_token?: unknown }
    client.idToken = typeof idToken === 'string' ? idToken : null
    return JSON.stringify(rest)
  } catch {
    return text
  }
}

async function authenticationOf(
  environment: Environment,
  { library, provider, record }: RelyingParty,
): Promise<ClientAuth | Refusal> {
  const method = record.signIn.clientAuthentication
  if (method === 'none') return library.None()
  if (method === 'private_key_jwt') {
    const { key, kid } = await signerOf(environment)
    return library.PrivateKeyJwt({ key, kid }, { [library.modifyAssertion]: typeAssertion })
  }
  const missing = missingSecret(environment, record)
  if (missing) return missing
  const secret = await clientSecretOf(environment, record).catch((error: Error) => {
    console.error(`the client secret of ${record.id} cannot be read: ${error.message}`)
    return refuse('database_unavailable', `The client secret of "${record.id}" cannot be read.`)
  })
  if (typeof secret === 'object' && secret !== null) return secret
  if (secret === null) {
    if (method === null) return library.None()
    const detail = `"${record.id}" is to authenticate Postern by ${method}, and has no client secret.`
    return refuse('provider_misconfigured', detail, { check: 'clientSecret' })
  }
  const methods = provider.tokenAuthMethods
  const onlyPost =
    methods !== null && !methods.includes('client_secret_basic') && methods.includes('client_secret_post')
  return method === 'client_secret_post' || (method === null && onlyPost)
    ? library.ClientSecretPost(secret)
    : library.ClientSecretBasic(secret)
}

/** By its type it is told apart from all else that we sign, so that it never passes for a bearer token. */
function typeAssertion(header: Record<string, unknown>): void {
  header.typ = CLIENT_ASSERTION_TYPE
}
