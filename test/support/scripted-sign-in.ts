// A Postern with scripted providers to sign in with (provider.ts), and the steps of a browser one by one.
import { PERSON, startProvider, type TestProvider } from './provider.ts'
import { API_HOST, routeTo, type Setting, startSetting } from './setting.ts'
import { GATEWAY_ORIGIN, type StackOptions } from './stack.ts'
import { createUserAgent, type UserAgent } from './user-agent.ts'

export const CLIENT = 'postern-client'
/** With what has to be written in another way in a header. */
export const CLIENT_SECRET = 'a secret: 100% of the client'
/** Another gateway host of the same instance. */
export const SECOND_ORIGIN = 'https://second.test'
export const CALLBACK = `${GATEWAY_ORIGIN}/oidc/callback`
/** A path of the gateway host that answers anybody. */
export const AFTERWARDS = '/healthz'

/**
 * `code`: authorization code, by a public client. `form`: implicit, by form post. `secret`: a client secret in the place of
 * PKCE; `post`: with it, by form; `key`: private_key_jwt; `unset`: a secret that nobody has set. `graph`: Entra's ways, with
 * Graph; `tenants`: an issuer for several. `own`: acme's own issuer.
 */
const NAMES = ['code', 'form', 'secret', 'post', 'key', 'unset', 'graph', 'tenants', 'own'] as const
export type ProviderName = (typeof NAMES)[number]

/** What Entra knows a person by. */
export const OBJECT_ID = '11111111-2222-3333-4444-555555555555'

/** The tenant that is accepted. */
export const TENANT = '99999999-8888-7777-6666-555555555555'

export const recordId = (name: ProviderName) => (name === 'own' ? 'acme/own' : name)

export interface ScriptedSetting extends Setting {
  providers: Record<ProviderName, TestProvider>
  /** Another browser. */
  browser(): UserAgent
  /** Every provider as in the beginning. */
  reset(): void
}

export async function startScriptedSetting(
  options: Pick<StackOptions, 'variables'> & { isActive?: false } = {},
): Promise<ScriptedSetting> {
  const started = await Promise.all(NAMES.map(async (name) => [name, await startProvider()] as const))
  const providers = Object.fromEntries(started) as ScriptedSetting['providers']
  const issuer = (name: ProviderName, signIn: object, more: object = {}) => ({
    issuer: providers[name].url,
    signIn: { clientId: CLIENT, ...signIn },
    ...more,
  })
  const open = { clientAuthentication: 'none' }
  const setting = await startSetting({
    variables: {
      GATEWAY_ORIGINS: `${GATEWAY_ORIGIN},${SECOND_ORIGIN},http://plain.test`,
      TEST_CLIENT_SECRET: CLIENT_SECRET,
      ...options.variables,
    },
    policy: (policy, { upstream }) => {
      Object.assign(policy.issuers, {
        code: issuer(
          'code',
          { ...open, label: 'The <first> one', emailDomains: ['acme.example'], refresh: true },
          { claims: { access: 'member' } },
        ),
        form: issuer('form', { authMethod: 'implicit', emailDomains: ['globex.example'] }),
        secret: issuer('secret', { pkce: false, clientSecretFrom: 'TEST_CLIENT_SECRET' }),
        post: issuer('post', {
          clientAuthentication: 'client_secret_post',
          clientSecretFrom: 'TEST_CLIENT_SECRET',
        }),
        key: issuer('key', { clientAuthentication: 'private_key_jwt' }),
        unset: issuer('unset', { clientSecretFrom: 'UNSET_CLIENT_SECRET' }),
        graph: issuer(
          'graph',
          { ...open, graph: { endpoint: `${providers.graph.url}/graph` } },
          { preset: 'entra' },
        ),
      })
      policy.issuers.tenants = {
        ...issuer('tenants', open, { preset: 'entra', tenants: [TENANT] }),
        issuer: `${providers.tenants.url}/{tenantid}/v2.0`,
      }
      policy.organizations.acme.issuers = { own: issuer('own', open) }
      policy.idpGroupMappings.push({ roleName: 'GLOBAL_OWNER', idpGroups: ['roots'] })
      const both = { hosts: [API_HOST, 'other.test'] }
      Object.assign(policy.routes, {
        whoami: routeTo(upstream.origin, '/whoami', { access: 'authenticated', ...both }),
        preflighted: routeTo(upstream.origin, '/preflighted', {
          access: 'authenticated',
          forwardPreflight: true,
        }),
      })
      Object.assign(policy, {
        singleSignOn: {
          isActive: options.isActive ?? true,
          logoutRedirectUris: ['http://plain.shop.test/bye'],
        },
        applications: {
          shop: { clientId: 'shop', ...both, logoutRedirectUris: ['https://shop.test/bye'] },
        },
      })
    },
  })
  const reset = () => {
    for (const provider of Object.values(providers)) {
      provider.reset()
      provider.script.person = { ...PERSON, member: true, oid: OBJECT_ID }
    }
    providers.code.script.document = { end_session_endpoint: `${providers.code.url}/ended` }
  }
  reset()
  return {
    ...setting,
    providers,
    reset,
    browser: () => createUserAgent({ stack: setting.stack }),
    close: async () => {
      await setting.close()
      await Promise.all(Object.values(providers).map((provider) => provider.stop()))
    },
  }
}

export type Visited = Awaited<ReturnType<UserAgent['visit']>>

/** Begins to sign in, up to the provider, which keeps its answer: the parameters that a browser would carry. */
export async function beginSignIn(
  { providers }: ScriptedSetting,
  agent: UserAgent,
  name: ProviderName,
  query: Record<string, string> = {},
): Promise<Record<string, string>> {
  const provider = providers[name]
  provider.script.hold = true
  const parameters = new URLSearchParams({ issuer: recordId(name), return_to: AFTERWARDS, ...query })
  const headers = addressOf(agent)
  const { status, url, text } = await agent.visit(`${GATEWAY_ORIGIN}/login?${parameters}`, { headers })
  if (status !== 200 || !url.startsWith(provider.url)) throw new Error(`${url} answered ${status}: ${text}`)
  return { ...provider.answered?.parameters }
}

/** Carries an answer to the gateway, as a redirect or, for the implicit flow, as a form that the provider's page posts. */
export function carry(
  { providers }: ScriptedSetting,
  agent: UserAgent,
  name: ProviderName,
  parameters: Record<string, string>,
): Promise<Visited> {
  const from = providers[name].url
  const headers = addressOf(agent)
  if (name === 'form') return agent.visit(CALLBACK, { method: 'POST', form: parameters, from, headers })
  return agent.visit(`${CALLBACK}?${new URLSearchParams(parameters)}`, { from, headers })
}

const addresses = new WeakMap<UserAgent, string>()
let browsers = 0

/** Each browser has an address of its own, so that the flood control of one file's tests does not meet. */
export function addressOf(agent: UserAgent): Record<string, string> {
  const known = addresses.get(agent)
  if (known === undefined) browsers += 1
  const address = known ?? `192.0.2.${browsers}`
  addresses.set(agent, address)
  return { 'cf-connecting-ip': address }
}

/** Signs in and carries the answer on. */
export async function signInBy(
  setting: ScriptedSetting,
  agent: UserAgent,
  name: ProviderName,
  query: Record<string, string> = {},
): Promise<Visited> {
  return carry(setting, agent, name, await beginSignIn(setting, agent, name, query))
}

/** Who the browser is, as the API says it to its session. */
export async function whoAmI(agent: UserAgent): Promise<{ status: number; me: Record<string, unknown> }> {
  const { status, text } = await agent.fetch(`${GATEWAY_ORIGIN}/api/v1/me`)
  return { status, me: JSON.parse(text) }
}

/** Status and reason of a page that says no. */
export function pageRefusal({ status, text }: Visited): string {
  return `${status} ${/<dt>Reason<\/dt><dd><code>(\w+)<\/code>/.exec(text)?.[1] ?? text}`
}

export function hasSession(agent: UserAgent): boolean {
  return sessionCookie(agent) !== undefined
}

export function sessionCookie(agent: UserAgent): string | undefined {
  return cookieOf(agent, '__Host-postern-session')
}

/** The value of a cookie of the gateway host. */
export function cookieOf(agent: UserAgent, name: string): string | undefined {
  return agent.cookies('gateway.test').get(name)
}
