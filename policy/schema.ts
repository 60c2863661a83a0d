// The shape of a policy document, as people write it: zod schemas and the types they give. What a single
// value cannot show by itself (a role that exists, a group mapping at the right level) is check.ts's.
import { z } from 'zod'
import { SLUG } from './level.ts'
import { DECISION_REASONS, PRINCIPAL_REASONS } from './reasons.ts'
import { ClaimPath, Issuer } from './schema-issuer.ts'
import { Application, SingleSignOn } from './schema-sign-in.ts'

export const ROLES_MAX = 100
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

export const Role = z
  .strictObject({
    level: RoleLevel.describe('Where it is given. It gives what it gives there and everywhere below.'),
    description: z.string().max(500).optional(),
    permissions: z.array(Permission).default([]),
    implies: z
      .array(RoleName)
      .default([])
      .describe('Roles of the same level or below that this role holds as well.'),
    mayGrant: z
      .array(z.union([RoleName, z.literal('*')]))
      .default([])
      .describe('Roles its holder may give to others; "*" for every role of its level and below.'),
  })
  .meta({ id: 'Role', description: 'A named set of permissions at one level.' })
export type Role = z.infer<typeof Role>

/** For JSON Schema, which does not see what `refine` asks. */
function exactlyOne(...members: string[]): { required: string[] }[] {
  return members.map((member) => ({ required: [member] }))
}

const Scalar = z.union([z.string().max(500), z.number(), z.boolean()])

export const Condition = z
  .strictObject({
    claim: ClaimPath,
    equals: Scalar.optional().describe('The claim is this value, of this type: "1" is not 1.'),
    oneOf: z.array(Scalar).min(1).max(100).optional().describe('The claim is one of these.'),
    contains: Scalar.optional().describe('The claim is a list, or words with spaces between, and has this.'),
  })
  .refine(
    ({ equals, oneOf, contains }) =>
      [equals, oneOf, contains].filter((rule) => rule !== undefined).length === 1,
    'must have exactly one of "equals", "oneOf" and "contains"',
  )
  .meta({
    id: 'Condition',
    description: 'What a claim of the token must be for a mapping to count.',
    oneOf: exactlyOne('equals', 'oneOf', 'contains'),
  })
export type Condition = z.infer<typeof Condition>

const Timestamp = z.iso.datetime({
  offset: true,
  error: 'must be a time such as 2026-12-31T23:59:59Z, with its zone',
})

/** What mappings by name and by pattern have in common. */
const mappingRules = {
  roleName: RoleName,
  issuers: z
    .array(z.string().min(1))
    .min(1)
    .optional()
    .describe('The issuers believed: "okta", or "acme/okta" for one of organization acme. Without: any.'),
  when: z.array(Condition).min(1).max(20).optional().describe('All must hold.'),
  notBefore: Timestamp.optional().describe('Temporary access: counts from this time.'),
  notAfter: Timestamp.optional().describe('Temporary access: counts before this time.'),
  ignoreCase: z.literal(true).optional().describe('Compares group names without regard to case.'),
}

/** On the wire of the API as well. */
export const GroupMapping = z
  .strictObject({
    ...mappingRules,
    idpGroups: z.array(z.string().min(1).max(500)).min(1).max(1000),
  })
  .meta({ id: 'GroupMapping', description: 'A role, and the groups whose members have it.' })
export type GroupMapping = z.infer<typeof GroupMapping>

export const PatternMapping = z
  .strictObject({
    ...mappingRules,
    groupPatterns: z
      .array(z.string().min(1))
      .min(1)
      .max(100)
      .describe('Text with "*" for anything; "team:{org}:{project}:admin" gives the role in that project.'),
  })
  .meta({ id: 'PatternMapping', description: 'A role for the members of every group that matches.' })
export type PatternMapping = z.infer<typeof PatternMapping>

export const Project = z
  .strictObject({
    displayName: z.string().min(1).max(200).optional(),
    idpGroupMappings: z.array(GroupMapping).default([]),
    patternMappings: z.array(PatternMapping).default([]),
  })
  .meta({ id: 'Project' })
export type Project = z.infer<typeof Project>

export const Organization = z
  .strictObject({
    displayName: z.string().min(1).max(200).optional(),
    audience: z
      .string()
      .min(1)
      .max(500)
      .optional()
      .describe('The "aud" of tokens meant for this organization; its slug unless set.'),
    issuers: z.record(Slug, Issuer).default({}).describe('Its own issuers, which count inside it only.'),
    idpGroupMappings: z.array(GroupMapping).default([]),
    patternMappings: z.array(PatternMapping).default([]),
    projects: z.record(Slug, Project).default({}),
    onUnmatched: RoleName.optional().describe(
      'The role of members whom no mapping of the organization gives any.',
    ),
  })
  .meta({ id: 'Organization' })
export type Organization = z.infer<typeof Organization>

export const METHODS = ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS'] as const

export const Route = z
  .strictObject({
    hosts: z
      .array(z.string().regex(/^[a-z0-9.-]+$/, 'must be a host name in lower case, without a port'))
      .min(1),
    methods: z.array(z.enum(METHODS)).min(1),
    path: z
      .string()
      .max(500)
      .regex(
        /^(?:\/(?:\{[a-z][a-zA-Z0-9]*\}|[A-Za-z0-9._~!$&'()+,=:@-]+))*\/?(?:(?<=\/)\*)?$/,
        'must be "/" and segments: literal text, {name}, or "*" as the last',
      )
      .startsWith('/')
      .describe('"/orgs/{org}/reports/*": literal segments, captures, and at the end "*" for what follows.'),
    upstream: z
      .string()
      .regex(/^https?:\/\/[a-z0-9.-]+(?::\d{1,5})?$/, 'must be an origin: https://host[:port]'),
    organization: Slug.optional().describe('For a route whose path does not carry the organization.'),
    project: Slug.optional().describe('For a route whose path does not carry the project.'),
    permission: Permission.optional().describe("What a caller must have at the route's level."),
    access: z
      .enum(['authenticated', 'anonymous'])
      .optional()
      .describe('Instead of a permission: any known principal may pass, or anyone at all.'),
    audience: z
      .string()
      .min(1)
      .max(500)
      .optional()
      .describe('The "aud" of the assertion the upstream gets; the upstream\'s origin unless set.'),
    forwardAuthorization: z.boolean().default(false),
    forwardPreflight: z
      .boolean()
      .default(false)
      .describe('CORS preflights pass to the upstream, which answers them; they never carry credentials.'),
    timeoutSeconds: z
      .int()
      .min(1)
      .max(TIMEOUT_SECONDS_MAX)
      .default(30)
      .describe("Until the upstream's response headers; its body may take as long as it likes."),
  })
  .meta({ id: 'Route', oneOf: exactlyOne('permission', 'access') })
export type Route = z.infer<typeof Route>

const TestPrincipal = z
  .strictObject({
    issuer: z.string().min(1).describe('Id of the issuer: "okta", or "acme/okta" for one of acme.'),
    subject: z.string().min(1).default('somebody'),
    groups: z.array(z.string()).optional().describe('As the token says them, at the claim the issuer has.'),
    claims: z.record(z.string(), z.json()).default({}).describe('What else the token says.'),
  })
  .meta({ id: 'TestPrincipal', description: 'What is left out is as if the token did not say it.' })

/** Reasons that do not come from the token itself; a test's token is believed. */
export const TestReason = z.enum([
  ...(Object.keys(DECISION_REASONS) as (keyof typeof DECISION_REASONS)[]),
  ...(Object.keys(PRINCIPAL_REASONS) as (keyof typeof PRINCIPAL_REASONS)[]),
  'host_unknown',
  'route_not_found',
  'credentials_missing',
  'issuer_of_another_organization',
])
export type TestReason = z.infer<typeof TestReason>

const Asked = z.union([z.literal(true), z.array(Permission).min(1)])

const Expectation = z
  .strictObject({
    roles: z
      .array(RoleName)
      .optional()
      .describe('All roles held there, given and implied, in any order; [] for none.'),
    allow: Asked.optional().describe('Permissions; for a request true.'),
    deny: Asked.optional().describe('Permissions; for a request true.'),
    reason: TestReason.optional().describe('Why "deny" denies.'),
  })
  .refine(({ roles, allow, deny }) => (roles ?? allow ?? deny) !== undefined, {
    error: 'must have at least one of "roles", "allow" and "deny"',
  })
  .refine(({ deny, reason }) => reason === undefined || deny !== undefined, {
    error: 'is why "deny" denies, and there is no "deny"',
    path: ['reason'],
  })
  .meta({ id: 'Expectation' })

/** A canonical path: what the Worker would refuse as ambiguous cannot be asked for. */
const REQUEST = /^[A-Z]+ [a-z0-9.-]+(?:\/(?!\/|\.{1,2}(?:\/|$))[A-Za-z0-9._~!$&'()*+,=:@%-]*)+$/

export const PolicyTest = z
  .strictObject({
    name: z.string().min(1).max(200),
    principal: z
      .union([z.literal('anonymous'), TestPrincipal])
      .describe('Who asks; "anonymous" for a request without credentials.'),
    at: Timestamp.optional().describe('When it is; the time of the run unless set.'),
    on: z
      .strictObject({ organization: Slug.optional(), project: Slug.optional() })
      .optional()
      .describe('Where roles and permissions are asked for: the global level unless set.'),
    request: z
      .string()
      .max(2000)
      .regex(REQUEST, 'must be a method, a space, host and path: "GET api.example.com/orgs/acme"')
      .optional()
      .describe('Instead of "on": "GET api.example.com/orgs/acme/reports".'),
    expect: Expectation,
  })
  .superRefine(checkTest)
  .meta({ id: 'PolicyTest' })
export type PolicyTest = z.infer<typeof PolicyTest>

interface AskedOf {
  principal: unknown
  on?: { organization?: string | undefined; project?: string | undefined } | undefined
  request?: string | undefined
  expect: { roles?: unknown; allow?: unknown; deny?: unknown }
}

/** A test asks about a request, which is let through or not, or about roles and permissions at a level. */
function checkTest({ principal, on, request, expect }: AskedOf, context: z.RefinementCtx): void {
  const fault = (path: string[], message: string) => context.addIssue({ code: 'custom', path, message })
  if (request === undefined) {
    if (principal === 'anonymous') fault(['principal'], 'can be "anonymous" with "request" only')
    if (on?.project !== undefined && on.organization === undefined) {
      fault(['on', 'project'], 'is without the organization it is in')
    }
    for (const field of ['allow', 'deny'] as const) {
      if (expect[field] === true) fault(['expect', field], 'must list permissions; true is for "request"')
    }
    return
  }
  if (on !== undefined) fault(['on'], 'stands beside "request", whose route says where it is')
  if (expect.roles !== undefined) {
    fault(['expect', 'roles'], 'cannot be asked of a request; ask with "on" for the roles there')
  }
  for (const field of ['allow', 'deny'] as const) {
    if (Array.isArray(expect[field])) fault(['expect', field], 'must be true, since "request" is set')
  }
  if (expect.allow === true && expect.deny === true) {
    fault(['expect', 'deny'], 'stands beside "allow"; a request is let through or not')
  }
}

export const PolicyDocument = z.strictObject({
  $schema: z.string().max(2000).optional().describe('Where this JSON Schema is, for editors of JSON.'),
  version: z.literal(1),
  audience: z.string().min(1).max(500).default('postern').describe("The instance's default audience."),
  roles: z
    .record(RoleName, Role)
    .default({})
    .describe('Added to the default catalogue; a name the catalogue has is replaced whole.'),
  issuers: z.record(Slug, Issuer).default({}).describe('The identity providers trusted everywhere.'),
  idpGroupMappings: z.array(GroupMapping).default([]).describe('Global roles, by group.'),
  patternMappings: z
    .array(PatternMapping)
    .default([])
    .describe('Roles by pattern; {org} and {project} say where they are given.'),
  organizations: z.record(Slug, Organization).default({}),
  singleSignOn: SingleSignOn.partial()
    .default({})
    .meta({ id: 'PolicySingleSignOn' })
    .describe('What it says cannot be changed over the API.'),
  applications: z.record(Slug, Application).default({}).describe('Clients of single sign-on.'),
  routes: z.record(Slug, Route).default({}).describe('What is served on which host, and to whom.'),
  tests: z.array(PolicyTest).max(10_000).default([]).describe('A policy whose tests fail is not published.'),
})
export type PolicyDocument = z.infer<typeof PolicyDocument>

/** catalogue.yaml: the roles every policy starts from. */
export const RoleCatalogue = z.strictObject({ version: z.literal(1), roles: z.record(RoleName, Role) })
export type RoleCatalogue = z.infer<typeof RoleCatalogue>
