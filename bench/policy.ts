// The policy suite: what a decision costs next to bare Map look-ups and next to the libraries people embed
// otherwise, at three sizes; what a cold isolate's first decision costs; what explaining costs.
import { measureCold } from './policy/cold.ts'
import { agreeOn, cellsOf, loadSize, measureDecide } from './policy/decide.ts'
import { measureExplain } from './policy/explain.ts'
import type { Figures } from './policy/figures.ts'
import { SIZES, type Size } from './policy/mappings.ts'
import { LOAD_LIMITS, measurePeer } from './policy/peers.ts'

const QUESTIONS = 10_000
const EXPLAINED_MAPPINGS = 10_000

export async function policySuite(figures: Figures): Promise<void> {
  // Before there is much in this process's memory.
  measureCold(figures)
  const largest: Largest = new Map()
  for (const [index, size] of SIZES.entries()) await measureSize(figures, size, largest, index === 0)
}

/** Of each peer the largest size that it could load, and its factor there. */
type Largest = Map<string, { size: Size; factor: number }>

async function measureSize(figures: Figures, size: Size, largest: Largest, whole: boolean): Promise<void> {
  figures.heading(`${size.mappings} mappings in ${size.organizations} organization(s)`)
  const loaded = loadSize(figures, size)
  const agreement = { ...agreeOn(loaded, QUESTIONS), whole }
  const agreed = agreement.questions.length
  figures.figure(
    `policy.decide.${size.mappings}.agreed`,
    'questions on which Postern and the Map agree',
    agreed,
    '',
    0,
  )
  const cells = cellsOf(loaded)
  measureDecide(figures, loaded, cells)
  for (const name of ['casbin', 'cedar', 'casl'] as const) {
    const factor = await measurePeer(name, { figures, size, agreement, cells })
    if (factor !== null) largest.set(name, { size, factor })
    else sayTooLarge(figures, name, size, largest.get(name)!)
  }
  if (size.mappings === EXPLAINED_MAPPINGS) measureExplain(figures, loaded, cells)
}

function sayTooLarge(
  figures: Figures,
  name: string,
  { mappings }: Size,
  { size, factor }: { size: Size; factor: number },
): void {
  figures.heading(`${name} does not load ${mappings} mappings within ${LOAD_LIMITS}.`)
  const text = `  ${name}: least factor at its largest size, ${size.mappings}`
  figures.figure(`policy.${name}.largest.${size.mappings}.factor`, text, factor, 'times', 1)
}
