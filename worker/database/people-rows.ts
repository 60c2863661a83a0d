// The rows that D1 keeps of users and service accounts besides their documents: for finding them, and to hold that
// an identity belongs to one of them. Written in the batch of the edit, from the content alone, so that whatever
// writes the document (a restored version too) writes the same rows.
import { foldCase } from '../../policy/fold-case.ts'
import type { DirectRoles, Identity } from '../../policy/operations/people.ts'
import type { DirectGrant } from '../../policy/principal.ts'
import { type ServiceAccountContent, serviceAccountName, type UserContent, userName } from './documents.ts'
import { forgetSearch, searchStatements } from './search.ts'

export interface Edited {
  /** Of the document after the edit. */
  version: number
  /** Milliseconds since the epoch. */
  at: number
}

/** Null: deleted. */
export function userRows(
  database: D1Database,
  id: string,
  content: UserContent | null,
  { version, at }: Edited,
): D1PreparedStatement[] {
  const holder = userName(id)
  if (content === null) {
    return [
      database
        .prepare('UPDATE users SET version = ?, updated_at = ?, deleted_at = ? WHERE id = ?')
        .bind(version, at, at, id),
      ...holderRows(database, holder, [], [], at),
      ...forgetSearch(database, 'user', JSON.stringify([id])),
    ]
  }
  const { status, login, displayName, email, identities, given } = content
  const keys = [email, login].map((text) => (text === null ? null : foldCase(text)))
  return [
    database
      .prepare(
        `INSERT INTO users (id, status, login, display_name, email, email_key, login_key, version, created_at, updated_at, deleted_at)
          VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?9, NULL)
          ON CONFLICT (id) DO UPDATE SET status = ?2, login = ?3, display_name = ?4, email = ?5, email_key = ?6,
            login_key = ?7, version = ?8, updated_at = ?9, deleted_at = NULL`,
      )
      .bind(id, status, login, displayName, email, keys[0], keys[1], version, at),
    ...holderRows(database, holder, identities, membershipsOf(given), at),
    ...searchStatements(
      database,
      { kind: 'user', id, organization: '' },
      [displayName, login, email].filter((text) => text !== null).join(' '),
    ),
  ]
}

/** Null: deleted, its keys with it. */
export function serviceAccountRows(
  database: D1Database,
  id: string,
  content: ServiceAccountContent | null,
  { version, at }: Edited,
): D1PreparedStatement[] {
  const holder = serviceAccountName(id)
  if (content === null) {
    return [
      database
        .prepare('UPDATE service_accounts SET version = ?, updated_at = ?, deleted_at = ? WHERE id = ?')
        .bind(version, at, at, id),
      database
        .prepare(
          'UPDATE service_account_keys SET revoked_at = ? WHERE service_account = ? AND revoked_at IS NULL',
        )
        .bind(at, id),
      ...holderRows(database, holder, [], [], at),
      ...forgetSearch(database, 'service-account', JSON.stringify([id])),
    ]
  }
  const { organization, project, name, authenticationMethod, identity, status, roles } = content
  return [
    database
      .prepare(
        `INSERT INTO service_accounts (id, organization, project, name, method, status, version, created_at, updated_at, deleted_at)
          VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?8, NULL)
          ON CONFLICT (id) DO UPDATE SET name = ?4, status = ?6, version = ?7, updated_at = ?8, deleted_at = NULL`,
      )
      .bind(id, organization, project, name, authenticationMethod, status, version, at),
    ...holderRows(
      database,
      holder,
      identity === null ? [] : [identity],
      roles.map((role): Membership => [organization, project, role]),
      at,
    ),
    ...searchStatements(database, { kind: 'service-account', id, organization }, name),
  ]
}

type Membership = [organization: string, project: string, role: string]

/** An identity that another holder has fails at its key, and with it the whole edit. */
function holderRows(
  database: D1Database,
  holder: string,
  identities: readonly Identity[],
  memberships: readonly Membership[],
  at: number,
): D1PreparedStatement[] {
  const kept = JSON.stringify(identities.map(({ issuer, subject }) => [issuer, subject]))
  return [
    database
      .prepare(
        `DELETE FROM identities WHERE holder = ?1 AND NOT EXISTS (SELECT 1 FROM json_each(?2) kept
          WHERE kept.value ->> 0 = identities.issuer AND kept.value ->> 1 = identities.subject)`,
      )
      .bind(holder, kept),
    database
      .prepare(
        `INSERT INTO identities (issuer, subject, holder, linked_at)
          SELECT value ->> 0, value ->> 1, ?1, ?3 FROM json_each(?2) WHERE NOT EXISTS
            (SELECT 1 FROM identities known WHERE known.holder = ?1 AND known.issuer = value ->> 0 AND known.subject = value ->> 1)`,
      )
      .bind(holder, kept, at),
    database.prepare('DELETE FROM memberships WHERE holder = ?').bind(holder),
    database
      .prepare(
        `INSERT OR IGNORE INTO memberships (holder, organization, project, role_name)
          SELECT ?1, value ->> 0, value ->> 1, value ->> 2 FROM json_each(?2)`,
      )
      .bind(holder, JSON.stringify(memberships)),
  ]
}

/** Each role with its place; a member without any has the row with ''. */
export function membershipsOf({ roles, organizations }: DirectRoles): Membership[] {
  return [
    ...roles.map((role): Membership => ['', '', role]),
    ...Object.entries(organizations).flatMap(([slug, { roles, projects }]): Membership[] => [
      [slug, '', ''],
      ...roles.map((role): Membership => [slug, '', role]),
      ...Object.entries(projects).flatMap(([project, roles]) => {
        return roles.map((role): Membership => [slug, project, role])
      }),
    ]),
  ]
}

/** The roles as a principal carries them. */
export function grantsOf(holder: string, given: DirectRoles): DirectGrant[] {
  return membershipsOf(given)
    .filter(([, , role]) => role !== '')
    .map(([organization, project, role]) => ({
      role,
      organization: organization === '' ? null : organization,
      project: project === '' ? null : project,
      source: `memberships.${holder}`,
    }))
}
