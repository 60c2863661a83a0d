// What tests may do to the bindings of objects: KV or D1 that fails, a change feed that cannot be told of ends, and which
// keys were put into KV. Faults at an isolate's own bindings are isolate-faults.ts's.
import type { Environment } from '../../../worker/environment.ts'

const faults = { kv: false, d1: false, feed: false }
const puts: string[] = []

/** `?kv=fails|works&d1=fails|works&feed=fails|works`; what is not named stays. Answers the keys put since the last time. */
export function setTestFaults(request: Request): Response {
  const { searchParams } = new URL(request.url)
  for (const name of ['kv', 'd1', 'feed'] as const) {
    const wanted = searchParams.get(name)
    if (wanted !== null) faults[name] = wanted === 'fails'
  }
  return Response.json({ puts: puts.splice(0) })
}

export function withTestFaults(environment: Environment): Environment {
  return new Proxy(environment, {
    get(target, name) {
      if (name === 'KV') return testKv(target.KV)
      if (name === 'DB' && faults.d1) return undefined
      if (name === 'PUBLISHER' && faults.feed) return UNTOLD
      return Reflect.get(target, name)
    },
  })
}

const UNTOLD = {
  getByName: () => ({ announceEnd: () => Promise.reject(new Error('the feed is out of order')) }),
}

function testKv(kv: KVNamespace): KVNamespace {
  return new Proxy(kv, {
    get(target, name) {
      if (faults.kv) return () => Promise.reject(new Error('KV is out of order'))
      if (name === 'put') {
        return (key: string, value: string) => {
          puts.push(key)
          return target.put(key, value)
        }
      }
      const member = Reflect.get(target, name)
      return typeof member === 'function' ? member.bind(target) : member
    },
  })
}
