// What is in force at a level: the policy's source, the environment and the database merged (policy/layers.ts),
// read in as few round trips as it takes. What hardly ever changes is known by its version and not read again.
import { type EnvironmentIssuer, environmentIssuer } from '../../policy/environment-issuer.ts'
import {
  type EnvironmentMapping,
  environmentMappings,
  type MergedInstance,
  type MergedOrganization,
  mergeInstance,
  mergeOrganization,
  type PolicySource,
} from '../../policy/layers.ts'
import type { Organization, PolicyDocument } from '../../policy/schema.ts'
import { contentOf, newerVersion, newestVersion, readAll, type VersionRow } from '../database/batch.ts'
import {
  INSTANCE,
  type InstanceContent,
  type IssuerContent,
  type OrganizationContent,
  organizationName,
  POLICY,
  type ProjectContent,
  projectName,
  SETTINGS,
  type SettingsContent,
} from '../database/documents.ts'
import { bundledPolicy, readPolicy, type StoredPolicy } from '../database/policy-source.ts'
import type { OrganizationRow, ProjectRow } from '../database/rows.ts'
import type { Environment } from '../environment.ts'

/** Above every organization. */
export interface InstanceInForce {
  source: PolicySource
  environmentMappings: EnvironmentMapping[]
  /** The issuer that variables describe. */
  described: EnvironmentIssuer | null
  /** Of the document `instance`; 0 where there is none. */
  version: number
  updatedAt: number | null
  content: InstanceContent | null
  settings: SettingsContent
  /** Without the issuers that the database has, unless they were read too (wholeInstance). */
  merged: MergedInstance
}

interface Known {
  policy: { version: number; source: PolicySource }
  instance: { version: number; at: number | null; content: InstanceContent | null }
  settings: { version: number; content: SettingsContent }
  /** Merged of these versions. */
  merged: MergedInstance | null
  environmentMappings: EnvironmentMapping[]
  described: EnvironmentIssuer | null
}

const knownByEnvironment = new WeakMap<Environment, Known>()
/** By itself, since whoever only reads needs no more. */
const sourceByEnvironment = new WeakMap<Environment, Known['policy']>()

/** For a batch: give what it finds to sourceInForce. */
export function sourceStatement(environment: Environment) {
  return { policy: newerVersion(POLICY, sourceByEnvironment.get(environment)?.version ?? 0) }
}

/** The policy's source, for what the file says of an organization or a project. */
export async function sourceInForce(
  environment: Environment,
  { policy: [row] }: { policy: VersionRow[] },
): Promise<{ source: PolicySource }> {
  return versionedSource(environment, row)
}

async function versionedSource(
  environment: Environment,
  row: VersionRow | undefined,
): Promise<Known['policy']> {
  const known = sourceByEnvironment.get(environment)
  const version = row?.version ?? 0
  if (known?.version === version) return known
  const policy = { version, source: await sourceOf(await whole(environment, POLICY, row)) }
  sourceByEnvironment.set(environment, policy)
  return policy
}

/**
 * The content was left out since it was known when the statement was made; another request of this isolate may have
 * put a different version in its place before the answer came.
 */
async function whole(
  { DB }: Environment,
  document: string,
  row: VersionRow | undefined,
): Promise<VersionRow | undefined> {
  if (row === undefined || row.content !== null) return row
  const sql = 'SELECT version, content, at FROM versions WHERE document = ? AND version = ?'
  return (await DB.prepare(sql).bind(document, row.version).first<VersionRow>()) ?? undefined
}

/** For a batch: give what they find to instanceInForce. */
export function instanceStatements(environment: Environment) {
  const known = knownByEnvironment.get(environment)
  return {
    ...sourceStatement(environment),
    instance: newerVersion(INSTANCE, known?.instance.version ?? 0),
    settings: newerVersion(SETTINGS, known?.settings.version ?? 0),
  }
}
export type SourceRow = Record<'policy', VersionRow>
export type InstanceRows = Record<'policy' | 'instance' | 'settings', VersionRow>

export async function instanceInForce(
  environment: Environment,
  {
    policy: [policyRow],
    instance: [instanceRow],
    settings: [settingsRow],
  }: {
    [Name in keyof InstanceRows]: VersionRow[]
  },
): Promise<InstanceInForce> {
  const before = knownByEnvironment.get(environment)
  const same = (row: VersionRow | undefined, version: number | undefined) => (row?.version ?? 0) === version
  const policy = await versionedSource(environment, policyRow)
  const instance =
    before && same(instanceRow, before.instance.version)
      ? before.instance
      : {
          version: instanceRow?.version ?? 0,
          at: instanceRow?.at ?? null,
          content: contentOf<InstanceContent>(await whole(environment, INSTANCE, instanceRow)),
        }
  const settings =
    before && same(settingsRow, before.settings.version)
      ? before.settings
      : {
          version: settingsRow?.version ?? 0,
          content: contentOf<SettingsContent>(await whole(environment, SETTINGS, settingsRow)) ?? {},
        }
  const isSame = before && before.policy === policy && before.instance === instance
  const mappings = before?.environmentMappings ?? environmentMappings({ ...environment })
  const described = before ? before.described : environmentIssuer({ ...environment }).issuer
  const merged =
    (isSame ? before.merged : null) ??
    mergeInstance(policy.source, mappings, { instance: instance.content, issuers: {} })
  const known = { policy, instance, settings, merged, environmentMappings: mappings, described }
  knownByEnvironment.set(environment, known)
  return {
    source: policy.source,
    environmentMappings: mappings,
    described,
    version: instance.version,
    updatedAt: instance.at,
    content: instance.content,
    settings: settings.content,
    merged,
  }
}

async function sourceOf(row: VersionRow | undefined): Promise<PolicySource> {
  return readPolicy(contentOf<StoredPolicy>(row) ?? { source: (await bundledPolicy()).text })
}

export async function readInstance(environment: Environment): Promise<InstanceInForce> {
  return instanceInForce(
    environment,
    await readAll<InstanceRows>(environment.DB, instanceStatements(environment)),
  )
}

export interface OrganizationInForce {
  row: OrganizationRow
  /** Of its document; 0 while only the policy names it. */
  version: number
  content: OrganizationContent | null
  /** Its own part. Of its projects those of the source, and those that were read. */
  merged: MergedOrganization
}

/** The rows of what is deleted are read too: a slug is never used again. */
export function organizationStatements({ DB }: Environment, slug: string) {
  return {
    organizationRow: DB.prepare('SELECT * FROM organizations WHERE slug = ?').bind(slug),
    organization: newestVersion(organizationName(slug)),
  }
}
export type OrganizationRows = { organizationRow: OrganizationRow; organization: VersionRow }

export function projectStatements({ DB }: Environment, organization: string, project: string) {
  return {
    projectRow: DB.prepare('SELECT * FROM projects WHERE organization = ? AND slug = ?').bind(
      organization,
      project,
    ),
    project: newestVersion(projectName(organization, project)),
  }
}
export type ProjectRows = { projectRow: ProjectRow; project: VersionRow }

/** Null when there is none. */
export function organizationInForce(
  { source }: Pick<InstanceInForce, 'source'>,
  rows: { organizationRow: OrganizationRow[]; organization: VersionRow[] },
  projects: Record<string, ProjectContent> = {},
): OrganizationInForce | null {
  const [row] = rows.organizationRow
  if (!row || row.deleted_at !== null) return null
  const content = contentOf<OrganizationContent>(rows.organization[0])
  const merged = mergeOrganization(source, row.slug, {
    organization: content ?? EMPTY,
    projects,
    issuers: {},
  })
  if (!merged) return null
  return { row, version: rows.organization[0]?.version ?? 0, content, merged }
}
const EMPTY: OrganizationContent = { idpGroupMappings: [], patternMappings: [] }

/**
 * The instance's part as documents have it that are judged or compared for one organization: without issuers,
 * routes and tests, which are the same before and after.
 */
export function aroundOrganizations(
  { merged: { policy } }: InstanceInForce,
  organizations: Record<string, Organization>,
): PolicyDocument {
  return { ...policy, issuers: {}, routes: {}, tests: [], organizations }
}

type ProjectDocument = { slug: string; content: string }
type IssuerDocument = { id: string; organization: string; content: string }

/** Everything of the organization, and the instance with all its issuers: what a preview compares. */
export async function wholeOrganization(
  environment: Environment,
  instance: InstanceInForce,
  slug: string,
  stored: OrganizationContent | null,
): Promise<{ instance: MergedInstance; organization: MergedOrganization | null }> {
  const { DB } = environment
  const rows = await readAll<{ projects: ProjectDocument; issuers: IssuerDocument }>(DB, {
    projects: DB.prepare(
      `SELECT p.slug, v.content FROM projects p
        JOIN versions v ON v.document = 'project/' || p.organization || '/' || p.slug AND v.version = p.version
        WHERE p.organization = ? AND p.deleted_at IS NULL AND v.content IS NOT NULL`,
    ).bind(slug),
    issuers: issuersStatement(DB, ['', slug]),
  })
  const projects = rows.projects.map((row): [string, ProjectContent] => [
    row.slug,
    JSON.parse(row.content) as ProjectContent,
  ])
  const issuers = (owner: string) => issuerSettings(rows.issuers, owner)
  return {
    instance: mergeWhole(instance, issuers('')),
    organization: mergeOrganization(instance.source, slug, {
      organization: stored,
      projects: Object.fromEntries(projects),
      issuers: issuers(slug),
    }),
  }
}

function issuersStatement(database: D1Database, owners: readonly string[]): D1PreparedStatement {
  return database
    .prepare(
      `SELECT i.id, i.organization, v.content FROM issuers i
        JOIN versions v ON v.document = 'issuer/' || i.id AND v.version = i.version
        WHERE i.organization IN (SELECT value FROM json_each(?)) AND i.deleted_at IS NULL AND v.content IS NOT NULL`,
    )
    .bind(JSON.stringify(owners))
}

function issuerSettings(rows: readonly IssuerDocument[], owner: string): Record<string, unknown> {
  const own = rows.filter(({ organization }) => organization === owner)
  return Object.fromEntries(
    own.map(({ id, content }) => [
      owner === '' ? id : id.slice(owner.length + 1),
      (JSON.parse(content) as IssuerContent).settings,
    ]),
  )
}

/** The instance with its issuers, for previews of the global level. */
export async function wholeInstance(
  environment: Environment,
  instance: InstanceInForce,
): Promise<MergedInstance> {
  const { results } = await issuersStatement(environment.DB, ['']).all<IssuerDocument>()
  return mergeWhole(instance, issuerSettings(results, ''))
}

function mergeWhole(
  { source, environmentMappings, content, described }: InstanceInForce,
  issuers: Record<string, unknown>,
): MergedInstance {
  return mergeInstance(source, environmentMappings, { instance: content, issuers }, described)
}
