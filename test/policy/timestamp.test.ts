// Timestamps by arithmetic equal what the language's own clock makes of them.
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { secondsOf } from '../../policy/timestamp.ts'

test.each([
  '1970-01-01T00:00:00Z',
  '2000-02-29T23:59:59Z',
  '1900-03-01T00:00:00Z',
  '2026-12-31T23:59:59+02:00',
  '2026-12-31T23:59-05:30',
  '2026-06-01T00:00:00.25Z',
])('%s', (timestamp) => {
  expect(secondsOf(timestamp)).toBe(Date.parse(timestamp) / 1000)
})

test('any time of four-digit years', () => {
  const times = fc.integer({ min: -62_167_219_200, max: 253_402_300_799 })
  fc.assert(
    fc.property(times, (seconds) => {
      expect(secondsOf(new Date(seconds * 1000).toISOString())).toBe(seconds)
    }),
  )
})
