// The issuers of a declared organization: which are new, changed and gone, each checked as if it came alone.

import { canonicalJson } from '../../../policy/audit-event.ts'
import type { Organization } from '../../../policy/schema.ts'
import { Issuer } from '../../../policy/schema-issuer.ts'
import { mapSorted } from '../../../policy/sorted.ts'
import type { DocumentEdit } from '../../database/commit.ts'
import { issuerName } from '../../database/documents.ts'
import { issuerRows } from '../../database/issuer-rows.ts'
import { forgetSecret } from '../../database/issuer-secrets.ts'
import { type Refusal, shown } from '../../refusal.ts'
import { limitReached, setElsewhere } from '../answers.ts'
import { may } from '../authorize.ts'
import type { Call } from '../call.ts'
import { bindingRefused, leadsElsewhere, movesSecret, readSettings } from '../issuers/input.ts'
import { ISSUERS_MAX } from '../issuers/issuers.ts'
import { asWritten, issuerOfPolicy, placeOfIssuer } from '../issuers/store.ts'
import type { DeclarationState } from './state.ts'

export function compactIssuers(
  issuers: Record<string, Record<string, unknown>>,
): Record<string, Record<string, unknown>> {
  return Object.fromEntries(mapSorted(issuers, (_id, settings) => settings))
}

export interface DeclaredIssuers {
  ok: true
  /** What the database will hold, by id within the organization. */
  settings: Record<string, Record<string, unknown>>
  documents: DocumentEdit[]
  derived: D1PreparedStatement[]
  created: string[]
  changed: string[]
  deleted: string[]
}

export async function planIssuers(
  call: Call<'organizations.apply'>,
  state: DeclarationState,
  declared: Organization['issuers'],
): Promise<DeclaredIssuers | Refusal> {
  const { environment, now } = call
  const { DB } = environment
  const { slug, instance, ownIssuers } = state
  const plan: DeclaredIssuers = {
    ok: true,
    settings: {},
    documents: [],
    derived: [],
    created: [],
    changed: [],
    deleted: [],
  }
  const rows: D1PreparedStatement[] = []
  const touched: string[] = []
  for (const [id, written] of Object.entries(declared)) {
    const record = `${slug}/${id}`
    const ofPolicy = issuerOfPolicy(instance.source, record)
    if (ofPolicy !== null) {
      if (canonicalJson(asWritten(ofPolicy)) === canonicalJson(asWritten(written))) continue
      return setElsewhere(`Issuer ${shown(id)}`, { place: placeOfIssuer(instance.source, record) })
    }
    const { version = 0, settings: before = null } = ownIssuers.get(id) ?? {}
    if (before !== null && canonicalJson(before) === canonicalJson(asWritten(written))) {
      plan.settings[id] = before
      continue
    }
    if (leadsElsewhere(written, before)) {
      if (!(await may(call, 'instance.issuers.write', { kind: 'global' }))) return bindingRefused()
    }
    const read = await readSettings(environment, written, `issuers.${id}`)
    if (!read.ok) return read
    const settings = asWritten(read.settings)
    plan.settings[id] = settings
    // The address of a discovery document says the same as the issuer it names.
    if (before !== null && canonicalJson(before) === canonicalJson(settings)) continue
    ;(before === null ? plan.created : plan.changed).push(issuerName(record))
    touched.push(record)
    plan.documents.push({ name: issuerName(record), version, content: { settings } })
    rows.push(...issuerRows(DB, record, read.settings, { version: version + 1, at: now }))
    // A file has no secret; one that would go to another place than it was given for is removed.
    if (before !== null && movesSecret(read.settings, Issuer.parse(before)))
      rows.push(forgetSecret(DB, record))
  }
  for (const [id, { version, settings }] of ownIssuers) {
    if (settings === null || Object.hasOwn(declared, id)) continue
    const record = `${slug}/${id}`
    plan.deleted.push(issuerName(record))
    plan.documents.push({ name: issuerName(record), version, content: null })
    rows.push(...issuerRows(DB, record, null, { version: version + 1, at: now }))
  }
  const count = Object.keys(plan.settings).length
  if (plan.created.length > 0 && count > ISSUERS_MAX) {
    return limitReached('issuers of one owner', count, ISSUERS_MAX)
  }
  // A name that goes from one record to another is free first.
  const free = DB.prepare('DELETE FROM issuer_names WHERE issuer IN (SELECT value FROM json_each(?))')
  plan.derived = rows.length === 0 ? [] : [free.bind(JSON.stringify(touched)), ...rows]
  return plan
}
