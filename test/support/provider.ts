// An OpenID provider that does as it is told, for what a real one never does: it signs somebody in without asking, and a
// test changes whatever it answers. What is not changed is as it should be.
import { createHash, randomBytes } from 'node:crypto'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { listen, stopListening } from './servers.ts'
import { nowSeconds } from './time.ts'
import { makeKey, mintToken, type SigningKey } from './tokens.ts'

type Members = Record<string, unknown>

/** A member that is undefined is left out. */
export interface Script {
  /** Whom it signs in. */
  person: Members
  /** Over the claims, the header and the key of the id_token. */
  idToken: Members
  idTokenHeader: Members
  idTokenKey: SigningKey | null
  /** Over the parameters of the answer that the browser carries. */
  response: Members
  /** Keeps the answer, for the test to carry. */
  hold: boolean
  /** In place of the answer of an endpoint. */
  token: { status: number; body: unknown; headers?: Record<string, string> } | null
  userInfo: { status: number; body: unknown } | null
  graph: { status: number; body: unknown } | null
  /** Over the discovery document. */
  document: Members
  /** Run before the token endpoint answers. */
  beforeToken: (() => unknown) | null
}

export interface TestProvider {
  url: string
  keys: SigningKey[]
  script: Script
  /** What the authorization endpoint was asked, newest last. */
  asked: URLSearchParams[]
  /** What the others were asked. */
  calls: { path: string; headers: IncomingMessage['headers']; form: URLSearchParams; body: string }[]
  /** The answer that the browser has carried last, or would have. */
  answered: { redirectUri: string; parameters: Record<string, string> } | null
  /** As it was in the beginning. */
  reset(): void
  stop(): Promise<void>
  start(): Promise<void>
}

interface Kept {
  request: URLSearchParams
  idToken(accessToken: string | null): string
}

export const PERSON: Members = {
  sub: 'alice',
  email: 'alice@acme.example',
  email_verified: true,
  preferred_username: 'alice',
  given_name: 'Alice',
  family_name: 'Anders',
  groups: ['readers'],
}

const usualScript = (): Script => ({
  person: { ...PERSON },
  idToken: {},
  idTokenHeader: {},
  idTokenKey: null,
  response: {},
  hold: false,
  token: null,
  userInfo: null,
  graph: null,
  document: {},
  beforeToken: null,
})

export async function startProvider(keys = [makeKey('ES256')]): Promise<TestProvider> {
  const codes = new Map<string, Kept>()
  const refreshTokens = new Map<string, Kept>()
  const accessTokens = new Set<string>()
  const server = createServer((request, response) => {
    answer(request, response).catch((error: Error) => response.writeHead(500).end(error.stack))
  })
  const port = await listen(server)
  const url = `http://127.0.0.1:${port}`
  const provider: TestProvider = {
    url,
    keys,
    script: usualScript(),
    asked: [],
    calls: [],
    answered: null,
    reset: () => {
      provider.script = usualScript()
      provider.asked = []
      provider.calls = []
    },
    stop: () => stopListening(server),
    start: async () => {
      await listen(server, port)
    },
  }
  return provider

  async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { pathname, searchParams } = new URL(request.url ?? '/', url)
    if (pathname.endsWith('/.well-known/openid-configuration'))
      return json(response, 200, discoveryOf(provider))
    if (pathname === '/jwks') return json(response, 200, { keys: provider.keys.map(({ jwk }) => jwk) })
    if (pathname === '/authorize') return authorize(searchParams, response)
    const body = await textOf(request)
    const form = new URLSearchParams(body)
    provider.calls.push({ path: pathname, headers: request.headers, form, body })
    const { script } = provider
    if (pathname === '/token') {
      await script.beforeToken?.()
      const { status, body: said, headers } = script.token ?? grant(form)
      return json(response, status, said, headers)
    }
    if (pathname === '/userinfo') {
      const known = accessTokens.has((request.headers.authorization ?? '').replace('Bearer ', ''))
      const said =
        script.userInfo ?? (known ? { status: 200, body: script.person } : { status: 401, body: {} })
      return json(response, said.status, said.body)
    }
    if (pathname.startsWith('/graph/')) {
      const said = script.graph ?? { status: 403, body: { error: {} } }
      return json(response, said.status, said.body)
    }
    response.writeHead(404).end()
  }

  function authorize(request: URLSearchParams, response: ServerResponse): void {
    provider.asked.push(request)
    const redirectUri = request.get('redirect_uri') ?? ''
    const kept: Kept = { request, idToken: (accessToken) => mintIdToken(provider, request, accessToken) }
    const implicit = request.get('response_type') === 'id_token'
    const code = random()
    if (!implicit) codes.set(code, kept)
    const parameters = defined({
      ...(implicit ? { id_token: kept.idToken(null) } : { code }),
      state: request.get('state') ?? undefined,
      iss: url,
      ...provider.script.response,
    })
    provider.answered = { redirectUri, parameters }
    if (provider.script.hold) {
      response.writeHead(200, { 'content-type': 'text/html' }).end('held')
      return
    }
    if (!implicit) {
      const location = `${redirectUri}?${new URLSearchParams(parameters)}`
      response.writeHead(303, { location }).end()
      return
    }
    const inputs = Object.entries(parameters).map(([name, value]) => {
      return `<input type="hidden" name="${name}" value="${value}">`
    })
    response.writeHead(200, { 'content-type': 'text/html' })
    response.end(`<form method="post" action="${redirectUri}">${inputs.join('')}</form>`)
  }

  function grant(form: URLSearchParams): { status: number; body: unknown; headers?: Record<string, string> } {
    const refused = (error: string) => ({ status: 400, body: { error, error_description: `no: ${error}` } })
    const type = form.get('grant_type')
    if (type === 'client_credentials') {
      return { status: 200, body: { access_token: random(), token_type: 'Bearer', expires_in: 60 } }
    }
    const store = type === 'refresh_token' ? refreshTokens : codes
    const name = form.get(type === 'refresh_token' ? 'refresh_token' : 'code') ?? ''
    const kept = store.get(name)
    store.delete(name)
    if (!kept || (type !== 'refresh_token' && !fits(kept.request, form))) return refused('invalid_grant')
    const [accessToken, refreshToken] = [random(), random()]
    accessTokens.add(accessToken)
    refreshTokens.set(refreshToken, kept)
    const body = {
      access_token: accessToken,
      token_type: 'Bearer',
      expires_in: 300,
      refresh_token: refreshToken,
    }
    return { status: 200, body: { ...body, id_token: kept.idToken(accessToken) } }
  }
}

/** RFC 7636 4.6, RFC 6749 4.1.3. */
function fits(request: URLSearchParams, form: URLSearchParams): boolean {
  const challenge = request.get('code_challenge')
  const verifier = form.get('code_verifier')
  const proven =
    challenge === null
      ? verifier === null
      : verifier !== null && createHash('sha256').update(verifier).digest('base64url') === challenge
  return proven && request.get('redirect_uri') === form.get('redirect_uri')
}

function mintIdToken(provider: TestProvider, request: URLSearchParams, accessToken: string | null): string {
  const { url, script, keys } = provider
  const key = script.idTokenKey ?? (keys[0] as SigningKey)
  const now = nowSeconds()
  const claims = {
    aud: request.get('client_id'),
    iat: now,
    exp: now + 300,
    jti: undefined,
    nonce: request.get('nonce') ?? undefined,
    sid: 'session-at-the-provider',
    ...(accessToken === null ? {} : { at_hash: halfHash(accessToken) }),
    ...script.person,
    ...script.idToken,
  }
  return mintToken(url, key, claims, script.idTokenHeader)
}

export function halfHash(text: string): string {
  return createHash('sha256').update(text).digest().subarray(0, 16).toString('base64url')
}

function discoveryOf({ url, script }: TestProvider): Members {
  return {
    issuer: url,
    jwks_uri: `${url}/jwks`,
    authorization_endpoint: `${url}/authorize`,
    token_endpoint: `${url}/token`,
    userinfo_endpoint: `${url}/userinfo`,
    end_session_endpoint: `${url}/end`,
    authorization_response_iss_parameter_supported: true,
    code_challenge_methods_supported: ['S256'],
    ...script.document,
  }
}

function defined(members: Members): Record<string, string> {
  const said = Object.entries(members).filter(([, value]) => value !== undefined)
  return Object.fromEntries(said) as Record<string, string>
}

function random(): string {
  return randomBytes(24).toString('base64url')
}

async function textOf(request: IncomingMessage): Promise<string> {
  let text = ''
  for await (const chunk of request.setEncoding('utf8')) text += chunk
  return text
}

function json(response: ServerResponse, status: number, body: unknown, headers: object = {}): void {
  response.writeHead(status, { 'content-type': 'application/json', ...headers })
  response.end(typeof body === 'string' ? body : JSON.stringify(body))
}
