// Handlers of versions: what every document was, how two versions differ, and one of them made the present one again.
import type { z } from 'zod'
import { canonicalJson } from '../../policy/audit-event.ts'
import type { Actor } from '../../policy/operations/common.ts'
import type { FieldDifference, VersionResource, VersionSummary } from '../../policy/operations/history.ts'
import { describePath, type Path } from '../../policy/problems.ts'
import { newestVersion, readAll, type VersionRow } from '../database/batch.ts'
import { CONTENTS } from '../database/contents.ts'
import { type DocumentKind, type DocumentRef, parseDocumentName } from '../database/documents.ts'
import type { Refusal } from '../refusal.ts'
import { notFound, refuseInput } from './answers.ts'
import type { Call, SomeHandlers } from './call.ts'
import { pageOf, readCursor } from './pages.ts'
import { RESTORERS, type Restorer } from './restore.ts'
import { checkMatch, write } from './write.ts'

type Summary = z.infer<typeof VersionSummary>
type Resource = z.infer<typeof VersionResource>
type Difference = z.infer<typeof FieldDifference>

interface Row extends VersionRow {
  seq: number
  document: string
  operation: string
  actor: string
  request_id: string
}

export const versionHandlers = {
  'versions.list': async ({ environment, query }) => {
    const { document, limit } = query
    const kind = `versions/${document}`
    const position = readCursor(kind, query.cursor)
    if (!position.ok) return position
    const { results } = await environment.DB.prepare(
      `SELECT seq, document, version, iif(content IS NULL, NULL, 'null') AS content, operation, actor, request_id, at
        FROM versions WHERE document = ? AND version < ? ORDER BY version DESC LIMIT ?`,
    )
      .bind(document, position.after === null ? Number.MAX_SAFE_INTEGER : Number(position.after), limit + 1)
      .all<Row>()
    const body = pageOf(kind, results, limit, {
      item: summary,
      position: ({ version }) => String(version),
      isFirst: position.after === null,
    })
    return { ok: true, body }
  },

  'versions.get': async ({ environment, params, query }) => {
    const row = await versionOf(environment.DB, query.document, params.version).first<Row>()
    return row
      ? { ok: true, body: resource(row), version: row.version }
      : noVersion(query.document, params.version)
  },

  'versions.diff': async ({ environment, params, query }) => {
    const { document, against = params.version - 1 } = query
    const { DB } = environment
    const rows = await readAll<{ to: Row; from: Row }>(DB, {
      to: versionOf(DB, document, params.version),
      from: versionOf(DB, document, against),
    })
    const [to] = rows.to
    const [from] = rows.from
    if (!to) return noVersion(document, params.version)
    if (!from && against !== 0) return noVersion(document, against)
    const differences = differencesOf(from ? contentAt(from) : null, contentAt(to), [])
    return { ok: true, body: { document, from: against, to: params.version, differences } }
  },

  'versions.restore': async (call) => {
    const { environment, params, query } = call
    const { DB } = environment
    const rows = await readAll<{ old: Row; now: Row }>(DB, {
      old: versionOf(DB, query.document, params.version),
      now: newestVersion(query.document),
    })
    const [old] = rows.old
    const [now] = rows.now
    if (!old || !now) return noVersion(query.document, params.version)
    const mismatch = checkMatch(call, now.version)
    if (mismatch) return mismatch
    const ref = parseDocumentName(query.document) as DocumentRef
    if (old.content === null) {
      return refuseInput([
        { path: 'version', message: 'deleted the document, so there is nothing to restore' },
      ])
    }
    const content = CONTENTS[ref.kind].safeParse(JSON.parse(old.content))
    if (!content.success) {
      return refuseInput([
        { path: 'version', message: 'has a content that this version of Postern does not read' },
      ])
    }
    return restore(call, ref, content.data, old, now)
  },
} satisfies SomeHandlers

async function restore(
  call: Call<'versions.restore'>,
  ref: DocumentRef,
  content: unknown,
  old: Row,
  now: VersionRow,
) {
  const restorer = RESTORERS[ref.kind] as Restorer<DocumentKind>
  const plan = await restorer(call, ref as never, content as never, now)
  if (!plan.ok) return plan
  return write(call, {
    ...plan,
    body: (seq): Resource => ({
      document: old.document,
      version: plan.version,
      seq: seq ?? 0,
      operation: call.id,
      actor: call.actor,
      at: new Date(call.now).toISOString(),
      requestId: call.requestId,
      deleted: false,
      content: plan.documents[0]?.content ?? content,
    }),
  })
}

function versionOf(database: D1Database, document: string, version: number): D1PreparedStatement {
  return database.prepare('SELECT * FROM versions WHERE document = ? AND version = ?').bind(document, version)
}

function noVersion(document: string, version: number): Refusal {
  return notFound('version', `${document} ${version}`)
}

function summary(row: Row): Summary {
  return {
    document: row.document,
    version: row.version,
    seq: row.seq,
    operation: row.operation,
    actor: JSON.parse(row.actor) as Actor,
    at: new Date(row.at).toISOString(),
    requestId: row.request_id,
    deleted: row.content === null,
  }
}

function resource(row: Row): Resource {
  return { ...summary(row), content: contentAt(row) }
}

function contentAt({ content }: Row): unknown {
  return content === null ? null : (JSON.parse(content) as unknown)
}

/** Member by member; lists by what is in them, since most are sets. */
function differencesOf(before: unknown, after: unknown, path: Path): Difference[] {
  if (canonicalJson(before) === canonicalJson(after)) return []
  if (isObject(before) && isObject(after)) {
    const names = [...new Set([...Object.keys(before), ...Object.keys(after)])].sort()
    return names.flatMap((name) => differencesOf(before[name] ?? null, after[name] ?? null, [...path, name]))
  }
  if (Array.isArray(before) && Array.isArray(after)) return listDifferences(before, after, path)
  const change = before === null ? 'added' : after === null ? 'removed' : 'changed'
  return [{ path: describePath(path), change, before, after }]
}

function listDifferences(before: unknown[], after: unknown[], path: Path): Difference[] {
  const [old, now] = [before, after].map((list) => new Set(list.map(canonicalJson))) as [
    Set<string>,
    Set<string>,
  ]
  const entries = (list: unknown[], other: Set<string>, change: 'added' | 'removed') => {
    return list.flatMap((entry, index): Difference[] => {
      if (other.has(canonicalJson(entry))) return []
      const sides = change === 'added' ? { before: null, after: entry } : { before: entry, after: null }
      return [{ path: describePath([...path, index]), change, ...sides }]
    })
  }
  return [...entries(before, now, 'removed'), ...entries(after, old, 'added')]
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
