// The shape of what an issuer record says of signing in: Postern as its relying party. Secrets never stand here.
import { z } from 'zod'

export const SIGN_IN_SCOPES = ['openid', 'profile', 'email']

/** [0-20]; decision T10. */
export const AuthMethod = z.enum(['pkce', 'implicit'])
export type AuthMethod = z.infer<typeof AuthMethod>

/** OpenID Connect Core 9. */
export const ClientAuthentication = z.enum([
  'none',
  'client_secret_basic',
  'client_secret_post',
  'private_key_jwt',
])
export type ClientAuthentication = z.infer<typeof ClientAuthentication>

/** Decision T5. Unset: local, and at the issuer as well when its discovery names an end_session_endpoint. */
export const SignOut = z.enum(['local', 'rp-initiated', 'none'])
export type SignOut = z.infer<typeof SignOut>

const Address = z
  .string()
  .max(2000)
  .regex(/^https?:\/\/[^\s/?#]+[^\s#]*$/, 'must be an http or https URL')

export const SignIn = z
  .strictObject({
    clientId: z.string().min(1).max(500).describe('The "client_id" that the issuer knows Postern by.'),
    authMethod: AuthMethod.default('pkce').describe(
      '"pkce": authorization code; "implicit": an id_token by form post, for issuers that give nothing else.',
    ),
    clientAuthentication: ClientAuthentication.optional().describe(
      'How Postern shows at the token endpoint who it is. Unset: by "client_secret_basic" with a secret, else not at all.',
    ),
    clientSecretFrom: z
      .string()
      .regex(
        /^[A-Z][A-Z0-9_]{0,63}$/,
        'must be the name of a secret of the Worker, such as OKTA_CLIENT_SECRET',
      )
      .optional()
      .describe('The secret of the Worker (wrangler secret put) that holds the client secret.'),
    pkce: z
      .boolean()
      .default(true)
      .describe('Off only for issuers that refuse PKCE from clients with a secret.'),
    scopes: z
      .array(z.string().regex(/^[\x21\x23-\x5b\x5d-\x7e]{1,200}$/, 'must be a scope (RFC 6749 3.3)'))
      .min(1)
      .max(50)
      .default(SIGN_IN_SCOPES)
      .describe('"openid" is always asked for.'),
    label: z.string().min(1).max(100).optional().describe('What people choose it by; its id unless set.'),
    emailDomains: z
      .array(
        z
          .string()
          .max(253)
          .regex(/^[a-z0-9-]+(\.[a-z0-9-]+)+$/, 'must be a domain in lower case'),
      )
      .max(1000)
      .default([])
      .describe('People with an address there are sent to it without having to choose.'),
    signOut: SignOut.optional().describe('What signing out does at the issuer.'),
    refresh: z
      .boolean()
      .default(false)
      .describe('Keeps a refresh token, sealed, to learn of new groups without the browser.'),
    endpoints: z
      .strictObject({
        authorization: Address,
        token: Address.optional(),
        userInfo: Address.optional(),
        endSession: Address.optional(),
      })
      .optional()
      .describe('For issuers without discovery.'),
    graph: z
      .strictObject({ endpoint: Address.default('https://graph.microsoft.com') })
      .optional()
      .describe('Asks Microsoft Graph for the groups of people who have too many for a token.'),
  })
  .meta({ id: 'SignIn', description: 'Postern as a relying party of the issuer, for people with a browser.' })
export type SignIn = z.infer<typeof SignIn>

/** A client of single sign-on. */
export const Application = z
  .strictObject({
    displayName: z.string().min(1).max(200).optional(),
    clientId: z.string().min(1).max(200),
    hosts: z
      .array(z.string().regex(/^[a-z0-9.-]+$/, 'must be a host name in lower case, without a port'))
      .default([])
      .describe('Fronted hosts that belong to it, and trust each other.'),
    redirectUris: z
      .array(Address)
      .max(100)
      .default([])
      .describe('Where a sign-in may lead back to, exactly.'),
    logoutRedirectUris: z
      .array(Address)
      .max(100)
      .default([])
      .describe('Where a sign-out may lead to, exactly.'),
  })
  .meta({ id: 'Application', description: 'A registered client of single sign-on.' })
export type Application = z.infer<typeof Application>

export const INACTIVITY_SECONDS_MAX = 604_800
export const SESSION_LIFE_SECONDS_MAX = 7_776_000

/** [2-12]: names and bounds as App ID has them. */
export const singleSignOnShape = {
  isActive: z
    .boolean()
    .describe('Whether hosts share one sign-in. Otherwise each host asks the identity provider for itself.'),
  inactivityTimeoutSeconds: z
    .int()
    .min(60, 'must be at least 60 seconds')
    .max(INACTIVITY_SECONDS_MAX, `must be at most ${INACTIVITY_SECONDS_MAX} seconds, which are 7 days`)
    .describe('A session that is not used for so long has to be begun anew.'),
  lifetimeSeconds: z
    .int()
    .min(300, 'must be at least 300 seconds')
    .max(SESSION_LIFE_SECONDS_MAX, `must be at most ${SESSION_LIFE_SECONDS_MAX} seconds, which are 90 days`)
    .describe('So long after signing in a session ends, however it is used.'),
  logoutRedirectUris: z
    .array(Address)
    .max(200)
    .describe('Where a sign-out may lead to, exactly; besides those that applications have.'),
}
export const SingleSignOn = z.strictObject(singleSignOnShape).meta({ id: 'SingleSignOn' })
export type SingleSignOn = z.infer<typeof SingleSignOn>
// Stands apart, for those who load no schema.
export { DEFAULT_SINGLE_SIGN_ON } from './single-sign-on.ts'
