// Compiles what was touched, whole, from the newest contents in D1 and the layers above them, and puts what comes
// out into the store. It reads YAML and zod's schemas, so it is loaded when there is something to compile.
import { compileInstance } from '../../policy/compile.ts'
import type { PolicyDocument } from '../../policy/schema.ts'
import { sha256 } from '../database/audit.ts'
import type { SettingsContent } from '../database/documents.ts'
import { POLICY_DOCUMENT } from '../documents/published.ts'
import { compileHolder } from './compile-holder.ts'
import { compileOneOrganization } from './compile-organization.ts'
import { type Compiler, readInstance } from './merged.ts'
import { databaseOf, newestOf, organizationsOf } from './read.ts'
import { putDocument, RANKS, type Store, setState, stateOf, type Touched, touch, untouch } from './store.ts'

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
