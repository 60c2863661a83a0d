// The least a proxy can do: the idiomatic Worker that forwards everything as it is.
import { forward, type PeerEnvironment } from './forward.ts'

export default {
  fetch: (request: Request, environment: PeerEnvironment): Promise<Response> => forward(request, environment),
}
