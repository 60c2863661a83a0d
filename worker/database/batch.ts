// Several readings in one round trip.

/** What each statement found, under its name. */
export async function readAll<Rows extends Record<string, unknown>>(
  database: D1Database,
  statements: { [Name in keyof Rows]: D1PreparedStatement },
): Promise<{ [Name in keyof Rows]: Rows[Name][] }> {
  const names = Object.keys(statements) as (keyof Rows)[]
  const results = await database.batch(names.map((name) => statements[name]))
  return Object.fromEntries(names.map((name, index) => [name, results[index]?.results ?? []])) as {
    [Name in keyof Rows]: Rows[Name][]
  }
}

/** The version of a document that is in force. */
export interface VersionRow {
  version: number
  /** Null when that version deleted it. */
  content: string | null
  at: number
}

export function newestVersion(database: D1Database, document: string): D1PreparedStatement {
  return database
    .prepare('SELECT version, content, at FROM versions WHERE document = ? ORDER BY version DESC LIMIT 1')
    .bind(document)
}

/** As newestVersion, without the content when it is the version that is known already. */
export function newerVersion(database: D1Database, document: string, known: number): D1PreparedStatement {
  return database
    .prepare(
      `SELECT version, CASE WHEN version = ?2 THEN NULL ELSE content END AS content, at
        FROM versions WHERE document = ?1 ORDER BY version DESC LIMIT 1`,
    )
    .bind(document, known)
}

export function contentOf<Content>(row: VersionRow | undefined): Content | null {
  return row?.content === null || row === undefined ? null : (JSON.parse(row.content) as Content)
}
