// Servers of the tests on loopback: listening on a free port, and stopping at once with every connection.
import type { Server } from 'node:http'
import type { AddressInfo, Socket } from 'node:net'

/** Open connections, also those that have become WebSockets, which a server itself forgets. */
const connections = new WeakMap<Server, Set<Socket>>()

/** @returns the port. */
export async function listen(server: Server, port = 0): Promise<number> {
  const open = new Set<Socket>()
  connections.set(server, open)
  server.on('connection', (socket) => {
    open.add(socket)
    socket.on('close', () => open.delete(socket))
  })
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject)
    server.listen(port, '127.0.0.1', resolve)
  })
  return (server.address() as AddressInfo).port
}

export async function stopListening(server: Server): Promise<void> {
  if (!server.listening) return
  await new Promise((resolve) => {
    server.close(resolve)
    for (const socket of connections.get(server) ?? []) socket.destroy()
  })
}
