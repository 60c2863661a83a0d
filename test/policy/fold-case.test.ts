// Names that are compared without regard to case are not compared without regard to which letter they are.
import { describe, expect, test } from 'vitest'
import { foldCase } from '../../policy/fold-case.ts'

describe('foldCase', () => {
  test.each([
    ['Kernel-Admins', 'kernel-admins'],
    ['ÄÖÜ', 'äöü'],
    ['ΣΊΣΥΦΟΣ', 'σίσυφος'],
    ['', ''],
  ])('%j becomes %j', (name, folded) => {
    expect(foldCase(name)).toBe(folded)
  })

  test('no letter beyond ASCII becomes one of ASCII, so that a look-alike group is another group', () => {
    const letters = Array.from({ length: 0x10ffff - 0x80 }, (_, index) => index + 0x80)
    const ascii = letters
      .filter((code) => code < 0xd800 || code > 0xdfff)
      .filter((code) => /^[a-z]$/.test(foldCase(String.fromCodePoint(code))))
    expect(ascii).toEqual([])
    expect(foldCase('\u212aernel-Admins')).toBe('\u212aernel-admins')
  })
})
