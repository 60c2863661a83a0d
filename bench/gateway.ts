// The gateway suite: what a request through Postern costs next to Workers that do less, and what its bundle
// and its start cost (start.ts). All sides run in one workerd and are called with the same headers.
import { gzipSync } from 'node:zlib'
import { getRequest, startUpstream } from './load.ts'
import { inTurn, onceEach, type Results, type Rounds, ratiosOf, type Side, takeTurns } from './measure.ts'
import type { Report } from './report.ts'
import { FRONTED_HOST, gatewayWorker, type Peer, pathOf, peerWorker } from './sides.ts'
import { measureStart } from './start.ts'
import { ALGORITHMS, type BenchAlgorithm, createTokenIssuer, type TokenIssuer } from './tokens.ts'
import { startWorkerd, type Workerd } from './workerd.ts'

const SEEN: Rounds = { warmUpRequests: 6000, rounds: 80, requestsPerRound: 400 }
const UNSEEN: Rounds = { warmUpRequests: 3000, rounds: 30, requestsPerRound: 125 }
const UNSEEN_TOKENS = UNSEEN.warmUpRequests + UNSEEN.rounds * UNSEEN.requestsPerRound
/** Many callers, and many paths for each. */
const SUBJECTS = 50
const SEEN_REQUESTS = 1000
const BAR = 0.85

interface Bench {
  issuer: TokenIssuer
  workerd: Workerd
  report: Report
}

export async function gatewaySuite(report: Report): Promise<void> {
  const upstream = await startUpstream()
  const issuer = createTokenIssuer()
  const gateway = await gatewayWorker(issuer, upstream.origin)
  const names: Peer[] = ['pass-through', 'jose-verify', 'hono-jwk', 'bare-hono']
  const peers = await Promise.all(names.map((name) => peerWorker(name, issuer, upstream.origin)))
  const workerd = await startWorkerd([gateway, ...peers])
  try {
    const bench = { issuer, workerd, report }
    await measureSeen(bench)
    await measureChangingHeaders(bench)
    for (const algorithm of ALGORITHMS) await measureUnseen(bench, algorithm)
    await measureNewPrincipals(bench)
    await measureRefused(bench)
  } finally {
    await workerd.close()
  }
  report.heading('Size and start')
  report.figure('bundle.gzipKiB', 'bundle, minified and gzipped', gzipSync(gateway.code).length / 1024, 'KiB')
  await measureStart({ report, gateway, peers, request: requestWith(tokensFor(issuer, 'RS256', 1)[0]!) })
  upstream.close()
}

async function measureSeen({ issuer, workerd, report }: Bench): Promise<void> {
  const tokens = tokensFor(issuer, 'RS256', SUBJECTS)
  const requests = Array.from({ length: SEEN_REQUESTS }, (_, index) => {
    return requestWith(tokens[index % SUBJECTS]!, { path: pathOf(index) })
  })
  const sides = ['bare-hono', 'pass-through', 'gateway', 'hono-jwk'].map(
    (name): Side => ({ name, status: 200, next: inTurn(requests) }),
  )
  const results = await takeTurns(workerd, sides, SEEN)
  report.heading(`Token seen before, ${SUBJECTS} callers in turn (RS256)`)
  report.side('bareHono', 'bare Hono, 200', results['bare-hono']!)
  report.side('passThrough', 'bare pass-through', results['pass-through']!)
  report.side('gateway.seen', 'Postern', results.gateway!)
  report.side('honoJwk', "Hono's jwk middleware, pass-through", results['hono-jwk']!)
  const seen = ratiosOf(results, 'gateway', 'pass-through')
  report.ratios('gateway.seen', 'Postern / bare pass-through', seen, BAR)
  report.ratios('gateway.honoJwk', "Postern / Hono's jwk", ratiosOf(results, 'gateway', 'hono-jwk'))
}

/** The worst case of keeping a caller's headers: every request of a caller has others than the one before. */
async function measureChangingHeaders({ issuer, workerd, report }: Bench): Promise<void> {
  const tokens = tokensFor(issuer, 'RS256', SUBJECTS)
  const traceparent = `00-${'a'.repeat(32)}-${'b'.repeat(16)}-01`
  const requests = Array.from({ length: SEEN_REQUESTS }, (_, index) => {
    const everyOther = Math.floor(index / SUBJECTS) % 2 === 0
    const headers: Record<string, string> = everyOther ? { Traceparent: traceparent } : {}
    return requestWith(tokens[index % SUBJECTS]!, { path: pathOf(index), headers })
  })
  const sides = ['pass-through', 'gateway'].map(
    (name): Side => ({ name, status: 200, next: inTurn(requests) }),
  )
  const results = await takeTurns(workerd, sides, { ...SEEN, rounds: SEEN.rounds / 2 })
  report.heading("Token seen before, a caller's header names changing with every request")
  report.side('gateway.changing', 'Postern', results.gateway!)
  const ratios = ratiosOf(results, 'gateway', 'pass-through')
  report.ratios('gateway.changing', 'Postern / bare pass-through', ratios)
}

async function measureUnseen(bench: Bench, algorithm: BenchAlgorithm): Promise<void> {
  const { issuer, report } = bench
  const key = `gateway.unseen.${algorithm.toLowerCase()}`
  const tokens = tokensFor(issuer, algorithm, UNSEEN_TOKENS)
  const results = await measureTokens(bench, tokens, 'jose-verify', { gateway: 200, peer: 200 })
  report.heading(`Token never seen, ${algorithm}, ${SUBJECTS} callers in turn`)
  const peerKey = `joseVerify.${algorithm.toLowerCase()}`
  report.side(peerKey, 'jose.jwtVerify, pass-through', results['jose-verify']!)
  report.side(key, 'Postern', results.gateway!)
  report.ratios(key, 'Postern / jose.jwtVerify', ratiosOf(results, 'gateway', 'jose-verify'), BAR)
}

async function measureNewPrincipals(bench: Bench): Promise<void> {
  const { issuer, report } = bench
  const key = 'gateway.unseen.newPrincipal'
  const tokens = tokensFor(issuer, 'RS256', UNSEEN_TOKENS, UNSEEN_TOKENS)
  const results = await measureTokens(bench, tokens, 'jose-verify', { gateway: 200, peer: 200 })
  report.heading('Token never seen, RS256, of a caller never seen: an assertion is signed for each')
  report.side(key, 'Postern', results.gateway!)
  report.ratios(key, 'Postern / jose.jwtVerify', ratiosOf(results, 'gateway', 'jose-verify'))
}

async function measureRefused(bench: Bench): Promise<void> {
  const { issuer, report } = bench
  const tokens = Array.from({ length: UNSEEN_TOKENS }, (_, index) =>
    issuer.token('RS256', { subject: subjectOf(index % SUBJECTS), expiresIn: -600 }),
  )
  const results = await measureTokens(bench, tokens, 'bare-hono', { gateway: 401, peer: 200 })
  report.heading('Token refused: expired, never seen, RS256')
  report.side('gateway.refused', 'Postern', results.gateway!)
  report.ratios('gateway.refused', 'Postern / bare Hono, 200', ratiosOf(results, 'gateway', 'bare-hono'))
}

function measureTokens(
  { workerd }: Bench,
  tokens: string[],
  peer: Peer,
  status: { gateway: number; peer: number },
): Promise<Results> {
  const requests = tokens.map((token, index) => requestWith(token, { path: pathOf(index) }))
  const sides: Side[] = [
    { name: peer, status: status.peer, next: onceEach(requests) },
    { name: 'gateway', status: status.gateway, next: onceEach(requests) },
  ]
  return takeTurns(workerd, sides, UNSEEN)
}

function tokensFor(
  issuer: TokenIssuer,
  algorithm: BenchAlgorithm,
  count: number,
  subjects = SUBJECTS,
): string[] {
  return Array.from({ length: count }, (_, index) =>
    issuer.token(algorithm, { subject: subjectOf(index % subjects) }),
  )
}

function subjectOf(index: number): string {
  return `7f3d1c${String(index).padStart(6, '0')}-4b7e-9a52`
}

/** What a browser application sends. */
function requestWith(
  token: string,
  { path = pathOf(0), headers = {} }: { path?: string; headers?: Record<string, string> } = {},
): Buffer {
  return getRequest(path, {
    Host: FRONTED_HOST,
    'User-Agent':
      'Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Safari/537.36',
    Accept: 'application/json',
    'Accept-Encoding': 'gzip, deflate, br, zstd',
    'Accept-Language': 'en-GB,en;q=0.9,de;q=0.8',
    Authorization: `Bearer ${token}`,
    Cookie: 'theme=dark; session=abcdef0123456789; _ga=GA1.1.1234567890.1234567890',
    'Cache-Control': 'no-cache',
    Referer: `http://${FRONTED_HOST}/`,
    'Sec-Fetch-Mode': 'cors',
    ...headers,
  })
}
