// Compiles what was touched, whole, from the newest contents in D1 and the layers above them, and puts what comes
// out into the store. It reads YAML and zod's schemas, so it is loaded when there is something to compile.
import { base64url } from 'jose'
import { compileInstance, compileOrganization } from '../../policy/compile.ts'
import type { CompiledBucket, CompiledOrganization } from '../../policy/compiled.ts'
import {
  environmentMappings,
  mergeInstance,
  mergeOrganization,
  type PolicySource,
} from '../../policy/layers.ts'
import { describePath, type Fault } from '../../policy/problems.ts'
import type { PolicyDocument } from '../../policy/schema.ts'
import { soundInstance, soundOrganization } from '../../policy/sound.ts'
import { sha256 } from '../database/audit.ts'
import {
  type InstanceContent,
  type IssuerContent,
  type IssuerKeysContent,
  type OrganizationContent,
  type ProjectContent,
  parseDocumentName,
  type SettingsContent,
} from '../database/documents.ts'
import { readPolicy, type StoredPolicy } from '../database/policy-source.ts'
import {
  BUCKET_HASH_LENGTH,
  bucketDocument,
  type IssuerNameRecords,
  issuerNameDocument,
  organizationDocument,
  POLICY_DOCUMENT,
  type PublishedOrganization,
} from '../documents/published.ts'
import type { Environment } from '../environment.ts'
import { compileHolder } from './compile-holder.ts'
import { contentOfVersion, databaseOf, type Newest, newestOf, organizationsOf } from './read.ts'
import {
  contentOf,
  leaveBuckets,
  putDocument,
  RANKS,
  type Store,
  setState,
  stateOf,
  type Touched,
  touch,
  untouch,
} from './store.ts'

/** What every organization is compiled with; kept while the policy is not touched. */
export interface Context {
  source: PolicySource
  /** `seq` of the newest edit of the policy's source. */
  sourceSeq: number
  /** The instance's part. */
  instance: PolicyDocument
}

export interface Compiler {
  environment: Environment
  store: Store
  context: Context | null
}

/** Throws when it cannot be compiled; then what is published stays. */
export async function compileTarget(compiler: Compiler, touched: Touched, now: number): Promise<void> {
  const [kind, name] = touched.target.split('/') as [string, string]
  if (kind === 'settings') return compileSettings(compiler, touched)
  if (kind === 'policy') return compileThePolicy(compiler, touched, now)
  if (kind === 'organization') return compileOneOrganization(compiler, name, touched, now)
  return compileHolder(compiler.environment, compiler.store, touched, now)
}

async function compileSettings({ environment, store }: Compiler, { target }: Touched): Promise<void> {
  const [newest] = await newestOf(databaseOf(environment), ['settings'])
  store.transact(() => {
    setState(store, 'settings', (newest?.content ?? {}) as SettingsContent)
    untouch(store, target)
  })
}

interface InstanceParts extends Context {
  /** The newest edit of any of its parts. */
  seq: number
  withdrawnKeys: Map<string, string[]>
}

/** `policySeq`: of the policy edit to read, where it is not to be the newest. */
async function readInstance({ environment }: Compiler, policySeq: number | null): Promise<InstanceParts> {
  const database = databaseOf(environment)
  const names = ['policy', 'instance', 'issuer/', 'issuer-keys/']
  const rows = await newestOf(database, names, isOfInstance)
  const policy = rows.find(({ document }) => document === 'policy')
  if (!policy?.content) throw new Error('D1 has no policy yet')
  const sourceSeq = policySeq ?? policy.seq
  const content = sourceSeq === policy.seq ? policy.content : await contentOfVersion(database, sourceSeq)
  const source = await readPolicy(content as StoredPolicy)
  const merged = mergeInstance(source, environmentMappings(environment), {
    instance: contentAt<InstanceContent>(rows, 'instance'),
    issuers: issuersIn(rows),
  })
  const { value, left } = soundInstance(merged)
  warnOf('the instance', left)
  return {
    source,
    sourceSeq,
    instance: value,
    seq: newestSeq(rows),
    withdrawnKeys: withdrawnIn(rows),
  }
}

function isOfInstance(document: string): boolean {
  const ref = parseDocumentName(document)
  return ref !== null && !('organization' in ref && ref.organization !== null)
}

async function compileThePolicy(compiler: Compiler, { target, edit }: Touched, now: number): Promise<void> {
  const { store, environment } = compiler
  const parts = await readInstance(compiler, null)
  const { instance, source, sourceSeq, seq, withdrawnKeys } = parts
  const content = compileInstance(instance, { withdrawnKeys })
  const frame = await frameOf(instance)
  const sources = stateOf(store, 'sourceSeq') === sourceSeq ? null : await digestsOf(source.policy)
  const all = stateOf(store, 'frame') === frame ? [] : await organizationsOf(databaseOf(environment))
  store.transact(() => {
    putDocument(
      store,
      { name: POLICY_DOCUMENT, rank: RANKS.policy, organization: '', content, seq, edit },
      now,
    )
    const changed = new Set(all)
    if (stateOf(store, 'frame') !== frame) {
      for (const slug of Object.keys(source.policy.organizations)) changed.add(slug)
      for (const slug of publishedOrganizations(store)) changed.add(slug)
    }
    if (sources) for (const slug of changeSources(store, sources)) changed.add(slug)
    for (const slug of changed) touch(store, `organization/${slug}`, edit)
    setState(store, 'frame', frame)
    setState(store, 'sourceSeq', sourceSeq)
    untouch(store, target)
  })
  compiler.context = { source, sourceSeq, instance }
}

/** What else than its own part takes part in compiling an organization. */
async function frameOf({ audience, roles, issuers }: PolicyDocument): Promise<string> {
  const names = Object.entries(issuers).map(([id, { issuer, tenants }]) => [id, issuer, tenants ?? null])
  return sha256(JSON.stringify([audience, roles, names]))
}

async function digestsOf({ organizations }: PolicyDocument): Promise<Map<string, string>> {
  const digests = new Map<string, string>()
  for (const [slug, organization] of Object.entries(organizations)) {
    digests.set(slug, await sha256(JSON.stringify(organization)))
  }
  return digests
}

/** @returns the organizations whose part of the source is another now. */
function changeSources({ sql }: Store, digests: ReadonlyMap<string, string>): string[] {
  const rows = sql.exec('SELECT organization, digest FROM sources').toArray()
  const known = new Map(rows.map(({ organization, digest }) => [organization as string, digest as string]))
  const slugs = new Set([...known.keys(), ...digests.keys()])
  const changed = [...slugs].filter((slug) => known.get(slug) !== digests.get(slug))
  for (const slug of changed) {
    const digest = digests.get(slug)
    if (digest === undefined) sql.exec('DELETE FROM sources WHERE organization = ?', slug)
    else sql.exec('INSERT OR REPLACE INTO sources (organization, digest) VALUES (?, ?)', slug, digest)
  }
  return changed
}

function publishedOrganizations({ sql }: Store): string[] {
  const rows = sql.exec('SELECT organization FROM documents WHERE rank = ?', RANKS.organization).toArray()
  return rows.map(({ organization }) => organization as string)
}

async function compileOneOrganization(
  compiler: Compiler,
  slug: string,
  touched: Touched,
  now: number,
): Promise<void> {
  const { environment, store } = compiler
  // The policy that is published, should there be a newer one that cannot be compiled.
  compiler.context ??= await readInstance(compiler, stateOf(store, 'sourceSeq'))
  const { source, sourceSeq, instance } = compiler.context
  const rows = await newestOf(databaseOf(environment), [
    `organization/${slug}`,
    `project/${slug}/`,
    `issuer/${slug}/`,
    `issuer-keys/${slug}/`,
  ])
  const merged = mergeOrganization(source, slug, {
    organization: contentAt<OrganizationContent>(rows, `organization/${slug}`),
    projects: byLastName<ProjectContent>(rows, 'project/'),
    issuers: issuersIn(rows),
  })
  const compiled = merged && soundOrganization(instance, slug, merged)
  if (compiled) warnOf(`organization ${slug}`, compiled.left)
  const before = contentOf<PublishedOrganization>(store, organizationDocument(slug))?.header ?? null
  const options = { withdrawnKeys: withdrawnIn(rows), ...(before ? { buckets: before.buckets } : {}) }
  const parts = compiled && compileOrganization(slug, compiled.value, options)
  const buckets = await Promise.all(
    (parts?.buckets ?? []).map((bucket, index) => nameBucket(slug, index, bucket)),
  )
  const content: PublishedOrganization | null = parts && {
    header: parts.header,
    bucketHashes: buckets.map(({ hash }) => hash).join(''),
  }
  const issuers = (parts?.header.issuers ?? []).flatMap(({ id, issuers: names, audiences }) => {
    return names.map((name) => ({ name, id, audiences }))
  })
  const names = await nameDocuments(store, slug, issuers)
  const seq = Math.max(sourceSeq, newestSeq(rows))
  const of = { organization: slug, seq, edit: touched.edit }
  store.transact(() => {
    if (hasLostPlaces(before, content)) touchHolders(store, slug, touched.edit)
    for (const { name, bucket } of buckets) {
      putDocument(store, { ...of, name, rank: RANKS.bucket, content: bucket }, now)
    }
    leaveBuckets(
      store,
      slug,
      buckets.map(({ name }) => name),
      now,
    )
    putDocument(store, { ...of, name: organizationDocument(slug), rank: RANKS.organization, content }, now)
    store.sql.exec('DELETE FROM issuer_names WHERE organization = ?', slug)
    for (const { name, id, audiences } of issuers) {
      store.sql.exec(
        'INSERT INTO issuer_names (name, organization, id, audiences) VALUES (?, ?, ?, ?)',
        name,
        slug,
        id,
        JSON.stringify(audiences),
      )
    }
    for (const [iss, name] of names) {
      const records = issuerRecords(store, iss)
      putDocument(store, { ...of, organization: '', name, rank: RANKS.issuerName, content: records }, now)
    }
    untouch(store, touched.target)
  })
}

async function nameBucket(slug: string, index: number, bucket: CompiledBucket) {
  const text = new TextEncoder().encode(JSON.stringify(bucket))
  const digest = base64url.encode(new Uint8Array(await crypto.subtle.digest('SHA-256', text)))
  const hash = digest.slice(0, BUCKET_HASH_LENGTH)
  return { hash, bucket, name: bucketDocument(slug, index, hash) }
}

/** Documents of the `iss` values that the organization has or had. */
async function nameDocuments({ sql }: Store, slug: string, issuers: readonly { name: string }[]) {
  const rows = sql.exec('SELECT name FROM issuer_names WHERE organization = ?', slug).toArray()
  const names = new Set([...rows.map(({ name }) => name as string), ...issuers.map(({ name }) => name)])
  return Promise.all([...names].map(async (iss) => [iss, await issuerNameDocument(iss)] as const))
}

function issuerRecords({ sql }: Store, iss: string): IssuerNameRecords | null {
  const rows = sql
    .exec(
      'SELECT id, organization, audiences FROM issuer_names WHERE name = ? ORDER BY organization, id',
      iss,
    )
    .toArray()
  const records = rows.map(({ id, organization, audiences }) => ({
    id: id as string,
    organization: organization as string,
    audiences: JSON.parse(audiences as string) as string[] | null,
  }))
  return records.length === 0 ? null : { records }
}

/** Whether the organization or a project of it is gone, where people may have been given roles. */
function hasLostPlaces(before: CompiledOrganization | null, content: PublishedOrganization | null): boolean {
  if (before === null) return false
  const now = new Set(content?.header.projects.map(([project]) => project))
  return content === null || before.projects.some(([project]) => !now.has(project))
}

function touchHolders(store: Store, slug: string, edit: number): void {
  const rows = store.sql
    .exec(
      'SELECT DISTINCT holder FROM holders, json_each(holders.organizations) AS one WHERE one.value = ?',
      slug,
    )
    .toArray()
  for (const { holder } of rows) touch(store, holder as string, edit)
}

function contentAt<Content>(rows: readonly Newest[], document: string): Content | null {
  return (rows.find((row) => row.document === document)?.content as Content | undefined) ?? null
}

/** Contents of what is there, by the last part of the name. */
function byLastName<Content>(rows: readonly Newest[], prefix: string): Record<string, Content> {
  const found = rows.filter(({ document, content }) => document.startsWith(prefix) && content !== null)
  return Object.fromEntries(
    found.map(({ document, content }) => [document.slice(document.lastIndexOf('/') + 1), content as Content]),
  )
}

function issuersIn(rows: readonly Newest[]): Record<string, unknown> {
  const contents = Object.entries(byLastName<IssuerContent>(rows, 'issuer/'))
  return Object.fromEntries(contents.map(([id, { settings }]) => [id, settings]))
}

function withdrawnIn(rows: readonly Newest[]): Map<string, string[]> {
  const prefix = 'issuer-keys/'
  const found = rows.filter(({ document, content }) => document.startsWith(prefix) && content !== null)
  return new Map(
    found.map(({ document, content }) => {
      const { withdrawn } = content as IssuerKeysContent
      return [document.slice(prefix.length), withdrawn.map(({ kid }) => kid)]
    }),
  )
}

function newestSeq(rows: readonly Newest[]): number {
  return rows.reduce((newest, { seq }) => Math.max(newest, seq), 0)
}

const FAULTS_SHOWN = 5

function warnOf(what: string, left: readonly Fault[]): void {
  if (left.length === 0) return
  const shown = left.slice(0, FAULTS_SHOWN).map(({ path, message }) => `${describePath(path)}: ${message}`)
  console.warn(
    `${what} holds ${left.length} entries in D1 that no longer fit and give nothing: ${shown.join('; ')}`,
  )
}
