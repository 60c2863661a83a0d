// The floor: a Hono Worker that answers 200 and does nothing else.
import { Hono } from 'hono'

const app = new Hono()
app.all('*', (context) => context.json({ hello: 'from the edge' }))

export default app
