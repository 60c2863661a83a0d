// `postern policy explain`, of people as described and of real tokens.
import { exportJWK, generateKeyPair, SignJWT } from 'jose'
import { describe, expect, test } from 'vitest'
import { file, POLICY, postern } from './postern.ts'

const policy = () => file('postern.policy.yaml', POLICY)
const HERE = ['--organization', 'acme', '--project', 'payments']

describe('explain', () => {
  test('says which roles somebody has, by which line of the policy', async () => {
    policy()
    const args = [
      'policy',
      'explain',
      '--issuer',
      'okta',
      '--subject',
      'alice',
      '--groups',
      'acme-admins,others',
    ]
    const { code, stdout, stderr } = await postern([...args, ...HERE])
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
    expect(stdout).toMatch(/^alice of okta on project payments of organization acme\n/)
    expect(stdout).toContain(
      '  ORG_OWNER\n    group "acme-admins" in organizations.acme.idpGroupMappings[0] (postern.policy.yaml:12:9)\n',
    )
    expect(stdout).toMatch(/implied by ORG_OWNER > GROUP_OWNER:\n {4}.*GROUP_READ_ONLY/)
    expect(stdout).toMatch(/Mappings of other groups \(2\)\n(?:.*\n)*.*asks for "acme-payments-readers"/)
  })

  test('needs no --issuer where there is one', async () => {
    expect(await postern(['policy', 'explain', policy(), '--group', 'a,b'])).toMatchObject({ code: 0 })
  })

  test('says for a permission what would give it', async () => {
    const args = [
      'policy',
      'explain',
      policy(),
      '--groups',
      'Acme-Admins',
      '--permission',
      'organization.update',
    ]
    const { code, stdout } = await postern([...args, '--organization', 'acme'])
    expect(code).toBe(1)
    expect(stdout).toContain('upper and lower case differ')
    expect(stdout).toMatch(/Refused \(permission_missing\)/)
    expect(stdout).toMatch(/1\. ORG_OWNER\n {5}- Write "Acme-Admins" instead of "acme-admins"/)
  })

  test('allows', async () => {
    const args = ['policy', 'explain', policy(), '--groups', 'acme-payments-readers', ...HERE]
    const { code, stdout } = await postern([...args, '--permission', 'project.read'])
    expect(code).toBe(0)
    expect(stdout).toContain(
      'Allowed by GROUP_READ_ONLY: group "acme-payments-readers" in organizations.acme.pro',
    )
  })

  test('says it as JSON, with the origin of each mapping', async () => {
    const args = [
      'policy',
      'explain',
      policy(),
      '--groups',
      'acme-admins',
      '--organization',
      'acme',
      '--json',
    ]
    const { code, stdout } = await postern([...args, '--permission', 'instance.read'])
    expect(code).toBe(1)
    const answer = JSON.parse(stdout)
    expect(answer).toMatchObject({
      valid: true,
      principal: { issuer: 'okta', subject: 'somebody' },
      token: null,
      standing: null,
      wanted: { permission: 'instance.read', decision: { allowed: false } },
    })
    expect(answer.roles.map(({ role }: { role: string }) => role)).toContain('ORG_OWNER')
    expect(answer.origins['organizations.acme.idpGroupMappings[0]']).toEqual({
      file: 'postern.policy.yaml',
      line: 12,
      column: 9,
    })
  })

  test('reads claims, from the option or a file', async () => {
    const gated = POLICY.replace('audiences: [postern]', 'claims: { access: allowed }')
    const name = file('gated.yaml', gated)
    const refused = await postern(['policy', 'explain', name, '--groups', 'a'])
    expect(refused).toMatchObject({ code: 1, stdout: expect.stringContaining('Refused (access_denied)') })
    const claims = file('claims.json', '{"allowed": true}')
    for (const option of [`@${claims}`, '{"allowed":true}']) {
      expect(await postern(['policy', 'explain', name, '--groups', 'a', '--claims', option])).toMatchObject({
        code: 0,
      })
    }
  })

  test.each([
    ['--project alone', ['--project', 'a'], /--project needs --organization/],
    ['an unknown issuer', ['--issuer', 'octa'], /there is no issuer "octa"; there are: okta/],
    ['claims that are no object', ['--claims', '[]'], /not a JSON object/],
    ['--jwks alone', ['--jwks', 'keys.json'], /--jwks needs --token/],
    ['a token and groups', ['--token', 'a', '--groups', 'b'], /says all that/],
    ['a limit that is no number', ['--limit', 'x'], /must be a number/],
  ])('refuses %s', async (_name, args, expected) => {
    const { code, stdout, stderr } = await postern(['policy', 'explain', policy(), ...args])
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' })
    expect(stderr).toMatch(expected)
  })
})

const NOW = 1_800_000_000
const AT = new Date(NOW * 1000).toISOString()
const CLAIMS = { iss: 'https://acme.okta.com', aud: 'postern', sub: 'alice', groups: ['acme-admins'] }

describe('explain --token', async () => {
  const { publicKey, privateKey } = await generateKeyPair('ES256')
  const other = await generateKeyPair('ES256')
  const jwk = { ...(await exportJWK(publicKey)), kid: 'k1', alg: 'ES256' }
  const keys = () => file('keys.json', JSON.stringify({ keys: [jwk] }))

  const tokenOf = (claims: object = {}, key = privateKey, header: object = {}) =>
    new SignJWT({ ...CLAIMS, iat: NOW - 10, exp: NOW + 300, ...claims })
      .setProtectedHeader({ alg: 'ES256', kid: 'k1', typ: 'JWT', ...header })
      .sign(key)

  const explain = (token: string, ...args: string[]) =>
    postern(['policy', 'explain', policy(), '--token', '-', '--organization', 'acme', '--now', AT, ...args], {
      stdin: token,
    })

  test('says loudly that nothing is verified', async () => {
    const { code, stdout, stderr } = await explain(`Bearer ${await tokenOf()}\n`)
    expect(code).toBe(0)
    expect(stderr).toContain('WARNING: the signature of this token was NOT verified')
    expect(stdout).toContain('The token (its signature is NOT verified)')
    expect(stdout).toContain('  ORG_OWNER\n    group "acme-admins" in organizations.acme.idpGroupMappings[0]')
  })

  test('verifies with --jwks', async () => {
    const { code, stdout, stderr } = await explain(await tokenOf(), '--jwks', keys())
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
    expect(stdout).toContain(
      'The token (its signature is verified)\n  ok     signature: verified with key "k1"\n',
    )
  })

  test('verifies with keys that the policy pins', async () => {
    const pinned = POLICY.replace('audiences: [postern]', `jwks: ${JSON.stringify({ keys: [jwk] })}`)
    const name = file('pinned.yaml', pinned)
    const args = ['policy', 'explain', name, '--token', '-', '--now', AT, '--json']
    const { code, stdout } = await postern(args, { stdin: await tokenOf() })
    expect(code).toBe(0)
    expect(JSON.parse(stdout).token.verified).toBe(true)
  })

  const shouldRefuse: [name: string, token: () => Promise<string>, reason: string][] = [
    ['of another key', () => tokenOf({}, other.privateKey), 'signature_invalid'],
    ['of an unknown key', () => tokenOf({}, privateKey, { kid: 'k2' }), 'key_unknown'],
    ['of another type', () => tokenOf({}, privateKey, { typ: 'logout+jwt' }), 'type_not_allowed'],
    [
      'with a header that is not allowed',
      () => tokenOf({}, privateKey, { jku: 'https://a.example' }),
      'header_not_allowed',
    ],
    ['that is a logout token', () => tokenOf({ events: {} }), 'kind_not_allowed'],
    [
      'issued to another party',
      () => tokenOf({ aud: ['postern', 'b'], azp: 'b2' }),
      'authorized_party_mismatch',
    ],
    ['for another audience', () => tokenOf({ aud: 'someone' }), 'audience_mismatch'],
    ['past its end', () => tokenOf({ exp: NOW - 61 }), 'token_expired'],
    ['without an end', () => tokenOf({ exp: undefined }), 'claim_missing'],
    ['with an end that is no time', () => tokenOf({ exp: 'soon' }), 'claim_invalid'],
    ['before its beginning', () => tokenOf({ nbf: NOW + 61 }), 'token_not_yet_valid'],
    ['issued in the future', () => tokenOf({ iat: NOW + 61 }), 'token_issued_in_future'],
  ]
  test.each(shouldRefuse)('refuses a token %s', async (_name, token, reason) => {
    const { code, stdout } = await explain(await token(), '--jwks', keys(), '--json')
    expect(code).toBe(1)
    const failed = JSON.parse(stdout).token.checks.filter(({ passed }: { passed: boolean }) => !passed)
    expect(failed).toMatchObject([{ reason }])
  })

  test('refuses an algorithm that the record does not allow', async () => {
    const token = await new SignJWT({ ...CLAIMS, iat: NOW, exp: NOW + 300 })
      .setProtectedHeader({ alg: 'HS256', kid: 'k1' })
      .sign(new TextEncoder().encode('a secret of at least thirty-two bytes'))
    const { code, stdout } = await explain(token, '--jwks', keys())
    expect(code).toBe(1)
    expect(stdout).toMatch(/FAILED signature: .*\[algorithm_not_allowed\]/)
    expect(stdout).toContain('The gateway would refuse this token.')
  })

  test.each([
    ['an unknown issuer', () => tokenOf({ iss: 'https://other.example' }), /is none of the policy's/],
    ['text that is no token', async () => 'hello', /is not a signed JWT/],
    ['an encrypted token', async () => 'a.b.c.d.e', /is encrypted/],
  ])('cannot read %s', async (_name, token, expected) => {
    const { code, stdout, stderr } = await explain(await token())
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' })
    expect(stderr).toMatch(expected)
  })
})
