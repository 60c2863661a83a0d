// How every peer forwards, as the Workers documentation shows it: nothing added, nothing removed.

export interface PeerEnvironment {
  UPSTREAM: string
  ISSUER: string
  AUDIENCE: string
  /** JSON: the public keys, each with `alg` and `kid`. */
  JWKS: string
}

export function forward(request: Request, environment: PeerEnvironment): Promise<Response> {
  const { pathname, search } = new URL(request.url)
  return fetch(new Request(environment.UPSTREAM + pathname + search, request))
}
