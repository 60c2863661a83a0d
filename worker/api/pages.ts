// Pages: where the next one begins, as text that means nothing to whoever carries it. It names the last entry seen,
// so that what is inserted or deleted meanwhile moves nothing.
import { base64url } from 'jose'
import type { Refusal } from '../refusal.ts'
import { refuseInput } from './answers.ts'

export type Position = { ok: true; after: string | null } | Refusal

export function encodeCursor(kind: string, after: string): string {
  return base64url.encode(new TextEncoder().encode(JSON.stringify([kind, after])))
}

/** `kind`: of which list; a cursor of another list is refused. */
export function readCursor(kind: string, cursor: string | undefined | null): Position {
  if (cursor === undefined || cursor === null) return { ok: true, after: null }
  try {
    const [of, after] = JSON.parse(new TextDecoder().decode(base64url.decode(cursor))) as unknown[]
    if (of === kind && typeof after === 'string') return { ok: true, after }
  } catch {
    // Refused below like any other text that is none of ours.
  }
  return refuseInput([{ path: 'cursor', message: 'must be the "next" of the page before, as it was' }])
}

/** `rows` has one more than `limit` where there is a next page. */
export function pageOf<Row, Item>(
  kind: string,
  rows: readonly Row[],
  limit: number,
  { item, position, isFirst }: { item: (row: Row) => Item; position: (row: Row) => string; isFirst: boolean },
): { items: Item[]; next: string | null; total: number | null } {
  const shown = rows.slice(0, limit)
  const last = shown.at(-1)
  const more = rows.length > limit && last !== undefined
  return {
    items: shown.map(item),
    next: more ? encodeCursor(kind, position(last)) : null,
    // Counting all would cost more than the page.
    total: isFirst && !more ? shown.length : null,
  }
}
