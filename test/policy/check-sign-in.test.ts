// What a policy says of signing in is refused where it cannot work or would give a secret away, at its place; and what
// is nearly the same is accepted.
import { describe, expect, test } from 'vitest'
import { compilePolicy } from '../../policy/compile.ts'
import { documentOf } from './policies.ts'
import { expectProblem, lines, type Refused, route } from './texts.ts'

/** A record with what it says of signing in, on one line. */
const signIn = (members: string, record = "issuer: 'https://idp.example'") =>
  lines('issuers:', `  idp: {${record}, signIn: {clientId: postern, ${members}}}`)
const COGNITO = "issuer: 'https://cognito-idp.eu-west-1.amazonaws.com/eu-west-1_abc'"
const client = (...members: string[]) =>
  [
    route('    path: /', '    access: authenticated'),
    'applications:',
    '  first: {clientId: one, hosts: [h]}',
    ...members,
  ].join('\n')

const shouldRefuse: Refused[] = [
  [
    '[0-20] the implicit flow with Cognito',
    signIn('authMethod: implicit', COGNITO),
    '3:106',
    'issuers.idp.signIn.authMethod',
    /must be "pkce": Cognito/,
  ],
  [
    '[0-20] the same by its preset',
    signIn('authMethod: implicit', "preset: cognito, issuer: 'https://idp.example'"),
    '3:85',
    'issuers.idp.signIn.authMethod',
    /Cognito/,
  ],
  [
    '[0-20] a method that there is not',
    signIn('authMethod: code'),
    '3:68',
    'issuers.idp.signIn.authMethod',
    /expected one of "pkce", "implicit"/,
  ],
  [
    'fixed keys without endpoints, since there is no discovery',
    signIn('', "issuer: 'https://idp.example', jwksUri: 'https://idp.example/jwks'"),
    '3:77',
    'issuers.idp.signIn.endpoints',
    /with "jwksUri" there is no discovery/,
  ],
  [
    'endpoints without the one for codes',
    signIn("endpoints: {authorization: 'https://idp.example/auth'}"),
    '3:68',
    'issuers.idp.signIn.endpoints.token',
    /is missing; only "authMethod: implicit"/,
  ],
  [
    '[4-2] an endpoint over an open line',
    signIn("endpoints: {authorization: 'https://idp.example/a', token: 'http://idp.example/t'}"),
    '3:120',
    'issuers.idp.signIn.endpoints.token',
    /must use https/,
  ],
  [
    'a secret of the Worker that is no client secret',
    signIn('clientSecretFrom: POSTERN_SECRET'),
    '3:68',
    'issuers.idp.signIn.clientSecretFrom',
    /must end in CLIENT_SECRET/,
  ],
  [
    'a secret beside a client without one',
    signIn('clientSecretFrom: IDP_CLIENT_SECRET, clientAuthentication: none'),
    '3:68',
    'issuers.idp.signIn.clientSecretFrom',
    /sends no secret; remove one/,
  ],
  [
    '[4-9] no PKCE for a client without a secret',
    signIn('pkce: false, clientAuthentication: none'),
    '3:68',
    'issuers.idp.signIn.pkce',
    /clients with a secret only/,
  ],
  [
    'Graph for an issuer that is not of Entra',
    signIn('graph: {}'),
    '3:68',
    'issuers.idp.signIn.graph',
    /is for Microsoft Entra/,
  ],
  [
    'a domain of two issuers',
    lines(
      'issuers:',
      "  a: {issuer: 'https://a.example', signIn: {clientId: x, emailDomains: [acme.example]}}",
      "  b: {issuer: 'https://b.example', signIn: {clientId: x, emailDomains: [acme.example]}}",
    ),
    '4:73',
    'issuers.b.signIn.emailDomains[0]',
    /acme\.example is already a domain of the issuer "a"/,
  ],
  [
    'two applications of one client id',
    client('  second: {clientId: one}'),
    '11:12',
    'applications.second.clientId',
    /already the client id of the application "first"/,
  ],
  [
    'a host that no route is on',
    client('  second: {clientId: two, hosts: [nowhere.example]}'),
    '11:35',
    'applications.second.hosts[0]',
    /no route is on the host nowhere\.example/,
  ],
  [
    'a host of two applications',
    client('  second: {clientId: two, hosts: [h]}'),
    '11:35',
    'applications.second.hosts[0]',
    /already a host of the application "first"/,
  ],
  [
    'a sign-in that leads back over an open line',
    client("  second: {clientId: two, redirectUris: ['http://app.example/in']}"),
    '11:42',
    'applications.second.redirectUris[0]',
    /must use https/,
  ],
  [
    '[2-10] an inactivity beyond seven days',
    lines('singleSignOn: {inactivityTimeoutSeconds: 604801}'),
    '2:16',
    'singleSignOn.inactivityTimeoutSeconds',
    /must be at most 604800 seconds, which are 7 days/,
  ],
]

describe('a policy is refused for', () => {
  test.each(shouldRefuse)('%s', (_name, text, at, path, message) => expectProblem(text, at, path, message))
})

describe('a policy is accepted with', () => {
  test.each([
    ['[0-15] [0-23] a public client', signIn('clientAuthentication: none')],
    ['[0-16] [0-23] the implicit flow', signIn('authMethod: implicit')],
    ['[0-17] [0-19] the code flow by name', signIn('authMethod: pkce')],
    ['[0-20] the code flow with Cognito', signIn('authMethod: pkce', COGNITO)],
    ['[4-7] a confidential client', signIn('clientSecretFrom: IDP_CLIENT_SECRET')],
    ['[4-9] PKCE off for one', signIn('pkce: false, clientSecretFrom: IDP_CLIENT_SECRET')],
    [
      'endpoints on this machine',
      signIn("endpoints: {authorization: 'http://localhost/a', token: 'http://127.0.0.1:1/t'}"),
    ],
    [
      'no endpoint for codes where there are none',
      signIn("authMethod: implicit, endpoints: {authorization: 'https://a.example/a'}"),
    ],
    [
      'Graph for Entra',
      signIn('graph: {}', "preset: entra, issuer: 'https://login.microsoftonline.com/t/v2.0'"),
    ],
    [
      '[2-13] a sign-out that leads to plain http',
      client("  second: {clientId: two, logoutRedirectUris: ['http://app.example/out']}"),
    ],
    [
      'a domain of an issuer of the instance and of an organization',
      lines(
        'issuers:',
        "  a: {issuer: 'https://a.example', signIn: {clientId: x, emailDomains: [acme.example]}}",
        "organizations: {acme: {issuers: {b: {issuer: 'https://b.example', signIn: {clientId: x, emailDomains: [acme.example]}}}}}",
      ),
    ],
  ])('%s', (_name, text) => expect(() => documentOf(text)).not.toThrow())
})

describe('what is left out', () => {
  const compiled = (text: string) => compilePolicy(documentOf(text)).policy.issuers[0]?.signIn

  test('[0-17] [0-18] [4-9] [4-10] is PKCE, and openid, profile and email', () => {
    expect(compiled(signIn(''))).toMatchObject({
      clientId: 'postern',
      authMethod: 'pkce',
      pkce: true,
      scopes: ['openid', 'profile', 'email'],
      label: 'idp',
      clientSecretFrom: null,
    })
    expect(compiled(signIn('scopes: [groups]'))?.scopes).toEqual(['openid', 'groups'])
  })
})
