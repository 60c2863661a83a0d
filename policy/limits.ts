// How much one organization may hold, so that its compiled form stays what the edge can serve.
import type { Fault } from './problems.ts'
import type { Organization, PolicyDocument } from './schema.ts'

export const PROJECTS_MAX = 10_000
export const MAPPINGS_MAX = 100_000
export const PATTERNS_MAX = 1000

export function checkLimits({ organizations }: PolicyDocument, faults: Fault[]): void {
  for (const [slug, organization] of Object.entries(organizations)) {
    const path = ['organizations', slug]
    const over = (what: string, count: number, max: number) => {
      if (count <= max) return
      faults.push({ path, message: `has ${count} ${what}; one organization may have ${max}` })
    }
    over('projects', Object.keys(organization.projects).length, PROJECTS_MAX)
    over('mappings of groups', countOf(organization, groupsOf), MAPPINGS_MAX)
    over('patterns', countOf(organization, patternsOf), PATTERNS_MAX)
  }
}

type Owner = Pick<Organization, 'idpGroupMappings' | 'patternMappings'>

/** Each group or pattern of a mapping counts, since each stands in the compiled form by itself. */
const groupsOf = ({ idpGroupMappings }: Owner) => {
  return idpGroupMappings.reduce((sum, { idpGroups }) => sum + idpGroups.length, 0)
}
const patternsOf = ({ patternMappings }: Owner) => {
  return patternMappings.reduce((sum, { groupPatterns }) => sum + groupPatterns.length, 0)
}

function countOf(organization: Organization, of: (owner: Owner) => number): number {
  return Object.values(organization.projects).reduce((sum, project) => sum + of(project), of(organization))
}
