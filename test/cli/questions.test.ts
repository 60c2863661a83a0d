// `postern policy test`, `lint` and `diff`: answers, exit codes and positions.
import { describe, expect, test } from 'vitest'
import { file, POLICY, postern } from './postern.ts'

const TESTS = `tests:
  - name: admins own acme
    principal: { issuer: okta, groups: [acme-admins] }
    on: { organization: acme }
    expect: { allow: [organization.update] }
  - name: until the end of 2026
    principal: { issuer: okta, groups: [temps] }
    on: { organization: acme, project: payments }
    expect: { allow: [project.read] }
`
const TEMPS = `          - roleName: GROUP_READ_ONLY
            idpGroups: [temps]
            notAfter: 2027-01-01T00:00:00Z
`
const TESTED = `${POLICY.replace('routes:\n', `${TEMPS}routes:\n`)}${TESTS}`

describe('test', () => {
  test('says that all pass', async () => {
    const answer = await postern(['policy', 'test', '-', '--now', '2026-12-31T23:59:59Z'], { stdin: TESTED })
    expect(answer).toEqual({
      code: 0,
      stdout: 'ok     admins own acme\nok     until the end of 2026\n2 tests: 2 passed, 0 failed.\n',
      stderr: '',
    })
  })

  test('says what fails, where, and what came instead', async () => {
    const name = file('tested.yaml', TESTED)
    const { code, stdout } = await postern(['policy', 'test', name, '--now', '2027-01-01T00:00:00Z'])
    expect(code).toBe(1)
    expect(stdout).toMatch(/^ok {5}admins own acme\nFAILED until the end of 2026\n {7}tested\.yaml:37:\d+\n/m)
    expect(stdout).toMatch(/expected allow "project\.read" on project payments of organization acme/)
    expect(stdout).toMatch(/came {5}deny for permission_missing/)
    expect(stdout).toMatch(/2 tests: 1 passed, 1 failed\.\n$/)
  })

  test('says it as JSON', async () => {
    const args = ['policy', 'test', '-', '--json', '--now', '2027-01-01T00:00:00Z']
    const { code, stdout } = await postern(args, { stdin: TESTED })
    expect(code).toBe(1)
    expect(JSON.parse(stdout)).toMatchObject({
      valid: true,
      passed: 1,
      failed: 1,
      tests: [
        {
          name: 'admins own acme',
          passed: true,
          checks: [{ path: 'tests[0].expect.allow[0]', passed: true }],
        },
        { name: 'until the end of 2026', line: 34, passed: false, checks: [{ passed: false }] },
      ],
    })
  })

  test('a policy without tests passes', async () => {
    const { code, stdout } = await postern(['policy', 'test', '-'], { stdin: POLICY })
    expect({ code, stdout }).toEqual({ code: 0, stdout: '<stdin> has no tests.\n' })
  })

  test('refuses a time without its zone', async () => {
    const { code, stderr } = await postern(['policy', 'test', '-', '--now', '2027-01-01T00:00:00'], {
      stdin: POLICY,
    })
    // A date and a time of day are not a time.
    expect(code).toBe(2)
    expect(stderr).toContain('It must be a time with its zone')
  })
})

const WARNED = POLICY.replace('roleName: ORG_OWNER', 'roleName: ORG_MEMBER')

describe('lint', () => {
  test('finds nothing', async () => {
    const { code, stdout } = await postern(['policy', 'lint', '-', '--strict'], { stdin: POLICY })
    expect({ code, stdout }).toEqual({ code: 0, stdout: '<stdin>: 0 errors, 0 warnings, 0 notices.\n' })
  })

  test('warns with position, path and code; --strict fails', async () => {
    const { code, stdout } = await postern(['policy', 'lint', '-'], { stdin: WARNED })
    expect(code).toBe(0)
    expect(stdout).toMatch(/^<stdin>:10:3: warning: organizations\.acme: .*\[organization_without_owner\]\n/)
    expect(stdout).toMatch(/0 errors, 1 warning, 0 notices\.\n$/)
    expect(await postern(['policy', 'lint', '-', '--strict'], { stdin: WARNED })).toMatchObject({ code: 1 })
  })

  test('a route on a gateway host is an error', async () => {
    const args = [
      'policy',
      'lint',
      '-',
      '--json',
      '--gateway-host',
      'app.example',
      '--gateway-host',
      'b.example',
    ]
    const { code, stdout } = await postern(args, { stdin: POLICY })
    expect(code).toBe(1)
    const { warnings } = JSON.parse(stdout)
    expect(warnings).toMatchObject([{ code: 'route_on_gateway_host', severity: 'error' }])
    expect(warnings[0]).toMatchObject({
      line: expect.any(Number),
      path: expect.stringMatching(/^routes\.read/),
    })
  })
})

describe('diff', () => {
  const oldPolicy = () => file('before.yaml', POLICY)
  const newPolicy = () => file('after.yaml', WARNED.replace('[GET]', '[GET, HEAD]'))
  const PEOPLE =
    '{"issuer":"okta","subject":"alice","groups":["acme-admins"]}\n\n{"issuer":"okta","subject":"bob"}\n'

  test('says what is different', async () => {
    const { code, stdout } = await postern(['policy', 'diff', oldPolicy(), newPolicy()])
    expect(code).toBe(0)
    expect(stdout).toBe(
      '~ mapping ORG_MEMBER in organization acme: roleName  after.yaml:12:9\n~ route read: methods  after.yaml:20:3\n',
    )
  })

  test('says that nothing is, whatever the order', async () => {
    const { code, stdout } = await postern(['policy', 'diff', oldPolicy(), '-', '--exit-code'], {
      stdin: `routes:${POLICY.split('routes:')[1]}${POLICY.split('routes:')[0]}`,
    })
    expect({ code, stdout }).toEqual({ code: 0, stdout: 'The policies say the same.\n' })
  })

  test('--exit-code ends with 1', async () => {
    expect(await postern(['policy', 'diff', oldPolicy(), newPolicy(), '--exit-code'])).toMatchObject({
      code: 1,
    })
  })

  test.each([
    ['NDJSON', PEOPLE],
    ['JSON', `[${PEOPLE.trim().replace('\n\n', ',')}]`],
  ])('says who gains and loses what, for people in %s', async (_name, people) => {
    const args = ['policy', 'diff', oldPolicy(), newPolicy(), '--principals', '-']
    const { code, stdout } = await postern(args, { stdin: people })
    expect(code).toBe(0)
    expect(stdout).toMatch(/\nalice of okta\n {2}on organization acme\n {4}- roles .*ORG_OWNER/)
    expect(stdout).not.toContain('bob')
  })

  test('says it as JSON', async () => {
    const args = [
      'policy',
      'diff',
      oldPolicy(),
      newPolicy(),
      '--principals',
      file('people.ndjson', PEOPLE),
      '--json',
    ]
    const { code, stdout } = await postern(args)
    expect(code).toBe(0)
    expect(JSON.parse(stdout)).toMatchObject({
      differs: true,
      structure: [
        { part: 'mapping', change: 'changed', path: 'organizations.acme.idpGroupMappings[0]' },
        { part: 'route', change: 'changed', fields: ['methods'] },
      ],
      principals: [{ issuer: 'okta', subject: 'alice', levels: [{ level: { kind: 'organization' } }, {}] }],
    })
  })

  test.each([
    ['an issuer neither has', '{"issuer":"octa"}', /<stdin>: neither policy has an issuer "octa"/],
    ['a line that is no JSON', '{"issuer":"okta"}\n{', /<stdin>: line 2 is not JSON/],
    ['an unknown member', '{"issuer":"okta","group":["a"]}', /principal 1: .*group/],
  ])('cannot read %s', async (_name, people, expected) => {
    const args = ['policy', 'diff', oldPolicy(), newPolicy(), '--principals', '-']
    const { code, stdout, stderr } = await postern(args, { stdin: people })
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' })
    expect(stderr).toMatch(expected)
  })

  test('standard input is one file', async () => {
    expect(await postern(['policy', 'diff', '-', '-'])).toMatchObject({ code: 2 })
  })

  test('refuses a policy that is not valid', async () => {
    const { code, stdout } = await postern(['policy', 'diff', oldPolicy(), '-'], { stdin: 'version: 2' })
    expect(code).toBe(1)
    expect(stdout).toMatch(/^<stdin>:1:1: version: /)
  })
})
