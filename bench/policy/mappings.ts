// What every engine of the policy suite is given: group mappings of a size, and callers' questions about them.
// The same seed makes the same mappings in every process.
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { parse } from 'yaml'
import { type Level, levelOf } from '../../policy/level.ts'
import { RoleCatalogue } from '../../policy/schema.ts'

/** A role for one group: at the global level, an organization's, or a project's. */
export interface Mapping {
  role: string
  group: string
  organization: string | null
  project: string | null
}

export interface Size {
  mappings: number
  organizations: number
}

export const SIZES: readonly Size[] = [
  { mappings: 100, organizations: 1 },
  { mappings: 10_000, organizations: 1 },
  { mappings: 1_000_000, organizations: 100 },
]
export const PROJECTS_PER_ORGANIZATION = 50
/** Mappings at the global level; of the others one in `ORGANIZATION_SHARE` is at the organization's. */
const GLOBAL_MAPPINGS = 10
const ORGANIZATION_SHARE = 10
/** Some groups have several mappings. */
const GROUPS_PER_MAPPING = 0.8
/** Of a caller's groups so many in a hundred mean nothing to the policy. */
const STRANGE_GROUPS_PERCENT = 30

export const CATALOGUE = RoleCatalogue.parse(
  parse(readFileSync(join(import.meta.dirname, '../../policy/catalogue.yaml'), 'utf8')),
).roles

const GLOBAL_ROLES = ['GLOBAL_READ_ONLY', 'GLOBAL_MONITORING_ADMIN', 'GLOBAL_BACKUP_ADMIN']
const ORGANIZATION_ROLES = ['ORG_MEMBER', 'ORG_READ_ONLY', 'ORG_BILLING_ADMIN', 'ORG_GROUP_CREATOR']
const PROJECT_ROLES = Object.keys(CATALOGUE).filter((name) => CATALOGUE[name]?.level === 'project')

export type Random = (below: number) => number

/** Mulberry32: small, and the same everywhere. */
export function randomFrom(seed: number): Random {
  let state = seed
  return (below) => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) % below
  }
}

function oneOf<Item>(random: Random, items: readonly Item[]): Item {
  return items[random(items.length)]!
}

export function organizationName(index: number): string {
  return `org-${index}`
}

export function projectName(index: number): string {
  return `project-${index}`
}

function groupCount({ mappings, organizations }: Size): number {
  return Math.floor(((mappings - GLOBAL_MAPPINGS) / organizations) * GROUPS_PER_MAPPING)
}

export function mappingsOf(size: Size): Mapping[] {
  const random = randomFrom(size.mappings)
  const groups = groupCount(size)
  const made: Mapping[] = []
  for (let index = 0; index < GLOBAL_MAPPINGS; index++) {
    const role = GLOBAL_ROLES[index % GLOBAL_ROLES.length]!
    made.push({ role, group: `staff-${index}`, organization: null, project: null })
  }
  for (let index = GLOBAL_MAPPINGS; index < size.mappings; index++) {
    const organization = organizationName(index % size.organizations)
    const group = groupName(organization, random(groups))
    const inProject = random(ORGANIZATION_SHARE) > 0
    const role = oneOf(random, inProject ? PROJECT_ROLES : ORGANIZATION_ROLES)
    const project = inProject ? projectName(random(PROJECTS_PER_ORGANIZATION)) : null
    made.push({ role, group, organization, project })
  }
  return asRead(made)
}

/** Text as a parser gives it, which is how names come in real: those put together here would compare slowly. */
function asRead<Value>(value: Value): Value {
  return JSON.parse(JSON.stringify(value))
}

function groupName(organization: string, index: number): string {
  return `${organization}:team-${index}`
}

/** May somebody with these groups do that there? */
export interface Question {
  groups: readonly string[]
  organization: string
  project: string | null
  permission: string
  level: Level
}

/** Callers with so many groups each, spread over the organizations. */
export function callersOf(
  size: Size,
  count: number,
  groupsEach: number,
): { home: string; groups: string[] }[] {
  const random = randomFrom(count + groupsEach)
  const known = groupCount(size)
  return Array.from({ length: count }, (_, caller) => {
    const home = organizationName(caller % size.organizations)
    const groups = Array.from({ length: groupsEach }, (_, place) => {
      const strange = random(100) < STRANGE_GROUPS_PERCENT || place >= known
      return strange ? `everyone-${random(100_000)}` : groupName(home, random(known))
    })
    if (random(20) === 0) groups[random(groupsEach)] = `staff-${random(GLOBAL_MAPPINGS)}`
    return { home, groups: asRead(groups) }
  })
}

const PERMISSIONS = [...new Set(Object.values(CATALOGUE).flatMap(({ permissions }) => permissions))].sort()

/**
 * As many questions with the answer yes as with no, or as many as there are. `allows` is any engine that is right:
 * it chooses questions, and whether the others agree is found out later.
 */
export function questionsOf(
  size: Size,
  options: { count: number; callers: number; groupsEach: number; allows: (question: Question) => boolean },
): { allowed: Question[]; refused: Question[] } {
  const { count, callers, groupsEach, allows } = options
  const random = randomFrom(count * groupsEach)
  const who = callersOf(size, callers, groupsEach)
  const allowed: Question[] = []
  const refused: Question[] = []
  for (let tries = 0; tries < count * TRIES_EACH; tries++) {
    if (allowed.length >= count / 2 && refused.length >= count / 2) break
    const { home: organization, groups } = who[tries % callers]!
    const project = random(4) === 0 ? null : projectName(random(PROJECTS_PER_ORGANIZATION))
    const level = levelOf(organization, project)
    const question = { groups, organization, project, permission: oneOf(random, PERMISSIONS), level }
    const list = allows(question) ? allowed : refused
    if (list.length < count / 2) list.push(question)
  }
  return { allowed, refused }
}
const TRIES_EACH = 40
