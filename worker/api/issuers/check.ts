// All that must hold of an issuer record before it is saved: who may lead where, what it says by itself and by its
// discovery, and that its `iss` is nobody else's.
import { issuerNames } from '../../../policy/check.ts'
import { underEnvironment } from '../../../policy/layers.ts'
import type { Issuer } from '../../../policy/schema-issuer.ts'
import { nameWithin, organizationOf } from '../../database/issuer-rows.ts'
import type { Environment } from '../../environment.ts'
import { type Refusal, refuse, shown } from '../../refusal.ts'
import { refuseInput } from '../answers.ts'
import { may } from '../authorize.ts'
import type { Call } from '../call.ts'
import { KEY_ISSUER } from '../people/access-keys.ts'
import { bindingRefused, leadsElsewhere, type ReadSettings, readSettings } from './input.ts'
import { asWritten, type StoredIssuer } from './store.ts'
import { toKeep, withoutSecretName } from './written.ts'

type Checked = ReadSettings | Refusal

/** All that must hold of settings before they are saved under the id. */
export async function check(
  call: Call,
  id: string,
  written: Issuer,
  before: Issuer | null = null,
): Promise<Checked> {
  if (
    leadsElsewhere(written, before) &&
    organizationOf(id) !== null &&
    !(await may(call, 'instance.issuers.write', { kind: 'global' }))
  ) {
    return bindingRefused()
  }
  if (id === KEY_ISSUER) {
    const message = `is what vouches for keys of ours; name it otherwise`
    return refuseInput([{ path: 'id', message }])
  }
  const read = await readSettings(call.environment, written, 'settings')
  return read.ok ? ((await nameRefusal(call.environment, id, read.settings)) ?? read) : read
}

/** (owner, iss) is unique, and an `iss` of the instance is the instance's alone. */
async function nameRefusal(
  { DB: database }: Environment,
  id: string,
  settings: Issuer,
): Promise<Refusal | null> {
  const { results } = await database
    .prepare(
      `SELECT name, organization, issuer FROM issuer_names
        WHERE name IN (SELECT value FROM json_each(?)) AND issuer <> ? ORDER BY organization, name`,
    )
    .bind(JSON.stringify(issuerNames(settings)), id)
    .all<{ name: string; organization: string; issuer: string }>()
  const owner = organizationOf(id) ?? ''
  const same = results.find(({ organization }) => organization === owner)
  if (same)
    return refuse('already_exists', `${same.name} is the issuer ${shown(nameWithin(same.issuer))} already.`)
  if (owner !== '') {
    const ofInstance = results.find(({ organization }) => organization === '')
    if (!ofInstance) return null
    const detail = `${ofInstance.name} is an issuer of the instance, which is trusted in every organization; an organization may not have it too.`
    return refuse('name_taken', detail)
  }
  const [first] = results
  if (!first) return null
  const slugs = [...new Set(results.map(({ organization }) => organization))].slice(0, 10).join(', ')
  const detail = `${first.name} is an issuer of ${slugs}; it would have to be deleted there first, as "${first.issuer}".`
  return refuse('name_taken', detail)
}

/** Checked as it will be in force, under what variables set; `content` is what the database keeps of it. */
export async function checkUnder(
  call: Call,
  stored: StoredIssuer,
  written: Issuer,
): Promise<(ReadSettings & { content: Record<string, unknown> }) | Refusal> {
  const { id, described, settings: before } = stored
  if (described === null) {
    const checked = await check(call, id, written, before)
    return checked.ok ? { ...checked, content: asWritten(checked.settings) } : checked
  }
  const plain = withoutSecretName(written, described)
  const under = underEnvironment(plain, described, 'database')
  if (!under.ok) {
    return refuseInput([
      { path: 'settings', message: `is described by variables as well, and ${under.message}` },
    ])
  }
  // What is named in the environment is not named over the API.
  const checked = await check(call, id, withoutSecretName(under.issuer, described), before)
  if (!checked.ok) return checked
  return { ...checked, settings: under.issuer, content: toKeep(plain, stored) }
}
