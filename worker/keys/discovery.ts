// Finds the address of an issuer's JWKS by its discovery document (decision T1: the standard path, then the
// alias, then RFC 8414).
import { TENANT_PLACEHOLDER } from '../../policy/compiled.ts'
import { type AddressRules, judgeAddress } from './address.ts'
import { type Fetching, fetchJson } from './fetch-json.ts'

export type Discovered =
  /** `foundAt` is the address of the document that answered. */
  | { ok: true; jwksUri: string; foundAt: string; document: Record<string, unknown> }
  /** `answered`: something came back, and it will not do. Otherwise the issuer may just be away. */
  | { ok: false; problem: string; answered: boolean }

/** `issuer` is the configured one, to the letter; the document must name the same (OpenID Discovery 4.3). */
export async function discoverJwksUri(
  issuer: string,
  rules: AddressRules,
  through: Fetching,
): Promise<Discovered> {
  const problems: string[] = []
  let answered = true
  for (const address of discoveryAddresses(issuer)) {
    const wrong = judgeAddress(address, rules)
    if (wrong) return unfit(`${address} ${wrong}`)
    const fetched = await fetchJson(address, through)
    if (fetched.ok) return readDocument(fetched.json, issuer, address, rules)
    problems.push(`${address} ${fetched.problem}`)
    if (fetched.status === 0 || fetched.status >= 500) answered = false
    // No answer at all: the other paths of the same host would only make the caller wait longer.
    if (fetched.status === 0) break
  }
  return { ok: false, problem: problems.join('; '), answered }
}

function unfit(problem: string): Discovered {
  return { ok: false, problem, answered: true }
}

/** Exported for its test. An issuer's own trailing slash is dropped before a path is added (Discovery 4). */
export function discoveryAddresses(issuer: string): string[] {
  // Entra publishes the keys of all tenants under the tenant "common".
  const base = issuer.replace(TENANT_PLACEHOLDER, 'common').replace(/\/$/, '')
  const [, origin = '', path = ''] = /^(https?:\/\/[^/]+)(.*)$/.exec(base) ?? []
  return [
    `${base}/.well-known/openid-configuration`,
    `${base}/.well-known/oidc-configuration`,
    // RFC 8414 3: the well-known part comes before the issuer's path.
    `${origin}/.well-known/oauth-authorization-server${path}`,
  ]
}

function readDocument(json: unknown, issuer: string, foundAt: string, rules: AddressRules): Discovered {
  const document = (typeof json === 'object' && json !== null ? json : {}) as Record<string, unknown>
  if (document.issuer !== issuer) {
    const named =
      typeof document.issuer === 'string' ? `names the issuer "${document.issuer}"` : 'names no issuer'
    return unfit(`${foundAt} ${named}, configured is "${issuer}"`)
  }
  if (typeof document.jwks_uri !== 'string') return unfit(`${foundAt} has no jwks_uri`)
  const wrong = judgeAddress(document.jwks_uri, rules)
  if (wrong) return unfit(`jwks_uri ${document.jwks_uri} ${wrong}`)
  return { ok: true, jwksUri: document.jwks_uri, foundAt, document }
}
