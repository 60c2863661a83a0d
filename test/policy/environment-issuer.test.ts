// The issuer that variables describe: what they say, what is left out with a warning, and how it goes before the policy
// and the database, member by member.
import { describe, expect, test } from 'vitest'
import { environmentIssuer } from '../../policy/environment-issuer.ts'
import { mergeInstance, type PolicySource } from '../../policy/layers.ts'
import { describeProblems } from '../../policy/problems.ts'
import { soundInstance } from '../../policy/sound.ts'
import { parse } from './policies.ts'

const OIDC = {
  OIDC_ISSUER: 'https://acme.okta.com',
  OIDC_CLIENT_ID: '0oa1',
  OIDC_CLIENT_SECRET: 'a-secret-value',
  OIDC_AUTH_METHOD: 'implicit',
  OIDC_SCOPES: 'openid, groups',
  OIDC_GROUPS_CLAIM: 'realm_access.roles',
}

function sourceOf(text = ''): PolicySource {
  const parsed = parse(`version: 1\n${text}`)
  if (!parsed.ok) throw new Error(describeProblems(parsed.problems))
  return parsed
}

/** The instance in force, with what the database has of issuers. */
function merged(variables: Partial<typeof OIDC>, text?: string, stored: Record<string, unknown> = {}) {
  const { issuer } = environmentIssuer(variables)
  return mergeInstance(sourceOf(text), [], { instance: null, issuers: stored }, issuer)
}

describe('variables', () => {
  test('[0-8] [0-19] [0-30] [0-31] [4-6] [4-7] describe an issuer, each by its own', () => {
    const { issuer, warnings } = environmentIssuer(OIDC)
    expect(warnings).toEqual([])
    expect(issuer).toEqual({
      issuer: 'https://acme.okta.com',
      clientId: '0oa1',
      authMethod: 'implicit',
      scopes: ['openid', 'groups'],
      groupsClaim: 'realm_access.roles',
      hasSecret: true,
      variables: {
        issuer: 'OIDC_ISSUER',
        'signIn.clientId': 'OIDC_CLIENT_ID',
        'signIn.authMethod': 'OIDC_AUTH_METHOD',
        'signIn.scopes': 'OIDC_SCOPES',
        'groups.claim': 'OIDC_GROUPS_CLAIM',
        clientSecret: 'OIDC_CLIENT_SECRET',
      },
    })
    // The secret itself goes no further than this.
    expect(JSON.stringify(issuer)).not.toContain('a-secret-value')
    expect(environmentIssuer({})).toEqual({ issuer: null, warnings: [] })
  })

  test.each([
    ['[0-25] Okta', 'https://acme.okta.com', 'https://acme.okta.com'],
    ['[0-29] Entra', 'https://login.microsoftonline.com/t/v2.0', 'https://login.microsoftonline.com/t/v2.0'],
    [
      '[4-5] a discovery document',
      'https://id.example/r/.well-known/openid-configuration',
      'https://id.example/r',
    ],
    [
      "[4-5] Auth0's document, which names itself with a slash",
      'https://a.eu.auth0.com/.well-known/openid-configuration',
      'https://a.eu.auth0.com/',
    ],
    ['one on this machine', 'http://localhost:8788', 'http://localhost:8788'],
  ])('the address of %s', (_name, OIDC_ISSUER, issuer) => {
    expect(environmentIssuer({ OIDC_ISSUER })).toMatchObject({ issuer: { issuer }, warnings: [] })
  })

  test('[4-10] scopes stand between spaces as well as commas', () => {
    const scopes = (OIDC_SCOPES: string) => environmentIssuer({ ...OIDC, OIDC_SCOPES }).issuer?.scopes
    expect(scopes('openid profile  email')).toEqual(['openid', 'profile', 'email'])
    expect(scopes(' openid ,email ')).toEqual(['openid', 'email'])
    expect(scopes(' ')).toBeNull()
  })

  test.each([
    ['an issuer that is no URL', { OIDC_ISSUER: 'acme.okta.com' }, /OIDC_ISSUER is not a URL/],
    ['[4-2] an issuer over an open line', { OIDC_ISSUER: 'http://acme.okta.com' }, /does not use https/],
    [
      'no issuer at all',
      { OIDC_ISSUER: '' },
      /OIDC_CLIENT_ID, .* count for nothing: OIDC_ISSUER does not say/,
    ],
    ['[0-20] an unknown method', { OIDC_AUTH_METHOD: 'code' }, /OIDC_AUTH_METHOD is neither "pkce" nor/],
    [
      '[0-20] the implicit flow with Cognito',
      { OIDC_ISSUER: 'https://cognito-idp.eu-west-1.amazonaws.com/eu-west-1_a' },
      /must be "pkce" for Cognito/,
    ],
    ['scopes that are none', { OIDC_SCOPES: 'open"id' }, /OIDC_SCOPES is no list of scopes/],
    ['a claim that is no path', { OIDC_GROUPS_CLAIM: 'a..b' }, /OIDC_GROUPS_CLAIM is no path/],
    [
      '[0-22] the Cognito domain',
      { OIDC_ISSUER: 'https://acme.auth.eu-west-1.amazoncognito.com', OIDC_AUTH_METHOD: 'pkce' },
      /This is the Cognito domain.*cognito-idp\.eu-west-1/,
    ],
    [
      "[0-28] Entra's Secret ID",
      {
        OIDC_ISSUER: 'https://login.microsoftonline.com/t/v2.0',
        OIDC_CLIENT_SECRET: '11111111-2222-4333-8444-555555555555',
      },
      /OIDC_CLIENT_SECRET looks like the Secret ID/,
    ],
    ['a secret with the line break of its file', { OIDC_CLIENT_SECRET: 'abc\n' }, /line break/],
  ])('%s is warned of and takes nothing down', (_name, changed, message) => {
    const variables = { ...OIDC, ...changed }
    const { warnings } = environmentIssuer(variables)
    expect(warnings.join(' ')).toMatch(message)
    expect(warnings.join(' ')).not.toContain(variables.OIDC_CLIENT_SECRET)
    expect(() => soundInstance(merged(variables))).not.toThrow()
  })
})

describe('what they describe', () => {
  test('is the record "oidc" where no other has the issuer', () => {
    const { policy, issuers, environmentIssuer: id, left } = merged(OIDC)
    expect(left).toEqual([])
    expect(id).toBe('oidc')
    expect(issuers.oidc).toMatchObject({ origin: 'environment', place: 'OIDC_ISSUER' })
    expect(policy.issuers.oidc).toMatchObject({
      issuer: 'https://acme.okta.com',
      groups: { claim: ['realm_access', 'roles'] },
      signIn: {
        clientId: '0oa1',
        authMethod: 'implicit',
        scopes: ['openid', 'groups'],
        clientSecretFrom: 'OIDC_CLIENT_SECRET',
      },
    })
  })

  test('is no sign-in without a client id at any layer', () => {
    const { OIDC_ISSUER } = OIDC
    expect(merged({ OIDC_ISSUER }).policy.issuers.oidc?.signIn).toBeUndefined()
  })

  test("[0-32] goes before the policy's record and the database's, and leaves their other members", () => {
    const okta = { issuer: 'https://acme.okta.com', leewaySeconds: 5, groups: { claim: 'g', keepDays: 3 } }
    const signIn = { clientId: 'other', label: 'Acme', authMethod: 'pkce', emailDomains: ['acme.example'] }
    const expected = {
      issuer: 'https://acme.okta.com',
      leewaySeconds: 5,
      groups: { claim: ['realm_access', 'roles'], keepDays: 3 },
      signIn: { clientId: '0oa1', label: 'Acme', authMethod: 'implicit', emailDomains: ['acme.example'] },
    }
    const inPolicy = merged(OIDC, `issuers: ${JSON.stringify({ okta: { ...okta, signIn } })}`)
    expect(inPolicy.policy.issuers).toMatchObject({ okta: expected })
    expect(inPolicy.issuers.okta?.origin).toBe('policy')
    const inDatabase = merged(OIDC, '', { okta: { ...okta, signIn } })
    expect(inDatabase.policy.issuers).toMatchObject({ okta: expected })
    expect(inDatabase.policy.issuers.oidc).toBeUndefined()
    expect(inDatabase).toMatchObject({ environmentIssuer: 'okta', issuers: { okta: { origin: 'database' } } })
    // Without them all is as it was.
    expect(merged({}, '', { okta: { ...okta, signIn } }).policy.issuers.okta?.signIn?.clientId).toBe('other')
  })

  test('takes nothing of another issuer that had the same id', () => {
    const before = {
      issuer: 'https://old.example',
      jwks: { keys: [{ kty: 'EC' }] },
      leewaySeconds: 5,
      signIn: {
        clientId: 'old',
        endpoints: { authorization: 'https://old.example/a', token: 'https://old.example/t' },
      },
    }
    const { oidc } = merged(OIDC, '', { oidc: before }).policy.issuers
    expect(oidc).toMatchObject({
      issuer: 'https://acme.okta.com',
      leewaySeconds: 5,
      signIn: { clientId: '0oa1' },
    })
    expect(oidc?.jwks).toBeUndefined()
    expect(oidc?.signIn?.endpoints).toBeUndefined()
  })

  test('sends its secret nowhere that the database says', () => {
    const endpoints = { authorization: 'https://mallory.example/a', token: 'https://mallory.example/t' }
    const stored = { okta: { issuer: OIDC.OIDC_ISSUER, signIn: { clientId: 'x', endpoints } } }
    expect(merged(OIDC, '', stored).policy.issuers.okta?.signIn?.endpoints).toBeUndefined()
    const { OIDC_CLIENT_SECRET: _secret, ...others } = OIDC
    expect(merged(others, '', stored).policy.issuers.okta?.signIn?.endpoints).toEqual(endpoints)
  })

  test('is left out, with the reason, where it does not hold together with what is there', () => {
    const preset = merged(OIDC, "issuers: {pool: {issuer: 'https://acme.okta.com', preset: cognito}}\n")
    expect(preset.policy.issuers.pool?.signIn).toBeUndefined()
    expect(preset.left).toMatchObject([
      { message: expect.stringMatching(/"signIn.authMethod" must be "pkce"/) },
    ])
    const owned = merged(OIDC, "organizations: {acme: {issuers: {own: {issuer: 'https://acme.okta.com'}}}}\n")
    expect(owned.environmentIssuer).toBeNull()
    expect(owned.left).toMatchObject([{ message: expect.stringMatching(/organization "acme"/) }])
  })
})
