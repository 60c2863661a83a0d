// A cold isolate's first request in an organization of 100 mappings and in one of 100,000. Each measurement is a
// process of its own (cold-process.ts), the organizations in turn.
import { execFileSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { bucketName, bucketOf } from '../../policy/compiled.ts'
import { levelOf } from '../../policy/level.ts'
import type { ColdCase } from './cold-process.ts'
import type { Figures } from './figures.ts'
import { callersOf, mappingsOf, organizationName, projectName } from './mappings.ts'
import { compileToText, documentOf, NOW } from './postern.ts'

const SMALL = { mappings: 100, organizations: 1 }
const LARGE = { mappings: 100_000, organizations: 1 }
const ROUNDS = 20
const RATIO_MAX = 2

export function measureCold(figures: Figures): void {
  figures.heading(
    `First request of a cold isolate: parse the documents it needs, load, decide; quickest of ${ROUNDS} processes`,
  )
  const folder = mkdtempSync(join(tmpdir(), 'postern-bench-'))
  try {
    for (const groups of [10, 200]) {
      const files = [SMALL, LARGE].map((size) => writeCase(folder, size, groups))
      measurePair(figures, groups, files[0]!, files[1]!)
    }
  } finally {
    rmSync(folder, { recursive: true })
  }
}

function measurePair(figures: Figures, groups: number, small: Written, large: Written): void {
  const times = { small: [] as number[], large: [] as number[] }
  for (let round = 0; round < ROUNDS; round++) {
    times.small.push(runCase(small))
    times.large.push(runCase(large))
  }
  // Ten groups are the ordinary caller; what 200 cost is said beside it.
  const key = groups === 10 ? 'policy.cold' : `policy.cold.groups${groups}`
  const say = (name: 'small' | 'large', { buckets, bytes }: Written, mappings: number): number => {
    const read = `${buckets} buckets of ${(bytes / buckets / 1024).toFixed(1)} KiB`
    // A process runs for two milliseconds, so those that the machine disturbed stand far out.
    const quickest = Math.min(...times[name])
    const text = `${mappings} mappings, ${groups} groups: ${read}`
    figures.figure(`${key}.${name}Milliseconds`, text, quickest, 'ms', 2)
    return quickest
  }
  const before = say('small', small, SMALL.mappings)
  const ratio = say('large', large, LARGE.mappings) / before
  figures.figure(`${key}.ratio`, `  ratio, ${groups} groups`, ratio, `(at most ${RATIO_MAX})`, 2)
}

interface Written {
  file: string
  buckets: number
  bytes: number
}

/** Only what the question needs; finding out which that is, is part of what the process does. */
function writeCase(folder: string, size: typeof SMALL, groupsEach: number): Written {
  const compiled = compileToText(documentOf(mappingsOf(size)))
  const slug = organizationName(0)
  const [caller] = callersOf(size, 1, groupsEach)
  const header = new Map(compiled.organizations).get(slug)!
  const count: number = JSON.parse(header).buckets
  const needed = new Set(caller!.groups.map((group) => bucketName(slug, bucketOf(group, count))))
  const buckets = compiled.buckets.filter(([name]) => needed.has(name))
  const cold: ColdCase = {
    policy: compiled.policy,
    slug,
    header,
    buckets,
    groups: caller!.groups,
    permission: 'instance.policy.write',
    level: levelOf(slug, projectName(0)),
    now: NOW,
  }
  const file = join(folder, `${size.mappings}-${groupsEach}.json`)
  writeFileSync(file, JSON.stringify(cold))
  return { file, buckets: buckets.length, bytes: buckets.reduce((sum, [, text]) => sum + text.length, 0) }
}

function runCase({ file }: Written): number {
  const program = join(import.meta.dirname, 'cold-process.ts')
  const answer = JSON.parse(execFileSync(process.execPath, [program, file], { encoding: 'utf8' }))
  if (answer.allowed) throw new Error('The question of the cold start has the answer no.')
  return answer.milliseconds
}
