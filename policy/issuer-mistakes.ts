// Recognises what people type where an issuer's address belongs, and says what to do: by the address alone, so that
// whoever takes one can say it, before anything is fetched.

interface Mistake {
  matches: RegExp
  hint: (parts: string[]) => string
}

/** The first that matches speaks. */
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

/** A mistake that the address shows, and what to do; null where it shows none. */
export function knownMistake(issuer: string): string | null {
  for (const { matches, hint } of MISTAKES) {
    const found = matches.exec(issuer)
    if (found) return hint(found.slice(1))
  }
  return null
}
