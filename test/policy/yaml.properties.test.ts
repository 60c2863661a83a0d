// Whatever the text, parsePolicy ends soon: with problems that have a place in it, or with a policy that
// compiles and loads.
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { stringify } from 'yaml'
import { compilePolicy } from '../../policy/compile.ts'
import { parsePolicy } from '../../policy/document.ts'
import { loadPolicy } from '../../policy/loaded.ts'
import { EVERYTHING } from './everything.ts'
import { readProjectFile } from './policies.ts'

describe('parsePolicy', () => {
  /** The roles of the texts alone: most of the time would go into the whole catalogue. */
  const catalogue = JSON.stringify({
    version: 1,
    roles: {
      GLOBAL_OWNER: { level: 'global' },
      GLOBAL_READ_ONLY: { level: 'global' },
      ORG_OWNER: { level: 'organization', implies: ['GROUP_OWNER'] },
      ORG_MEMBER: { level: 'organization' },
      GROUP_OWNER: { level: 'project', implies: ['GROUP_READ_ONLY'] },
      GROUP_READ_ONLY: { level: 'project', permissions: ['project.read'] },
    },
  })

  const expectAnswer = (text: string) => {
    const parsed = parsePolicy(text, { file: 'policy.yaml', catalogue })
    if (parsed.ok) {
      const compiled = compilePolicy(parsed.policy)
      expect(JSON.parse(JSON.stringify(compiled))).toEqual(compiled)
      expect(() => loadPolicy(compiled)).not.toThrow()
      return
    }
    expect(parsed.problems).not.toEqual([])
    const lines = text.split('\n').length
    for (const { file, line, column, message } of parsed.problems) {
      expect(file).toBe('policy.yaml')
      expect(line).toBeGreaterThanOrEqual(1)
      expect(line).toBeLessThanOrEqual(lines)
      expect(column).toBeGreaterThanOrEqual(1)
      expect(message).not.toBe('')
    }
  }

  test('answers to any bytes', () => {
    const bytes = fc.uint8Array({ maxLength: 300 }).map((array) => new TextDecoder().decode(array))
    const text = fc.oneof(bytes, fc.string({ unit: 'binary', maxLength: 300 }))
    fc.assert(fc.property(text, expectAnswer), { numRuns: 1500 })
  })

  test('answers to any text of what YAML is made of', () => {
    const tokens = [
      'version: 1',
      'routes',
      ':',
      ' ',
      '\n',
      '  ',
      '- ',
      '? ',
      '{',
      '}',
      '[',
      ']',
      ',',
      '&a ',
      '*a',
      '!!map ',
    ]
    const more = [
      '!x',
      '|',
      '>',
      '"',
      "'",
      '#',
      '%YAML 1.1',
      '---',
      '...',
      '<<',
      '__proto__',
      'null',
      '\t',
      '\r',
      '\0',
      '0x1',
    ]
    const text = fc
      .array(fc.constantFrom(...tokens, ...more), { maxLength: 40 })
      .map((parts) => parts.join(''))
    fc.assert(fc.property(text, expectAnswer), { numRuns: 1500 })
  })

  test('answers to any JSON', () => {
    fc.assert(fc.property(fc.json(), expectAnswer), { numRuns: 500 })
  })

  const texts = [readProjectFile('demo/policy.yaml'), stringify(EVERYTHING), JSON.stringify(EVERYTHING)]

  test.each(texts)('accepts each text with this catalogue', (text) => {
    expect(parsePolicy(text, { file: 'policy.yaml', catalogue })).toMatchObject({ ok: true })
  })

  test.each(texts)('answers to each text with pieces cut, doubled, moved and put in', (source) => {
    const offset = fc.nat(source.length)
    const piece = fc.oneof(
      fc.string({ unit: 'binary', maxLength: 5 }),
      fc.constantFrom(': ', '\n', '  ', '- ', '*a', '&a ', '{', '}', '*', 'null', '[]', '{org}'),
    )
    const edit = fc.tuple(offset, fc.nat(60), fc.oneof(piece, fc.tuple(offset, fc.nat(200))))
    const property = fc.property(fc.array(edit, { minLength: 1, maxLength: 4 }), (edits) => {
      const text = edits.reduce((before, [at, cut, put]) => {
        const added = typeof put === 'string' ? put : source.slice(put[0], put[0] + put[1])
        return before.slice(0, at) + added + before.slice(at + cut)
      }, source)
      expectAnswer(text)
    })
    fc.assert(property, { numRuns: 500 })
  })

  test('answers to everything with any value in any place', () => {
    const places: (string | number)[][] = []
    const walk = (value: unknown, path: (string | number)[]) => {
      if (path.length > 0) places.push(path)
      if (typeof value !== 'object' || value === null) return
      for (const [name, member] of Object.entries(value)) walk(member, [...path, name])
    }
    walk(EVERYTHING, [])
    const value = fc.oneof(fc.jsonValue({ maxDepth: 1 }), fc.constantFrom('{org}', '*', 'a.b', 0, ''))
    const property = fc.property(fc.constantFrom(...places), value, (path, put) => {
      const copy = structuredClone(EVERYTHING) as object
      const parent = path.slice(0, -1).reduce((from, step) => from[step as never], copy)
      Object.assign(parent, { [path.at(-1) as string]: put })
      expectAnswer(JSON.stringify(copy))
    })
    fc.assert(property, { numRuns: 600 })
  })
})
