// How long a Worker takes to be there: from starting workerd to the first answer, and a cold isolate's first
// request with a token. Processes are started anew for each measurement, the sides in turn.
import type { BenchWorker } from './configuration.ts'
import { exchange, getRequest } from './load.ts'
import type { Report } from './report.ts'
import { GATEWAY_HOST } from './sides.ts'
import { startWorkerd } from './workerd.ts'

const STARTS = 15

interface StartBench {
  report: Report
  gateway: BenchWorker
  peers: BenchWorker[]
  /** A request with a valid token. */
  request: Buffer
}

export async function measureStart({ report, gateway, peers, request }: StartBench): Promise<void> {
  const peer = (name: string) => peers.find((worker) => worker.name === name)!
  const bareHono = peer('bare-hono')
  const health = getRequest('/healthz', { Host: GATEWAY_HOST })
  const start = async (worker: BenchWorker) => {
    const workerd = await startWorkerd([worker], { worker: worker.name, request: health })
    await workerd.close()
    return workerd.readyMilliseconds
  }
  const started = await inPairs(
    () => start(gateway),
    () => start(bareHono),
  )
  report.duration(
    'startup',
    'workerd started to first answer, Postern',
    started.map(([ours]) => ours),
  )
  report.duration(
    'bareHono.startup',
    '  the same, bare Hono',
    started.map(([, bare]) => bare),
  )
  report.timeRatio('startup', '  Postern / bare Hono (time: less is better)', quotients(started))

  const first = async (worker: BenchWorker) => {
    const workerd = await startWorkerd([worker, { ...bareHono, name: 'probe' }])
    const { status, answer, milliseconds } = await exchange(workerd.ports[worker.name]!, request)
    await workerd.close()
    if (status !== 200) throw new Error(`The first request was answered with:\n${answer}`)
    return milliseconds
  }
  const firsts = await inPairs(
    () => first(gateway),
    () => first(peer('jose-verify')),
  )
  report.duration(
    'cold.firstRequest',
    "cold isolate's first request, Postern",
    firsts.map(([ours]) => ours),
  )
  report.duration(
    'joseVerify.cold.firstRequest',
    '  the same, jose.jwtVerify',
    firsts.map(([, jose]) => jose),
  )
  report.timeRatio(
    'cold.firstRequest',
    '  Postern / jose.jwtVerify (time: less is better)',
    quotients(firsts),
  )
}

/** Measures both in turn; each starts first every other time. */
async function inPairs(
  ours: () => Promise<number>,
  theirs: () => Promise<number>,
): Promise<[ours: number, theirs: number][]> {
  const pairs: [number, number][] = []
  for (let index = 0; index < STARTS; index++) {
    if (index % 2 === 0) pairs.push([await ours(), await theirs()])
    else {
      const their = await theirs()
      pairs.push([await ours(), their])
    }
  }
  return pairs
}

function quotients(pairs: [ours: number, theirs: number][]): number[] {
  return pairs.map(([ours, theirs]) => ours / theirs)
}
