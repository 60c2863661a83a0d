// A thousand sessions: four of each person, begun in the person's object as the callback begins them, each with the cookie of
// the fronted host.
import { makeCookie, newSession, SESSION_COOKIE } from '../../test/support/sessions.ts'
import { principalId } from '../../worker/documents/published.ts'
import { FRONTED_HOST } from '../sides.ts'
import { CLIENT, ISSUERS, type IssuerId, READERS, type Stack } from './stack.ts'

export const SESSIONS = 1000
export const SESSIONS_PER_PERSON = 4
/** Of the people of each issuer. */
const SHARES: [IssuerId, number][] = [
  ['staff', 0.6],
  ['partners', 0.2],
  ['acme/own', 0.2],
]
/** Beginning them. */
const PARALLEL = 16

export interface BenchSession {
  id: string
  issuer: IssuerId
  subject: string
  /** By which its issuer names it: of each person's first. */
  sid: string | null
  headers: Record<string, string>
  /** On the fronted host. */
  path: string
}

/** `run` keeps the people of one apart from those of another. */
export async function beginSessions(stack: Stack, run: string, sessions: number): Promise<BenchSession[]> {
  const people = SHARES.flatMap(([issuer, share]) => {
    const count = Math.round((share * sessions) / SESSIONS_PER_PERSON)
    return Array.from({ length: count }, (_, index) => ({ issuer, subject: `${run}-${index}` }))
  })
  const waiting = people.flatMap((person) => {
    return Array.from({ length: SESSIONS_PER_PERSON }, (_, index) => ({ ...person, isFirst: index === 0 }))
  })
  const begun: BenchSession[] = []
  const work = async () => {
    for (let person = waiting.shift(); person; person = waiting.shift())
      begun.push(await begin(stack, person))
  }
  await Promise.all(Array.from({ length: PARALLEL }, work))
  return begun
}

async function begin(
  stack: Stack,
  { issuer, subject, isFirst }: { issuer: IssuerId; subject: string; isFirst: boolean },
): Promise<BenchSession> {
  const principal = await principalId(issuer, subject)
  const made = makeCookie(stack.secret, FRONTED_HOST, principal)
  const organization = issuer === 'acme/own' ? 'acme' : null
  const claims = { iss: ISSUERS[issuer], aud: CLIENT, sub: subject, groups: [READERS] }
  const session = newSession({ issuer, subject, organization, claims, clientId: CLIENT })
  const sid = isFirst ? `sid-${session.id}` : null
  await stack.begin(principal, { ...session, sid, cookie: made.cookie })
  return {
    ...{ id: session.id, issuer, subject, sid },
    headers: { Cookie: `${SESSION_COOKIE}=${made.value}` },
    path: `/orgs/${organization ?? 'globex'}/projects/payments/invoices`,
  }
}
