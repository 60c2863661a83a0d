// The demo identity provider: oidc-provider, a certified OpenID provider, with the demo's people and clients
// and one grant of its own for `npm run token`. It is for demonstration and tests on one machine: passwords
// are names and consent is given by itself. Its pages, keys and records have their own files.
import type { EventEmitter } from 'node:events'
import type { IncomingMessage } from 'node:http'
import Provider, {
  type ClientMetadata,
  type Configuration,
  errors,
  type InteractionResults,
  interactionPolicy,
  type KoaContextWithOIDC,
  type TokenEndpointGrantContext,
} from 'oidc-provider'
import { type IdpKeys, loadIdpKeys } from './idp-keys.ts'
import { errorPage, signedOutPage, signInPage, signOutPage } from './idp-pages.ts'
import { memoryStore } from './idp-store.ts'
import { loopbackOrigin, serveLoopback } from './loopback.ts'
import {
  SIGNING_ALGORITHMS,
  type SigningAlgorithm,
  TOKEN_AUDIENCE,
  TOKEN_CLIENT,
  TOKEN_GRANT,
  TOKEN_SECONDS,
  TOKEN_SECONDS_MAX,
} from './names.ts'
import { PAGE_HEADERS } from './page.ts'
import { checkPassword, claimsOf, findPerson } from './people.ts'

const HOUR_SECONDS = 3600
const DAY_SECONDS = 24 * HOUR_SECONDS
const FORM_BYTES_MAX = 8192
const SCOPES = 'openid email profile groups offline_access'

export interface IdpOptions {
  /** The issuer is `http://localhost:PORT`. */
  port: number
  keysFile: string
  /** Where the clients `postern` and `postern-public` may get their answers; on loopback, any port. */
  redirectUris: readonly string[]
  postLogoutRedirectUris?: readonly string[]
  backchannelLogoutUri?: string
  /** Besides the demo's own; for tests. */
  moreClients?: readonly ClientMetadata[]
  /** Told of the provider's own faults; never of a refusal. */
  log?: (message: string) => void
}

export interface Idp {
  issuer: string
  /** Of the client `postern`. */
  clientSecret: string
  close(): Promise<void>
}

export async function startIdp(options: IdpOptions): Promise<Idp> {
  const { port, keysFile, log = console.error } = options
  const issuer = loopbackOrigin('localhost', port)
  const keys = await loadIdpKeys(keysFile)
  const provider = new Provider(issuer, configuration(options, keys))
  provider.registerGrantType(TOKEN_GRANT, issueToken, TOKEN_PARAMETERS)
  provider.on('server_error', (_ctx, error) => log(`demo IdP: ${error.stack}`))
  // Koa prints what nobody listens to; but a browser that goes away in the middle is no fault.
  const emitter: EventEmitter = provider
  emitter.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code !== 'ECONNRESET' && error.code !== 'EPIPE') log(`demo IdP: ${error.stack}`)
  })
  provider.use(async (ctx, next) => {
    if (!ctx.path.startsWith('/interaction/')) return next()
    await interact(provider, ctx as unknown as KoaContextWithOIDC)
  })
  const server = await serveLoopback(port, provider.callback())
  return { issuer, clientSecret: keys.clientSecret, close: server.close }
}

function configuration(options: IdpOptions, keys: IdpKeys): Configuration {
  return {
    adapter: memoryStore(),
    clients: clients(options, keys.clientSecret),
    clientDefaults: { id_token_signed_response_alg: 'ES256' },
    jwks: { keys: keys.signing },
    cookies: { keys: keys.cookies },
    claims: {
      openid: ['sub'],
      email: ['email', 'email_verified'],
      profile: ['name', 'given_name', 'family_name', 'preferred_username'],
      groups: ['groups'],
    },
    scopes: SCOPES.split(' '),
    // Claims go into the id_token also when an access token could fetch them, as most providers do it.
    conformIdTokenClaims: false,
    // As most providers do it, whether offline_access was consented to or not.
    issueRefreshToken: async (_ctx, client) => client.grantTypeAllowed('refresh_token'),
    responseTypes: ['code', 'id_token', 'code id_token'],
    features: {
      devInteractions: { enabled: false },
      dPoP: { enabled: false },
      backchannelLogout: { enabled: true },
      rpInitiatedLogout: {
        enabled: true,
        logoutSource: (ctx, form) => show(ctx, signOutPage(form)),
        postLogoutSuccessSource: (ctx) => show(ctx, signedOutPage()),
      },
      resourceIndicators: {
        enabled: true,
        getResourceServerInfo: (_ctx, audience) => jwtResource(audience, 'ES256'),
      },
    },
    interactions: { policy: promptForLoginOnly(), url: (_ctx, { uid }) => `/interaction/${uid}` },
    findAccount,
    extraTokenClaims: (ctx, token) => (token.kind === 'AccessToken' ? tokenClaims(ctx, token.accountId) : {}),
    loadExistingGrant: consentByItself,
    clientBasedCORS: () => false,
    renderError: (ctx, out) => show(ctx, errorPage({ ...out })),
    // oidc-provider's own dispatcher refuses loopback, where this demo's back-channel logout goes.
    fetch: (url, init) => fetch(url, { ...init, dispatcher: undefined } as object),
    ttl: {
      AccessToken: HOUR_SECONDS,
      AuthorizationCode: 60,
      Grant: DAY_SECONDS,
      IdToken: HOUR_SECONDS,
      Interaction: HOUR_SECONDS,
      RefreshToken: DAY_SECONDS,
      Session: DAY_SECONDS,
    },
  }
}

function clients(options: IdpOptions, secret: string): ClientMetadata[] {
  const relyingParty: Omit<ClientMetadata, 'client_id'> = {
    // "native" is what OpenID Connect calls a client whose redirect URIs are http on loopback.
    application_type: 'native',
    redirect_uris: [...options.redirectUris],
    post_logout_redirect_uris: [...(options.postLogoutRedirectUris ?? [])],
    ...(options.backchannelLogoutUri
      ? { backchannel_logout_uri: options.backchannelLogoutUri, backchannel_logout_session_required: true }
      : {}),
  }
  return [
    {
      ...relyingParty,
      client_id: 'postern',
      client_name: 'Postern',
      client_secret: secret,
      grant_types: ['authorization_code', 'implicit', 'refresh_token'],
      response_types: ['code', 'id_token'],
    },
    {
      ...relyingParty,
      client_id: 'postern-public',
      client_name: 'Postern (public client)',
      token_endpoint_auth_method: 'none',
      grant_types: ['authorization_code', 'refresh_token'],
      response_types: ['code'],
    },
    {
      client_id: TOKEN_CLIENT,
      client_name: 'npm run token',
      token_endpoint_auth_method: 'none',
      redirect_uris: [],
      grant_types: [TOKEN_GRANT],
      response_types: [],
    },
    ...(options.moreClients ?? []),
  ]
}

function jwtResource(audience: string, alg: SigningAlgorithm) {
  return { audience, scope: '', accessTokenFormat: 'jwt' as const, jwt: { sign: { alg } } }
}

// Signing in

function findAccount(_ctx: KoaContextWithOIDC, accountId: string) {
  const person = findPerson(accountId)
  return person && { accountId, claims: () => ({ sub: accountId, ...claimsOf(person) }) }
}

/** The demo's clients are its own, so a loopback client needs no question of its own, either. */
function promptForLoginOnly() {
  const policy = interactionPolicy.base()
  policy.get('consent')?.checks.remove('native_client_prompt')
  return policy
}

async function consentByItself(ctx: KoaContextWithOIDC) {
  const { provider, session, client, result } = ctx.oidc
  if (!session?.accountId || !client) return undefined
  const known = result?.consent?.grantId ?? session.grantIdFor(client.clientId)
  const existing = known ? await provider.Grant.find(known) : undefined
  if (existing) return existing
  const grant = new provider.Grant({ accountId: session.accountId, clientId: client.clientId })
  grant.addOIDCScope(SCOPES)
  await grant.save()
  return grant
}

/** Answers the page a person is sent to in the middle of an authorization request. */
async function interact(provider: Provider, ctx: KoaContextWithOIDC): Promise<void> {
  const interaction = await provider.interactionDetails(ctx.req, ctx.res).catch(() => null)
  if (!interaction) {
    show(ctx, errorPage({ error: 'This sign-in has ended or was started in another browser. Start again.' }))
    ctx.status = 400
    return
  }
  const finish = (result: InteractionResults) =>
    provider.interactionResult(ctx.req, ctx.res, result).then((url) => ctx.redirect(url))
  if (interaction.prompt.name === 'consent') return finish({ consent: {} })
  if (ctx.method !== 'POST') {
    const hint = interaction.params.login_hint
    return show(ctx, signInPage({ userName: typeof hint === 'string' ? hint : '', problem: null }))
  }
  const form = await readForm(ctx.req)
  if (form.has('cancel'))
    return finish({ error: 'access_denied', error_description: 'The person cancelled.' })
  const userName = form.get('username')?.trim() ?? ''
  const person = checkPassword(userName, form.get('password') ?? '')
  if (person) return finish({ login: { accountId: person.name, amr: ['pwd'] } })
  show(ctx, signInPage({ userName, problem: 'This user name and password do not match.' }))
}

async function readForm(request: IncomingMessage): Promise<URLSearchParams> {
  let form = ''
  for await (const chunk of request.setEncoding('utf8')) {
    form += chunk
    if (form.length > FORM_BYTES_MAX) return new URLSearchParams()
  }
  return new URLSearchParams(form)
}

function show(ctx: KoaContextWithOIDC, html: string): void {
  ctx.set(PAGE_HEADERS)
  ctx.body = html
}

// The demo's own grant

interface TokenParameters {
  username?: string
  password?: string
  audience?: string
  groups?: string
  expires?: string
  alg?: string
}
const TOKEN_PARAMETERS = ['username', 'password', 'audience', 'groups', 'expires', 'alg']

/** A token for a name and a password, with the audience, life and groups asked for. */
async function issueToken(ctx: TokenEndpointGrantContext<TokenParameters>): Promise<void> {
  const { provider, client, params } = ctx.oidc
  const { username = '', password = '', audience = TOKEN_AUDIENCE } = params
  const { expires = String(TOKEN_SECONDS), alg = SIGNING_ALGORITHMS[0] } = params
  const person = checkPassword(username, password)
  if (!person) throw new errors.InvalidGrant('unknown person or wrong password')
  const seconds = /^\d{1,5}$/.test(expires) ? Number(expires) : 0
  if (seconds < 1 || seconds > TOKEN_SECONDS_MAX) {
    throw new errors.InvalidRequest(`expires is not a number of seconds from 1 to ${TOKEN_SECONDS_MAX}`)
  }
  const signedWith = SIGNING_ALGORITHMS.find((known) => known === alg)
  if (!signedWith) throw new errors.InvalidRequest(`alg is not one of ${SIGNING_ALGORITHMS.join(', ')}`)
  const token = new provider.AccessToken({
    client,
    accountId: person.name,
    resourceServer: new provider.ResourceServer(audience, jwtResource(audience, signedWith)),
    expiresIn: seconds,
    gty: TOKEN_GRANT,
    grantId: '',
  })
  ctx.body = { access_token: await token.save(), token_type: 'Bearer', expires_in: seconds }
}

function tokenClaims(ctx: KoaContextWithOIDC, accountId: string) {
  const person = findPerson(accountId)
  if (!person) return {}
  const { grant_type: grantType, groups } = ctx.oidc.params ?? {}
  const overridden = grantType === TOKEN_GRANT && typeof groups === 'string'
  return { ...claimsOf(person), ...(overridden ? { groups: splitList(groups) } : {}) }
}

function splitList(list: string): string[] {
  return list
    .split(',')
    .map((entry) => entry.trim())
    .filter((entry) => entry !== '')
}
