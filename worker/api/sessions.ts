// Handlers of sessions. What ends is written to the audit first: nothing ends without it, and whoever gets no answer ends
// it once more, which changes nothing.
import type { OutputOf } from '../../policy/operations/table.ts'
import { commitAudit } from '../database/commit.ts'
import { refreshDocuments } from '../documents/held.ts'
import { principalId } from '../documents/published.ts'
import { type Refusal, refuse } from '../refusal.ts'
import { endAllOthers, endSessions, endWide } from '../sessions/end.ts'
import { isAlive, sessionOf } from '../sessions/held.ts'
import type { SessionCopy, SessionSummary, Which } from '../sessions/session.ts'
import { singleSignOnOf } from '../sessions/settings.ts'
import { notFound, refuseInput } from './answers.ts'
import type { Call, SomeHandlers } from './call.ts'

type Ending = 'me.sessions.end' | 'sessions.end' | 'organizations.sessions.end'
type Ended = { ok: true; body: OutputOf<Ending> } | Refusal
interface Person {
  issuer: string
  subject: string
}

export const sessionHandlers = {
  'me.sessions.list': async (call) => {
    return list(call, [call.principal])
  },

  'me.sessions.end': async (call) => {
    const { principal, body } = call
    const own = await ownSession(call)
    const which: Which =
      body.session === undefined
        ? { kind: 'all', ...(own ? { except: own.id } : {}) }
        : { kind: 'session', id: body.session }
    return endPeople(call, [principal], which)
  },

  'sessions.list': async (call) => {
    const people = await peopleOf(call, call.query)
    return people.ok ? list(call, people.people) : people
  },

  'sessions.end': async (call) => {
    const { body } = call
    if (body.all) return endAll(call)
    if (body.issuer !== undefined && body.subject === undefined) {
      return endEverywhere(call, 'issuer', body.issuer)
    }
    const people = await peopleOf(call, body)
    if (!people.ok) return people
    const which: Which = body.session === undefined ? { kind: 'all' } : { kind: 'session', id: body.session }
    return endPeople(call, people.people, which)
  },

  'organizations.sessions.end': async (call) => {
    return endEverywhere(call, 'organization', call.params.organization)
  },
} satisfies SomeHandlers

/** The session that the request itself uses. */
async function ownSession({ environment, request }: Call): Promise<SessionCopy | null> {
  if (request.headers.has('authorization')) return null
  const found = await sessionOf(environment, request)
  return found?.ok ? found.session.copy : null
}

/** An object does not know what has ended with all of an organization, nor how long sessions may be unused by now. */
async function list(
  call: Call,
  people: readonly Person[],
): Promise<{ ok: true; body: OutputOf<'sessions.list'> } | Refusal> {
  const { environment } = call
  const late = await refreshDocuments(environment)
  if (late) return late
  const settings = await singleSignOnOf(environment)
  if ('ok' in settings) return settings
  const own = await ownSession(call)
  const lists = await Promise.all(
    people.map(async ({ issuer, subject }) => {
      return environment.SESSIONS.getByName(await principalId(issuer, subject)).list()
    }),
  )
  const alive = lists.flat().filter((session) => isAlive(session, settings))
  return { ok: true, body: { items: alive.map((session) => resourceOf(session, own?.id ?? null)) } }
}

function resourceOf(session: SessionSummary, own: string | null): OutputOf<'sessions.list'>['items'][number] {
  const { id, issuer, subject, device, region, hosts, startedAt, lastSeenAt, expiresAt } = session
  const time = (at: number) => new Date(at).toISOString()
  return {
    ...{ id, issuer, subject, device, region, hosts },
    startedAt: time(startedAt),
    lastSeenAt: time(lastSeenAt),
    expiresAt: time(expiresAt),
    current: id === own,
  }
}

/** The identities of a user, or the one that is named. */
async function peopleOf(
  { environment }: Call,
  named: { user?: string | undefined; issuer?: string | undefined; subject?: string | undefined },
): Promise<{ ok: true; people: Person[] } | Refusal> {
  const { user, issuer, subject } = named
  if (user === undefined) {
    return issuer !== undefined && subject !== undefined
      ? { ok: true, people: [{ issuer, subject }] }
      : refuseInput([{ path: 'user', message: 'must be there, or "issuer" and "subject"' }])
  }
  if (issuer !== undefined || subject !== undefined) {
    return refuseInput([{ path: 'user', message: 'stands beside "issuer" and "subject"' }])
  }
  const found = await environment.DB.prepare('SELECT issuer, subject FROM identities WHERE holder = ?')
    .bind(`user/${user}`)
    .all<Person>()
  return found.results.length > 0 ? { ok: true, people: found.results } : notFound('user', user)
}

async function endPeople(call: Call<Ending>, people: readonly Person[], which: Which): Promise<Ended> {
  const audited = await audit(
    call,
    '',
    people.map(({ issuer, subject }) => `${issuer} ${subject}`).join(', '),
    which,
  )
  if (audited) return audited
  let ended = 0
  for (const { issuer, subject } of people) {
    const principal = await principalId(issuer, subject)
    ended += (await endSessions(call.environment, principal, which, call.id)).length
  }
  return { ok: true, body: { ended } }
}

async function endEverywhere(
  call: Call<Ending>,
  kind: 'organization' | 'issuer' | 'instance',
  key: string,
): Promise<Ended> {
  const chain = kind === 'organization' ? key : ''
  const audited = await audit(call, chain, kind === 'instance' ? 'all' : key, { kind })
  if (audited) return audited
  await endWide(call.environment, kind, key)
  return { ok: true, body: { ended: null } }
}

/** Decision T6: whoever ends all stays signed in, unless that is to end as well. */
async function endAll(call: Call<'sessions.end'>): Promise<Ended> {
  if (!call.wishes.confirmed.has('all')) {
    const detail = 'Everybody has to sign in anew. Repeat it with "confirm=all".'
    return refuse('confirmation_needed', detail, { members: { toConfirm: ['all'] } })
  }
  const own = call.body.own ? null : await ownSession(call)
  if (own === null) return endEverywhere(call, 'instance', '')
  const audited = await audit(call, '', 'all', { kind: 'instance', except: own.id })
  if (audited) return audited
  await endAllOthers(call.environment, own)
  return { ok: true, body: { ended: null } }
}

/** Null when it is written. */
async function audit(call: Call<Ending>, chain: string, id: string, after: unknown): Promise<Refusal | null> {
  const { environment, actor, requestId, now } = call
  const context = { operation: call.id, actor, requestId, at: now }
  const entry = { chain, target: { kind: 'sessions', id }, before: null, after }
  const committed = await commitAudit(environment.DB, context, entry)
  return committed.ok ? null : refuse('version_conflict', 'It could not be written to the audit; repeat it.')
}
