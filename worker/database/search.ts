// Full-text search: entries and their words (search-terms.ts) in the FTS5 table, written in the batch of the edit, and
// the condition by which lists find them.
import { jsonChunks } from './commit.ts'
import { searchTerms } from './search-terms.ts'

export { searchQuery, searchTerms } from './search-terms.ts'

export type SearchKind = 'organization' | 'project' | 'user' | 'service-account'

export interface SearchEntry {
  kind: SearchKind
  /** The slug, `organization/project`, or the id. */
  id: string
  /** Empty for users. */
  organization: string
}

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
  // A cross join keeps its order: it begins with the words that match, not with all entries of the kind.
  return `${column} IN (SELECT entry.id FROM search CROSS JOIN search_entries AS entry ON entry.rowid = search.rowid
    WHERE search MATCH ? AND entry.kind = '${kind}')`
}
