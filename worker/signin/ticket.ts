// A ticket hands a session of the gateway host to a fronted host: sealed, for one host, session and page, for the browser
// whose arrival cookie it names, alive half a minute, used once.
import { clock } from '../clock.ts'
import type { Environment } from '../environment.ts'
import { randomText } from '../opaque.ts'
import { type Refusal, refuse } from '../refusal.ts'
import { openJson, sealJson } from '../sealing.ts'
import type { SessionCopy } from '../sessions/session.ts'
import type { Target } from './target.ts'

const PURPOSE = 'ticket'
export const TICKET_SECONDS = 30

export interface Ticket {
  host: string
  path: string
  binding: string
  /** The session's object, and its id. */
  principal: string
  session: string
  sessionExpiresAt: number
  jti: string
  /** Milliseconds since the epoch. */
  expires: number
}

export async function makeTicket(
  environment: Environment,
  { host, path, binding }: Extract<Target, { kind: 'host' }>,
  session: SessionCopy,
): Promise<string> {
  const ticket: Ticket = {
    ...{ host, path, binding },
    principal: session.principal,
    session: session.id,
    sessionExpiresAt: session.expiresAt,
    jti: randomText(),
    expires: clock.now() + TICKET_SECONDS * 1000,
  }
  return sealJson(environment, PURPOSE, host, ticket)
}

/** Sealed for one host: for another it does not open. Whether it is late, and whose browser it is for, is asked besides. */
export async function openTicket(
  environment: Environment,
  sealed: string,
  host: string,
): Promise<{ ok: true; ticket: Ticket } | Refusal> {
  const ticket = await openJson<Ticket>(environment, PURPOSE, host, sealed)
  return ticket === null
    ? refuse('ticket_invalid', 'It was not made here, or not for this host.')
    : { ok: true, ticket }
}

export function isLate({ expires }: Ticket): boolean {
  return clock.now() >= expires
}

/** Null for the first who spends it. */
export async function spendTicket(
  environment: Environment,
  { jti, expires }: Ticket,
): Promise<Refusal | null> {
  const once = environment.SINGLE_USE.getByName(`ticket:${jti}`)
  return (await once.use(expires)) ? null : refuse('ticket_used', 'A ticket is good once.')
}
