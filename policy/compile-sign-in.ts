// Compiles what concerns signing in: issuers as identity providers of people, and the clients of single sign-on.
import type { CompiledApplication, SignInRule } from './compiled.ts'
import type { Application, SignIn, SingleSignOn } from './schema-sign-in.ts'
import { byName, mapSorted } from './sorted.ts'

/** `id` of the issuer record. */
export function compileSignIn(id: string, signIn: SignIn): SignInRule {
  const { endpoints } = signIn
  return {
    clientId: signIn.clientId,
    authMethod: signIn.authMethod,
    clientAuthentication: signIn.clientAuthentication ?? null,
    clientSecretFrom: signIn.clientSecretFrom ?? null,
    pkce: signIn.pkce,
    // OpenID Connect Core 3.1.2.1: without it a request is none of OpenID Connect.
    scopes: [...new Set(['openid', ...signIn.scopes])],
    label: signIn.label ?? id,
    emailDomains: [...new Set(signIn.emailDomains)].sort(),
    signOut: signIn.signOut ?? null,
    refresh: signIn.refresh,
    endpoints: endpoints
      ? {
          authorization: endpoints.authorization,
          token: endpoints.token ?? null,
          userInfo: endpoints.userInfo ?? null,
          endSession: endpoints.endSession ?? null,
        }
      : null,
    graphEndpoint: signIn.graph?.endpoint ?? null,
  }
}

export function compileApplications(applications: Record<string, Application>): CompiledApplication[] {
  return mapSorted(applications, (id, application) => ({
    id,
    displayName: application.displayName ?? id,
    clientId: application.clientId,
    hosts: [...new Set(application.hosts)].sort(),
    redirectUris: [...new Set(application.redirectUris)].sort(),
    logoutRedirectUris: [...new Set(application.logoutRedirectUris)].sort(),
  })).map(([, application]) => application)
}

/** Members in one order, whatever order they are written in. */
export function compileSingleSignOn(
  written: {
    [Name in keyof SingleSignOn]?: SingleSignOn[Name] | undefined
  },
): Partial<SingleSignOn> {
  const said = Object.entries(written).filter(([, value]) => value !== undefined)
  return Object.fromEntries(said.sort(byName)) as Partial<SingleSignOn>
}
