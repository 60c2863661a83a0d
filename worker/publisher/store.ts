// What the publisher keeps of its own, in the SQLite storage of its Durable Object: the documents as KV should have
// them, what still has to be compiled or written, and small state. Losing it costs one compilation of everything.
import type { SettingsContent } from '../database/documents.ts'
import { type Envelope, PUBLISHED_FORMAT } from '../documents/published.ts'

/** Documents are written in this order: a header only once all of its buckets are there. */
export const RANKS = { bucket: 0, organization: 1, issuerName: 2, principal: 3, policy: 4 } as const
export type Rank = (typeof RANKS)[keyof typeof RANKS]

export interface Store {
  sql: SqlStorage
  /** All of it or nothing. */
  transact<Result>(write: () => Result): Result
}

export function openStore(storage: DurableObjectStorage): Store {
  for (const statement of TABLES) storage.sql.exec(statement)
  return { sql: storage.sql, transact: (write) => storage.transactionSync(write) }
}

const TABLES = [
  'CREATE TABLE IF NOT EXISTS state (name TEXT PRIMARY KEY, value TEXT NOT NULL)',
  // `edit` is the first edit that KV does not have; `left_at`: of a bucket no header names, of a document deleted.
  `CREATE TABLE IF NOT EXISTS documents (name TEXT PRIMARY KEY, rank INTEGER NOT NULL, organization TEXT NOT NULL,
    version INTEGER NOT NULL, pending INTEGER NOT NULL, edit INTEGER NOT NULL, written_at INTEGER NOT NULL,
    left_at INTEGER)`,
  'CREATE INDEX IF NOT EXISTS documents_pending ON documents (pending, rank, name)',
  'CREATE INDEX IF NOT EXISTS documents_organization ON documents (organization, rank)',
  'CREATE INDEX IF NOT EXISTS documents_left ON documents (left_at) WHERE left_at IS NOT NULL',
  'CREATE TABLE IF NOT EXISTS texts (name TEXT NOT NULL, part INTEGER NOT NULL, text TEXT NOT NULL, PRIMARY KEY (name, part))',
  // What has to be compiled: `settings`, `policy`, `organization/acme`, `user/ID`, `service-account/ID`.
  'CREATE TABLE IF NOT EXISTS touched (target TEXT PRIMARY KEY, rank INTEGER NOT NULL, edit INTEGER NOT NULL)',
  // Of the part of the policy's source that concerns an organization.
  'CREATE TABLE IF NOT EXISTS sources (organization TEXT PRIMARY KEY, digest TEXT NOT NULL)',
  `CREATE TABLE IF NOT EXISTS issuer_names (name TEXT NOT NULL, organization TEXT NOT NULL, id TEXT NOT NULL,
    audiences TEXT NOT NULL, PRIMARY KEY (name, organization, id))`,
  'CREATE INDEX IF NOT EXISTS issuer_names_organization ON issuer_names (organization)',
  // Principal records by their document, with the organizations of each as JSON.
  'CREATE TABLE IF NOT EXISTS holders (name TEXT PRIMARY KEY, holder TEXT NOT NULL, organizations TEXT NOT NULL)',
  'CREATE INDEX IF NOT EXISTS holders_holder ON holders (holder)',
  `CREATE TABLE IF NOT EXISTS heads (chain TEXT PRIMARY KEY, number INTEGER NOT NULL, cumulative TEXT NOT NULL,
    hash TEXT NOT NULL, signed INTEGER NOT NULL, broken TEXT)`,
  `CREATE TABLE IF NOT EXISTS changes (seq INTEGER PRIMARY KEY AUTOINCREMENT, kind TEXT NOT NULL, key TEXT NOT NULL,
    version INTEGER NOT NULL, expires INTEGER NOT NULL, UNIQUE (kind, key))`,
  'CREATE INDEX IF NOT EXISTS changes_expires ON changes (expires)',
]

export interface State {
  /** Of the bundle, the code and the variables that documents were last compiled with. */
  build: string
  /** Edits up to this `seq` of D1's versions are taken: what they touch is compiled or stands in `touched`. */
  taken: number
  /** Of what all organizations are compiled with: roles, issuers and audience of the instance. */
  frame: string
  /** `seq` of the policy edit whose organizations stand in `sources`. */
  sourceSeq: number
  published: boolean
  settings: SettingsContent
  /** Variables that are rows of D1 now. */
  environment: string
  /** `seq` of the audit event folded last. */
  auditSeq: number
  /** Milliseconds since the epoch. */
  comparedAt: number
  cleanedAt: number
  /** Changes up to this one may be gone. */
  feedFloor: number
}

export function stateOf<Name extends keyof State>(store: Store, name: Name): State[Name] | null {
  const [row] = store.sql.exec('SELECT value FROM state WHERE name = ?', name).toArray()
  return row ? (JSON.parse(row.value as string) as State[Name]) : null
}

export function setState<Name extends keyof State>(store: Store, name: Name, value: State[Name]): void {
  store.sql.exec('INSERT OR REPLACE INTO state (name, value) VALUES (?, ?)', name, JSON.stringify(value))
}

/** A row of the object's storage ends at 2 MB; so many characters are less, whatever they are. */
const PART_LENGTH = 500_000

export function textOf({ sql }: Store, name: string): string | null {
  const rows = sql.exec('SELECT text FROM texts WHERE name = ? ORDER BY part', name).toArray()
  return rows.length === 0 ? null : rows.map(({ text }) => text as string).join('')
}

export function contentOf<Content>(store: Store, name: string): Content | null {
  const text = textOf(store, name)
  return text === null ? null : (JSON.parse(text) as Envelope<Content>).content
}

export interface NewDocument {
  name: string
  rank: Rank
  /** Empty for what belongs to none. */
  organization: string
  /** Null deletes the document. */
  content: unknown
  /** The newest edit that is in it. */
  seq: number
  /** The first edit that made it necessary. */
  edit: number
}

/** Does nothing where the document already says so; else it has to be written, under a version that rises. */
export function putDocument(store: Store, document: NewDocument, now: number): void {
  const { name, rank, organization, content, seq, edit } = document
  const [known] = store.sql
    .exec('SELECT version, pending, edit FROM documents WHERE name = ?', name)
    .toArray()
  const written = JSON.stringify(content)
  if (known) {
    // A bucket's name says what is in it.
    if (rank === RANKS.bucket) {
      store.sql.exec('UPDATE documents SET left_at = NULL WHERE name = ?', name)
      return
    }
    const text = textOf(store, name)
    if (text === null ? content === null : text === envelopeText(known.version as number, written)) return
  } else if (content === null) return
  // Something else than an edit may have changed it: a variable, or the code that compiles.
  const version = Math.max(seq, ((known?.version as number | undefined) ?? 0) + 1)
  const first = known?.pending ? Math.min(known.edit as number, edit) : edit
  store.sql.exec(
    `INSERT INTO documents (name, rank, organization, version, pending, edit, written_at, left_at)
     VALUES (?1, ?2, ?3, ?4, 1, ?5, 0, ?6)
     ON CONFLICT (name) DO UPDATE SET version = ?4, pending = 1, edit = ?5, left_at = ?6`,
    name,
    rank,
    organization,
    version,
    first,
    content === null ? now : null,
  )
  putText(store, name, envelopeText(version, written))
}

/** An Envelope as JSON. */
function envelopeText(version: number, content: string): string {
  return `{"format":${PUBLISHED_FORMAT},"version":${version},"content":${content}}`
}

function putText({ sql }: Store, name: string, text: string): void {
  sql.exec('DELETE FROM texts WHERE name = ?', name)
  for (let part = 0; part * PART_LENGTH < text.length; part++) {
    const slice = text.slice(part * PART_LENGTH, (part + 1) * PART_LENGTH)
    sql.exec('INSERT INTO texts (name, part, text) VALUES (?, ?, ?)', name, part, slice)
  }
}

/** Buckets of an organization that none of these is are no longer named by its header. */
export function leaveBuckets(
  { sql }: Store,
  organization: string,
  named: readonly string[],
  now: number,
): void {
  sql.exec(
    `UPDATE documents SET left_at = ?1 WHERE organization = ?2 AND rank = ${RANKS.bucket} AND left_at IS NULL
       AND name NOT IN (SELECT value FROM json_each(?3))`,
    now,
    organization,
    JSON.stringify(named),
  )
}

/** Of what may come back under its name the version stays, so that it goes on rising. */
export function forgetDocument({ sql }: Store, name: string): void {
  sql.exec('DELETE FROM texts WHERE name = ?', name)
  sql.exec(`DELETE FROM documents WHERE name = ? AND rank = ${RANKS.bucket}`, name)
  sql.exec('UPDATE documents SET left_at = NULL WHERE name = ?', name)
}

/** Settings first, then the policy, which may touch organizations, then these, then people. */
const TARGET_RANKS: Record<string, number> = { settings: 0, policy: 1, organization: 2 }

export function touch({ sql }: Store, target: string, edit: number): void {
  sql.exec(
    `INSERT INTO touched (target, rank, edit) VALUES (?1, ?2, ?3)
     ON CONFLICT (target) DO UPDATE SET edit = min(edit, ?3)`,
    target,
    TARGET_RANKS[target.split('/')[0] as string] ?? 3,
    edit,
  )
}

export interface Touched {
  target: string
  edit: number
}

export function nextTouched({ sql }: Store, passedOver: ReadonlySet<string>): Touched | null {
  const rows = sql.exec<Record<string, SqlStorageValue>>(
    'SELECT target, edit FROM touched ORDER BY rank, edit, target LIMIT ?',
    passedOver.size + 1,
  )
  for (const { target, edit } of rows) {
    if (!passedOver.has(target as string)) return { target: target as string, edit: edit as number }
  }
  return null
}

export function untouch({ sql }: Store, target: string): void {
  sql.exec('DELETE FROM touched WHERE target = ?', target)
}

/** How far KV is: everything up to `seq` is there. */
export function progressOf(store: Store): { seq: number; pending: number } {
  const [row] = store.sql
    .exec(
      `SELECT min(edit) AS edit, count(*) AS count FROM (
         SELECT edit FROM touched UNION ALL SELECT edit FROM documents WHERE pending = 1)`,
    )
    .toArray()
  const taken = stateOf(store, 'taken') ?? 0
  const first = row?.edit as number | null | undefined
  return {
    seq: first === null || first === undefined ? taken : Math.min(taken, Math.max(0, first - 1)),
    pending: (row?.count as number | undefined) ?? 0,
  }
}
