// What is compiled, read from D1 and merged with the layers above it: the instance's part, which every organization
// is compiled with, and the contents of documents by what they are of.
import { environmentIssuer } from '../../policy/environment-issuer.ts'
import { environmentMappings, mergeInstance, type PolicySource } from '../../policy/layers.ts'
import { describePath, type Fault } from '../../policy/problems.ts'
import type { PolicyDocument } from '../../policy/schema.ts'
import { soundInstance } from '../../policy/sound.ts'
import {
  type InstanceContent,
  type IssuerContent,
  type IssuerKeysContent,
  parseDocumentName,
} from '../database/documents.ts'
import { readPolicy, type StoredPolicy } from '../database/policy-source.ts'
import type { Environment } from '../environment.ts'
import { contentOfVersion, databaseOf, type Newest, newestOf } from './read.ts'
import type { Store } from './store.ts'

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

export interface InstanceParts extends Context {
  /** The newest edit of any of its parts. */
  seq: number
  withdrawnKeys: Map<string, string[]>
}

/** `policySeq`: of the policy edit to read, where it is not to be the newest. */
export async function readInstance(
  { environment }: Compiler,
  policySeq: number | null,
): Promise<InstanceParts> {
  const database = databaseOf(environment)
  const names = ['policy', 'instance', 'issuer/', 'issuer-keys/']
  const rows = await newestOf(database, names, isOfInstance)
  const policy = rows.find(({ document }) => document === 'policy')
  if (!policy?.content) throw new Error('D1 has no policy yet')
  const sourceSeq = policySeq ?? policy.seq
  const content = sourceSeq === policy.seq ? policy.content : await contentOfVersion(database, sourceSeq)
  const source = await readPolicy(content as StoredPolicy)
  const described = environmentIssuer(environment)
  for (const warning of described.warnings) console.warn(`variables: ${warning}`)
  const layers = { instance: contentAt<InstanceContent>(rows, 'instance'), issuers: issuersIn(rows) }
  const merged = mergeInstance(source, environmentMappings(environment), layers, described.issuer)
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

export function contentAt<Content>(rows: readonly Newest[], document: string): Content | null {
  return (rows.find((row) => row.document === document)?.content as Content | undefined) ?? null
}

/** Contents of what is there, by the last part of the name. */
export function byLastName<Content>(rows: readonly Newest[], prefix: string): Record<string, Content> {
  const found = rows.filter(({ document, content }) => document.startsWith(prefix) && content !== null)
  return Object.fromEntries(
    found.map(({ document, content }) => [document.slice(document.lastIndexOf('/') + 1), content as Content]),
  )
}

export function issuersIn(rows: readonly Newest[]): Record<string, unknown> {
  const contents = Object.entries(byLastName<IssuerContent>(rows, 'issuer/'))
  return Object.fromEntries(contents.map(([id, { settings }]) => [id, settings]))
}

export function withdrawnIn(rows: readonly Newest[]): Map<string, string[]> {
  const prefix = 'issuer-keys/'
  const found = rows.filter(({ document, content }) => document.startsWith(prefix) && content !== null)
  return new Map(
    found.map(({ document, content }) => {
      const { withdrawn } = content as IssuerKeysContent
      return [document.slice(prefix.length), withdrawn.map(({ kid }) => kid)]
    }),
  )
}

export function newestSeq(rows: readonly Newest[]): number {
  return rows.reduce((newest, { seq }) => Math.max(newest, seq), 0)
}

const FAULTS_SHOWN = 5

export function warnOf(what: string, left: readonly Fault[]): void {
  if (left.length === 0) return
  const shown = left.slice(0, FAULTS_SHOWN).map(({ path, message }) => `${describePath(path)}: ${message}`)
  console.warn(
    `${what} holds ${left.length} entries in D1 or the environment that do not fit and give nothing: ${shown.join('; ')}`,
  )
}
