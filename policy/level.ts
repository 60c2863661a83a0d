// Levels: where a role is given and where a permission is asked for.

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

export function describeLevel(level: Level): string {
  if (level.kind === 'global') return 'the global level'
  const organization = `organization ${level.organization}`
  return level.kind === 'organization' ? organization : `project ${level.project} of ${organization}`
}
