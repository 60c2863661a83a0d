// One decision next to the floor: the same questions, in turn, a cell for each kind of caller and answer. The
// floor and Postern must agree before any is timed.
import type { WholePolicy } from '../../policy/loaded.ts'
import { type Figures, median } from './figures.ts'
import { type Floor, loadFloor } from './floor.ts'
import { type Mapping, mappingsOf, type Question, questionsOf, type Size } from './mappings.ts'
import type { Cell } from './peers.ts'
import { type Asked, answer, askedOf, bytesOf, compileToText, documentOf, loadFromText } from './postern.ts'

const RATIO_MAX = 3
const ROUNDS = 40
const QUESTIONS_PER_CELL = 1000
const CALLERS = 500

export interface Loaded {
  size: Size
  policy: WholePolicy
  floor: Floor
}

export function loadSize(figures: Figures, size: Size): Loaded {
  const mappings = mappingsOf(size)
  const policy = compileAndLoad(figures, size, mappings)
  return { size, policy, floor: loadFloor(mappings) }
}

function compileAndLoad(figures: Figures, size: Size, mappings: readonly Mapping[]): WholePolicy {
  const key = `policy.compile.${size.mappings}`
  const document = documentOf(mappings)
  const begin = performance.now()
  const compiled = compileToText(document)
  const written = performance.now()
  const policy = loadFromText(compiled)
  for (const slug of policy.organizations) policy.organization(slug)
  const loaded = performance.now()
  figures.figure(`${key}.milliseconds`, 'Postern, to compile to text', written - begin, 'ms', 0)
  figures.figure(`${key}.loadMilliseconds`, 'Postern, to parse and load all of it', loaded - written, 'ms', 0)
  figures.figure(`${key}.kibibytes`, 'its documents', bytesOf(compiled) / 1024, 'KiB', 0)
  figures.figure(`${key}.buckets`, '  of them buckets', compiled.buckets.length, '', 0)
  return policy
}

/** Questions of both answers, for ordinary callers and a few with many groups. @throws when the two differ. */
export function agreeOn(
  { size, policy, floor }: Loaded,
  count: number,
): { questions: Question[]; answers: boolean[] } {
  const many = Math.floor(count / 50)
  const made = [
    questionsOf(size, { count: count - many, callers: 2000, groupsEach: 10, allows: floor }),
    questionsOf(size, { count: many, callers: 100, groupsEach: 200, allows: floor }),
  ]
  const lists = made.flatMap(({ allowed, refused }) => [allowed, refused])
  // In turn, so that whoever answers only a part of them answers of every kind.
  const places = lists.flatMap((list) =>
    list.map((question, index) => ({ question, place: index / list.length })),
  )
  const questions = places.toSorted((a, b) => a.place - b.place).map(({ question }) => question)
  const answers = askedOf(policy, questions).map((asked) => answer(policy, asked).allowed)
  const differing = questions.filter((question, index) => floor(question) !== answers[index]).length
  if (differing > 0)
    throw new Error(`Postern and the Map differ on ${differing} of ${questions.length} questions`)
  return { questions, answers }
}

export function cellsOf({ size, policy, floor }: Loaded): (Cell & { asked: Asked[] })[] {
  return [10, 200].flatMap((groupsEach) => {
    const options = { count: 2 * QUESTIONS_PER_CELL, callers: CALLERS, groupsEach, allows: floor }
    const { allowed, refused } = questionsOf(size, options)
    return [
      { name: `${groupsEach} groups allow`, questions: allowed },
      { name: `${groupsEach} groups refuse`, questions: refused },
    ].map((cell) => {
      const asked = askedOf(policy, cell.questions)
      return { ...cell, asked, nanoseconds: () => timeOf(asked, (one) => answer(policy, one).allowed) }
    })
  })
}

/** Of one question, on average. */
export function timeOf<Item>(items: readonly Item[], ask: (item: Item) => boolean): number {
  let allowed = 0
  const begin = performance.now()
  for (const item of items) if (ask(item)) allowed++
  const time = performance.now() - begin
  // What nobody looks at need not be computed.
  if (allowed > items.length) throw new Error('There are more answers than questions.')
  return (time / items.length) * 1e6
}

export function measureDecide(figures: Figures, { size, floor }: Loaded, cells: readonly Cell[]): void {
  const key = `policy.decide.${size.mappings}`
  const times = cells.map(() => ({ ours: [] as number[], bare: [] as number[] }))
  for (let round = -2; round < ROUNDS; round++) {
    cells.forEach(({ questions, nanoseconds }, index) => {
      const bare = timeOf(questions, floor)
      const ours = nanoseconds()
      if (round < 0) return
      times[index]!.bare.push(bare)
      times[index]!.ours.push(ours)
    })
  }
  const ratios = cells.map(({ name }, index) => {
    const { ours, bare } = times[index]!
    const ratio = median(ours.map((time, round) => time / bare[round]!))
    const cellKey = `${key}.${name.replaceAll(' ', '.')}`
    figures.figure(
      `${cellKey}.nanoseconds`,
      `decide, ${name}: ${ratio.toFixed(2)} times the Map`,
      median(ours),
      'ns',
      0,
    )
    figures.figure(`${cellKey}.mapNanoseconds`, `  bare Map, ${name}`, median(bare), 'ns', 0)
    return ratio
  })
  figures.figure(
    `${key}.ratioToMap`,
    '  worst ratio to the Map',
    Math.max(...ratios),
    `(at most ${RATIO_MAX})`,
    2,
  )
}
