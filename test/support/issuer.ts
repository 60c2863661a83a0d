// A test issuer: a real HTTP server with a discovery document and a key set, that can change its keys, fail in
// every way an issuer fails, and tells what was fetched from it.
import { createServer, type ServerResponse } from 'node:http'
import { listen, stopListening } from './servers.ts'
import { mintToken, type SigningKey } from './tokens.ts'

export type OddAnswer =
  | { kind: 'status'; status: number }
  | { kind: 'redirect'; location: string }
  /** Takes the request and never answers; begins to answer and never ends; breaks the connection off. */
  | { kind: 'hang' }
  | { kind: 'stall' }
  | { kind: 'drop' }
  | { kind: 'text'; text: string }

/** The three places of decision T1. */
export type DiscoveryPath = 'openid-configuration' | 'oidc-configuration' | 'oauth-authorization-server'

export interface TestIssuer {
  /** Its `iss`. */
  url: string
  /** Published keys; tokens are signed with the first. */
  keys: SigningKey[]
  /** Published besides: keys nobody should use. */
  extraKeys: unknown[]
  /** Paths that are answered in another way than they should be. */
  answers: Record<string, OddAnswer>
  /** All of them; null: all is well. */
  outage: OddAnswer | null
  /** Every answer comes so much later. */
  delayMs: number
  /** Where its discovery document stands. */
  discovery: DiscoveryPath
  /** Members of the discovery document that are not what they should be. */
  document: Record<string, unknown>
  /** Every path asked for, in order. */
  paths: string[]
  jwksFetches(): number
  /** A good token of the issuer but for what is given. */
  token(claims?: object, header?: object, key?: SigningKey): string
  /** The machine is gone, and is back on the same port. */
  stop(): Promise<void>
  start(): Promise<void>
}

/** `path` follows the origin in the issuer's name, as in `/realms/main`. */
export async function startIssuer(options: { keys: SigningKey[]; path?: string }): Promise<TestIssuer> {
  const { path = '' } = options
  const server = createServer((request, response) => {
    const asked = request.url ?? ''
    issuer.paths.push(asked)
    setTimeout(() => answer(issuer, path, asked, response), issuer.delayMs)
  })
  const port = await listen(server)
  const url = `http://127.0.0.1:${port}${path}`
  const issuer: TestIssuer = {
    url,
    keys: options.keys,
    extraKeys: [],
    answers: {},
    outage: null,
    delayMs: 0,
    discovery: 'openid-configuration',
    document: {},
    paths: [],
    jwksFetches: () => issuer.paths.filter((asked) => asked === `${path}/jwks`).length,
    token: (claims, header, key = issuer.keys[0] as SigningKey) => mintToken(url, key, claims, header),
    stop: () => stopListening(server),
    start: async () => {
      await listen(server, port)
    },
  }
  return issuer
}

function answer(issuer: TestIssuer, path: string, asked: string, response: ServerResponse): void {
  const odd = issuer.outage ?? issuer.answers[asked]
  if (odd) answerOddly(odd, response)
  else if (asked === `${path}/jwks`) answerJson(response, { keys: publishedKeys(issuer) })
  else if (asked === discoveryPath(issuer.discovery, path)) answerJson(response, discoveryDocument(issuer))
  else answerOddly({ kind: 'status', status: 404 }, response)
}

function discoveryDocument({ url, document }: TestIssuer): object {
  return { issuer: url, jwks_uri: `${url}/jwks`, ...document }
}

function publishedKeys({ keys, extraKeys }: TestIssuer): unknown[] {
  return [...keys.map(({ jwk }) => jwk), ...extraKeys]
}

/** RFC 8414 3 puts the well-known part before the issuer's path, OpenID Discovery 4 behind it. */
function discoveryPath(name: DiscoveryPath, path: string): string {
  const inFront = name === 'oauth-authorization-server'
  return inFront ? `/.well-known/${name}${path}` : `${path}/.well-known/${name}`
}

function answerJson(response: ServerResponse, json: unknown): void {
  response.writeHead(200, { 'content-type': 'application/json' })
  response.end(JSON.stringify(json))
}

function answerOddly(odd: OddAnswer, response: ServerResponse): void {
  switch (odd.kind) {
    case 'status':
      response.writeHead(odd.status).end('no')
      return
    case 'redirect':
      response.writeHead(302, { location: odd.location }).end()
      return
    case 'text':
      response.writeHead(200, { 'content-type': 'application/json' }).end(odd.text)
      return
    case 'drop':
      response.destroy()
      return
    case 'stall':
      response.writeHead(200, { 'content-type': 'application/json' }).write('{"keys":[')
      return
    case 'hang':
      return
  }
}
