// The control suite: what reading and saving over the management API cost next to the bare statements of D1, with
// 1,000 and with 100,000 mappings; what one edit rewrites; and how long it takes to be obeyed everywhere.
import { measureBuckets } from './control/buckets.ts'
import { connectTo } from './control/connection.ts'
import { ADMIN } from './control/contents.ts'
import { checkSaved, PART_NAMES, type Part, READS, type Side, sideOf } from './control/operations.ts'
import { EDITS, measurePropagation } from './control/propagation.ts'
import { checkSeeded } from './control/seeded.ts'
import { ISOLATES, SCALES, type Scale, type Stack, startStack } from './control/stack.ts'
import { type Plan, type Round, type Rounds, ratiosOf, type Sides, takeTurns } from './control/turns.ts'
import { startUpstream } from './load.ts'
import { spreadOf } from './measure.ts'
import type { Report } from './report.ts'
import { createTokenIssuer, type TokenIssuer } from './tokens.ts'

const READ_ROUNDS: Pick<Plan, 'warmUp' | 'rounds' | 'requests'> = { warmUp: 40, rounds: 25, requests: 20 }
/** Between two saves the first is published. */
const SAVE_ROUNDS: Pick<Plan, 'warmUp' | 'rounds' | 'requests'> = { warmUp: 5, rounds: 60, requests: 1 }
/** While one is published, the next is saved. */
const BURST_ROUNDS: Pick<Plan, 'warmUp' | 'rounds' | 'requests'> = { warmUp: 5, rounds: 10, requests: 5 }
const SAVE_BAR = 3
const READ_BAR = 2
const FLATNESS_BAR = 1.5
/** The re-check time, unless set otherwise. */
const PROPAGATION_BAR_SECONDS = 15

export async function controlSuite(report: Report): Promise<void> {
  const upstream = await startUpstream()
  const issuer = createTokenIssuer()
  const stack = await startStack(issuer, upstream.origin)
  try {
    report.heading('Seeding: as the API leaves it, published to the edge')
    const sides = connect(stack, issuer)
    for (const scale of ['small', 'large'] as const) await seed(report, stack, scale, sides.postern[scale])
    const { cpuTime, settled } = stack
    const reads = await measureParts(report, sides, READS, {
      ...READ_ROUNDS,
      cpuTime,
      settle: async () => {},
    })
    const saves = await measureParts(report, sides, ['save'], { ...SAVE_ROUNDS, cpuTime, settle: settled })
    await measureParts(report, sides, ['burst'], { ...BURST_ROUNDS, cpuTime, settle: settled })
    await checkSaves(stack, sides)
    report.heading('Of these the worst')
    reportWorst(report, 'read', reads, READ_BAR)
    reportWorst(report, 'save', saves, SAVE_BAR)
    await reportEdge(report, stack, sides.postern.large, issuer)
  } finally {
    await stack.close()
    upstream.close()
  }
}

function connect(stack: Stack, issuer: TokenIssuer): Sides {
  const token = issuer.token('RS256', { subject: ADMIN.subject, groups: [ADMIN.group] })
  const side = (port: number, scale: Scale) => sideOf(connectTo(port), token, SCALES[scale])
  return {
    postern: {
      small: side(stack.posternPorts.small[0]!, 'small'),
      large: side(stack.posternPorts.large[0]!, 'large'),
    },
    bare: {
      small: side(stack.barePorts.small, 'small'),
      large: side(stack.barePorts.large, 'large'),
    },
  }
}

async function seed(report: Report, stack: Stack, scale: Scale, admin: Side): Promise<void> {
  const { mappings, organizations } = SCALES[scale]
  await stack.adopted(scale)
  const seq = await stack.seed(scale)
  const begin = performance.now()
  await stack.publish(scale, seq)
  await stack.settled(scale)
  const seconds = (performance.now() - begin) / 1000
  report.figure(
    `control.publish.${mappings}.seconds`,
    `${mappings} mappings of ${organizations} organizations in KV`,
    seconds,
    's',
  )
  await checkSeeded(stack, scale, admin)
  await stack.settled(scale)
}

async function measureParts<Name extends Part>(
  report: Report,
  sides: Sides,
  parts: readonly Name[],
  plan: Plan,
): Promise<[Name, Rounds][]> {
  const measured: [Name, Rounds][] = []
  for (const part of parts) {
    const rounds = await takeTurns(sides, part, plan)
    reportPart(report, part, rounds)
    measured.push([part, rounds])
  }
  return measured
}

function reportPart(report: Report, part: Part, rounds: Rounds): void {
  report.heading(`To ${PART_NAMES[part]}`)
  for (const scale of ['small', 'large'] as const) {
    const { mappings } = SCALES[scale]
    const key = `control.${part}.${mappings}`
    const [ours, bare] = [`postern.${scale}`, `bare.${scale}`] as const
    report.duration(key, `Postern, ${mappings} mappings`, timesOf(rounds[ours]))
    report.duration(`${key}.bare`, '  the statements alone', timesOf(rounds[bare]))
    report.atMost(`${key}.ratio`, '  Postern / the statements', ratiosOf(rounds, ours, bare))
    report.atMost(`${key}.ratioCpu`, '  by processor time', ratiosOf(rounds, ours, bare, 'cpu'))
  }
  const [large, small] = ['postern.large', 'postern.small'] as const
  report.atMost(`control.${part}.flatness`, 'Postern, larger / smaller', ratiosOf(rounds, large, small))
  const byCpu = ratiosOf(rounds, large, small, 'cpu')
  report.atMost(`control.${part}.flatnessCpu`, '  by processor time', byCpu)
}

function timesOf(rounds: Round[]): number[] {
  return rounds.map(({ time }) => time)
}

function reportWorst(report: Report, key: 'read' | 'save', parts: [Part, Rounds][], bar: number): void {
  const worst = (ratios: (rounds: Rounds) => number[]) => {
    const all = parts.map(([part, rounds]) => ({ part, ratios: ratios(rounds) }))
    return all.reduce((left, right) => {
      return spreadOf(left.ratios).median >= spreadOf(right.ratios).median ? left : right
    })
  }
  for (const scale of ['small', 'large'] as const) {
    const { part, ratios } = worst((rounds) => ratiosOf(rounds, `postern.${scale}`, `bare.${scale}`))
    const { mappings } = SCALES[scale]
    const name = `${key}, ${mappings} mappings: ${PART_NAMES[part]}`
    report.atMost(`control.${key}.${mappings}.ratio`, name, ratios, bar)
  }
  const { part, ratios } = worst((rounds) => ratiosOf(rounds, 'postern.large', 'postern.small'))
  report.atMost(`control.${key}.flatness`, `${key}, flatness: ${PART_NAMES[part]}`, ratios, FLATNESS_BAR)
}

/** Every save must be there: as the API reads it, and as a version of its own in the database. */
async function checkSaves(stack: Stack, { postern, bare }: Sides): Promise<void> {
  for (const scale of ['small', 'large'] as const) {
    for (const [twin, side] of [['own', postern[scale]] as const, ['bare', bare[scale]] as const]) {
      const saves = await checkSaved(side)
      for (const table of ['versions', 'audit_events']) {
        const sql = `SELECT count(*) AS count FROM ${table} WHERE operation = 'projects.update'`
        const [row] = await stack.rows<{ count: number }>(scale, twin, sql)
        if (row!.count !== saves)
          throw new Error(`${saves} saves, but ${row!.count} rows of ${table} (${scale}, ${twin}).`)
      }
    }
  }
}

async function reportEdge(report: Report, stack: Stack, admin: Side, issuer: TokenIssuer): Promise<void> {
  report.heading(`An edit on its way to the edge: ${EDITS} edits, ${ISOLATES} isolates, the largest time`)
  const { buckets, written, importSeconds } = await measureBuckets(stack, 'large', admin)
  report.figure(
    'control.import.10000.seconds',
    '10,000 mappings of one organization, saved and published',
    importSeconds,
    's',
  )
  report.figure('control.save.buckets', 'buckets of that organization', buckets, '', 0)
  report.figure('control.save.bucketsWritten', '  rewritten when a group loses a role', written, '', 0)
  const seconds = await measurePropagation(admin, stack.posternPorts.large, issuer)
  const name = 'seconds to the last request decided the old way'
  report.atMost('control.propagation.seconds', name, [Math.max(...seconds)], PROPAGATION_BAR_SECONDS)
  report.figure('control.propagation.median', '  the median edit', spreadOf(seconds).median, 's')
}
