// What can be said of an address by its text alone; policy/ has no URL parser on purpose.

/** Hosts that a browser and the Worker reach without leaving the machine. */
const LOOPBACK = /^http:\/\/(?:localhost|127(?:\.\d{1,3}){3}|\[::1\]|[^/:@]+\.localhost)(?::\d+)?(?:[/?#]|$)/

/** Whether nobody on the way can read or change what is sent there. */
export function isProtected(address: string): boolean {
  return address.startsWith('https://') || LOOPBACK.test(address)
}

/** Ends of addresses that are discovery documents, by decision T1. */
const DOCUMENT_PATHS = ['/.well-known/openid-configuration', '/.well-known/oidc-configuration']
const AUTHORIZATION_SERVER = '/.well-known/oauth-authorization-server'

/**
 * The issuer whose discovery document the address is ([4-5]): what stands before the well-known part, which the
 * document itself may correct; null when the address is none.
 */
export function issuerOfDocument(address: string): string | null {
  const plain = address.replace(/\/$/, '')
  const known = DOCUMENT_PATHS.find((path) => plain.endsWith(path))
  if (known !== undefined) return plain.slice(0, -known.length)
  // RFC 8414 3: the well-known part comes before the issuer's path.
  const [, origin, path] =
    /^(https?:\/\/[^/]+)\/\.well-known\/oauth-authorization-server(\/.*)?$/.exec(plain) ?? []
  if (origin !== undefined) return origin + (path ?? '')
  return plain.endsWith(AUTHORIZATION_SERVER) ? plain.slice(0, -AUTHORIZATION_SERVER.length) : null
}

export function isCognito(issuer: string): boolean {
  return /^https:\/\/cognito-idp\.[a-z0-9-]+\.amazonaws\.com\//.test(issuer)
}

export function isEntra(issuer: string): boolean {
  return /^https:\/\/(?:login\.microsoftonline\.(?:com|us)|login\.partner\.microsoftonline\.cn|sts\.windows\.net)\//.test(
    issuer,
  )
}

/** [0-28]: Entra's Secret ID is a GUID; its values never are. */
export function isGuid(text: string): boolean {
  return /^[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}$/i.test(text.trim())
}
