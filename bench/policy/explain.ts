// explain next to decide, for the same callers and places. What making its output costs is taken to be what
// writing that output as JSON does: it is a hundred mappings and sentences where decide says one. The bar is for
// questions with the answer no, where decide as well looks at every group.
import { explain } from '../../policy/explain.ts'
import { type Loaded, timeOf } from './decide.ts'
import { type Figures, median } from './figures.ts'
import type { Cell } from './peers.ts'
import { type Asked, answer } from './postern.ts'

const RATIO_MAX = 20
const ROUNDS = 15
const QUESTIONS = 100

export function measureExplain(
  figures: Figures,
  { size, policy }: Loaded,
  cells: readonly (Cell & { asked: Asked[] })[],
) {
  figures.heading(`explain next to decide, ${size.mappings} mappings`)
  const ratios = cells.map(({ name, asked }) => {
    const some = asked.slice(0, QUESTIONS)
    const answers: unknown[] = []
    const explainOne = ({ organization, principal, question: { level, now } }: Asked) => {
      return answers.push(explain(policy, organization, principal, { level, now })) > 0
    }
    const times = {
      decide: [] as number[],
      explain: [] as number[],
      output: [] as number[],
      ratio: [] as number[],
    }
    for (let round = -2; round < ROUNDS; round++) {
      answers.length = 0
      const deciding = timeOf(some, (one) => answer(policy, one).allowed)
      const explaining = timeOf(some, explainOne)
      const output = timeOf(answers, (explanation) => JSON.stringify(explanation).length > 0)
      if (round < 0) continue
      times.decide.push(deciding)
      times.explain.push(explaining)
      times.output.push(output)
      times.ratio.push(Math.max(0, explaining - output) / deciding)
    }
    const key = `policy.explain.${name.replaceAll(' ', '.')}`
    const us = (values: number[]) => median(values) / 1000
    const ratio = median(times.ratio)
    const text = `explain, ${name}: (explain - output) / decide = ${ratio.toFixed(1)}`
    figures.figure(`${key}.microseconds`, text, us(times.explain), 'us', 1)
    figures.figure(`${key}.outputMicroseconds`, '  its output as JSON', us(times.output), 'us', 1)
    figures.figure(`${key}.decideMicroseconds`, '  decide', us(times.decide), 'us', 2)
    return ratio
  })
  figures.figure(
    'policy.explain.ratio',
    '  worst ratio of those refused, output taken off',
    Math.max(...ratios.filter((_, index) => cells[index]!.name.endsWith('refuse'))),
    `(at most ${RATIO_MAX})`,
    1,
  )
}
