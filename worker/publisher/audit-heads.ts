// The heads of the audit chains. Each event that D1 has is folded into the chain's cumulative hash as the publisher
// comes by it, and kept here, outside of D1, so that a tail which is cut off there is missed. Hourly each head that
// has moved is signed with the instance's key and put beside the events.
import { SignJWT } from 'jose'
import { cumulativeText, EMPTY_CUMULATIVE, FIRST_PREVIOUS } from '../../policy/audit-event.ts'
import { sha256 } from '../database/audit.ts'
import { type Environment, settingsOf } from '../environment.ts'
import { signerOf } from '../keys/signing.ts'
import { AUDIT_HEAD_TYPE } from '../tokens/claims.ts'
import { databaseOf } from './read.ts'
import { type Store, setState, stateOf } from './store.ts'

/** Events read at once, and how often within one run. */
const EVENTS_MAX = 1000
const PAGES_MAX = 20
/** Heads signed in one run. */
export const HEADS_MAX = 200

export interface RunningHead {
  chain: string
  /** Of the event folded last; 0 before the first. */
  number: number
  /** Empty before the first. */
  cumulative: string
}

interface Event {
  seq: number
  chain: string
  number: number
  hash: string
  previous: string
}

interface Head extends RunningHead {
  hash: string
  broken: string | null
}

/** Throws when a chain does not go on where it was: an event is missing, or stands there twice. */
export async function foldEvents(environment: Environment, store: Store): Promise<void> {
  const database = databaseOf(environment)
  for (let page = 0; page < PAGES_MAX; page++) {
    const { results } = await database
      .prepare(
        'SELECT seq, chain, number, hash, previous FROM audit_events WHERE seq > ? ORDER BY seq LIMIT ?',
      )
      .bind(stateOf(store, 'auditSeq') ?? 0, EVENTS_MAX)
      .all<Event>()
    await foldPage(store, results)
    if (results.length < EVENTS_MAX) break
  }
  const [broken] = store.sql
    .exec('SELECT broken FROM heads WHERE broken IS NOT NULL ORDER BY chain LIMIT 1')
    .toArray()
  if (broken) throw new Error(broken.broken as string)
}

async function foldPage(store: Store, events: readonly Event[]): Promise<void> {
  const heads = new Map<string, Head>()
  for (const event of events) {
    const { chain, number, hash, previous } = event
    const head = heads.get(chain) ?? headOf(store, chain)
    heads.set(chain, head)
    if (head.broken !== null) continue
    if (number !== head.number + 1 || previous !== head.hash) {
      const name = chain === '' ? 'the instance' : chain
      head.broken = `the audit chain of ${name} does not go on after event ${head.number}: the next one is ${number}`
      console.error(head.broken)
      continue
    }
    head.cumulative = await sha256(cumulativeText(head.cumulative, event))
    head.number = number
    head.hash = hash
  }
  const last = events.at(-1)
  if (!last) return
  store.transact(() => {
    for (const { chain, number, cumulative, hash, broken } of heads.values()) {
      store.sql.exec(
        `INSERT INTO heads (chain, number, cumulative, hash, signed, broken) VALUES (?1, ?2, ?3, ?4, 0, ?5)
         ON CONFLICT (chain) DO UPDATE SET number = ?2, cumulative = ?3, hash = ?4, broken = ?5`,
        chain,
        number,
        cumulative,
        hash,
        broken,
      )
    }
    setState(store, 'auditSeq', last.seq)
  })
}

function headOf({ sql }: Store, chain: string): Head {
  const [row] = sql
    .exec('SELECT number, cumulative, hash, broken FROM heads WHERE chain = ?', chain)
    .toArray()
  if (!row) return { chain, number: 0, cumulative: EMPTY_CUMULATIVE, hash: FIRST_PREVIOUS, broken: null }
  return { chain, ...row } as unknown as Head
}

export function runningHead(store: Store, chain: string): RunningHead {
  const { number, cumulative } = headOf(store, chain)
  return { chain, number, cumulative }
}

export function chainsOf({ sql }: Store): string[] {
  return sql
    .exec('SELECT chain FROM heads ORDER BY chain')
    .toArray()
    .map(({ chain }) => chain as string)
}

/** @returns whether more are left to sign. Throws when the signing key cannot be had. */
export async function signHeads(environment: Environment, store: Store, now: number): Promise<boolean> {
  const rows = store.sql
    .exec(
      'SELECT chain, number, cumulative FROM heads WHERE number > signed ORDER BY chain LIMIT ?',
      HEADS_MAX,
    )
    .toArray() as unknown as RunningHead[]
  if (rows.length === 0) return false
  const database = databaseOf(environment)
  const statements: D1PreparedStatement[] = []
  for (const head of rows) {
    const signature = await signHead(environment, head, now)
    statements.push(
      database
        .prepare(
          'INSERT OR REPLACE INTO audit_heads (chain, number, cumulative, signature, at) VALUES (?, ?, ?, ?, ?)',
        )
        .bind(head.chain, head.number, head.cumulative, signature, now),
    )
  }
  await database.batch(statements)
  store.transact(() => {
    for (const { chain, number } of rows) {
      store.sql.exec('UPDATE heads SET signed = ? WHERE chain = ?', number, chain)
    }
  })
  return rows.length === HEADS_MAX
}

async function signHead(environment: Environment, head: RunningHead, now: number): Promise<string> {
  const { kid, algorithm, key } = await signerOf(environment)
  const { chain, number, cumulative } = head
  return new SignJWT({ chain, number, cumulative })
    .setProtectedHeader({ alg: algorithm, kid, typ: AUDIT_HEAD_TYPE })
    .setIssuer(settingsOf(environment).issuer)
    .setIssuedAt(Math.floor(now / 1000))
    .sign(key)
}
