// The policy's source as the document `policy` keeps it. The one in the bundle may be larger than a row of D1; then
// the document only names it, and the text is the bundle's. What reads YAML is loaded when it is needed.
import type { PolicySource } from '../../policy/layers.ts'
import { sha256 } from './audit.ts'
import { DOCUMENT_BYTES_MAX, DOCUMENT_LENGTH_MAX } from './documents.ts'

/** Content of the document `policy`. */
export type StoredPolicy = { source: string } | { source: null; bundled: string }

export async function bundledPolicy() {
  return (await import('postern:policy-source')).default
}

export async function storedPolicy(text: string): Promise<StoredPolicy> {
  const content = { source: text }
  const json = JSON.stringify(content)
  const fits =
    json.length <= DOCUMENT_LENGTH_MAX && new TextEncoder().encode(json).length <= DOCUMENT_BYTES_MAX
  return fits ? content : { source: null, bundled: await sha256(text) }
}

/** Throws when it is the source of a bundle that is not this one. */
export async function policyText(content: StoredPolicy): Promise<{ text: string; file: string }> {
  const { text, file } = await bundledPolicy()
  if (content.source !== null)
    return { text: content.source, file: content.source === text ? file : 'policy' }
  if (content.bundled === (await sha256(text))) return { text, file }
  throw new Error(
    'the policy in force came with another build of the Worker, and is too long to be kept in D1',
  )
}

/** Sources parsed last, by their text: whoever edits anything needs the present one. */
const parsedSources = new Map<string, PolicySource>()
const PARSED_MAX = 2

/** Throws, with the first things that are wrong, when this build refuses the text. */
export async function readPolicy(content: StoredPolicy): Promise<PolicySource> {
  const { text, file } = await policyText(content)
  const known = parsedSources.get(text)
  if (known) return known
  const { describeProblems, parsePolicy } = await import('../../policy/document.ts')
  const parsed = parsePolicy(text, { file, catalogue: (await bundledPolicy()).catalogue })
  if (!parsed.ok) {
    const shown = describeProblems(parsed.problems.slice(0, PROBLEMS_SHOWN))
    throw new Error(`the policy is not valid: ${shown}`)
  }
  const source = { policy: parsed.policy, locate: parsed.locate }
  for (const oldest of [...parsedSources.keys()].slice(0, parsedSources.size - PARSED_MAX + 1)) {
    parsedSources.delete(oldest)
  }
  parsedSources.set(text, source)
  return source
}
const PROBLEMS_SHOWN = 3
