// The shapes of documents' contents, for contents that this build did not write itself: an old version that is to be
// in force again. Loaded by the management API only, since it evaluates zod.
import { z } from 'zod'
import { Settings } from '../../policy/operations/instance.ts'
import { DirectRoles, Identity } from '../../policy/operations/people.ts'
import { GroupMapping, PatternMapping, RoleName, Slug } from '../../policy/schema.ts'
import { Issuer } from '../../policy/schema-issuer.ts'
import { SingleSignOn } from '../../policy/schema-sign-in.ts'
import type { DocumentKind } from './documents.ts'

const managedBy = { managedBy: z.enum(['api', 'console']) }
const mappings = {
  idpGroupMappings: z.array(GroupMapping.extend(managedBy)),
  patternMappings: z.array(PatternMapping.extend(managedBy)),
}
const status = z.enum(['active', 'inactive'])

export const CONTENTS = {
  policy: z.union([
    z.strictObject({ source: z.string() }),
    z.strictObject({ source: z.null(), bundled: z.string() }),
  ]),
  instance: z.strictObject(mappings),
  settings: Settings.partial().extend({ singleSignOn: SingleSignOn.partial().optional() }),
  organization: z.strictObject({
    displayName: z.string().optional(),
    audience: z.string().optional(),
    onUnmatched: RoleName.optional(),
    ...mappings,
  }),
  project: z.strictObject({ displayName: z.string().optional(), ...mappings }),
  /** Kept as it was written, so it is checked and not filled in. */
  issuer: z.strictObject({
    settings: z.record(z.string(), z.unknown()).refine((settings) => Issuer.safeParse(settings).success, {
      error: 'is no issuer record that this version reads',
    }),
  }),
  'issuer-keys': z.strictObject({
    withdrawn: z.array(z.strictObject({ kid: z.string(), reason: z.string().nullable(), at: z.int() })),
  }),
  user: z.strictObject({
    status,
    login: z.string().nullable(),
    displayName: z.string(),
    email: z.string().nullable(),
    identities: z.array(Identity),
    given: DirectRoles,
  }),
  'service-account': z.strictObject({
    organization: Slug,
    project: Slug,
    name: z.string(),
    authenticationMethod: z.enum(['federated', 'key']),
    identity: Identity.nullable(),
    status,
    roles: z.array(RoleName),
  }),
} satisfies Record<DocumentKind, z.ZodType>
