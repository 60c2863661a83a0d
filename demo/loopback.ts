// Servers on this machine only: the ports the demo uses, whether they are free, and listening on them. What
// a server answers is its own file's.
import {
  createServer as createHttpServer,
  type IncomingMessage,
  type Server,
  type ServerResponse,
} from 'node:http'
import { createServer, type ListenOptions } from 'node:net'

/** Names resolve to either of them ("localhost" often to the second), so a port is ours on both. */
const LOOPBACK_HOSTS = ['127.0.0.1', '::1'] as const

/** A machine without IPv6 answers with one of these. */
const HOST_ABSENT = new Set(['EADDRNOTAVAIL', 'EAFNOSUPPORT', 'EINVAL'])

export class DemoError extends Error {}

export interface PortSetting {
  /** The environment variable that chooses the port. */
  variable: string
  /** Who listens there, for people. */
  purpose: string
  port: number
}

/** As browsers and URL parsers write it: without the port where 80 is meant. */
export function loopbackOrigin(host: string, port: number): string {
  return new URL(`http://${host}:${port}`).origin
}

export function readPort(variable: string, fallback: number, purpose: string): PortSetting {
  const text = process.env[variable] || String(fallback)
  const port = /^\d{1,5}$/.test(text) ? Number(text) : 0
  if (port < 1 || port > 65_535) {
    throw new DemoError(
      `${variable}=${text} is not a port for ${purpose}: it takes a number from 1 to 65535.`,
    )
  }
  return { variable, purpose, port }
}

/** Throws a message that names the port and the variable that changes it. */
export async function requireFreePorts(settings: readonly PortSetting[]): Promise<void> {
  for (const [index, { variable, purpose, port }] of settings.entries()) {
    const twin = settings.slice(0, index).find((other) => other.port === port)
    if (twin) {
      throw new DemoError(
        `Port ${port} is asked for twice, for ${twin.purpose} (${twin.variable}) and for ${purpose} (${variable}).`,
      )
    }
    for (const host of LOOPBACK_HOSTS) {
      const code = await tryListen({ host, port })
      if (code === null || HOST_ABSENT.has(code)) continue
      const why = code === 'EADDRINUSE' ? 'is taken by another program' : `cannot be used (${code})`
      throw new DemoError(
        `Port ${port}, for ${purpose}, ${why}. Choose another: ${variable}=${neighbour(port)} npm start`,
      )
    }
  }
}

function neighbour(port: number): number {
  return port < 60_000 ? port + 1000 : port - 1000
}

function tryListen(options: ListenOptions): Promise<string | null> {
  return new Promise((resolve) => {
    const probe = createServer()
    probe.once('error', (error: NodeJS.ErrnoException) => resolve(error.code ?? error.message))
    probe.listen({ ...options, exclusive: true }, () => probe.close(() => resolve(null)))
  })
}

export interface LoopbackServer {
  port: number
  close(): Promise<void>
}

/** Port 0 takes a free one. */
export async function serveLoopback(
  port: number,
  handler: (request: IncomingMessage, response: ServerResponse) => void,
): Promise<LoopbackServer> {
  const servers: Server[] = []
  const close = async () => {
    await Promise.all(servers.map(closeServer))
  }
  let bound = port
  for (const host of LOOPBACK_HOSTS) {
    const server = createHttpServer(handler)
    try {
      bound = await listen(server, { host, port: bound })
      servers.push(server)
    } catch (error) {
      if (servers.length > 0 && HOST_ABSENT.has((error as NodeJS.ErrnoException).code ?? '')) continue
      await close()
      throw error
    }
  }
  return { port: bound, close }
}

function listen(server: Server, options: ListenOptions): Promise<number> {
  return new Promise((resolve, reject) => {
    server.once('error', reject)
    server.listen(options, () => {
      const address = server.address()
      resolve(address !== null && typeof address === 'object' ? address.port : 0)
    })
  })
}

function closeServer(server: Server): Promise<void> {
  return new Promise((resolve) => {
    server.close(() => resolve())
    server.closeAllConnections()
  })
}
