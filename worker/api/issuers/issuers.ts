// Handlers of issuer records, of the instance and of organizations alike: creating one by its address with discovery
// on the spot ([1-5]), changing and deleting it. Its keys are issuer-keys.ts's.
import type { OperationId, OutputOf, ParamsOf, QueryOf } from '../../../policy/operations/table.ts'
import { Issuer } from '../../../policy/schema-issuer.ts'
import { changedMembers } from '../../database/audit.ts'
import { readAll } from '../../database/batch.ts'
import { type IssuerContent, issuerName } from '../../database/documents.ts'
import { issuerRows, nameWithin, organizationOf } from '../../database/issuer-rows.ts'
import type { Environment } from '../../environment.ts'
import { type Refusal, refuse, shown } from '../../refusal.ts'
import { endWide } from '../../sessions/end.ts'
import { limitReached, notFound, setElsewhere } from '../answers.ts'
import { may } from '../authorize.ts'
import type { Answered, Call, SomeHandlers } from '../call.ts'
import { type InstanceRows, instanceInForce, instanceStatements } from '../effective.ts'
import { pageOf, readCursor } from '../pages.ts'
import { changeOf } from '../people/given-preview.ts'
import { checkMatch, type Plan, write } from '../write.ts'
import { check, checkUnder } from './check.ts'
import { bindingRefused, movesSecret, testAddress } from './input.ts'
import { lockedOutBy } from './locked-out.ts'
import { resourceOf } from './resource.ts'
import {
  asWritten,
  describedNames,
  type IssuerRow,
  inForce,
  issuerOfPolicy,
  type NameRow,
  placeOfIssuer,
  readIssuer,
} from './store.ts'
import { lockedRefusal, removal, secretChange } from './written.ts'

/** Of one owner. The instance's stand in the policy's document, which every isolate holds. */
export const ISSUERS_MAX = 200

/** The same handlers for both owners: an organization's calls have the organization among their parameters. */
export const issuerHandlers = {
  'issuers.list': (call) => list(call),
  'organizationIssuers.list': (call) => list(call),
  'issuers.create': (call) => create(call),
  'organizationIssuers.create': (call) => create(call as unknown as Call<'issuers.create'>),
  'issuers.test': (call) => test(call),
  'organizationIssuers.test': (call) => test(call as unknown as Call<'issuers.test'>),
  'issuers.get': (call) => get(call),
  'organizationIssuers.get': (call) => get(call),
  'issuers.update': (call) => update(call),
  'organizationIssuers.update': (call) => update(call as unknown as Call<'issuers.update'>),
  'issuers.delete': (call) => remove(call),
  'organizationIssuers.delete': (call) => remove(call as unknown as Call<'issuers.delete'>),
} satisfies SomeHandlers

const ownerOf = (params: object): string | null => (params as { organization?: string }).organization ?? null

/** The id of the record: `okta`, or `acme/okta`. */
export function recordIdOf(params: ParamsOf<'issuers.get'>): string {
  return idOf(params, params.issuer)
}

function idOf(params: object, name: string): string {
  const owner = ownerOf(params)
  return owner === null ? name : `${owner}/${name}`
}

interface ListedRow extends IssuerRow {
  content: string | null
  has_secret: number
}

async function list({
  environment,
  params,
  query,
}: {
  environment: Environment
  params: object
  query: QueryOf<'issuers.list'>
}): Promise<Answered<'issuers.list'>> {
  const owner = ownerOf(params) ?? ''
  const kind = `issuers of ${owner}`
  const from = readCursor(kind, query.cursor)
  if (!from.ok) return from
  const { DB: database } = environment
  const found = await readAll<InstanceRows & { rows: ListedRow; names: NameRow }>(database, {
    ...instanceStatements(environment),
    names: describedNames(environment),
    rows: database
      .prepare(
        `SELECT i.*, (SELECT v.content FROM versions v WHERE v.document = 'issuer/' || i.id AND v.version = i.version) AS content,
          EXISTS (SELECT 1 FROM issuer_secrets s WHERE s.issuer = i.id) AS has_secret
          FROM issuers i WHERE i.organization = ? AND i.deleted_at IS NULL AND i.id > ? ORDER BY i.id LIMIT ?`,
      )
      .bind(owner, from.after ?? '', query.limit + 1),
  })
  const instance = await instanceInForce(environment, found)
  const body = pageOf(kind, found.rows, query.limit, {
    position: ({ id }) => id,
    item: (row) => {
      const written = issuerOfPolicy(instance.source, row.id)
      const place = written === null ? null : placeOfIssuer(instance.source, row.id)
      const stored = row.content === null ? null : (JSON.parse(row.content) as IssuerContent).settings
      const own = written ?? (stored === null ? null : Issuer.parse(stored))
      const shownRow = { id: row.id, row, version: row.version, place, hasSecret: row.has_secret === 1 }
      return resourceOf(environment, {
        ...shownRow,
        ...inForce(instance, found.names, { id: row.id, own, place }),
      })
    },
    isFirst: from.after === null,
  })
  return { ok: true, body }
}

async function create(call: Call<'issuers.create'>): Promise<Answered<'issuers.create'>> {
  const { environment, params, body, now, wishes } = call
  const id = idOf(params, body.id)
  const stored = await readIssuer(environment, id)
  if (stored.settings !== null) {
    const where = stored.place === null ? '' : ` in ${stored.place}`
    return refuse('already_exists', `There is an issuer ${shown(body.id)} already${where}.`)
  }
  const checked = await check(call, id, body.settings)
  if (!checked.ok) return checked
  const { settings } = checked
  const secret = await secretChange(environment, { ...stored, own: null }, settings, body.clientSecret, now)
  if (!secret.ok) return secret
  const count = await countIssuers(environment, id)
  if (count >= ISSUERS_MAX) return limitReached('issuers of one owner', count + 1, ISSUERS_MAX)
  const content = { settings: asWritten(settings) }
  const version = stored.version + 1
  const row = { ...NEW_ROW, id, created_at: now, updated_at: now }
  // Sessions of a record that was deleted do not come back with another of its id.
  if (stored.version > 0 && !wishes.dryRun) await endWide(environment, 'issuer', id)
  return write(call, {
    documents: [{ name: issuerName(id), version: stored.version, content }],
    derived: [...issuerRows(environment.DB, id, settings, { version, at: now }), ...secret.statements],
    audit: [{ ...auditOf(id), before: null, after: { ...content, ...secret.after } }],
    judgement: NOTHING,
    preview: async () => previewOf(id, null, { ...content, ...secret.after }),
    taken: () => taken(),
    body: () => {
      const made = { id, row, version, place: null, settings, described: null, hasSecret: secret.hasSecret }
      return resourceOf(environment, made, { ...checked, given: body.clientSecret ?? null })
    },
  })
}

const NOTHING = { refused: [], toConfirm: [] }
const NEW_ROW = { organization: '', in_policy: 0, version: 1, deleted_at: null }

function auditOf(id: string) {
  return { chain: organizationOf(id) ?? '', target: { kind: 'issuer', id } }
}

function previewOf(id: string, before: unknown, after: unknown) {
  const changes = [changeOf('issuer', id, nameWithin(id), before, after)]
  return { changes, principals: { considered: 0, items: [], next: null }, findings: [] }
}

async function countIssuers({ DB: database }: Environment, id: string): Promise<number> {
  const row = await database
    .prepare('SELECT count(*) AS count FROM issuers WHERE organization = ? AND deleted_at IS NULL')
    .bind(organizationOf(id) ?? '')
    .first<{ count: number }>()
  return row?.count ?? 0
}

function taken(): Refusal {
  const detail = 'The issuer was registered, or its organization deleted, meanwhile; read the list again.'
  return refuse('name_taken', detail)
}

async function test(call: Call<'issuers.test'>): Promise<Answered<'issuers.test'>> {
  const { environment, params, body } = call
  if (body.vpcBinding !== undefined && ownerOf(params) !== null) {
    if (!(await may(call, 'instance.issuers.write', { kind: 'global' }))) return bindingRefused()
  }
  const tested = await testAddress(environment, body)
  return 'reason' in tested ? tested : { ok: true, body: tested }
}

async function get({
  environment,
  params,
}: {
  environment: Environment
  params: ParamsOf<'issuers.get'>
}): Promise<Answered<'issuers.get'>> {
  const stored = await readIssuer(environment, recordIdOf(params))
  if (stored.settings === null) return notFound('issuer', params.issuer)
  return {
    ok: true,
    body: resourceOf(environment, stored),
    version: stored.place === null ? stored.version : 0,
  }
}

async function update(call: Call<'issuers.update'>): Promise<Answered<'issuers.update'>> {
  const { environment, params, body, now } = call
  const id = recordIdOf(params)
  const stored = await readIssuer(environment, id)
  if (stored.settings === null) return notFound('issuer', params.issuer)
  if (stored.place !== null) return setElsewhere(`Issuer ${shown(params.issuer)}`, { place: stored.place })
  const mismatch = checkMatch(call, stored.version)
  if (mismatch) return mismatch
  const locked = lockedRefusal(stored, body.settings, body.clientSecret)
  if (locked) return locked
  const checked = await checkUnder(call, stored, body.settings)
  if (!checked.ok) return checked
  const { settings } = checked
  const secret = await secretChange(environment, stored, settings, body.clientSecret, now)
  if (!secret.ok) return secret
  const before = stored.own === null ? null : { settings: asWritten(stored.own) }
  const after = { settings: checked.content }
  const same = JSON.stringify(before) === JSON.stringify(after) && secret.statements.length === 0
  const version = same ? stored.version : stored.version + 1
  const row = same || stored.row === null ? stored.row : { ...stored.row, updated_at: now }
  const { before: left, after: right } = changedMembers(before?.settings ?? null, after.settings)
  const rows = same ? [] : issuerRows(environment.DB, id, settings, { version, at: now })
  return write(call, {
    documents: same ? [] : [{ name: issuerName(id), version: stored.version, content: after }],
    derived: [...rows, ...secret.statements],
    audit: [{ ...auditOf(id), before: merge(left, secret.before), after: merge(right, secret.after) }],
    version,
    judgement: NOTHING,
    preview: async () => {
      return previewOf(id, before && { ...before, ...secret.before }, { ...after, ...secret.after })
    },
    taken: () => taken(),
    body: () => {
      const changed = { ...stored, row, version, settings, hasSecret: secret.hasSecret }
      return resourceOf(environment, changed, { ...checked, given: body.clientSecret ?? null })
    },
  })
}

function merge(members: unknown, more: Record<string, string>): unknown {
  return members === null && Object.keys(more).length === 0
    ? null
    : { ...(members as object | null), ...more }
}

async function remove(call: Call<'issuers.delete'>): Promise<Answered<'issuers.delete'>> {
  const { environment, params, now, wishes } = call
  const id = recordIdOf(params)
  const stored = await readIssuer(environment, id)
  if (stored.settings === null) return notFound('issuer', params.issuer)
  if (stored.place !== null) return setElsewhere(`Issuer ${shown(params.issuer)}`, { place: stored.place })
  const mismatch = checkMatch(call, stored.version)
  if (mismatch) return mismatch
  if (stored.described !== null)
    return setElsewhere(`Issuer ${shown(params.issuer)}`, { place: 'OIDC_ISSUER' })
  const locked: OutputOf<'issuers.delete'> = await lockedOutBy(environment, stored.instance, id)
  if (wishes.dryRun) return { ok: true, body: locked }
  const before = { settings: asWritten(stored.settings) }
  return write(call, {
    documents: [{ name: issuerName(id), version: stored.version, content: null }],
    derived: issuerRows(environment.DB, id, null, { version: stored.version + 1, at: now }),
    audit: [
      { ...auditOf(id), before: stored.hasSecret ? { ...before, clientSecret: 'set' } : before, after: null },
    ],
    judgement: NOTHING,
    toConfirm: [params.issuer],
    preview: async () => previewOf(id, before, null),
    body: () => locked,
  })
}

/** A version that is to be in force again, checked as if it were written now; its content stays to the letter. */
export async function planIssuerRestore(
  call: Call,
  id: string,
  content: IssuerContent,
): Promise<({ ok: true; version: number } & Omit<Plan<OperationId>, 'body'>) | Refusal> {
  const { environment, now } = call
  const stored = await readIssuer(environment, id)
  if (stored.place !== null) return setElsewhere(`Issuer ${shown(id)}`, { place: stored.place })
  const settings = Issuer.parse(content.settings)
  const checked = await checkUnder(call, stored, settings)
  if (!checked.ok) return checked
  const before = stored.own === null ? null : { settings: asWritten(stored.own) }
  const same = JSON.stringify(before?.settings) === JSON.stringify(content.settings)
  // Nobody gives a secret with it; one that would go to another place than it was given for is removed.
  const moves = stored.hasSecret && stored.own !== null && movesSecret(settings, stored.own)
  const secret = moves ? removal(environment, id) : null
  const { before: left, after: right } = changedMembers(before?.settings ?? null, content.settings)
  const version = same ? stored.version : stored.version + 1
  return {
    ok: true,
    documents: same ? [] : [{ name: issuerName(id), version: stored.version, content }],
    derived: [
      ...(same ? [] : issuerRows(environment.DB, id, settings, { version, at: now })),
      ...(secret?.statements ?? []),
    ],
    audit: [
      { ...auditOf(id), before: merge(left, secret?.before ?? {}), after: merge(right, secret?.after ?? {}) },
    ],
    version,
    judgement: NOTHING,
    preview: async () => previewOf(id, before, content),
    taken: () => taken(),
  }
}
