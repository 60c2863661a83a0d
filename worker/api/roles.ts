// The role catalogue as it is in force: the default one, with what the policy's source adds and replaces.
import { parsePolicy } from '../../policy/document.ts'
import { heldWith } from '../../policy/mapping-sites.ts'
import { EVERY_ROLE_BELOW, mayGrantWith } from '../../policy/may-grant.ts'
import type { PolicyDocument } from '../../policy/schema.ts'
import { bundledPolicy } from '../database/policy-source.ts'
import type { SomeHandlers } from './call.ts'
import { readInstance } from './effective.ts'

type Roles = PolicyDocument['roles']

export const roleHandlers = {
  'roles.list': async ({ environment }) => {
    const [{ source }, catalogue] = await Promise.all([readInstance(environment), defaultRoles()])
    const { roles } = source.policy
    const items = Object.entries(roles).map(([name, role]) => ({
      name,
      level: role.level,
      description: role.description ?? null,
      permissions: role.permissions,
      allPermissions: allPermissions(roles, name),
      implies: role.implies,
      mayGrant: [...mayGrantWith(roles, [name])].filter((granted) => granted !== EVERY_ROLE_BELOW),
      origin: isOf(catalogue, name, role) ? ('catalogue' as const) : ('policy' as const),
    }))
    return { ok: true, body: { items } }
  },
} satisfies SomeHandlers

function allPermissions(roles: Roles, name: string): string[] {
  return [...new Set([...heldWith(roles, name)].flatMap((held) => roles[held]?.permissions ?? []))].sort()
}

function isOf(catalogue: Roles, name: string, role: Roles[string]): boolean {
  return Object.hasOwn(catalogue, name) && JSON.stringify(catalogue[name]) === JSON.stringify(role)
}

let parsed: Roles | null = null

async function defaultRoles(): Promise<Roles> {
  if (parsed) return parsed
  const { catalogue } = await bundledPolicy()
  const empty = parsePolicy('version: 1\n', { file: 'empty', catalogue })
  if (!empty.ok) throw new Error('the default role catalogue is not valid')
  parsed = empty.policy.roles
  return parsed
}
