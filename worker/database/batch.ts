// Several readings in one round trip, and with as few statements as they take: each costs by itself.

/** The newest version of a document. Its content is left out when it is the version that is known already. */
export interface NewestVersion {
  document: string
  /** 0: none. */
  known: number
}

/** The version of a document that is in force. */
export interface VersionRow {
  version: number
  /** Null when that version deleted it. */
  content: string | null
  at: number
}

export function newestVersion(document: string): NewestVersion {
  return newerVersion(document, 0)
}

/** As newestVersion, without the content when it is the version that is known already. */
export function newerVersion(document: string, known: number): NewestVersion {
  return { document, known }
}

/** What each reading found, under its name. The newest versions come with one statement, however many there are. */
export async function readAll<Rows extends Record<string, unknown>>(
  database: D1Database,
  readings: { [Name in keyof Rows]: D1PreparedStatement | NewestVersion },
): Promise<{ [Name in keyof Rows]: Rows[Name][] }> {
  const versions = Object.values(readings).filter(isNewestVersion)
  const others = Object.entries(readings).filter(([, reading]) => !isNewestVersion(reading))
  const results = await database.batch([
    ...others.map(([, statement]) => statement as D1PreparedStatement),
    ...(versions.length > 0 ? [newestVersions(database, versions)] : []),
  ])
  const rows = new Map<string, unknown[]>(
    others.map(([name], index) => [name, results[index]?.results ?? []]),
  )
  const newest = (versions.length > 0 ? results.at(-1)?.results : []) as (VersionRow & { document: string })[]
  for (const [name, reading] of Object.entries(readings)) {
    if (!isNewestVersion(reading)) continue
    rows.set(
      name,
      newest.filter(({ document }) => document === reading.document),
    )
  }
  return Object.fromEntries(rows) as { [Name in keyof Rows]: Rows[Name][] }
}

export async function readNewest(database: D1Database, document: string): Promise<VersionRow | undefined> {
  return (await newestVersions(database, [newestVersion(document)]).first<VersionRow>()) ?? undefined
}

function isNewestVersion(reading: unknown): reading is NewestVersion {
  return typeof reading === 'object' && reading !== null && Object.hasOwn(reading, 'known')
}

function newestVersions(database: D1Database, asked: readonly NewestVersion[]): D1PreparedStatement {
  const unique = new Map(asked.map(({ document, known }) => [document, known]))
  return database
    .prepare(
      `SELECT v.document, v.version, CASE WHEN v.version = asked.value ->> 1 THEN NULL ELSE v.content END AS content, v.at
        FROM json_each(?) AS asked JOIN versions v ON v.document = asked.value ->> 0
        AND v.version = (SELECT max(version) FROM versions WHERE document = asked.value ->> 0)`,
    )
    .bind(JSON.stringify([...unique]))
}

export function contentOf<Content>(row: VersionRow | undefined): Content | null {
  return row?.content === null || row === undefined ? null : (JSON.parse(row.content) as Content)
}
