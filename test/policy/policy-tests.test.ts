// Tests that stand in a policy: which pass, which fail and with what words, and which cannot be written.
import { describe, expect, test } from 'vitest'
import { compilePolicy } from '../../policy/compile.ts'
import { describeProblems } from '../../policy/document.ts'
import { loadPolicy } from '../../policy/loaded.ts'
import { checkPublishable, runPolicyTests, type TestResult } from '../../policy/policy-tests.ts'
import { describePath } from '../../policy/problems.ts'
import { documentOf, parse } from './policies.ts'

const NOW = Date.parse('2026-06-01T00:00:00Z') / 1000

const POLICY = `
version: 1
issuers:
  okta: {issuer: 'https://okta.example'}
  lines: {issuer: 'https://lines.example', groups: {claim: realm.groups, key: name, stripPrefix: /}}
  ids: {issuer: 'https://ids.example', groups: {claim: [list, '0'], separator: ',', names: {id-1: admins}}}
  gate: {issuer: 'https://gate.example', claims: {subject: [who, id], access: may}}
  robots: {issuer: 'https://robots.example', groups: none}
idpGroupMappings:
  - {roleName: GLOBAL_READ_ONLY, idpGroups: [admins]}
  - {roleName: GLOBAL_BACKUP_ADMIN, idpGroups: [temporary], notAfter: '2026-01-01T00:00:00Z'}
  - {roleName: GLOBAL_USER_ADMIN, idpGroups: [admins], when: [{claim: amr, contains: mfa}]}
organizations:
  acme:
    issuers: {own: {issuer: 'https://own.example'}}
    onUnmatched: ORG_MEMBER
    projects:
      web: {idpGroupMappings: [{roleName: GROUP_READ_ONLY, idpGroups: [web]}]}
  globex: {}
routes:
  read: {hosts: [h], methods: [GET], path: '/orgs/{org}/projects/{project}/*', upstream: 'https://u', permission: project.read}
  whoami: {hosts: [h], methods: [GET], path: /whoami, upstream: 'https://u', access: authenticated}
  known: {hosts: [h], methods: [GET], path: '/known/{org}', upstream: 'https://u', access: authenticated}
  open: {hosts: [h], methods: [GET], path: /open, upstream: 'https://u', access: anonymous}
  through: {hosts: [h], methods: [GET], path: /through, upstream: 'https://u', access: anonymous, forwardAuthorization: true}
  all: {hosts: [h], methods: [GET], path: '/*', upstream: 'https://u', access: anonymous}
`

function run(text: string): TestResult {
  const document = documentOf(`${POLICY}tests: [{name: it, ${text}}]`)
  const [result] = runPolicyTests(document, loadPolicy(compilePolicy(document)), NOW)
  return result as TestResult
}

const ask = (principal: string, rest: string) => `principal: {issuer: ${principal}}, ${rest}`
const admin = (rest: string) => ask('okta, groups: [admins]', rest)
const web = (rest: string) => ask('okta, groups: [web]', `on: {organization: acme, project: web}, ${rest}`)
const request = (path: string, expected: string) => `request: 'GET h${path}', expect: {${expected}}`

describe('a test passes', () => {
  test.each([
    ['a permission given', web('expect: {allow: [project.read]}')],
    ['a permission not given, and why', web('expect: {deny: [project.write], reason: permission_missing}')],
    ['both at once', web('expect: {allow: [project.read], deny: [project.write, instance.read]}')],
    ['all roles, in any order and however often', web('expect: {roles: [GROUP_READ_ONLY, GROUP_READ_ONLY]}')],
    ['no roles at all', ask('okta, groups: [other]', 'expect: {roles: []}')],
    [
      'implied roles',
      admin('expect: {roles: [GROUP_READ_ONLY, ORG_READ_ONLY, ORG_MEMBER, GLOBAL_READ_ONLY]}'),
    ],
    ['groups that are not said', ask('okta', 'expect: {deny: [instance.read], reason: groups_absent}')],
    ['groups as objects, with a prefix', ask('lines, groups: [/admins]', 'expect: {allow: [instance.read]}')],
    [
      'groups in a list, by id',
      ask('ids, groups: [id-1], claims: {list: []}', 'expect: {allow: [instance.read]}'),
    ],
    [
      'groups as the claims have them',
      ask(
        'lines, groups: [other], claims: {realm: {groups: [{name: admins}], more: 1}}',
        'expect: {allow: [instance.read]}',
      ),
    ],
    ['the gate closed', ask('gate', 'expect: {deny: [instance.read], reason: access_denied}')],
    ['no roles behind a closed gate', ask('gate', 'expect: {roles: []}')],
    [
      'the gate open',
      ask('gate, claims: {may: true}', 'expect: {deny: [instance.read], reason: groups_absent}'),
    ],
    [
      'overage',
      ask('okta, claims: {hasgroups: true}', 'expect: {deny: [instance.read], reason: groups_overage}'),
    ],
    [
      'a condition',
      ask('okta, groups: [admins], claims: {amr: [pwd, mfa]}', 'expect: {allow: [instance.users.write]}'),
    ],
    ['a window that is over', ask('okta, groups: [temporary]', 'expect: {roles: []}')],
    [
      'a window, at a time of the test',
      ask(
        'okta, groups: [temporary]',
        "at: '2025-12-31T23:59:59Z', expect: {allow: [], deny: [instance.read]}",
      ).replace('allow: [], ', ''),
    ],
    [
      "an organization's issuer",
      ask('acme/own, groups: [x]', 'on: {organization: acme}, expect: {roles: [ORG_MEMBER]}'),
    ],
    [
      "an organization's issuer elsewhere",
      ask(
        'acme/own, groups: [x]',
        'on: {organization: globex}, expect: {deny: [organization.read], reason: outside_voucher}',
      ),
    ],
    [
      'an organization that does not exist',
      admin('on: {organization: initech}, expect: {deny: [organization.read], reason: organization_unknown}'),
    ],
    [
      'a request let through',
      ask('okta, groups: [web]', request('/orgs/acme/projects/web/x', 'allow: true')),
    ],
    [
      'a request refused',
      ask('okta, groups: [x]', request('/orgs/acme/projects/web/', 'deny: true, reason: permission_missing')),
    ],
    [
      'a request to no project',
      ask(
        'okta, groups: [web]',
        request('/orgs/acme/projects/none/x', 'deny: true, reason: project_unknown'),
      ),
    ],
    [
      'a method not served',
      ask('okta', "request: 'POST h/whoami', expect: {deny: true, reason: route_not_found}"),
    ],
    ['another host', ask('okta', "request: 'GET other/', expect: {deny: true, reason: host_unknown}")],
    ["a path of Postern's own", ask('okta', request('/.postern/x', 'deny: true, reason: route_not_found'))],
    ['a known caller', ask('robots', request('/whoami', 'allow: true'))],
    [
      'nobody known',
      `principal: anonymous, ${request('/whoami', 'deny: true, reason: credentials_missing')}`,
    ],
    ['nobody known, where that is fine', `principal: anonymous, ${request('/open', 'allow: true')}`],
    [
      'a token that makes nobody, on an open route',
      ask('gate', request('/open', 'deny: true, reason: access_denied')),
    ],
    ['a token that is not ours to judge', ask('gate', request('/through', 'allow: true'))],
    [
      "a caller of another organization's issuer",
      ask('acme/own', request('/known/globex', 'deny: true, reason: issuer_of_another_organization')),
    ],
    [
      "a caller of an organization's issuer, on a route outside of every organization",
      ask('acme/own', request('/whoami', 'deny: true, reason: outside_voucher')),
    ],
    [
      'a known caller, on a route of an organization that does not exist',
      ask('okta', request('/known/initech', 'deny: true, reason: organization_unknown')),
    ],
    ["a caller of the organization's issuer", ask('acme/own', request('/known/acme', 'allow: true'))],
  ])('%s', (_name, text) => {
    const result = run(text)
    expect(result.checks.filter(({ passed }) => !passed)).toEqual([])
    expect(result.passed).toBe(true)
  })
})

describe('a test fails', () => {
  test.each([
    [
      'a permission that is not given',
      web('expect: {allow: [project.write]}'),
      'tests[0].expect.allow[0]',
      'allow "project.write" on project web of organization acme',
      /^deny for permission_missing: "project\.write" on project web/,
    ],
    [
      'a permission that is given, with the proof',
      web('expect: {deny: [project.read]}'),
      'tests[0].expect.deny[0]',
      'deny "project.read" on project web of organization acme',
      /^allow by GROUP_READ_ONLY, given by organizations\.acme\.projects\.web\.idpGroupMappings\[0\] to the group "web"$/,
    ],
    [
      'another reason',
      ask('okta', 'expect: {deny: [instance.read], reason: permission_missing}'),
      'tests[0].expect.deny[0]',
      'deny "instance.read" on the global level for permission_missing',
      /^deny for groups_absent/,
    ],
    [
      'other roles',
      web('expect: {roles: [GROUP_OWNER]}'),
      'tests[0].expect.roles',
      'the roles GROUP_OWNER on project web of organization acme',
      /^the roles GROUP_READ_ONLY \(without GROUP_OWNER; also GROUP_READ_ONLY\)$/,
    ],
    [
      'roles behind a closed gate',
      ask('gate', 'expect: {roles: [GLOBAL_READ_ONLY]}'),
      'tests[0].expect.roles',
      'the roles GLOBAL_READ_ONLY on the global level',
      /^no roles \(without GLOBAL_READ_ONLY; access_denied: Issuer "gate"/,
    ],
    [
      'an unknown issuer',
      ask('otka', 'expect: {roles: []}'),
      'tests[0].principal.issuer',
      'an issuer of the policy',
      /^no issuer "otka"; did you mean "okta"\?/,
    ],
    [
      "an organization's issuer without its organization",
      ask('somewhere', 'expect: {roles: []}'),
      'tests[0].principal.issuer',
      'an issuer of the policy',
      /there are gate, ids, lines, okta, robots, acme\/own/,
    ],
    [
      'groups of an issuer that says none',
      ask('robots, groups: [a]', 'expect: {roles: []}'),
      'tests[0].principal.groups',
      'a principal',
      /"robots" says nothing about groups/,
    ],
    [
      'groups where the claims have something else',
      ask('lines, groups: [a], claims: {realm: master}', 'expect: {roles: []}'),
      'tests[0].principal.groups',
      'a principal',
      /"claims" has something at "realm\.groups"/,
    ],
    [
      'a request let through, though nobody has to be known',
      `principal: anonymous, ${request('/open', 'deny: true')}`,
      'tests[0].expect.deny',
      'deny GET h/open',
      /^allow, since the route asks for no permission$/,
    ],
  ])('%s', (_name, text, path, expected, came) => {
    const result = run(text)
    expect(result.passed).toBe(false)
    const [check] = result.checks.filter(({ passed }) => !passed)
    expect(describePath(check?.path ?? [])).toBe(path)
    expect(check?.expected).toBe(expected)
    expect(check?.came).toMatch(came)
  })
})

test('a test shows the proof of each answer and where roles come from', () => {
  const [roles, allow] = run(web('expect: {roles: [GROUP_READ_ONLY], allow: [project.read]}')).checks
  const mapping = 'organizations.acme.projects.web.idpGroupMappings[0]'
  expect(roles?.given).toEqual([{ role: 'GROUP_READ_ONLY', mapping, group: 'web' }])
  expect(allow?.answer).toMatchObject({
    allowed: true,
    proof: { role: 'GROUP_READ_ONLY', mapping, group: 'web' },
  })
})

describe('a test cannot be written', () => {
  test.each([
    [
      'without expecting anything',
      admin('expect: {}'),
      /expect: must have at least one of "roles", "allow" and "deny"/,
    ],
    [
      'with a reason for nothing',
      admin('expect: {roles: [], reason: groups_absent}'),
      /expect\.reason: is why "deny"/,
    ],
    [
      'with a reason there is not',
      admin('expect: {deny: [a.b], reason: group_absent}'),
      /did you mean "groups_absent"/,
    ],
    [
      'with request and level',
      admin("on: {organization: acme}, request: 'GET h/', expect: {allow: true}"),
      /\.on: stands beside "request"/,
    ],
    [
      'with permissions of a request',
      admin("request: 'GET h/', expect: {allow: [a.b]}"),
      /allow: must be true/,
    ],
    [
      'with roles of a request',
      admin("request: 'GET h/', expect: {roles: []}"),
      /roles: cannot be asked of a request/,
    ],
    [
      'with both answers',
      admin("request: 'GET h/', expect: {allow: true, deny: true}"),
      /deny: stands beside "allow"/,
    ],
    ['with true for no request', admin('expect: {allow: true}'), /allow: must list permissions/],
    [
      'with a project of nothing',
      admin('on: {project: web}, expect: {roles: []}'),
      /on\.project: is without the organization/,
    ],
    [
      'of nobody at a level',
      'principal: anonymous, expect: {roles: []}',
      /principal: can be "anonymous" with "request" only/,
    ],
    ['with a query', admin("request: 'GET h/?a', expect: {allow: true}"), /request: must be a method/],
    [
      'with dots in the path',
      admin("request: 'GET h/a/../b', expect: {allow: true}"),
      /request: must be a method/,
    ],
    [
      'with an empty segment',
      admin("request: 'GET h//a', expect: {allow: true}"),
      /request: must be a method/,
    ],
  ])('%s', (_name, text, message) => {
    const parsed = parse(`${POLICY}tests: [{name: it, ${text}}]`)
    if (parsed.ok) throw new Error('the text was accepted')
    expect(describeProblems(parsed.problems)).toMatch(message)
  })
})

describe('a document may be published', () => {
  const failing = `${POLICY}tests:\n  - name: readers read\n    ${web('expect: {allow: [project.write]}').replaceAll(', on:', '\n    on:').replace('}, expect:', '}\n    expect:')}`

  test('when its tests pass', () => {
    expect(checkPublishable(documentOf(POLICY), NOW)).toEqual([])
  })

  test('not when one fails, and the line is told', () => {
    const parsed = parse(failing, 'mine.yaml')
    if (!parsed.ok) throw new Error(describeProblems(parsed.problems))
    const problems = checkPublishable(parsed.policy, NOW).map(parsed.locate)
    expect(describeProblems(problems)).toMatch(
      /^mine\.yaml:\d+:\d+: tests\[0\]\.expect\.allow\[0\]: the test "readers read" fails: expected allow "project\.write" on project web of organization acme, came deny for permission_missing/,
    )
  })

  test('not when it is unsound, whatever its tests say', () => {
    const document = documentOf(failing)
    const [fault, ...others] = checkPublishable(
      { ...document, issuers: { ...document.issuers, again: document.issuers.okta! } },
      NOW,
    )
    expect(fault?.message).toMatch(/is already the issuer "okta"/)
    expect(others).toEqual([])
  })
})
