// The documents whose versions D1 keeps: their names, and what stands in each. The shapes that what is read from
// elsewhere is checked against are contents.ts's; here are only names and types, so that any file may import it.
import type { DirectRoles, Identity } from '../../policy/operations/people.ts'
import type { GroupMapping, PatternMapping } from '../../policy/schema.ts'
import type { SingleSignOn } from '../../policy/schema-sign-in.ts'

/** Content has at most so many characters and bytes: a row of D1 ends at 2 MB. */
export const DOCUMENT_LENGTH_MAX = 1_000_000
export const DOCUMENT_BYTES_MAX = 1_900_000

export const POLICY = 'policy'
export const INSTANCE = 'instance'
export const SETTINGS = 'settings'
export const organizationName = (organization: string) => `organization/${organization}`
export const projectName = (organization: string, project: string) => `project/${organization}/${project}`
/** `id` is the record's: `okta`, or `acme/okta`. */
export const issuerName = (id: string) => `issuer/${id}`
export const issuerKeysName = (id: string) => `issuer-keys/${id}`
export const userName = (id: string) => `user/${id}`
export const serviceAccountName = (id: string) => `service-account/${id}`

export type DocumentRef =
  | { kind: 'policy' | 'instance' | 'settings' }
  | { kind: 'organization'; organization: string }
  | { kind: 'project'; organization: string; project: string }
  /** `organization` is null for an issuer of the instance. */
  | { kind: 'issuer' | 'issuer-keys'; id: string; organization: string | null }
  | { kind: 'user' | 'service-account'; id: string }
export type DocumentKind = DocumentRef['kind']

/** Null for what names no document there can be. */
export function parseDocumentName(name: string): DocumentRef | null {
  const [kind, first, second, ...rest] = name.split('/')
  if (rest.length > 0) return null
  switch (kind) {
    case 'policy':
    case 'instance':
    case 'settings':
      return first === undefined ? { kind } : null
    case 'organization':
      return first && second === undefined ? { kind, organization: first } : null
    case 'project':
      return first && second ? { kind, organization: first, project: second } : null
    case 'issuer':
    case 'issuer-keys':
      if (!first) return null
      return second === undefined
        ? { kind, id: first, organization: null }
        : { kind, id: `${first}/${second}`, organization: first }
    case 'user':
    case 'service-account':
      return first && second === undefined ? { kind, id: first } : null
    default:
      return null
  }
}

/** The chain of an audit event about the document: the organization's, else the instance's (''). */
export function chainOf(ref: DocumentRef): string {
  return 'organization' in ref ? (ref.organization ?? '') : ''
}

/** As stored: the database's own mappings only, each with who set it. */
export type StoredMapping = GroupMapping & { managedBy: 'api' | 'console' }
export type StoredPattern = PatternMapping & { managedBy: 'api' | 'console' }

export interface StoredMappings {
  idpGroupMappings: StoredMapping[]
  patternMappings: StoredPattern[]
}

export interface PolicyContent {
  source: string
}
export type InstanceContent = StoredMappings
export interface OrganizationContent extends StoredMappings {
  displayName?: string
  audience?: string
  onUnmatched?: string
}
export interface ProjectContent extends StoredMappings {
  displayName?: string
}
/** Only what was set. */
export type SettingsContent = Partial<{
  recheckSeconds: number
  knownPrincipalDays: number
  confirmOwnAccess: boolean
  singleSignOn: Partial<SingleSignOn>
}>
export interface IssuerContent {
  /** The record as it was written; what defaults and presets fill in comes when it is read. */
  settings: Record<string, unknown>
}
export interface IssuerKeysContent {
  /** `at` in milliseconds since the epoch. */
  withdrawn: { kid: string; reason: string | null; at: number }[]
}
export interface UserContent {
  status: 'active' | 'inactive'
  login: string | null
  displayName: string
  email: string | null
  identities: Identity[]
  given: DirectRoles
}
export interface ServiceAccountContent {
  organization: string
  project: string
  name: string
  authenticationMethod: 'federated' | 'key'
  identity: Identity | null
  status: 'active' | 'inactive'
  /** In its project. */
  roles: string[]
}

export interface ContentOf {
  policy: PolicyContent
  instance: InstanceContent
  settings: SettingsContent
  organization: OrganizationContent
  project: ProjectContent
  issuer: IssuerContent
  'issuer-keys': IssuerKeysContent
  user: UserContent
  'service-account': ServiceAccountContent
}

export const NO_MAPPINGS: StoredMappings = { idpGroupMappings: [], patternMappings: [] }

/** 24 hexadecimal digits, as Ops Manager's ids are, made from a document's name. */
export async function publicIdOf(name: string): Promise<string> {
  const digest = new Uint8Array(await crypto.subtle.digest('SHA-256', new TextEncoder().encode(name)))
  return [...digest.slice(0, 12)].map((byte) => byte.toString(16).padStart(2, '0')).join('')
}
