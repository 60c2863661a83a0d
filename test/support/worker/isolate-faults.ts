// Puts faults at the bindings of this isolate as a test asks for them, and counts how often they are asked. Durable
// Objects have bindings of their own, without these faults.
import type { Environment } from '../../../worker/environment.ts'
import type { IsolateCounts, IsolateFaults } from '../isolate-faults.ts'

let faults: IsolateFaults = {}
const counts: IsolateCounts = { statements: 0, kvReads: 0, publisherReads: 0, feedCalls: 0, sessionCalls: 0 }

/** The body is the faults from here on; the answer, how often what was asked since the last time. */
export async function setIsolateFaults(request: Request): Promise<Response> {
  const text = await request.text()
  if (text !== '') faults = JSON.parse(text) as IsolateFaults
  const before = { ...counts }
  for (const name of Object.keys(counts) as (keyof IsolateCounts)[]) counts[name] = 0
  return Response.json(before)
}

const wrapped = new WeakMap<Environment, Environment>()

export function withIsolateFaults(environment: Environment): Environment {
  const known = wrapped.get(environment)
  if (known) return known
  const made = {
    ...environment,
    KV: override(environment.KV, { get: readKv(environment.KV) }),
    DB: override(environment.DB, {
      prepare: countStatement(environment.DB, 'prepare'),
      batch: countStatement(environment.DB, 'batch'),
      exec: countStatement(environment.DB, 'exec'),
    }),
    PUBLISHER: override(environment.PUBLISHER, {
      getByName: (name: string) => publisher(environment.PUBLISHER.getByName(name)),
    }),
    SESSIONS: override(environment.SESSIONS, {
      getByName: (name: string) => sessions(environment.SESSIONS.getByName(name)),
    }),
  } as Environment
  wrapped.set(environment, made)
  return made
}

/** The same object but for these members. Methods are those of the platform, which want it as it is. */
function override<Target extends object>(target: Target, members: Record<string, unknown>): Target {
  return new Proxy(target, {
    get(_target, name) {
      if (typeof name === 'string' && name in members) return members[name]
      const member = Reflect.get(target, name) as unknown
      return typeof member === 'function' ? member.bind(target) : member
    },
  })
}

function readKv(kv: KVNamespace) {
  return async (key: string, ...options: never[]) => {
    counts.kvReads += 1
    await scheduler.wait(faults.delayMs ?? 0)
    if (faults.kv === 'unreachable') throw new Error('KV is unreachable, as the test asks')
    if (faults.kvTexts && key in faults.kvTexts) return faults.kvTexts[key]
    return kv.get(key, ...options)
  }
}

function countStatement(database: D1Database, name: 'prepare' | 'batch' | 'exec') {
  return (...given: never[]) => {
    counts.statements += 1
    if (faults.d1 === 'unreachable') throw new Error('D1_ERROR: Network connection lost.')
    return (database[name] as (...given: never[]) => unknown)(...given)
  }
}

type Publisher = ReturnType<Environment['PUBLISHER']['getByName']>

function publisher(stub: Publisher) {
  const reach = async () => {
    await scheduler.wait(faults.delayMs ?? 0)
    if (faults.publisher === 'unreachable') throw new Error('the publisher is unreachable, as the test asks')
  }
  return {
    since: async (seq: number | null) => {
      counts.feedCalls += 1
      await reach()
      return stub.since(seq)
    },
    document: async (name: string) => {
      counts.publisherReads += 1
      await reach()
      const { publisherTexts } = faults
      return publisherTexts && name in publisherTexts ? publisherTexts[name] : stub.document(name)
    },
    catchUp: async (seq?: number) => {
      if (faults.catchUp === 'lost') throw new Error('the publisher is told nothing, as the test asks')
      return stub.catchUp(seq)
    },
    announceEnd: async (ends: Parameters<Publisher['announceEnd']>[0]) => {
      await reach()
      return stub.announceEnd(ends)
    },
    status: async () => stub.status(),
    auditHeads: async (chain: string) => stub.auditHeads(chain),
    auditChains: async () => stub.auditChains(),
  }
}

/** Every method of such an object is a call. */
function sessions(stub: ReturnType<Environment['SESSIONS']['getByName']>) {
  return new Proxy(stub, {
    get(target, name) {
      counts.sessionCalls += 1
      const method = Reflect.get(target, name) as unknown as (...args: unknown[]) => unknown
      // A member of a method of a stub would be asked of the other side.
      return (...args: unknown[]) => Reflect.apply(method, target, args)
    },
  })
}
