// A request to a fronted host: admitted and forwarded, or refused. What Postern serves there itself is below /.postern/.
import { admitAt, findRoute, recallAdmission } from './admit.ts'
import { holdPolicy, policyNow } from './documents/held.ts'
import type { Environment } from './environment.ts'
import { forward } from './forward.ts'
import { answerPlainly } from './navigation.ts'
import { answerRefused } from './refused.ts'

const OWN_PATHS = '/.postern/'

/**
 * The steps of `admit`, taken one by one: a caller who was admitted the same way before waits for nothing but
 * the upstream.
 */
export async function gateway(
  environment: Environment,
  request: Request,
  requestId: string,
): Promise<Response> {
  const policy = policyNow(environment) ?? (await holdPolicy(environment))
  if (!policy.ok) return answerPlainly(request, policy, requestId)
  if (isOwn(request)) {
    const { frontedHost } = await import('./signin/hosts.ts')
    return frontedHost(environment, request, requestId)
  }
  const found = findRoute(policy, request)
  if (!found.ok) return answerPlainly(request, found, requestId)
  const known = recallAdmission(environment, request, found)
  if (known) return forward(request, known, requestId)
  const admission = await admitAt(environment, request, found)
  if (admission.ok) return forward(request, admission, requestId)
  const at = { policy: policy.content, level: found.level }
  return answerRefused(environment, request, admission, at, requestId)
}

/** The path as it came: what only looks like ours is a path of the upstream's, or none. */
function isOwn({ url }: Request): boolean {
  return url.startsWith(OWN_PATHS, url.indexOf('/', url.indexOf('//') + 2))
}
