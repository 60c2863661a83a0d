// What the databases of the control suite hold: organizations, projects and mappings by number, the same in every
// process. Every mapping gives one role to one group, as the API counts them.

export interface Size {
  /** In all: each organization has the same share. */
  mappings: number
  organizations: number
}

export const SMALL: Size = { mappings: 1000, organizations: 10 }
export const LARGE: Size = { mappings: 100_000, organizations: 1000 }

export const PROJECTS_PER_ORGANIZATION = 10

export interface BenchMapping {
  roleName: string
  idpGroups: string[]
  managedBy: 'api'
}

/** In the order of the catalogue, which is the order in which mappings are kept. */
const ORGANIZATION_ROLES = [
  'ORG_OWNER',
  'ORG_GROUP_CREATOR',
  'ORG_BILLING_ADMIN',
  'ORG_READ_ONLY',
  'ORG_MEMBER',
]
const PROJECT_ROLES = [
  'GROUP_OWNER',
  'GROUP_READ_ONLY',
  'GROUP_AUTOMATION_ADMIN',
  'GROUP_BACKUP_ADMIN',
  'GROUP_MONITORING_ADMIN',
  'GROUP_USER_ADMIN',
  'GROUP_BILLING_ADMIN',
  'GROUP_DATA_ACCESS_ADMIN',
  'GROUP_DATA_ACCESS_READ_ONLY',
  'GROUP_DATA_ACCESS_READ_WRITE',
]
const PROJECTS = [
  'payments',
  'billing',
  'search',
  'catalogue',
  'shipping',
  'returns',
  'accounts',
  'reports',
  'support',
  'website',
]

const SYLLABLES = [
  'ba',
  'ce',
  'di',
  'fo',
  'gu',
  'ha',
  'je',
  'ki',
  'lo',
  'mu',
  'na',
  'pe',
  'ri',
  'so',
  'tu',
  'va',
]
const TRADES = ['Industries', 'Logistics', 'Insurance', 'Foods', 'Energy']

/** A word of three syllables that no other organization's name has. */
export function slugOf(organization: number): string {
  // An odd factor: neighbours are spread over the alphabet, and no two fall together.
  const mixed = (organization * 1597) % SYLLABLES.length ** 3
  return [mixed >> 8, (mixed >> 4) & 15, mixed & 15].map((index) => SYLLABLES[index]).join('')
}

export function displayNameOf(organization: number): string {
  const slug = slugOf(organization)
  return `${slug[0]!.toUpperCase()}${slug.slice(1)} ${TRADES[organization % TRADES.length]}`
}

export const projectSlugOf = (project: number) => PROJECTS[project]!

export function projectNameOf(organization: number, project: number): string {
  return `${displayNameOf(organization)}, ${projectSlugOf(project)}`
}

export function organizationMappings(organization: number): BenchMapping[] {
  return ORGANIZATION_ROLES.map((role, index) => mapping(role, teamOf(organization, index)))
}

/** Ten or nine: with the organization's five, one organization has a hundred. */
export function projectMappings(organization: number, project: number): BenchMapping[] {
  const roles = PROJECT_ROLES.slice(0, project % 2 === 0 ? 10 : 9)
  return roles.map((role, index) => mapping(role, teamOf(organization, 10 * (project + 1) + index)))
}

/** Each mapping's group is another. */
function teamOf(organization: number, team: number): string {
  return `${slugOf(organization)}:team-${team}`
}

function mapping(roleName: string, group: string): BenchMapping {
  return { roleName, idpGroups: [group], managedBy: 'api' }
}

/** The administrator who writes all of it, as ../tokens.ts names people. */
export const ADMIN = { subject: 'bench-admin', email: 'bench-admin@example.com', group: 'postern-admins' }
