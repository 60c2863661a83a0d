// What the handlers of users and of an organization's members share: reading users, what of one may be seen, and
// the plan of a change: what it must hold, who may make it, and what it writes.

import type { z } from 'zod'
import { above, type GivingDirectly, type Judgement, judgeGivenDirectly } from '../../../policy/granting.ts'
import { describeLevel, type Level, levelOf } from '../../../policy/level.ts'
import { nearest } from '../../../policy/nearest.ts'
import type { DirectRoles, Identity, UserResource } from '../../../policy/operations/people.ts'
import type { OperationId } from '../../../policy/operations/table.ts'
import type { Groups } from '../../../policy/principal.ts'
import type { PolicyDocument, RoleLevel } from '../../../policy/schema.ts'
import { changedMembers } from '../../database/audit.ts'
import { type SettingsContent, type UserContent, userName } from '../../database/documents.ts'
import { organizationOf } from '../../database/issuer-rows.ts'
import { grantsOf, userRows } from '../../database/people-rows.ts'
import { guard } from '../../database/rows.ts'
import { type Refusal, refuse, shown } from '../../refusal.ts'
import { type InputError, refuseInput } from '../answers.ts'
import type { Call } from '../call.ts'
import { readInstance } from '../effective.ts'
import { leftWithoutOwner } from '../last-owner.ts'
import type { Plan } from '../write.ts'
import { previewGiven } from './given-preview.ts'

type User = z.infer<typeof UserResource>

export interface UserRow {
  id: string
  version: number
  created_at: number
  updated_at: number
  content: string
  /** JSON: when somebody with one of its identities was seen last, and with which groups. */
  seen: string | null
}

/** Of a query over `users u`. */
export const USER_COLUMNS = `u.id, u.version, u.created_at, u.updated_at,
  (SELECT v.content FROM versions v WHERE v.document = 'user/' || u.id AND v.version = u.version) AS content,
  (SELECT json_object('at', k.last_seen_at, 'groups', json(k.groups), 'issuer', k.issuer)
    FROM identities i JOIN known_principals k ON k.issuer = i.issuer AND k.subject = i.subject
    WHERE i.holder = 'user/' || u.id ORDER BY k.last_seen_at DESC LIMIT 1) AS seen`

export async function readUser(database: D1Database, id: string): Promise<UserRow | null> {
  return database
    .prepare(`SELECT ${USER_COLUMNS} FROM users u WHERE u.id = ? AND u.deleted_at IS NULL`)
    .bind(id)
    .first<UserRow>()
}

export function contentOfUser({ content }: Pick<UserRow, 'content'>): UserContent {
  return JSON.parse(content) as UserContent
}

/** As the instance sees it; `organization` narrows it to what concerns that one. */
export function userResource(row: UserRow, organization: string | null): User {
  const content = contentOfUser(row)
  const seen =
    row.seen === null ? null : (JSON.parse(row.seen) as { at: number; groups: Groups; issuer: string })
  const whole = organization === null
  // What the instance's issuers say of somebody is not the organization's to read.
  const mayRead = seen !== null && (whole || organizationOf(seen.issuer) === organization)
  return {
    id: row.id,
    status: content.status,
    login: content.login,
    displayName: content.displayName,
    email: content.email,
    identities: content.identities.filter(({ issuer }) => {
      return whole || [null, organization].includes(organizationOf(issuer))
    }),
    given: whole ? content.given : partOf(content.given, organization),
    lastSeenAt: seen === null ? null : new Date(seen.at).toISOString(),
    groups: mayRead && seen.groups.outcome === 'listed' ? seen.groups.names : null,
    version: row.version,
    createdAt: new Date(row.created_at).toISOString(),
    updatedAt: new Date(row.updated_at).toISOString(),
  }
}

function partOf({ organizations }: DirectRoles, organization: string): DirectRoles {
  const part = own(organizations, organization)
  return { roles: [], organizations: part ? { [organization]: part } : {} }
}

/** A slug may be the name of something that every object has. */
export function own<Value>(members: Readonly<Record<string, Value>> | undefined, name: string) {
  return members !== undefined && Object.hasOwn(members, name) ? members[name] : undefined
}

export interface UserChange {
  id: string
  /** Null: it is new. */
  before: { version: number; content: UserContent } | null
  /** Null: it is deleted. */
  after: UserContent | null
  createdAt: number
  /** Versions that there were of it, when it was deleted before. */
  version?: number
}

export type PlannedUser = Omit<Plan<OperationId>, 'body'> & { version: number }

/** The whole of a change but for its answer. */
export async function planUser(
  call: Call,
  change: UserChange,
): Promise<{ ok: true; plan: PlannedUser } | Refusal> {
  const { environment, now } = call
  const { id, before, after } = change
  const instance = await readInstance(environment)
  const { settings } = instance
  const { roles } = instance.source.policy
  const wrong = await refusalOf(call, change, roles)
  if (wrong) return wrong
  const version = before?.version ?? change.version ?? 0
  const name = userName(id)
  const same = before !== null && JSON.stringify(before.content) === JSON.stringify(after)
  const judgement = await judge(call, change, roles, settings)
  const contents = { before: before?.content ?? null, after }
  const ownerless = await leftWithoutOwner(call, instance, name, contents)
  return {
    ok: true,
    plan: {
      documents: same ? [] : [{ name, version, content: after }],
      derived: same
        ? []
        : [
            ...placesGuards(environment.DB, contents),
            ...userRows(environment.DB, id, after, { version: version + 1, at: now }),
          ],
      audit: same ? [] : auditOf(change),
      version: same ? version : version + 1,
      judgement: ownerless.length === 0 ? judgement : withLastOwner(judgement, ownerless),
      preview: () => previewOf(call, change, roles),
      taken: (columns) => takenBy(columns),
    },
  }
}

/** A place where something is given anew may have been deleted since it was looked up. */
function placesGuards(
  database: D1Database,
  { before, after }: { before: UserContent | null; after: UserContent | null },
): D1PreparedStatement[] {
  const old = before?.given.organizations
  const added = Object.entries(after?.given.organizations ?? {})
  const slugs = added.map(([slug]) => slug).filter((slug) => own(old, slug) === undefined)
  const projects = added.flatMap(([slug, here]) => {
    const known = own(old, slug)?.projects
    return Object.keys(here.projects).flatMap((name) =>
      own(known, name) === undefined ? [[slug, name]] : [],
    )
  })
  const missing = (rows: unknown[], found: string) => {
    const condition = `EXISTS (SELECT 1 FROM json_each(?) AS place WHERE NOT EXISTS (${found} AND deleted_at IS NULL))`
    return rows.length === 0 ? [] : [guard(database, condition, [JSON.stringify(rows)])]
  }
  return [
    ...missing(slugs, 'SELECT 1 FROM organizations WHERE slug = place.value'),
    ...missing(
      projects,
      'SELECT 1 FROM projects WHERE organization = place.value ->> 0 AND slug = place.value ->> 1',
    ),
  ]
}

function withLastOwner(judgement: Judgement, ownerless: string[]): Judgement {
  const where = ownerless.map((slug) => (slug === '' ? 'of the instance' : `of organization ${slug}`))
  const message = `this takes the last owner ${where.join(', ')}`
  return { ...judgement, toConfirm: [{ what: 'last-owner', message }, ...judgement.toConfirm] }
}

export function takenBy(columns: string): Refusal {
  if (columns === 'guard') {
    return refuse('version_conflict', 'A place it names has been deleted meanwhile; repeat the change.')
  }
  return columns.startsWith('identities.')
    ? refuse('name_taken', 'The identity belongs to another user or service account; unlink it there first.')
    : refuse('already_exists', `There is one with the same ${columns}.`)
}

async function refusalOf(
  call: Call,
  { before, after }: UserChange,
  roles: PolicyDocument['roles'],
): Promise<Refusal | null> {
  if (after === null) return null
  const known = new Set((before?.content.identities ?? []).map(keyOf))
  const linked = after.identities.filter((identity) => !known.has(keyOf(identity)))
  const missing = await missingIssuers(call, linked)
  const errors = [
    ...missing.map((issuer) => ({ path: 'issuer', message: `there is no issuer ${shown(issuer)}` })),
    ...(await errorsOfGiven(call, before?.content.given ?? null, after.given, roles)),
  ]
  return errors.length > 0 ? refuseInput(errors) : checkTogether(after)
}

const keyOf = ({ issuer, subject }: Identity) => `${issuer} ${subject}`

async function missingIssuers({ environment }: Call, identities: readonly Identity[]): Promise<string[]> {
  const ids = [...new Set(identities.map(({ issuer }) => issuer))]
  if (ids.length === 0) return []
  const { results } = await environment.DB.prepare(
    'SELECT id FROM issuers WHERE id IN (SELECT value FROM json_each(?)) AND deleted_at IS NULL',
  )
    .bind(JSON.stringify(ids))
    .all<{ id: string }>()
  const known = new Set(results.map(({ id }) => id))
  return ids.filter((id) => !known.has(id))
}

/**
 * Whoever an organization's issuer vouches for is that organization's alone: it could otherwise sign in as
 * somebody who has something elsewhere.
 */
function checkTogether({ identities, given }: UserContent): Refusal | null {
  const owners = new Set(identities.map(({ issuer }) => organizationOf(issuer)))
  const [owner] = [...owners].filter((slug) => slug !== null)
  if (owner === undefined) return null
  const elsewhere = Object.keys(given.organizations).find((slug) => slug !== owner)
  const what =
    owners.size > 1
      ? 'has identities by other issuers'
      : given.roles.length > 0
        ? 'has global roles'
        : elsewhere === undefined
          ? null
          : `is a member of ${elsewhere}`
  if (what === null) return null
  const detail = `An issuer of organization ${owner} vouches inside it only, and the user ${what}.`
  return refuse('link_not_allowed', detail)
}

/** Of what is added only: a role or a place that has gone meanwhile does not keep anybody from changing the rest. */
async function errorsOfGiven(
  { environment }: Call,
  before: DirectRoles | null,
  after: DirectRoles,
  roles: PolicyDocument['roles'],
): Promise<InputError[]> {
  const errors: InputError[] = []
  const check = (
    list: readonly string[],
    known: readonly string[] | undefined,
    level: RoleLevel,
    path: string,
  ) => {
    list.forEach((role, index) => {
      const message = known?.includes(role) ? null : wrongRole(roles, role, level)
      if (message !== null) errors.push({ path: `${path}[${index}]`, message })
    })
  }
  check(after.roles, before?.roles, 'global', 'given.roles')
  const slugs: string[] = []
  const projects: [string, string][] = []
  for (const [slug, here] of Object.entries(after.organizations)) {
    const known = own(before?.organizations, slug)
    const path = `given.organizations.${slug}`
    if (known === undefined) slugs.push(slug)
    check(here.roles, known?.roles, 'organization', `${path}.roles`)
    for (const [project, list] of Object.entries(here.projects)) {
      const had = own(known?.projects, project)
      if (had === undefined) projects.push([slug, project])
      check(list, had, 'project', `${path}.projects.${project}`)
    }
  }
  return [...errors, ...(await missingPlaces(environment.DB, slugs, projects))]
}

/** Null when the role is one of the level. */
export function wrongRole(roles: PolicyDocument['roles'], name: string, level: RoleLevel): string | null {
  const role = Object.hasOwn(roles, name) ? roles[name] : undefined
  if (role?.level === level) return null
  const valid = Object.keys(roles).filter((other) => roles[other]?.level === level)
  const meant = nearest(name, valid)
  const what = role ? `is a role of the ${role.level} level` : 'is no role'
  return `${name} ${what}${meant === null ? '' : `; did you mean ${meant}?`}; valid here: ${valid.join(', ')}`
}

async function missingPlaces(
  database: D1Database,
  slugs: readonly string[],
  projects: readonly [string, string][],
): Promise<InputError[]> {
  if (slugs.length === 0 && projects.length === 0) return []
  const [organizations, below] = await database.batch<{ organization: string; project: string }>([
    database
      .prepare(
        `SELECT value AS organization FROM json_each(?) WHERE NOT EXISTS
          (SELECT 1 FROM organizations o WHERE o.slug = value AND o.deleted_at IS NULL)`,
      )
      .bind(JSON.stringify(slugs)),
    database
      .prepare(
        `SELECT value ->> 0 AS organization, value ->> 1 AS project FROM json_each(?) WHERE NOT EXISTS
          (SELECT 1 FROM projects p WHERE p.organization = value ->> 0 AND p.slug = value ->> 1 AND p.deleted_at IS NULL)`,
      )
      .bind(JSON.stringify(projects)),
  ])
  return [
    ...(organizations?.results ?? []).map(({ organization }) => ({
      path: `given.organizations.${organization}`,
      message: `there is no organization ${shown(organization)}`,
    })),
    ...(below?.results ?? []).map(({ organization, project }) => ({
      path: `given.organizations.${organization}.projects.${project}`,
      message: `there is no project ${shown(project)} in ${organization}`,
    })),
  ]
}

/** A new identity gets all that the user has; so it is judged as if all of it were given anew. */
async function judge(
  call: Call,
  { id, before, after }: UserChange,
  roles: PolicyDocument['roles'],
  settings: SettingsContent,
): Promise<Judgement> {
  const holder = userName(id)
  const now = after === null ? [] : grantsOf(holder, after.given)
  const known = new Set((before?.content.identities ?? []).map(keyOf))
  const links = after?.identities.some((identity) => !known.has(keyOf(identity))) ?? false
  const old = before === null ? [] : grantsOf(holder, before.content.given)
  const isOwn = [...(before?.content.identities ?? []), ...(after?.identities ?? [])].some((identity) => {
    return identity.issuer === call.principal.issuer && identity.subject === call.principal.subject
  })
  const judgement = await judgeGiven(call, settings, {
    roles,
    before: links && before !== null ? [] : old,
    after: now,
    holder: isOwn ? 'actor' : 'another',
  })
  const ends = isOwn && before?.content.status === 'active' && after?.status === 'inactive'
  if (!ends || settings.confirmOwnAccess === false) return judgement
  const message = 'this deactivates the user that you are'
  return { ...judgement, toConfirm: [...judgement.toConfirm, { what: 'own-access', message }] }
}

/** judgeGivenDirectly, with what the caller holds wherever something changes. */
export async function judgeGiven(
  { principal, held }: Call,
  { confirmOwnAccess = true }: SettingsContent,
  giving: Omit<GivingDirectly, 'actor'>,
): Promise<Judgement> {
  const levels = new Map<string, Level>()
  for (const { organization, project } of [...giving.before, ...giving.after]) {
    const level = levelOf(organization, project)
    for (const at of [level, ...above(level)]) levels.set(describeLevel(at), at)
  }
  const rolesThere = new Map<string, readonly string[]>()
  for (const [key, level] of levels) rolesThere.set(key, await held.rolesAt(level))
  const rolesAt = (level: Level) => rolesThere.get(describeLevel(level)) ?? []
  const judgement = judgeGivenDirectly({ ...giving, actor: { principal, rolesAt } })
  return confirmOwnAccess ? judgement : { ...judgement, toConfirm: [] }
}

/** An event of the instance, and one in the chain of each organization whose part changed. */
function auditOf({ id, before, after }: UserChange): Plan<OperationId>['audit'] {
  const target = { kind: 'user', id }
  const [old, now] = [before?.content ?? null, after]
  const slugs = new Set([
    ...Object.keys(old?.given.organizations ?? {}),
    ...Object.keys(now?.given.organizations ?? {}),
  ])
  const parts = [...slugs].flatMap((slug) => {
    const [left, right] = [old, now].map((content) => own(content?.given.organizations, slug) ?? null)
    if (JSON.stringify(left) === JSON.stringify(right)) return []
    return [{ chain: slug, target, before: left, after: right }]
  })
  return [{ chain: '', target, ...changedMembers(old, now) }, ...parts]
}

function previewOf(call: Call, { id, before, after }: UserChange, roles: PolicyDocument['roles']) {
  const holder = userName(id)
  const [old, now] = [before?.content ?? null, after]
  const counting = (content: UserContent | null) => {
    return content?.status === 'active' ? grantsOf(holder, content.given) : []
  }
  const { displayName, email, identities } = (now ?? old) as UserContent
  return previewGiven(call, {
    part: 'user',
    id,
    displayName,
    email,
    identities,
    roles,
    contents: { before: old, after: now },
    given: { before: counting(old), after: counting(now) },
  })
}
