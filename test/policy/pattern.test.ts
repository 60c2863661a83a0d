// Group patterns: what matches and what it captures, which patterns are refused and with what advice, and that
// a match is one walk through the group, whatever the pattern and the group.
import fc from 'fast-check'
import { afterEach, describe, expect, test, vi } from 'vitest'
import {
  type Captured,
  findPatterns,
  indexPatterns,
  matchPattern,
  PATTERN_LENGTH_MAX,
  PATTERN_STARS_MAX,
  type Pattern,
  parsePattern,
} from '../../policy/pattern.ts'
import { naiveMatch } from './interpreter.ts'

function patternOf(text: string, options?: { ignoreCase: boolean }): Pattern {
  const parsed = parsePattern(text, options)
  if (!parsed.ok) throw new Error(`${text} ${parsed.message}`)
  return parsed.pattern
}

const slug = 'a'.repeat(64)

describe('a pattern matches', () => {
  const shouldMatch: [pattern: string, group: string, captured: Captured][] = [
    ['*', '', {}],
    ['*', 'anything: at all', {}],
    ['admin*', 'admin', {}],
    ['admin*', 'admins-of-acme', {}],
    ['*-admin', 'acme-admin', {}],
    ['*-admin', '-admin', {}],
    ['*-admin', 'x-admin-admin', {}],
    ['a*b', 'ab', {}],
    ['a*b', 'a b b', {}],
    ['a*b*c', 'a-b-b-c', {}],
    ['*ab*ab*', 'abab', {}],
    ['*aba*', 'xxaba', {}],
    ['**', 'x', {}],
    ['cn=*,ou=groups,*', 'cn=a,ou=groups,dc=example', {}],
    ['gruppe-ü*', 'gruppe-über', {}],
    ['line*', 'line\nbreak', {}],
    ['a.c*', 'a.c', {}],
    ['^$*', '^$', {}],
    ['{org}', 'acme', { org: 'acme' }],
    ['{org}', slug, { org: slug }],
    ['{org}', '7', { org: '7' }],
    ['{org}', 'constructor', { org: 'constructor' }],
    ['team:{org}', 'team:acme', { org: 'acme' }],
    ['{org}-admin', 'acme-admin', { org: 'acme' }],
    ['{org}--admin', 'a-b--admin', { org: 'a-b' }],
    ['team:{org}:{project}:admin', 'team:acme:web:admin', { org: 'acme', project: 'web' }],
    ['team:{project}@{org}', 'team:web@acme', { project: 'web', org: 'acme' }],
    ['{org}/{project}', 'acme/web-2', { org: 'acme', project: 'web-2' }],
    ['{org}-{project}', 'acme-web-2', { org: 'acme', project: 'web-2' }],
    ['team:{org}:*', 'team:acme:', { org: 'acme' }],
    ['team:{org}:*', 'team:acme:a:b', { org: 'acme' }],
    ['team:{org}:*:admin', 'team:acme:a:b:admin', { org: 'acme' }],
    ['{org}:{project}:*x*', 'acme:web:--x--', { org: 'acme', project: 'web' }],
    ['x{org}x', 'xacmex', { org: 'acme' }],
  ]
  test.each(shouldMatch)('%s, %j', (text, group, captured) => {
    expect(matchPattern(patternOf(text), group)).toEqual(captured)
  })

  test('in upper case and lower case, where it ignores case', () => {
    const entry = { pattern: patternOf('Team:{org}:Ä*', { ignoreCase: true }), ignoreCase: true }
    const index = indexPatterns([entry])
    for (const group of ['team:acme:ä', 'TEAM:ACME:ÄB', 'Team:Acme:äB']) {
      expect(findPatterns(index, group)).toEqual([{ entry, captured: { org: 'acme' } }])
    }
    expect(entry.pattern.text).toBe('Team:{org}:Ä*')
  })

  test('a name that grows in lower case', () => {
    const entry = { pattern: patternOf('İ*', { ignoreCase: true }), ignoreCase: true }
    for (const group of ['İ', 'i̇', 'İx']) expect(findPatterns(indexPatterns([entry]), group)).toHaveLength(1)
  })
})

describe('a pattern does not match', () => {
  const shouldRefuse: [name: string, pattern: string, group: string][] = [
    ['more in front', 'admin*', 'xadmin'],
    ['more behind', '*-admin', 'acme-admins'],
    ['other case', 'Admin*', 'admin'],
    ['a literal twice where it stands once', 'ab*ab', 'ab'],
    ['literals that overlap', 'aba*aba', 'ababa'],
    ['literals in another order', '*a*b*', 'ba'],
    ['a middle that reaches into the end', '*ab*b', 'ab'],
    ['a dot for any character', 'a.c*', 'abc'],
    ['another Unicode form', 'café*', 'cafe\u0301'],
    ['an empty capture', 'team:{org}', 'team:'],
    ['a capture in upper case', 'team:{org}', 'team:Acme'],
    ['a capture with a dash at its end', 'team:{org}', 'team:acme-'],
    ['a capture with a dash in front', 'team:{org}', 'team:-acme'],
    ['a capture with a space', 'team:{org}', 'team:acme '],
    ['a capture with a line break', 'team:{org}', 'team:acme\n'],
    ['a capture with a letter beyond ASCII', 'team:{org}', 'team:äcme'],
    ['a capture of 65', '{org}', `${slug}a`],
    ['a capture with a path', '{org}', '../globex'],
    ['a capture with the literal that follows', '{org}-admin', 'acme-admin-admin'],
    ['a capture up to the second literal', '{org}:{project}:admin', 'acme:web:x:admin'],
    ['a capture where the literal begins earlier', '{org}aba', 'xababa'],
    ['nothing behind the literal', 'team:{org}:{project}', 'team:acme'],
    ['the wrong end', 'team:{org}:{project}:admin', 'team:acme:web:reader'],
    ['the name of the capture', 'team:{org}', 'team:{org}'],
  ]
  test.each(shouldRefuse)('%s', (_name, text, group) => {
    expect(matchPattern(patternOf(text), group)).toBeNull()
  })
})

describe('a pattern is refused for', () => {
  const shouldRefuse: [name: string, pattern: string, message: RegExp][] = [
    ['being exact', 'admins', /neither "\*" nor a capture; .* belongs into idpGroupMappings/],
    [
      'another capture',
      'team:{organization}',
      /the capture \{organization\}; there are \{org\} and \{project\}/,
    ],
    ['a capture in other case', '{Org}', /the capture \{Org\}; there are/],
    ['a capture without a name', '{}', /the capture \{\}; there are/],
    ['a capture twice', '{org}:{org}', /has \{org\} twice/],
    [
      'captures side by side',
      '{org}{project}',
      /\{org\} and what follows, which is ambiguous; put a literal such as ":"/,
    ],
    ['a capture before a star', 'team:{org}*', /nothing between \{org\} and what follows, .*; put a literal/],
    [
      'a capture after a star',
      '*:{org}',
      /after a "\*", so where it begins is ambiguous; put the captures before/,
    ],
    ['a capture between stars', 'a:{org}:*:{project}:*', /\{project\} after a "\*"/],
    ['a brace left open', 'team:{org:*', /"\{" or "\}" that belongs to no capture/],
    ['a brace too many', 'team:{org}}', /"\{" or "\}" that belongs to no capture/],
    ['too many stars', '*a'.repeat(PATTERN_STARS_MAX + 1), /more than 8 "\*"/],
    ['its length', `${'a'.repeat(PATTERN_LENGTH_MAX)}*`, /longer than 200 characters/],
  ]
  test.each(shouldRefuse)('%s', (_name, text, message) => {
    const parsed = parsePattern(text)
    expect(parsed).toMatchObject({ ok: false, message: expect.stringMatching(message) })
  })

  test('nothing at its bounds', () => {
    patternOf(`${'a'.repeat(PATTERN_LENGTH_MAX - 1)}*`)
    patternOf('*a'.repeat(PATTERN_STARS_MAX))
    // In lower case it is longer than it may be written.
    patternOf(`${'İ'.repeat(PATTERN_LENGTH_MAX - 1)}*`, { ignoreCase: true })
  })
})

describe('matching', () => {
  const part = fc.constantFrom('a', 'b', '-', 'ab', ':', 'aba', '*', '{org}', '{project}')
  const text = fc.array(part, { minLength: 1, maxLength: 7 }).map((parts) => parts.join(''))
  const group = fc
    .array(fc.constantFrom('a', 'b', '-', ':', 'ab'), { maxLength: 8 })
    .map((all) => all.join(''))

  test('finds what trying every split finds, by one pattern and through an index', () => {
    const property = fc.property(fc.array(text, { minLength: 1, maxLength: 4 }), group, (texts, name) => {
      const patterns = texts.flatMap((one) => {
        const parsed = parsePattern(one)
        return parsed.ok ? [parsed.pattern] : []
      })
      const naive = patterns.map((one) => naiveMatch(one.text.split(/(\*|\{[a-z]+\})/), name))
      expect(patterns.map((one) => matchPattern(one, name))).toEqual(naive)
      const index = indexPatterns(patterns.map((pattern) => ({ pattern, ignoreCase: false })))
      const found = findPatterns(index, name).map(({ entry }) => entry.pattern)
      expect(new Set(found)).toEqual(new Set(patterns.filter((_, at) => naive[at] !== null)))
      expect(found).toHaveLength(naive.filter((one) => one !== null).length)
    })
    fc.assert(property, { numRuns: 5000 })
  })
})

/**
 * Text that counts the characters that are compared: what a match asks of a string, done in the plainest way.
 * A search that the platform does no worse than this one is linear as well.
 */
class CountedText {
  compared = 0
  readonly length: number
  readonly #text: string
  constructor(text: string) {
    this.#text = text
    this.length = text.length
  }
  startsWith(literal: string, position = 0): boolean {
    for (let index = 0; index < literal.length; index++) {
      this.compared++
      if (this.#text[position + index] !== literal[index]) return false
    }
    return true
  }
  endsWith(literal: string): boolean {
    return this.length >= literal.length && this.startsWith(literal, this.length - literal.length)
  }
  indexOf(literal: string, from: number): number {
    for (let start = from; start + literal.length <= this.length; start++) {
      if (this.startsWith(literal, start)) return start
    }
    return -1
  }
  /** Captures alone; longer ones are cut, which leaves them no slugs. */
  slice(start: number, end: number): string {
    this.compared += Math.min(end - start, 65)
    return this.#text.slice(start, Math.min(end, start + 65))
  }
}

describe('the work of a match', () => {
  const adversarial: [pattern: string, group: (length: number) => string][] = [
    [`${'*a'.repeat(7)}*b`, (length) => 'a'.repeat(length)],
    [`${'*ab'.repeat(8)}`, (length) => 'a'.repeat(length)],
    [`*${'a'.repeat(150)}b*`, (length) => 'a'.repeat(length)],
    [`*${'a'.repeat(90)}b*${'a'.repeat(90)}c*`, (length) => `${'a'.repeat(99)}b`.repeat(length / 100)],
    [`${'*aaaaaaaaaaaaaaaaaaaaab'.repeat(7)}*`, (length) => 'a'.repeat(length)],
    ['*-*-*-*-*-*-*-*x', (length) => '-'.repeat(length)],
    ['{org}a:*', (length) => 'a'.repeat(length)],
    [`{org}:{project}${'b'.repeat(100)}`, (length) => `a:${'b'.repeat(99)}a`.repeat(length / 100)],
    ['team:{org}:{project}:*:*:x', (length) => `team:a:b${':'.repeat(length)}`],
    ['{org}:{project}', (length) => 'a'.repeat(length)],
  ]

  test.each(adversarial)('%s grows no faster than the group', (text, group) => {
    const pattern = patternOf(text)
    const longest = Math.max(...pattern.rest.map(({ length }) => length), 1)
    const work = (length: number) => {
      const counted = new CountedText(group(length))
      const captured = matchPattern(pattern, counted as unknown as string)
      expect(captured).toEqual(matchPattern(pattern, group(length)))
      // Each place of the group is the start of one comparison at most, with one of the literals.
      expect(counted.compared).toBeLessThanOrEqual((counted.length + text.length) * (longest + 1) + 130)
      return counted.compared
    }
    // Besides what each further place costs, a bounded amount.
    const bounded = text.length * (longest + 1)
    const [once, twice, ten] = [work(5000), work(10_000), work(50_000)]
    expect(twice).toBeLessThanOrEqual(2 * once + bounded)
    expect(ten).toBeLessThanOrEqual(10 * once + 10 * bounded)
  })

  afterEach(() => void vi.restoreAllMocks())

  test.each(adversarial)('%s searches a group of a million once from end to end', (text, group) => {
    const pattern = patternOf(text)
    const name = group(1_000_000)
    const searches: { from: number; to: number }[] = []
    const { indexOf } = String.prototype
    vi.spyOn(String.prototype, 'indexOf').mockImplementation(function (this: string, literal, from = 0) {
      const found = indexOf.call(this, literal, from)
      if (this.length === name.length) searches.push({ from, to: found === -1 ? this.length : found })
      return found
    })
    matchPattern(pattern, name)
    vi.restoreAllMocks()
    expect(searches.length).toBeLessThanOrEqual(pattern.captures.length + pattern.rest.length)
    for (const [index, { from }] of searches.entries()) {
      expect(from).toBeGreaterThanOrEqual(searches[index - 1]?.to ?? 0)
    }
  })

  test('follows the patterns that begin as the group does, not their number', () => {
    const many = Array.from({ length: 1000 }, (_, index) => ({
      pattern: patternOf(`team-${index}:*`),
      ignoreCase: false,
    }))
    const tried: string[] = []
    const byPrefix = indexPatterns(many).byPrefix
    const index = {
      ...indexPatterns(many),
      byPrefix: new Map([...byPrefix].map(([prefix, entries]) => [prefix, watched(entries, tried)])),
    }
    expect(findPatterns(index, 'team-77:x').map(({ entry }) => entry.pattern.text)).toEqual(['team-77:*'])
    expect(tried).toEqual(['team-77:*'])
  })
})

/** Notes which entries are looked at. */
function watched<Entry extends { pattern: Pattern }>(entries: readonly Entry[], tried: string[]): Entry[] {
  return entries.map((entry) => ({
    ...entry,
    get pattern() {
      if (!tried.includes(entry.pattern.text)) tried.push(entry.pattern.text)
      return entry.pattern
    },
  }))
}
