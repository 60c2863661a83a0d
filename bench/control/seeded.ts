// Shows that a seeded database is what the API would have made: an organization is created over the API with the
// contents of a seeded one, and every row about it must be the same but for its name, its time and its number.
import {
  displayNameOf,
  organizationMappings,
  projectMappings,
  projectNameOf,
  projectSlugOf,
  slugOf,
} from './contents.ts'
import { ask, type Side } from './operations.ts'
import type { Scale, Stack } from './stack.ts'

/** As long as a seeded slug, and none of them. */
const SLUG = 'xoxoxo'
const NAME = 'Xoxoxo'
const PROJECT = 0

/** Throws with the first rows that differ. The organization is deleted again. */
export async function checkSeeded(stack: Stack, scale: Scale, admin: Side): Promise<void> {
  const slug = slugOf(0)
  const name = displayNameOf(0).split(' ')[0]!
  const named = <Value>(value: Value): Value => {
    return JSON.parse(JSON.stringify(value).replaceAll(slug, SLUG).replaceAll(name, NAME)) as Value
  }
  const organization = named({
    slug,
    displayName: displayNameOf(0),
    idpGroupMappings: organizationMappings(0),
    patternMappings: [],
  })
  await ask(admin, '/organizations', { method: 'POST', body: organization })
  const project = named({
    slug: projectSlugOf(PROJECT),
    displayName: projectNameOf(0, PROJECT),
    idpGroupMappings: projectMappings(0, PROJECT),
    patternMappings: [],
  })
  await ask(admin, `/organizations/${SLUG}/projects`, { method: 'POST', body: project })
  for (const [table, sql] of Object.entries(ROWS)) {
    const made = await stack.rows<object>(scale, 'own', sql, SLUG, project.slug)
    for (const twin of ['own', 'bare'] as const) {
      const seeded = named(await stack.rows<object>(scale, twin, sql, slug, project.slug))
      for (let row = 0; row < Math.max(seeded.length, made.length, 1); row++) {
        const [left, right] = [seeded[row], made[row]].map((values) => JSON.stringify(values, null, 1))
        if (left === right && left !== undefined) continue
        throw new Error(
          `Seeding wrote another row of ${table} than the API does:\n${left}\nand the API's:\n${right}`,
        )
      }
    }
  }
  await ask(admin, `/organizations/${SLUG}?confirm=${SLUG}`, {
    method: 'DELETE',
    headers: { 'If-Match': '"1"' },
  })
}

/** ?1 is the organization, ?2 the project. Ids are hashes of names, so their lengths are compared. */
const ROWS: Record<string, string> = {
  versions: `SELECT document, version, content, operation, actor FROM versions
    WHERE document IN ('organization/' || ?1, 'project/' || ?1 || '/' || ?2) ORDER BY document`,
  organizations: `SELECT slug, length(public_id) AS id, display_name, audience, in_policy, version,
    created_at = updated_at AS new, deleted_at FROM organizations WHERE slug = ?1 AND ?2 <> ''`,
  projects: `SELECT organization, slug, length(public_id) AS id, display_name, in_policy, version,
    created_at = updated_at AS new, deleted_at FROM projects WHERE organization = ?1 AND slug = ?2`,
  group_mappings: `SELECT * FROM group_mappings WHERE organization = ?1 AND project IN ('', ?2)
    ORDER BY project, mapping`,
  search: `SELECT kind, id, organization, terms FROM search_entries entry JOIN search ON search.rowid = entry.rowid
    WHERE id IN (?1, ?1 || '/' || ?2) ORDER BY kind`,
  audit_events: `SELECT chain, iif(chain = '', 0, number) AS number, actor, actor_key, operation, target_kind, target, before, after,
    length(hash) AS hash, iif(chain = '', 64, length(previous)) AS previous FROM audit_events
    WHERE target IN (?1, ?1 || '/' || ?2) ORDER BY chain, audit_events.number`,
}
