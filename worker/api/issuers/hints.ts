// Recognises what people type where an issuer's address belongs, and says what to do. Pure: whoever asks has
// fetched what there was to fetch.

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

/** What discovery came to, as far as hints go. */
export interface Tried {
  /** As it was typed. */
  issuer: string
  /** Null when all is well. */
  problem: string | null
  /** The issuer that the document which answered names. */
  named: string | null
}

interface Mistake {
  matches: RegExp
  hint: (parts: string[]) => string
}

/** By the address alone; the first that matches speaks. */
const MISTAKES: readonly Mistake[] = [
  {
    // [0-22]
    matches: /^https?:\/\/[^/]+\.auth\.([a-z0-9-]+)\.amazoncognito\.com(?:\/|$)/i,
    hint: ([region]) =>
      `This is the Cognito domain, which serves sign-in pages. The issuer is https://cognito-idp.${region}.amazonaws.com/<user pool id>.`,
  },
  {
    matches: /^https?:\/\/cognito-idp\.([a-z0-9-]+)\.amazonaws\.com\/?$/i,
    hint: ([region]) =>
      `The user pool's id is missing: https://cognito-idp.${region}.amazonaws.com/<user pool id>.`,
  },
  {
    matches: /^https?:\/\/sts\.windows\.net\/([0-9a-f-]{36})\/?$/i,
    hint: ([tenant]) =>
      `This is Microsoft Entra's issuer of version 1 tokens. Use https://login.microsoftonline.com/${tenant}/v2.0, and set requestedAccessTokenVersion to 2 in the application's manifest.`,
  },
  {
    matches: /^https?:\/\/login\.microsoftonline\.com\/(?:common|organizations|consumers)(?:\/|$)/i,
    hint: () =>
      'This address stands for every tenant of Microsoft Entra. Write https://login.microsoftonline.com/{tenantid}/v2.0 and list the tenants you accept in "tenants", or name one tenant by its id.',
  },
  {
    matches: /^https?:\/\/login\.microsoftonline\.com\/([^/]+)\/?$/i,
    hint: ([tenant]) =>
      `The issuer of version 2 tokens ends with /v2.0: https://login.microsoftonline.com/${tenant}/v2.0.`,
  },
  {
    matches: /^https?:\/\/([^/]+)-admin\.(okta(?:preview)?\.com)(?:\/|$)/i,
    hint: ([company, domain]) => `This is Okta's admin console. The issuer is https://${company}.${domain}.`,
  },
  {
    matches: /^https?:\/\/(?:www\.)?github\.com(?:\/|$)/i,
    hint: () => "The issuer of GitHub Actions' tokens is https://token.actions.githubusercontent.com.",
  },
  {
    matches: /^https?:\/\/(?:www\.)?google\.com(?:\/|$)|^https?:\/\/accounts\.google\.com\/.+/i,
    hint: () => "Google's issuer is https://accounts.google.com, with nothing after it.",
  },
  {
    matches: /^(https?:\/\/.+?)\/protocol\/openid-connect(?:\/|$)/i,
    hint: ([realm]) => `This is an endpoint of Keycloak. The issuer is the realm's address: ${realm}.`,
  },
  {
    matches: /\/(?:jwks|jwks\.json|keys|certs)\/?$/i,
    hint: () =>
      'This looks like the address of a key set. Give the issuer, which is the "iss" of its tokens; the address of its keys belongs into "jwksUri".',
  },
  {
    matches: /^(https?:\/\/.+?)\/(?:oauth2\/)?(?:v\d\/)?(?:authorize|token|userinfo)\/?(?:\?.*)?$/i,
    hint: ([base]) => `This is one of the issuer's endpoints. The issuer is likely ${base}.`,
  },
]

/** A recognised mistake and what to do about it; null when nothing is recognised or nothing is wrong. */
export function hintFor({ issuer, problem, named }: Tried): string | null {
  if (problem === null) return null
  const known = knownMistake(issuer)
  if (known !== null) return known
  if (named !== null && named !== issuer) return namedOtherwise(issuer, named)
  if (/^http:/.test(issuer)) return hintOfAddress(issuer)
  if (/answered 404/.test(problem)) {
    if (/\/auth\/realms\//.test(issuer)) {
      return `Keycloak from version 17 on has no /auth in its addresses; try ${issuer.replace('/auth/realms/', '/realms/')}.`
    }
    return 'There is no discovery document. Compare the address with the "iss" of one of its tokens; for an issuer without discovery set "jwksUri" or pin its keys in "jwks".'
  }
  if (/could not be reached|did not answer/.test(problem)) {
    return 'If it is on a private network, bind it to a VPC service ("vpcBinding") or pin its keys in "jwks".'
  }
  if (/redirects are not followed/.test(problem)) {
    return 'Give the address that it leads to, if that is the "iss" of its tokens.'
  }
  return null
}

/** Of an address that may not be fetched at all. */
export function hintOfAddress(issuer: string): string | null {
  const known = knownMistake(issuer)
  if (known !== null) return known
  return /^http:/.test(issuer) ? `Use ${issuer.replace(/^http:/, 'https:')}.` : null
}

function knownMistake(issuer: string): string | null {
  for (const { matches, hint } of MISTAKES) {
    const found = matches.exec(issuer)
    if (found) return hint(found.slice(1))
  }
  return null
}

function namedOtherwise(issuer: string, named: string): string {
  const plain = (text: string) => text.replace(/\/$/, '')
  if (plain(issuer) === plain(named)) {
    return issuer.endsWith('/')
      ? `Its document names it without the slash at the end: use ${named}.`
      : `Its document names it with a slash at the end: use ${named}.`
  }
  if (/^https:\/\/sts\.windows\.net\//.test(named)) return knownMistake(named) as string
  if (plain(issuer).toLowerCase() === plain(named).toLowerCase()) {
    return `Its document writes it otherwise, and both must be equal to the letter: use ${named}.`
  }
  return `Its document names the issuer ${named}. If that is the "iss" of its tokens, use it.`
}
