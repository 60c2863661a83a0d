// The rows of client secrets (signin/client-secret.ts opens them). They are written in the batch of the edit they come
// with, so that a record and its secret change together.

/** `sealed`: with the purpose "client-secret" and the record's id. */
export function keepSecret(
  database: D1Database,
  id: string,
  sealed: string,
  at: number,
): D1PreparedStatement {
  return database
    .prepare('INSERT OR REPLACE INTO issuer_secrets (issuer, sealed, updated_at) VALUES (?, ?, ?)')
    .bind(id, sealed, at)
}

export function forgetSecret(database: D1Database, id: string): D1PreparedStatement {
  return database.prepare('DELETE FROM issuer_secrets WHERE issuer = ?').bind(id)
}
