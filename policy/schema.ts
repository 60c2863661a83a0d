// The shape of a policy document, as people write it: zod schemas and the types they give. What a single
// value cannot show by itself (a role that exists, a group mapping at the right level) is check.ts's.
import { z } from 'zod'

/** Slugs, issuer ids and route ids: lower case, so that a name in a path and in the policy compare as bytes. */
export const SLUG = /^[a-z0-9](?:[a-z0-9-]{0,62}[a-z0-9])?$/
export const ROLES_MAX = 100
export const LEEWAY_SECONDS_MAX = 300
export const TIMEOUT_SECONDS_MAX = 300

export const Slug = z
  .string()
  .regex(SLUG, 'must be a slug: 1 to 64 of a-z, 0-9 and "-", no "-" at either end')
export const RoleName = z
  .string()
  .regex(/^[A-Z][A-Z0-9_]{0,63}$/, 'must be a role name: 1 to 64 of A-Z, 0-9 and "_", a letter first')
export const Permission = z
  .string()
  .max(100)
  .regex(
    /^[a-z][a-z0-9-]*(\.[a-z][a-z0-9-]*)+$/,
    'must be a permission: words joined by dots, "project.read"',
  )

export const RoleLevel = z.enum(['global', 'organization', 'project'])
export type RoleLevel = z.infer<typeof RoleLevel>

export const Role = z.strictObject({
  level: RoleLevel,
  description: z.string().max(500).optional(),
  permissions: z.array(Permission).default([]),
  /** Roles of the same level or below that this role holds as well. */
  implies: z.array(RoleName).default([]),
  /** Roles its holder may give to others. */
  mayGrant: z.array(RoleName).default([]),
})
export type Role = z.infer<typeof Role>

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
export type ClaimPath = z.infer<typeof ClaimPath>

export const GroupsClaim = z.strictObject({
  claim: ClaimPath.default(['groups']),
  /** The member that holds the name, where the claim is a list of objects. */
  key: z.string().min(1).optional(),
  /** Splits a claim that is one string; without it such a string is one group. */
  separator: z.string().min(1).max(4).optional(),
})

/** An instance's own `jwks`: RFC 7517 5. Each key is judged by the Worker like a fetched one. */
export const PinnedKeys = z.strictObject({ keys: z.array(z.record(z.string(), z.json())).min(1).max(100) })

/** A URL as text; policy/ has no URL parser on purpose, and the Worker judges the address before using it. */
const HttpUrl = z
  .string()
  .max(2000)
  .regex(/^https?:\/\/[^\s/?#]+[^\s#]*$/, 'must be an http or https URL')

export const Issuer = z.strictObject({
  /** Exactly the `iss` of its tokens. May hold `{tenantid}` when `tenants` lists the tenants accepted. */
  issuer: HttpUrl,
  tenants: z
    .array(z.string().regex(/^[0-9a-f-]{36}$/, 'must be a tenant id (a GUID)'))
    .min(1)
    .optional(),
  /** Accepted `aud` values. Without it: the instance's audience, and on an organization's routes its own. */
  audiences: z.array(z.string().min(1).max(500)).min(1).optional(),
  algorithms: z.array(Algorithm).min(1).default(['RS256', 'ES256']),
  /** Accepted `typ` header values besides none at all, compared as RFC 8725 3.11 says. */
  types: z.array(z.string().min(1).max(100)).default(['JWT', 'at+jwt']),
  /** Header parameters accepted besides those every token may have. */
  headers: z.array(z.string().min(1).max(100)).default([]),
  leewaySeconds: z.int().min(0).max(LEEWAY_SECONDS_MAX).default(60),
  maxTokenAgeSeconds: z.int().min(1).optional(),
  /** Accepted `azp` values. */
  authorizedParties: z.array(z.string().min(1)).min(1).optional(),
  jwksUri: HttpUrl.optional(),
  jwks: PinnedKeys.optional(),
  /** How long the last good keys serve while the issuer cannot be reached. */
  keysUsableSeconds: z.int().min(0).max(604_800).default(86_400),
  claims: z
    .strictObject({
      subject: ClaimPath.default(['sub']),
      userName: ClaimPath.default(['preferred_username']),
      email: ClaimPath.default(['email']),
      firstName: ClaimPath.default(['given_name']),
      lastName: ClaimPath.default(['family_name']),
    })
    .prefault({}),
  groups: z.union([z.literal('none'), GroupsClaim]).prefault({}),
})
export type Issuer = z.infer<typeof Issuer>

export const GroupMapping = z.strictObject({
  roleName: RoleName,
  idpGroups: z.array(z.string().min(1).max(500)).min(1).max(1000),
  /** The issuer records whose word is believed; without it, any issuer trusted at this level. */
  issuers: z.array(z.string().min(1)).min(1).optional(),
})
export type GroupMapping = z.infer<typeof GroupMapping>

export const Project = z.strictObject({
  displayName: z.string().min(1).max(200).optional(),
  idpGroupMappings: z.array(GroupMapping).default([]),
})
export type Project = z.infer<typeof Project>

export const Organization = z.strictObject({
  displayName: z.string().min(1).max(200).optional(),
  /** The `aud` of tokens meant for this organization; its slug unless set. */
  audience: z.string().min(1).max(500).optional(),
  issuers: z.record(Slug, Issuer).default({}),
  idpGroupMappings: z.array(GroupMapping).default([]),
  projects: z.record(Slug, Project).default({}),
})
export type Organization = z.infer<typeof Organization>

export const METHODS = ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS'] as const

export const Route = z.strictObject({
  hosts: z
    .array(z.string().regex(/^[a-z0-9.-]+$/, 'must be a host name in lower case, without a port'))
    .min(1),
  methods: z.array(z.enum(METHODS)).min(1),
  /** `/orgs/{organization}/reports/*`: literal segments, captures, and at the end `*` for whatever follows. */
  path: z
    .string()
    .max(500)
    .regex(
      /^(?:\/(?:\{[a-z][a-zA-Z0-9]*\}|[A-Za-z0-9._~!$&'()+,=:@-]+))*\/?(?:(?<=\/)\*)?$/,
      'must be "/" and segments: literal text, {name}, or "*" as the last',
    )
    .startsWith('/'),
  upstream: z
    .string()
    .regex(/^https?:\/\/[a-z0-9.-]+(?::\d{1,5})?$/, 'must be an origin: https://host[:port]'),
  /** Fixed values, for a route whose path does not carry them. */
  organization: Slug.optional(),
  project: Slug.optional(),
  /** Who may pass: holders of the permission at the route's level, any known principal, or anyone. */
  permission: Permission.optional(),
  access: z.enum(['authenticated', 'anonymous']).optional(),
  /** `aud` of the assertion the upstream gets; the upstream's origin unless set. */
  audience: z.string().min(1).max(500).optional(),
  forwardAuthorization: z.boolean().default(false),
  /** Until the upstream's response headers; its body may take as long as it likes. */
  timeoutSeconds: z.int().min(1).max(TIMEOUT_SECONDS_MAX).default(30),
})
export type Route = z.infer<typeof Route>

export const PolicyDocument = z.strictObject({
  version: z.literal(1),
  /** The instance's default audience. */
  audience: z.string().min(1).max(500).default('postern'),
  /** Roles added to the default catalogue; a name the catalogue has is replaced whole. */
  roles: z.record(RoleName, Role).default({}),
  issuers: z.record(Slug, Issuer).default({}),
  idpGroupMappings: z.array(GroupMapping).default([]),
  organizations: z.record(Slug, Organization).default({}),
  routes: z.record(Slug, Route).default({}),
})
export type PolicyDocument = z.infer<typeof PolicyDocument>

/** catalogue.yaml: the roles every policy starts from. */
export const RoleCatalogue = z.strictObject({ version: z.literal(1), roles: z.record(RoleName, Role) })
export type RoleCatalogue = z.infer<typeof RoleCatalogue>
