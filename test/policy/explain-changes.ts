// Carries out what an explanation suggests: on the policy's document, or on what the issuer says of the principal.
import type { CompiledCondition } from '../../policy/compiled.ts'
import type { Change } from '../../policy/explain-wanted.ts'
import type { Principal } from '../../policy/principal.ts'
import type { GroupMapping, PatternMapping, PolicyDocument } from '../../policy/schema.ts'

/** The value at a path such as `organizations.acme.idpGroupMappings[0]`. */
export function valueAt(document: PolicyDocument, path: string): unknown {
  const steps = path.replaceAll(/\[(\d+)\]/g, '.$1').split('.')
  return steps.reduce<unknown>((value, step) => (value as Record<string, unknown>)[step], document)
}

export interface Case {
  document: PolicyDocument
  principal: Principal
}

export function applied(before: Case, changes: readonly Change[]): Case {
  return changes.reduce((current, change) => {
    const next = structuredClone(current)
    apply(next, change)
    return next
  }, before)
}

function apply({ document, principal }: Case, change: Change): void {
  switch (change.kind) {
    case 'rename_group': {
      const mapping = valueAt(document, change.mapping) as GroupMapping
      const alike = (name: string) => (mapping.ignoreCase ? name.toLowerCase() : name)
      mapping.idpGroups = mapping.idpGroups.map((name) => (alike(name) === change.from ? change.to : name))
      return
    }
    case 'rewrite_group':
      addGroup(principal, change.to)
      return
    case 'change_window':
      delete (valueAt(document, change.mapping) as GroupMapping)[change.member]
      return
    case 'believe_issuer':
      ;(valueAt(document, change.mapping) as GroupMapping | PatternMapping).issuers?.push(change.issuer)
      return
    case 'meet_condition':
      meet(principal, change.condition)
      return
    case 'send_groups':
      principal.groups = { outcome: 'listed', names: [] }
      return
    case 'add_group':
      addGroup(principal, change.group)
      return
    case 'add_mapping':
      ;(valueAt(document, change.list) as GroupMapping[]).push(change.mapping)
      return
  }
}

function addGroup(principal: Principal, group: string): void {
  const { groups } = principal
  const names =
    groups.outcome === 'listed' ? groups.names : groups.outcome === 'none' ? [] : (groups.kept?.names ?? [])
  principal.groups = { outcome: 'listed', names: [...names, group] }
}

function meet(principal: Principal, { claim, equals, oneOf, contains }: CompiledCondition): void {
  principal.claims[claim[0] as string] = contains === undefined ? (equals ?? oneOf?.[0]) : [contains]
}
