// Finds names that are spelt alike: equal but for case, white space, Unicode form and a leading slash, or one or
// two edits from that. From an index built once: a search costs by the length of the name, not by how many there are.

/** What alike names may differ in besides letters. */
export const FOLDS = ['case', 'space', 'unicode', 'slash'] as const
export type Fold = (typeof FOLDS)[number]

/** White space, and characters that take no space at all. */
const SPACES = /[\s\u00ad\u200b\u2060]+/g
/** Names that folding leaves as they are: printable ASCII without upper case and white space. */
const PLAIN = /^[!-.0-@[-~][!-@[-~]*$/

/** The form in which alike names are equal; one fold may be left out. */
export function fold(name: string, without?: Fold): string {
  if (PLAIN.test(name)) return name
  let folded = without === 'unicode' ? name : name.normalize('NFKC')
  if (without !== 'space') folded = folded.replace(SPACES, '')
  if (without !== 'slash') folded = folded.replace(/^[\s]*\/+/, '')
  return without === 'case' ? folded : folded.toLowerCase()
}

export interface Spellings {
  names: readonly string[]
  folded: readonly string[]
  /** Names that folding changes, by what it makes of them. */
  changed: ReadonlyMap<string, readonly number[]>
  /** Those it leaves as they are. */
  plain: ReadonlySet<string>
  deletions: Buckets
  parts: Buckets
  /** How long the folded names are. */
  lengths: ReadonlySet<number>
}

/** Two edits make of a shorter name any other. */
const EDITED_LENGTH_MIN = 3
/** As long as a mapping's group may be. */
const EDITED_LENGTH_MAX = 500
/** Longer names have parts long enough to be told apart by. */
const DELETIONS_LENGTH_MAX = 64
const PARTS = 3
/** A part that more names share tells nothing about them; what is one edit away is found by deletions. */
const PART_SHARED_MAX = 32
/** What one search compares at most. */
const COMPARED_MAX = 30
/** What all searches for one answer may compare: among thousands of names that are alike, none is meant. */
export const EFFORT_MAX = 60
/** What one search finds at most, and of names with other letters: where many are near, none is meant. */
const FOUND_MAX = 20
const EDITED_MAX = 5

export function indexSpellings(given: Iterable<string>): Spellings {
  const names = [...new Set(given)]
  const folded = names.map((name) => fold(name))
  const changed = new Map<string, number[]>()
  const plain = new Set<string>()
  folded.forEach((form, id) => {
    if (form === names[id]) plain.add(form)
    else if (changed.has(form)) changed.get(form)?.push(id)
    else changed.set(form, [id])
  })
  const editable = folded.map((form, id) => ({ form, id })).filter(({ form }) => isEditable(form))
  const shorter = editable.filter(({ form }) => form.length <= DELETIONS_LENGTH_MAX)
  const deletionsMax = shorter.reduce((sum, { form }) => sum + form.length + 1, 0)
  const deletions = fillBuckets(deletionsMax, (put) => {
    for (const { form, id } of shorter) eachDeletion(form, prefixHashes(form), (key) => put(key, id))
  })
  const parts = fillBuckets(editable.length * PARTS, (put) => {
    for (const { form, id } of editable) {
      const hashes = prefixHashes(form)
      for (let part = 0; part < PARTS; part++) {
        const [start, end] = partOf(form.length, part)
        put(partKey(span(hashes, start, end), form.length, part), id)
      }
    }
  })
  const lengths = new Set(editable.map(({ form }) => form.length))
  return { names, folded, changed, plain, deletions, parts, lengths }
}

function isEditable({ length }: string): boolean {
  return length >= EDITED_LENGTH_MIN && length <= EDITED_LENGTH_MAX
}

export interface Alike {
  name: string
  /** Edits between the folded names. */
  distance: 0 | 1 | 2
}

/** Comparisons left to do for one answer. */
export interface Effort {
  left: number
}

/** A group to be searched for in several indexes; what a search works out of it is kept for the next. */
export interface Probe {
  group: string
  form: string
  hashes: Int32Array | null
  deletions: number[] | null
}

export function probeOf(group: string): Probe {
  return { group, form: fold(group), hashes: null, deletions: null }
}

/** Names that `wanted` says yes to: those equal when folded, else, unless `effort` is null, those nearest. */
export function findAlike(
  index: Spellings,
  probe: Probe,
  { effort, wanted }: { effort: Effort | null; wanted: (name: string) => boolean },
): Alike[] {
  const { group, form } = probe
  const found: Alike[] = []
  const add = (name: string, distance: Alike['distance']) => {
    if (name !== group && wanted(name)) found.push({ name, distance })
  }
  if (index.plain.has(form)) add(form, 0)
  for (const id of index.changed.get(form) ?? []) add(index.names[id] as string, 0)
  if (effort && found.length === 0 && isEditable(form)) return findEdited(index, probe, effort, wanted)
  return found.slice(0, FOUND_MAX)
}

/** Those one edit away, or if there are none those two edits away. */
function findEdited(
  index: Spellings,
  probe: Probe,
  effort: Effort,
  wanted: (name: string) => boolean,
): Alike[] {
  const { form } = probe
  if (![-2, -1, 0, 1, 2].some((more) => index.lengths.has(form.length + more))) return []
  const found: Alike[][] = [[], [], []]
  const compared = new Set<number>()
  const compare = (id: number) => {
    if (effort.left <= 0 || compared.size >= COMPARED_MAX || found[1]!.length >= EDITED_MAX) return
    if (compared.has(id)) return
    compared.add(id)
    effort.left--
    const other = index.folded[id]!
    const distance = editDistance(form, other)
    // More than half of a name has to stay.
    if (distance === null || distance === 0 || 2 * distance >= Math.max(form.length, other.length)) return
    const name = index.names[id]!
    if (found[distance]!.length < EDITED_MAX && wanted(name)) found[distance]!.push({ name, distance })
  }
  probe.hashes ??= prefixHashes(form)
  const { hashes } = probe
  if (form.length <= DELETIONS_LENGTH_MAX + 1) {
    probe.deletions ??= deletionsOf(form, hashes)
    for (const key of probe.deletions) eachId(index.deletions, key, COMPARED_MAX, compare)
  }
  if (found[1]!.length === 0) {
    eachPart(form, hashes, index.lengths, (key) => eachId(index.parts, key, PART_SHARED_MAX, compare))
  }
  return found[1]!.length > 0 ? found[1]! : found[2]!
}

/** Insertions, deletions and replacements between two names, null when more than two. */
export function editDistance(a: string, b: string): 0 | 1 | 2 | null {
  const [long, short] = a.length >= b.length ? [a, b] : [b, a]
  const scripts = SCRIPTS[long.length - short.length]
  if (scripts === undefined) return null
  let start = 0
  while (start < short.length && long.charCodeAt(start) === short.charCodeAt(start)) start++
  let least = 3
  for (const script of scripts) least = Math.min(least, editsBy(script, long, short, start))
  return least > 2 ? null : (least as 0 | 1 | 2)
}

/** All ways two edits can go, by the difference in length: d in the longer, i in the shorter, r in both. */
const SCRIPTS: Record<number, string[]> = { 0: ['di', 'id', 'rr'], 1: ['dr', 'rd'], 2: ['dd'] }

/** Where the names part, the next edit of the script is made, so that one pass tells. */
function editsBy(script: string, long: string, short: string, start: number): number {
  let edits = 0
  let left = start
  let right = start
  while (left < long.length && right < short.length) {
    if (long.charCodeAt(left) === short.charCodeAt(right)) {
      left++
      right++
      continue
    }
    const edit = script[edits++]
    if (edit === undefined) return 3
    if (edit !== 'i') left++
    if (edit !== 'd') right++
  }
  return edits + (long.length - left) + (short.length - right)
}

/** Keys and the ids that have them, in pairs; pairs whose keys end alike stand side by side. */
interface Buckets {
  starts: Uint32Array
  pairs: Uint32Array
  mask: number
}

function fillBuckets(countMax: number, each: (put: (key: number, id: number) => void) => void): Buckets {
  const put = new Uint32Array(2 * countMax)
  let end = 0
  each((key, id) => {
    put[end++] = key
    put[end++] = id
  })
  const slots = 2 ** Math.ceil(Math.log2(end / 2 + 1))
  const mask = slots - 1
  const starts = new Uint32Array(slots + 1)
  for (let index = 0; index < end; index += 2) starts[(put[index]! & mask) + 1]! += 2
  for (let slot = 0; slot < slots; slot++) starts[slot + 1]! += starts[slot]!
  const next = starts.slice(0, slots)
  const pairs = new Uint32Array(end)
  for (let index = 0; index < end; index += 2) {
    const slot = put[index]! & mask
    pairs[next[slot]!++] = put[index]!
    pairs[next[slot]!++] = put[index + 1]!
  }
  return { starts, pairs, mask }
}

function eachId(
  { starts, pairs, mask }: Buckets,
  key: number,
  max: number,
  visit: (id: number) => void,
): void {
  const start = starts[key & mask]!
  const end = starts[(key & mask) + 1]!
  if (end - start > 2 * max) return
  for (let index = start; index < end; index += 2) if (pairs[index] === key) visit(pairs[index + 1]!)
}

function deletionsOf(name: string, hashes: Int32Array): number[] {
  const keys: number[] = []
  eachDeletion(name, hashes, (key) => keys.push(key))
  return keys
}

/** Keys of the name and of the name without each one of its characters: names one edit apart share one. */
function eachDeletion(name: string, hashes: Int32Array, visit: (key: number) => void): void {
  const { length } = name
  visit(mix(hashes[length]!))
  for (let index = 0; index < length; index++) {
    if (index > 0 && name.charCodeAt(index) === name.charCodeAt(index - 1)) continue
    const before = Math.imul(hashes[index]!, POWERS[length - index - 1]!)
    visit(mix(before + span(hashes, index + 1, length)))
  }
}

/** Of a name two edits away one part of three is untouched, shifted by as many places as were edited before it. */
function eachPart(
  name: string,
  hashes: Int32Array,
  lengths: ReadonlySet<number>,
  visit: (key: number) => void,
): void {
  for (let length = Math.max(EDITED_LENGTH_MIN, name.length - 2); length <= name.length + 2; length++) {
    if (!lengths.has(length)) continue
    for (let part = 0; part < PARTS; part++) {
      const [start, end] = partOf(length, part)
      for (let shift = -2; shift <= 2; shift++) {
        if (Math.abs(shift) + Math.abs(name.length - length - shift) > 2) continue
        if (start + shift < 0 || end + shift > name.length) continue
        visit(partKey(span(hashes, start + shift, end + shift), length, part))
      }
    }
  }
}

function partOf(length: number, part: number): [start: number, end: number] {
  return [Math.floor((part * length) / PARTS), Math.floor(((part + 1) * length) / PARTS)]
}

function partKey(hash: number, length: number, part: number): number {
  return mix(hash + Math.imul(length * PARTS + part + 1, 0x9e3779b1))
}

const BASE = 0x01000193
const POWERS = new Int32Array(EDITED_LENGTH_MAX + 3).fill(1)
for (let index = 1; index < POWERS.length; index++) POWERS[index] = Math.imul(POWERS[index - 1]!, BASE)

/** The hash of each beginning, from which that of any stretch follows. */
function prefixHashes(name: string): Int32Array {
  const hashes = new Int32Array(name.length + 1)
  for (let index = 0; index < name.length; index++) {
    hashes[index + 1] = Math.imul(hashes[index]!, BASE) + name.charCodeAt(index) + 1
  }
  return hashes
}

function span(hashes: Int32Array, start: number, end: number): number {
  return (hashes[end]! - Math.imul(hashes[start]!, POWERS[end - start]!)) | 0
}

/** Spreads all bits into the low ones, which choose the slot. */
function mix(hash: number): number {
  let mixed = hash | 0
  mixed = Math.imul(mixed ^ (mixed >>> 16), 0x85ebca6b)
  mixed = Math.imul(mixed ^ (mixed >>> 13), 0xc2b2ae35)
  return (mixed ^ (mixed >>> 16)) >>> 0
}
