// Whether an owner is left: by name among the users, and by mappings once somebody who was owner by name is gone.
import { mergeOrganization } from '../../policy/layers.ts'
import { lintOwners } from '../../policy/lint-grants.ts'
import { heldWith } from '../../policy/mapping-sites.ts'
import type { Organization, PolicyDocument } from '../../policy/schema.ts'
import type { OrganizationContent, UserContent } from '../database/documents.ts'
import type { Call } from './call.ts'
import { aroundOrganizations, type InstanceInForce } from './effective.ts'

const OWNERS = { global: 'GLOBAL_OWNER', organization: 'ORG_OWNER' } as const
const NO_MAPPINGS = { idpGroupMappings: [], patternMappings: [] }

/** The roles that hold the owner's. */
function givingOwner(roles: PolicyDocument['roles'], level: keyof typeof OWNERS): string[] {
  return Object.keys(roles).filter((name) => heldWith(roles, name).has(OWNERS[level]))
}

/**
 * Of these places (slugs; '' for the instance) those with an owner by name who can come in: active, and with an
 * identity. `except` is a holder who does not count.
 */
export async function ownedByName(
  { environment }: Pick<Call, 'environment'>,
  roles: PolicyDocument['roles'],
  places: readonly string[],
  except = '',
): Promise<Set<string>> {
  if (places.length === 0) return new Set()
  const { results } = await environment.DB.prepare(
    `SELECT DISTINCT m.organization FROM memberships m
      WHERE m.project = '' AND m.organization IN (SELECT value FROM json_each(?1)) AND m.holder <> ?4
        AND m.role_name IN (SELECT value FROM json_each(CASE m.organization WHEN '' THEN ?2 ELSE ?3 END))
        AND EXISTS (SELECT 1 FROM identities i WHERE i.holder = m.holder)
        AND NOT EXISTS (SELECT 1 FROM users u WHERE m.holder = 'user/' || u.id AND u.status = 'inactive')`,
  )
    .bind(
      JSON.stringify(places),
      JSON.stringify(givingOwner(roles, 'global')),
      JSON.stringify(givingOwner(roles, 'organization')),
      except,
    )
    .all<{ organization: string }>()
  return new Set(results.map(({ organization }) => organization))
}

/** Where the user is owner by name. */
function ownedBy(content: UserContent | null, roles: PolicyDocument['roles']): string[] {
  if (content?.status !== 'active' || content.identities.length === 0) return []
  const has = (list: readonly string[], level: keyof typeof OWNERS) => {
    const owner = givingOwner(roles, level)
    return list.some((role) => owner.includes(role))
  }
  const slugs = Object.entries(content.given.organizations).flatMap(([slug, { roles: given }]) => {
    return has(given, 'organization') ? [slug] : []
  })
  return [...(has(content.given.roles, 'global') ? [''] : []), ...slugs]
}

/** Where nobody is owner any more once the user is what it is to be; names of organizations, '' for the instance. */
export async function leftWithoutOwner(
  call: Pick<Call, 'environment' | 'now'>,
  instance: InstanceInForce,
  holder: string,
  { before, after }: { before: UserContent | null; after: UserContent | null },
): Promise<string[]> {
  const { roles } = instance.source.policy
  const still = new Set(ownedBy(after, roles))
  const lost = ownedBy(before, roles).filter((place) => !still.has(place))
  const byName = await ownedByName(call, roles, lost, holder)
  const asked = lost.filter((place) => !byName.has(place))
  if (asked.length === 0) return []
  const organizations = await ownParts(call, instance, asked)
  // The rules for mappings say it, of a mapping that stands for the user and goes.
  const document = (owner: Pick<Organization, 'idpGroupMappings'>[]): PolicyDocument => {
    const [global = NO_MAPPINGS, own = NO_MAPPINGS] = owner
    const with_ = <Level extends Pick<Organization, 'idpGroupMappings'>>(
      level: Level,
      more: typeof global,
    ) => ({
      ...level,
      idpGroupMappings: [...level.idpGroupMappings, ...more.idpGroupMappings],
    })
    const all = Object.entries(organizations).map(([slug, one]) => [slug, with_(one, own)])
    return with_(aroundOrganizations(instance, Object.fromEntries(all)), global)
  }
  const mapping = (roleName: string) => ({ idpGroupMappings: [{ roleName, idpGroups: [holder] }] })
  const had = document([
    asked.includes('') ? mapping(OWNERS.global) : NO_MAPPINGS,
    mapping(OWNERS.organization),
  ])
  return lintOwners(document([]), had, Math.floor(call.now / 1000), new Set()).flatMap(({ code, path }) => {
    return code === 'owner_removed' ? [path[0] === 'organizations' ? (path[1] as string) : ''] : []
  })
}

/** The organizations' own documents, as they are in force; one that was deleted needs no owner. */
async function ownParts(
  { environment }: Pick<Call, 'environment'>,
  { source }: InstanceInForce,
  slugs: readonly string[],
): Promise<Record<string, Organization>> {
  const { results } = await environment.DB.prepare(
    `SELECT o.slug, v.content FROM organizations o
      LEFT JOIN versions v ON v.document = 'organization/' || o.slug AND v.version = o.version
      WHERE o.slug IN (SELECT value FROM json_each(?)) AND o.deleted_at IS NULL`,
  )
    .bind(JSON.stringify(slugs))
    .all<{ slug: string; content: string | null }>()
  const merged = results.flatMap(({ slug, content }): [string, Organization][] => {
    const organization = content === null ? NO_MAPPINGS : (JSON.parse(content) as OrganizationContent)
    const one = mergeOrganization(source, slug, { organization, projects: {}, issuers: {} })
    return one ? [[slug, { ...one.organization, issuers: {}, projects: {} }]] : []
  })
  return Object.fromEntries(merged)
}
