// Every reason says itself in a sentence, and the wire knows what to answer to each.
import { describe, expect, test } from 'vitest'
import {
  API_REASONS,
  DECISION_REASONS,
  PRINCIPAL_REASONS,
  REASONS,
  REQUEST_REASONS,
  SESSION_REASONS,
  SIGN_IN_REASONS,
  TOKEN_REASONS,
} from '../../policy/reasons.ts'
import { readProjectFile } from './policies.ts'
import { diagnose } from './typescript.ts'

describe('reasons', () => {
  test.each(Object.entries(REASONS))('%s has a sentence', (reason, sentence) => {
    expect(reason).toMatch(/^[a-z]+(?:_[a-z]+)*$/)
    expect(sentence).toMatch(/^[A-Z][\x20-\x7e]{10,}[^.]\.$/)
  })

  test('stand in one list only, each with a sentence of its own', () => {
    const lists = [
      REQUEST_REASONS,
      API_REASONS,
      SESSION_REASONS,
      SIGN_IN_REASONS,
      TOKEN_REASONS,
      PRINCIPAL_REASONS,
      DECISION_REASONS,
    ]
    const all = lists.flatMap((list) => Object.keys(list))
    expect(all).toHaveLength(new Set(all).size)
    expect(Object.keys(REASONS).sort()).toEqual(all.sort())
    expect(new Set(Object.values(REASONS)).size).toBe(all.length)
  })
})

describe('worker/answers.ts', () => {
  const source = readProjectFile('policy/reasons.ts')
  const answers = (reasons: string) =>
    diagnose('worker/tsconfig.json', { 'worker/answers.ts': null, 'policy/reasons.ts': reasons })

  test('compiles', () => expect(answers(source)).toEqual([]))

  test('does not compile with a reason it has no status for', () => {
    const list = 'DECISION_REASONS = {'
    expect(source).toContain(list)
    const found = answers(source.replace(list, `${list}\n  never_heard_of: 'A reason that is new.',`))
    // TS2366: the function lacks an ending return statement.
    expect(found.map(({ file, code }) => ({ file, code }))).toEqual([
      { file: 'worker/answers.ts', code: 2366 },
    ])
  })
})
