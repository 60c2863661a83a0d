// Users with their identities, and service accounts with theirs or with keys of ours.
import { z } from 'zod'
import { SUBJECT_LENGTH_MAX } from '../principal.ts'
import { RoleName, Slug } from '../schema.ts'
import { nothing, operation, pageOf, RoleNames, SearchQuery, Time, WriteQuery } from './common.ts'
import { Deleted } from './organizations.ts'

export const Identity = z
  .strictObject({
    issuer: z.string().min(1).max(130).describe('Id of the issuer record: "okta", or "acme/okta".'),
    subject: z.string().min(1).max(SUBJECT_LENGTH_MAX),
  })
  .meta({ id: 'Identity' })
export type Identity = z.infer<typeof Identity>

const Status = z.enum(['active', 'inactive'])
const DisplayName = z.string().trim().min(1).max(200)
const Email = z.email().max(320)
const Login = z.string().trim().min(1).max(320)

/** Roles given directly, and where. */
export const DirectRoles = z
  .strictObject({
    roles: RoleNames.default([]).describe('At the global level.'),
    organizations: z
      .record(
        Slug,
        z.strictObject({ roles: RoleNames.default([]), projects: z.record(Slug, RoleNames).default({}) }),
      )
      .default({})
      .describe('Organizations it is a member of, with the roles it has there and in their projects.'),
  })
  .meta({ id: 'DirectRoles' })
export type DirectRoles = z.infer<typeof DirectRoles>

export const UserResource = z
  .strictObject({
    id: z.string(),
    status: Status,
    login: z.string().nullable(),
    displayName: z.string(),
    email: z.string().nullable(),
    identities: z.array(Identity),
    /** Within an organization's list: what concerns that organization. */
    given: DirectRoles,
    lastSeenAt: Time.nullable(),
    groups: z
      .array(z.string())
      .nullable()
      .describe('As last seen in a token or at a sign-in; null when never seen.'),
    version: z.int(),
    createdAt: Time,
    updatedAt: Time,
  })
  .meta({ id: 'UserResource' })

const UserSearch = SearchQuery.extend({
  login: z.string().min(1).max(320).optional(),
  email: z.string().min(1).max(320).optional(),
  issuer: z.string().min(1).max(130).optional().describe('With "subject": who has that identity.'),
  subject: z.string().min(1).max(SUBJECT_LENGTH_MAX).optional(),
  status: Status.optional(),
})
const UserParams = z.strictObject({ user: z.string().min(1).max(100) })
const InOrganization = z.strictObject({ organization: Slug })
const UserInOrganization = z.strictObject({ organization: Slug, user: z.string().min(1).max(100) })
const CreateUser = z
  .strictObject({
    displayName: DisplayName,
    login: Login.optional(),
    email: Email.optional(),
    identities: z.array(Identity).max(20).default([]),
    given: DirectRoles.optional(),
  })
  .meta({ id: 'CreateUser' })
const UpdateUser = z
  .strictObject({
    displayName: DisplayName.optional(),
    login: Login.nullable().optional(),
    email: Email.nullable().optional(),
    status: Status.optional().describe('"inactive" is refused everywhere, whatever the tokens say.'),
    given: DirectRoles.optional(),
  })
  .meta({ id: 'UpdateUser', description: 'What is left out stays as it is.' })
/** In an organization: its own part of a user's direct roles. */
const UpdateMember = z
  .strictObject({ roles: RoleNames.default([]), projects: z.record(Slug, RoleNames).default({}) })
  .meta({ id: 'UpdateMember' })

const ServiceAccountParams = z.strictObject({
  organization: Slug,
  project: Slug,
  serviceAccount: z.string().min(1).max(100),
})
const InProject = z.strictObject({ organization: Slug, project: Slug })

export const KeyResource = z
  .strictObject({
    id: z.string(),
    createdAt: Time,
    expiresAt: Time.nullable(),
    lastUsedAt: Time.nullable(),
    revokedAt: Time.nullable(),
  })
  .meta({ id: 'KeyResource' })
export const NewKey = KeyResource.extend({
  key: z.string().describe('`postern_<id>_<secret>`, shown this once.'),
}).meta({ id: 'NewKey' })

export const ServiceAccountResource = z
  .strictObject({
    id: z.string(),
    organization: Slug,
    project: Slug,
    name: z.string(),
    authenticationMethod: z.enum(['federated', 'key']),
    /** Null for one with a key. */
    identity: Identity.nullable(),
    status: Status,
    roles: z.array(RoleName).describe('In its project.'),
    keys: z.array(KeyResource),
    lastUsedAt: Time.nullable(),
    lastSubject: z.string().nullable(),
    version: z.int(),
    createdAt: Time,
    updatedAt: Time,
  })
  .meta({ id: 'ServiceAccountResource' })

const CreateServiceAccount = z
  .strictObject({
    name: DisplayName,
    authenticationMethod: z.enum(['federated', 'key']),
    issuer: z
      .string()
      .min(1)
      .max(130)
      .optional()
      .describe("Id of an issuer of the organization or the instance; without, the organization's only one."),
    subject: z
      .string()
      .min(1)
      .max(SUBJECT_LENGTH_MAX)
      .optional()
      .describe('The "sub" of its tokens; needed when federated.'),
    roles: RoleNames.default([]),
  })
  .meta({ id: 'CreateServiceAccount' })
const UpdateServiceAccount = z
  .strictObject({
    name: DisplayName.optional(),
    issuer: z.string().min(1).max(130).optional(),
    subject: z.string().min(1).max(SUBJECT_LENGTH_MAX).optional(),
    roles: RoleNames.optional(),
    status: Status.optional(),
  })
  .meta({ id: 'UpdateServiceAccount', description: 'What is left out stays as it is.' })
const CreateKey = z.strictObject({ expiresAt: Time.optional() }).meta({ id: 'CreateKey' })

const users = 'Users'
const accounts = 'Service accounts'
const accountsPath = '/organizations/{organization}/projects/{project}/serviceAccounts'
const accountPath = `${accountsPath}/{serviceAccount}`

export const peopleOperations = {
  'users.list': operation({
    method: 'GET',
    path: '/users',
    tag: users,
    summary: 'List users; find one by login, e-mail or identity',
    level: 'instance',
    permission: 'instance.users.read',
    params: nothing,
    query: UserSearch,
    body: null,
    output: pageOf(UserResource),
    status: 200,
  }),
  'users.create': operation({
    method: 'POST',
    path: '/users',
    tag: users,
    summary: 'Create a user',
    level: 'instance',
    permission: 'instance.users.write',
    params: nothing,
    query: WriteQuery,
    body: CreateUser,
    output: UserResource,
    status: 201,
    write: { kind: 'create', dryRun: true },
  }),
  'users.get': operation({
    method: 'GET',
    path: '/users/{user}',
    tag: users,
    summary: 'Get a user',
    level: 'instance',
    permission: 'instance.users.read',
    params: UserParams,
    query: nothing,
    body: null,
    output: UserResource,
    status: 200,
  }),
  'users.update': operation({
    method: 'PATCH',
    path: '/users/{user}',
    tag: users,
    summary: 'Change, activate or deactivate a user',
    level: 'instance',
    permission: 'instance.users.write',
    params: UserParams,
    query: WriteQuery,
    body: UpdateUser,
    output: UserResource,
    status: 200,
    write: { kind: 'update', dryRun: true },
  }),
  'users.delete': operation({
    method: 'DELETE',
    path: '/users/{user}',
    tag: users,
    summary: 'Delete a user',
    level: 'instance',
    permission: 'instance.users.write',
    params: UserParams,
    query: WriteQuery,
    body: null,
    output: z.strictObject({ deleted: z.string() }),
    status: 200,
    write: { kind: 'delete', dryRun: false },
  }),
  'users.link': operation({
    method: 'POST',
    path: '/users/{user}/identities',
    tag: users,
    summary: 'Link an identity to a user',
    level: 'instance',
    permission: 'instance.users.write',
    params: UserParams,
    query: WriteQuery,
    body: Identity,
    output: UserResource,
    status: 200,
    write: { kind: 'update', dryRun: false },
  }),
  'users.unlink': operation({
    method: 'DELETE',
    path: '/users/{user}/identities',
    tag: users,
    summary: 'Unlink an identity from a user',
    level: 'instance',
    permission: 'instance.users.write',
    params: UserParams,
    query: WriteQuery.extend({
      issuer: z.string().min(1).max(130),
      subject: z.string().min(1).max(SUBJECT_LENGTH_MAX),
    }),
    body: null,
    output: UserResource,
    status: 200,
    write: { kind: 'update', dryRun: false },
  }),
  'members.list': operation({
    method: 'GET',
    path: '/organizations/{organization}/users',
    tag: users,
    summary: "List an organization's users",
    level: 'organization',
    permission: 'organization.users.read',
    params: InOrganization,
    query: UserSearch,
    body: null,
    output: pageOf(UserResource),
    status: 200,
  }),
  'members.put': operation({
    method: 'PUT',
    path: '/organizations/{organization}/users/{user}',
    tag: users,
    summary: 'Make a user a member, with roles in the organization and its projects',
    level: 'organization',
    permission: 'organization.users.write',
    params: UserInOrganization,
    query: WriteQuery,
    body: UpdateMember,
    output: UserResource,
    status: 200,
    write: { kind: 'update', dryRun: true },
  }),
  'members.remove': operation({
    method: 'DELETE',
    path: '/organizations/{organization}/users/{user}',
    tag: users,
    summary: 'Take a user out of an organization',
    level: 'organization',
    permission: 'organization.users.write',
    params: UserInOrganization,
    query: WriteQuery,
    body: null,
    output: z.strictObject({ removed: z.string() }),
    status: 200,
    write: { kind: 'update', dryRun: false },
  }),
  'serviceAccounts.list': operation({
    method: 'GET',
    path: accountsPath,
    tag: accounts,
    summary: "List a project's service accounts",
    level: 'project',
    permission: 'project.read',
    params: InProject,
    query: SearchQuery,
    body: null,
    output: pageOf(ServiceAccountResource),
    status: 200,
  }),
  'serviceAccounts.create': operation({
    method: 'POST',
    path: accountsPath,
    tag: accounts,
    summary: 'Create a service account',
    level: 'project',
    permission: 'project.users.write',
    params: InProject,
    query: WriteQuery,
    body: CreateServiceAccount,
    output: ServiceAccountResource,
    status: 201,
    write: { kind: 'create', dryRun: true },
  }),
  'serviceAccounts.get': operation({
    method: 'GET',
    path: accountPath,
    tag: accounts,
    summary: 'Get a service account',
    level: 'project',
    permission: 'project.read',
    params: ServiceAccountParams,
    query: nothing,
    body: null,
    output: ServiceAccountResource,
    status: 200,
  }),
  'serviceAccounts.update': operation({
    method: 'PATCH',
    path: accountPath,
    tag: accounts,
    summary: 'Change a service account',
    level: 'project',
    permission: 'project.users.write',
    params: ServiceAccountParams,
    query: WriteQuery,
    body: UpdateServiceAccount,
    output: ServiceAccountResource,
    status: 200,
    write: { kind: 'update', dryRun: true },
  }),
  'serviceAccounts.delete': operation({
    method: 'DELETE',
    path: accountPath,
    tag: accounts,
    summary: 'Delete a service account and its keys',
    level: 'project',
    permission: 'project.users.write',
    params: ServiceAccountParams,
    query: WriteQuery,
    body: null,
    output: Deleted.pick({ deleted: true }),
    status: 200,
    write: { kind: 'delete', dryRun: false },
  }),
  'serviceAccounts.createKey': operation({
    method: 'POST',
    path: `${accountPath}/keys`,
    tag: accounts,
    summary: 'Make a key; it is shown this once',
    level: 'project',
    permission: 'project.users.write',
    params: ServiceAccountParams,
    query: nothing,
    body: CreateKey,
    output: NewKey,
    status: 201,
    write: { kind: 'act', dryRun: false },
  }),
  'serviceAccounts.revokeKey': operation({
    method: 'DELETE',
    path: `${accountPath}/keys/{key}`,
    tag: accounts,
    summary: 'Revoke a key',
    level: 'project',
    permission: 'project.users.write',
    params: ServiceAccountParams.extend({ key: z.string().min(1).max(100) }),
    query: nothing,
    body: null,
    output: KeyResource,
    status: 200,
    write: { kind: 'act', dryRun: false },
  }),
}
