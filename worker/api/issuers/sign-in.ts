// What is told of signing in with an issuer that is set up: addresses to paste at the identity provider, whether its
// discovery document offers what is asked of it, and where the client secret is. Pure but for the variables.
import { isEntra, isGuid } from '../../../policy/addresses.ts'
import { LOOKS_LIKE_SECRET_ID } from '../../../policy/environment-issuer.ts'
import { lintSignIn } from '../../../policy/lint-sign-in.ts'
import type { OutputOf } from '../../../policy/operations/table.ts'
import { describePath } from '../../../policy/problems.ts'
import type { Issuer } from '../../../policy/schema-issuer.ts'
import type { SignIn } from '../../../policy/schema-sign-in.ts'
import { type Environment, settingsOf } from '../../environment.ts'
import type { ProviderMetadata } from '../../keys/provider-metadata.ts'

type Resource = OutputOf<'issuers.get'>

/** [0-11], [0-12], [0-14], [0-24], [0-27]: on every gateway host, since a sign-in stays on the one it began at. */
export function urlsOf(environment: Environment): Resource['urls'] {
  const { gatewayOrigins } = settingsOf(environment)
  const at = (path: string) => gatewayOrigins.map((origin) => origin + path)
  return {
    // [4-11]
    baseUrl: gatewayOrigins[0] as string,
    redirectUris: at('/oidc/callback'),
    logoutUris: at('/logout'),
    siteRoots: at(''),
    backChannelLogoutUris: at('/oidc/backchannel-logout'),
  }
}

/** The secret itself is shown to nobody. A variable that is named goes before the database. */
export function clientSecretState(
  environment: Environment,
  settings: Issuer | null,
  isStored: boolean,
): Resource['clientSecret'] {
  const name = settings?.signIn?.clientSecretFrom
  if (name !== undefined) {
    const value = (environment as unknown as Record<string, unknown>)[name]
    return { set: typeof value === 'string' && value !== '', from: 'environment' }
  }
  return { set: isStored, from: isStored ? 'database' : null }
}

/** Sentences about what works and is doubtful, or does not work. `metadata` is of the discovery that just ran. */
export function signInWarnings(
  settings: Issuer,
  {
    secret,
    metadata,
    given,
  }: {
    secret: Resource['clientSecret']
    metadata: ProviderMetadata | null
    /** The secret that was just given. */
    given: string | null
  },
): string[] {
  const { signIn, issuer, preset } = settings
  const found: string[] = []
  if (given !== null && (preset === 'entra' || isEntra(issuer)) && isGuid(given)) {
    found.push(`The client secret ${LOOKS_LIKE_SECRET_ID}`)
  }
  if (signIn === undefined) {
    if (secret.set) found.push('It has a client secret, and nobody signs in with it ("signIn").')
    return found
  }
  if (secret.from === 'environment' && !secret.set) {
    found.push(`The Worker has no secret ${signIn.clientSecretFrom}, which is to hold its client secret.`)
  }
  const linted = lintSignIn(settings, [], { hasSecret: secret.set })
  found.push(...linted.map(({ path, message }) => `"${describePath(path)}": ${message}.`))
  if (metadata !== null && signIn.endpoints === undefined) {
    found.push(...unsupported(signIn, metadata, secret.set))
  }
  return found
}

/** What its document says nothing of may well be there: Microsoft Entra, for one, names no code challenge methods. */
function unsupported(signIn: SignIn, metadata: ProviderMetadata, hasSecret: boolean): string[] {
  const { authMethod, pkce, clientAuthentication, signOut } = signIn
  const { codeChallengeMethods, tokenAuthMethods, responseModes } = metadata
  const found: string[] = []
  if (metadata.authorizationEndpoint === null) {
    found.push(
      'Its discovery names no authorization_endpoint, so nobody can sign in; set "signIn.endpoints".',
    )
  }
  if (signOut === 'rp-initiated' && metadata.endSessionEndpoint === null) {
    found.push('Its discovery names no end_session_endpoint, so signing out ends nothing there ("signOut").')
  }
  if (authMethod === 'implicit') {
    // [0-3]
    if (responseModes !== null && !responseModes.includes('form_post')) {
      found.push('By its discovery it does not answer by form post; set "authMethod" to "pkce".')
    }
    return found
  }
  if (metadata.tokenEndpoint === null) {
    found.push(
      'Its discovery names no token_endpoint, which "authMethod: pkce" needs; set "signIn.endpoints".',
    )
  }
  // [4-9]
  if (pkce && codeChallengeMethods !== null && !codeChallengeMethods.includes('S256')) {
    found.push(
      'By its discovery it does not take PKCE with S256; set "pkce: false", which needs a client secret.',
    )
  }
  // Unset, it is by whichever of the two the document names.
  const bySecret = ['client_secret_basic', 'client_secret_post']
  const methods = clientAuthentication ? [clientAuthentication] : hasSecret ? bySecret : ['none']
  const isTaken = methods.some((method) => method === 'none' || tokenAuthMethods?.includes(method))
  if (tokenAuthMethods !== null && !isTaken) {
    const known = tokenAuthMethods.filter((name) => KNOWN_METHODS.includes(name)).join(', ')
    found.push(
      `By its discovery it does not take "${methods[0]}"; set "clientAuthentication" to one of: ${known || 'none of ours'}.`,
    )
  }
  return found
}
const KNOWN_METHODS = ['client_secret_basic', 'client_secret_post', 'private_key_jwt']
