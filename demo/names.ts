// What the demo's parts and its commands must agree on: default ports, and the names and limits of the grant
// behind `npm run token`. No code, so that a command starts at once.

export const GATEWAY_PORT = 8787
export const IDP_PORT = 8788
export const UPSTREAM_PORT = 8789

export const TOKEN_GRANT = 'urn:postern:demo:token'
export const TOKEN_CLIENT = 'demo-cli'
export const TOKEN_AUDIENCE = 'postern'
export const TOKEN_SECONDS = 300
export const TOKEN_SECONDS_MAX = 86_400

export const SIGNING_ALGORITHMS = ['ES256', 'RS256'] as const
export type SigningAlgorithm = (typeof SIGNING_ALGORITHMS)[number]
