// App ID's management paths, for scripts that were made for it: each request is one of our own operations, asked
// through the same steps, and answered in App ID's shape. `{tenant}` is the id of the instance.
import { type Context, Hono } from 'hono'
import { type Refusal, refuse, shown } from '../refusal.ts'
import { notFound, respond } from './answers.ts'
import type { Answered } from './call.ts'
import { answerFailure, answerMethod, ask, type Served } from './mount.ts'

export const APP_ID_PREFIX = '/management/v4/:tenant'
export const INSTANCE_ID_USUAL = 'postern'

export const appId = new Hono<Served>()

type Serve = (context: Context<Served>) => Promise<Answered | Refusal>

/** One path with its methods; of another tenant there is nothing. */
function at(path: string, methods: Record<string, Serve>): void {
  for (const [method, serve] of Object.entries(methods)) {
    appId.on(method, APP_ID_PREFIX + path, async (context) => {
      const { environment, requestId } = context.env
      const tenant = context.req.param('tenant')
      const isOurs = tenant === (environment.INSTANCE_ID || INSTANCE_ID_USUAL)
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
const JSON_HEADERS = {
  'content-type': 'application/json',
  'cache-control': 'no-store',
  'x-content-type-options': 'nosniff',
}

appId.notFound((context) => {
  const { method, path } = context.req
  const detail = `${method} ${shown(path)} is nothing that a gateway host serves.`
  return respond(refuse('route_not_found', detail, { check: 'path' }), 0, context.env.requestId)
})
appId.onError((error, context) => answerFailure(error, context.env.requestId))
