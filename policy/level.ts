// Levels: where a role is given and where a permission is asked for.
import type { LoadedOrganization, Policy } from './loaded.ts'

/** Slugs, issuer ids and route ids: lower case, so that a name in a path and in the policy compare as bytes. */
export const SLUG = /^[a-z0-9](?:[a-z0-9-]{0,62}[a-z0-9])?$/

export type Level =
  | { kind: 'global' }
  | { kind: 'organization'; organization: string }
  | { kind: 'project'; organization: string; project: string }

export function levelOf(organization: string | null, project: string | null): Level {
  if (organization === null) return { kind: 'global' }
  return project === null
    ? { kind: 'organization', organization }
    : { kind: 'project', organization, project }
}

/** The organization a level lies in; null for the global level and for one that does not exist. */
export function organizationAt(policy: Policy, level: Level): LoadedOrganization | null {
  return level.kind === 'global' ? null : policy.organization(level.organization)
}

export function describeLevel(level: Level): string {
  if (level.kind === 'global') return 'the global level'
  const organization = `organization ${level.organization}`
  return level.kind === 'organization' ? organization : `project ${level.project} of ${organization}`
}
