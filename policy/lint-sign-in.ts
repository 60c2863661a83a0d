// What of signing in is sound and most likely not meant. The API says the same of issuers that are written over it.
import { isEntra } from './addresses.ts'
import { groupsOf } from './presets.ts'
import type { Path } from './problems.ts'
import type { PolicyDocument } from './schema.ts'
import type { Issuer, Preset } from './schema-issuer.ts'
import type { SignIn } from './schema-sign-in.ts'
import { DEFAULT_SINGLE_SIGN_ON } from './single-sign-on.ts'
import { type Warning, warning } from './warnings.ts'

/** Products that give refresh tokens without being asked for "offline_access". */
const REFRESH_UNASKED: readonly (Preset | undefined)[] = ['cognito', 'keycloak']

/** `hasSecret`: whether a secret is kept elsewhere, where that is known. */
export function lintSignIn(issuer: Issuer, path: Path, { hasSecret = false } = {}): Warning[] {
  const { signIn } = issuer
  if (signIn === undefined) return []
  const at = [...path, 'signIn']
  return [
    ...lintSecret(signIn, at, hasSecret),
    ...lintGroups(issuer, signIn, at),
    ...lintRefresh(issuer, signIn, at),
    ...lintUnused(signIn, at),
  ]
}

/** Client authentication by a secret; `private_key_jwt` is by keys of the instance. */
function lintSecret(signIn: SignIn, at: Path, hasSecret: boolean): Warning[] {
  const { authMethod, clientAuthentication, clientSecretFrom, pkce } = signIn
  if (authMethod === 'implicit' || hasSecret || clientSecretFrom !== undefined) return []
  const bySecret = clientAuthentication?.startsWith('client_secret') ?? false
  if (bySecret) {
    const message = `"${clientAuthentication}" needs a client secret; name the secret of the Worker that holds it in "clientSecretFrom", or keep it over the API`
    return [warning('sign_in_secret_missing', [...at, 'clientAuthentication'], message)]
  }
  if (pkce || clientAuthentication === 'private_key_jwt') return []
  const message = 'is off, which only a client with a secret may do; keep PKCE, or give the client secret'
  return [warning('sign_in_secret_missing', [...at, 'pkce'], message)]
}

/** Decision T10. */
function lintGroups({ issuer, preset, groups }: Issuer, signIn: SignIn, at: Path): Warning[] {
  const isOfEntra = preset === 'entra' || isEntra(issuer)
  if (!isOfEntra || signIn.authMethod !== 'implicit' || groupsOf(preset, groups) === null) return []
  const message =
    'Microsoft Entra leaves the groups of whoever has more than five out of an id_token of the implicit flow; write "authMethod: pkce", or map application roles'
  return [warning('sign_in_groups_left_out', [...at, 'authMethod'], message)]
}

function lintRefresh({ preset }: Issuer, signIn: SignIn, at: Path): Warning[] {
  if (!signIn.refresh) return []
  const say = (message: string) => [warning('sign_in_refresh_pointless', [...at, 'refresh'], message)]
  if (signIn.authMethod === 'implicit') {
    return say('the implicit flow gives no refresh token; write "authMethod: pkce", or leave "refresh" out')
  }
  if (preset === 'google') return say('Google gives refresh tokens by a way of its own only; leave it out')
  if (REFRESH_UNASKED.includes(preset) || signIn.scopes.includes('offline_access')) return []
  return say('a refresh token is given to those who ask for it; add "offline_access" to "scopes"')
}

function lintUnused({ authMethod, clientAuthentication, endpoints }: SignIn, at: Path): Warning[] {
  if (authMethod !== 'implicit') return []
  const say = (member: Path) => {
    const message = 'is of no use: the implicit flow never asks the token endpoint'
    return warning('sign_in_part_unused', [...at, ...member], message)
  }
  const authenticates = clientAuthentication !== undefined && clientAuthentication !== 'none'
  return [
    ...(authenticates ? [say(['clientAuthentication'])] : []),
    ...(endpoints?.token === undefined ? [] : [say(['endpoints', 'token'])]),
  ]
}

export function lintSingleSignOn({ singleSignOn, routes }: PolicyDocument): Warning[] {
  const { inactivityTimeoutSeconds: inactivity, lifetimeSeconds: life } = {
    ...DEFAULT_SINGLE_SIGN_ON,
    ...singleSignOn,
  }
  const found: Warning[] = []
  if (inactivity !== undefined && life !== undefined && inactivity >= life) {
    const name = singleSignOn.lifetimeSeconds === undefined ? 'inactivityTimeoutSeconds' : 'lifetimeSeconds'
    const message = `sessions end after ${life} seconds, before ${inactivity} seconds without use are over`
    found.push(warning('inactivity_never_reached', ['singleSignOn', name], message))
  }
  for (const [id, { forwardPreflight, methods }] of Object.entries(routes)) {
    if (!forwardPreflight || methods.some((method) => method !== 'OPTIONS')) continue
    const message = 'a preflight asks for another method than OPTIONS; set it on the route of that method'
    found.push(warning('preflight_never_asked', ['routes', id, 'forwardPreflight'], message))
  }
  return found
}
