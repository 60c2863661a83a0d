// A Postern of two isolates that people sign in to, and sessions begun at once (sessions.ts): one issuer of the policy, one of
// acme's own; over the API the issuer "second", and the organization "brief" with an issuer of its own.
import { randomBytes } from 'node:crypto'
import { expect } from 'vitest'
import { type Editing, startEditing } from './editing.ts'
import { type StartedSession, type StartOptions, startSession } from './sessions.ts'
import { API_HOST, type SettingOptions } from './setting.ts'

export const RECHECK_SECONDS = 15
const ISSUERS: Record<string, string> = {
  'acme/own': 'https://acme.idp.test',
  second: 'https://second.example.org',
  'brief/own': 'https://brief.example.org',
}
const ISOLATES = [0, 1]

export interface SessionSetting extends Editing {
  secret: string
  /** Long enough for every isolate to have asked what is new. */
  obeyed(): Promise<void>
  /** Of somebody new unless a subject is given, on the fronted host. */
  start(given?: Partial<StartOptions>): Promise<StartedSession>
  /** Status, and the reason of a refusal. */
  answers(session: Pick<StartedSession, 'headers'>, isolate?: number, path?: string): Promise<string>
  /** Of both isolates. */
  everywhere(session: StartedSession, path?: string): Promise<string[]>
  /** As an operator; with what the isolate asked of objects of sessions meanwhile. */
  operate(path: string, body: object): Promise<{ json: unknown; sessionCalls: number }>
  /** As an operator, at the version in force. */
  change(method: 'PUT' | 'PATCH' | 'DELETE', path: string, body?: unknown, query?: string): Promise<void>
}

export async function startSessionSetting(
  variables: Record<string, string> = {},
  more: NonNullable<SettingOptions['policy']> = () => undefined,
): Promise<SessionSetting> {
  const secret = randomBytes(32).toString('base64url')
  const signIn = { clientId: 'postern', clientAuthentication: 'none' }
  const editing = await startEditing({
    isolates: ISOLATES.length,
    variables: { POSTERN_SECRET: secret, ...variables },
    policy: (policy, servers) => {
      Object.assign(policy.issuers.main as object, { signIn })
      policy.organizations.acme.issuers = { own: { issuer: ISSUERS['acme/own'], signIn } }
      more(policy, servers)
    },
  })
  const { stack, edit, make } = editing
  await make('POST', '/issuers', { id: 'second', settings: { issuer: ISSUERS.second, signIn } })
  await make('POST', '/organizations', { slug: 'brief', displayName: 'Brief' })
  const own = { id: 'own', settings: { issuer: ISSUERS['brief/own'], signIn } }
  await make('POST', '/organizations/brief/issuers', own)
  await stack.publish()
  const obeyed = () => stack.advance(RECHECK_SECONDS)
  await obeyed()
  const answers: SessionSetting['answers'] = async ({ headers }, isolate = 0, path = '/whoami') => {
    const { status, text } = await stack.send({ host: API_HOST, path, headers, isolate })
    return status === 200 ? '200' : `${status} ${JSON.parse(text).reason}`
  }
  return {
    ...editing,
    secret,
    obeyed,
    answers,
    everywhere: (session, path) => Promise.all(ISOLATES.map((isolate) => answers(session, isolate, path))),
    start: (given = {}) => {
      const { issuer = 'main', subject = randomBytes(8).toString('hex'), claims } = given
      const iss = ISSUERS[issuer] ?? editing.issuer.url
      const said = { iss, sub: subject, groups: ['readers'], ...claims }
      return startSession(stack, { secret, host: API_HOST, ...given, subject, claims: said })
    },
    operate: async (path, body) => {
      await stack.counts()
      const { status, text } = await edit('POST', path, body)
      expect({ status, text }).toMatchObject({ status: 200 })
      return { json: JSON.parse(text), sessionCalls: (await stack.counts()).sessionCalls }
    },
    change: async (method, path, body, query = '') => {
      const { headers } = await edit('GET', path)
      const matching = { 'if-match': headers.etag as string, prefer: 'wait' }
      const { status, text } = await edit(method, path + query, body, matching)
      expect({ status, text }).toMatchObject({ status: 200 })
    },
  }
}

/** What both isolates answer. */
export const twice = (answer: string) => [answer, answer]
