// The Worker: sends each request to the gateway host's pages or through the gateway, and answers for what
// nobody expected. Durable Objects and the RPC entrypoint are exported from here.
import { answerFault } from './answers.ts'
import { type Environment, settingsOf } from './environment.ts'
import { gateway } from './gateway.ts'
import { gatewayHost } from './gateway-host.ts'
import { hostIn } from './path.ts'
import { requestIdOf } from './request-id.ts'

export { IssuerObject } from './keys/issuer-object.ts'
export { SigningKeysObject } from './keys/signing-object.ts'
export { PrincipalObject } from './principals/principal-object.ts'
export { PublisherObject } from './publisher/publisher-object.ts'
export { Authorizer } from './rpc.ts'
export { SessionIndexObject } from './sessions/session-index-object.ts'
export { SessionsObject } from './sessions/sessions-object.ts'
export { SingleUseObject } from './sessions/single-use-object.ts'
export { RestoreObject } from './signin/restore-object.ts'

export default {
  async fetch(request: Request, environment: Environment, context: ExecutionContext): Promise<Response> {
    const requestId = requestIdOf(request)
    try {
      const onGatewayHost = settingsOf(environment).gatewayHosts.has(hostIn(request.url))
      if (!onGatewayHost) return await gateway(environment, request, requestId)
      const response = await gatewayHost.fetch(request, { environment, requestId }, context)
      response.headers.set('x-request-id', requestId)
      // Browsers take no notice of it over http.
      response.headers.set('strict-transport-security', 'max-age=31536000')
      return response
    } catch (error) {
      return answerFault(error, requestId)
    }
  },
}
