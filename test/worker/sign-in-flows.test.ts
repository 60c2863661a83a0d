// Signing in with a real OpenID provider, the demo's oidc-provider: its own pages and its own way of each flow, every
// client authentication, renewal, and keys that change in the middle.
import { mkdtempSync, rmSync } from 'node:fs'
import { createServer } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { ClientMetadata } from 'oidc-provider'
import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest'
import { type Idp, startIdp } from '../../demo/idp.ts'
import { findPerson } from '../../demo/people.ts'
import { addressOf, hasSession, pageRefusal, whoAmI } from '../support/scripted-sign-in.ts'
import { listen, stopListening } from '../support/servers.ts'
import { type Setting, startSetting } from '../support/setting.ts'
import { GATEWAY_HOST, GATEWAY_ORIGIN } from '../support/stack.ts'
import { createUserAgent, type UserAgent, type Visit } from '../support/user-agent.ts'

const CALLBACK = `${GATEWAY_ORIGIN}/oidc/callback`
const SECRET = 'a secret of at least thirty-two bytes'
const AFTERWARDS = '/healthz'

/** An organization has an `iss` once, so each way has an organization of its own, called as its client is. */
const WAYS = {
  public: { clientAuthentication: 'none', refresh: true },
  basic: { clientSecretFrom: 'IDP_CLIENT_SECRET', pkce: false },
  post: { clientAuthentication: 'client_secret_post', clientSecretFrom: 'IDP_CLIENT_SECRET' },
  key: { clientAuthentication: 'private_key_jwt' },
  implicit: { authMethod: 'implicit' },
  wrong: { clientAuthentication: 'client_secret_post', clientSecretFrom: 'WRONG_CLIENT_SECRET' },
}
type Way = keyof typeof WAYS

const folder = mkdtempSync(join(tmpdir(), 'postern-flows-'))
let setting: Setting
let idp: Idp
let port: number
let clients: ClientMetadata[]
let agent: UserAgent

/** With other keys each time it is named anew. */
const startProvider = async (name: string) => {
  const keysFile = join(folder, `${name}.json`)
  idp = await startIdp({ port, keysFile, redirectUris: [CALLBACK], moreClients: clients })
}

beforeAll(async () => {
  const server = createServer()
  port = await listen(server)
  await stopListening(server)
  const issuer = `http://localhost:${port}`
  setting = await startSetting({
    variables: { IDP_CLIENT_SECRET: SECRET, WRONG_CLIENT_SECRET: 'an-id-in-place-of-the-secret' },
    policy: ({ organizations }) => {
      const scopes = ['email', 'profile', 'groups']
      const rows = Object.entries(WAYS).map(([clientId, more]) => {
        const issuers = { idp: { issuer, signIn: { clientId, scopes, ...more } } }
        return [clientId, { issuers, idpGroupMappings: [], projects: {} }]
      })
      Object.assign(organizations, Object.fromEntries(rows))
    },
  })
  const { text } = await setting.stack.send({ host: GATEWAY_HOST, path: '/.well-known/jwks.json' })
  const method = (token_endpoint_auth_method: ClientMetadata['token_endpoint_auth_method']) => ({
    application_type: 'native' as const,
    redirect_uris: [CALLBACK],
    grant_types: ['authorization_code', 'refresh_token'],
    response_types: ['code' as const],
    token_endpoint_auth_method,
  })
  const secret = { client_secret: SECRET }
  clients = [
    { client_id: 'public', ...method('none') },
    { client_id: 'basic', ...secret, ...method('client_secret_basic') },
    { client_id: 'post', ...secret, ...method('client_secret_post') },
    { client_id: 'wrong', ...secret, ...method('client_secret_post') },
    {
      client_id: 'key',
      ...method('private_key_jwt'),
      token_endpoint_auth_signing_alg: 'ES256',
      jwks: JSON.parse(text),
    },
    { client_id: 'implicit', ...method('none'), grant_types: ['implicit'], response_types: ['id_token'] },
  ]
  await startProvider('first')
})
afterAll(async () => {
  await setting.close()
  await idp.close()
  rmSync(folder, { recursive: true })
})
beforeEach(() => {
  agent = createUserAgent({ stack: setting.stack })
})

const begin = (way: Way): Promise<Visit> => {
  const query = new URLSearchParams({ issuer: `${way}/idp`, return_to: AFTERWARDS })
  return agent.visit(`${GATEWAY_ORIGIN}/login?${query}`, { headers: addressOf(agent) })
}

/** Fills in the provider's page; the page that posts the answer, where there is one, posts it. */
async function fillIn(page: Visit, person: string): Promise<Visit> {
  const form = { username: person, password: person }
  const answer = await agent.visit(page.url, { method: 'POST', form, from: page.url })
  const [, action] = /<form method="post" action="([^"]+)"/.exec(answer.text) ?? []
  if (action === undefined) return answer
  const fields = [...answer.text.matchAll(/name="([^"]+)" value="([^"]*)"/g)]
  const posted = Object.fromEntries(fields.map(([, name, value]) => [name, value]))
  return agent.visit(action, { method: 'POST', form: posted, from: answer.url, headers: addressOf(agent) })
}

const signIn = async (way: Way, person = 'bob') => fillIn(await begin(way), person)

it.each(['public', 'basic', 'post', 'key', 'implicit'] as const)(
  'with %s [0-1] [0-2] [0-3] [0-4] [0-5] [0-15] [0-16] [0-17] [4-1] [4-9] [4-10]',
  async (way) => {
    const done = await signIn(way)
    expect([done.url, done.status]).toEqual([GATEWAY_ORIGIN + AFTERWARDS, 200])
    expect((await whoAmI(agent)).me).toMatchObject({
      identity: { issuer: `${way}/idp`, subject: 'bob' },
      voucher: way,
      userName: 'bob',
      displayName: 'Bob Brandt',
      email: 'bob@acme.example',
      groups: ['acme-payments-readers'],
    })
  },
)

it('with the wrong secret: the page says what to look at [0-28]', async () => {
  const page = await signIn('wrong')
  expect(pageRefusal(page)).toBe('502 provider_misconfigured')
  expect(page.text).toContain('Value, not its id')
  expect(hasSession(agent)).toBe(false)
})

it('somebody who cancels at the provider', async () => {
  const { url } = await begin('public')
  const page = await agent.visit(url, { method: 'POST', form: { cancel: 'yes' }, from: url })
  expect(pageRefusal(page)).toBe('403 provider_refused')
  expect(page.text).toContain('The person cancelled.')
})

it('the provider’s keys change between the request and its answer', async () => {
  await signIn('implicit')
  agent.forget()
  const page = await begin('implicit')
  await idp.close()
  await startProvider('second')
  // Its memory is gone, the person begins there anew; the request is the same.
  await setting.stack.advance(31)
  const asked = page.hops.find(({ url }) => url.includes('/auth?'))?.url ?? ''
  const done = await fillIn(await agent.visit(asked), 'erin')
  expect(done.url).toBe(GATEWAY_ORIGIN + AFTERWARDS)
  expect((await whoAmI(agent)).me).toMatchObject({ identity: { subject: 'erin' } })
})

it('groups that change are learned by the refresh token', async () => {
  const dave = findPerson('dave') as { groups: readonly string[] }
  const later = async (seconds: number) => {
    await setting.stack.advance(seconds)
    return whoAmI(agent)
  }
  await signIn('public', 'dave')
  expect((await whoAmI(agent)).me).toMatchObject({ groups: [] })
  dave.groups = ['acme-admins']
  // No more than the leeway past an hour: the provider's clock does not move.
  await later(3580)
  await later(16)
  await expect.poll(async () => (await later(1)).me.groups, { timeout: 5000 }).toEqual(['acme-admins'])
  dave.groups = []
})
