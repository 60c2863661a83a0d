// What belongs to the instance as a whole: global mappings, the policy's source, the role catalogue, settings,
// and how far publishing is.
import { z } from 'zod'
import { Permission, RoleLevel, RoleName } from '../schema.ts'
import { SingleSignOn, singleSignOnShape } from '../schema-sign-in.ts'
import {
  Finding,
  Locked,
  nothing,
  Origin,
  operation,
  Preview,
  Published,
  Time,
  WriteQuery,
} from './common.ts'
import { WrittenMapping, WrittenPattern } from './organizations.ts'

export const InstanceResource = z
  .strictObject({
    idpGroupMappings: z.array(WrittenMapping),
    patternMappings: z.array(WrittenPattern),
    locked: z.record(z.string(), Locked),
    version: z.int(),
    updatedAt: Time.nullable(),
  })
  .meta({ id: 'InstanceResource', description: 'The mappings of the global level.' })

export const UpdateInstance = z
  .strictObject({
    idpGroupMappings: z.array(WrittenMapping).max(10_000).optional(),
    patternMappings: z.array(WrittenPattern).max(1000).optional(),
  })
  .meta({ id: 'UpdateInstance', description: 'What is left out stays as it is.' })

/** A policy of more than this is deployed with the Worker, not written over the API. */
export const POLICY_SOURCE_LENGTH_MAX = 1_000_000
const Source = z.string().min(1).max(POLICY_SOURCE_LENGTH_MAX)

export const PolicyResource = z
  .strictObject({
    source: z.string(),
    version: z.int(),
    updatedAt: Time,
    /** Set when the instance says that the policy is managed in git. */
    locked: Locked.nullable(),
    bundled: z.boolean().describe('Whether it is the one the Worker was deployed with.'),
  })
  .meta({ id: 'PolicyResource' })

const Problem = z.strictObject({ line: z.int(), column: z.int(), path: z.string(), message: z.string() })
export const Validated = z
  .strictObject({
    valid: z.boolean(),
    problems: z.array(Problem),
    findings: z.array(Finding.extend({ line: z.int(), column: z.int() })),
  })
  .meta({
    id: 'Validated',
    description: 'What is wrong with a policy, its failing tests, and what lint says.',
  })

export const RoleResource = z
  .strictObject({
    name: RoleName,
    level: RoleLevel,
    description: z.string().nullable(),
    permissions: z.array(Permission).describe('Its own.'),
    allPermissions: z.array(Permission).describe('With those of the roles it implies.'),
    implies: z.array(RoleName),
    mayGrant: z.array(RoleName),
    origin: z.enum(['catalogue', 'policy']),
  })
  .meta({ id: 'RoleResource' })

/** Every setting with its bounds. What is left out of an update stays. */
export const settingsShape = {
  recheckSeconds: z
    .int()
    .min(0)
    .max(60)
    .describe('How long an isolate may serve without asking what is new; 0 asks on every request.'),
  knownPrincipalDays: z
    .int()
    .min(1)
    .max(90)
    .describe('How long somebody not seen again is remembered for previews.'),
  confirmOwnAccess: z
    .boolean()
    .describe('Whether a change that takes rights from whoever makes it has to be confirmed.'),
}
export const Settings = z.strictObject(settingsShape).meta({ id: 'Settings' })
export type Settings = z.infer<typeof Settings>
export const DEFAULT_SETTINGS: Settings = {
  recheckSeconds: 15,
  knownPrincipalDays: 90,
  confirmOwnAccess: true,
}

export const SettingsResource = z
  .strictObject({
    settings: Settings,
    origins: z.record(z.string(), Origin),
    locked: z.record(z.string(), Locked),
    version: z.int(),
  })
  .meta({ id: 'SettingsResource' })

/** [2-12]: App ID's members as it has them, and what else there is to a session. */
export const SingleSignOnResource = SingleSignOn.extend({
  origins: z.record(z.string(), Origin),
  locked: z
    .record(z.string(), Locked)
    .describe('By member; of addresses that the policy lists, "logoutRedirectUris[0]".'),
  version: z.int().describe('Of the settings, which these are a part of.'),
}).meta({ id: 'SingleSignOnResource' })

/** Decision T8: a list, or one text with commas. Addresses with a comma of their own go into a list. */
const Addresses = z.union([
  singleSignOnShape.logoutRedirectUris,
  z
    .string()
    .max(100_000)
    .transform((text) =>
      text
        .split(',')
        .map((address) => address.trim())
        .filter((address) => address !== ''),
    )
    .pipe(singleSignOnShape.logoutRedirectUris),
])
export const UpdateSingleSignOn = z
  .strictObject({ ...singleSignOnShape, logoutRedirectUris: Addresses })
  .partial()
  .meta({ id: 'UpdateSingleSignOn', description: 'What is left out stays as it is.' })

const PreviewQuery = z.strictObject({ cursor: z.string().max(500).optional() })
const PolicyBody = z.strictObject({ source: Source })

export const instanceOperations = {
  'instance.get': operation({
    method: 'GET',
    path: '/instance',
    tag: 'Instance',
    summary: 'Get the group mappings of the global level',
    level: 'instance',
    permission: 'instance.read',
    params: nothing,
    query: nothing,
    body: null,
    output: InstanceResource,
    status: 200,
  }),
  'instance.update': operation({
    method: 'PATCH',
    path: '/instance',
    tag: 'Instance',
    summary: 'Change the group mappings of the global level',
    level: 'instance',
    permission: 'instance.policy.write',
    params: nothing,
    query: WriteQuery,
    body: UpdateInstance,
    output: InstanceResource,
    status: 200,
    write: { kind: 'update', dryRun: true },
  }),
  'roles.list': operation({
    method: 'GET',
    path: '/roles',
    tag: 'Instance',
    summary: 'Get the role catalogue',
    level: 'instance',
    permission: null,
    params: nothing,
    query: nothing,
    body: null,
    output: z.strictObject({ items: z.array(RoleResource) }),
    status: 200,
  }),
  'policy.get': operation({
    method: 'GET',
    path: '/policy',
    tag: 'Policy',
    summary: "Get the policy's source",
    level: 'instance',
    permission: 'instance.read',
    params: nothing,
    query: nothing,
    body: null,
    output: PolicyResource,
    status: 200,
  }),
  'policy.validate': operation({
    method: 'POST',
    path: '/policy/validate',
    tag: 'Policy',
    summary: 'Check a policy, run its tests and lint it',
    level: 'instance',
    permission: 'instance.read',
    params: nothing,
    query: nothing,
    body: PolicyBody,
    output: Validated,
    status: 200,
  }),
  'policy.preview': operation({
    method: 'POST',
    path: '/policy/preview',
    tag: 'Policy',
    summary: 'What a policy would change, and for whom',
    level: 'instance',
    permission: 'instance.read',
    params: nothing,
    query: PreviewQuery,
    body: PolicyBody,
    output: Preview,
    status: 200,
  }),
  'policy.put': operation({
    method: 'PUT',
    path: '/policy',
    tag: 'Policy',
    summary: 'Publish a policy',
    level: 'instance',
    permission: 'instance.policy.write',
    params: nothing,
    query: WriteQuery,
    body: PolicyBody,
    output: PolicyResource,
    status: 200,
    write: { kind: 'update', dryRun: true },
  }),
  'settings.get': operation({
    method: 'GET',
    path: '/settings',
    tag: 'Settings',
    summary: 'Get the settings and which layer sets each',
    level: 'instance',
    permission: 'instance.read',
    params: nothing,
    query: nothing,
    body: null,
    output: SettingsResource,
    status: 200,
  }),
  'settings.update': operation({
    method: 'PATCH',
    path: '/settings',
    tag: 'Settings',
    summary: 'Change settings',
    level: 'instance',
    permission: 'instance.settings.write',
    params: nothing,
    query: WriteQuery,
    body: Settings.partial().meta({ id: 'UpdateSettings' }),
    output: SettingsResource,
    status: 200,
    write: { kind: 'update', dryRun: false },
  }),
  'singleSignOn.get': operation({
    method: 'GET',
    path: '/settings/sso',
    tag: 'Settings',
    summary: 'Get how single sign-on works',
    level: 'instance',
    permission: 'instance.read',
    params: nothing,
    query: nothing,
    body: null,
    output: SingleSignOnResource,
    status: 200,
  }),
  'singleSignOn.update': operation({
    method: 'PUT',
    path: '/settings/sso',
    tag: 'Settings',
    summary: 'Change how single sign-on works',
    level: 'instance',
    permission: 'instance.settings.write',
    params: nothing,
    query: WriteQuery,
    body: UpdateSingleSignOn,
    output: SingleSignOnResource,
    status: 200,
    write: { kind: 'update', dryRun: false },
  }),
  'publication.get': operation({
    method: 'GET',
    path: '/publication',
    tag: 'Instance',
    summary: 'How far publishing to the edge is',
    level: 'instance',
    permission: 'instance.health.read',
    params: nothing,
    query: nothing,
    body: null,
    output: Published.extend({ seq: z.int(), pending: z.int() }),
    status: 200,
  }),
}
