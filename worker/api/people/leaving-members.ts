// Users whose organization or project is deleted: what they were given there goes from their documents too. It would
// count again otherwise, should the policy name the slug once more.
import type { DocumentEdit } from '../../database/commit.ts'
import { type UserContent, userName } from '../../database/documents.ts'
import { guard } from '../../database/rows.ts'

export interface LeavingMembers {
  documents: DocumentEdit[]
  /** Before the statements that delete memberships. */
  derived: D1PreparedStatement[]
}

/** `projects` null: the organization with all that is in it. */
export async function leavingMembers(
  database: D1Database,
  organization: string,
  projects: readonly string[] | null,
  now: number,
): Promise<LeavingMembers> {
  if (projects?.length === 0) return { documents: [], derived: [] }
  const holders = `SELECT holder FROM memberships WHERE organization = ?1 AND holder LIKE 'user/%'
    AND (?2 IS NULL OR project IN (SELECT value FROM json_each(?2)))`
  const values = [organization, projects === null ? null : JSON.stringify(projects)]
  const { results } = await database
    .prepare(
      `SELECT u.id, u.version, v.content FROM users u
        JOIN versions v ON v.document = 'user/' || u.id AND v.version = u.version
        WHERE u.deleted_at IS NULL AND 'user/' || u.id IN (${holders})`,
    )
    .bind(...values)
    .all<{ id: string; version: number; content: string }>()
  const documents = results.map(({ id, version, content }): DocumentEdit => {
    const user = JSON.parse(content) as UserContent
    return { name: userName(id), version, content: without(user, organization, projects) }
  })
  const ids = JSON.stringify(results.map(({ id }) => id))
  return {
    documents,
    derived: [
      // Whoever became a member since it was read would keep what goes.
      guard(database, `(SELECT count(DISTINCT holder) FROM (${holders})) <> ?3`, [...values, results.length]),
      database
        .prepare(
          'UPDATE users SET version = version + 1, updated_at = ?2 WHERE id IN (SELECT value FROM json_each(?1))',
        )
        .bind(ids, now),
    ],
  }
}

function without(user: UserContent, slug: string, projects: readonly string[] | null): UserContent {
  const { [slug]: here, ...organizations } = user.given.organizations
  if (projects === null || here === undefined) return { ...user, given: { ...user.given, organizations } }
  const left = Object.entries(here.projects).filter(([project]) => !projects.includes(project))
  const kept = { ...here, projects: Object.fromEntries(left) }
  return { ...user, given: { ...user.given, organizations: { ...organizations, [slug]: kept } } }
}
