// Mappings in one form, whichever way they were written: an edit that says the same is no edit, and what is echoed
// does not depend on who wrote it last.
import { canonical } from './diff-structure.ts'
import type { GroupMapping, PatternMapping } from './schema.ts'

/** As many groups and patterns as one mapping may have (schema.ts). */
const GROUPS_MAX = 1000
const PATTERNS_MAX = 100

/**
 * Groups sorted, each once; mappings with the same role and the same rules as one; roles in the order of the
 * catalogue. What else a mapping carries (who manages it) counts as a rule.
 */
export function normalGroupMappings<Mapping extends GroupMapping>(
  mappings: readonly Mapping[],
  roles: Readonly<Record<string, unknown>>,
): Mapping[] {
  return normalize(mappings, 'idpGroups', GROUPS_MAX, roles)
}

export function normalPatternMappings<Mapping extends PatternMapping>(
  mappings: readonly Mapping[],
  roles: Readonly<Record<string, unknown>>,
): Mapping[] {
  return normalize(mappings, 'groupPatterns', PATTERNS_MAX, roles)
}

function normalize<Mapping extends { roleName: string }>(
  mappings: readonly Mapping[],
  field: string,
  max: number,
  roles: Readonly<Record<string, unknown>>,
): Mapping[] {
  const alike = new Map<string, { mapping: Mapping; names: Set<string> }>()
  for (const mapping of mappings) {
    const names = (mapping as unknown as Record<string, string[]>)[field] as string[]
    const key = canonical({ ...mapping, [field]: [] })
    const known = alike.get(key)
    if (known) for (const name of names) known.names.add(name)
    else alike.set(key, { mapping, names: new Set(names) })
  }
  const order = new Map(Object.keys(roles).map((name, index) => [name, index]))
  const place = ({ roleName }: Mapping) => order.get(roleName) ?? order.size
  const sorted = [...alike].sort(([a, left], [b, right]) => {
    return place(left.mapping) - place(right.mapping) || (a < b ? -1 : 1)
  })
  return sorted.flatMap(([, { mapping, names }]) => {
    const all = [...names].sort()
    const parts = Array.from({ length: Math.ceil(all.length / max) }, (_, part) => {
      return all.slice(part * max, (part + 1) * max)
    })
    return parts.map((part) => ({ ...mapping, [field]: part }))
  })
}
