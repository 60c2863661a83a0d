// What the policy suite asks of a peer, and how the mappings are put to it: each peer holds all of them, in sets
// by organization where it can, and the caller's groups come with the question.
import type { Mapping, Question } from './mappings.ts'

export type Ask = (question: Question) => boolean

export interface LoadedPeer {
  ask: Ask
  /** Another use: told beforehand which callers there will be, it does part of the work before the question. */
  knowing?: (questions: readonly Question[]) => Promise<Ask>
}

export type LoadPeer = (mappings: readonly Mapping[]) => Promise<LoadedPeer>

/** The mappings that can count in each organization: its own and the global ones. */
export function byOrganization(mappings: readonly Mapping[]): Map<string, Mapping[]> {
  const global = mappings.filter(({ organization }) => organization === null)
  const parts = new Map<string, Mapping[]>()
  for (const mapping of mappings) {
    if (mapping.organization === null) continue
    const part = parts.get(mapping.organization)
    if (part) part.push(mapping)
    else parts.set(mapping.organization, [...global, mapping])
  }
  return parts
}
