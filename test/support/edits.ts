// Edits written into D1 as the API writes them, but behind its back: for tests of what the edge makes of them. The
// stack's `publish` has them published.
import type { Stack } from './stack.ts'

/** A new version of a document; null deletes it. */
export async function saveDocument(stack: Stack, document: string, content: object | null): Promise<void> {
  const database = await stack.database()
  await database
    .prepare(
      `INSERT INTO versions (document, version, content, operation, actor, request_id, at)
       SELECT ?1, coalesce(max(version), 0) + 1, ?2, 'test', '{}', 'test', 0 FROM versions WHERE document = ?1`,
    )
    .bind(document, content === null ? null : JSON.stringify(content))
    .run()
}

/** A mapping of one group, as the database has it. */
export function mapping(roleName: string, ...idpGroups: string[]): object {
  return { roleName, idpGroups, managedBy: 'api' }
}

/** The database's own mappings of a project. */
export function projectContent(...idpGroupMappings: object[]): object {
  return { idpGroupMappings, patternMappings: [] }
}

export interface SavedUser {
  id: string
  status?: 'active' | 'inactive'
  issuer: string
  subject: string
  given?: { role: string; organization?: string; project?: string }[]
}

/** A user, its identity and what it was given, in place of what it was before. */
export async function saveUser(stack: Stack, user: SavedUser): Promise<void> {
  const { id, status = 'active', issuer, subject, given = [] } = user
  const database = await stack.database()
  const holder = `user/${id}`
  await database.batch([
    database
      .prepare(
        `INSERT OR REPLACE INTO users (id, status, login, display_name, email, email_key, login_key, version,
         created_at, updated_at, deleted_at) VALUES (?1, ?2, NULL, ?1, NULL, NULL, NULL, 1, 0, 0, NULL)`,
      )
      .bind(id, status),
    database
      .prepare('INSERT OR REPLACE INTO identities (issuer, subject, holder, linked_at) VALUES (?, ?, ?, 0)')
      .bind(issuer, subject, holder),
    database.prepare('DELETE FROM memberships WHERE holder = ?').bind(holder),
    ...given.map(({ role, organization = '', project = '' }) => {
      return database
        .prepare('INSERT INTO memberships (holder, organization, project, role_name) VALUES (?, ?, ?, ?)')
        .bind(holder, organization, project, role)
    }),
  ])
  await saveDocument(stack, holder, { status })
}
