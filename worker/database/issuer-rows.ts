// The rows that D1 keeps of an issuer record besides its document: whose it is, and its `iss` values, of which an
// owner has each once.
import { issuerNames } from '../../policy/check.ts'
import type { Issuer } from '../../policy/schema-issuer.ts'
import { forgetSecret } from './issuer-secrets.ts'
import type { Edited } from './people-rows.ts'
import { guard, organizationGuard } from './rows.ts'

/** `id` is the record's: `okta`, or `acme/okta`. Null: deleted. */
export function issuerRows(
  database: D1Database,
  id: string,
  settings: Pick<Issuer, 'issuer' | 'tenants'> | null,
  { version, at }: Edited,
): D1PreparedStatement[] {
  const forget = database.prepare('DELETE FROM issuer_names WHERE issuer = ?').bind(id)
  if (settings === null) {
    return [
      database
        .prepare('UPDATE issuers SET version = ?, updated_at = ?, deleted_at = ? WHERE id = ?')
        .bind(version, at, at, id),
      forget,
      forgetSecret(database, id),
    ]
  }
  const organization = organizationOf(id) ?? ''
  const names = JSON.stringify(issuerNames(settings))
  return [
    ...(organization === '' ? [] : [organizationGuard(database, organization)]),
    // An `iss` of the instance is the instance's alone; that was looked up, and may have changed since.
    guard(
      database,
      `EXISTS (SELECT 1 FROM issuer_names WHERE name IN (SELECT value FROM json_each(?1))
        AND (organization = '') <> (?2 = ''))`,
      [names, organization],
    ),
    database
      .prepare(
        `INSERT INTO issuers (id, organization, issuer, in_policy, version, created_at, updated_at, deleted_at)
          VALUES (?1, ?2, ?3, 0, ?4, ?5, ?5, NULL)
          ON CONFLICT (id) DO UPDATE SET issuer = ?3, version = ?4, updated_at = ?5, deleted_at = NULL,
            created_at = CASE WHEN deleted_at IS NULL THEN created_at ELSE ?5 END`,
      )
      .bind(id, organization, settings.issuer, version, at),
    forget,
    database
      .prepare(
        'INSERT INTO issuer_names (name, organization, issuer) SELECT value, ?2, ?3 FROM json_each(?1)',
      )
      .bind(names, organization, id),
  ]
}

/** The organization that a record id names; null: the instance's. */
export function organizationOf(id: string): string | null {
  const slash = id.indexOf('/')
  return slash === -1 ? null : id.slice(0, slash)
}

/** The id within its owner. */
export function nameWithin(id: string): string {
  return id.slice(id.indexOf('/') + 1)
}
