// What a discovery document says to a relying party (OpenID Connect Discovery 3, RFC 8414 2, RFC 9207 3): read once,
// bounded, and kept without a judgement; whether an address may be used is asked when it is (provider.ts).

export interface ProviderMetadata {
  authorizationEndpoint: string | null
  tokenEndpoint: string | null
  userInfoEndpoint: string | null
  endSessionEndpoint: string | null
  /** Whether every answer of the authorization endpoint says who gives it. */
  namesItself: boolean
  /** Null: the document says nothing of it. */
  codeChallengeMethods: string[] | null
  tokenAuthMethods: string[] | null
  responseModes: string[] | null
}

const ADDRESS_LENGTH_MAX = 2000
const LIST_LENGTH_MAX = 100

export function readMetadata(document: Record<string, unknown>): ProviderMetadata {
  return {
    authorizationEndpoint: addressAt(document, 'authorization_endpoint'),
    tokenEndpoint: addressAt(document, 'token_endpoint'),
    userInfoEndpoint: addressAt(document, 'userinfo_endpoint'),
    endSessionEndpoint: addressAt(document, 'end_session_endpoint'),
    namesItself: document.authorization_response_iss_parameter_supported === true,
    codeChallengeMethods: namesAt(document, 'code_challenge_methods_supported'),
    tokenAuthMethods: namesAt(document, 'token_endpoint_auth_methods_supported'),
    responseModes: namesAt(document, 'response_modes_supported'),
  }
}

function addressAt(document: Record<string, unknown>, name: string): string | null {
  const address = document[name]
  return typeof address === 'string' && address !== '' && address.length <= ADDRESS_LENGTH_MAX
    ? address
    : null
}

function namesAt(document: Record<string, unknown>, name: string): string[] | null {
  const names = document[name]
  if (!Array.isArray(names)) return null
  return names.filter((one) => typeof one === 'string').slice(0, LIST_LENGTH_MAX)
}
