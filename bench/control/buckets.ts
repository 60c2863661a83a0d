// What one edit of a large organization rewrites: of its buckets only those that the edited groups fall into.
import { ask, type Side } from './operations.ts'
import type { Scale, Stack } from './stack.ts'

const ORGANIZATION = 'bucketed'
const MAPPINGS = 10_000
const GROUPS_PER_MAPPING = 1000
const ROLES = [
  'GROUP_OWNER',
  'GROUP_READ_ONLY',
  'GROUP_BACKUP_ADMIN',
  'GROUP_USER_ADMIN',
  'GROUP_BILLING_ADMIN',
]

export interface BucketsWritten {
  /** Of the organization. */
  buckets: number
  /** By an edit that takes a role from one group. */
  written: number
  /** From the first of the mappings being sent until the edge has them all. */
  importSeconds: number
}

export async function measureBuckets(stack: Stack, scale: Scale, admin: Side): Promise<BucketsWritten> {
  const begin = performance.now()
  await ask(admin, '/organizations', { method: 'POST', body: { slug: ORGANIZATION } })
  const all = Array.from({ length: MAPPINGS / GROUPS_PER_MAPPING / ROLES.length }, (_, project) =>
    mappingsOf(project),
  )
  for (const [project, idpGroupMappings] of all.entries()) {
    const body = { slug: `part-${project}`, idpGroupMappings }
    await ask(admin, `/organizations/${ORGANIZATION}/projects`, { method: 'POST', body })
  }
  await stack.settled(scale)
  const importSeconds = (performance.now() - begin) / 1000
  const before = await bucketsOf(stack, scale)
  const [first, ...rest] = all[0]!
  const idpGroupMappings = [{ ...first!, idpGroups: first!.idpGroups.slice(1) }, ...rest]
  const headers = { 'If-Match': '"1"' }
  const resource = `/organizations/${ORGANIZATION}/projects/part-0`
  await ask(admin, resource, { method: 'PATCH', headers, body: { idpGroupMappings } })
  await stack.settled(scale)
  const after = await bucketsOf(stack, scale)
  const written = [...after].filter((name) => !before.has(name)).length
  return { buckets: after.size - written, written, importSeconds }
}

function mappingsOf(project: number) {
  return ROLES.map((roleName) => ({
    roleName,
    idpGroups: Array.from({ length: GROUPS_PER_MAPPING }, (_, group) => {
      return `${ORGANIZATION}:part-${project}:${roleName.toLowerCase()}:team-${group}`
    }),
  }))
}

/** Keys of buckets carry the hash of their content: one that is rewritten has another key. */
async function bucketsOf(stack: Stack, scale: Scale): Promise<Set<string>> {
  const names = await stack.published(scale)
  return new Set([...names].filter((name) => name.includes(`:bucket:${ORGANIZATION}:`)))
}
