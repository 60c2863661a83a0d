// A change of the policy's source as two documents, before and after, each merged with what the database holds: what
// the change is judged by, and what its preview compares.
import { compareDocuments } from '../../policy/diff-structure.ts'
import { mergeInstance, mergeOrganization, type PolicySource } from '../../policy/layers.ts'
import type { PolicyDocument } from '../../policy/schema.ts'
import { soundInstance, soundOrganization } from '../../policy/sound.ts'
import { readAll } from '../database/batch.ts'
import type { IssuerContent, OrganizationContent, ProjectContent } from '../database/documents.ts'
import { nameWithin } from '../database/issuer-rows.ts'
import type { Environment } from '../environment.ts'
import type { DocumentChange } from './change.ts'
import type { InstanceInForce } from './effective.ts'

/** Where roles or issuers change, everybody everywhere may gain or lose; of more organizations not all are compared. */
const ORGANIZATIONS_MAX = 200

export interface PolicyChange extends DocumentChange {
  /** Whether roles or issuers themselves change, so that everybody is looked at. */
  considered: 'carriers' | 'everybody'
  /** Organizations that could not be compared. */
  left: number
}

export async function policyChange(
  environment: Environment,
  instance: InstanceInForce,
  after: PolicySource,
): Promise<PolicyChange> {
  const structure = compareDocuments(instance.source.policy, after.policy)
  const everybody = structure.some(({ part, name }) => {
    return part === 'role' || part === 'issuer' || (part === 'setting' && name !== 'singleSignOn')
  })
  const touched = new Set(
    structure.flatMap(({ level }) => (level.kind === 'global' ? [] : [level.organization])),
  )
  // A pattern of the instance, or a global role, reaches into every organization as well.
  const wide = everybody || structure.some(({ part, level }) => part === 'pattern' && level.kind === 'global')
  const stored = await storedLayers(environment, [...touched], wide)
  const slugs = [...new Set([...touched, ...stored.slugs])]
  const build = (source: PolicySource) => documentOf(instance, source, slugs, stored)
  return {
    before: build(instance.source),
    after: build(after),
    considered: everybody ? 'everybody' : 'carriers',
    left: stored.left,
  }
}

/** The change as it is judged: who may give every role may give those as well that the change itself defines. */
export function judgedChange({ before, after }: DocumentChange): DocumentChange {
  const defined = Object.entries(after.roles).filter(([name]) => !Object.hasOwn(before.roles, name))
  return { before: { ...before, roles: { ...before.roles, ...Object.fromEntries(defined) } }, after }
}

interface Stored {
  slugs: string[]
  left: number
  organizations: Map<string, OrganizationContent>
  projects: Map<string, Record<string, ProjectContent>>
  issuers: Map<string, Record<string, unknown>>
}

function documentOf(
  instance: InstanceInForce,
  source: PolicySource,
  slugs: readonly string[],
  stored: Stored,
): PolicyDocument {
  const layers = { instance: instance.content, issuers: stored.issuers.get('') ?? {} }
  const merged = mergeInstance(source, instance.environmentMappings, layers, instance.described)
  const above = soundInstance(merged).value
  const organizations = slugs.flatMap((slug): [string, PolicyDocument['organizations'][string]][] => {
    const one = mergeOrganization(source, slug, {
      organization: stored.organizations.get(slug) ?? null,
      projects: stored.projects.get(slug) ?? {},
      issuers: stored.issuers.get(slug) ?? {},
    })
    return one ? [[slug, soundOrganization(above, slug, one).value]] : []
  })
  // Routes and tests are compared by themselves: they may name organizations that are not here.
  return { ...above, tests: [], routes: {}, organizations: Object.fromEntries(organizations) }
}

async function storedLayers(
  { DB: database }: Environment,
  touched: readonly string[],
  wide: boolean,
): Promise<Stored> {
  const which = wide
    ? `SELECT slug FROM organizations WHERE deleted_at IS NULL ORDER BY slug LIMIT ${ORGANIZATIONS_MAX}`
    : 'SELECT value AS slug FROM json_each(?1)'
  const list = JSON.stringify(touched)
  const of = (sql: string) =>
    database
      .prepare(
        `WITH which AS (SELECT value AS slug FROM json_each(?1) UNION ${wide ? `SELECT slug FROM (${which})` : which}) ${sql}`,
      )
      .bind(list)
  const found = await readAll<{
    slugs: { slug: string }
    total: { total: number }
    organizations: { slug: string; content: string }
    projects: { organization: string; slug: string; content: string }
    issuers: { id: string; organization: string; content: string }
  }>(database, {
    slugs: of(
      'SELECT o.slug FROM organizations o JOIN which ON which.slug = o.slug WHERE o.deleted_at IS NULL',
    ),
    total: database.prepare('SELECT count(*) AS total FROM organizations WHERE deleted_at IS NULL'),
    organizations: of(
      `SELECT o.slug, v.content FROM organizations o JOIN which ON which.slug = o.slug
        JOIN versions v ON v.document = 'organization/' || o.slug AND v.version = o.version
        WHERE o.deleted_at IS NULL AND v.content IS NOT NULL`,
    ),
    projects: of(
      `SELECT p.organization, p.slug, v.content FROM projects p JOIN which ON which.slug = p.organization
        JOIN versions v ON v.document = 'project/' || p.organization || '/' || p.slug AND v.version = p.version
        WHERE p.deleted_at IS NULL AND v.content IS NOT NULL`,
    ),
    issuers: of(
      `SELECT i.id, i.organization, v.content FROM issuers i
        JOIN versions v ON v.document = 'issuer/' || i.id AND v.version = i.version
        WHERE (i.organization = '' OR i.organization IN (SELECT slug FROM which))
          AND i.deleted_at IS NULL AND v.content IS NOT NULL`,
    ),
  })
  const projects = new Map<string, Record<string, ProjectContent>>()
  for (const { organization, slug, content } of found.projects) {
    projects.set(organization, {
      ...projects.get(organization),
      [slug]: JSON.parse(content) as ProjectContent,
    })
  }
  const issuers = new Map<string, Record<string, unknown>>()
  for (const { id, organization, content } of found.issuers) {
    const { settings } = JSON.parse(content) as IssuerContent
    issuers.set(organization, { ...issuers.get(organization), [nameWithin(id)]: settings })
  }
  const slugs = found.slugs.map(({ slug }) => slug)
  return {
    slugs,
    left: wide ? Math.max(0, (found.total[0]?.total ?? 0) - slugs.length) : 0,
    organizations: new Map(
      found.organizations.map(({ slug, content }) => [slug, JSON.parse(content) as OrganizationContent]),
    ),
    projects,
    issuers,
  }
}
