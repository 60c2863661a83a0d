// How long an edit takes to be obeyed everywhere: callers go steadily through a fronted route of several isolates,
// each loses its only mapping, and what counts is the last request that was still let through.
import { setTimeout as sleep } from 'node:timers/promises'
import { FRONTED_HOST } from '../sides.ts'
import type { TokenIssuer } from '../tokens.ts'
import { connectTo } from './connection.ts'
import { type BenchMapping, projectMappings, projectSlugOf, slugOf } from './contents.ts'
import { ask, type Side } from './operations.ts'

/** Made at different times within the isolates' re-check periods. */
export const EDITS = 6
const BETWEEN_EDITS_MS = 2500
const BETWEEN_REQUESTS_MS = 100
/** So long a caller must have been refused everywhere before its edit counts as obeyed. */
const REFUSED_MS = 2000
const GIVEN_UP_MS = 60_000

/** Somebody with one group, whose mapping in one project lets through. */
interface Caller {
  token: string
  group: string
  /** Of the project, in the API. */
  resource: string
  /** On the fronted host. */
  path: string
}

/** Of each edit the seconds from sending it to the last answer given the old way, by any isolate. */
export async function measurePropagation(
  admin: Side,
  ports: readonly number[],
  issuer: TokenIssuer,
): Promise<number[]> {
  const callers = Array.from({ length: EDITS }, (_, index) => callerOf(index, issuer))
  const streams = callers.map((caller) => ports.map((port) => streamTo(port, caller)))
  try {
    const all = streams.flat()
    await untilEach(all, ({ allowedAt }) => allowedAt > 0, 'not everybody is let through at first')
    const obeyed: Promise<number>[] = []
    for (const [index, caller] of callers.entries()) {
      const sentAt = performance.now()
      await removeMapping(admin, caller)
      obeyed.push(lastAllowed(streams[index]!, sentAt))
      await sleep(BETWEEN_EDITS_MS)
    }
    return await Promise.all(obeyed)
  } finally {
    await Promise.all(streams.flat().map((stream) => stream.end()))
  }
}

function callerOf(index: number, issuer: TokenIssuer): Caller {
  // Organizations that nothing else of the suite writes to.
  const number = 7 + 13 * index
  const organization = slugOf(number)
  const project = projectSlugOf(index)
  const { idpGroups } = projectMappings(number, index).find(({ roleName }) => roleName === 'GROUP_READ_ONLY')!
  const group = idpGroups[0]!
  return {
    token: issuer.token('RS256', { subject: `propagation-${index}`, groups: [group] }),
    group,
    resource: `/organizations/${organization}/projects/${project}`,
    path: `/orgs/${organization}/projects/${project}/work`,
  }
}

async function removeMapping(admin: Side, { group, resource }: Caller): Promise<void> {
  const { body, etag } = await ask(admin, resource)
  const { idpGroupMappings } = JSON.parse(body) as { idpGroupMappings: BenchMapping[] }
  const left = idpGroupMappings.filter(({ idpGroups }) => !idpGroups.includes(group))
  if (left.length !== idpGroupMappings.length - 1) throw new Error(`${resource} has no mapping of ${group}.`)
  const headers = { 'If-Match': `"${etag}"` }
  await ask(admin, resource, { method: 'PATCH', headers, body: { idpGroupMappings: left } })
}

async function lastAllowed(streams: Stream[], sentAt: number): Promise<number> {
  const isRefused = ({ allowedAt, refusedAt }: Stream) => refusedAt > allowedAt + REFUSED_MS
  await untilEach(streams, isRefused, 'an edit is not obeyed')
  return (Math.max(...streams.map(({ allowedAt }) => allowedAt)) - sentAt) / 1000
}

/** One caller's requests to one isolate, one after the other. */
interface Stream {
  /** When the last answer of each kind came; 0: never. */
  allowedAt: number
  refusedAt: number
  /** What ended it before it was to end. */
  failure: Error | null
  end(): Promise<void>
}

function streamTo(port: number, { token, path }: Caller): Stream {
  let ended = false
  const stream: Stream = {
    allowedAt: 0,
    refusedAt: 0,
    failure: null,
    end: () => {
      ended = true
      return running
    },
  }
  const run = async () => {
    const connection = connectTo(port)
    try {
      while (!ended) {
        const headers = { Authorization: `Bearer ${token}` }
        const { status, body } = await connection.ask({ host: FRONTED_HOST, path, headers })
        if (status === 200) stream.allowedAt = performance.now()
        else if (status === 403) stream.refusedAt = performance.now()
        else throw new Error(`${path} was answered with ${status}:\n${body.slice(0, 2000)}`)
        await sleep(BETWEEN_REQUESTS_MS)
      }
    } finally {
      connection.close()
    }
  }
  const running = run().catch((error: Error) => {
    stream.failure = error
  })
  return stream
}

async function untilEach(streams: Stream[], reached: (stream: Stream) => boolean, otherwise: string) {
  const deadline = performance.now() + GIVEN_UP_MS
  while (!streams.every(reached)) {
    const failed = streams.find(({ failure }) => failure !== null)
    if (failed) throw failed.failure
    if (performance.now() > deadline) throw new Error(`After ${GIVEN_UP_MS / 1000} s ${otherwise}.`)
    await sleep(BETWEEN_REQUESTS_MS)
  }
}
