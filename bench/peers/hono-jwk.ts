// What one gets without writing anything: Hono with its own `jwk` middleware, keys given as options.
import { Hono } from 'hono'
import { jwk } from 'hono/jwk'
import { forward, type PeerEnvironment } from './forward.ts'

const app = new Hono<{ Bindings: PeerEnvironment }>()
let keys: object[] | undefined

app.use(
  '*',
  jwk({
    alg: ['RS256', 'ES256', 'EdDSA'],
    keys: (context) => {
      keys ??= (JSON.parse((context.env as PeerEnvironment).JWKS) as { keys: object[] }).keys
      return keys as never
    },
  }),
)
app.all('*', (context) => forward(context.req.raw, context.env))

export default app
