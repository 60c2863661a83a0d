// Writes a policy's source the one way it is written: members of the document in the schema's order, two
// spaces of indentation, comments where they were. Besides document.ts the only file that knows YAML; both
// read it by the same rules, and nothing is given out that document.ts does not read as the same document.
import {
  Composer,
  type CST,
  Document,
  isCollection,
  isMap,
  isScalar,
  Lexer,
  type Node,
  type Pair,
  Parser,
  type ScalarTag,
  type Tags,
  visit,
  type YAMLMap,
  type YAMLSeq,
} from 'yaml'
import { type Problem, parsePolicy } from './document.ts'
import { PolicyDocument } from './schema.ts'

export type Formatted = { ok: true; text: string } | { ok: false; problems: Problem[] }

/** A list or object on one line is not longer, counted as JSON; a longer one gets a line for each entry. */
export const INLINE_LENGTH_MAX = 80
/** Where text that is written over several lines is broken. */
const FOLD_COLUMN = 100
const ROUNDS_MAX = 4

/** Refuses a document that is not valid, and rather than lose a comment. Formatting twice changes nothing more. */
export function formatPolicy(text: string, options: { file: string; catalogue: string }): Formatted {
  const before = parsePolicy(text, options)
  if (!before.ok) return before
  const meaning = JSON.stringify(before.policy)
  const comments = commentsOf(text)
  let formatted = text.replaceAll('\r\n', '\n')
  for (let round = 0; round < ROUNDS_MAX; round++) {
    const next = isJson(text) ? formatJson(formatted) : formatYaml(formatted)
    const after = parsePolicy(next, options)
    // The whole document is compared, not only what it compiles to: tests and descriptions stay as well.
    if (!after.ok || JSON.stringify(after.policy) !== meaning) {
      return refuse(options.file, 'cannot be formatted without changing what it says; format it by hand')
    }
    const lost = missingFrom(comments, commentsOf(next))
    if (lost !== null) {
      const message = `the comment "#${lost}" stands where formatting would lose it; put it on a line of its own`
      return refuse(options.file, message)
    }
    if (next === formatted) return { ok: true, text: formatted }
    formatted = next
  }
  return refuse(options.file, 'does not come to rest when it is formatted; format it by hand')
}

/** A value as a file that nobody has written yet: lists of words on one line while they are short. */
export function writeYaml(value: object): string {
  const document = new Document(value, { aliasDuplicateObjects: false })
  visit(document, {
    Seq(_key, list) {
      const isShort = JSON.stringify(list.toJS(document)).length <= INLINE_LENGTH_MAX
      if (!isShort || !list.items.every((item) => isScalar(item))) return
      list.flow = true
      padInline(list)
    },
  })
  return document.toString({ indent: 2, indentSeq: true, lineWidth: 0 })
}

function refuse(file: string, message: string): Formatted {
  return { ok: false, problems: [{ file, line: 1, column: 1, path: [], message }] }
}

const MEMBERS = Object.keys(PolicyDocument.shape)
const place = (name: string) => MEMBERS.indexOf(name)

function isJson(text: string): boolean {
  try {
    JSON.parse(text)
    return true
  } catch {
    return false
  }
}

function formatJson(text: string): string {
  const members = Object.entries(JSON.parse(text) as Record<string, unknown>)
  const ordered = members.sort(([a], [b]) => place(a) - place(b))
  return `${JSON.stringify(Object.fromEntries(ordered), null, 2)}\n`
}

function formatYaml(text: string): string {
  const folded = new WeakSet<object>()
  const tokens = [...new Parser().parse(text)]
  for (const token of tokens) if (token.type === 'document' && token.value) settleComments(token.value)
  const composer = new Composer({
    uniqueKeys: false,
    stringKeys: true,
    schema: 'core',
    merge: false,
    resolveKnownTags: false,
    customTags: (tags: Tags) => writtenAs(tags, folded),
  })
  // There is one document, or document.ts would have refused the text.
  const document = composer.compose(tokens).next().value as Document.Parsed
  const root = document.contents
  if (isMap(root)) {
    root.flow = false
    orderMembers(document, root)
    spaceMembers(root)
  }
  breakLines(document, text, folded)
  keepKeyComments(document, text)
  if (root?.comment) root.comment = `\n${root.comment}`
  return joinBlankLines(document.toString({ indent: 2, indentSeq: true, lineWidth: 0 }))
}

/** The schema's tags, but that no text is broken into lines unasked: names must be found by searching. */
function writtenAs(tags: Tags, folded: WeakSet<object>): Tags {
  return tags.map((tag): Tags[number] => {
    if (typeof tag === 'string') return tag
    const { stringify } = tag
    if (tag.tag !== 'tag:yaml.org,2002:str' || tag.collection || stringify === undefined) return tag
    return {
      ...tag,
      stringify: (item, context, onComment, onChompKeep) => {
        const lineWidth = folded.has(item) ? FOLD_COLUMN : 0
        const options = { ...context.options, lineWidth }
        return stringify(item, { ...context, options }, onComment, onChompKeep)
      },
    } satisfies ScalarTag
  })
}

/** An alias must come after its anchor, so a document that has any keeps its order. */
function orderMembers(document: Document.Parsed, root: YAMLMap): void {
  let aliases = false
  visit(document, {
    Alias() {
      aliases = true
      return visit.BREAK
    },
  })
  if (aliases) return
  const first = root.items[0]
  const nameOf = ({ key }: Pair) => (isScalar(key) ? String(key.value) : '')
  root.items.sort((a, b) => place(nameOf(a)) - place(nameOf(b)))
  // What opens the file is about the file, whichever member happens to follow it.
  if (first === undefined || first === root.items[0] || !isScalar(first.key)) return
  const opening = first.key.commentBefore
  if (opening == null) return
  document.commentBefore = [document.commentBefore, opening].filter((comment) => comment != null).join('\n\n')
  first.key.commentBefore = null
}

/** A blank line before and after each member that takes more than a line, and before comments. */
function spaceMembers(root: YAMLMap): void {
  const isLong = ({ value }: Pair) => isCollection(value) && value.items.length > 0
  root.items.forEach((pair, index) => {
    if (!isScalar(pair.key)) return
    const previous = root.items[index - 1]
    pair.key.spaceBefore =
      previous !== undefined && (isLong(pair) || isLong(previous) || Boolean(pair.key.commentBefore))
  })
}

/** Long lists go one entry to a line; text over several lines stays so. */
function breakLines(document: Document.Parsed, text: string, folded: WeakSet<object>): void {
  const textOf = ({ range }: Node) => text.slice(range?.[0] ?? 0, range?.[1] ?? 0)
  visit(document, {
    Scalar(_key, scalar) {
      if (scalar.type === 'BLOCK_FOLDED' || textOf(scalar).includes('\n')) folded.add(scalar)
    },
    Collection(_key, collection) {
      if (collection.comment) collection.comment = collection.comment.replace(/\n+$/, '')
      if (!collection.flow) return
      const length = JSON.stringify(collection.toJS(document)).length
      if (length > INLINE_LENGTH_MAX || commentsOf(textOf(collection)).length > 0) collection.flow = false
      else {
        // Within a list on one line everything is on that line.
        visit(collection, { Collection: (_key, inner) => padInline(inner) })
        return visit.SKIP
      }
    },
  })
}

/** `[a, b]` but `{ a: b }`. */
function padInline(collection: YAMLMap | YAMLSeq): void {
  const flowCollectionPadding = isMap(collection) ? ' ' : ''
  const write = collection.toString.bind(collection)
  collection.toString = (context, onComment, onChompKeep) =>
    write(context && { ...context, flowCollectionPadding }, onComment, onChompKeep)
}

/** `routes: # what follows` stays on its line; the library would move it to the next. */
function keepKeyComments(document: Document.Parsed, text: string): void {
  visit(document, {
    Pair(_key, { key, value }) {
      if (!isScalar(key) || !isCollection(value) || value.flow || !value.commentBefore) return
      if (!/^[ \t]*:[ \t]+#/.test(text.slice(key.range?.[1] ?? 0))) return
      const [first = '', ...others] = value.commentBefore.split('\n')
      key.comment = first
      value.commentBefore = others.length > 0 ? others.join('\n') : null
    },
  })
}

/**
 * The library gives all comments between two members to the one before when the first of them is indented as
 * that one's are. Those that are indented less belong to what follows.
 * @returns what the token's parent has to take.
 */
function settleComments(token: CST.Token): CST.SourceToken[] {
  if (token.type !== 'block-map' && token.type !== 'block-seq') return []
  const items: { start: CST.SourceToken[]; value?: CST.Token; key?: unknown; sep?: unknown }[] = token.items
  for (let index = 0; index < items.length; index++) {
    const { value } = items[index] as (typeof items)[0]
    const carried = value ? settleComments(value) : []
    if (carried.length === 0) continue
    const next = items[index + 1]
    if (next) next.start.unshift(...carried)
    else items.push({ start: carried })
  }
  const last = items.at(-1)
  if (token.indent === 0 || !last || last.value || last.key || last.sep) return []
  const isOut = ({ type, indent }: CST.SourceToken) => type === 'comment' && indent < token.indent
  const out = last.start.findIndex(isOut)
  if (out === -1) return []
  const carried = last.start.splice(out)
  if (last.start.length === 0) items.pop()
  return carried
}

/** One blank line where several are; within text every line counts. */
function joinBlankLines(text: string): string {
  const kept: string[] = []
  let end = ''
  for (const token of new Lexer().lex(text)) {
    if (MARKS.includes(token) || (token === '\n' && end === '\n\n')) continue
    kept.push(token)
    end = (end + token).slice(-2)
  }
  return kept.join('')
}

/** Each comment's text, in order. A `#` within text is no comment. */
function commentsOf(text: string): string[] {
  const comments: string[] = []
  let previous = ''
  for (const token of new Lexer().lex(text)) {
    if (token.startsWith('#') && previous !== TEXT_FOLLOWS) comments.push(token.slice(1).trimEnd())
    previous = token
  }
  return comments
}

/** The lexer puts these between what it found: text follows, a document begins, a list on one line ends. */
const TEXT_FOLLOWS = '\u001f'
const MARKS = [TEXT_FOLLOWS, '\u0002', '\u0018']

/** The first of these texts that the others lack, each counted as often as it is there. */
function missingFrom(texts: readonly string[], others: readonly string[]): string | null {
  const left = new Map<string, number>()
  for (const text of others) left.set(text, (left.get(text) ?? 0) + 1)
  for (const text of texts) {
    const count = left.get(text) ?? 0
    if (count === 0) return text
    left.set(text, count - 1)
  }
  return null
}
