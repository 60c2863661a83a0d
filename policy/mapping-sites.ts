// Every mapping of a policy document with the place it is written at: for those who judge or compare
// documents. What a mapping gives is compile.ts's and grants.ts's.
import type { Level } from './level.ts'
import type { Path } from './problems.ts'
import type { GroupMapping, PatternMapping, PolicyDocument } from './schema.ts'

/** The mappings of one level, by name and by pattern. */
export interface MappingList {
  level: Level
  /** Of the level itself: `organizations.acme`. */
  path: Path
  idpGroupMappings: readonly GroupMapping[]
  patternMappings: readonly PatternMapping[]
}

export type MappingSite = { level: Level; path: Path } & (
  | { kind: 'group'; mapping: GroupMapping }
  | { kind: 'pattern'; mapping: PatternMapping }
)

/** Global, then each organization with its projects, as they stand in the document. */
export function mappingLists(document: PolicyDocument): MappingList[] {
  const lists: MappingList[] = [{ level: { kind: 'global' }, path: [], ...mappingsOf(document) }]
  for (const [organization, members] of Object.entries(document.organizations)) {
    const path = ['organizations', organization]
    lists.push({ level: { kind: 'organization', organization }, path, ...mappingsOf(members) })
    for (const [project, inner] of Object.entries(members.projects)) {
      const level: Level = { kind: 'project', organization, project }
      lists.push({ level, path: [...path, 'projects', project], ...mappingsOf(inner) })
    }
  }
  return lists
}

function mappingsOf({
  idpGroupMappings,
  patternMappings,
}: Pick<MappingList, `${string}Mappings` & keyof MappingList>) {
  return { idpGroupMappings, patternMappings }
}

export function sitesOf({ level, path, idpGroupMappings, patternMappings }: MappingList): MappingSite[] {
  return [
    ...idpGroupMappings.map((mapping, index): MappingSite => {
      return { kind: 'group', level, path: [...path, 'idpGroupMappings', index], mapping }
    }),
    ...patternMappings.map((mapping, index): MappingSite => {
      return { kind: 'pattern', level, path: [...path, 'patternMappings', index], mapping }
    }),
  ]
}

/** Whether it names its organization by a capture, and so gives its role in any of them. */
export function capturesOrganization({ kind, mapping }: MappingSite): boolean {
  return kind === 'pattern' && mapping.groupPatterns.some((text) => text.includes('{org}'))
}

/** The role and every role it implies. */
export function heldWith(roles: PolicyDocument['roles'], name: string): Set<string> {
  const held = new Set([name])
  // A Set goes on to what is added while it is walked.
  for (const role of held) {
    const implied = Object.hasOwn(roles, role) ? (roles[role]?.implies ?? []) : []
    for (const other of implied) held.add(other)
  }
  return held
}
