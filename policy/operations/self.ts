// What concerns whoever asks: who am I, what may I and why; and the same for somebody else, with the right.
import { z } from 'zod'
import { Permission, RoleName, Slug } from '../schema.ts'
import { nothing, operation, PlaceLevel } from './common.ts'
import { Identity } from './people.ts'

const Proof = z
  .strictObject({
    role: RoleName,
    level: PlaceLevel,
    /** The mapping or membership that gives it, or a role that implies it. */
    mapping: z.string(),
    group: z.string().nullable(),
    grantedRole: RoleName,
  })
  .meta({ id: 'RoleWithProof' })

export const MeResource = z
  .strictObject({
    kind: z.enum(['user', 'service-account']),
    identity: Identity,
    /** The organization whose issuer vouches; null: the instance's. */
    voucher: z.string().nullable(),
    userName: z.string().nullable(),
    displayName: z.string().nullable(),
    email: z.string().nullable(),
    user: z.string().nullable().describe('Id of the user this identity is linked to.'),
    groups: z.array(z.string()),
    groupsOutcome: z.enum(['listed', 'none', 'absent', 'overage']),
    roles: z.array(Proof).describe('All roles at all levels where a mapping or a membership gives any.'),
    truncated: z.boolean().describe('Whether there are more places than are listed.'),
  })
  .meta({ id: 'MeResource' })

const Where = { organization: Slug.optional(), project: Slug.optional(), permission: Permission.optional() }
const ExplainQuery = z.strictObject({ ...Where, after: z.coerce.number().int().min(0).optional() })

/** What policy/explain.ts says, as JSON. */
export const ExplanationResource = z
  .strictObject({
    principal: z
      .strictObject({ issuer: z.string(), subject: z.string() })
      .nullable()
      .describe('Null when the token makes none.'),
    refusal: z
      .strictObject({
        reason: z.string(),
        title: z.string(),
        detail: z.string(),
        check: z.string().nullable().describe('The claim or header parameter that failed.'),
      })
      .nullable()
      .describe('Why the gateway refuses the token, or the principal as a whole; null when it does not.'),
    explanation: z
      .record(z.string(), z.unknown())
      .nullable()
      .describe('Of a token that is refused: what its claims would give, as far as they can be read.'),
  })
  .meta({
    id: 'ExplanationResource',
    description:
      'Every role with its proofs, mappings that gave nothing and why, near misses, and what would give the permission asked for.',
  })

const ExplainBody = z
  .strictObject({
    principal: Identity.optional().describe('A known principal, with its groups as last seen.'),
    token: z.string().min(1).max(16_384).optional().describe('A token; it is read and judged, never stored.'),
    ...Where,
    after: z.int().min(0).optional(),
  })
  .refine(
    ({ principal, token }) => (principal === undefined) !== (token === undefined),
    'must have exactly one of "principal" and "token"',
  )
  .meta({ id: 'ExplainRequest' })

export const selfOperations = {
  'me.get': operation({
    method: 'GET',
    path: '/me',
    tag: 'Me',
    summary: 'Who am I, and which roles do I have and why',
    level: 'instance',
    permission: null,
    params: nothing,
    query: nothing,
    body: null,
    output: MeResource,
    status: 200,
  }),
  'me.explain': operation({
    method: 'GET',
    path: '/me/explain',
    tag: 'Me',
    summary: 'Why do I have or lack roles there',
    level: 'instance',
    permission: null,
    params: nothing,
    query: ExplainQuery,
    body: null,
    output: ExplanationResource,
    status: 200,
  }),
  explain: operation({
    method: 'POST',
    path: '/explain',
    tag: 'Explain',
    summary: 'Why does somebody have or lack roles at the global level or anywhere',
    level: 'instance',
    permission: 'instance.users.read',
    params: nothing,
    query: nothing,
    body: ExplainBody,
    output: ExplanationResource,
    status: 200,
  }),
  organizationExplain: operation({
    method: 'POST',
    path: '/organizations/{organization}/explain',
    tag: 'Explain',
    summary: 'Why does somebody have or lack roles in an organization',
    level: 'organization',
    permission: 'organization.users.read',
    params: z.strictObject({ organization: Slug }),
    query: nothing,
    body: ExplainBody,
    output: ExplanationResource,
    status: 200,
  }),
}
