// Organizations and projects with their group mappings, and whole organizations as declared files.
import { z } from 'zod'
import { GroupMapping, Organization, PatternMapping, RoleName, Slug } from '../schema.ts'
import { Locked, ManagedBy, nothing, operation, pageOf, SearchQuery, Time, WriteQuery } from './common.ts'

const DisplayName = z.string().trim().min(1).max(200)

/** What may stand in a request besides the mapping itself is what a reading gave back with it. */
const managed = {
  managedBy: ManagedBy.optional().describe(
    'Who set it: the policy file, or a caller of the API. A written "file" must stand as it is.',
  ),
}
export const WrittenMapping = GroupMapping.extend(managed).meta({ id: 'WrittenMapping' })
export const WrittenPattern = PatternMapping.extend(managed).meta({ id: 'WrittenPattern' })
export type WrittenMapping = z.infer<typeof WrittenMapping>
export type WrittenPattern = z.infer<typeof WrittenPattern>

const mappings = {
  idpGroupMappings: z.array(WrittenMapping).max(10_000),
  patternMappings: z.array(WrittenPattern).max(1000),
}
const common = {
  displayName: DisplayName,
  ...mappings,
  /** By member: `displayName`, `idpGroupMappings[0]`. */
  locked: z.record(z.string(), Locked).describe('What the policy sets, by member, and where.'),
  version: z.int().describe('Of its document; the ETag. 0 while only the policy names it.'),
  createdAt: Time,
  updatedAt: Time,
}

export const OrganizationResource = z
  .strictObject({
    slug: Slug,
    id: z.string().describe("24 hexadecimal digits, for scripts made for Ops Manager's ids."),
    ...common,
    audience: z.string(),
    onUnmatched: RoleName.nullable(),
    projectCount: z.int(),
  })
  .meta({ id: 'OrganizationResource' })
export type OrganizationResource = z.infer<typeof OrganizationResource>

const summary = {
  id: z.string(),
  displayName: DisplayName,
  inPolicy: z.boolean(),
  version: z.int(),
  createdAt: Time,
  updatedAt: Time,
}
export const OrganizationSummary = z
  .strictObject({ slug: Slug, ...summary })
  .meta({ id: 'OrganizationSummary' })
export const ProjectSummary = z
  .strictObject({ organization: Slug, slug: Slug, ...summary })
  .meta({ id: 'ProjectSummary' })

export const ProjectResource = z
  .strictObject({ organization: Slug, slug: Slug, id: z.string(), ...common })
  .meta({ id: 'ProjectResource' })
export type ProjectResource = z.infer<typeof ProjectResource>

const OrganizationParams = z.strictObject({ organization: Slug })
const ProjectParams = z.strictObject({ organization: Slug, project: Slug })

const editable = { displayName: DisplayName.optional(), ...partial(mappings) }
const editableOrganization = {
  ...editable,
  audience: z.string().min(1).max(500).optional(),
  onUnmatched: RoleName.nullable().optional(),
}
function partial(shape: typeof mappings) {
  return {
    idpGroupMappings: shape.idpGroupMappings.optional(),
    patternMappings: shape.patternMappings.optional(),
  }
}

export const CreateOrganization = z
  .strictObject({ slug: Slug, ...editableOrganization })
  .meta({ id: 'CreateOrganization' })
export const UpdateOrganization = z
  .strictObject(editableOrganization)
  .meta({ id: 'UpdateOrganization', description: 'What is left out stays as it is.' })
export const CreateProject = z.strictObject({ slug: Slug, ...editable }).meta({ id: 'CreateProject' })
export const UpdateProject = z
  .strictObject(editable)
  .meta({ id: 'UpdateProject', description: 'What is left out stays as it is.' })

export const Deleted = z
  .strictObject({
    deleted: z.string(),
    projects: z.int(),
    mappings: z.int(),
    issuers: z.int(),
    serviceAccounts: z.int(),
  })
  .meta({ id: 'Deleted', description: 'What went with it.' })

/** What an organization's declared file says; what the policy itself says of it does not stand there. */
export const DeclaredOrganization = Organization.meta({ id: 'DeclaredOrganization' })

export const Applied = z
  .strictObject({
    organization: Slug,
    unchanged: z.boolean(),
    created: z.array(z.string()),
    changed: z.array(z.string()),
    deleted: z.array(z.string()),
    /** Of the edit; null when nothing changed. */
    seq: z.int().nullable(),
  })
  .meta({ id: 'Applied', description: 'Documents that the declared file created, changed and deleted.' })

const tag = 'Organizations'
export const organizationOperations = {
  'organizations.list': operation({
    method: 'GET',
    path: '/organizations',
    tag,
    summary: 'List organizations that you may read',
    level: 'instance',
    permission: null,
    params: nothing,
    query: SearchQuery,
    body: null,
    output: pageOf(OrganizationSummary),
    status: 200,
  }),
  'organizations.create': operation({
    method: 'POST',
    path: '/organizations',
    tag,
    summary: 'Create an organization',
    level: 'instance',
    permission: 'organization.create',
    params: nothing,
    query: WriteQuery,
    body: CreateOrganization,
    output: OrganizationResource,
    status: 201,
    write: { kind: 'create', dryRun: true },
  }),
  'organizations.get': operation({
    method: 'GET',
    path: '/organizations/{organization}',
    tag,
    summary: 'Get an organization with its group mappings',
    level: 'organization',
    permission: 'organization.read',
    params: OrganizationParams,
    query: nothing,
    body: null,
    output: OrganizationResource,
    status: 200,
  }),
  'organizations.update': operation({
    method: 'PATCH',
    path: '/organizations/{organization}',
    tag,
    summary: 'Rename an organization or change its group mappings',
    level: 'organization',
    permission: 'organization.update',
    alsoFor: {
      idpGroupMappings: 'organization.mappings.write',
      patternMappings: 'organization.mappings.write',
      onUnmatched: 'organization.mappings.write',
    },
    params: OrganizationParams,
    query: WriteQuery,
    body: UpdateOrganization,
    output: OrganizationResource,
    status: 200,
    write: { kind: 'update', dryRun: true },
  }),
  'organizations.delete': operation({
    method: 'DELETE',
    path: '/organizations/{organization}',
    tag,
    summary: 'Delete an organization and all that is in it',
    description:
      '`confirm` must name the slug. What goes with it is what a dry run shows. The slug is never used again.',
    level: 'organization',
    permission: 'organization.delete',
    params: OrganizationParams,
    query: WriteQuery,
    body: null,
    output: Deleted,
    status: 200,
    write: { kind: 'delete', dryRun: true },
  }),
  'organizations.export': operation({
    method: 'GET',
    path: '/organizations/{organization}/declaration',
    tag,
    summary: 'Get all that an organization holds as a declared file',
    level: 'organization',
    permission: 'organization.read',
    // It tells of all projects, of which a member reads only those where they have a role.
    besides: ['project.read'],
    params: OrganizationParams,
    query: nothing,
    body: null,
    output: DeclaredOrganization,
    status: 200,
  }),
  'organizations.apply': operation({
    method: 'PUT',
    path: '/organizations/{organization}/declaration',
    tag,
    summary: 'Make an organization what a declared file says',
    description:
      'Creates, changes and deletes projects, mappings and issuers in one edit; does nothing where all is as declared. An organization that is not there is created (`If-Match: "0"`); deletions of projects and issuers take `confirm=deletions`. With `Accept: application/x-ndjson` progress comes as lines before the answer.',
    level: 'organization',
    permission: 'organization.update',
    alsoFor: {
      idpGroupMappings: 'organization.mappings.write',
      projects: 'organization.mappings.write',
      issuers: 'organization.issuers.write',
    },
    params: OrganizationParams,
    query: WriteQuery,
    body: DeclaredOrganization,
    output: Applied,
    status: 200,
    write: { kind: 'update', dryRun: true },
  }),
  'projects.list': operation({
    method: 'GET',
    path: '/organizations/{organization}/projects',
    tag: 'Projects',
    summary: 'List projects of an organization that you may read',
    level: 'organization',
    permission: null,
    params: OrganizationParams,
    query: SearchQuery,
    body: null,
    output: pageOf(ProjectSummary),
    status: 200,
  }),
  'projects.create': operation({
    method: 'POST',
    path: '/organizations/{organization}/projects',
    tag: 'Projects',
    summary: 'Create a project',
    level: 'organization',
    permission: 'project.create',
    alsoFor: { idpGroupMappings: 'project.mappings.write', patternMappings: 'project.mappings.write' },
    params: OrganizationParams,
    query: WriteQuery,
    body: CreateProject,
    output: ProjectResource,
    status: 201,
    write: { kind: 'create', dryRun: true },
  }),
  'projects.get': operation({
    method: 'GET',
    path: '/organizations/{organization}/projects/{project}',
    tag: 'Projects',
    summary: 'Get a project with its group mappings',
    level: 'project',
    permission: 'project.read',
    params: ProjectParams,
    query: nothing,
    body: null,
    output: ProjectResource,
    status: 200,
  }),
  'projects.update': operation({
    method: 'PATCH',
    path: '/organizations/{organization}/projects/{project}',
    tag: 'Projects',
    summary: 'Rename a project or change its group mappings',
    level: 'project',
    permission: 'project.write',
    alsoFor: { idpGroupMappings: 'project.mappings.write', patternMappings: 'project.mappings.write' },
    params: ProjectParams,
    query: WriteQuery,
    body: UpdateProject,
    output: ProjectResource,
    status: 200,
    write: { kind: 'update', dryRun: true },
  }),
  'projects.delete': operation({
    method: 'DELETE',
    path: '/organizations/{organization}/projects/{project}',
    tag: 'Projects',
    summary: 'Delete a project and all that is in it',
    description: '`confirm` must name the slug.',
    level: 'project',
    permission: 'project.delete',
    params: ProjectParams,
    query: WriteQuery,
    body: null,
    output: Deleted,
    status: 200,
    write: { kind: 'delete', dryRun: true },
  }),
}
