// Reads a policy document from YAML (or JSON, which is YAML) and says of everything that is wrong with it
// where it stands. Only this file and format.ts know YAML.
import { type Document, isMap, isScalar, LineCounter, type Node, parseDocument, visit } from 'yaml'
import type { ZodType } from 'zod'
import { checkPolicy } from './check.ts'
import { faultsOf, messageOf } from './document-errors.ts'
import { describePath, describeProblems, type Fault, type Path, type Problem } from './problems.ts'
import { Organization, PolicyDocument, RoleCatalogue } from './schema.ts'

export { describePath, describeProblems, type Problem }

export type Parsed<Value> = { ok: true; value: Value } | { ok: false; problems: Problem[] }
export type ParsedPolicy =
  | {
      ok: true
      policy: PolicyDocument
      /** The roles its own text defines; the others are the default catalogue's. */
      ownRoles: string[]
      /** Where something that is said about the policy stands in its text. */
      locate: Locate
    }
  | { ok: false; problems: Problem[] }
export type Locate = <Found extends Fault>(found: Found) => Found & Problem

/** The policy's source may not be larger. */
export const POLICY_BYTES_MAX = 10 * 1024 * 1024
/** More than a person reads at once; finding where each stands takes time. */
export const PROBLEMS_MAX = 100
/** Both bound the work that a short text can cause. */
export const ALIASES_MAX = 1000
const ALIASES_PER_ANCHOR_MAX = 100

/**
 * Parses and checks a policy's text, with the default role catalogue's text under it. In the policy that
 * comes back `roles` is the whole catalogue.
 */
export function parsePolicy(text: string, options: { file: string; catalogue: string }): ParsedPolicy {
  const catalogue = parseYaml(options.catalogue, 'catalogue.yaml', RoleCatalogue)
  if (!catalogue.ok) return catalogue
  const parsed = parseYaml(text, options.file, PolicyDocument)
  if (!parsed.ok) return parsed
  const policy = { ...parsed.value, roles: { ...catalogue.value.roles, ...parsed.value.roles } }
  const faults = checkPolicy(policy)
  const { locate } = parsed
  if (faults.length === 0) return { ok: true, policy, ownRoles: Object.keys(parsed.value.roles), locate }
  return { ok: false, problems: faults.slice(0, PROBLEMS_MAX).map((fault) => locate(fault)) }
}

/** An organization as a file of its own. Whether its roles and issuers exist, the server knows that holds them. */
export function parseDeclaration(text: string, file: string): Located<Organization> {
  return parseYaml(text, file, Organization)
}

type Located<Value> = { ok: true; value: Value; locate: Locate } | { ok: false; problems: Problem[] }

function parseYaml<Value>(text: string, file: string, schema: ZodType<Value>): Located<Value> {
  if (text.length > POLICY_BYTES_MAX) {
    const message = `has ${text.length} characters; a policy may have ${POLICY_BYTES_MAX}`
    return { ok: false, problems: [{ file, line: 1, column: 1, path: [], message }] }
  }
  const lines = new LineCounter()
  // YAML 1.2 core whatever a directive says: no merge keys, no tags that make other values than JSON has.
  // Keys are judged by findAmbiguities, since the library compares each with each.
  const document = parseDocument(text, {
    lineCounter: lines,
    prettyErrors: false,
    uniqueKeys: false,
    stringKeys: true,
    schema: 'core',
    merge: false,
    resolveKnownTags: false,
  })
  const at = (offset: number) => {
    const { line, col } = lines.linePos(offset)
    return { file, line, column: col }
  }
  const refuse = (faults: { offset: number; message: string }[]) => {
    const first = faults.slice(0, PROBLEMS_MAX)
    return {
      ok: false as const,
      problems: first.map(({ offset, message }) => ({ ...at(offset), path: [], message })),
    }
  }
  const syntax = [...document.errors, ...document.warnings]
  if (syntax.length > 0) {
    const messageOf = ({ code, message }: (typeof syntax)[0]) =>
      code === 'RESOURCE_EXHAUSTION' ? 'is nested too deeply' : message
    return refuse(syntax.map((error) => ({ offset: error.pos[0], message: messageOf(error) })))
  }
  const ambiguities = findAmbiguities(document)
  if (ambiguities.length > 0) return refuse(ambiguities)
  let source: unknown
  try {
    source = document.toJS({ maxAliasCount: ALIASES_PER_ANCHOR_MAX })
  } catch (error) {
    // A RangeError is the stack's end; what else is thrown is the library's bound on aliases of aliases.
    const message = error instanceof RangeError ? 'is nested too deeply' : 'has aliases that multiply too far'
    return refuse([{ offset: 0, message }])
  }
  const locate: Locate = (found) => ({ ...at(offsetOf(document, found.path)), ...found })
  const result = schema.safeParse(source, { error: messageOf })
  if (result.success) return { ok: true, value: result.data, locate }
  const faults = result.error.issues.flatMap((issue) => faultsOf(issue))
  return { ok: false, problems: faults.slice(0, PROBLEMS_MAX).map((fault) => locate(fault)) }
}

/** What could be read in two ways or not at all: repeated keys, and aliases of nothing or of themselves. */
function findAmbiguities(document: Document): { offset: number; message: string }[] {
  const found: { offset: number; message: string }[] = []
  const anchors = new Map<string, unknown>()
  let aliases = 0
  const report = ({ range }: Node, message: string) => found.push({ offset: range?.[0] ?? 0, message })
  visit(document, {
    Node(_key, node) {
      if ('anchor' in node && node.anchor !== undefined) anchors.set(node.anchor, node)
    },
    Map(_key, map) {
      if (map.anchor !== undefined) anchors.set(map.anchor, map)
      const names = new Set<string>()
      for (const { key } of map.items) {
        if (!isScalar(key)) continue
        const name = String(key.value)
        if (names.has(name)) report(key, `the key "${name}" is there twice`)
        // Objects have a meaning of their own for it, and zod passes it over.
        if (name === '__proto__') report(key, `no key may be "${name}"`)
        names.add(name)
      }
    },
    Alias(_key, alias, ancestors) {
      const target = anchors.get(alias.source)
      if (target === undefined) report(alias, `there is no anchor &${alias.source} before it`)
      else if ((ancestors as unknown[]).includes(target))
        report(alias, `*${alias.source} stands within itself`)
      aliases++
      if (aliases <= ALIASES_MAX) return
      report(alias, `a policy may have ${ALIASES_MAX} aliases`)
      return visit.BREAK
    },
  })
  return found
}

/** Where the value at the path starts, or its key, or what of the path there is. */
function offsetOf(document: Document, path: Path): number {
  for (let length = path.length; length > 0; length--) {
    const parent = length === 1 ? document.contents : document.getIn(path.slice(0, length - 1), true)
    if (isMap(parent)) {
      const pair = parent.items.find(
        ({ key }) => isScalar(key) && String(key.value) === String(path[length - 1]),
      )
      if (isScalar(pair?.key) && pair.key.range) return pair.key.range[0]
    }
    const node = document.getIn(path.slice(0, length), true) as
      | { range?: [number, number, number] }
      | undefined
    if (node?.range) return node.range[0]
  }
  return document.contents?.range?.[0] ?? 0
}
