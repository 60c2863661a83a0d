// The plan of any change to an organization's own document: made, changed over the API or restored from a version. It
// is read once, judged, and written with the rows derived from it.
import { canonicalJson } from '../../../policy/audit-event.ts'
import { checkUnmatched } from '../../../policy/check.ts'
import { type MergedOrganization, mergeOrganization } from '../../../policy/layers.ts'
import type { OrganizationResource } from '../../../policy/operations/organizations.ts'
import type { OperationId } from '../../../policy/operations/table.ts'
import type { Fault } from '../../../policy/problems.ts'
import type { Organization } from '../../../policy/schema.ts'
import { changedMembers } from '../../database/audit.ts'
import { readAll } from '../../database/batch.ts'
import {
  NO_MAPPINGS,
  type OrganizationContent,
  organizationName,
  publicIdOf,
} from '../../database/documents.ts'
import {
  audienceGuard,
  changedOrganization,
  mappingStatements,
  newOrganization,
  type OrganizationRow,
} from '../../database/rows.ts'
import type { Environment } from '../../environment.ts'
import { type Refusal, refuse, shown } from '../../refusal.ts'
import { refuseInput } from '../answers.ts'
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

const MEMBERS = ['displayName', 'audience', 'onUnmatched'] as const

export interface OrganizationState {
  instance: InstanceInForce
  /** Null where there is none, or none any more. */
  organization: OrganizationInForce | null
  /** Whether the slug was ever used. */
  used: boolean
  projectCount: number
  /** Ids of the issuer records trusted in it. */
  issuers: string[]
  /** Null: whoever plans more than this document counts all of it. */
  counts: MappingCounts | null
}

type StateRows = InstanceRows &
  OrganizationRows & {
    around: AroundRow
  }

export async function readOrganizationState(
  environment: Environment,
  slug: string,
): Promise<OrganizationState> {
  const { DB } = environment
  const rows = await readAll<StateRows>(DB, {
    ...instanceStatements(environment),
    ...organizationStatements(environment, slug),
    around: aroundStatement(DB, slug, organizationName(slug)),
  })
  const instance = await instanceInForce(environment, rows)
  const written = Object.keys(instance.source.policy.issuers)
  return {
    instance,
    organization: organizationInForce(instance, rows),
    used: rows.organizationRow.length > 0,
    ...aroundOf(rows.around, written),
  }
}

export function countProjects(database: D1Database, slug: string): D1PreparedStatement {
  return database
    .prepare('SELECT count(*) AS count FROM projects WHERE organization = ? AND deleted_at IS NULL')
    .bind(slug)
}

export function issuersOf(database: D1Database, slug: string): D1PreparedStatement {
  return database
    .prepare("SELECT id FROM issuers WHERE organization IN ('', ?) AND deleted_at IS NULL")
    .bind(slug)
}

export function organizationResource(
  { row, version, content, merged }: OrganizationInForce,
  projectCount: number,
): OrganizationResource {
  const { organization, origins } = merged
  const { locked, ...lists } = echoMappings(organization, content, origins)
  return {
    slug: row.slug,
    id: row.public_id,
    displayName: row.display_name,
    ...lists,
    locked: { ...lockedMembers(origins, MEMBERS), ...locked },
    version,
    createdAt: new Date(row.created_at).toISOString(),
    updatedAt: new Date(row.updated_at).toISOString(),
    audience: row.audience,
    onUnmatched: organization.onUnmatched ?? null,
    projectCount,
  }
}

export interface WrittenOrganization extends WrittenLevel {
  displayName?: string | null | undefined
  audience?: string | null | undefined
  onUnmatched?: string | null | undefined
}

const NOTHING_MERGED = { idpGroupMappings: [], patternMappings: [] }
const NOTHING_ABOVE = { above: { idpGroupMappings: 0, patternMappings: 0 } }

/** What the document will say: what was written, over what it says. */
function contentFrom(
  { instance, organization, issuers, counts }: OrganizationState,
  written: WrittenOrganization,
): { ok: true; content: OrganizationContent } | Refusal {
  const { roles } = instance.merged.policy
  const stored = organization?.content ?? NO_MAPPINGS
  const merged = organization?.merged.organization ?? NOTHING_MERGED
  const origins = organization?.merged.origins ?? null
  const members = takeMembers(MEMBERS, { ...written }, { ...stored }, origins, { ...merged })
  if (!members.ok) return members
  const faults: Fault[] = []
  checkUnmatched({ roles }, members.members.onUnmatched as string | undefined, [], faults)
  if (faults.length > 0) {
    return refuseInput(faults.map(({ message }) => ({ path: 'onUnmatched', message })))
  }
  const rules = { roles, level: 'organization' as const, issuers }
  const lists = takeLists(written, merged, stored, origins ?? NOTHING_ABOVE, rules)
  if (!lists.ok) return lists
  const over = counts && checkCounts(counts, organization?.content ?? null, lists.mappings)
  return over ?? { ok: true, content: { ...members.members, ...lists.mappings } }
}

/**
 * `state` is of the organization as it is; without one it is made. In `written` undefined leaves a member as it is
 * and null takes it away.
 */
export async function planOrganization<Id extends OperationId>(
  call: Call<Id>,
  slug: string,
  state: OrganizationState,
  written: WrittenOrganization,
  body: (resource: OrganizationResource, seq: number | null) => ReturnType<Plan<Id>['body']>,
): Promise<({ ok: true } & Plan<Id>) | Refusal> {
  const { environment, now } = call
  const { DB } = environment
  const taken = contentFrom(state, written)
  if (!taken.ok) return taken
  const { content } = taken
  const { instance, organization } = state
  const version = organization?.version ?? 0
  const changed = canonicalJson(organization?.content ?? NO_MAPPINGS) !== canonicalJson(content)
  const after = await organizationAfter(state, slug, content, changed || !organization ? now : null)
  const conflict = await audienceTaken(DB, instance, slug, after.row.audience, organization?.row.audience)
  if (conflict) return conflict
  const own = (merged: MergedOrganization): Organization => ({
    ...merged.organization,
    issuers: {},
    projects: {},
  })
  const change = {
    before: aroundOrganizations(instance, organization ? { [slug]: own(organization.merged) } : {}),
    after: aroundOrganizations(instance, { [slug]: own(after.merged) }),
  }
  const judgement = await judgeChange(call, change, instance.settings)
  const resource = organizationResource(after, state.projectCount)
  const name = organizationName(slug)
  const difference = changedMembers(organization?.content ?? null, content)
  const target = { kind: 'organization', id: slug }
  const isNew = organization === null
  const facts = {
    slug,
    displayName: after.row.display_name,
    audience: after.row.audience,
    version: version + 1,
  }
  const { above } = after.merged.origins
  return {
    ok: true,
    documents: changed || isNew ? [{ name, version, content }] : [],
    derived:
      changed || isNew
        ? [
            audienceGuard(DB, slug, facts.audience),
            ...(organization
              ? changedOrganization(DB, facts, organization.row, now)
              : await newOrganization(DB, facts, now)),
            ...mappingStatements(
              DB,
              { document: name, organization: slug, project: '', above },
              organization?.content ?? null,
              content,
            ),
            ...(state.counts === null
              ? []
              : countsGuards(DB, slug, countMappings(organization?.content ?? null), countMappings(content))),
          ]
        : [],
    audit: [
      { chain: slug, target, ...difference },
      // That there is one more is the instance's to know.
      ...(isNew ? [{ chain: '', target, before: null, after: { displayName: facts.displayName } }] : []),
    ],
    judgement,
    version: after.version,
    taken: (columns) => {
      if (columns !== 'guard') return slugTaken('an organization', slug)
      return facts.audience === organization?.row.audience
        ? refuse('version_conflict', 'Its projects have been changed meanwhile; repeat the change.')
        : refuse('name_taken', `The audience ${shown(facts.audience)} was taken meanwhile.`)
    },
    preview: async () => {
      const [before, next] = [organization?.content ?? null, content]
      const whole = await wholeOrganization(environment, instance, slug, before)
      const then = await wholeOrganization(environment, instance, slug, next)
      return previewChange(call, {
        before: {
          ...whole.instance.policy,
          organizations: organizationsOf(slug, isNew ? null : whole.organization),
        },
        after: { ...then.instance.policy, organizations: organizationsOf(slug, then.organization) },
      })
    },
    body: (seq) => body(resource, seq),
  }
}

export function organizationsOf(
  slug: string,
  merged: MergedOrganization | null,
): Record<string, Organization> {
  return merged === null ? {} : { [slug]: merged.organization }
}

export function slugTaken(what: string, slug: string): Refusal {
  return refuse('already_exists', `There is or was ${what} ${shown(slug)}; a slug is never used again.`)
}

/** As it will be once it is written; `at` null: as it is, since nothing changes. */
async function organizationAfter(
  { instance, organization }: OrganizationState,
  slug: string,
  content: OrganizationContent,
  at: number | null,
): Promise<OrganizationInForce> {
  const merged = mergeOrganization(instance.source, slug, {
    organization: content,
    projects: {},
    issuers: {},
  })
  if (!merged) throw new Error(`organization ${slug} is neither written nor stored`)
  const version = at === null ? (organization?.version ?? 0) : (organization?.version ?? 0) + 1
  const row: OrganizationRow = {
    slug,
    public_id: organization?.row.public_id ?? (await publicIdOf(organizationName(slug))),
    display_name: merged.organization.displayName ?? slug,
    audience: merged.organization.audience ?? slug,
    in_policy: organization?.row.in_policy ?? 0,
    version,
    created_at: organization?.row.created_at ?? at ?? 0,
    updated_at: at ?? organization?.row.updated_at ?? 0,
    deleted_at: null,
  }
  return { row, version, content, merged }
}

/** Records that share an `iss` are told apart by audience, so an audience may name one owner only. */
async function audienceTaken(
  database: D1Database,
  { merged }: InstanceInForce,
  slug: string,
  audience: string,
  before: string | undefined,
): Promise<Refusal | null> {
  if (audience === before) return null
  const taken = (holder: string) => {
    const message = `${audience} is already the audience of ${holder}; set another one ("audience")`
    return refuse('name_taken', message, { members: { errors: [{ path: 'audience', message }] } })
  }
  if (audience === merged.policy.audience) return taken('the instance')
  const other = await database
    .prepare('SELECT slug FROM organizations WHERE audience = ? AND slug <> ? AND deleted_at IS NULL')
    .bind(audience, slug)
    .first<{ slug: string }>()
  return other ? taken('another organization') : null
}
