// Whether somebody may make a change (design.md section 4, "Granting"): no role outside what they may give, no
// role for themselves that they lack, no last owner gone and no right of their own lost without saying so.
import { compilePolicy } from './compile.ts'
import { rolesAt } from './decide.ts'
import { capturedPlaces } from './diff-places.ts'
import { compareDocuments, type StructuralChange } from './diff-structure.ts'
import { foldCase } from './fold-case.ts'
import { describeLevel, type Level } from './level.ts'
import { lintGranted, lintOwners } from './lint-grants.ts'
import { loadPolicy, organizationAt, type WholePolicy } from './loaded.ts'
import { heldWith, mappingLists } from './mapping-sites.ts'
import { mayGrantWith } from './may-grant.ts'
import { type DirectGrant, groupsAt, type Principal } from './principal.ts'
import { describePath } from './problems.ts'
import type { GroupMapping, Organization, PatternMapping, PolicyDocument } from './schema.ts'

export interface Judgement {
  /** Each by itself refuses the change; `path` is in the effective document. */
  refused: { reason: 'grant_not_allowed' | 'grant_to_self'; path: string; message: string }[]
  /** Needs to be said explicitly. */
  toConfirm: {
    what: 'last-owner' | 'own-access'
    message: string
    /** Organizations that no mapping gives an owner any more; '' for the instance. */
    ownerless?: string[]
  }[]
}
export const NOTHING_TO_JUDGE: Judgement = { refused: [], toConfirm: [] }

export interface GrantingActor {
  principal: Principal
  /** Every role held there before the change, given or implied. */
  rolesAt(level: Level): readonly string[]
}

/**
 * Both documents have the levels that the change touches and those above them; what else there is may be left
 * out, since it is the same in both.
 */
export interface Granting {
  before: PolicyDocument
  after: PolicyDocument
  actor: GrantingActor
  /** Seconds since the epoch. */
  now: number
}

/** What judging a change takes, whatever the actor holds. */
export interface Prepared {
  before: PolicyDocument
  after: PolicyDocument
  structure: readonly StructuralChange[]
  principal: Principal
  /** Where the actor's roles are asked for, besides those above. */
  levels: Level[]
  /** What the mappings that can concern the actor give. */
  old: WholePolicy
  next: WholePolicy
  /** The same, once those have begun that are to begin later: nobody gives themselves a role in advance. */
  begun: { old: WholePolicy; next: WholePolicy }
}

export function prepareGranting({
  before,
  after,
  principal,
}: Pick<Prepared, 'before' | 'after' | 'principal'>): Prepared {
  const levels = new Map<string, Level>()
  const add = (level: Level) => levels.set(describeLevel(level), level)
  const structure = compareDocuments(before, after)
  for (const { level } of structure) add(level)
  const [old, next] = [policyFor(before, principal), policyFor(after, principal)]
  const begun = [before, after].some(beginsLater)
    ? {
        old: policyFor(withoutBeginnings(before), principal),
        next: policyFor(withoutBeginnings(after), principal),
      }
    : { old, next }
  if (levels.size > 0) for (const policy of [begun.old, begun.next]) placesOf(policy, principal).forEach(add)
  // A role that changes gives something else wherever it is held.
  if (structure.some(({ part }) => part === 'role')) {
    for (const document of [before, after]) placesWhereMapped(document, principal).forEach(add)
  }
  return { before, after, structure, principal, levels: [...levels.values()], old, next, begun }
}

type Mapping = GroupMapping | PatternMapping

function beginsLater(document: PolicyDocument): boolean {
  return mappingLists(document).some(({ idpGroupMappings, patternMappings }) => {
    return [idpGroupMappings, patternMappings].some((list: readonly Mapping[]) =>
      list.some(({ notBefore }) => notBefore !== undefined),
    )
  })
}

function withoutBeginnings(document: PolicyDocument): PolicyDocument {
  const begun = <One extends Mapping>({ notBefore: _notBefore, ...mapping }: One) => mapping as One
  const of = <Owner extends { idpGroupMappings: GroupMapping[]; patternMappings: PatternMapping[] }>(
    owner: Owner,
  ): Owner => ({
    ...owner,
    idpGroupMappings: owner.idpGroupMappings.map(begun),
    patternMappings: owner.patternMappings.map(begun),
  })
  const organizations = Object.entries(document.organizations).map(([slug, organization]) => {
    const projects = Object.entries(organization.projects).map(([name, project]) => [name, of(project)])
    return [slug, { ...of(organization), projects: Object.fromEntries(projects) }]
  })
  return { ...of(document), organizations: Object.fromEntries(organizations) }
}

/** Where mappings of the principal's groups stand, and where it was given roles directly. */
function placesWhereMapped(document: PolicyDocument, principal: Principal): Level[] {
  const concerns = concerning(principal)
  const mapped = mappingLists(document).filter(({ idpGroupMappings }) => idpGroupMappings.some(concerns))
  return [...mapped.map(({ level }) => level), ...principal.given.map(levelOfGrant)]
}

/** Whether a mapping names one of the principal's groups. */
function concerning(principal: Principal): (mapping: GroupMapping) => boolean {
  const groups = groupsAt(principal, 0)
  const own = new Set<string>('names' in groups ? groups.names : [])
  const folded = new Set([...own].map(foldCase))
  return ({ idpGroups, ignoreCase }) => {
    return idpGroups.some((group) => (ignoreCase ? folded.has(foldCase(group)) : own.has(group)))
  }
}

export function judgeGranting({ before, after, actor, now }: Granting): Judgement {
  return judgePrepared(prepareGranting({ before, after, principal: actor.principal }), actor, now)
}

export function judgePrepared(prepared: Prepared, held: GrantingActor, now: number): Judgement {
  const { before, after, structure } = prepared
  const actor = withThoseAbove(held)
  const given = lintGranted(after, before, actor, structure).map(({ path, message }) => {
    return { reason: 'grant_not_allowed' as const, path: describePath(path), message }
  })
  const own = judgeOwn(prepared, actor, now)
  const owners = lintOwners(after, before, now, new Set()).filter(({ code }) => code === 'owner_removed')
  return {
    refused: [...given, ...own.refused],
    toConfirm: [
      ...owners.slice(0, 1).map(({ path, message }) => {
        const where = path.length > 0 && path[0] !== 'idpGroupMappings' ? `${describePath(path)}: ` : ''
        const ownerless = owners.map((one) => (one.path[0] === 'organizations' ? String(one.path[1]) : ''))
        return { what: 'last-owner' as const, message: `${where}${message}`, ownerless }
      }),
      ...own.toConfirm,
    ],
  }
}

/** What is held above is held below, also where the place below is only being made. */
function withThoseAbove({ principal, rolesAt }: GrantingActor): GrantingActor {
  return {
    principal,
    rolesAt: (level) => [...new Set([level, ...above(level)].flatMap((at) => rolesAt(at)))],
  }
}

export function above(level: Level): Level[] {
  if (level.kind === 'global') return []
  const global: Level = { kind: 'global' }
  const { organization } = level
  return level.kind === 'organization' ? [global] : [{ kind: 'organization', organization }, global]
}

/** What the change does to the actor itself, by comparing what the mappings that can concern it give. */
function judgeOwn(
  { after, old, next, begun, levels }: Prepared,
  actor: GrantingActor,
  now: number,
): Judgement {
  const { principal } = actor
  const judgement: Judgement = { refused: [], toConfirm: [] }
  for (const level of levels) {
    const known = new Set(actor.rolesAt(level))
    const rolesBy = (policy: WholePolicy) => {
      return new Set(rolesAt(policy, organizationAt(policy, level), principal, level, now).roles)
    }
    const [had, has] = [rolesBy(old), rolesBy(next)]
    const sides = begun.next === next ? [] : [{ had: rolesBy(begun.old), has: rolesBy(begun.next) }]
    const gains = [{ had, has }, ...sides].flatMap((side) => {
      return [...side.has].filter((role) => !side.had.has(role) && !known.has(role))
    })
    const gained = [...new Set(gains)]
    const lost = [...had].filter((role) => !has.has(role) && known.has(role))
    const where = describeLevel(level)
    if (gained.length > 0) {
      const message = `gives you ${gained.join(', ')} at ${where}, which you do not have; somebody else must do that`
      judgement.refused.push({ reason: 'grant_to_self', path: pathOf(level), message })
    }
    // Whoever deletes a place knows that nobody has anything there any more.
    if (lost.length > 0 && judgement.toConfirm.length === 0 && exists(after, level)) {
      const message = `takes ${lost.join(', ')} at ${where} from you`
      judgement.toConfirm.push({ what: 'own-access', message })
    }
  }
  return judgement
}

function pathOf(level: Level): string {
  if (level.kind === 'global') return 'idpGroupMappings'
  const path = ['organizations', level.organization]
  return describePath(level.kind === 'project' ? [...path, 'projects', level.project] : path)
}

function exists({ organizations }: PolicyDocument, level: Level): boolean {
  if (level.kind === 'global') return true
  if (!Object.hasOwn(organizations, level.organization)) return false
  const projects = organizations[level.organization]?.projects ?? {}
  return level.kind === 'organization' || Object.hasOwn(projects, level.project)
}

/** Where patterns give the principal something. */
function placesOf(policy: WholePolicy, principal: Principal): Level[] {
  const loaded = policy.organizations.map((slug) => policy.organization(slug))
  const places = [policy, ...loaded].flatMap((patterns) => capturedPlaces(patterns, principal))
  return places.map(({ organization, project }): Level => {
    return project === null
      ? { kind: 'organization', organization }
      : { kind: 'project', organization, project }
  })
}

/**
 * Only with the mappings that can concern the principal, so that judging costs little however many there are.
 * Organizations and projects that a pattern names for it are there, whether the document has them or not.
 */
function policyFor(document: PolicyDocument, principal: Principal): WholePolicy {
  const concerns = concerning(principal)
  const only = <Owner extends { idpGroupMappings: GroupMapping[] }>(owner: Owner): Owner => {
    const idpGroupMappings = owner.idpGroupMappings.filter(concerns).map((mapping) => {
      const idpGroups = mapping.idpGroups.filter((group) => concerns({ ...mapping, idpGroups: [group] }))
      return { ...mapping, idpGroups }
    })
    return { ...owner, idpGroupMappings }
  }
  const organizations: Record<string, Organization> = Object.fromEntries(
    Object.entries(document.organizations).map(([slug, organization]) => {
      const projects = Object.entries(organization.projects).map(([name, project]) => [name, only(project)])
      return [slug, { ...only(organization), issuers: {}, projects: Object.fromEntries(projects) }]
    }),
  )
  const instance = only(document)
  const owners = [
    instance,
    ...Object.values(organizations).flatMap((one) => [one, ...Object.values(one.projects)]),
  ]
  const names = [
    ...owners
      .flatMap((owner) => [...owner.idpGroupMappings, ...owner.patternMappings])
      .map(({ roleName }) => roleName),
    ...Object.values(organizations).flatMap(({ onUnmatched }) => onUnmatched ?? []),
    ...principal.given.map(({ role }) => role),
  ]
  const held = new Set(names.flatMap((name) => [...heldWith(document.roles, name)]))
  const roles = Object.fromEntries(Object.entries(document.roles).filter(([name]) => held.has(name)))
  const reduced = { ...instance, roles, issuers: {}, routes: {}, tests: [], organizations }
  const policy = loadPolicy(compilePolicy(reduced))
  const places = owners.some(({ patternMappings }) => patternMappings.length > 0)
    ? placesOf(policy, principal)
    : []
  const missing = places.filter((place) => addPlace(organizations, place))
  return missing.length === 0 ? policy : loadPolicy(compilePolicy(reduced))
}

/** Whether it was not there. */
function addPlace(organizations: Record<string, Organization>, place: Level): boolean {
  if (place.kind === 'global') return false
  const known = Object.hasOwn(organizations, place.organization)
    ? organizations[place.organization]
    : undefined
  const organization: Organization = known ?? { ...NO_ORGANIZATION, projects: {} }
  organizations[place.organization] = organization
  if (place.kind === 'organization' || Object.hasOwn(organization.projects, place.project)) return !known
  organization.projects[place.project] = { ...NO_PROJECT }
  return true
}

const NO_PROJECT = { idpGroupMappings: [], patternMappings: [] }
const NO_ORGANIZATION = { ...NO_PROJECT, issuers: {} }

export interface GivingDirectly {
  roles: PolicyDocument['roles']
  before: readonly DirectGrant[]
  after: readonly DirectGrant[]
  actor: GrantingActor
  /** Whether the roles go to the actor itself: one of its identities is the holder's. */
  holder: 'actor' | 'another'
}

/** The same rules for roles given directly, to users and to service accounts. */
export function judgeGivenDirectly({ roles, before, after, actor, holder }: GivingDirectly): Judgement {
  const { rolesAt } = withThoseAbove(actor)
  const judgement: Judgement = { refused: [], toConfirm: [] }
  const keyOf = ({ role, organization, project }: DirectGrant) =>
    JSON.stringify([role, organization, project])
  const [old, next] = [new Set(before.map(keyOf)), new Set(after.map(keyOf))]
  for (const grant of after.filter((given) => !old.has(keyOf(given)))) {
    const level = levelOfGrant(grant)
    const held = rolesAt(level)
    const mayGrant = mayGrantWith(roles, held)
    const path = pathOfGrant(grant)
    if (!mayGrant.has(grant.role)) {
      const may = [...mayGrant].sort().join(', ') || 'none'
      const message = `gives ${grant.role} at ${describeLevel(level)}, which you may not give; you may give there: ${may}`
      judgement.refused.push({ reason: 'grant_not_allowed', path, message })
    }
    const gained = [...heldWith(roles, grant.role)].filter((role) => !held.includes(role))
    if (holder === 'actor' && gained.length > 0) {
      const message = `gives you ${gained.join(', ')} at ${describeLevel(level)}, which you do not have`
      judgement.refused.push({ reason: 'grant_to_self', path, message })
    }
  }
  const lost = before.filter((given) => !next.has(keyOf(given)))
  if (holder === 'actor' && lost.length > 0) {
    const names = lost.map((grant) => `${grant.role} at ${describeLevel(levelOfGrant(grant))}`)
    judgement.toConfirm.push({ what: 'own-access', message: `takes ${names.join(', ')} from you` })
  }
  return judgement
}

function levelOfGrant({ organization, project }: DirectGrant): Level {
  if (organization === null) return { kind: 'global' }
  return project === null
    ? { kind: 'organization', organization }
    : { kind: 'project', organization, project }
}

function pathOfGrant({ organization, project }: DirectGrant): string {
  if (organization === null) return 'given.roles'
  const path = ['given', 'organizations', organization]
  return describePath(project === null ? [...path, 'roles'] : [...path, 'projects', project])
}
