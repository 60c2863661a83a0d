// Says of a sound policy what is most likely not meant: rules that never match, routes nobody reaches, roles
// nobody gets, owners that go. What makes a policy unsound is check.ts's.
import { isProtected } from './addresses.ts'
import { type Actor, lintGranted, lintOwners } from './lint-grants.ts'
import { lintMappings } from './lint-mappings.ts'
import { lintPatterns } from './lint-patterns.ts'
import { lintRoutes } from './lint-routes.ts'
import { lintSignIn, lintSingleSignOn } from './lint-sign-in.ts'
import { heldWith, type MappingSite, mappingLists, sitesOf } from './mapping-sites.ts'
import { groupsOf } from './presets.ts'
import type { Path } from './problems.ts'
import type { PolicyDocument } from './schema.ts'
import type { Issuer } from './schema-issuer.ts'
import { type Warning, warning } from './warnings.ts'

export { type Severity, WARNINGS, type WarningCode } from './warnings.ts'
export type { Actor, Warning }

export interface LintOptions {
  /** Seconds since the epoch. */
  now: number
  /** Hosts that carry sign-in, console and API. */
  gatewayHosts?: readonly string[]
  /** What the management operations ask for. */
  operationPermissions?: readonly string[]
  /** The roles the document's own text defines (`ownRoles` of parsePolicy); the others are the catalogue's. */
  ownRoles?: readonly string[]
  /** The policy that this one is to replace. */
  before?: PolicyDocument
  /** Who wants to replace it. */
  actor?: Actor
}

/** The document must have passed checkPolicy. Warnings stand in the order of the document's parts. */
export function lintPolicy(document: PolicyDocument, options: LintOptions): Warning[] {
  const { now, before, actor, gatewayHosts = [] } = options
  const mappings = lintMappings(document, now)
  return [
    ...lintRoles(document, options, mappings.dead),
    ...lintIssuers(document),
    ...mappings.warnings,
    ...lintPatterns(mappingLists(document)),
    ...lintOwners(document, before, now, mappings.dead),
    ...(before && actor ? lintGranted(document, before, actor) : []),
    ...lintSingleSignOn(document),
    ...lintRoutes(document, gatewayHosts),
  ]
}

/** Only of roles that the document defines: the default catalogue is there to be chosen from. */
function lintRoles(
  document: PolicyDocument,
  { ownRoles = [], operationPermissions = [] }: LintOptions,
  dead: ReadonlySet<MappingSite['mapping']>,
): Warning[] {
  if (ownRoles.length === 0) return []
  const { roles, organizations, routes } = document
  const given = new Set([
    ...mappingLists(document)
      .flatMap(sitesOf)
      .filter(({ mapping }) => !dead.has(mapping))
      .map(({ mapping }) => mapping.roleName),
    ...Object.values(organizations).flatMap(({ onUnmatched }) => onUnmatched ?? []),
  ])
  const obtainable = new Set([...given].flatMap((name) => [...heldWith(roles, name)]))
  const catalogue = Object.entries(roles).filter(([name]) => !ownRoles.includes(name))
  const needed = new Set([
    ...Object.values(routes).flatMap(({ permission }) => permission ?? []),
    ...operationPermissions,
    // Words that the catalogue has as well are the product's.
    ...catalogue.flatMap(([, { permissions }]) => permissions),
  ])
  return ownRoles.flatMap((name) => {
    const path = ['roles', name]
    const unneeded = (roles[name]?.permissions ?? []).flatMap((permission, index) => {
      if (needed.has(permission)) return []
      const message = `no route and no operation asks for "${permission}"; remove it, or let a route ask for it`
      return [warning('permission_unneeded', [...path, 'permissions', index], message)]
    })
    if (obtainable.has(name)) return unneeded
    const message =
      'no mapping that can match gives it, and no role that is given implies it; map a group to it'
    return [warning('role_unobtainable', path, message), ...unneeded]
  })
}

function lintIssuers({ issuers, organizations }: PolicyDocument): Warning[] {
  return [
    ...Object.entries(issuers).flatMap(([id, issuer]) => lintIssuer(issuer, ['issuers', id])),
    ...Object.entries(organizations).flatMap(([slug, organization]) => {
      return Object.entries(organization.issuers).flatMap(([id, issuer]) => {
        return lintIssuer(issuer, ['organizations', slug, 'issuers', id])
      })
    }),
  ]
}

function lintIssuer(issuer: Issuer, path: Path): Warning[] {
  const found: Warning[] = []
  for (const field of ['issuer', 'jwksUri'] as const) {
    const address = issuer[field]
    if (address === undefined || isProtected(address)) continue
    const message = `${address} is read over an open line, where anyone can change its keys; use https`
    found.push(warning('issuer_not_https', [...path, field], message))
  }
  const first = new Map<string, string>()
  for (const [id, name] of Object.entries(groupsOf(issuer.preset, issuer.groups)?.names ?? {})) {
    const other = first.get(name)
    if (other !== undefined) {
      const at = [...path, 'groups', 'names', id]
      const message = `${id} is called "${name}", as ${other} is, so members of either get what "${name}" gives; name it otherwise`
      found.push(warning('issuer_names_collide', at, message))
    } else first.set(name, id)
  }
  return [...found, ...lintSignIn(issuer, path)]
}
