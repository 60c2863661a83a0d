// The revocation suite: how long a session is still let through after somebody has ended it. A thousand sessions are used on
// several isolates all the while; an admin ends some over the API, the identity provider others over the back channel.
import { request } from 'node:http'
import { setTimeout as sleep } from 'node:timers/promises'
import { connectTo } from './control/connection.ts'
import { ask } from './control/operations.ts'
import { startUpstream } from './load.ts'
import { spreadOf } from './measure.ts'
import type { Report } from './report.ts'
import { sessionRatios } from './revocation/cost.ts'
import { type BenchSession, beginSessions, SESSIONS, SESSIONS_PER_PERSON } from './revocation/people.ts'
import { ISOLATES, logoutToken, type Stack, startStack } from './revocation/stack.ts'
import { type End, startTraffic, type Traffic } from './revocation/traffic.ts'
import { GATEWAY_HOST } from './sides.ts'

/** The re-check time, unless set otherwise. */
const RECHECK_SECONDS = 15
/** How often sessions are asked with: those that end, of a few or of many, and all the others. */
const FEW_PAUSE_MS = 50
const MANY_PAUSE_MS = 5
const MANY = 100
const OTHERS_PAUSE_MS = 4
const OTHERS_STREAMS = 2
/** Each end comes at another time within the isolates' periods. */
const BETWEEN_ENDS_MS = 1100
/** So long after the bound it is still watched. */
const WATCHED_LONGER_MS = 2000
const WARM_UP_TIMEOUT_MS = 60_000

export async function revocationSuite(report: Report): Promise<void> {
  const upstream = await startUpstream()
  const stack = await startStack(upstream.origin)
  try {
    const [first] = await beginSessions(stack, 'cost', SESSIONS_PER_PERSON)
    const ratios = await sessionRatios(stack, first!)
    const usual = await measureEnds(stack, 'usual', RECHECK_SECONDS)
    reportUsual(report, usual)
    report.atMost('revocation.request.ratio', 'a request by a session / by a token seen before', ratios)
    await setRecheck(stack, 0)
    // Until every isolate has learned of it.
    await sleep(RECHECK_SECONDS * 1000)
    reportAtOnce(report, await measureEnds(stack, 'at-once', 0))
  } finally {
    await stack.close()
    upstream.close()
  }
}

/** All ends one after the other, the end of everything last. */
async function measureEnds(stack: Stack, run: string, recheckSeconds: number): Promise<End[]> {
  const sessions = await beginSessions(stack, run, SESSIONS)
  const ends = endsOf(stack, sessions)
  const watchedMs = recheckSeconds * 1000 + WATCHED_LONGER_MS
  const traffic = startTraffic(stack.ports)
  try {
    for (let stream = 0; stream < OTHERS_STREAMS; stream++) {
      const share = sessions.filter((_, index) => index % OTHERS_STREAMS === stream)
      traffic.keepAsking(share, OTHERS_PAUSE_MS)
    }
    await warm(traffic)
    const last = ends.pop()!
    for (const end of ends) {
      traffic.watch(end)
      traffic.keepAsking(end.targets, end.targets.length < MANY ? FEW_PAUSE_MS : MANY_PAUSE_MS)
    }
    for (const end of ends) {
      await perform(end)
      await sleep(recheckSeconds === 0 ? WATCHED_LONGER_MS / 4 : BETWEEN_ENDS_MS)
      traffic.check()
    }
    await sleep(watchedMs)
    traffic.watch(last)
    await perform(last)
    await sleep(watchedMs)
    traffic.check()
    return [...ends, last]
  } finally {
    await traffic.end()
  }
}

async function warm(traffic: Traffic): Promise<void> {
  const deadline = performance.now() + WARM_UP_TIMEOUT_MS
  while (traffic.servedEverywhere() < SESSIONS) {
    traffic.check()
    if (performance.now() > deadline) throw new Error('Not every isolate has served every session.')
    await sleep(100)
  }
}

async function perform(end: End): Promise<void> {
  end.clickedAt = performance.now()
  await end.perform()
  end.acknowledgedAt = performance.now()
}

/** Of each kind a few, of people that no other of them concerns; the last is of all that are left. */
function endsOf(stack: Stack, sessions: readonly BenchSession[]): End[] {
  const of = (issuer: BenchSession['issuer']) => sessions.filter((session) => session.issuer === issuer)
  const staff = [...Map.groupBy(of('staff'), ({ subject }) => subject).values()]
  const next = () => {
    const person = staff.shift()!
    if (person.length !== SESSIONS_PER_PERSON) throw new Error('A person has another number of sessions.')
    return person as [BenchSession, ...BenchSession[]]
  }
  const ends = Array.from({ length: 3 }, () => next()).flatMap((person) => {
    const [session] = person
    const [all, bySid, bySub] = [next(), next(), next()]
    const { issuer, subject } = session
    const api = (body: object) => () => overApi(stack, '/sessions:end', body)
    return [
      endOf('an admin ends one session', [session], api({ issuer, subject, session: session.id })),
      endOf('an admin ends all of a person', all, api({ issuer, subject: all[0].subject })),
      endOf(
        'the issuer ends one session',
        bySid.filter(({ sid }) => sid !== null),
        () => overBackChannel(stack, logoutToken(issuer, { sid: sidOf(bySid) })),
      ),
      endOf('the issuer ends all of a person', bySub, () =>
        overBackChannel(stack, logoutToken(issuer, { sub: bySub[0].subject })),
      ),
    ]
  })
  ends.push(
    endOf('an admin ends all of an organization', of('acme/own'), () =>
      overApi(stack, '/organizations/acme/sessions:end', {}),
    ),
    endOf('an admin ends all of an issuer', of('partners'), () =>
      overApi(stack, '/sessions:end', { issuer: 'partners' }),
    ),
  )
  const ended = new Set(ends.flatMap(({ targets }) => targets))
  const left = sessions.filter((session) => !ended.has(session))
  const all = () => overApi(stack, '/sessions:end?confirm=all', { all: true })
  return [...ends, endOf('an admin ends all of the instance', left, all)]
}

function sidOf(person: readonly BenchSession[]): string {
  return person.find(({ sid }) => sid !== null)!.sid!
}

function endOf(name: string, targets: readonly BenchSession[], perform: () => Promise<void>): End {
  const refused = Array.from({ length: ISOLATES }, () => 0)
  return { name, targets, perform, clickedAt: 0, acknowledgedAt: 0, lastServedAt: 0, servedAfter: 0, refused }
}

async function overApi(stack: Stack, path: string, body: object): Promise<void> {
  const connection = connectTo(stack.ports[0]!)
  await ask({ connection, token: stack.adminToken }, path, { method: 'POST', body })
  connection.close()
}

async function overBackChannel(stack: Stack, token: string): Promise<void> {
  const body = String(new URLSearchParams({ logout_token: token }))
  const status = await new Promise((resolve, reject) => {
    const asking = request({
      ...{ host: '127.0.0.1', port: stack.ports[0], method: 'POST', path: '/oidc/backchannel-logout' },
      headers: { Host: GATEWAY_HOST, 'Content-Type': 'application/x-www-form-urlencoded' },
    })
    asking.on('response', (response) => response.resume().on('end', () => resolve(response.statusCode)))
    asking.on('error', reject)
    asking.end(body)
  })
  if (status !== 200) throw new Error(`A logout token was answered with ${status}.`)
}

async function setRecheck(stack: Stack, recheckSeconds: number): Promise<void> {
  const connection = connectTo(stack.ports[0]!)
  const side = { connection, token: stack.adminToken }
  const { etag } = await ask(side, '/settings')
  const headers = { 'If-Match': `"${etag}"`, Prefer: 'wait' }
  await ask(side, '/settings', { method: 'PATCH', headers, body: { recheckSeconds } })
  connection.close()
}

const secondsOf = ({ lastServedAt, clickedAt }: End) => Math.max(0, lastServedAt - clickedAt) / 1000

function reportUsual(report: Report, ends: readonly End[]): void {
  report.heading(
    `Ending sessions: ${SESSIONS} in use on ${ISOLATES} isolates, ${ends.length} ends, seconds from asking for one to the last request let through`,
  )
  checkEnds(ends)
  report.figure('revocation.recheck.seconds', 're-check time', RECHECK_SECONDS, 's', 0)
  for (const [name, same] of Map.groupBy(ends, (end) => end.name)) {
    const key = `revocation.${name.replaceAll(/[^a-z]+/g, '-')}.seconds`
    report.figure(key, `  ${name}: the last of ${same.length}`, Math.max(...same.map(secondsOf)), 's', 2)
  }
  report.figure('revocation.median.seconds', 'the median end', spreadOf(ends.map(secondsOf)).median, 's', 2)
  report.atMost(
    'revocation.worst.seconds',
    'the worst end',
    [Math.max(...ends.map(secondsOf))],
    RECHECK_SECONDS,
  )
}

function reportAtOnce(report: Report, ends: readonly End[]): void {
  report.heading('The same with a re-check time of 0: every request asks what is new')
  checkEnds(ends)
  const after = ends.reduce((sum, { servedAfter }) => sum + servedAfter, 0)
  const refused = ends.flatMap(({ refused }) => refused).reduce((sum, count) => sum + count, 0)
  report.figure('revocation.zero.refused', 'requests refused after an end', refused, '', 0)
  report.atMost('revocation.zero.servedAfter', 'requests sent after an end and let through', [after], 0)
  const acknowledged = ends.map(({ acknowledgedAt, clickedAt }) => (acknowledgedAt - clickedAt) / 1000)
  report.figure('revocation.zero.worst.seconds', 'the worst end', Math.max(...ends.map(secondsOf)), 's', 3)
  const name = '  the longest time until one was acknowledged'
  report.figure('revocation.zero.acknowledged.seconds', name, Math.max(...acknowledged), 's', 3)
}

/** An end that an isolate did not come up against was not measured. */
function checkEnds(ends: readonly End[]): void {
  for (const { name, refused } of ends) {
    if (Math.min(...refused) < REFUSED_MIN)
      throw new Error(`${name}: isolates refused only ${refused} requests.`)
  }
}
const REFUSED_MIN = 10
