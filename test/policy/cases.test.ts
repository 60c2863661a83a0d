// Runs cases/*.yaml: policies, and who is let in or refused by them and for which reason. The same files are
// for everybody who asks a policy: each case is one of the tests a policy may hold itself.
import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { parse } from 'yaml'
import { compilePolicy } from '../../policy/compile.ts'
import { loadPolicy } from '../../policy/loaded.ts'
import { runPolicyTests } from '../../policy/policy-tests.ts'
import { documentOf, NOW, ROOT, readProjectFile } from './policies.ts'

/** `principal`, `on`, `request` and `at` are those of a policy's own tests (schema.ts: PolicyTest). */
interface Case {
  name: string
  principal: unknown
  on?: unknown
  request?: string
  at?: string
  permission?: string
  reason?: string
}

interface CasesFile {
  policy: object
  shouldAllow: Case[]
  shouldRefuse: Case[]
}

const FIELDS = ['name', 'principal', 'on', 'request', 'at', 'permission', 'reason']

/** The case as a test of its policy; a request has no permission of its own, the route says it. */
function testOf({ permission, reason, ...asked }: Case, field: 'allow' | 'deny'): object {
  const what = asked.request === undefined ? [permission] : true
  return { ...asked, expect: { [field]: what, ...(reason === undefined ? {} : { reason }) } }
}

const directory = join(ROOT, 'test/policy/cases')
const files = readdirSync(directory).filter((name) => name.endsWith('.yaml'))

test('there are cases for every part of the language', () => expect(files.length).toBeGreaterThanOrEqual(10))

describe.each(files)('%s', (name) => {
  const text = readProjectFile(`test/policy/cases/${name}`)
  const { policy, shouldAllow, shouldRefuse, ...rest } = parse(text) as CasesFile
  const tests = [
    ...shouldAllow.map((one) => testOf(one, 'allow')),
    ...shouldRefuse.map((one) => testOf(one, 'deny')),
  ]
  const document = documentOf(JSON.stringify({ ...policy, tests }))
  const compiled = JSON.parse(JSON.stringify(compilePolicy(document)))
  const results = runPolicyTests(document, loadPolicy(compiled), NOW)
  /** The ids of requirements.md that stand in the file's first comment. */
  const ids = (/^#([^\n]*)/.exec(text)?.[1] ?? '').match(/\[[^\]]*\]/g)?.join(' ') ?? ''

  test('has nothing but a policy and cases, of both kinds, with a reason for each refusal', () => {
    expect(rest).toEqual({})
    expect(shouldAllow.length).toBeGreaterThan(0)
    expect(shouldRefuse.length).toBeGreaterThan(0)
    for (const one of [...shouldAllow, ...shouldRefuse]) {
      expect(FIELDS).toEqual(expect.arrayContaining(Object.keys(one)))
      expect(one.permission === undefined).toBe(one.request !== undefined)
    }
    for (const { reason } of shouldRefuse) expect(reason).toBeDefined()
    for (const { reason } of shouldAllow) expect(reason).toBeUndefined()
  })

  test.each(results.slice(0, shouldAllow.length))(`${ids} allows $name`, ({ checks }) => {
    expect(checks).toEqual([expect.objectContaining({ passed: true })])
  })

  test.each(results.slice(shouldAllow.length))(`${ids} refuses $name`, ({ checks }) => {
    expect(checks).toEqual([expect.objectContaining({ passed: true })])
  })
})
