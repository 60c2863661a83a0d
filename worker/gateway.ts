// A request to a fronted host: admitted and forwarded, or refused.
import { admit } from './admit.ts'
import { answerRefusal } from './answers.ts'
import type { Environment } from './environment.ts'
import { forward } from './forward.ts'

export async function gateway(
  environment: Environment,
  request: Request,
  requestId: string,
): Promise<Response> {
  const admission = await admit(environment, request)
  if (!admission.ok) return answerRefusal(admission, requestId)
  const response = await forward(request, admission, requestId)
  return response instanceof Response ? response : answerRefusal(response, requestId)
}
