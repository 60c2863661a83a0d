// What it takes to make an organization what a declared file says: its own document, its projects and issuers, each
// compared with what the database holds, in one edit that is judged as a whole.
import { checkPolicy } from '../../../policy/check.ts'
import { MAPPINGS_MAX, PATTERNS_MAX, PROJECTS_MAX } from '../../../policy/limits.ts'
import { describePath } from '../../../policy/problems.ts'
import type { Organization } from '../../../policy/schema.ts'
import { changedMembers } from '../../database/audit.ts'
import type { DocumentEdit } from '../../database/commit.ts'
import {
  type DeclaredProject,
  declaredMappings,
  declaredProjects,
  projectsGone,
} from '../../database/declared-rows.ts'
import {
  NO_MAPPINGS,
  type OrganizationContent,
  organizationName,
  type ProjectContent,
  projectName,
  type StoredMappings,
  serviceAccountName,
} from '../../database/documents.ts'
import { organizationGuard } from '../../database/rows.ts'
import { type Refusal, refuse } from '../../refusal.ts'
import { limitReached, refuseInput } from '../answers.ts'
import type { Held } from '../authenticate.ts'
import { may } from '../authorize.ts'
import type { Call } from '../call.ts'
import { judgeChange } from '../change.ts'
import { aroundOrganizations, wholeInstance } from '../effective.ts'
import { countMappings } from '../mappings.ts'
import { countsGuards } from '../organizations/level-input.ts'
import { organizationsOf, planOrganization } from '../organizations/organization-edit.ts'
import { leavingMembers } from '../people/leaving-members.ts'
import { previewChange } from '../preview.ts'
import type { Plan } from '../write.ts'
import { type DeclaredIssuers, planIssuers } from './issuers.ts'
import { listsToWrite, type PlannedProjects, type Progress, planProjects } from './projects.ts'
import { type DeclarationState, mergeOf } from './state.ts'

type ApplyCall = Call<'organizations.apply'>
type ApplyPlan = { ok: true } & Plan<'organizations.apply'>

/** What deletions have to be confirmed with. */
export const CONFIRM_DELETIONS = 'deletions'
const MEMBERS = ['displayName', 'audience', 'onUnmatched'] as const
const NOTHING_MERGED = { idpGroupMappings: [], patternMappings: [] }

export async function planDeclaration(
  call: ApplyCall,
  state: DeclarationState,
  progress: Progress,
): Promise<ApplyPlan | Refusal> {
  const { environment, body: declared, now } = call
  const { slug, organization } = state
  const { DB } = environment
  const issuers = await planIssuers(call, state, declared.issuers)
  if (!issuers.ok) return issuers
  const trusted = trustedIssuers(state, issuers)
  const own = await planOwn(call, { ...state, issuers: trusted })
  if (!own.ok) return own
  const projects = await planProjects(state, declared.projects, trusted, progress)
  if (!projects.ok) return projects
  const ownContent = (own.documents[0]?.content ??
    organization?.content ??
    null) as OrganizationContent | null
  const stored = {
    organization: ownContent ?? NO_MAPPINGS,
    projects: projects.contents,
    issuers: issuers.settings,
  }
  const merged = mergeOf(state, stored)
  if (!merged) throw new Error(`organization ${slug} cannot be merged`)
  const refusal =
    (await mayAll(call, state, projects, issuers)) ??
    overLimits(state, stored) ??
    (await faultsOf(call, state, merged.organization))
  if (refusal) return refusal
  await progress('judge', 0, 1)
  const change = {
    before: aroundOrganizations(state.instance, organizationsOf(slug, withoutIssuers(state.merged))),
    after: aroundOrganizations(state.instance, organizationsOf(slug, withoutIssuers(merged))),
  }
  const judgement = await judgeChange(
    { ...call, held: heldBefore(call, state) },
    change,
    state.instance.settings,
  )
  const accounts = await accountsOf(DB, slug, projects.deleted)
  const members = await leavingMembers(DB, slug, projects.deleted, now)
  const documents = [
    ...own.documents,
    ...projects.documents,
    ...issuers.documents,
    ...accounts,
    ...members.documents,
  ]
  const names = {
    created: [...issuers.created],
    changed: [...issuers.changed],
    deleted: [...issuers.deleted],
  }
  const [ownDocument] = own.documents
  if (ownDocument) (ownDocument.version === 0 ? names.created : names.changed).push(ownDocument.name)
  for (const { slug: project, kind } of projects.rows) names[kind].push(projectName(slug, project))
  for (const project of projects.deleted) names.deleted.push(projectName(slug, project))
  for (const list of Object.values(names)) list.sort()
  const isUnchanged = documents.length === 0
  return {
    ok: true,
    documents,
    derived: isUnchanged
      ? []
      : [
          ...own.derived,
          ...(organization ? [organizationGuard(DB, slug)] : []),
          ...(await declaredProjects(DB, slug, projects.rows, now)),
          ...declaredMappings(DB, slug, projects.mappings),
          ...members.derived,
          ...projectsGone(DB, slug, projects.deleted, now),
          ...countsGuards(DB, slug, counted(contentsBefore(state)), counted(contentsAfter(stored))),
          ...issuers.derived,
        ],
    audit: isUnchanged ? [] : auditOf(state, documents),
    judgement,
    toConfirm: projects.deleted.length + issuers.deleted.length > 0 ? [CONFIRM_DELETIONS] : [],
    version: state.seq,
    taken: (columns) => {
      if (columns === 'guard')
        return refuse('version_conflict', 'It has been changed meanwhile; plan it again.')
      return own.taken?.(columns) ?? refuse('already_exists', `There is one with the same ${columns}.`)
    },
    preview: async () => {
      const { policy } = await wholeInstance(environment, state.instance)
      return previewChange(call, {
        before: { ...policy, organizations: organizationsOf(slug, state.merged) },
        after: { ...policy, organizations: organizationsOf(slug, merged) },
      })
    },
    body: (seq) => ({ organization: slug, unchanged: isUnchanged, ...names, seq }),
  }
}

/** Ids of the records that mappings may name, with those that are only being made. */
function trustedIssuers(
  { issuers, slug, instance }: DeclarationState,
  { settings }: DeclaredIssuers,
): string[] {
  const written = instance.source.policy.organizations
  const ofPolicy = Object.hasOwn(written, slug) ? Object.keys(written[slug]?.issuers ?? {}) : []
  const others = issuers.filter((id) => !id.startsWith(`${slug}/`))
  return [...others, ...[...ofPolicy, ...Object.keys(settings)].map((id) => `${slug}/${id}`)]
}

/** The organization's own document, as if it were changed alone; how much all of it holds is counted later. */
async function planOwn(call: ApplyCall, state: DeclarationState): Promise<ApplyPlan | Refusal> {
  const { organization, slug } = state
  const { body: declared } = call
  const roles = state.instance.merged.policy.roles
  const members = MEMBERS.map((name) => {
    const origin = organization?.merged.origins.member(name) ?? null
    const isLocked = origin !== null && origin.origin !== 'database'
    // What is not declared is not set; what the policy sets stays.
    return [name, declared[name] ?? (isLocked ? undefined : null)] as const
  })
  const written = {
    ...Object.fromEntries(members),
    ...listsToWrite(declared, organization?.content ?? null, roles),
  }
  const unchanged = { organization: slug, unchanged: true, created: [], changed: [], deleted: [], seq: null }
  return planOrganization(call, slug, { ...state, counts: null }, written, () => unchanged)
}

/** What each part of it would take as an edit of its own. */
async function mayAll(
  call: ApplyCall,
  { organization, slug }: DeclarationState,
  { rows, deleted, mappings }: PlannedProjects,
  issuers: DeclaredIssuers,
): Promise<Refusal | null> {
  // What is held at the global level is held below it, also where there is nothing yet.
  const level = organization
    ? ({ kind: 'organization', organization: slug } as const)
    : ({ kind: 'global' } as const)
  const has = (kind: DeclaredProject['kind']) => rows.some((row) => row.kind === kind)
  const needed = [
    ...(organization ? [] : ['organization.create']),
    ...(has('created') ? ['project.create'] : []),
    ...(has('changed') ? ['project.write'] : []),
    ...(mappings.length > 0 ? ['project.mappings.write'] : []),
    ...(deleted.length > 0 ? ['project.delete'] : []),
    ...(issuers.documents.length > 0 ? ['organization.issuers.write'] : []),
  ]
  for (const permission of needed) {
    if (await may(call, permission, level)) continue
    const detail = `What is declared differs from what there is in a way that takes "${permission}".`
    return refuse('permission_missing', detail, { subject: call.principal.subject })
  }
  return null
}

type Counted = ReturnType<typeof countMappings>
type Mappings = Pick<Organization, 'idpGroupMappings' | 'patternMappings'>

/** Of the organization and its projects. */
function counted(contents: readonly (Mappings | null)[]): Counted {
  return contents.map(countMappings).reduce(
    (total, { groups, patterns }) => ({
      groups: total.groups + groups,
      patterns: total.patterns + patterns,
    }),
    { groups: 0, patterns: 0 },
  )
}

interface StoredContents {
  organization: OrganizationContent
  projects: Record<string, ProjectContent>
}

/** What the policy's source says of it counts as well, since it stands in the compiled form. */
function contentsOfPolicy({ instance, slug }: DeclarationState): Mappings[] {
  const { organizations } = instance.source.policy
  const written = Object.hasOwn(organizations, slug) ? organizations[slug] : undefined
  return written ? [written, ...Object.values(written.projects)] : []
}

function contentsBefore({ organization, projects }: DeclarationState): (StoredMappings | null)[] {
  return [organization?.content ?? null, ...[...projects.values()].map(({ content }) => content)]
}

function contentsAfter({ organization, projects }: StoredContents): StoredMappings[] {
  return [organization, ...Object.values(projects)]
}

/** Of all of it. What has too much already may still have less. */
function overLimits(state: DeclarationState, stored: StoredContents): Refusal | null {
  const { projects: known } = state
  const { projects } = stored
  const written = contentsOfPolicy(state)
  const [before, after] = [contentsBefore(state), contentsAfter(stored)].map((contents) =>
    counted([...written, ...contents]),
  ) as [Counted, Counted]
  const living = [...known].filter(([, { isDeleted }]) => !isDeleted).map(([slug]) => slug)
  const ofPolicy = [...known]
    .filter(([, { inPolicy, isDeleted }]) => inPolicy && !isDeleted)
    .map(([slug]) => slug)
  const count = new Set([...ofPolicy, ...Object.keys(projects)]).size
  if (count > living.length && count > PROJECTS_MAX) return limitReached('projects', count, PROJECTS_MAX)
  if (after.groups > before.groups && after.groups > MAPPINGS_MAX) {
    return limitReached('mappings of groups', after.groups, MAPPINGS_MAX)
  }
  if (after.patterns > before.patterns && after.patterns > PATTERNS_MAX) {
    return limitReached('patterns', after.patterns, PATTERNS_MAX)
  }
  return null
}

/** What only shows where all of it stands together: issuers that share a name, an audience. */
async function faultsOf(
  call: ApplyCall,
  state: DeclarationState,
  organization: Organization,
): Promise<Refusal | null> {
  const { policy } = await wholeInstance(call.environment, state.instance)
  const without = Object.fromEntries(
    Object.entries(organization.projects).map(([slug]) => [
      slug,
      { idpGroupMappings: [], patternMappings: [] },
    ]),
  )
  const document = {
    ...policy,
    idpGroupMappings: [],
    patternMappings: [],
    routes: {},
    tests: [],
    // Mappings were checked where they stand.
    organizations: { [state.slug]: { ...organization, ...NOTHING_MERGED, projects: without } },
  }
  const faults = checkPolicy(document).filter(({ path }) => path[0] === 'organizations')
  if (faults.length === 0) return null
  return refuseInput(faults.map(({ path, message }) => ({ path: describePath(path.slice(2)), message })))
}

/** Nobody holds anything where nothing is yet: what is held above is asked for by itself. */
function heldBefore({ held }: ApplyCall, { organization, projects }: DeclarationState): Held {
  return {
    ...held,
    rolesAt: async (level) => {
      const isNew =
        (level.kind !== 'global' && organization === null) ||
        (level.kind === 'project' && !projects.has(level.project))
      return isNew ? [] : held.rolesAt(level)
    },
  }
}

function withoutIssuers(merged: DeclarationState['merged']): DeclarationState['merged'] {
  return merged === null ? null : { ...merged, organization: { ...merged.organization, issuers: {} } }
}

/** Service accounts go with their project. */
async function accountsOf(
  database: D1Database,
  slug: string,
  projects: readonly string[],
): Promise<DocumentEdit[]> {
  if (projects.length === 0) return []
  const { results } = await database
    .prepare(
      `SELECT id, version FROM service_accounts WHERE organization = ?
        AND project IN (SELECT value FROM json_each(?)) AND deleted_at IS NULL`,
    )
    .bind(slug, JSON.stringify(projects))
    .all<{ id: string; version: number }>()
  return results.map(({ id, version }) => ({ name: serviceAccountName(id), version, content: null }))
}

/** One event for the edit, with what differs in each document. */
function auditOf(state: DeclarationState, documents: readonly DocumentEdit[]) {
  const { slug, organization, projects, ownIssuers } = state
  const contentBefore = (name: string): unknown => {
    if (name === organizationName(slug)) return organization?.content ?? null
    const id = name.slice(name.indexOf('/', name.indexOf('/') + 1) + 1)
    if (name.startsWith('project/')) return projects.get(id)?.content ?? null
    const settings = name.startsWith('issuer/') ? (ownIssuers.get(id)?.settings ?? null) : null
    return settings === null ? null : { settings }
  }
  const sides = documents.map(({ name, content }) => ({
    name,
    ...changedMembers(contentBefore(name), content),
  }))
  const side = (of: 'before' | 'after') => Object.fromEntries(sides.map((one) => [one.name, one[of]]))
  const target = { kind: 'organization', id: slug }
  const isNew = organization === null
  return [
    { chain: slug, target, before: isNew ? null : side('before'), after: side('after') },
    ...(isNew ? [{ chain: '', target, before: null, after: { declared: true } }] : []),
  ]
}
