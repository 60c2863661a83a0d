// Issuer records as the API has them: of the policy's source, which only the file changes, of the database, and what
// variables set over either.
import {
  ENVIRONMENT_ISSUER_ID,
  type EnvironmentIssuer,
  environmentIssuer,
} from '../../../policy/environment-issuer.ts'
import { organizationWith, type PolicySource, placeOf, underEnvironment } from '../../../policy/layers.ts'
import { groupsOf } from '../../../policy/presets.ts'
import { Issuer } from '../../../policy/schema-issuer.ts'
import { SignIn } from '../../../policy/schema-sign-in.ts'
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
  /** In force; null where there is no such record. */
  settings: Issuer | null
  /** The same without what variables set; null where only they make the record. */
  own: Issuer | null
  /** The issuer that variables describe, where it is this one. */
  described: EnvironmentIssuer | null
  /** Whether the database keeps a client secret for it. */
  hasSecret: boolean
  /** Where the policy's source sets it; null for the database's own. */
  place: string | null
  instance: InstanceInForce
}

/** One round trip for the record, its document and the policy. */
export async function readIssuer(environment: Environment, id: string): Promise<StoredIssuer> {
  const { DB: database } = environment
  const found = await readAll<
    InstanceRows & { row: IssuerRow; document: VersionRow; names: NameRow; secrets: { issuer: string } }
  >(database, {
    ...instanceStatements(environment),
    row: database.prepare('SELECT * FROM issuers WHERE id = ?').bind(id),
    document: newestVersion(issuerName(id)),
    names: describedNames(environment),
    secrets: database.prepare('SELECT issuer FROM issuer_secrets WHERE issuer = ?').bind(id),
  })
  const instance = await instanceInForce(environment, found)
  const row = found.row[0] ?? null
  const stored = contentOf<IssuerContent>(found.document[0])
  const written = issuerOfPolicy(instance.source, id)
  const gone = stored === null || row === null || row.deleted_at !== null
  const place = written === null ? null : placeOfIssuer(instance.source, id)
  const own = written ?? (gone ? null : Issuer.parse(stored.settings))
  return {
    id,
    row,
    version: found.document[0]?.version ?? 0,
    ...inForce(instance, found.names, { id, own, place }),
    place,
    instance,
    hasSecret: found.secrets.length > 0,
  }
}

export interface NameRow {
  issuer: string
}

/** For a batch: which of the instance's records has the `iss` that variables describe. */
export function describedNames(environment: Environment): D1PreparedStatement {
  const { issuer } = environmentIssuer(environment)
  const sql = "SELECT issuer FROM issuer_names WHERE organization = '' AND name = ?"
  return environment.DB.prepare(sql).bind(issuer?.issuer ?? '')
}

/** The record with what variables set over it. */
export function inForce(
  { described, source }: Pick<InstanceInForce, 'described' | 'source'>,
  names: readonly NameRow[],
  { id, own, place }: Pick<StoredIssuer, 'id' | 'own' | 'place'>,
): Pick<StoredIssuer, 'settings' | 'own' | 'described'> {
  const isDescribed =
    described !== null &&
    id === (names[0]?.issuer ?? ENVIRONMENT_ISSUER_ID) &&
    organizationWith(source.policy.organizations, described.issuer) === null
  if (!isDescribed) return { settings: own, own, described: null }
  const under = underEnvironment(own, described, originOf(own, place))
  return under.ok
    ? { settings: under.issuer, own, described }
    : // The publisher has left them out as well, and has said so.
      { settings: own, own, described: null }
}

export function originOf(own: Issuer | null, place: string | null): 'policy' | 'database' | null {
  if (own === null) return null
  return place === null ? 'database' : 'policy'
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
    if (name === 'signIn') return [[name, signInAsWritten(value as SignIn)]]
    return [[name, name === 'claims' || name === 'groups' ? withPlainPaths(value) : value]]
  })
  return Object.fromEntries(entries)
}

function signInAsWritten(signIn: SignIn): Record<string, unknown> {
  const defaults = SignIn.parse({ clientId: signIn.clientId }) as Record<string, unknown>
  const entries = Object.entries(signIn).filter(([name, value]) => {
    return name === 'clientId' || JSON.stringify(value) !== JSON.stringify(defaults[name])
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
