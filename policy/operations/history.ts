// What was: the versions of every document, and the audit.
import { z } from 'zod'
import { Slug } from '../schema.ts'
import { Actor, nothing, operation, PageQuery, pageOf, Time, WriteQuery } from './common.ts'

/** `policy`, `instance`, `settings`, `organization/acme`, `project/acme/payments`, `issuer/acme/okta`, `user/ID` ... */
export const DocumentName = z
  .string()
  .max(300)
  .regex(
    /^[a-z][a-z-]*(?:\/[A-Za-z0-9_-]+){0,2}$/,
    'must be the name of a document, such as "project/acme/payments"',
  )
  .meta({ id: 'DocumentName' })

export const VersionSummary = z
  .strictObject({
    document: DocumentName,
    version: z.int(),
    seq: z.int(),
    operation: z.string(),
    actor: Actor,
    at: Time,
    requestId: z.string(),
    deleted: z.boolean(),
  })
  .meta({ id: 'VersionSummary' })
export const VersionResource = VersionSummary.extend({ content: z.unknown() }).meta({ id: 'VersionResource' })
export const FieldDifference = z
  .strictObject({
    path: z.string(),
    change: z.enum(['added', 'removed', 'changed']),
    before: z.unknown(),
    after: z.unknown(),
  })
  .meta({ id: 'FieldDifference' })

export const AuditEvent = z
  .strictObject({
    chain: z.string().describe('Slug of the organization; empty for the instance.'),
    number: z.int(),
    at: Time,
    actor: Actor,
    operation: z.string(),
    target: z.strictObject({ kind: z.string(), id: z.string() }),
    before: z.unknown(),
    after: z.unknown(),
    requestId: z.string(),
    hash: z.string(),
    previous: z.string(),
  })
  .meta({ id: 'AuditEvent' })
export type AuditEvent = z.infer<typeof AuditEvent>

export const AuditHead = z
  .strictObject({
    chain: z.string(),
    number: z.int(),
    cumulative: z.string(),
    at: Time,
    signature: z
      .string()
      .nullable()
      .describe('A JWS by a key of /.well-known/jwks.json; null for the running head.'),
  })
  .meta({ id: 'AuditHead' })

const AuditQuery = PageQuery.extend({
  actor: z.string().max(2000).optional().describe('Subject, or "issuer subject".'),
  operation: z.string().max(100).optional(),
  targetKind: z.string().max(50).optional(),
  target: z.string().max(300).optional(),
  from: Time.optional(),
  until: Time.optional(),
})
const OfDocument = z.strictObject({ document: DocumentName })
const VersionParams = z.strictObject({ version: z.coerce.number().int().min(1) })
const InOrganization = z.strictObject({ organization: Slug })

export const historyOperations = {
  'versions.list': operation({
    method: 'GET',
    path: '/versions',
    tag: 'Versions',
    summary: 'List versions of a document, newest first',
    level: 'document',
    permission: 'read',
    params: nothing,
    query: PageQuery.extend(OfDocument.shape),
    body: null,
    output: pageOf(VersionSummary),
    status: 200,
  }),
  'versions.get': operation({
    method: 'GET',
    path: '/versions/{version}',
    tag: 'Versions',
    summary: 'Get a version',
    level: 'document',
    permission: 'read',
    params: VersionParams,
    query: OfDocument,
    body: null,
    output: VersionResource,
    status: 200,
  }),
  'versions.diff': operation({
    method: 'GET',
    path: '/versions/{version}/diff',
    tag: 'Versions',
    summary: 'What differs between two versions',
    level: 'document',
    permission: 'read',
    params: VersionParams,
    query: OfDocument.extend({
      against: z.coerce
        .number()
        .int()
        .min(0)
        .optional()
        .describe('The one before unless given; 0 for the empty document.'),
    }),
    body: null,
    output: z.strictObject({
      document: DocumentName,
      from: z.int(),
      to: z.int(),
      differences: z.array(FieldDifference),
    }),
    status: 200,
  }),
  'versions.restore': operation({
    method: 'POST',
    path: '/versions/{version}/restore',
    tag: 'Versions',
    summary: 'Make a version the present one again',
    level: 'document',
    permission: 'write',
    params: VersionParams,
    query: WriteQuery.extend(OfDocument.shape),
    body: null,
    output: VersionResource,
    status: 200,
    write: { kind: 'update', dryRun: true },
  }),
  'audit.list': operation({
    method: 'GET',
    path: '/audit',
    tag: 'Audit',
    summary: "List the instance's audit events, newest first",
    description:
      "With `Accept: application/x-ndjson` all that match come, a line each, oldest first. `chain` other than the instance needs that organization's path.",
    level: 'instance',
    permission: 'instance.audit.read',
    params: nothing,
    query: AuditQuery,
    body: null,
    output: pageOf(AuditEvent),
    status: 200,
  }),
  'audit.heads': operation({
    method: 'GET',
    path: '/audit/heads',
    tag: 'Audit',
    summary: "Get the signed heads of the instance's chain",
    level: 'instance',
    permission: 'instance.audit.read',
    params: nothing,
    query: nothing,
    body: null,
    output: z.strictObject({ items: z.array(AuditHead) }),
    status: 200,
  }),
  'organizationAudit.list': operation({
    method: 'GET',
    path: '/organizations/{organization}/audit',
    tag: 'Audit',
    summary: "List an organization's audit events, newest first",
    level: 'organization',
    permission: 'organization.audit.read',
    params: InOrganization,
    query: AuditQuery,
    body: null,
    output: pageOf(AuditEvent),
    status: 200,
  }),
  'organizationAudit.heads': operation({
    method: 'GET',
    path: '/organizations/{organization}/audit/heads',
    tag: 'Audit',
    summary: "Get the signed heads of an organization's chain",
    level: 'organization',
    permission: 'organization.audit.read',
    params: InOrganization,
    query: nothing,
    body: null,
    output: z.strictObject({ items: z.array(AuditHead) }),
    status: 200,
  }),
}
