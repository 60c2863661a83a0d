// The projects of a declared organization, each compared with what the database holds: what is to be written of them
// and what of them goes. A list that says what is stored already stays as it is stored.
import { canonicalJson } from '../../../policy/audit-event.ts'
import { normalGroupMappings, normalPatternMappings } from '../../../policy/normal-mappings.ts'
import type { WrittenMapping, WrittenPattern } from '../../../policy/operations/organizations.ts'
import type { Organization, PolicyDocument, Project } from '../../../policy/schema.ts'
import type { DocumentEdit } from '../../database/commit.ts'
import type { DeclaredMappings, DeclaredProject } from '../../database/declared-rows.ts'
import {
  NO_MAPPINGS,
  type ProjectContent,
  projectName,
  type StoredMappings,
} from '../../database/documents.ts'
import type { Refusal } from '../../refusal.ts'
import { type InputError, refuseInput } from '../answers.ts'
import { takeMappings, type WrittenLevel } from '../mappings.ts'
import { takeMembers } from '../organizations/level-input.ts'
import { slugTaken } from '../organizations/organization-edit.ts'
import { type DeclarationState, plainMappings, saysNothing } from './state.ts'

/** How far the work is: told between its parts. */
export type Progress = (stage: string, done: number, total: number) => Promise<void>

const NOTHING_MERGED = { idpGroupMappings: [], patternMappings: [] }
const NOTHING_ABOVE = { above: { idpGroupMappings: 0, patternMappings: 0 } }
/** Projects looked at between two tellings of progress. */
const PROGRESS_STEP = 500

/**
 * The lists that are not what is stored; who set a mapping that stays is kept. Lists that say the same are left
 * out, and so stay as they are.
 */
export function listsToWrite(
  declared: Pick<Organization, 'idpGroupMappings' | 'patternMappings'>,
  stored: StoredMappings | null,
  roles: PolicyDocument['roles'],
): WrittenLevel {
  const plain = plainMappings(stored, roles)
  const groups = normalGroupMappings(declared.idpGroupMappings, roles)
  const patterns = normalPatternMappings(declared.patternMappings, roles)
  const byConsole = new Set(
    [...(stored?.idpGroupMappings ?? []), ...(stored?.patternMappings ?? [])].flatMap(
      ({ managedBy, ...mapping }) => (managedBy === 'console' ? [canonicalJson(mapping)] : []),
    ),
  )
  const managed = <Mapping extends object>(mapping: Mapping) => {
    return byConsole.has(canonicalJson(mapping)) ? { ...mapping, managedBy: 'console' as const } : mapping
  }
  return {
    ...(canonicalJson(groups) === canonicalJson(plain.idpGroupMappings)
      ? {}
      : { idpGroupMappings: declared.idpGroupMappings.map(managed) as WrittenMapping[] }),
    ...(canonicalJson(patterns) === canonicalJson(plain.patternMappings)
      ? {}
      : { patternMappings: declared.patternMappings.map(managed) as WrittenPattern[] }),
  }
}

export interface PlannedProjects {
  ok: true
  /** What the database will hold. */
  contents: Record<string, ProjectContent>
  documents: DocumentEdit[]
  rows: DeclaredProject[]
  mappings: DeclaredMappings[]
  deleted: string[]
}

export async function planProjects(
  state: DeclarationState,
  declared: Readonly<Record<string, Project>>,
  issuers: readonly string[],
  progress: Progress,
): Promise<PlannedProjects | Refusal> {
  const planned: PlannedProjects = {
    ok: true,
    contents: {},
    documents: [],
    rows: [],
    mappings: [],
    deleted: [],
  }
  const errors: InputError[] = []
  const entries = Object.entries(declared)
  for (const [index, [slug, project]] of entries.entries()) {
    if (index % PROGRESS_STEP === 0) await progress('compare', index, entries.length)
    const known = state.projects.get(slug)
    if (known?.isDeleted) return slugTaken('a project', slug)
    const content = contentOf(state, slug, project, issuers)
    if (!content.ok) {
      if (!('errors' in content)) return content
      errors.push(
        ...content.errors.map(({ path, message }) => ({ path: `projects.${slug}.${path}`, message })),
      )
      continue
    }
    addProject(planned, state, slug, content.content)
  }
  for (const [slug, { content, inPolicy }] of state.projects) {
    if (content === null || Object.hasOwn(declared, slug)) continue
    // The policy names it, so it stays; what the database adds to it goes.
    if (inPolicy) addProject(planned, state, slug, NO_MAPPINGS)
    else {
      planned.deleted.push(slug)
      const version = state.projects.get(slug)?.version ?? 0
      planned.documents.push({ name: projectName(state.slug, slug), version, content: null })
    }
  }
  return errors.length > 0 ? refuseInput(errors) : planned
}

type Content = { ok: true; content: ProjectContent } | { ok: false; errors: InputError[] } | Refusal

function contentOf(
  { projects, merged, instance }: DeclarationState,
  slug: string,
  declared: Project,
  issuers: readonly string[],
): Content {
  const stored = projects.get(slug)?.content ?? null
  const { roles } = instance.merged.policy
  const origins = merged?.projects[slug] ?? null
  const project = merged?.organization.projects[slug] ?? NOTHING_MERGED
  const origin = origins?.member('displayName') ?? null
  const isLocked = origin !== null && origin.origin !== 'database'
  const displayName = declared.displayName ?? (isLocked ? undefined : null)
  const members = takeMembers(['displayName'], { displayName }, { ...stored }, origins, { ...project })
  if (!members.ok) return members
  const rules = { roles, level: 'project' as const, issuers }
  const written = listsToWrite(declared, stored, roles)
  const lists = takeMappings(written, project, stored, origins ?? NOTHING_ABOVE, rules)
  return lists.ok ? { ok: true, content: { ...members.members, ...lists.mappings } } : lists
}

function addProject(
  planned: PlannedProjects,
  state: DeclarationState,
  slug: string,
  content: ProjectContent,
): void {
  const known = state.projects.get(slug)
  const before = known?.content ?? null
  if (before !== null || !known?.inPolicy || !saysNothing(content)) planned.contents[slug] = content
  const isNew = known === undefined
  if (!isNew && canonicalJson(before ?? NO_MAPPINGS) === canonicalJson(content)) return
  const document = projectName(state.slug, slug)
  const version = known?.version ?? 0
  const displayName = mergedName(state, slug) ?? content.displayName ?? slug
  planned.documents.push({ name: document, version, content })
  planned.rows.push({
    slug,
    displayName,
    version: version + 1,
    kind: isNew ? 'created' : 'changed',
    isRenamed: displayName !== known?.displayName,
  })
  const { above } = state.merged?.projects[slug] ?? NOTHING_ABOVE
  const place = { document, organization: state.slug, project: slug, above }
  planned.mappings.push({ place, isNew, after: content })
}

/** The name that the policy gives it, which goes first. */
function mergedName({ merged }: DeclarationState, slug: string): string | null {
  const origin = merged?.projects[slug]?.member('displayName') ?? null
  if (origin === null || origin.origin === 'database') return null
  return merged?.organization.projects[slug]?.displayName ?? null
}
