// The records of a user's or service account's identities: whether it is active, and what it was given directly.
import { type PrincipalRecord, principalDocument, principalId } from '../documents/published.ts'
import type { Environment } from '../environment.ts'
import { databaseOf, holderOf } from './read.ts'
import { putDocument, RANKS, type Store, type Touched, untouch } from './store.ts'

/** Throws when D1 cannot be asked; then what is published stays. */
export async function compileHolder(
  environment: Environment,
  store: Store,
  { target: holder, edit }: Touched,
  now: number,
): Promise<void> {
  const { seq, status, identities, organizations, given } = await holderOf(databaseOf(environment), holder)
  const [kind, id] = holder.split('/') as [PrincipalRecord['kind'], string]
  const content: PrincipalRecord | null = status && { kind, id, status, organizations, given }
  const names = await Promise.all(
    identities.map(async ({ issuer, subject }) => principalDocument(await principalId(issuer, subject))),
  )
  store.transact(() => {
    const of = { rank: RANKS.principal, organization: '', seq, edit }
    const known = store.sql.exec('SELECT name FROM holders WHERE holder = ?', holder).toArray()
    for (const { name } of known) {
      if (content !== null && names.includes(name as string)) continue
      store.sql.exec('DELETE FROM holders WHERE name = ?', name)
      putDocument(store, { ...of, name: name as string, content: null }, now)
    }
    for (const name of content === null ? [] : names) {
      store.sql.exec(
        'INSERT OR REPLACE INTO holders (name, holder, organizations) VALUES (?, ?, ?)',
        name,
        holder,
        JSON.stringify(organizations),
      )
      putDocument(store, { ...of, name, content }, now)
    }
    untouch(store, holder)
  })
}
