// The compiled policy: the JSON documents that compile.ts writes and loaded.ts reads. Lists of pairs stand
// where a Map is meant, since names that come from tokens and paths must never be members of objects.

import { foldCase } from './fold-case.ts'
import type { Pattern } from './pattern.ts'
import type { NamedClaims } from './presets.ts'
import type { RoleLevel } from './schema.ts'
import type { Algorithm } from './schema-issuer.ts'
import type { AuthMethod, ClientAuthentication, SignOut, SingleSignOn } from './schema-sign-in.ts'

export const COMPILED_FORMAT = 1

/** What Microsoft Entra's multi-tenant issuer has in place of a tenant's id. */
export const TENANT_PLACEHOLDER = '{tenantid}'

export type Entries<Value> = [string, Value][]

export interface CompiledRole {
  level: RoleLevel
  /** All it gives, its own and what it implies, each with the role that has it by itself. */
  permissions: Entries<string>
  /** Itself and every role it implies. */
  holds: string[]
  /** The roles it implies by itself, not through another; for explaining why a role is held. */
  implies: string[]
}

export type Scalar = string | number | boolean

/** A condition on a claim; one of the three rules is there. */
export interface CompiledCondition {
  claim: string[]
  equals?: Scalar
  oneOf?: Scalar[]
  contains?: Scalar
}

/** One mapping, seen from one of its groups or patterns. Members that are left out ask for nothing. */
export interface Grant {
  role: string
  /** Where the mapping stands in the policy: `organizations.acme.idpGroupMappings[0]`. */
  mapping: string
  /** Ids of the issuer records it believes; without, each that is trusted at its level. */
  issuers?: string[]
  when?: CompiledCondition[]
  /** Seconds since the epoch; from the first and before the second. */
  notBefore?: number
  notAfter?: number
}

/** What one group name gives within an organization. */
export interface GroupGrants {
  here: Grant[]
  projects: Entries<Grant[]>
}

/** A pattern's grant: at the level its captures name, else at the level it is written at. */
export interface PatternGrant {
  pattern: Pattern
  ignoreCase: boolean
  grant: Grant
  /** The project it is written at, in an organization's patterns. */
  project: string | null
}

/** How the keys of an issuer come: by discovery, from a fixed address, or written in the policy. */
export type KeyOrigin =
  | { kind: 'discovery'; issuer: string }
  | { kind: 'jwksUri'; issuer: string; jwksUri: string }
  | { kind: 'pinned'; jwks: { keys: Record<string, unknown>[] } }

/** Where groups are and what is done to their names. */
export interface GroupsRule {
  claim: string[]
  key: string | null
  separator: string | null
  stripPrefix: string
  addPrefix: string
  names: Entries<string>
  keepSeconds: number
}

/** An issuer record. Everything the Worker keeps about an issuer belongs to `id`, never to its URL. */
export interface IssuerRecord {
  /** `okta`, or for an organization's own `acme/okta`. */
  id: string
  /** The organization that owns it; null: the instance. */
  organization: string | null
  /** The `iss` values of its tokens: one, or one for each tenant. */
  issuers: string[]
  /** The tenants of `issuers`, position by position, where the `tid` claim must name the same one. */
  tenants: string[] | null
  /** Accepted `aud` values; null: the instance's audience and, on an organization's routes, its own. */
  audiences: string[] | null
  algorithms: Algorithm[]
  /** Accepted `typ` values, lower case, without "application/". */
  types: string[]
  headers: string[]
  leewaySeconds: number
  maxTokenAgeSeconds: number | null
  authorizedParties: string[] | null
  keyOrigin: KeyOrigin
  keysUsableSeconds: number
  /** Ids of keys that an admin has withdrawn: they verify nothing, published or not. */
  withdrawnKeys: string[]
  /** The Worker's binding through which the issuer is reached; null: over the public network. */
  vpcBinding: string | null
  claims: NamedClaims
  groups: GroupsRule | null
  /** Null: it vouches for tokens, and nobody signs in with it. */
  signIn: SignInRule | null
}

/** Postern as the issuer's relying party. The client secret is elsewhere (worker/signin/client-secret.ts). */
export interface SignInRule {
  clientId: string
  authMethod: AuthMethod
  /** Null: by the secret, if there is one. */
  clientAuthentication: ClientAuthentication | null
  /** The variable of the Worker that holds the secret; null: the database does, if there is one. */
  clientSecretFrom: string | null
  pkce: boolean
  /** With "openid", which stands first. */
  scopes: string[]
  label: string
  emailDomains: string[]
  /** Null: local, and at the issuer when its discovery names where (decision T5). */
  signOut: SignOut | null
  refresh: boolean
  /** Null: by discovery. */
  endpoints: ProviderEndpoints | null
  /** Where Microsoft Graph is asked for groups; null: it is not. */
  graphEndpoint: string | null
}

export interface ProviderEndpoints {
  authorization: string
  token: string | null
  userInfo: string | null
  endSession: string | null
}

/** A registered client of single sign-on. */
export interface CompiledApplication {
  id: string
  displayName: string
  clientId: string
  hosts: string[]
  redirectUris: string[]
  logoutRedirectUris: string[]
}

/** An organization but for its mappings by name, which stand in buckets. */
export interface CompiledOrganization {
  displayName: string
  audience: string
  /** Slugs and display names. */
  projects: Entries<string>
  onUnmatched: string | null
  /** Its own; they vouch for nobody elsewhere. */
  issuers: IssuerRecord[]
  patterns: PatternGrant[]
  buckets: number
}

/** Mappings by name of those groups whose hash falls here. Names in lower case ignore case. */
export interface CompiledBucket {
  exact: Entries<GroupGrants>
  lowerCase: Entries<GroupGrants>
}

export interface CompiledRoute {
  id: string
  upstream: string
  audience: string
  requires: { kind: 'permission'; permission: string } | { kind: 'authenticated' } | { kind: 'anonymous' }
  organization: string | null
  project: string | null
  forwardAuthorization: boolean
  forwardPreflight: boolean
  timeoutSeconds: number
}

/** Routes of one host as a tree over path segments. Capture names are the route's, since they may differ. */
export interface CompiledRouteNode {
  literals?: Entries<CompiledRouteNode>
  capture?: CompiledRouteNode
  /** Ends here: method -> route and the names of the captures passed, in order. */
  end?: Entries<CompiledRouteEnd>
  /** Whatever follows, once a "/" is reached. */
  rest?: Entries<CompiledRouteEnd>
}
export interface CompiledRouteEnd {
  route: CompiledRoute
  captures: string[]
}

export interface CompiledPolicy {
  format: typeof COMPILED_FORMAT
  audience: string
  roles: Entries<CompiledRole>
  /** The instance's own; those of organizations stand with them. */
  issuers: IssuerRecord[]
  exact: Entries<Grant[]>
  lowerCase: Entries<Grant[]>
  patterns: PatternGrant[]
  hosts: Entries<CompiledRouteNode>
  applications: CompiledApplication[]
  singleSignOn: Partial<SingleSignOn>
}

/**
 * All that a policy compiles to. Each document is read by itself: a request needs the policy, the header of
 * its organization, and of its buckets those that its groups fall into.
 */
export interface CompiledDocuments {
  policy: CompiledPolicy
  organizations: Entries<CompiledOrganization>
  buckets: Entries<CompiledBucket>
}

/** Which bucket holds a group. */
export function bucketOf(group: string, buckets: number): number {
  return buckets === 1 ? 0 : hashOf(group) % buckets
}

/** FNV-1a over the name in lower case, so that both of its spellings meet. */
export function hashOf(group: string): number {
  const name = foldCase(group)
  let hash = 0x811c9dc5
  for (let index = 0; index < name.length; index++) {
    hash = Math.imul(hash ^ name.charCodeAt(index), 0x01000193)
  }
  return hash >>> 0
}

export function bucketName(organization: string, bucket: number): string {
  return `${organization}/${bucket}`
}
