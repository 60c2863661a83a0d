// Handlers of the keys of service accounts ([1-28]). A key is shown once, in the answer to its making; audit and
// lists have its id and its times. Several may be valid at a time, so that one can follow another.
import { timeText } from '../../../policy/explain-failed.ts'
import { guard } from '../../database/rows.ts'
import { limitReached, notFound, refuseInput } from '../answers.ts'
import type { Call, SomeHandlers } from '../call.ts'
import { readInstance } from '../effective.ts'
import { write } from '../write.ts'
import { makeAccessKey } from './access-keys.ts'
import { judgeGiven } from './people.ts'
import {
  contentOfAccount,
  type KeyRow,
  keyResource,
  keysOf,
  readServiceAccount,
} from './service-account-store.ts'
import { grantsOf } from './service-accounts.ts'

/** Of keys that are neither revoked nor expired. */
export const KEYS_MAX = 10

export const serviceAccountKeyHandlers = {
  'serviceAccounts.createKey': async (call) => {
    const { environment, params, body, now } = call
    const row = await readServiceAccount(environment.DB, params, params.serviceAccount)
    if (row === null) return notFound('service account', params.serviceAccount)
    const content = contentOfAccount(row)
    if (content.authenticationMethod !== 'key') {
      return refuseInput([{ path: '', message: 'the account authenticates by its identity and has no keys' }])
    }
    const expiresAt = body.expiresAt === undefined ? null : Date.parse(body.expiresAt)
    if (expiresAt !== null && expiresAt <= now) {
      return refuseInput([
        { path: 'expiresAt', message: `is not after now, ${timeText(Math.floor(now / 1000))}` },
      ])
    }
    const valid = keysOf(row).filter(({ revoked_at, expires_at }) => {
      return revoked_at === null && (expires_at === null || expires_at > now)
    })
    if (valid.length >= KEYS_MAX) return limitReached('valid keys of the account', valid.length + 1, KEYS_MAX)
    const { id, key, hash } = await makeAccessKey()
    const made: KeyRow = { id, created_at: now, expires_at: expiresAt, last_used_at: null, revoked_at: null }
    // Whoever has a key has what the account has; so making one is giving these roles.
    const { source, settings } = await readInstance(environment)
    const { roles } = source.policy
    const judgement = await judgeGiven(call, settings, {
      roles,
      before: [],
      after: grantsOf(row.id, content),
      holder: 'another',
    })
    return write(call, {
      ...UNVERSIONED,
      derived: [
        environment.DB.prepare(
          `INSERT INTO service_account_keys (id, service_account, hash, created_at, expires_at)
            SELECT ?, id, ?, ?, ? FROM service_accounts WHERE id = ? AND deleted_at IS NULL`,
        ).bind(id, hash, now, expiresAt, row.id),
        guard(
          environment.DB,
          `(SELECT count(*) FROM service_account_keys WHERE service_account = ?1 AND revoked_at IS NULL
            AND coalesce(expires_at > ?2, true)) > ?3`,
          [row.id, now, KEYS_MAX],
        ),
      ],
      audit: [auditOf(call, null, { key: id, expiresAt: body.expiresAt ?? null })],
      judgement,
      body: () => ({ ...keyResource(made), key }),
    })
  },

  'serviceAccounts.revokeKey': async (call) => {
    const { environment, params, now } = call
    const { DB: database } = environment
    const row = await readServiceAccount(database, params, params.serviceAccount)
    const key = row && keysOf(row).find(({ id }) => id === params.key)
    if (!key) return notFound('key', params.key)
    if (key.revoked_at !== null) return { ok: true, body: keyResource(key) }
    return write(call, {
      ...UNVERSIONED,
      derived: [
        database
          .prepare('UPDATE service_account_keys SET revoked_at = ? WHERE id = ? AND revoked_at IS NULL')
          .bind(now, key.id),
      ],
      audit: [
        auditOf(
          call,
          { key: key.id, revokedAt: null },
          { key: key.id, revokedAt: new Date(now).toISOString() },
        ),
      ],
      body: () => keyResource({ ...key, revoked_at: now }),
    })
  },
} satisfies SomeHandlers

type KeyCall = Call<'serviceAccounts.createKey' | 'serviceAccounts.revokeKey'>

/** Keys are no part of the account's document: versions, which are kept for ever, never know of them. */
const UNVERSIONED = {
  documents: [],
  judgement: { refused: [], toConfirm: [] },
  preview: async () => ({ changes: [], principals: { considered: 0, items: [], next: null }, findings: [] }),
}

function auditOf({ params }: KeyCall, before: unknown, after: unknown) {
  return {
    chain: params.organization,
    target: { kind: 'service-account', id: params.serviceAccount },
    before,
    after,
  }
}
