// The layers a policy is made of: what the environment sets, what the policy's source says, what the database
// holds. They are merged here, for the instance and for each organization, and of each member and mapping it
// is known which layer set it and where. Where two layers set the same thing, the higher one wins. What no longer
// fits together is sound.ts's.
import { checkIssuer, issuerNames } from './check.ts'
import type { Locate } from './document.ts'
import {
  CLIENT_SECRET_VARIABLE,
  ENVIRONMENT_ISSUER_ID,
  type EnvironmentIssuer,
} from './environment-issuer.ts'
import { describePath, type Fault, type Path } from './problems.ts'
import type { GroupMapping, Organization, PatternMapping, PolicyDocument, Project } from './schema.ts'
import { Issuer } from './schema-issuer.ts'

/** A policy's source, parsed (document.ts). */
export interface PolicySource {
  policy: PolicyDocument
  locate: Locate
}

/** A global role that a variable gives to groups, whatever the policy says ([4-12] to [4-17]). */
export interface EnvironmentMapping {
  roleName: string
  idpGroups: string[]
  variable: string
}

/** What the database holds of a level: its own mappings only. */
export interface StoredLevel {
  idpGroupMappings: readonly (GroupMapping & { managedBy: 'api' | 'console' })[]
  patternMappings: readonly (PatternMapping & { managedBy: 'api' | 'console' })[]
}
export interface StoredOrganization extends StoredLevel {
  displayName?: string
  audience?: string
  onUnmatched?: string
}
export interface StoredProject extends StoredLevel {
  displayName?: string
}
/** Issuers as they were written, by their id within the owner. */
export type StoredIssuers = Readonly<Record<string, unknown>>

export interface InstanceLayers {
  instance: StoredLevel | null
  issuers: StoredIssuers
}
export interface OrganizationLayers {
  organization: StoredOrganization | null
  projects: Readonly<Record<string, StoredProject>>
  issuers: StoredIssuers
}

/** Which layer set something. `place` is where, for what the database cannot change. */
export interface Origin {
  origin: 'environment' | 'policy' | 'database'
  place: string | null
  managedBy: 'file' | 'api' | 'console'
}

export type MappingKind = 'idpGroupMappings' | 'patternMappings'

/** The origins of one level, worked out when asked for: finding a place in a long text takes time. */
export interface LevelOrigins {
  mapping(kind: MappingKind, index: number): Origin
  /** Of `displayName`, `audience`, `onUnmatched`; null where no layer sets it. */
  member(name: string): Origin | null
  /** How many of each list come from above the database; they stand first. */
  above: Readonly<Record<MappingKind, number>>
}

/** The instance's part: a whole document but for its organizations. */
export interface MergedInstance {
  policy: PolicyDocument
  origins: LevelOrigins
  issuers: Readonly<Record<string, Origin>>
  /** The record that variables describe; null where they describe none, or it cannot be. */
  environmentIssuer: string | null
  /** Issuers of the database and of the environment that are not in it, and why. */
  left: Fault[]
}

export interface MergedOrganization {
  organization: Organization
  origins: LevelOrigins
  projects: Readonly<Record<string, LevelOrigins>>
  issuers: Readonly<Record<string, Origin>>
  left: Fault[]
}

/** Variables and the roles they give. */
export const ENVIRONMENT_ROLES = {
  OIDC_GLOBAL_ROLE_OWNER: 'GLOBAL_OWNER',
  OIDC_GLOBAL_ROLE_AUTOMATION_ADMIN: 'GLOBAL_AUTOMATION_ADMIN',
  OIDC_GLOBAL_ROLE_BACKUP_ADMIN: 'GLOBAL_BACKUP_ADMIN',
  OIDC_GLOBAL_ROLE_MONITORING_ADMIN: 'GLOBAL_MONITORING_ADMIN',
  OIDC_GLOBAL_ROLE_USER_ADMIN: 'GLOBAL_USER_ADMIN',
  OIDC_GLOBAL_ROLE_READ_ONLY: 'GLOBAL_READ_ONLY',
} as const

/** Comma-separated groups; a variable that is empty or names none gives nobody anything. */
export function environmentMappings(
  variables: Partial<Record<keyof typeof ENVIRONMENT_ROLES, string | undefined>>,
): EnvironmentMapping[] {
  return Object.entries(ENVIRONMENT_ROLES).flatMap(([variable, roleName]) => {
    const text = variables[variable as keyof typeof ENVIRONMENT_ROLES] ?? ''
    const idpGroups = [...new Set(text.split(',').map((group) => group.trim()))].filter(
      (group) => group !== '',
    )
    return idpGroups.length > 0 ? [{ roleName, idpGroups, variable }] : []
  })
}

/** Mappings of the source, of the environment, of the database: in this order, so that an index stays what it was. */
export function mergeInstance(
  source: PolicySource,
  environment: readonly EnvironmentMapping[],
  { instance, issuers }: InstanceLayers,
  described: EnvironmentIssuer | null = null,
): MergedInstance {
  const { policy } = source
  const fromEnvironment = environment.map(({ roleName, idpGroups }) => ({ roleName, idpGroups }))
  // An organization may not have an `iss` that the instance has: the source's organizations go first as well.
  const written = [policy, ...Object.values(policy.organizations)].flatMap((owner) =>
    Object.values(owner.issuers),
  )
  const merged = mergeIssuers(source, ['issuers'], policy.issuers, issuers, written.flatMap(issuerNames))
  const environmentIssuer = described ? addDescribed(policy, merged, described) : null
  return {
    policy: {
      ...policy,
      organizations: {},
      issuers: merged.issuers,
      idpGroupMappings: [
        ...policy.idpGroupMappings,
        ...fromEnvironment,
        ...(instance?.idpGroupMappings ?? []).map(plain),
      ],
      patternMappings: [...policy.patternMappings, ...(instance?.patternMappings ?? []).map(plain)],
    },
    origins: originsOf(source, [], policy, instance, environment),
    issuers: merged.origins,
    environmentIssuer,
    left: merged.left,
  }
}

/** Null where neither the source nor the database has such an organization. */
export function mergeOrganization(
  source: PolicySource,
  slug: string,
  { organization: stored, projects: storedProjects, issuers }: OrganizationLayers,
): MergedOrganization | null {
  const written = own(source.policy.organizations, slug)
  if (!written && !stored) return null
  const path = ['organizations', slug]
  const above = written?.issuers ?? {}
  const taken = Object.values(above).flatMap(issuerNames)
  const merged = mergeIssuers(source, [...path, 'issuers'], above, issuers, taken)
  const slugs = [...Object.keys(written?.projects ?? {}), ...Object.keys(storedProjects)]
  const projects = [...new Set(slugs)].sort().map((name) => {
    const [above, below] = [own(written?.projects ?? {}, name), own(storedProjects, name)]
    return {
      name,
      project: { ...mergeMappings(above, below), ...membersOf(['displayName'], above, below) } as Project,
      origins: originsOf(source, [...path, 'projects', name], above, below ?? null, []),
    }
  })
  const members = ['displayName', 'audience', 'onUnmatched'] as const
  return {
    organization: {
      ...membersOf(members, written, stored),
      ...mergeMappings(written, stored),
      issuers: merged.issuers,
      projects: Object.fromEntries(projects.map(({ name, project }) => [name, project])),
    },
    origins: originsOf(source, path, written, stored, []),
    projects: Object.fromEntries(projects.map(({ name, origins }) => [name, origins])),
    issuers: merged.origins,
    left: merged.left,
  }
}

/** The mappings of a level, as a document has them. */
export interface WrittenLevel {
  idpGroupMappings: GroupMapping[]
  patternMappings: PatternMapping[]
}

function mergeMappings(above: WrittenLevel | undefined, below: StoredLevel | null | undefined): WrittenLevel {
  return {
    idpGroupMappings: [...(above?.idpGroupMappings ?? []), ...(below?.idpGroupMappings ?? []).map(plain)],
    patternMappings: [...(above?.patternMappings ?? []), ...(below?.patternMappings ?? []).map(plain)],
  }
}

/** Who set it is not a part of the mapping. */
function plain<Mapping extends object>(
  mapping: Mapping & { managedBy: unknown },
): Omit<Mapping, 'managedBy'> {
  const { managedBy: _managedBy, ...rest } = mapping
  return rest as unknown as Omit<Mapping, 'managedBy'>
}

function membersOf<Name extends string>(
  names: readonly Name[],
  above: Partial<Record<Name, unknown>> | undefined,
  below: Partial<Record<Name, unknown>> | null | undefined,
): Partial<Record<Name, string>> {
  const set = names.flatMap((name): [Name, string][] => {
    const value = above?.[name] ?? below?.[name]
    return typeof value === 'string' ? [[name, value]] : []
  })
  return Object.fromEntries(set) as Partial<Record<Name, string>>
}

/** An id or an `iss` that the source has is the source's, whatever the database has under it. */
function mergeIssuers(
  source: PolicySource,
  path: Path,
  above: Readonly<Record<string, Issuer>>,
  below: StoredIssuers,
  taken: readonly string[],
): { issuers: Record<string, Issuer>; origins: Record<string, Origin>; left: Fault[] } {
  const issuers: [string, Issuer][] = []
  const origins: [string, Origin][] = []
  const left: Fault[] = []
  for (const [id, issuer] of Object.entries(above)) {
    issuers.push([id, issuer])
    origins.push([id, lazyOrigin(() => placeOf(source, [...path, id]))])
  }
  for (const [id, settings] of Object.entries(below)) {
    const leave = (message: string) => left.push({ path: [...path, id], message })
    const parsed = Issuer.safeParse(settings)
    const name = parsed.success && issuerNames(parsed.data).find((iss) => taken.includes(iss))
    if (Object.hasOwn(above, id)) leave('is an issuer of the policy, which goes first')
    else if (!parsed.success) leave('is no issuer record that this version reads')
    else if (name) leave(`${name} is an issuer of the policy, which goes first`)
    else {
      issuers.push([id, parsed.data])
      origins.push([id, IN_DATABASE])
    }
  }
  return { issuers: Object.fromEntries(issuers), origins: Object.fromEntries(origins), left }
}

/** Puts what variables describe over the record of that `iss`, else over `oidc`. @returns the record's id. */
function addDescribed(
  { organizations }: Pick<PolicyDocument, 'organizations'>,
  { issuers, origins, left }: ReturnType<typeof mergeIssuers>,
  described: EnvironmentIssuer,
): string | null {
  const path = ['issuers', ENVIRONMENT_ISSUER_ID]
  // An organization of the source that has the `iss` could not be compiled beside an instance that has it as well.
  const holder = organizationWith(organizations, described.issuer)
  if (holder !== null) {
    const message = `OIDC_ISSUER is an issuer of the organization "${holder}" in the policy, which goes first`
    left.push({ path, message })
    return null
  }
  const id = describedId(issuers, described)
  const base = own(issuers, id) ?? null
  const issuer = underEnvironment(base, described, base ? (own(origins, id)?.origin ?? null) : null)
  if (!issuer.ok) {
    left.push({ path: ['issuers', id], message: `is described by variables, and ${issuer.message}` })
    return null
  }
  issuers[id] = issuer.issuer
  origins[id] ??= { origin: 'environment', place: 'OIDC_ISSUER', managedBy: 'file' }
  return id
}

/** The organization of the source that has an issuer of that `iss`; null where none has. */
export function organizationWith(organizations: PolicyDocument['organizations'], iss: string): string | null {
  const holder = Object.entries(organizations).find(([, { issuers: own }]) => {
    return Object.values(own).flatMap(issuerNames).includes(iss)
  })
  return holder?.[0] ?? null
}

/** Which of the instance's records variables describe. */
export function describedId(
  issuers: Readonly<Record<string, Pick<Issuer, 'issuer' | 'tenants'>>>,
  { issuer }: Pick<EnvironmentIssuer, 'issuer'>,
): string {
  const known = Object.entries(issuers).find(([, record]) => issuerNames(record).includes(issuer))
  return known?.[0] ?? ENVIRONMENT_ISSUER_ID
}

/**
 * The record with what variables set over it, member by member; `origin` is of what is below. Without a client id at
 * any layer nobody signs in with it.
 */
export function underEnvironment(
  base: Issuer | null,
  described: EnvironmentIssuer,
  origin: Origin['origin'] | null,
): { ok: true; issuer: Issuer } | { ok: false; message: string } {
  const { issuer, authMethod, scopes, groupsClaim, hasSecret } = described
  const isSame = base !== null && issuerNames(base).includes(issuer)
  // What says where another issuer is and whose keys are its own says nothing of this one.
  const elsewhere = { tenants: undefined, jwksUri: undefined, jwks: undefined, vpcBinding: undefined }
  const kept: Partial<Issuer> = isSame ? base : { ...base, ...elsewhere }
  const { endpoints, ...plainSignIn } = kept.signIn ?? {}
  const clientId = described.clientId ?? kept.signIn?.clientId
  // A secret of the environment goes where the environment or the policy says, never where the database does.
  const keepsEndpoints = isSame && endpoints !== undefined && !(hasSecret && origin === 'database')
  const signIn: Record<string, unknown> = {
    ...plainSignIn,
    ...(keepsEndpoints ? { endpoints } : {}),
    clientId,
    ...(authMethod === null ? {} : { authMethod }),
    ...(scopes === null ? {} : { scopes }),
    ...(hasSecret ? { clientSecretFrom: CLIENT_SECRET_VARIABLE } : {}),
  }
  if (hasSecret && signIn.clientAuthentication === 'none') delete signIn.clientAuthentication
  const groups = typeof kept.groups === 'object' ? kept.groups : {}
  const { signIn: _signIn, ...members } = kept
  const parsed = Issuer.safeParse({
    ...members,
    issuer: isSame ? base.issuer : issuer,
    ...(groupsClaim === null ? {} : { groups: { ...groups, claim: groupsClaim } }),
    ...(clientId === undefined ? {} : { signIn }),
  })
  if (!parsed.success) return { ok: false, message: 'does not hold together with what is written of it' }
  const faults: Fault[] = []
  checkIssuer(parsed.data, [], faults)
  const [fault] = faults
  if (fault) return { ok: false, message: `"${describePath(fault.path)}" ${fault.message}` }
  return { ok: true, issuer: parsed.data }
}

const IN_DATABASE: Origin = { origin: 'database', place: null, managedBy: 'api' }

/** Looked up once it is read. */
function lazyOrigin(place: () => string): Origin {
  let found: string | null = null
  return {
    origin: 'policy',
    get place() {
      found ??= place()
      return found
    },
    managedBy: 'file',
  }
}

function originsOf(
  source: PolicySource,
  path: Path,
  written: WrittenLevel | undefined,
  stored: StoredLevel | null,
  environment: readonly EnvironmentMapping[],
): LevelOrigins {
  const counts = {
    idpGroupMappings: written?.idpGroupMappings.length ?? 0,
    patternMappings: written?.patternMappings.length ?? 0,
  }
  const above = { ...counts, idpGroupMappings: counts.idpGroupMappings + environment.length }
  const ofPolicy = (at: Path): Origin => ({
    origin: 'policy',
    place: placeOf(source, at),
    managedBy: 'file',
  })
  return {
    above,
    mapping(kind, index) {
      if (index < counts[kind]) return ofPolicy([...path, kind, index])
      const variable = kind === 'idpGroupMappings' ? environment[index - counts[kind]] : undefined
      if (variable) return { origin: 'environment', place: variable.variable, managedBy: 'file' }
      const managedBy = stored?.[kind][index - above[kind]]?.managedBy ?? 'api'
      return { origin: 'database', place: null, managedBy }
    },
    member(name) {
      if (written && (written as unknown as Record<string, unknown>)[name] !== undefined) {
        return ofPolicy([...path, name])
      }
      const held = stored && (stored as unknown as Record<string, unknown>)[name] !== undefined
      return held ? IN_DATABASE : null
    },
  }
}

/** `postern.policy.yaml:12:5 organizations.acme` */
export function placeOf({ locate }: PolicySource, path: Path): string {
  const { file, line, column } = locate({ path, message: '' })
  return `${file}:${line}:${column} ${describePath(path)}`
}

function own<Value>(members: Readonly<Record<string, Value>>, name: string): Value | undefined {
  return Object.hasOwn(members, name) ? members[name] : undefined
}
