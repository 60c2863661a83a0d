// Signing out as an application asks for it, by App ID's path or by `/logout` ([2-15] to [2-19]): only to an address that
// is registered; otherwise a page says why, and nothing ends.
import { holdPolicy } from '../documents/held.ts'
import { type Environment, settingsOf } from '../environment.ts'
import { refusalPage } from '../pages/refusal-page.ts'
import { type Refusal, refuse, shown } from '../refusal.ts'
import { singleSignOnOf } from '../sessions/settings.ts'
import { onlyValue } from './form.ts'
import { signOut } from './sign-out.ts'

/** `GET /oauth/v4/{tenant}/cloud_directory/sso/logout`. */
export function appIdLogout(
  environment: Environment,
  request: Request,
  requestId: string,
  tenant: string,
): Promise<Response> {
  if (tenant === settingsOf(environment).instanceId) {
    return logoutOfApplication(environment, request, requestId)
  }
  const detail = `${shown(tenant)} is not the id of this instance.`
  return refusalPage(refuse('instance_unknown', detail, { check: 'tenant' }), requestId)
}

export async function logoutOfApplication(
  environment: Environment,
  request: Request,
  requestId: string,
): Promise<Response> {
  const allowed = await registeredRedirect(environment, new URL(request.url).searchParams)
  return allowed.ok
    ? signOut(environment, request, requestId, allowed.redirectUri)
    : refusalPage(allowed, requestId, { actions: [{ label: 'Sign out without it', href: '/logout' }] })
}

/** Those of single sign-on are every application's, the others one's own. */
async function registeredRedirect(
  environment: Environment,
  query: URLSearchParams,
): Promise<{ ok: true; redirectUri: string } | Refusal> {
  const policy = await holdPolicy(environment)
  if (!policy.ok) return policy
  const settings = await singleSignOnOf(environment)
  if ('ok' in settings) return settings
  const clientId = onlyValue(query, 'client_id')
  const application = policy.content.applications.find((one) => one.clientId === clientId)
  if (!application) {
    const detail = `No application has the client id ${shown(clientId ?? '')}.`
    return refuse('application_unknown', detail, { check: 'client_id' })
  }
  const redirectUri = onlyValue(query, 'redirect_uri')
  if (!redirectUri) {
    const detail = 'The address must have exactly one "redirect_uri".'
    return refuse('redirect_missing', detail, { check: 'redirect_uri' })
  }
  // To the letter: no two spellings of an address are the same one.
  const registered = [...settings.logoutRedirectUris, ...application.logoutRedirectUris]
  if (registered.includes(redirectUri)) return { ok: true, redirectUri }
  const detail = `${shown(redirectUri)} is not registered for application "${application.id}".`
  return refuse('redirect_not_registered', detail, { check: 'redirect_uri' })
}
