// A request to a fronted host: admitted and forwarded, or refused.
import { admitAt, findRoute, recallAdmission } from './admit.ts'
import { answerRefusal } from './answers.ts'
import { holdPolicy, policyNow } from './documents/held.ts'
import type { Environment } from './environment.ts'
import { forward } from './forward.ts'

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
  if (!policy.ok) return answerRefusal(policy, requestId)
  const found = findRoute(policy, request)
  if (!found.ok) return answerRefusal(found, requestId)
  const known = recallAdmission(environment, request, found)
  if (known) return forward(request, known, requestId)
  const admission = await admitAt(environment, request, found)
  return admission.ok ? forward(request, admission, requestId) : answerRefusal(admission, requestId)
}
