// Which organizations and projects a change can reach: those whose own part of the document changed, and those
// that a principal's groups name through patterns.
import type { PatternGrant } from './compiled.ts'
import type { StructuralChange } from './diff-structure.ts'
import type { LoadedOrganization, Policy } from './loaded.ts'
import { findPatterns } from './pattern.ts'
import type { Principal } from './principal.ts'

/** An organization, or one of its projects. */
export interface Place {
  organization: string
  project: string | null
}

/** Of what is written in an organization or project; what is written globally shows at the global level. */
export function placesThatChanged(structure: readonly StructuralChange[]): Place[] {
  const places = new Map<string, Place>()
  for (const { level } of structure) {
    if (level.kind === 'global') continue
    const place = {
      organization: level.organization,
      project: level.kind === 'project' ? level.project : null,
    }
    places.set(`${place.organization}/${place.project}`, place)
  }
  return [...places.values()]
}

/** What patterns of the instance, or of one organization, take from the principal's groups. */
export function capturedPlaces(
  patterns: Policy | LoadedOrganization | null,
  principal: Principal | null,
): Place[] {
  if (patterns === null || principal === null) return []
  const own = 'slug' in patterns ? patterns.slug : undefined
  return groupNames(principal).flatMap((group) => {
    return findPatterns<PatternGrant>(patterns.patterns, group).flatMap(({ entry, captured }): Place[] => {
      const organization = own ?? captured.org
      const project = entry.project ?? captured.project ?? null
      return organization === undefined ? [] : [{ organization, project }]
    })
  })
}

/** Kept groups too, whether they count by now or not. */
function groupNames({ groups }: Principal): readonly string[] {
  if (groups.outcome === 'listed') return groups.names
  return groups.outcome === 'none' ? [] : (groups.kept?.names ?? [])
}
