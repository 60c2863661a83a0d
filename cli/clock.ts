// The time a command answers for. The one place in cli/ that reads the clock.
import { InvalidArgumentError, Option } from 'commander'

/** Seconds since the epoch, as option or by the clock. */
export function nowOption(): Option {
  return new Option('--now <time>', 'answer for this time, such as 2026-12-31T23:59:59Z, not for now')
    .argParser(parseTime)
    .default(undefined)
}

export function secondsNow(option: number | undefined): number {
  return option ?? Math.floor(Date.now() / 1000)
}

export function describeTime(seconds: number): string {
  return new Date(seconds * 1000).toISOString().replace('.000Z', 'Z')
}

function parseTime(text: string): number {
  const isTime = /^\d{4}-\d\d-\d\d(?:T\d\d:\d\d(?::\d\d(?:\.\d+)?)?(?:Z|[+-]\d\d:\d\d))?$/.test(text)
  const milliseconds = isTime ? Date.parse(text) : Number.NaN
  if (Number.isNaN(milliseconds)) {
    throw new InvalidArgumentError('It must be a time with its zone, such as 2026-12-31T23:59:59Z.')
  }
  return milliseconds / 1000
}
