// Mappings that can never match, say what another says, or believe more than was meant. Patterns among each
// other are lint-patterns.ts's, who may give what is lint-grants.ts's.
import { foldCase } from './fold-case.ts'
import {
  capturesOrganization,
  type MappingList,
  type MappingSite,
  mappingLists,
  sitesOf,
} from './mapping-sites.ts'
import { matchPattern, parsePattern } from './pattern.ts'
import { groupsOf } from './presets.ts'
import { describePath, type Path } from './problems.ts'
import type { Condition, PolicyDocument } from './schema.ts'
import type { GroupsClaim, Issuer } from './schema-issuer.ts'
import { secondsOf } from './timestamp.ts'
import { type Warning, warning } from './warnings.ts'

/** An issuer whose word may count for a mapping; `groups` is null when it says nothing about groups. */
interface Trusted {
  id: string
  groups: GroupsClaim | null
}

export interface LintedMappings {
  warnings: Warning[]
  /** Those that no principal can ever match, from `now` on. */
  dead: ReadonlySet<MappingSite['mapping']>
}

export function lintMappings(document: PolicyDocument, now: number): LintedMappings {
  const warnings: Warning[] = []
  const dead = new Set<MappingSite['mapping']>()
  const instance = trustedOf(document.issuers, '')
  const everywhere = [
    ...instance,
    ...Object.entries(document.organizations).flatMap(([slug, { issuers }]) =>
      trustedOf(issuers, `${slug}/`),
    ),
  ]
  const ofOrganization = new Map<string, Trusted[]>()
  for (const [slug, { issuers }] of Object.entries(document.organizations)) {
    ofOrganization.set(slug, [...instance, ...trustedOf(issuers, `${slug}/`)])
  }
  for (const list of mappingLists(document)) {
    const { level } = list
    const here = level.kind === 'global' ? instance : (ofOrganization.get(level.organization) ?? [])
    for (const site of sitesOf(list)) {
      const never = lintNever(site, capturesOrganization(site) ? everywhere : here, now)
      warnings.push(...never.warnings)
      if (never.dead) dead.add(site.mapping)
      warnings.push(...lintBelieved(site, here))
    }
    warnings.push(...lintDuplicates(list))
  }
  return { warnings, dead }
}

function trustedOf(issuers: Record<string, Issuer>, owner: string): Trusted[] {
  return Object.entries(issuers).map(([id, { preset, groups }]) => {
    return { id: `${owner}${id}`, groups: groupsOf(preset, groups) }
  })
}

function lintNever(
  site: MappingSite,
  trusted: readonly Trusted[],
  now: number,
): { warnings: Warning[]; dead: boolean } {
  const { mapping, path } = site
  const { notAfter, when, issuers } = mapping
  if (notAfter !== undefined && secondsOf(notAfter) <= now) {
    const message = `${notAfter} has passed, so it gives nothing any more; remove the mapping or move the time`
    return { warnings: [warning('mapping_expired', [...path, 'notAfter'], message)], dead: true }
  }
  const claim = contradiction(when ?? [])
  if (claim !== null) {
    const message = `asks of the claim "${claim}" what cannot be at once; use "oneOf", or a mapping for each`
    return { warnings: [warning('mapping_contradictory', [...path, 'when'], message)], dead: true }
  }
  const believed = issuers === undefined ? trusted : trusted.filter(({ id }) => issuers.includes(id))
  const names = site.kind === 'group' ? site.mapping.idpGroups : site.mapping.groupPatterns
  const member = site.kind === 'group' ? 'idpGroups' : 'groupPatterns'
  if (!believed.some(({ groups }) => groups !== null)) {
    const who = believed.length === 0 ? 'no issuer is trusted here' : `${namesOf(believed)} say no groups`
    const message = `${who}, so nobody has the groups; add an issuer, or say where its groups are`
    return { warnings: [warning('mapping_unmatchable', path, message)], dead: true }
  }
  const warnings = names.flatMap((name, index): Warning[] => {
    const why = whyUnsaid(site, name, believed)
    return why === null ? [] : [warning('mapping_unmatchable', [...path, member, index], why)]
  })
  return { warnings, dead: warnings.length === names.length }
}

function namesOf(issuers: readonly Trusted[]): string {
  return issuers.map(({ id }) => `"${id}"`).join(', ')
}

/** The claim that would have to be two things at once; null when every condition can hold. */
function contradiction(when: readonly Condition[]): string | null {
  const byClaim = new Map<string, Condition[]>()
  for (const condition of when) {
    const key = JSON.stringify(condition.claim)
    byClaim.set(key, [...(byClaim.get(key) ?? []), condition])
  }
  for (const conditions of byClaim.values()) {
    const fixed = conditions.find(({ contains }) => contains === undefined)
    if (!fixed) continue
    const values = fixed.equals === undefined ? (fixed.oneOf ?? []) : [fixed.equals]
    if (!values.some((value) => conditions.every((condition) => allows(condition, value)))) {
      return fixed.claim.join('.')
    }
  }
  return null
}

/** As grants.ts compares, for a claim that is one value. */
function allows({ equals, oneOf, contains }: Condition, value: string | number | boolean): boolean {
  if (equals !== undefined) return value === equals
  if (oneOf !== undefined) return oneOf.includes(value)
  return typeof value === 'string' && typeof contains === 'string' && value.split(' ').includes(contains)
}

/** Why none of the issuers can say a group of that name, or one that matches; null when one can. */
function whyUnsaid(site: MappingSite, name: string, believed: readonly Trusted[]): string | null {
  const whys: string[] = []
  for (const { id, groups } of believed) {
    if (groups === null) continue
    const why =
      site.kind === 'group' ? whyUnsaidName(site, name, groups) : whyUnsaidPattern(site, name, groups)
    if (why === null) return null
    whys.push(`"${id}" ${why}`)
  }
  return `${name} is never said: ${whys.join('; ')}`
}

function whyUnsaidName({ mapping }: MappingSite, written: string, groups: GroupsClaim): string | null {
  const folded = (text: string) => (mapping.ignoreCase ? foldCase(text) : text)
  const { stripPrefix = '', addPrefix = '', names = {} } = groups
  const name = folded(written)
  const byId = new Map(Object.entries(names))
  if ([...byId.values()].some((display) => folded(display) === name)) return null
  // What stands for an id is its display name; the id itself arrives at most as what a prefix leaves.
  const display = byId.get(written)
  const stripped = stripPrefix !== '' && !byId.has(stripPrefix + written)
  if (display !== undefined && !stripped) return `calls it "${display}" (groups.names); write that`
  return whyUnsaidStart(name, folded(stripPrefix), folded(addPrefix))
}

function whyUnsaidStart(start: string, stripPrefix: string, addPrefix: string): string | null {
  if (!start.startsWith(addPrefix)) {
    return `puts "${addPrefix}" in front (groups.addPrefix); write "${addPrefix}${start}"`
  }
  const plain = start.slice(addPrefix.length)
  if (stripPrefix === '' || !plain.startsWith(stripPrefix)) return null
  const right = addPrefix + plain.slice(stripPrefix.length)
  return `takes "${stripPrefix}" off the front (groups.stripPrefix); write "${right}"`
}

function whyUnsaidPattern({ mapping }: MappingSite, text: string, groups: GroupsClaim): string | null {
  const folded = (value: string) => (mapping.ignoreCase ? foldCase(value) : value)
  const parsed = parsePattern(folded(text))
  if (!parsed.ok) return null
  const { stripPrefix = '', addPrefix = '', names = {} } = groups
  if (Object.values(names).some((display) => matchPattern(parsed.pattern, folded(display)))) return null
  const { prefix } = parsed.pattern
  if (folded(addPrefix).startsWith(prefix)) return null
  return whyUnsaidStart(prefix, folded(stripPrefix), folded(addPrefix))
}

/** Where a mapping stands decides whom it believes; several issuers there are seldom meant alike. */
function lintBelieved(site: MappingSite, here: readonly Trusted[]): Warning[] {
  const found: Warning[] = []
  if (capturesOrganization(site)) {
    const message =
      'gives its role in every organization that a group names; where that is not meant, ' +
      'write the pattern in the organization, without {org}'
    found.push(warning('pattern_spans_organizations', site.path, message))
  }
  const saying = here.filter(({ groups }) => groups !== null)
  if (site.mapping.issuers === undefined && saying.length > 1) {
    const message = `believes ${namesOf(saying)} alike, whoever says the group; name those meant: issuers: [${saying[0]?.id}]`
    found.push(warning('mapping_believes_any', site.path, message))
  }
  return found
}

/** The same role by the same rules for a group twice, in one mapping or in two of one level. */
function lintDuplicates(list: MappingList): Warning[] {
  const first = new Map<string, Path>()
  return sitesOf(list).flatMap((site): Warning[] => {
    const { mapping, path } = site
    const names = 'idpGroups' in mapping ? mapping.idpGroups : mapping.groupPatterns
    const rules = rulesKey(mapping)
    const repeated: string[] = []
    let other: Path | undefined
    for (const name of names) {
      const key = `${site.kind} ${rules} ${mapping.ignoreCase ? foldCase(name) : name}`
      const known = first.get(key)
      if (known) {
        repeated.push(name)
        other = known
      } else first.set(key, path)
    }
    if (!other) return []
    const where = other === path ? 'twice in it' : `in ${describePath(other)} already, by the same rules`
    const message = `${repeated.slice(0, NAMED_MAX).join(', ')} stands ${where}; remove one`
    return [warning('mapping_duplicate', path, message)]
  })
}
const NAMED_MAX = 5

/** All that a mapping asks for but its groups, as text; the order of what is a set does not matter. */
function rulesKey({
  roleName,
  issuers,
  when,
  notBefore,
  notAfter,
  ignoreCase,
}: MappingSite['mapping']): string {
  const conditions = when?.map(({ claim, equals, oneOf, contains }) => {
    return JSON.stringify([claim, equals, oneOf?.map((value) => JSON.stringify(value)).sort(), contains])
  })
  const window = [notBefore, notAfter].map((time) => (time === undefined ? null : secondsOf(time)))
  return JSON.stringify([roleName, issuers?.toSorted(), conditions?.sort(), window, ignoreCase])
}
