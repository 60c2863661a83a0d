// What the publisher reads of D1: which documents were edited, the newest contents of those it compiles, and whom
// a user or service account stands for.
import type { DirectGrant } from '../../policy/principal.ts'
import { parseDocumentName } from '../database/documents.ts'
import type { Environment } from '../environment.ts'

/** Edits taken at once. */
export const EDITS_MAX = 1000
/** Characters of contents read at once. */
const CONTENT_LENGTH_MAX = 4_000_000

export function databaseOf({ DB }: Environment): D1Database {
  if (!DB) throw new Error('the binding DB is missing, so there is no D1 to read')
  return DB
}

export async function editsAfter(
  database: D1Database,
  seq: number,
): Promise<{ seq: number; document: string }[]> {
  const { results } = await database
    .prepare('SELECT seq, document FROM versions WHERE seq > ? ORDER BY seq LIMIT ?')
    .bind(seq, EDITS_MAX)
    .all<{ seq: number; document: string }>()
  return results
}

/** What an edit of the document makes necessary to compile; null for what the edge has no use for. */
export function targetOf(document: string): string | null {
  const ref = parseDocumentName(document)
  if (ref === null) return null
  if (ref.kind === 'settings') return 'settings'
  if (ref.kind === 'user' || ref.kind === 'service-account') return `${ref.kind}/${ref.id}`
  if ('organization' in ref && ref.organization !== null) return `organization/${ref.organization}`
  return 'policy'
}

export interface Newest {
  document: string
  seq: number
  /** Parsed; null when the newest version deleted the document. */
  content: unknown
}

/** The newest version of each document whose name is one of these or begins with one that ends in "/". */
export async function newestOf(
  database: D1Database,
  names: readonly string[],
  wanted: (document: string) => boolean = () => true,
): Promise<Newest[]> {
  const ranges = names.map((name) => {
    // "0" follows "/": whatever begins with the name lies before it.
    return name.endsWith('/') ? [name, `${name.slice(0, -1)}0`] : [name, `${name}\0`]
  })
  const range =
    'SELECT document, max(version) AS version FROM versions WHERE document >= ? AND document < ? GROUP BY 1'
  const { results } = await database
    .prepare(
      `SELECT versions.document, seq, length(content) AS length FROM versions
       JOIN (${ranges.map(() => range).join(' UNION ALL ')}) AS newest USING (document, version)`,
    )
    .bind(...ranges.flat())
    .all<{ document: string; seq: number; length: number | null }>()
  const rows = results.filter(({ document }) => wanted(document))
  const contents = await contentsOf(database, rows)
  return rows.map(({ document, seq }) => ({ document, seq, content: contents.get(seq) ?? null }))
}

/** Parsed; null where that version deleted its document. */
export async function contentOfVersion(database: D1Database, seq: number): Promise<unknown> {
  const content = await database
    .prepare('SELECT content FROM versions WHERE seq = ?')
    .bind(seq)
    .first<string | null>('content')
  return content === null ? null : JSON.parse(content)
}

/** Versions never change, so what was listed can be read one part after the other. */
async function contentsOf(
  database: D1Database,
  rows: readonly { seq: number; length: number | null }[],
): Promise<Map<number, unknown>> {
  const contents = new Map<number, unknown>()
  let part: number[] = []
  let length = 0
  const read = async () => {
    const { results } = await database
      .prepare('SELECT seq, content FROM versions WHERE seq IN (SELECT value FROM json_each(?))')
      .bind(JSON.stringify(part))
      .all<{ seq: number; content: string }>()
    for (const { seq, content } of results) contents.set(seq, JSON.parse(content))
    part = []
    length = 0
  }
  for (const row of rows) {
    if (row.length === null) continue
    if (part.length > 0 && length + row.length > CONTENT_LENGTH_MAX) await read()
    part.push(row.seq)
    length += row.length
  }
  if (part.length > 0) await read()
  return contents
}

/** Slugs of organizations that have a document of their own. */
export async function organizationsOf(database: D1Database): Promise<string[]> {
  const { results } = await database
    .prepare(
      "SELECT DISTINCT substr(document, 14) AS slug FROM versions WHERE document > 'organization/' AND document < 'organization0'",
    )
    .all<{ slug: string }>()
  return results.map(({ slug }) => slug)
}

export interface Holder {
  /** Of its newest version. */
  seq: number
  /** Null when it is deleted. */
  status: 'active' | 'inactive' | null
  identities: { issuer: string; subject: string }[]
  organizations: string[]
  given: DirectGrant[]
}

/** A user or service account with its identities and what it was given directly, as the derived rows say. */
export async function holderOf(database: D1Database, holder: string): Promise<Holder> {
  const [kind, id] = holder.split('/') as [string, string]
  const table = kind === 'user' ? 'users' : 'service_accounts'
  const [newest, record, identities, memberships] = await database.batch([
    database.prepare('SELECT max(seq) AS seq FROM versions WHERE document = ?').bind(holder),
    database.prepare(`SELECT status FROM ${table} WHERE id = ? AND deleted_at IS NULL`).bind(id),
    database.prepare('SELECT issuer, subject FROM identities WHERE holder = ?').bind(holder),
    database
      .prepare(
        `SELECT organization, project, role_name AS role FROM memberships WHERE holder = ?
         ORDER BY organization, project, role_name`,
      )
      .bind(holder),
  ])
  const rows = memberships?.results as { organization: string; project: string; role: string }[]
  return {
    seq: (newest?.results[0] as { seq: number | null } | undefined)?.seq ?? 0,
    status: (record?.results[0] as { status: 'active' | 'inactive' } | undefined)?.status ?? null,
    identities: identities?.results as { issuer: string; subject: string }[],
    organizations: [...new Set(rows.map(({ organization }) => organization))].filter((slug) => slug !== ''),
    given: rows
      // A row without a role only says that somebody is a member.
      .filter(({ role }) => role !== '')
      .map(({ organization, project, role }) => ({
        role,
        organization: organization || null,
        project: project || null,
        source: `memberships.${holder}`,
      })),
  }
}
