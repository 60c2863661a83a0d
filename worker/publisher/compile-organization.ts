// One organization, compiled whole: its header, the buckets of its mappings, and which `iss` values it has issuers of.
import { compileOrganization } from '../../policy/compile.ts'
import type { CompiledBucket, CompiledOrganization } from '../../policy/compiled.ts'
import { mergeOrganization } from '../../policy/layers.ts'
import { soundOrganization } from '../../policy/sound.ts'
import type { OrganizationContent, ProjectContent } from '../database/documents.ts'
import {
  BUCKET_HASH_LENGTH,
  bucketDocument,
  type IssuerNameRecords,
  issuerNameDocument,
  organizationDocument,
  type PublishedOrganization,
} from '../documents/published.ts'
import { digestOf } from '../opaque.ts'
import {
  byLastName,
  type Compiler,
  contentAt,
  issuersIn,
  newestSeq,
  readInstance,
  warnOf,
  withdrawnIn,
} from './merged.ts'
import { databaseOf, newestOf } from './read.ts'
import {
  contentOf,
  leaveBuckets,
  putDocument,
  RANKS,
  type Store,
  stateOf,
  type Touched,
  touch,
  untouch,
} from './store.ts'

/** Throws when it cannot be compiled; then what is published of it stays. */
export async function compileOneOrganization(
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
  const hash = (await digestOf(JSON.stringify(bucket))).slice(0, BUCKET_HASH_LENGTH)
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
