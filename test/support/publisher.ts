// What tests of the publisher share: a stack that is asked by its routes and by the publisher's own methods, and
// edits written into D1 behind everybody's back.
import type { Changes, Publication } from '../../worker/documents/published.ts'
import { keyOf } from '../../worker/documents/published.ts'
import { type Setting, type SettingOptions, startSetting } from './setting.ts'
import type { Stack } from './stack.ts'

export interface Publisher {
  /** Calls a method of the PublisherObject. */
  call<Result>(method: string, args?: unknown[], isolate?: number): Promise<Result>
  catchUp(seq?: number, isolate?: number): Promise<Publication>
  since(seq: number | null): Promise<Changes>
  /** Faults of the objects' bindings; answers the keys put into KV since the last time. */
  faults(query: string): Promise<string[]>
  /** Inserts the next version of a document, as a commit whose call of the publisher got lost. Returns its seq. */
  edit(document: string, content: unknown, more?: [sql: string, ...values: unknown[]][]): Promise<number>
  query<Row>(sql: string, ...values: unknown[]): Promise<Row[]>
  /** What KV holds of a document. */
  published<Content>(name: string): Promise<{ version: number; content: Content } | null>
  /** Asks until it is so. */
  until(holds: () => Promise<boolean>, seconds?: number): Promise<void>
}

export type PublisherSetting = Setting & Publisher

const ACTOR = JSON.stringify({ kind: 'user', issuer: 'main', subject: 'admin', email: null })
const UNTIL_SECONDS_USUAL = 20
const UNTIL_PAUSE_MS = 50

export async function startPublisher(options: SettingOptions = {}): Promise<PublisherSetting> {
  const setting = await startSetting(options)
  return { ...setting, ...publisherOf(setting.stack) }
}

/** Of a stack, whether anything is published there or not. */
export function publisherOf(stack: Stack): Publisher {
  const ask = async (path: string, isolate: number, init?: RequestInit) => {
    const answer = await fetch(`http://127.0.0.1:${stack.port(isolate)}/.test/${path}`, init)
    if (answer.status !== 200) throw new Error(`${path} answered ${answer.status}: ${await answer.text()}`)
    return answer.json()
  }
  const query = async <Row>(sql: string, ...values: unknown[]) => {
    const database = await stack.database()
    const { results } = await database
      .prepare(sql)
      .bind(...values)
      .all()
    return results as Row[]
  }
  const call = <Result>(method: string, args: unknown[] = [], isolate = 0) => {
    return ask('publisher', isolate, {
      method: 'POST',
      body: JSON.stringify({ method, args }),
    }) as Promise<Result>
  }
  return {
    call,
    query,
    catchUp: (seq, isolate) => call('catchUp', seq === undefined ? [] : [seq], isolate),
    since: (seq) => call('since', [seq]),
    faults: async (text) => ((await ask(`faults?${text}`, 0)) as { puts: string[] }).puts,
    edit: async (document, content, more = []) => {
      const database = await stack.database()
      const insert = database
        .prepare(
          `INSERT INTO versions (document, version, content, operation, actor, request_id, at)
           VALUES (?1, (SELECT coalesce(max(version), 0) + 1 FROM versions WHERE document = ?1), ?2, 'test', ?3, 'r', 0)
           RETURNING seq`,
        )
        .bind(document, content === null ? null : JSON.stringify(content), ACTOR)
      const others = more.map(([sql, ...values]) => database.prepare(sql).bind(...values))
      const [inserted] = await database.batch([insert, ...others])
      return (inserted as { results: { seq: number }[] }).results[0]?.seq as number
    },
    published: async (name) => {
      const text = await (await stack.kv()).get(keyOf(name))
      return text === null ? null : JSON.parse(text)
    },
    until: async (holds, seconds = UNTIL_SECONDS_USUAL) => {
      const end = Date.now() + seconds * 1000
      while (!(await holds())) {
        if (Date.now() > end) throw new Error('it did not come true in time')
        await new Promise((resume) => setTimeout(resume, UNTIL_PAUSE_MS))
      }
    },
  }
}

export function mapping(roleName: string, ...idpGroups: string[]) {
  return { roleName, idpGroups, managedBy: 'api' as const }
}
