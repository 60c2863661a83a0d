// The plan of any change to a project's document: made, changed over the API or restored from a version.
import { canonicalJson } from '../../../policy/audit-event.ts'
import { type LevelOrigins, mergeOrganization } from '../../../policy/layers.ts'
import { PROJECTS_MAX } from '../../../policy/limits.ts'
import type { ProjectResource } from '../../../policy/operations/organizations.ts'
import type { OperationId } from '../../../policy/operations/table.ts'
import type { Organization, PolicyDocument, Project } from '../../../policy/schema.ts'
import { changedMembers } from '../../database/audit.ts'
import { contentOf, readAll, type VersionRow } from '../../database/batch.ts'
import { NO_MAPPINGS, type ProjectContent, projectName, publicIdOf } from '../../database/documents.ts'
import {
  changedProject,
  guard,
  mappingStatements,
  newProject,
  organizationGuard,
  type ProjectRow,
} from '../../database/rows.ts'
import type { Environment } from '../../environment.ts'
import { type Refusal, refuse } from '../../refusal.ts'
import { limitReached } from '../answers.ts'
import type { Call } from '../call.ts'
import { judgeChange } from '../change.ts'
import {
  aroundOrganizations,
  type InstanceInForce,
  type InstanceRows,
  instanceInForce,
  instanceStatements,
  type OrganizationInForce,
  type OrganizationRows,
  organizationInForce,
  organizationStatements,
  type ProjectRows,
  projectStatements,
  wholeOrganization,
} from '../effective.ts'
import { countMappings, echoMappings, lockedMembers, type WrittenLevel } from '../mappings.ts'
import { previewChange } from '../preview.ts'
import type { Plan } from '../write.ts'
import {
  type AroundRow,
  aroundOf,
  aroundStatement,
  checkCounts,
  countsGuards,
  type MappingCounts,
  takeLists,
  takeMembers,
} from './level-input.ts'
import { organizationsOf, slugTaken } from './organization-edit.ts'

const MEMBERS = ['displayName'] as const

export interface ProjectInForce {
  row: ProjectRow
  version: number
  content: ProjectContent | null
  /** Merged. */
  project: Project
  origins: LevelOrigins
}

export interface ProjectState {
  instance: InstanceInForce
  organization: OrganizationInForce | null
  project: ProjectInForce | null
  used: boolean
  projectCount: number
  issuers: string[]
  counts: MappingCounts
}

type StateRows = InstanceRows &
  OrganizationRows &
  ProjectRows & {
    around: AroundRow
  }

export async function readProjectState(
  environment: Environment,
  organization: string,
  project: string,
): Promise<ProjectState> {
  const { DB } = environment
  const rows = await readAll<StateRows>(DB, {
    ...instanceStatements(environment),
    ...organizationStatements(environment, organization),
    ...projectStatements(environment, organization, project),
    around: aroundStatement(DB, organization, projectName(organization, project)),
  })
  const instance = await instanceInForce(environment, rows)
  const written = Object.keys(instance.source.policy.issuers)
  return {
    instance,
    organization: organizationInForce(instance, rows),
    project: projectInForce(instance, rows),
    used: rows.projectRow.length > 0,
    ...aroundOf(rows.around, written),
  }
}

/** Null when there is none. */
export function projectInForce(
  instance: Pick<InstanceInForce, 'source'>,
  rows: { projectRow: ProjectRow[]; project: VersionRow[] },
): ProjectInForce | null {
  const [row] = rows.projectRow
  if (!row || row.deleted_at !== null) return null
  const content = contentOf<ProjectContent>(rows.project[0])
  return { row, version: rows.project[0]?.version ?? 0, content, ...mergeProject(instance, row, content) }
}

function mergeProject(
  { source }: Pick<InstanceInForce, 'source'>,
  { organization, slug }: Pick<ProjectRow, 'organization' | 'slug'>,
  content: ProjectContent | null,
): { project: Project; origins: LevelOrigins } {
  const merged = mergeOrganization(source, organization, {
    organization: NO_MAPPINGS,
    projects: { [slug]: content ?? NO_MAPPINGS },
    issuers: {},
  })
  const project = merged?.organization.projects[slug]
  const origins = merged?.projects[slug]
  if (!project || !origins) throw new Error(`project ${organization}/${slug} cannot be merged`)
  return { project, origins }
}

export function projectResource({
  row,
  version,
  content,
  project,
  origins,
}: ProjectInForce): ProjectResource {
  const { locked, ...lists } = echoMappings(project, content, origins)
  return {
    organization: row.organization,
    slug: row.slug,
    id: row.public_id,
    displayName: row.display_name,
    ...lists,
    locked: { ...lockedMembers(origins, MEMBERS), ...locked },
    version,
    createdAt: new Date(row.created_at).toISOString(),
    updatedAt: new Date(row.updated_at).toISOString(),
  }
}

export interface WrittenProject extends WrittenLevel {
  displayName?: string | null | undefined
}

const NOTHING_MERGED = { idpGroupMappings: [], patternMappings: [] }
const NOTHING_ABOVE = { above: { idpGroupMappings: 0, patternMappings: 0 } }

function contentFrom(
  { instance, project, issuers, counts }: ProjectState,
  written: WrittenProject,
): { ok: true; content: ProjectContent } | Refusal {
  const stored = project?.content ?? NO_MAPPINGS
  const merged = project?.project ?? NOTHING_MERGED
  const origins = project?.origins ?? null
  const members = takeMembers(MEMBERS, { ...written }, { ...stored }, origins, { ...merged })
  if (!members.ok) return members
  const rules = { roles: instance.merged.policy.roles, level: 'project' as const, issuers }
  const lists = takeLists(written, merged, stored, origins ?? NOTHING_ABOVE, rules)
  if (!lists.ok) return lists
  const over = checkCounts(counts, project?.content ?? null, lists.mappings)
  return over ?? { ok: true, content: { ...members.members, ...lists.mappings } }
}

/** As planOrganization. `state.organization` is there. */
export async function planProject<Id extends OperationId>(
  call: Call<Id>,
  { organization: owner, project: slug }: { organization: string; project: string },
  state: ProjectState,
  written: WrittenProject,
  body: (resource: ProjectResource, seq: number | null) => ReturnType<Plan<Id>['body']>,
): Promise<({ ok: true } & Plan<Id>) | Refusal> {
  const { environment, now } = call
  const { DB } = environment
  const taken = contentFrom(state, written)
  if (!taken.ok) return taken
  const { content } = taken
  const { instance, project } = state
  const isNew = project === null
  if (isNew && state.projectCount >= PROJECTS_MAX) {
    return limitReached('projects', state.projectCount + 1, PROJECTS_MAX)
  }
  const version = project?.version ?? 0
  const isChanged = isNew || canonicalJson(project.content ?? NO_MAPPINGS) !== canonicalJson(content)
  const after = await projectAfter(state, owner, slug, content, isChanged ? now : null)
  const change = changeOf(state, owner, slug, after.project)
  const judgement = await judgeChange(call, change, instance.settings)
  const resource = projectResource(after)
  const name = projectName(owner, slug)
  const facts = { organization: owner, slug, displayName: after.row.display_name, version: version + 1 }
  const place = { document: name, organization: owner, project: slug, above: after.origins.above }
  return {
    ok: true,
    documents: isChanged ? [{ name, version, content }] : [],
    derived: isChanged
      ? [
          organizationGuard(DB, owner),
          ...(project ? changedProject(DB, facts, project.row, now) : await newProject(DB, facts, now)),
          ...(isNew ? [projectsGuard(DB, owner)] : []),
          ...mappingStatements(DB, place, project?.content ?? null, content),
          ...countsGuards(DB, owner, countMappings(project?.content ?? null), countMappings(content)),
        ]
      : [],
    audit: [
      {
        chain: owner,
        target: { kind: 'project', id: `${owner}/${slug}` },
        ...changedMembers(project?.content ?? null, content),
      },
    ],
    judgement,
    version: after.version,
    taken: (columns) => {
      return columns === 'guard'
        ? refuse('version_conflict', 'Its organization has been changed meanwhile; repeat the change.')
        : slugTaken('a project', slug)
    },
    preview: async () => {
      const stored = state.organization?.content ?? null
      const { instance: around, organization: whole } = await wholeOrganization(
        environment,
        instance,
        owner,
        stored,
      )
      const next = whole && {
        ...whole,
        organization: {
          ...whole.organization,
          projects: { ...whole.organization.projects, [slug]: after.project },
        },
      }
      return previewChange(call, {
        before: { ...around.policy, organizations: organizationsOf(owner, whole) },
        after: { ...around.policy, organizations: organizationsOf(owner, next) },
      })
    },
    body: (seq) => body(resource, seq),
  }
}

/** The organization's own mappings hold in its projects, so they are there; its other projects are not. */
function changeOf(
  { instance, organization, project }: ProjectState,
  owner: string,
  slug: string,
  after: Project,
): { before: PolicyDocument; after: PolicyDocument } {
  const merged = organization?.merged.organization
  const own: Organization = { ...NOTHING_MERGED, ...merged, issuers: {}, projects: {} }
  const withProject = (one: Project | undefined) => {
    return aroundOrganizations(instance, {
      [owner]: { ...own, projects: one === undefined ? {} : { [slug]: one } },
    })
  }
  return { before: withProject(project?.project), after: withProject(after) }
}

function projectsGuard(database: D1Database, owner: string): D1PreparedStatement {
  return guard(
    database,
    '(SELECT count(*) FROM projects WHERE organization = ? AND deleted_at IS NULL) > ?',
    [owner, PROJECTS_MAX],
  )
}

async function projectAfter(
  { instance, project }: ProjectState,
  organization: string,
  slug: string,
  content: ProjectContent,
  at: number | null,
): Promise<ProjectInForce> {
  const merged = mergeProject(instance, { organization, slug }, content)
  const version = (project?.version ?? 0) + (at === null ? 0 : 1)
  const row: ProjectRow = {
    organization,
    slug,
    public_id: project?.row.public_id ?? (await publicIdOf(projectName(organization, slug))),
    display_name: merged.project.displayName ?? slug,
    in_policy: project?.row.in_policy ?? 0,
    version,
    created_at: project?.row.created_at ?? at ?? 0,
    updated_at: at ?? project?.row.updated_at ?? 0,
    deleted_at: null,
  }
  return { row, version, content, ...merged }
}
