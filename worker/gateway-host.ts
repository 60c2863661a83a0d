// What a gateway host serves: the instance's own pages and endpoints, never an upstream. Hono routes here
// and does nothing else.
import { Hono } from 'hono'
import { answerFault, refuseUnserved } from './answers.ts'
import type { Environment } from './environment.ts'
import { healthDetails, maySeeHealth, readiness } from './health.ts'
import { signerOf } from './keys/signing.ts'
import { answerPlainly } from './navigation.ts'

/** Shorter than a key is published ahead of its use (keys/signing-object.ts), by far. */
const JWKS_MAX_AGE_SECONDS = 600

/** What signin/mount.ts serves. */
const SIGN_IN_PATHS = ['/', '/login', '/logout', '/oidc/*', '/oauth/v4/*']

type Served = { Bindings: { environment: Environment; requestId: string } }

export const gatewayHost = new Hono<Served>()

gatewayHost.get('/healthz', (context) => context.json({ status: 'alive' }, 200, NO_STORE))

gatewayHost.get('/readyz', async (context) => {
  const { environment } = context.env
  const state = await readiness(environment)
  const status = state.ready ? 'ready' : 'not ready'
  const details = (await maySeeHealth(environment, context.req.raw))
    ? await healthDetails(environment, state)
    : {}
  return context.json({ status, ...details }, state.ready ? 200 : 503, NO_STORE)
})

gatewayHost.get('/.well-known/jwks.json', async (context) => {
  const { jwks } = await signerOf(context.env.environment)
  return context.json(jwks, 200, { 'cache-control': `public, max-age=${JWKS_MAX_AGE_SECONDS}` })
})

/** Signing in and out, and what people read there; loaded when it is first asked for, as the API is. */
for (const path of SIGN_IN_PATHS) {
  gatewayHost.all(path, async (context) => {
    const { signIn } = await import('./signin/mount.ts')
    return signIn.fetch(context.req.raw, context.env)
  })
}

/** Loaded when it is first asked for: what only forwards never evaluates the schemas of the management API. */
gatewayHost.all('/api/*', async (context) => {
  const { api } = await import('./api/mount.ts')
  return api.fetch(context.req.raw, context.env)
})

/** App ID's management paths ([2-12], [2-22]), for scripts that were made for it. */
gatewayHost.all('/management/*', async (context) => {
  const { appId } = await import('./api/app-id.ts')
  return appId.fetch(context.req.raw, context.env)
})

gatewayHost.notFound((context) => {
  const { method, path } = context.req
  const refusal = refuseUnserved(method, path)
  return answerPlainly(context.req.raw, refusal, context.env.requestId)
})

gatewayHost.onError((error, context) => answerFault(error, context.env.requestId))

const NO_STORE = { 'cache-control': 'no-store' }
