// App ID's management paths, for scripts that were made for it: each request is one of our own operations, asked
// through the same steps, and answered in App ID's shape. `{tenant}` is the id of the instance.
import { type Context, Hono } from 'hono'
import { refuseUnserved } from '../answers.ts'
import { holdPolicy } from '../documents/held.ts'
import { type Environment, settingsOf } from '../environment.ts'
import { type Refusal, refuse } from '../refusal.ts'
import { notFound, respond } from './answers.ts'
import type { Answered } from './call.ts'
import { answerFailure, answerMethod, ask, type Served } from './mount.ts'

export const APP_ID_PREFIX = '/management/v4/:tenant'

export const appId = new Hono<Served>()

type Serve = (context: Context<Served>) => Promise<Answered | Refusal>

/** One path with its methods; of another tenant there is nothing. */
function at(path: string, methods: Record<string, Serve>): void {
  for (const [method, serve] of Object.entries(methods)) {
    appId.on(method, APP_ID_PREFIX + path, async (context) => {
      const { environment, requestId } = context.env
      const tenant = context.req.param('tenant')
      const isOurs = tenant === settingsOf(environment).instanceId
      const answered = isOurs ? await serve(context) : notFound('tenant', tenant ?? '')
      return respond(answered, 200, requestId)
    })
  }
  appId.all(APP_ID_PREFIX + path, (context) => answerMethod(context, Object.keys(methods)))
}

const asking = { params: {}, query: {}, needsIfMatch: 'optional' } as const

// [2-12]: three members, and no If-Match.
at('/config/cloud_directory/sso', {
  GET: async (context) => plainSso(await ask(context, { ...asking, id: 'singleSignOn.get' })),
  PUT: async (context) => plainSso(await ask(context, { ...asking, id: 'singleSignOn.update' })),
})

// [2-22] to [2-25]: by an admin's token, never by a session's cookie; JSON is all that is taken.
at('/cloud_directory/Users/:id/sso/logout', {
  POST: async (context) => {
    const { environment } = context.env
    const { headers } = context.req.raw
    if (!/^application\/json\s*(?:;|$)/i.test(headers.get('content-type') ?? '')) {
      return refuse('media_type_not_supported', 'Send "Content-Type: application/json".')
    }
    if (!headers.has('authorization')) {
      return refuse('credentials_missing', 'Send a token as "Authorization: Bearer <token>".')
    }
    const body = async () => {
      const who = await whoIs(environment, context.req.param('id') ?? '')
      return { value: who, text: JSON.stringify(who) }
    }
    const answered = await ask(context, { ...asking, id: 'sessions.end', body })
    return answered.ok ? { ok: true, body: new Response(null, { status: 204, headers: NO_STORE }) } : answered
  },
})

/** [2-23]: the id of a user, else the `sub` of somebody who signed in with the instance's one issuer for people. */
async function whoIs(environment: Environment, id: string): Promise<Record<string, unknown>> {
  const user = await environment.DB.prepare('SELECT 1 FROM identities WHERE holder = ?')
    .bind(`user/${id}`)
    .first()
  if (user !== null) return { user: id }
  const policy = await holdPolicy(environment)
  const issuers = policy.ok ? policy.content.issuers.filter(({ signIn }) => signIn) : []
  const [only, ...others] = issuers
  return only && others.length === 0 ? { issuer: only.id, subject: id } : { user: id }
}

function plainSso(answered: Answered): Answered | Refusal {
  if (!answered.ok) return answered
  const { isActive, inactivityTimeoutSeconds, logoutRedirectUris } = answered.body as {
    isActive: boolean
    inactivityTimeoutSeconds: number
    logoutRedirectUris: string[]
  }
  const body = { isActive, inactivityTimeoutSeconds, logoutRedirectUris }
  return { ...answered, body: new Response(JSON.stringify(body), { headers: JSON_HEADERS }) }
}
const NO_STORE = { 'cache-control': 'no-store' }
const JSON_HEADERS = {
  'content-type': 'application/json',
  ...NO_STORE,
  'x-content-type-options': 'nosniff',
}

appId.notFound((context) => {
  const { method, path } = context.req
  return respond(refuseUnserved(method, path), 0, context.env.requestId)
})
appId.onError((error, context) => answerFailure(error, context.env.requestId))
