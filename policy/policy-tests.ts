// Runs the tests that stand in a policy: a principal as described asks at a level or sends a request, and gets
// what the test expects or not. A policy whose tests fail is not published.
import { checkPolicy } from './check.ts'
import { compilePolicy } from './compile.ts'
import type { IssuerRecord } from './compiled.ts'
import { type Decision, decide, decideRoute, type Proof, rolesAt } from './decide.ts'
import { visitGrants } from './grants.ts'
import { describeLevel, type Level, levelOf } from './level.ts'
import { loadPolicy, organizationAt, type WholePolicy } from './loaded.ts'
import { nearest } from './nearest.ts'
import { type PrincipalResult, principalFromClaims } from './principal.ts'
import type { Fault, Path } from './problems.ts'
import { matchRoute } from './routes.ts'
import type { PolicyDocument, PolicyTest, TestReason } from './schema.ts'
import { type DescribedClaims, describedClaims } from './test-claims.ts'
import { secondsOf } from './timestamp.ts'

/** What a test asks, answered. Routes that ask for no permission let through without a proof. */
export type TestAnswer =
  | { allowed: true; proof: Proof | null }
  | { allowed: false; reason: TestReason; detail: string }

/** A role that is held, by which mapping and which group (null: the default role of members). */
export interface GivenRole {
  role: string
  mapping: string
  group: string | null
}

/** One expectation of a test, and what came of it. */
export interface TestCheck {
  /** Where it is written. */
  path: Path
  passed: boolean
  /** Both as words: `allow "project.read"`. */
  expected: string
  came: string
  /** For a permission or a request; null for roles, and where the test itself is wrong. */
  answer: TestAnswer | null
  /** For roles: the ones given there, from which all that are held follow. */
  given: GivenRole[]
}

export interface TestResult {
  name: string
  path: Path
  passed: boolean
  checks: TestCheck[]
}

/** Every test of the document, in order. `now` is in seconds since the epoch; a test may set its own time. */
export function runPolicyTests(document: PolicyDocument, policy: WholePolicy, now: number): TestResult[] {
  const records = new Map(policy.issuers.map((record) => [record.id, record]))
  return document.tests.map((test, index) => {
    const path = ['tests', index]
    const at = test.at === undefined ? now : secondsOf(test.at)
    const checks = runTest(policy, records, test, at).map((check) => ({
      ...check,
      path: [...path, ...check.path],
    }))
    return { name: test.name, path, passed: checks.every(({ passed }) => passed), checks }
  })
}

/**
 * All that forbids publishing a document: what makes it unsound, else the tests that fail. For those who have
 * the document and not its text; parsePolicy has told of unsound ones already.
 */
export function checkPublishable(document: PolicyDocument, now: number): Fault[] {
  const faults = checkPolicy(document)
  if (faults.length > 0) return faults
  const results = runPolicyTests(document, loadPolicy(compilePolicy(document)), now)
  return results.flatMap(({ name, checks }) => {
    return checks
      .filter(({ passed }) => !passed)
      .map(({ path, expected, came }) => ({
        path,
        message: `the test "${name}" fails: expected ${expected}, came ${came}`,
      }))
  })
}

type Records = ReadonlyMap<string, IssuerRecord>

function runTest(policy: WholePolicy, records: Records, test: PolicyTest, now: number): TestCheck[] {
  if (test.principal === 'anonymous') return [checkRequest(policy, null, null, test, now)]
  const { issuer } = test.principal
  const record = records.get(issuer)
  if (!record)
    return [wrong(['principal', 'issuer'], `an issuer of the policy`, unknownIssuer(issuer, records))]
  const described: DescribedClaims = describedClaims(record, test.principal)
  if (!described.ok) return [wrong(['principal', described.field], 'a principal', described.message)]
  const made = principalFromClaims(record, described.claims)
  if (test.request !== undefined) return [checkRequest(policy, record, made, test, now)]
  const level = levelOf(test.on?.organization ?? null, test.on?.project ?? null)
  return [
    ...checkRoles(policy, made, level, test, now),
    ...checkPermissions(policy, made, level, test, now, 'allow'),
    ...checkPermissions(policy, made, level, test, now, 'deny'),
  ]
}

function unknownIssuer(issuer: string, records: Records): string {
  const known = [...records.keys()]
  const meant = nearest(issuer, known)
  if (meant !== null) return `no issuer "${issuer}"; did you mean "${meant}"?`
  return `no issuer "${issuer}"; there ${known.length > 0 ? `are ${known.join(', ')}` : 'is none'}`
}

/** A test that asks nothing that could be answered. */
function wrong(path: Path, expected: string, came: string): TestCheck {
  return { path, passed: false, expected, came, answer: null, given: [] }
}

function checkRoles(
  policy: WholePolicy,
  made: PrincipalResult,
  level: Level,
  { expect: { roles } }: PolicyTest,
  now: number,
): TestCheck[] {
  if (roles === undefined) return []
  const expected = [...new Set(roles)].sort()
  const organization = organizationAt(policy, level)
  const held = made.ok ? rolesAt(policy, organization, made.principal, level, now).roles : []
  const given: GivenRole[] = []
  if (made.ok && held.length > 0) {
    visitGrants(policy, organization, made.principal, level, now, ({ grant: { role, mapping }, group }) => {
      given.push({ role, mapping, group })
      return false
    })
  }
  const lacking = expected.filter((role) => !held.includes(role))
  const besides = held.filter((role) => !expected.includes(role))
  const differences = [
    ...(lacking.length > 0 ? [`without ${lacking.join(', ')}`] : []),
    ...(besides.length > 0 ? [`also ${besides.join(', ')}`] : []),
    ...(made.ok ? [] : [`${made.reason}: ${made.detail}`]),
  ]
  return [
    {
      path: ['expect', 'roles'],
      passed: lacking.length === 0 && besides.length === 0,
      expected: `${listed(expected)} on ${describeLevel(level)}`,
      came: `${listed(held)}${differences.length > 0 ? ` (${differences.join('; ')})` : ''}`,
      answer: null,
      given,
    },
  ]
}

function listed(roles: readonly string[]): string {
  return roles.length === 0 ? 'no roles' : `the roles ${roles.join(', ')}`
}

function checkPermissions(
  policy: WholePolicy,
  made: PrincipalResult,
  level: Level,
  { expect }: PolicyTest,
  now: number,
  field: 'allow' | 'deny',
): TestCheck[] {
  const permissions = expect[field]
  if (!Array.isArray(permissions)) return []
  return permissions.map((permission, index) => {
    const answer = answerPermission(policy, made, level, permission, now)
    const asked = `"${permission}" on ${describeLevel(level)}`
    return check(['expect', field, index], answer, { field, asked, reason: expect.reason })
  })
}

function answerPermission(
  policy: WholePolicy,
  made: PrincipalResult,
  level: Level,
  permission: string,
  now: number,
): TestAnswer {
  if (!made.ok) return { allowed: false, reason: made.reason, detail: made.detail }
  const decision: Decision = decide(policy, organizationAt(policy, level), made.principal, {
    permission,
    level,
    now,
  })
  return decision
}

interface Asked {
  field: 'allow' | 'deny'
  asked: string
  reason: TestReason | undefined
}

function check(path: Path, answer: TestAnswer, { field, asked, reason }: Asked): TestCheck {
  const wanted = field === 'deny' && reason !== undefined ? ` for ${reason}` : ''
  const passed =
    field === 'allow' ? answer.allowed : !answer.allowed && (reason === undefined || answer.reason === reason)
  return {
    path,
    passed,
    expected: `${field} ${asked}${wanted}`,
    came: describeAnswer(answer),
    answer,
    given: [],
  }
}

function describeAnswer(answer: TestAnswer): string {
  if (!answer.allowed) return `deny for ${answer.reason}: ${answer.detail}`
  if (answer.proof === null) return 'allow, since the route asks for no permission'
  const { role, grantedRole, mapping, group } = answer.proof
  const through = role === grantedRole ? role : `${role}, held through ${grantedRole}`
  return `allow by ${through}, given by ${mapping}${group === null ? '' : ` to the group "${group}"`}`
}

function checkRequest(
  policy: WholePolicy,
  record: IssuerRecord | null,
  made: PrincipalResult | null,
  { request = '', expect }: PolicyTest,
  now: number,
): TestCheck {
  const field = expect.allow === undefined ? 'deny' : 'allow'
  const answer = answerRequest(policy, record, made, request, now)
  return check(['expect', field], answer, { field, asked: request, reason: expect.reason })
}

/** As the Worker admits a request (worker/admit.ts), once the token is believed. */
function answerRequest(
  policy: WholePolicy,
  record: IssuerRecord | null,
  made: PrincipalResult | null,
  request: string,
  now: number,
): TestAnswer {
  const [, method, name, pathname] = /^(\S+) ([^/]+)(.*)$/.exec(request) as unknown as string[]
  const refuse = (reason: TestReason, detail: string): TestAnswer => ({ allowed: false, reason, detail })
  const host = policy.hosts.get(name as string)
  if (!host) return refuse('host_unknown', `No route names the host "${name}".`)
  const match = matchRoute(host, method as string, pathname as string)
  if (!match) return refuse('route_not_found', `${method} ${pathname} is served by no route of ${name}.`)
  const { route, level } = match
  const anonymous = route.requires.kind === 'anonymous'
  if (anonymous && (made === null || route.forwardAuthorization)) return { allowed: true, proof: null }
  if (!made || !record)
    return refuse('credentials_missing', `The route "${route.id}" lets in known callers only.`)
  const elsewhere = level.kind !== 'global' && record.organization !== level.organization
  if (record.organization !== null && elsewhere) {
    const detail = `The issuer "${record.id}" is not trusted in organization ${level.organization}.`
    return refuse('issuer_of_another_organization', detail)
  }
  if (!made.ok) return refuse(made.reason, made.detail)
  return decideRoute(policy, organizationAt(policy, level), made.principal, route, { level, now })
}
