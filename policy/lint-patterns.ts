// Patterns that one group can match both of. A found overlap is shown by such a group, which was matched with
// both patterns before it is shown.
import { foldCase } from './fold-case.ts'
import type { MappingList } from './mapping-sites.ts'
import { matchPattern, type Pattern, parsePattern } from './pattern.ts'
import { describePath, type Path } from './problems.ts'
import { type Warning, warning } from './warnings.ts'

/** Both bound the time: what is told of one list of patterns, and what is looked at for it. */
const OVERLAPS_MAX = 20
const STATES_MAX = 1_000_000

interface Written {
  pattern: Pattern
  ignoreCase: boolean
  path: Path
}

export function lintPatterns(lists: readonly MappingList[]): Warning[] {
  return lists.flatMap((list) => lintList(list))
}

function lintList({ path, patternMappings }: MappingList): Warning[] {
  const written = patternMappings.flatMap(({ groupPatterns, ignoreCase = false }, index) => {
    return groupPatterns.flatMap((text, position): Written[] => {
      const parsed = parsePattern(ignoreCase ? foldCase(text) : text)
      const at = [...path, 'patternMappings', index, 'groupPatterns', position]
      return parsed.ok ? [{ pattern: parsed.pattern, ignoreCase, path: at }] : []
    })
  })
  const found: Warning[] = []
  const budget = { states: STATES_MAX }
  for (const [index, second] of written.entries()) {
    for (const first of written.slice(0, index)) {
      if (!beginAlike(first.pattern.prefix, second.pattern.prefix)) continue
      if (budget.states <= 0 || found.length >= OVERLAPS_MAX) return found
      const group = groupOfBoth(first, second, budget)
      if (group === null) continue
      const message =
        `${second.pattern.text} and ${first.pattern.text} (${describePath(first.path)}) both match ` +
        `"${group}", which then has both roles; if that is not meant, begin them differently`
      found.push(warning('patterns_overlap', second.path, message))
      break
    }
  }
  return found
}

function beginAlike(first: string, second: string): boolean {
  const [a, b] = [foldCase(first), foldCase(second)]
  return a.startsWith(b) || b.startsWith(a)
}

/** A step of a pattern: one character, one of a slug, or any number of one kind. */
interface Step {
  kind: 'literal' | 'slug' | 'any'
  text: string
  repeats: boolean
  ignoreCase: boolean
}

function stepsOf({ pattern: { captures, rest }, ignoreCase }: Written): Step[] {
  const steps: Step[] = []
  const literal = (text: string) => {
    for (const character of text) steps.push({ kind: 'literal', text: character, repeats: false, ignoreCase })
  }
  for (const { before } of captures) {
    literal(before)
    steps.push({ kind: 'slug', text: '', repeats: false, ignoreCase })
    steps.push({ kind: 'slug', text: '', repeats: true, ignoreCase })
  }
  rest.forEach((text, index) => {
    if (index > 0) steps.push({ kind: 'any', text: '', repeats: true, ignoreCase })
    literal(text)
  })
  return steps
}

/** A way through both patterns at once: how far each has come, and the text so far. */
interface State {
  first: number
  second: number
  text: string
}

/** The shortest text that leads through both, if it then matches both; null when there is none. */
function groupOfBoth(first: Written, second: Written, budget: { states: number }): string | null {
  const [a, b] = [stepsOf(first), stepsOf(second)]
  const filler = fillerFor(first.pattern.text + second.pattern.text)
  const queue: State[] = [{ first: 0, second: 0, text: '' }]
  const seen = new Set<number>()
  // An array goes on to what is pushed while it is walked.
  for (const state of queue) {
    const key = state.first * (b.length + 1) + state.second
    if (seen.has(key)) continue
    seen.add(key)
    budget.states--
    if (state.first === a.length && state.second === b.length) return verified(first, second, state.text)
    queue.push(...nextStates(a, b, state, filler))
  }
  return null
}

function nextStates(
  a: readonly Step[],
  b: readonly Step[],
  { first, second, text }: State,
  filler: string,
): State[] {
  const next: State[] = []
  const [left, right] = [a[first], b[second]]
  if (left?.repeats) next.push({ first: first + 1, second, text })
  if (right?.repeats) next.push({ first, second: second + 1, text })
  if (!left || !right) return next
  const character = meet(left, right, filler)
  if (character === null) return next
  next.push({
    first: left.repeats ? first : first + 1,
    second: right.repeats ? second : second + 1,
    text: text + character,
  })
  return next
}

/** A character that both steps take. */
function meet(a: Step, b: Step, filler: string): string | null {
  const candidates = [a, b].flatMap(({ kind, text, ignoreCase }) => {
    return kind !== 'literal' ? [] : ignoreCase ? [text, text.toUpperCase()] : [text]
  })
  if (candidates.length === 0) candidates.push(filler)
  return candidates.find((character) => takes(a, character) && takes(b, character)) ?? null
}

function takes({ kind, text, ignoreCase }: Step, given: string): boolean {
  const character = ignoreCase ? foldCase(given) : given
  if (kind === 'literal') return character === text
  return kind === 'any' || /^[a-z0-9-]$/.test(character)
}

/** One that neither pattern has, so that a capture ends where it is meant to. */
function fillerFor(texts: string): string {
  return [...'xyzabcdefghijklmnopqrstuvw0123456789'].find((character) => !texts.includes(character)) ?? 'x'
}

function verified(first: Written, second: Written, group: string): string | null {
  const matches = ({ pattern, ignoreCase }: Written) => {
    return matchPattern(pattern, ignoreCase ? foldCase(group) : group) !== null
  }
  return matches(first) && matches(second) ? group : null
}
