// Group patterns: literal text, `*` for any run of characters, and the captures `{org}` and `{project}`. A
// group matches in one way at most, found from left to right in time linear in its length.
import { foldCase } from './fold-case.ts'
import { SLUG } from './level.ts'

export type CaptureName = 'org' | 'project'

/** A pattern as text and runs: a literal before each capture or `*`, and one after the last. */
export interface Pattern {
  text: string
  /** Starts with it; what an index of patterns is keyed by. */
  prefix: string
  captures: { name: CaptureName; before: string }[]
  /** What follows the captures: literals with a `*` between each two. One without any `*`: only that. */
  rest: string[]
}

export type ParsedPattern = { ok: true; pattern: Pattern } | { ok: false; message: string }

export const PATTERN_LENGTH_MAX = 200
/** Bounds a match by this many searches through the group. */
export const PATTERN_STARS_MAX = 8

/**
 * Refuses what could match in two ways, and says how to write it instead. With `ignoreCase` the pattern is one
 * for groups in lower case.
 */
export function parsePattern(text: string, { ignoreCase = false } = {}): ParsedPattern {
  const refuse = (message: string): ParsedPattern => ({ ok: false, message })
  if (text.length > PATTERN_LENGTH_MAX) return refuse(`is longer than ${PATTERN_LENGTH_MAX} characters`)
  const tokens = text.split(/(\*|\{[^{}]*\})/).map((token, index) => {
    return ignoreCase && index % 2 === 0 ? foldCase(token) : token
  })
  const captures: Pattern['captures'] = []
  const rest: string[] = []
  let literal = tokens[0] as string
  for (let index = 1; index < tokens.length; index += 2) {
    const token = tokens[index] as string
    const after = tokens[index + 1] as string
    if (token === '*') {
      rest.push(literal)
    } else {
      const wrong = judgeCapture(token, literal, after, captures, rest, index + 2 < tokens.length)
      if (wrong !== null) return refuse(wrong)
      captures.push({ name: token.slice(1, -1) as CaptureName, before: literal })
    }
    literal = after
  }
  rest.push(literal)
  if (rest.length - 1 > PATTERN_STARS_MAX) return refuse(`has more than ${PATTERN_STARS_MAX} "*"`)
  if (/[{}]/.test(tokens.filter((_, index) => index % 2 === 0).join(''))) {
    return refuse('has a "{" or "}" that belongs to no capture')
  }
  if (captures.length === 0 && rest.length === 1) {
    return refuse('has neither "*" nor a capture; a group named exactly belongs into idpGroupMappings')
  }
  return { ok: true, pattern: { text, prefix: (captures[0]?.before ?? rest[0]) as string, captures, rest } }
}

function judgeCapture(
  token: string,
  before: string,
  after: string,
  captures: Pattern['captures'],
  rest: string[],
  more: boolean,
): string | null {
  const name = token.slice(1, -1)
  if (name !== 'org' && name !== 'project') return `has the capture ${token}; there are {org} and {project}`
  if (captures.some((capture) => capture.name === name)) return `has ${token} twice`
  if (rest.length > 0) {
    return `has ${token} after a "*", so where it begins is ambiguous; put the captures before the first "*"`
  }
  if (captures.length > 0 && before === '') {
    return `has ${token} right after another capture, which is ambiguous; put a literal such as ":" between them`
  }
  if (more && after === '') {
    return `has nothing between ${token} and what follows, which is ambiguous; put a literal such as ":" there`
  }
  return null
}

/** What the captures took, or null when the group does not match. */
export type Captured = Partial<Record<CaptureName, string>>

export function matchPattern({ captures, rest }: Pattern, group: string): Captured | null {
  let position = 0
  const captured: Captured = {}
  for (let index = 0; index < captures.length; index++) {
    const { name, before } = captures[index] as Pattern['captures'][number]
    if (!group.startsWith(before, position)) return null
    position += before.length
    const next = captures[index + 1]?.before ?? (rest[0] as string)
    // A capture ends where the literal that follows it begins; without one it takes all there is.
    const end = next === '' ? group.length : group.indexOf(next, position)
    if (end === -1) return null
    const value = group.slice(position, end)
    if (!SLUG.test(value)) return null
    captured[name] = value
    position = end
  }
  return matchRest(rest, group, position) ? captured : null
}

/** The first literal stands here, the last at the end, those between anywhere in this order. */
function matchRest(rest: readonly string[], group: string, start: number): boolean {
  const first = rest[0] as string
  if (rest.length === 1) return group.length === start + first.length && group.endsWith(first)
  if (!group.startsWith(first, start)) return false
  const last = rest[rest.length - 1] as string
  const end = group.length - last.length
  let position = start + first.length
  for (let index = 1; index < rest.length - 1; index++) {
    const literal = rest[index] as string
    const found = group.indexOf(literal, position)
    if (found === -1) return false
    position = found + literal.length
  }
  return position <= end && group.endsWith(last)
}

/** What an index of patterns holds of each. */
export interface Patterned {
  pattern: Pattern
  ignoreCase: boolean
}

export interface PatternMatch<Entry> {
  entry: Entry
  captured: Captured
}

/** Patterns by the text they begin with. */
export interface PatternIndex<Entry extends Patterned> {
  entries: readonly Entry[]
  byPrefix: ReadonlyMap<string, readonly Entry[]>
  prefixLengths: readonly number[]
}

export function indexPatterns<Entry extends Patterned>(entries: readonly Entry[]): PatternIndex<Entry> {
  const byPrefix = new Map<string, Entry[]>()
  for (const entry of entries) {
    const known = byPrefix.get(entry.pattern.prefix)
    if (known) known.push(entry)
    else byPrefix.set(entry.pattern.prefix, [entry])
  }
  const lengths = new Set([...byPrefix.keys()].map(({ length }) => length))
  return { entries, byPrefix, prefixLengths: [...lengths].sort((a, b) => a - b) }
}

/** Tries those only that begin as the group does, so that the cost does not follow the number of patterns. */
export function findPatterns<Entry extends Patterned>(
  { entries, byPrefix, prefixLengths }: PatternIndex<Entry>,
  group: string,
): PatternMatch<Entry>[] {
  const found: PatternMatch<Entry>[] = []
  if (entries.length === 0) return found
  const lowerCase = foldCase(group)
  for (const length of prefixLengths) {
    // Some names grow when they are put into lower case.
    if (length > Math.max(group.length, lowerCase.length)) break
    const prefixes = new Set([group.slice(0, length), lowerCase.slice(0, length)])
    for (const prefix of prefixes) {
      for (const entry of byPrefix.get(prefix) ?? []) {
        const captured = matchPattern(entry.pattern, entry.ignoreCase ? lowerCase : group)
        if (captured) found.push({ entry, captured })
      }
    }
  }
  return found
}
