// The shape of an issuer record in a policy document. What a preset fills in is presets.ts's.
import { z } from 'zod'
import { SignIn } from './schema-sign-in.ts'

export const LEEWAY_SECONDS_MAX = 300
/** Decision T4: no longer than this may groups that were seen last stand in for groups that are not said. */
export const KEEP_DAYS_MAX = 30

/** RFC 7518 3.1 and RFC 8037: signatures by a private key only. HMAC and `none` cannot be written here. */
export const ALGORITHMS = [
  'RS256',
  'RS384',
  'RS512',
  'PS256',
  'PS384',
  'PS512',
  'ES256',
  'ES384',
  'ES512',
  'EdDSA',
] as const
export const Algorithm = z.enum(ALGORITHMS)
export type Algorithm = z.infer<typeof Algorithm>

/**
 * Where a claim is: `email`, nested `realm_access.roles`, or a list of member names for names that contain
 * dots. A string with "://" is one name, since that is how claims named by a URL are written.
 */
export const ClaimPath = z
  .union([z.string().min(1).max(200), z.array(z.string().min(1).max(200)).min(1).max(8)])
  .transform((path): string[] => {
    return typeof path !== 'string' ? path : path.includes('://') ? [path] : path.split('.')
  })
  .meta({
    id: 'ClaimPath',
    description: 'Where a claim is: "email", "realm_access.roles", "https://example.com/groups", or a list.',
  })
export type ClaimPath = z.infer<typeof ClaimPath>

/** Products whose tokens are known by name (presets.ts). */
export const Preset = z.enum([
  'okta',
  'entra',
  'cognito',
  'keycloak',
  'google',
  'auth0',
  'github-actions',
  'gitlab-ci',
  'kubernetes',
  'spiffe',
])
export type Preset = z.infer<typeof Preset>

/** Where the claims about a person are; unset ones as the preset says, else as OpenID Connect does. */
export const ClaimNames = z
  .strictObject({
    subject: ClaimPath.optional(),
    userName: ClaimPath.optional(),
    email: ClaimPath.optional(),
    firstName: ClaimPath.optional(),
    lastName: ClaimPath.optional(),
    access: ClaimPath.optional().describe('A gate: the claim must be true for anyone to get in.'),
  })
  .meta({ id: 'ClaimNames' })
export type ClaimNames = z.infer<typeof ClaimNames>

export const GroupsClaim = z
  .strictObject({
    claim: ClaimPath.optional(),
    key: z
      .string()
      .min(1)
      .optional()
      .describe('The member that holds the name, where the claim is a list of objects.'),
    separator: z
      .string()
      .min(1)
      .max(4)
      .optional()
      .describe('Splits a claim that is one string; without it such a string is one group.'),
    stripPrefix: z
      .string()
      .min(1)
      .max(100)
      .optional()
      .describe('Taken off the front of names that begin with it, before "addPrefix" is put there.'),
    addPrefix: z.string().min(1).max(100).optional(),
    names: z
      .record(z.string().min(1), z.string().min(1))
      .optional()
      .describe('Display names by id, for issuers whose groups are GUIDs; mappings then use the names.'),
    keepDays: z
      .int()
      .min(1)
      .max(KEEP_DAYS_MAX)
      .optional()
      .describe('How many days the groups seen last count when a sign-in says nothing about groups.'),
  })
  .meta({ id: 'GroupsClaim' })
export type GroupsClaim = z.infer<typeof GroupsClaim>

/** An instance's own `jwks`: RFC 7517 5. Each key is judged by the Worker like a fetched one. */
export const PinnedKeys = z.strictObject({ keys: z.array(z.record(z.string(), z.json())).min(1).max(100) })

/** A URL as text; policy/ has no URL parser on purpose, and the Worker judges the address before using it. */
const HttpUrl = z
  .string()
  .max(2000)
  .regex(/^https?:\/\/[^\s/?#]+[^\s#]*$/, 'must be an http or https URL')

export const Issuer = z
  .strictObject({
    issuer: HttpUrl.describe(
      'Exactly the "iss" of its tokens. May hold {tenantid} when "tenants" lists the tenants accepted.',
    ),
    tenants: z
      .array(z.string().regex(/^[0-9a-f-]{36}$/, 'must be a tenant id (a GUID)'))
      .min(1)
      .optional(),
    audiences: z
      .array(z.string().min(1).max(500))
      .min(1)
      .optional()
      .describe(
        'Accepted "aud" values. Without: the instance\'s audience, and on an organization\'s routes its own.',
      ),
    algorithms: z.array(Algorithm).min(1).default(['RS256', 'ES256']),
    types: z
      .array(z.string().min(1).max(100))
      .default(['JWT', 'at+jwt'])
      .describe('Accepted "typ" header values besides none at all, compared as RFC 8725 3.11 says.'),
    headers: z
      .array(z.string().min(1).max(100))
      .default([])
      .describe('Header parameters accepted besides those every token may have.'),
    leewaySeconds: z.int().min(0).max(LEEWAY_SECONDS_MAX).default(60),
    maxTokenAgeSeconds: z.int().min(1).optional(),
    authorizedParties: z.array(z.string().min(1)).min(1).optional().describe('Accepted "azp" values.'),
    jwksUri: HttpUrl.optional().describe('Where its keys are, for issuers without discovery.'),
    jwks: PinnedKeys.optional().describe('Its keys themselves, for issuers that cannot be reached.'),
    keysUsableSeconds: z
      .int()
      .min(0)
      .max(604_800)
      .default(86_400)
      .describe('How long the last good keys serve while the issuer cannot be reached.'),
    vpcBinding: z
      .string()
      .regex(/^[A-Z][A-Z0-9_]{0,63}$/, 'must be the name of a binding of the Worker, such as OKTA_VPC')
      .optional()
      .describe('The VPC service binding of the Worker that reaches it, for issuers of a private network.'),
    preset: Preset.optional().describe(
      'Ready-made claim names of a product; what is written beside it goes first.',
    ),
    claims: ClaimNames.default({}).describe('Where the claims about a person are.'),
    groups: z
      .union([z.literal('none'), GroupsClaim])
      .optional()
      .describe('Where groups are and what is done to their names; "none" where none are said.'),
    signIn: SignIn.optional().describe('Lets people sign in with it; without, it vouches for tokens only.'),
  })
  .meta({ id: 'Issuer', description: 'An identity provider, and how its tokens are read.' })
export type Issuer = z.infer<typeof Issuer>
