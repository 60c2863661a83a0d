// A Postern in front of an upstream whose edits go over the management API: somebody edits the mappings of a
// project, somebody else is let through by them or not.
import { setTimeout as sleep } from 'node:timers/promises'
import { API_PREFIX } from '../../policy/operations/common.ts'
import type { Publication } from '../../worker/documents/published.ts'
import { type PolicySource, type Setting, type SettingOptions, startSetting } from './setting.ts'
import { type Answer, GATEWAY_HOST } from './stack.ts'

export interface Editing extends Setting {
  /** As somebody with GLOBAL_OWNER, at /api/v1. Waits for the edge only with the header. */
  edit(method: string, path: string, body?: unknown, headers?: Record<string, string>): Promise<Answer>
  /** The same, when it has to go well. */
  make(method: string, path: string, body?: unknown): Promise<Record<string, unknown>>
  /** Gives GROUP_READ_ONLY of acme's payments to the groups, and to nobody else but "readers". */
  giveTo(groups: string[], headers?: Record<string, string>): Promise<Answer>
  /** What a member of the group is answered in acme's payments. */
  statusOf(group: string, isolate?: number): Promise<number>
  /** What the publisher says. */
  publication(): Promise<Publication>
  /** Faults at the bindings of the objects. */
  objectFaults(query: string): Promise<void>
  until(holds: () => Promise<boolean>): Promise<void>
}

const PROJECT = '/organizations/acme/projects/payments'
const UNTIL_MS_MAX = 15_000
const UNTIL_PAUSE_MS = 50

export async function startEditing(options: SettingOptions = {}): Promise<Editing> {
  const { policy: change, ...rest } = options
  const setting = await startSetting({
    ...rest,
    policy: (policy: PolicySource, servers) => {
      policy.idpGroupMappings.push({ roleName: 'GLOBAL_OWNER', idpGroups: ['owners'] })
      change?.(policy, servers)
    },
  })
  const { stack } = setting
  const edit: Editing['edit'] = (method, path, body, headers = {}) => {
    return stack.send({
      host: GATEWAY_HOST,
      method,
      path: `${API_PREFIX}${path}`,
      token: setting.token({ sub: 'olivia', groups: ['owners'] }),
      headers: { ...(body === undefined ? {} : { 'content-type': 'application/json' }), ...headers },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    })
  }
  const ask = async (path: string, init?: RequestInit) => {
    const answer = await fetch(`http://127.0.0.1:${stack.port()}/.test/${path}`, init)
    if (answer.status !== 200) throw new Error(`${path} answered ${answer.status}: ${await answer.text()}`)
    return answer.json()
  }
  return {
    ...setting,
    edit,
    make: async (method, path, body) => {
      const { status, text } = await edit(method, path, body)
      if (status >= 300) throw new Error(`${method} ${path} answered ${status}: ${text}`)
      return JSON.parse(text) as Record<string, unknown>
    },
    giveTo: async (groups, headers = {}) => {
      const { headers: read } = await edit('GET', PROJECT)
      const idpGroupMappings = groups.map((group) => ({ roleName: 'GROUP_READ_ONLY', idpGroups: [group] }))
      return edit('PATCH', PROJECT, { idpGroupMappings }, { 'if-match': read.etag as string, ...headers })
    },
    statusOf: async (group, isolate = 0) => {
      return (await setting.get(setting.token({ groups: [group] }), { isolate })).status
    },
    publication: () => {
      const body = JSON.stringify({ method: 'status', args: [] })
      return ask('publisher', { method: 'POST', body }) as Promise<Publication>
    },
    objectFaults: async (query) => {
      await ask(`faults?${query}`)
    },
    until: async (holds) => {
      const end = Date.now() + UNTIL_MS_MAX
      while (!(await holds())) {
        if (Date.now() > end) throw new Error('it did not come true in time')
        await sleep(UNTIL_PAUSE_MS)
      }
    },
  }
}
