// The name that was probably meant: for messages that say what would be right.
import { editDistance } from './near-spelling.ts'

/** Longer names are not compared; nobody types them. */
const NAME_LENGTH_MAX = 100

/** The candidate that differs by case alone, else by the fewest edits, two at most; null when none comes near. */
export function nearest(name: string, candidates: Iterable<string>): string | null {
  if (name.length > NAME_LENGTH_MAX) return null
  const wanted = name.toLowerCase()
  let best: string | null = null
  // Two edits make of a short name any other.
  let fewest = Math.min(2, Math.floor(name.length / 3)) + 1
  for (const candidate of candidates) {
    const other = candidate.toLowerCase()
    const edits = isSwapped(wanted, other) ? 1 : editDistance(wanted, other)
    if (edits === null || edits >= fewest) continue
    best = candidate
    fewest = edits
  }
  return best
}

/** Whether two neighbours changed places, the commonest slip. */
function isSwapped(name: string, other: string): boolean {
  let at = 0
  while (at < name.length && name[at] === other[at]) at++
  const swapped =
    name.slice(0, at) +
    name
      .slice(at, at + 2)
      .split('')
      .reverse()
      .join('') +
    name.slice(at + 2)
  return at < name.length && swapped === other
}
