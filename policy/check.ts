// What a policy's values must hold among each other: roles that exist and fit their level, issuers that are
// told apart, routes that do not collide. What a single value must look like is schema.ts's.
import { checkApplications, checkEmailDomains, checkSignIn } from './check-sign-in.ts'
import { TENANT_PLACEHOLDER } from './compiled.ts'
import { checkLimits } from './limits.ts'
import { EVERY_ROLE_BELOW, ROLE_DEPTH } from './may-grant.ts'
import { nearest } from './nearest.ts'
import { parsePattern } from './pattern.ts'
import { KEY_ISSUER } from './principal.ts'
import type { Fault, Path } from './problems.ts'
import { OWN_PATHS } from './routes.ts'
import {
  type GroupMapping,
  type PatternMapping,
  type PolicyDocument,
  ROLES_MAX,
  type RoleLevel,
  type Route,
} from './schema.ts'
import type { Issuer } from './schema-issuer.ts'
import { secondsOf } from './timestamp.ts'

/** Every fault of a document, none when it is sound. `roles` must be the whole catalogue. */
export function checkPolicy(policy: PolicyDocument): Fault[] {
  const faults: Fault[] = []
  checkRoles(policy, faults)
  const instanceIssuers = Object.keys(policy.issuers)
  checkIssuers(policy, faults)
  checkAudiences(policy, faults)
  checkMappings(policy, policy, [], 'global', instanceIssuers, faults)
  for (const [slug, organization] of Object.entries(policy.organizations)) {
    const path = ['organizations', slug]
    const issuers = [...instanceIssuers, ...Object.keys(organization.issuers).map((id) => `${slug}/${id}`)]
    checkMappings(policy, organization, path, 'organization', issuers, faults)
    checkUnmatched(policy, organization.onUnmatched, path, faults)
    for (const [name, project] of Object.entries(organization.projects)) {
      checkMappings(policy, project, [...path, 'projects', name], 'project', issuers, faults)
    }
  }
  checkLimits(policy, faults)
  checkRoutes(policy, faults)
  checkApplications(policy, faults)
  return faults
}

function checkRoles({ roles }: PolicyDocument, faults: Fault[]): void {
  const names = Object.keys(roles)
  if (names.length > ROLES_MAX) {
    faults.push({
      path: ['roles'],
      message: `are ${names.length} with the catalogue's; at most ${ROLES_MAX}`,
    })
  }
  for (const [name, role] of Object.entries(roles)) {
    for (const list of ['implies', 'mayGrant'] as const) {
      role[list].forEach((other, index) => {
        if (list === 'mayGrant' && other === EVERY_ROLE_BELOW) return
        const path = ['roles', name, list, index]
        const known = Object.hasOwn(roles, other) ? roles[other] : undefined
        if (!known) faults.push({ path, message: `there is no role ${other}${suggest(other, names)}` })
        else if (ROLE_DEPTH[known.level] < ROLE_DEPTH[role.level]) {
          const message = `${other} is a role of the ${known.level} level, above ${name} (${role.level})`
          faults.push({ path, message })
        }
      })
    }
  }
}

/** A mapping of either kind, and the level its role must be of; null when its patterns do not tell. */
interface Judged {
  mapping: GroupMapping | PatternMapping
  path: Path
  level: RoleLevel | null
}

/** Of one level by itself. `issuers` are the ids of the records trusted there. */
export function checkMappings(
  policy: Pick<PolicyDocument, 'roles'>,
  owner: { idpGroupMappings: GroupMapping[]; patternMappings: PatternMapping[] },
  path: Path,
  level: RoleLevel,
  issuers: readonly string[],
  faults: Fault[],
): void {
  const judged: Judged[] = owner.idpGroupMappings.map((mapping, index) => {
    return { mapping, path: [...path, 'idpGroupMappings', index], level }
  })
  owner.patternMappings.forEach((mapping, index) => {
    const at = [...path, 'patternMappings', index]
    const levels = mapping.groupPatterns.map((text, position) => {
      return checkPattern(text, level, [...at, 'groupPatterns', position], faults)
    })
    const known = levels.filter((one) => one !== null)
    if (new Set(known).size > 1) {
      faults.push({ path: at, message: 'has patterns of different levels; write a mapping for each level' })
    }
    judged.push({ mapping, path: at, level: known[0] ?? null })
  })
  for (const one of judged) checkMapping(policy, one, issuers, faults)
}

/** The level a pattern gives its role at: the one its captures name, else the one it is written at. */
function checkPattern(text: string, written: RoleLevel, path: Path, faults: Fault[]): RoleLevel | null {
  const parsed = parsePattern(text)
  if (!parsed.ok) {
    faults.push({ path, message: parsed.message })
    return null
  }
  const captures = parsed.pattern.captures.map(({ name }) => name)
  const has = (name: 'org' | 'project') => captures.includes(name)
  if (has('org') && written !== 'global') {
    faults.push({
      path,
      message: 'captures {org}, but the organization is the one it is written in; write "*" or its name',
    })
  }
  if (has('project') && written === 'project') {
    faults.push({
      path,
      message: 'captures {project}, but the project is the one it is written in; write "*" or its name',
    })
  }
  if (has('project') && !has('org') && written === 'global') {
    faults.push({
      path,
      message: 'captures {project} without {org}; capture both, or write it in an organization',
    })
  }
  return has('project') ? 'project' : has('org') ? 'organization' : written
}

function checkMapping(
  { roles }: Pick<PolicyDocument, 'roles'>,
  judged: Judged,
  issuers: readonly string[],
  faults: Fault[],
): void {
  const { mapping, path, level } = judged
  const { roleName, notBefore, notAfter } = mapping
  if (level !== null) checkRole(roles, roleName, level, [...path, 'roleName'], faults)
  if (notBefore !== undefined && notAfter !== undefined && secondsOf(notBefore) >= secondsOf(notAfter)) {
    faults.push({ path: [...path, 'notAfter'], message: 'is not after "notBefore", so it can never count' })
  }
  mapping.issuers?.forEach((id, position) => {
    if (issuers.includes(id)) return
    const trusted = issuers.length > 0 ? issuers.join(', ') : 'none'
    const message = `no issuer "${id}" is trusted here; trusted are: ${trusted}`
    faults.push({ path: [...path, 'issuers', position], message })
  })
}

function checkRole(
  roles: PolicyDocument['roles'],
  name: string,
  level: RoleLevel,
  path: Path,
  faults: Fault[],
): void {
  const role = Object.hasOwn(roles, name) ? roles[name] : undefined
  if (role?.level === level) return
  const valid = Object.keys(roles).filter((other) => roles[other]?.level === level)
  const what = role ? `is a role of the ${role.level} level` : 'is no role'
  const message = `${name} ${what}${suggest(name, valid)}; valid here: ${valid.join(', ')}`
  faults.push({ path, message })
}

function suggest(name: string, names: readonly string[]): string {
  const meant = nearest(name, names)
  return meant === null ? '' : `; did you mean ${meant}?`
}

export function checkUnmatched(
  { roles }: Pick<PolicyDocument, 'roles'>,
  name: string | undefined,
  path: Path,
  faults: Fault[],
): void {
  if (name !== undefined) checkRole(roles, name, 'organization', [...path, 'onUnmatched'], faults)
}

/** The `iss` values an issuer's tokens can have. */
export function issuerNames({ issuer, tenants }: Pick<Issuer, 'issuer' | 'tenants'>): string[] {
  return tenants ? tenants.map((tenant) => issuer.replace(TENANT_PLACEHOLDER, tenant)) : [issuer]
}

function checkIssuers(policy: PolicyDocument, faults: Fault[]): void {
  const ofInstance = new Map<string, string>()
  for (const [id, issuer] of Object.entries(policy.issuers)) {
    if (id === KEY_ISSUER) {
      faults.push({ path: ['issuers', id], message: 'is what vouches for keys of ours; name it otherwise' })
    }
    checkIssuer(issuer, ['issuers', id], faults)
    claimNames(issuer, id, ['issuers', id], ofInstance, faults)
  }
  checkEmailDomains(policy.issuers, ['issuers'], faults)
  for (const [slug, organization] of Object.entries(policy.organizations)) {
    const own = new Map<string, string>()
    checkEmailDomains(organization.issuers, ['organizations', slug, 'issuers'], faults)
    for (const [id, issuer] of Object.entries(organization.issuers)) {
      const path = ['organizations', slug, 'issuers', id]
      checkIssuer(issuer, path, faults)
      claimNames(issuer, id, path, own, faults)
      for (const name of issuerNames(issuer)) {
        if (!ofInstance.has(name)) continue
        const message = `${name} is the instance's issuer "${ofInstance.get(name)}"; an organization may not have it too`
        faults.push({ path: [...path, 'issuer'], message })
      }
    }
  }
}

/** Records that share an `iss` are told apart by audience, so an audience may name one owner only. */
function checkAudiences({ audience, organizations }: PolicyDocument, faults: Fault[]): void {
  const taken = new Map([[audience, 'the instance']])
  for (const [slug, organization] of Object.entries(organizations)) {
    const own = organization.audience ?? slug
    const holder = taken.get(own)
    if (holder !== undefined) {
      const message = `${own} is already the audience of ${holder}; set another one ("audience")`
      faults.push({ path: ['organizations', slug, ...(organization.audience ? ['audience'] : [])], message })
    }
    taken.set(own, `organization ${slug}`)
  }
}

/** A record is found by owner and `iss`, so that pair may exist once. */
function claimNames(
  issuer: Issuer,
  id: string,
  path: Path,
  taken: Map<string, string>,
  faults: Fault[],
): void {
  for (const name of issuerNames(issuer)) {
    const holder = taken.get(name)
    if (holder !== undefined) {
      faults.push({ path: [...path, 'issuer'], message: `${name} is already the issuer "${holder}"` })
    }
    taken.set(name, id)
  }
}

export function checkIssuer(issuer: Issuer, path: Path, faults: Fault[]): void {
  if (issuer.issuer.includes(TENANT_PLACEHOLDER) !== (issuer.tenants !== undefined)) {
    const message = issuer.tenants
      ? `has no ${TENANT_PLACEHOLDER} for the tenants to fill`
      : `has ${TENANT_PLACEHOLDER}, so "tenants" must list the tenants accepted`
    faults.push({ path: [...path, 'issuer'], message })
  }
  if (issuer.jwksUri !== undefined && issuer.jwks !== undefined) {
    faults.push({ path: [...path, 'jwksUri'], message: 'stands beside "jwks"; keys come from one place' })
  }
  checkSignIn(issuer, path, faults)
}

function checkRoutes({ routes, organizations }: PolicyDocument, faults: Fault[]): void {
  const seen = new Map<string, string>()
  for (const [id, route] of Object.entries(routes)) {
    checkRoute(id, route, organizations, faults)
    for (const host of route.hosts) {
      for (const method of route.methods) {
        // Captures match alike whatever their names, so two routes that differ in these only would collide.
        const shape = `${method} ${host}${route.path.replace(/\{[^}]*\}/g, '{}')}`
        const other = seen.get(shape)
        if (other !== undefined) {
          const message = `${method} ${host}${route.path} is already matched by the route "${other}"`
          faults.push({ path: ['routes', id, 'path'], message })
        }
        seen.set(shape, id)
      }
    }
  }
}

function checkRoute(
  id: string,
  route: Route,
  organizations: PolicyDocument['organizations'],
  faults: Fault[],
): void {
  const fault = (field: string, message: string) => faults.push({ path: ['routes', id, field], message })
  if ((route.permission === undefined) === (route.access === undefined)) {
    fault(route.access ? 'access' : 'path', 'a route has exactly one of "permission" and "access"')
  }
  if (!/^https:|^http:\/\/(?:localhost|127\.0\.0\.1|[^/:]+\.localhost)(?::|$)/.test(route.upstream)) {
    fault('upstream', 'must use https: what it is sent says who is calling (http only on this machine)')
  }
  if (route.path.startsWith(OWN_PATHS)) fault('path', `begins with "${OWN_PATHS}", which is kept for Postern`)
  const captures = capturesOf(route.path)
  if (new Set(captures).size !== captures.length) fault('path', 'names a capture twice')
  if (captures.includes('organization')) fault('path', 'names its organization {organization}; write {org}')
  for (const name of ['organization', 'project'] as const) {
    const capture = CAPTURES[name]
    if (route[name] === undefined || !captures.includes(capture)) continue
    fault(name, `is in the path already, as {${capture}}`)
  }
  const has = (name: 'organization' | 'project') => {
    return route[name] !== undefined || captures.includes(CAPTURES[name])
  }
  if (has('project') && !has('organization')) fault('path', 'has a project but no organization to find it in')
  if (route.organization === undefined) return
  const organization = Object.hasOwn(organizations, route.organization)
    ? organizations[route.organization]
    : undefined
  if (!organization) fault('organization', `there is no organization ${route.organization}`)
  else if (route.project !== undefined && !Object.hasOwn(organization.projects, route.project)) {
    fault('project', `there is no project ${route.project} in ${route.organization}`)
  }
}

/** What a capture is called, in routes as in patterns. */
const CAPTURES = { organization: 'org', project: 'project' } as const

/** Names of the captures in a route's path, in order. */
export function capturesOf(path: string): string[] {
  return [...path.matchAll(/\{([^}]*)\}/g)].map(([, name]) => name as string)
}
