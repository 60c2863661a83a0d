// What a suite says: figures for people, as they come, and for programs, one flat object at the end.
import { type Ratios, type RoundResult, type Spread, spreadOf } from './measure.ts'

export interface Report {
  /** A paragraph's title. */
  heading(text: string): void
  /** One side, under `${key}.perSecond`, `.p50Ms`, `.p99Ms` and `.cpuMicroseconds` (for each request). */
  side(key: string, name: string, rounds: RoundResult[]): void
  /** A comparison, under `${key}.ratio` (throughput) and `.ratioCpu`; `bar` is what both have to reach. */
  ratios(key: string, name: string, ratios: Ratios, bar?: number): void
  /** A comparison of times, under `${key}.ratio`. */
  timeRatio(key: string, name: string, values: number[]): void
  /** A measure of which less is better, under `key` itself; `bar` is what it may be at most. */
  atMost(key: string, name: string, values: number[], bar?: number): void
  /** A time, under `${key}.milliseconds`. */
  duration(key: string, name: string, milliseconds: number[]): void
  /** A single figure, with one digit after the point unless told. */
  figure(key: string, name: string, value: number, unit: string, digits?: number): void
  /** Everything so far, flat. */
  figures(): Record<string, number>
}

const NAME_WIDTH = 58

export function createReport(write: (line: string) => void): Report {
  const figures: Record<string, number> = {}
  const row = (name: string, ...cells: string[]) => write(`  ${name.padEnd(NAME_WIDTH)}${cells.join('  ')}`)
  return {
    heading(text) {
      write(`\n${text}`)
    },
    side(key, name, rounds) {
      const perSecond = spreadOf(rounds.map((round) => round.perSecond))
      const p50 = spreadOf(rounds.map((round) => round.p50Milliseconds)).median
      const p99 = spreadOf(rounds.map((round) => round.p99Milliseconds)).median
      const cpu = spreadOf(rounds.map((round) => round.cpuMicroseconds)).median
      figures[`${key}.perSecond`] = rounded(perSecond.median, 0)
      figures[`${key}.p50Ms`] = rounded(p50, 3)
      figures[`${key}.p99Ms`] = rounded(p99, 3)
      figures[`${key}.cpuMicroseconds`] = rounded(cpu, 1)
      const rate = `${shown(perSecond, 0)} req/s`
      row(name, rate, `p50 ${p50.toFixed(2)} ms`, `p99 ${p99.toFixed(2)} ms`, `cpu ${cpu.toFixed(0)} us`)
    },
    ratios(key, name, { throughput, cpu }, bar) {
      const spread = spreadOf(throughput)
      const byCpu = spreadOf(cpu).median
      figures[`${key}.ratio`] = rounded(spread.median, 3)
      figures[`${key}.ratioLow`] = rounded(spread.low, 3)
      figures[`${key}.ratioHigh`] = rounded(spread.high, 3)
      if (!Number.isNaN(byCpu)) figures[`${key}.ratioCpu`] = rounded(byCpu, 3)
      const cpuShown = Number.isNaN(byCpu) ? '' : `by cpu ${byCpu.toFixed(3)}`
      row(name, shown(spread, 3), cpuShown, bar === undefined ? '' : judge(bar, spread, byCpu))
    },
    timeRatio(key, name, values) {
      const spread = spreadOf(values)
      figures[`${key}.ratio`] = rounded(spread.median, 3)
      row(name, shown(spread, 3))
    },
    atMost(key, name, values, bar) {
      const spread = spreadOf(values)
      figures[key] = rounded(spread.median, 3)
      const judged = bar === undefined ? '' : `bar ${bar}: ${spread.median <= bar ? 'reached' : 'MISSED'}`
      row(name, shown(spread, 3), judged)
    },
    duration(key, name, milliseconds) {
      const spread = spreadOf(milliseconds)
      figures[`${key}.milliseconds`] = rounded(spread.median, 2)
      row(name, `${shown(spread, 1)} ms`)
    },
    figure(key, name, value, unit, digits = 1) {
      figures[key] = rounded(value, digits)
      row(name, `${value.toFixed(digits)} ${unit}`)
    },
    figures: () => figures,
  }
}

/** Quartiles further apart than this come from a machine that does other things; they show nothing. */
const NOISE_MAX = 0.2

/** On one core, throughput is processor time; a bar is reached when both say so. */
function judge(bar: number, { median, low, high }: Spread, byCpu: number): string {
  if (high - low > NOISE_MAX) return `bar ${bar}: not judged, the machine is too busy`
  const reached = median >= bar && (Number.isNaN(byCpu) || byCpu >= bar)
  return `bar ${bar}: ${reached ? 'reached' : 'MISSED'}`
}

function shown({ median, low, high }: Spread, digits: number): string {
  return `${median.toFixed(digits).padStart(6)} (${low.toFixed(digits)} to ${high.toFixed(digits)})`
}

function rounded(value: number, digits: number): number {
  return Number(value.toFixed(digits))
}
