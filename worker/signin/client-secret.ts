// The secret that an issuer knows us by: a secret of the Worker, or sealed in the database. Read when it is needed and
// never kept; it stands in no log, no page and no error.
import type { IssuerRecord } from '../../policy/compiled.ts'
import type { Environment } from '../environment.ts'
import { type Refusal, refuse } from '../refusal.ts'
import { open } from '../sealing.ts'

/** `open` takes it with the id of the issuer record. */
export const CLIENT_SECRET_PURPOSE = 'client-secret'

/** Null: there is none. Throws when the database cannot be read, or what it has does not open. */
export async function clientSecretOf(environment: Environment, record: IssuerRecord): Promise<string | null> {
  const name = record.signIn?.clientSecretFrom ?? null
  if (name !== null) return variableOf(environment, name)
  const row = await environment.DB.prepare('SELECT sealed FROM issuer_secrets WHERE issuer = ?')
    .bind(record.id)
    .first<{ sealed: string }>()
  return row && open(environment, CLIENT_SECRET_PURPOSE, record.id, row.sealed)
}

/** That a variable is named and not set is a mistake of whoever set it up, not of this request. */
export function missingSecret(environment: Environment, { id, signIn }: IssuerRecord): Refusal | null {
  const name = signIn?.clientSecretFrom ?? null
  if (name === null || variableOf(environment, name) !== null) return null
  const detail = `The client secret of "${id}" is to be in the Worker's secret ${name}, which is not set (wrangler secret put ${name}).`
  return refuse('provider_misconfigured', detail, { check: 'clientSecretFrom' })
}

function variableOf(environment: Environment, name: string): string | null {
  const value = (environment as unknown as Record<string, unknown>)[name]
  return typeof value === 'string' && value !== '' ? value : null
}
