// Sessions of people who have signed in: one's own, somebody's, and ending them, down to all of the instance.
import { z } from 'zod'
import { SUBJECT_LENGTH_MAX } from '../principal.ts'
import { Slug } from '../schema.ts'
import { nothing, operation, Time } from './common.ts'

export const SessionResource = z
  .strictObject({
    id: z.string(),
    issuer: z.string().describe('Id of the issuer record it was signed in with.'),
    subject: z.string(),
    device: z.string().describe('As the browser told: "Firefox on Linux".'),
    region: z.string().nullable().describe('Where it was begun, as the platform tells by the address.'),
    hosts: z.array(z.string()),
    startedAt: Time,
    lastSeenAt: Time,
    expiresAt: Time,
    current: z.boolean().describe('Whether this request uses it.'),
  })
  .meta({ id: 'SessionResource' })

export const EndedSessions = z
  .strictObject({
    ended: z
      .int()
      .nullable()
      .describe('How many; null where they are not counted: of an organization, an issuer, the instance.'),
  })
  .meta({ id: 'EndedSessions', description: 'They count no more anywhere once the re-check time is over.' })

const SessionId = z.string().min(1).max(100)
const Issuer = z.string().min(1).max(130)
const Subject = z.string().min(1).max(SUBJECT_LENGTH_MAX)
const Items = z.strictObject({ items: z.array(SessionResource) })
const Of = z.strictObject({
  user: z.string().min(1).max(100).optional(),
  issuer: Issuer.optional(),
  subject: Subject.optional(),
})

const EndSessions = z
  .strictObject({
    user: z.string().min(1).max(100).optional().describe('Id of a user: with every identity.'),
    issuer: Issuer.optional().describe(
      'With "subject": of that person; alone: of everybody who signed in with it.',
    ),
    subject: Subject.optional(),
    session: SessionId.optional().describe('Of the person, only that one.'),
    all: z
      .literal(true)
      .optional()
      .describe(
        'Of the instance; needs confirm=all. The session that the request is made with goes on, unless "own" is there.',
      ),
    own: z
      .literal(true)
      .optional()
      .describe('With "all": the session that the request is made with as well.'),
  })
  .refine(({ user, issuer, subject, session, all, own }) => {
    const targets = [user, issuer, all].filter((target) => target !== undefined).length
    const isPerson = user !== undefined || subject !== undefined
    return (
      targets === 1 &&
      (subject === undefined || issuer !== undefined) &&
      (session === undefined || isPerson) &&
      (own === undefined || all)
    )
  }, 'must name one: "user", "issuer" with or without "subject", or "all"; "session" stands beside a person, "own" beside "all"')
  .meta({ id: 'EndSessions' })

const Confirm = z.strictObject({ confirm: z.string().max(200).optional() })
const act = { kind: 'act', dryRun: false } as const

export const sessionOperations = {
  'me.sessions.list': operation({
    method: 'GET',
    path: '/me/sessions',
    tag: 'Me',
    summary: 'Where am I signed in',
    level: 'instance',
    permission: null,
    params: nothing,
    query: nothing,
    body: null,
    output: Items,
    status: 200,
  }),
  'me.sessions.end': operation({
    method: 'POST',
    path: '/me/sessions:end',
    tag: 'Me',
    summary: 'Sign out elsewhere: of one session, or of all but the one in use',
    level: 'instance',
    permission: null,
    params: nothing,
    query: nothing,
    body: z.strictObject({ session: SessionId.optional() }).meta({ id: 'EndOwnSessions' }),
    output: EndedSessions,
    status: 200,
    write: act,
  }),
  'sessions.list': operation({
    method: 'GET',
    path: '/sessions',
    tag: 'Sessions',
    summary: 'Where somebody is signed in',
    level: 'instance',
    permission: 'instance.users.read',
    params: nothing,
    query: Of,
    body: null,
    output: Items,
    status: 200,
  }),
  'sessions.end': operation({
    method: 'POST',
    path: '/sessions:end',
    tag: 'Sessions',
    summary: 'End sessions: one, those of a person, of an issuer, or all',
    level: 'instance',
    permission: 'instance.sessions.end',
    params: nothing,
    query: Confirm,
    body: EndSessions,
    output: EndedSessions,
    status: 200,
    write: act,
  }),
  'organizations.sessions.end': operation({
    method: 'POST',
    path: '/organizations/{organization}/sessions:end',
    tag: 'Sessions',
    summary: 'Have everybody sign in anew before they come into the organization',
    level: 'organization',
    permission: 'organization.sessions.end',
    params: z.strictObject({ organization: Slug }),
    query: nothing,
    body: null,
    output: EndedSessions,
    status: 200,
    write: act,
  }),
}
