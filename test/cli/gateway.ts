// A real stack for the command: the gateway host under an address of this machine, and credentials for people.
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { type Api, OWNER, type Person, startApi } from '../support/api.ts'
import { GATEWAY_HOST } from '../support/stack.ts'
import { type Ended, postern, type RunOptions } from './postern.ts'

export interface Gateway {
  api: Api
  url: string
  /** Runs the command against it, as OWNER unless said otherwise. */
  run(args: readonly string[], options?: RunOptions & { as?: Person }): Promise<Ended>
  close(): Promise<void>
}

export async function startGateway(more: Parameters<typeof startApi>[0] = {}): Promise<Gateway> {
  const api = await startApi(more)
  const server = createServer((request, response) => {
    const { host: _host, connection: _connection, ...headers } = request.headers
    const asking = api.stack.open({
      host: GATEWAY_HOST,
      path: request.url ?? '/',
      method: request.method ?? 'GET',
      headers: headers as Record<string, string>,
    })
    asking.on('response', (answer) => {
      response.writeHead(answer.statusCode ?? 500, answer.headers)
      answer.pipe(response)
    })
    asking.on('error', () => response.destroy())
    request.pipe(asking)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  return {
    api,
    url,
    run: (args, { as = OWNER, env = {}, ...options } = {}) => {
      return postern(args, { ...options, env: { POSTERN_URL: url, POSTERN_TOKEN: api.token(as), ...env } })
    },
    close: async () => {
      server.closeAllConnections()
      server.close()
      await api.close()
    },
  }
}
