// Reads a policy document from YAML (or JSON, which is YAML) and says of everything that is wrong with it
// where it stands. The only file that knows YAML.
import { type Document, isMap, isScalar, LineCounter, parseDocument } from 'yaml'
import type { ZodType } from 'zod'
import { checkPolicy } from './check.ts'
import { describePath, describeProblems, type Fault, type Path, type Problem } from './problems.ts'
import { PolicyDocument, RoleCatalogue } from './schema.ts'

export { describePath, describeProblems, type Problem }

export type Parsed<Value> = { ok: true; value: Value } | { ok: false; problems: Problem[] }
export type ParsedPolicy = { ok: true; policy: PolicyDocument } | { ok: false; problems: Problem[] }

/** The policy's source may not be larger. */
export const POLICY_BYTES_MAX = 10 * 1024 * 1024

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
  if (faults.length === 0) return { ok: true, policy }
  return { ok: false, problems: faults.map((fault) => parsed.locate(fault)) }
}

type Located<Value> =
  | { ok: true; value: Value; locate(fault: Fault): Problem }
  | { ok: false; problems: Problem[] }

function parseYaml<Value>(text: string, file: string, schema: ZodType<Value>): Located<Value> {
  if (text.length > POLICY_BYTES_MAX) {
    const message = `has ${text.length} characters; a policy may have ${POLICY_BYTES_MAX}`
    return { ok: false, problems: [{ file, line: 1, column: 1, path: [], message }] }
  }
  const lines = new LineCounter()
  // YAML 1.2 core: no merge keys, no custom tags; aliases are bounded, so that they cannot blow up.
  const document = parseDocument(text, { lineCounter: lines, prettyErrors: false, uniqueKeys: true })
  const at = (offset: number) => {
    const { line, col } = lines.linePos(offset)
    return { file, line, column: col }
  }
  const syntax = [...document.errors, ...document.warnings]
  if (syntax.length > 0) {
    return { ok: false, problems: syntax.map(({ pos, message }) => ({ ...at(pos[0]), path: [], message })) }
  }
  const locate = (fault: Fault): Problem => ({ ...at(offsetOf(document, fault.path)), ...fault })
  const result = schema.safeParse(document.toJS({ maxAliasCount: 100 }))
  if (result.success) return { ok: true, value: result.data, locate }
  return { ok: false, problems: result.error.issues.flatMap(faultsOf).map(locate) }
}

function faultsOf(issue: { code?: string; path: PropertyKey[]; message: string; keys?: string[] }): Fault[] {
  const path = issue.path.map((step) => (typeof step === 'symbol' ? String(step) : step))
  if (issue.code !== 'unrecognized_keys') return [{ path, message: issue.message }]
  return (issue.keys ?? []).map((key) => ({ path: [...path, key], message: 'is not a known field' }))
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
