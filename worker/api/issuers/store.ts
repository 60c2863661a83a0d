// Issuer records as the API has them: of the policy's source, which only the file changes, and of the database.
import { type PolicySource, placeOf } from '../../../policy/layers.ts'
import { groupsOf } from '../../../policy/presets.ts'
import { Issuer } from '../../../policy/schema-issuer.ts'
import { contentOf, newestVersion, readAll, type VersionRow } from '../../database/batch.ts'
import { type IssuerContent, issuerName } from '../../database/documents.ts'
import { nameWithin, organizationOf } from '../../database/issuer-rows.ts'
import type { Environment } from '../../environment.ts'
import { type InstanceInForce, type InstanceRows, instanceInForce, instanceStatements } from '../effective.ts'

export interface IssuerRow {
  id: string
  organization: string
  in_policy: number
  version: number
  created_at: number
  updated_at: number
  deleted_at: number | null
}

export interface StoredIssuer {
  id: string
  row: IssuerRow | null
  /** Of its document; 0 where there never was one. */
  version: number
  /** Null where there is no such record. */
  settings: Issuer | null
  /** Where the policy's source sets it; null for the database's own. */
  place: string | null
  instance: InstanceInForce
}

/** One round trip for the record, its document and the policy. */
export async function readIssuer(environment: Environment, id: string): Promise<StoredIssuer> {
  const { DB: database } = environment
  const found = await readAll<InstanceRows & { row: IssuerRow; document: VersionRow }>(database, {
    ...instanceStatements(environment),
    row: database.prepare('SELECT * FROM issuers WHERE id = ?').bind(id),
    document: newestVersion(issuerName(id)),
  })
  const instance = await instanceInForce(environment, found)
  const row = found.row[0] ?? null
  const stored = contentOf<IssuerContent>(found.document[0])
  const written = issuerOfPolicy(instance.source, id)
  const gone = stored === null || row === null || row.deleted_at !== null
  return {
    id,
    row,
    version: found.document[0]?.version ?? 0,
    settings: written ?? (gone ? null : Issuer.parse(stored.settings)),
    place: written === null ? null : placeOfIssuer(instance.source, id),
    instance,
  }
}

export function issuerOfPolicy({ policy }: Pick<PolicySource, 'policy'>, id: string): Issuer | null {
  const organization = organizationOf(id)
  const owner = organization === null ? policy : own(policy.organizations, organization)
  return (owner && own(owner.issuers, nameWithin(id))) ?? null
}

export function placeOfIssuer(source: PolicySource, id: string): string {
  const organization = organizationOf(id)
  return placeOf(source, [
    ...(organization === null ? [] : ['organizations', organization]),
    'issuers',
    nameWithin(id),
  ])
}

function own<Value>(members: Readonly<Record<string, Value>>, name: string): Value | undefined {
  return Object.hasOwn(members, name) ? members[name] : undefined
}

/** Whether its tokens say anything about groups; those of workload issuers, which many share, do not. */
export function saysGroups({ preset, groups }: Issuer): boolean {
  return groupsOf(preset, groups) !== null
}

/**
 * The record without what defaults fill in, and with claim paths as people write them: what it says when it is
 * read again is the same.
 */
export function asWritten(issuer: Issuer): Record<string, unknown> {
  const defaults = Issuer.parse({ issuer: issuer.issuer }) as Record<string, unknown>
  const entries = Object.entries(issuer).flatMap(([name, value]): [string, unknown][] => {
    if (value === undefined) return []
    if (name !== 'issuer' && JSON.stringify(value) === JSON.stringify(defaults[name])) return []
    return [[name, name === 'claims' || name === 'groups' ? withPlainPaths(value) : value]]
  })
  return Object.fromEntries(entries)
}

function withPlainPaths(members: unknown): unknown {
  if (typeof members !== 'object' || members === null) return members
  const entries = Object.entries(members).flatMap(([name, value]): [string, unknown][] => {
    if (value === undefined) return []
    return [[name, Array.isArray(value) ? plainPath(value as string[]) : value]]
  })
  return Object.fromEntries(entries)
}

function plainPath(path: readonly string[]): string | readonly string[] {
  const text = path.join('.')
  const [only] = path
  if (path.length === 1 && only?.includes('://')) return only
  return !text.includes('://') && path.every((step) => !step.includes('.')) ? text : path
}
