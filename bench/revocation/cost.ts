// What a request by a session costs an isolate that holds it, next to one by a bearer token that it has seen before.
import { type Connection, connectTo } from '../control/connection.ts'
import { FRONTED_HOST } from '../sides.ts'
import type { BenchSession } from './people.ts'
import { readerToken, type Stack } from './stack.ts'

const WARM_UP = 200
const ROUNDS = 15
const REQUESTS = 200

/** Round by round, the time of the session's requests over that of the token's. */
export async function sessionRatios(stack: Stack, { path, headers }: BenchSession): Promise<number[]> {
  const connection = connectTo(stack.ports[0]!)
  const bySession = () => timeOf(connection, path, headers)
  const token = { Authorization: `Bearer ${readerToken()}` }
  const byToken = () => timeOf(connection, path, token)
  for (let times = 0; times < WARM_UP / REQUESTS; times++) {
    await bySession()
    await byToken()
  }
  const ratios: number[] = []
  for (let round = 0; round < ROUNDS; round++) {
    const sides = round % 2 === 0 ? [bySession, byToken] : [byToken, bySession]
    const times = [await sides[0]!(), await sides[1]!()]
    if (round % 2 === 1) times.reverse()
    ratios.push(times[0]! / times[1]!)
  }
  connection.close()
  return ratios
}

/** @returns milliseconds. */
async function timeOf(
  connection: Connection,
  path: string,
  headers: Record<string, string>,
): Promise<number> {
  const begun = performance.now()
  for (let times = 0; times < REQUESTS; times++) {
    const { status } = await connection.ask({ host: FRONTED_HOST, path, headers })
    if (status !== 200) throw new Error(`${path} was answered with ${status}.`)
  }
  return performance.now() - begun
}
