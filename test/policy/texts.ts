// Policy texts of the tests, line by line, so that a row can say on which one the problem is.
import { expect } from 'vitest'
import { describeProblems, type Problem } from '../../policy/document.ts'
import { parse } from './policies.ts'

export function problemsOf(text: string, file?: string): Problem[] {
  const parsed = parse(text, file)
  if (parsed.ok) throw new Error('the text was accepted')
  return parsed.problems
}

/** Lines of a document after its first, the version. */
export const lines = (...rest: string[]) => ['version: 1', ...rest].join('\n')
export const issuer = (...rest: string[]) =>
  lines('issuers:', '  okta:', '    issuer: https://okta.example', ...rest)
export const route = (...rest: string[]) =>
  lines(
    'routes:',
    '  api:',
    '    hosts: [h]',
    '    methods: [GET]',
    '    upstream: https://u.example',
    ...rest,
  )
export const acme = (...rest: string[]) => lines('organizations:', '  acme:', ...rest)
export const two = (first: string, second: string) =>
  lines(
    'routes:',
    `  one: {hosts: [h], upstream: 'https://u', access: anonymous, ${first}}`,
    `  two: {hosts: [h], upstream: 'https://u', access: anonymous, ${second}}`,
  )

/** `at` is line and column: "3:5". */
export type Refused = [name: string, text: string, at: string, path: string, message: RegExp]

export function expectProblem(text: string, at: string, path: string, message: RegExp): void {
  const found = problemsOf(text).find((problem) => describeProblems([problem]).includes(` ${path}: `))
  expect(found, describeProblems(problemsOf(text))).toBeDefined()
  expect(`${found?.line}:${found?.column}`).toBe(at)
  expect(found?.message).toMatch(message)
}
