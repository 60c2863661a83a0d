// Who does not get in whatever the mappings say: the gate of an issuer, and a login that is no single value.
import { describe, expect, test } from 'vitest'
import { type Claims, principalFromClaims } from '../../policy/principal.ts'
import { policyOf, principalOf, recordOf, rolesOf } from './policies.ts'

describe('[3-7] the access gate', () => {
  const gated = (claims: Claims, access: unknown = 'access') =>
    principalFromClaims(recordOf({ claims: { access } }), { sub: 'alice', groups: ['a'], ...claims })

  test.each([[true], ['true']])('is open for %j', (access) => {
    expect(gated({ access })).toMatchObject({ ok: true, principal: { groups: { names: ['a'] } } })
  })

  const closed = [
    undefined,
    false,
    'false',
    null,
    '',
    'True',
    'TRUE',
    ' true',
    1,
    '1',
    'yes',
    ['true'],
    [true],
    {},
  ]
  test.each(closed.map((access) => [access]))('is closed for %j', (access) => {
    expect(gated({ access })).toEqual({
      ok: false,
      reason: 'access_denied',
      detail: 'Issuer "idp" lets in only those whose "access" claim is true.',
    })
  })

  test('may be anywhere in the token', () => {
    expect(gated({ app: { postern: true } }, 'app.postern')).toMatchObject({ ok: true })
    expect(gated({ 'https://x.example/access': 'true' }, 'https://x.example/access')).toMatchObject({
      ok: true,
    })
    expect(gated({ 'app.postern': true }, 'app.postern')).toMatchObject({ reason: 'access_denied' })
    expect(gated({}, 'constructor')).toMatchObject({ reason: 'access_denied' })
  })

  test('is not there unless the issuer has one', () => {
    const open = principalFromClaims(recordOf({}), { sub: 'alice', access: 'false' })
    expect(open).toMatchObject({ ok: true })
  })

  test('comes before what groups would say', () => {
    expect(gated({ access: 'false', groups: 7 })).toMatchObject({ reason: 'access_denied' })
  })
})

describe('[3-3] the login', () => {
  test('is the subject the issuer names, required and of one value', () => {
    const saml = recordOf({ claims: { subject: 'login_id', firstName: 'firstname', lastName: 'lastname' } })
    const said = {
      login_id: 'alice',
      firstname: 'Alice',
      lastname: 'Liddell',
      email: 'a@b.example',
      groups: 'Admin',
    }
    expect(principalFromClaims(saml, said)).toMatchObject({
      principal: { subject: 'alice', firstName: 'Alice', lastName: 'Liddell', groups: { names: ['Admin'] } },
    })
    expect(principalFromClaims(saml, { ...said, login_id: undefined })).toMatchObject({
      reason: 'claim_missing',
    })
    expect(principalFromClaims(saml, { ...said, login_id: ['a', 'b'] })).toMatchObject({
      reason: 'claim_invalid',
    })
  })

  test('[3-9] with one group, named as its role is called elsewhere', () => {
    const policy = policyOf({
      organizations: {
        acme: {
          issuers: { saml: { issuer: 'https://saml.example' } },
          onUnmatched: 'ORG_MEMBER',
          idpGroupMappings: [{ roleName: 'ORG_OWNER', idpGroups: ['관리자(Admin)'] }],
        },
      },
    })
    const of = (group: string) => rolesOf(policy, principalOf([group], 'acme/saml'), 'acme')
    expect(of('관리자(Admin)')).toContain('ORG_OWNER')
    expect(of('관리자')).toEqual(['ORG_MEMBER'])
  })
})
