// Full-text search: the words of names as FTS5 keeps them, and queries made of the same words. Chinese, Japanese
// and Korean text has no spaces, so runs of it stand as their characters and as pairs of them: two characters
// within a name are found wherever they are.

import { jsonChunks } from './commit.ts'

export type SearchKind = 'organization' | 'project' | 'user' | 'service-account'

export interface SearchEntry {
  kind: SearchKind
  /** The slug, `organization/project`, or the id. */
  id: string
  /** Empty for users. */
  organization: string
}

const WORD = /[\p{L}\p{N}\p{M}]+/gu
const CJK =
  /[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}\p{Script=Hangul}\p{Script=Bopomofo}ー々〆]/u
const CJK_RUNS =
  /([\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}\p{Script=Hangul}\p{Script=Bopomofo}ー々〆]+)/u

/** Words by themselves and runs of CJK by themselves, in one spelling: compatibility forms and case are gone. */
function partsOf(text: string): string[] {
  const words = text.normalize('NFKC').toLowerCase().normalize('NFKC').match(WORD) ?? []
  return words.flatMap((word) => word.split(CJK_RUNS).filter((part) => part !== ''))
}

function pairsOf(characters: readonly string[]): string[] {
  return characters.slice(1).map((character, index) => `${characters[index]}${character}`)
}

/** What is kept of a text. */
export function searchTerms(text: string): string[] {
  const terms = partsOf(text).flatMap((part) => {
    if (!CJK.test(part)) return [part]
    const characters = [...part]
    return [...characters, ...pairsOf(characters)]
  })
  return [...new Set(terms)]
}

/** For `search MATCH ?`: all words must be there, each from its beginning. Null when the text has no word. */
export function searchQuery(text: string): string | null {
  const terms = partsOf(text)
    .slice(0, WORDS_MAX)
    .flatMap((part) => {
      if (!CJK.test(part)) return [`"${part}"*`]
      const characters = [...part].slice(0, WORDS_MAX)
      // A word of FTS5 is quoted, so that nothing in it is read as a query; letters and digits are all it has.
      return (characters.length === 1 ? characters : pairsOf(characters)).map((term) => `"${term}"`)
    })
  return terms.length === 0 ? null : terms.join(' AND ')
}
const WORDS_MAX = 32

/** Writes the entry and its words, whether it was there or not. */
export function searchStatements(
  database: D1Database,
  { kind, id, organization }: SearchEntry,
  text: string,
): D1PreparedStatement[] {
  return [
    database
      .prepare('INSERT INTO search_entries (kind, id, organization) VALUES (?, ?, ?) ON CONFLICT DO NOTHING')
      .bind(kind, id, organization),
    database
      .prepare(
        'INSERT OR REPLACE INTO search (rowid, terms) SELECT rowid, ? FROM search_entries WHERE kind = ? AND id = ?',
      )
      .bind(searchTerms(text).join(' '), kind, id),
  ]
}

/** `ids` is a JSON list, as jsonChunks makes them. */
export function forgetSearch(database: D1Database, kind: SearchKind, ids: string): D1PreparedStatement[] {
  const which = 'kind = ?1 AND id IN (SELECT value FROM json_each(?2))'
  return [
    database
      .prepare(`DELETE FROM search WHERE rowid IN (SELECT rowid FROM search_entries WHERE ${which})`)
      .bind(kind, ids),
    database.prepare(`DELETE FROM search_entries WHERE ${which}`).bind(kind, ids),
  ]
}

/** Many entries at once, each with its text. */
export function searchManyStatements(
  database: D1Database,
  entries: readonly (SearchEntry & { text: string })[],
): D1PreparedStatement[] {
  const rows = entries.map(({ kind, id, organization, text }) => {
    return [kind, id, organization, searchTerms(text).join(' ')]
  })
  return jsonChunks(rows).flatMap((chunk) => [
    database
      .prepare(
        `INSERT INTO search_entries (kind, id, organization)
          SELECT value ->> 0, value ->> 1, value ->> 2 FROM json_each(?) WHERE true ON CONFLICT DO NOTHING`,
      )
      .bind(chunk),
    database
      .prepare(
        `INSERT OR REPLACE INTO search (rowid, terms) SELECT entry.rowid, value ->> 3
          FROM json_each(?) JOIN search_entries entry ON entry.kind = value ->> 0 AND entry.id = value ->> 1`,
      )
      .bind(chunk),
  ])
}

/** A condition on the id column `column`, with one parameter: what searchQuery made. */
export function foundBy(kind: SearchKind, column: string): string {
  return `${column} IN (SELECT id FROM search_entries WHERE kind = '${kind}' AND rowid IN
    (SELECT rowid FROM search WHERE search MATCH ?))`
}
