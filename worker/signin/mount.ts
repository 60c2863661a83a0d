// Signing in and out on a gateway host. Hono routes here and does nothing else; each page and endpoint has its own file.
import { Hono } from 'hono'
import { answerFault, answerRefusal, refuseUnserved } from '../answers.ts'
import type { Environment } from '../environment.ts'
import { refusalPage } from '../pages/refusal-page.ts'
import { refuse } from '../refusal.ts'
import { appIdLogout } from './app-id-logout.ts'
import { backChannelLogout } from './back-channel.ts'
import { callback } from './callback.ts'
import { home } from './landing.ts'
import { login } from './login.ts'
import { logout } from './logout.ts'
import { restoreLogin } from './restore.ts'

type Served = { Bindings: { environment: Environment; requestId: string } }

export const signIn = new Hono<Served>()

/** Break-glass goes before every other way in. */
signIn.on(['GET', 'POST'], '/login', ({ req, env }, next) => {
  const { environment, requestId } = env
  return environment.LOCAL_RESTORE === 'true' ? restoreLogin(environment, req.raw, requestId) : next()
})

signIn.get('/login', ({ req, env }) => login(env.environment, req.raw, env.requestId))

signIn.on(['GET', 'POST'], '/oidc/callback', ({ req, env }) => {
  return callback(env.environment, req.raw, env.requestId)
})

signIn.post('/oidc/backchannel-logout', ({ req, env }) => backChannelLogout(env.environment, req.raw))

signIn.on(['GET', 'POST'], '/logout', ({ req, env }) => logout(env.environment, req.raw, env.requestId))

signIn.get('/oauth/v4/:tenant/cloud_directory/sso/logout', ({ req, env }) => {
  return appIdLogout(env.environment, req.raw, env.requestId, req.param('tenant'))
})

signIn.get('/', ({ req, env }) => home(env.environment, req.raw, env.requestId))

signIn.notFound((context) => {
  const { method, path } = context.req
  return answerRefusal(refuseUnserved(method, path), context.env.requestId)
})

/** People read what browsers show. */
signIn.onError((error, { req, env }) => {
  if (!req.header('accept')?.includes('text/html')) return answerFault(error, env.requestId)
  console.error(`request ${env.requestId}:`, error)
  return refusalPage(refuse('fault', 'It has been logged under the request id.'), env.requestId)
})
