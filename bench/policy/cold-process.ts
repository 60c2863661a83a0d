// The first request of a cold isolate, as far as the policy goes: a new process reads the documents that the
// question needs from their JSON text, loads them and decides. It says how many milliseconds that took.
import { readFileSync } from 'node:fs'
import {
  bucketName,
  bucketOf,
  type CompiledBucket,
  type CompiledOrganization,
} from '../../policy/compiled.ts'
import { decide } from '../../policy/decide.ts'
import type { Level } from '../../policy/level.ts'
import { loadOrganization, loadPolicy } from '../../policy/loaded.ts'
import { principalFromClaims } from '../../policy/principal.ts'

/** What the Worker's stores hold: texts by name. And what is asked. */
export interface ColdCase {
  policy: string
  slug: string
  header: string
  buckets: [name: string, text: string][]
  groups: string[]
  permission: string
  level: Level
  now: number
}

/** In the order in which a request comes to it. */
function firstDecision(
  { policy, slug, header, groups, permission, level, now }: ColdCase,
  store: Map<string, string>,
) {
  const loaded = loadPolicy({ policy: JSON.parse(policy), organizations: [], buckets: [] })
  const result = principalFromClaims(loaded.issuers[0]!, { sub: 'somebody', groups })
  if (!result.ok) throw new Error(result.detail)
  const organization: CompiledOrganization = JSON.parse(header)
  const needed = new Set(groups.map((group) => bucketOf(group, organization.buckets)))
  const buckets = [...needed].map(
    (bucket): CompiledBucket => JSON.parse(store.get(bucketName(slug, bucket))!),
  )
  const within = loadOrganization(slug, organization, buckets)
  return decide(loaded, within, result.principal, { permission, level, now })
}

if (import.meta.main) {
  const asked: ColdCase = JSON.parse(readFileSync(process.argv[2]!, 'utf8'))
  const store = new Map(asked.buckets)
  const begin = performance.now()
  const { allowed } = firstDecision(asked, store)
  const milliseconds = performance.now() - begin
  console.log(JSON.stringify({ milliseconds, allowed }))
}
