// Ends sessions, for certain: a principal's in its object, which tells the change feed; those of a whole organization,
// issuer or instance by one row of the feed, which touches no session.
import { clock } from '../clock.ts'
import type { End } from '../documents/published.ts'
import type { Environment } from '../environment.ts'
import { principalsOfSid, principalsOfSub } from './index-names.ts'
import type { EndedSession, SessionCopy, Which } from './session.ts'

/** Durable once it returns. `why` goes into the log. */
export async function endSessions(
  environment: Environment,
  principal: string,
  which: Which,
  why: string,
): Promise<EndedSession[]> {
  return environment.SESSIONS.getByName(principal).end(which, why)
}

/** Whatever began until now counts no more: by the organization's slug, the issuer record's id, or '' for all. */
export async function endWide(
  environment: Environment,
  kind: 'organization' | 'issuer' | 'instance',
  key: string,
): Promise<void> {
  await announce(environment, { kind, key, version: clock.now() })
}

/** All sessions of the instance but that one. */
export async function endAllOthers(environment: Environment, kept: SessionCopy): Promise<void> {
  const now = clock.now()
  // First, so that no isolate learns of the end and not of the exception.
  await environment.SESSIONS.getByName(kept.principal).keep(kept.id, now)
  await announce(environment, { kind: 'instance', key: '', version: now })
}

async function announce(environment: Environment, end: End): Promise<void> {
  await environment.PUBLISHER.getByName('instance').announceEnd([end])
}

/** What an issuer's logout token or front channel names. A `sid` means one session, a `sub` all of a person. */
export async function endNamed(
  environment: Environment,
  issuer: string,
  { sid, sub }: { sid: string | null; sub: string | null },
  why: string,
): Promise<EndedSession[]> {
  const end = async (principals: readonly string[], which: Which) => {
    const ended = principals.map((principal) => endSessions(environment, principal, which, why))
    return (await Promise.all(ended)).flat()
  }
  if (sid !== null) {
    return end(await principalsOfSid(environment, issuer, sid), { kind: 'sid', issuer, sid, sub })
  }
  return sub === null
    ? []
    : end(await principalsOfSub(environment, issuer, sub), { kind: 'sub', issuer, sub })
}
