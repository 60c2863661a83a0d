// The issuer that variables describe ([0-8], [0-31], [0-32], [4-5] to [4-7]). A variable that says nothing that can be
// meant is left out, with a warning: it never takes anything else down. How it goes before the policy and the database
// is layers.ts's. Loads no schema, since health.ts reads it too.
import { isCognito, isEntra, isGuid, isProtected, issuerOfDocument } from './addresses.ts'
import { knownMistake } from './issuer-mistakes.ts'
import type { AuthMethod } from './schema-sign-in.ts'

/** The record that is made where no record of the instance has that `iss`. */
export const ENVIRONMENT_ISSUER_ID = 'oidc'

export const CLIENT_SECRET_VARIABLE = 'OIDC_CLIENT_SECRET'

/** Members of a record, and the variable that sets each. */
const VARIABLES = {
  issuer: 'OIDC_ISSUER',
  'signIn.clientId': 'OIDC_CLIENT_ID',
  'signIn.authMethod': 'OIDC_AUTH_METHOD',
  'signIn.scopes': 'OIDC_SCOPES',
  'groups.claim': 'OIDC_GROUPS_CLAIM',
  clientSecret: CLIENT_SECRET_VARIABLE,
} as const
export type IssuerVariable = (typeof VARIABLES)[keyof typeof VARIABLES]
export const ISSUER_VARIABLES: readonly IssuerVariable[] = Object.values(VARIABLES)

export interface EnvironmentIssuer {
  issuer: string
  clientId: string | null
  authMethod: AuthMethod | null
  scopes: string[] | null
  groupsClaim: string | null
  hasSecret: boolean
  /** What they set, and by which of them: `signIn.clientId` by OIDC_CLIENT_ID. */
  variables: Readonly<Record<string, IssuerVariable>>
}

export interface ReadVariables {
  /** Null where they describe none. */
  issuer: EnvironmentIssuer | null
  /** Sentences for people. No secret is in them. */
  warnings: string[]
}

export function environmentIssuer(
  variables: Partial<Record<IssuerVariable, string | undefined>>,
): ReadVariables {
  const warnings: string[] = []
  const said = (name: IssuerVariable) => (variables[name] ?? '').trim()
  const issuer = readAddress(said('OIDC_ISSUER'), warnings)
  if (issuer === null) {
    const others = ISSUER_VARIABLES.filter((name) => name !== 'OIDC_ISSUER' && said(name) !== '')
    if (others.length > 0) {
      warnings.push(`${others.join(', ')} count for nothing: OIDC_ISSUER does not say which issuer is meant.`)
    }
    return { issuer: null, warnings }
  }
  const read = {
    issuer,
    clientId: readClientId(said('OIDC_CLIENT_ID'), warnings),
    authMethod: readAuthMethod(said('OIDC_AUTH_METHOD'), issuer, warnings),
    scopes: readScopes(said('OIDC_SCOPES'), warnings),
    groupsClaim: readGroupsClaim(said('OIDC_GROUPS_CLAIM'), warnings),
    hasSecret: readSecret(variables.OIDC_CLIENT_SECRET ?? '', issuer, warnings),
  }
  const isSet: Record<keyof typeof VARIABLES, boolean> = {
    issuer: true,
    'signIn.clientId': read.clientId !== null,
    'signIn.authMethod': read.authMethod !== null,
    'signIn.scopes': read.scopes !== null,
    'groups.claim': read.groupsClaim !== null,
    clientSecret: read.hasSecret,
  }
  const set = Object.entries(VARIABLES).filter(([member]) => isSet[member as keyof typeof VARIABLES])
  return { issuer: { ...read, variables: Object.fromEntries(set) }, warnings }
}

const ADDRESS = /^https?:\/\/[^\s/?#@]+[^\s#]*$/
const ADDRESS_LENGTH_MAX = 2000

function readAddress(text: string, warnings: string[]): string | null {
  if (text === '') return null
  const leave = (why: string) => {
    warnings.push(`OIDC_ISSUER ${why}, so it is left out.`)
    return null
  }
  if (!ADDRESS.test(text) || text.length > ADDRESS_LENGTH_MAX) return leave('is not a URL')
  // [4-2]
  if (!isProtected(text)) return leave('does not use https')
  const mistake = knownMistake(text)
  const base = issuerOfDocument(text)
  // Discovery says whether it is one after all; the health of the issuer's keys tells of that.
  if (base === null && mistake !== null) warnings.push(`OIDC_ISSUER: ${mistake}`)
  // Auth0 is alone among them in naming itself with a slash at the end.
  if (base !== null) return /^https:\/\/[^/]+\.auth0\.com$/.test(base) ? `${base}/` : base
  return text
}

function readClientId(text: string, warnings: string[]): string | null {
  if (text === '' || text.length <= 500) return text || null
  warnings.push('OIDC_CLIENT_ID has more than 500 characters, so it is left out.')
  return null
}

/** [0-19], [0-20] */
function readAuthMethod(text: string, issuer: string, warnings: string[]): AuthMethod | null {
  const method = text.toLowerCase()
  if (method === '') return null
  if (method !== 'pkce' && method !== 'implicit') {
    warnings.push('OIDC_AUTH_METHOD is neither "pkce" nor "implicit", so it is left out.')
    return null
  }
  if (method === 'implicit' && isCognito(issuer)) {
    warnings.push(
      'OIDC_AUTH_METHOD must be "pkce" for Cognito, which gives no id_token by form post; it is left out.',
    )
    return null
  }
  return method
}

/** RFC 6749 3.3. Spaces stand between them, and commas are understood. */
const SCOPE = /^[\x21\x23-\x5b\x5d-\x7e]{1,200}$/
const SCOPES_MAX = 50

function readScopes(text: string, warnings: string[]): string[] | null {
  const scopes = [...new Set(text.split(/[\s,]+/))].filter((scope) => scope !== '')
  if (scopes.length === 0) return null
  if (scopes.length <= SCOPES_MAX && scopes.every((scope) => SCOPE.test(scope))) return scopes
  warnings.push('OIDC_SCOPES is no list of scopes, so it is left out.')
  return null
}

function readGroupsClaim(text: string, warnings: string[]): string | null {
  if (text === '') return null
  const isPath = text.includes('://') || text.split('.').every((step) => step !== '')
  if (text.length <= 200 && isPath) return text
  warnings.push('OIDC_GROUPS_CLAIM is no path of a claim, so it is left out.')
  return null
}

function readSecret(secret: string, issuer: string, warnings: string[]): boolean {
  if (secret === '') return false
  // [0-28]
  if (isEntra(issuer) && isGuid(secret)) warnings.push(`OIDC_CLIENT_SECRET ${LOOKS_LIKE_SECRET_ID}`)
  if (secret !== secret.trim()) {
    warnings.push('OIDC_CLIENT_SECRET begins or ends with a space or a line break, which is sent as well.')
  }
  return true
}

/** [0-28]: what is said of a secret after its name. */
export const LOOKS_LIKE_SECRET_ID =
  'looks like the Secret ID that Microsoft Entra shows beside a client secret; what is needed is its Value, which is shown once, when the secret is made.'

/** Whether a variable sets the member. */
export function isSetBy({ variables }: Pick<EnvironmentIssuer, 'variables'>, member: string): boolean {
  return Object.hasOwn(variables, member)
}
