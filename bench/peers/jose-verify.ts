// A Worker that only verifies: jose.jwtVerify with the key in hand, then forwards. The keys are imported once.
import { decodeProtectedHeader, importJWK, type JWK, jwtVerify } from 'jose'
import { forward, type PeerEnvironment } from './forward.ts'

type Key = Awaited<ReturnType<typeof importJWK>>

let keys: Map<string, { alg: string; key: Key }> | undefined

export default {
  async fetch(request: Request, environment: PeerEnvironment): Promise<Response> {
    keys ??= await importKeys(environment)
    const token = request.headers.get('authorization')?.slice('Bearer '.length) ?? ''
    try {
      const held = keys.get(decodeProtectedHeader(token).kid ?? '')
      if (!held) return new Response(null, { status: 401 })
      await jwtVerify(token, held.key, {
        algorithms: [held.alg],
        issuer: environment.ISSUER,
        audience: environment.AUDIENCE,
        requiredClaims: ['exp'],
      })
    } catch {
      return new Response(null, { status: 401 })
    }
    return forward(request, environment)
  },
}

async function importKeys({ JWKS }: PeerEnvironment): Promise<NonNullable<typeof keys>> {
  const { keys: jwks } = JSON.parse(JWKS) as { keys: (JWK & { alg: string; kid: string })[] }
  const imported = jwks.map(async (jwk) => [jwk.kid, { alg: jwk.alg, key: await importJWK(jwk) }] as const)
  return new Map(await Promise.all(imported))
}
