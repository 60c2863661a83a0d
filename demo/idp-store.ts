// Where the demo identity provider keeps its sessions, grants, codes and refresh tokens: memory, gone with the
// process. Which records exist and how long they live is oidc-provider's business.
import type { Adapter, AdapterPayload } from 'oidc-provider'

const RECORDS_MAX = 10_000

interface Kept {
  payload: AdapterPayload
  expiresAt: number
}

/** One store for one provider; each of oidc-provider's models gets its own view of it. */
export function memoryStore(): (model: string) => Adapter {
  const records = new Map<string, Kept>()
  return (model) => view(records, `${model}:`)
}

function view(records: Map<string, Kept>, prefix: string): Adapter {
  const live = (key: string) => {
    const kept = records.get(key)
    if (kept && kept.expiresAt > Date.now()) return kept.payload
    records.delete(key)
    return undefined
  }
  const findBy = (member: 'uid' | 'userCode', value: string) => {
    for (const [key, { payload }] of records) {
      if (key.startsWith(prefix) && payload[member] === value) return live(key)
    }
    return undefined
  }
  return {
    async upsert(id, payload, expiresIn) {
      const expiresAt = expiresIn === undefined ? Number.POSITIVE_INFINITY : Date.now() + expiresIn * 1000
      records.set(prefix + id, { payload, expiresAt })
      for (const oldest of records.keys()) {
        if (records.size <= RECORDS_MAX) break
        records.delete(oldest)
      }
    },
    async find(id) {
      return live(prefix + id)
    },
    async findByUid(uid) {
      return findBy('uid', uid)
    },
    async findByUserCode(userCode) {
      return findBy('userCode', userCode)
    },
    async consume(id) {
      const payload = live(prefix + id)
      if (payload) payload.consumed = Math.floor(Date.now() / 1000)
    },
    async destroy(id) {
      records.delete(prefix + id)
    },
    async revokeByGrantId(grantId) {
      for (const [key, { payload }] of records) {
        if (key.startsWith(prefix) && payload.grantId === grantId) records.delete(key)
      }
    },
  }
}
