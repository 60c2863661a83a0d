// One of everything a policy can say, for tests that something holds whatever is said.

export const EVERYTHING = {
  version: 1,
  audience: 'here',
  roles: {
    GROUP_AUDITOR: { level: 'project', permissions: ['project.audit.read'], implies: ['GROUP_READ_ONLY'] },
    ORG_AUDITOR: { level: 'organization', implies: ['GROUP_AUDITOR'], mayGrant: ['GROUP_AUDITOR'] },
  },
  issuers: {
    okta: {
      issuer: 'https://okta.example',
      types: ['JWT', 'application/at+jwt'],
      groups: { claim: 'a.b', key: 'n', stripPrefix: '/', addPrefix: 'okta:', keepDays: 2 },
    },
    entra: {
      preset: 'entra',
      issuer: 'https://l/{tenantid}',
      tenants: ['00000000-0000-0000-0000-000000000001'],
      groups: { names: { 'b0-1': 'readers', 'a0-1': 'admins' } },
    },
    pinned: {
      issuer: 'https://p',
      groups: 'none',
      jwks: { keys: [{ kty: 'RSA', kid: 'a', n: 'x', e: 'AQAB', x5c: ['b', 'a'] }] },
    },
    fixed: {
      issuer: 'https://f',
      jwksUri: 'https://f/jwks',
      audiences: ['z', 'a'],
      maxTokenAgeSeconds: 60,
      claims: { access: 'may_enter', userName: ['login.name'] },
    },
    users: {
      issuer: 'https://users',
      signIn: {
        clientId: 'postern',
        clientAuthentication: 'client_secret_post',
        clientSecretFrom: 'USERS_CLIENT_SECRET',
        pkce: false,
        scopes: ['offline_access', 'openid'],
        label: 'Users',
        emailDomains: ['z.example', 'a.example'],
        signOut: 'rp-initiated',
        refresh: true,
        endpoints: { token: 'https://users/token', authorization: 'https://users/auth' },
      },
    },
  },
  idpGroupMappings: [
    {
      roleName: 'GLOBAL_OWNER',
      idpGroups: ['z', 'a'],
      issuers: ['okta'],
      when: [
        { claim: 'acr', oneOf: ['high', 2] },
        { claim: ['a.b', 'c'], contains: 'x' },
      ],
      notBefore: '2026-01-01T00:00:00Z',
      notAfter: '2027-01-01T00:00:00+01:00',
    },
    { roleName: 'GLOBAL_READ_ONLY', idpGroups: ['Readers', 'READERS'], ignoreCase: true },
  ],
  patternMappings: [
    { roleName: 'ORG_MEMBER', groupPatterns: ['org:{org}', 'o-{org}:*'], ignoreCase: true },
    { roleName: 'GROUP_OWNER', groupPatterns: ['Team:{org}:{project}:admin'] },
  ],
  organizations: {
    globex: { displayName: 'Globex', audience: 'g', projects: { web: { displayName: 'Web' }, app: {} } },
    acme: {
      issuers: { own: { issuer: 'https://own' }, alt: { issuer: 'https://alt' } },
      idpGroupMappings: [
        { roleName: 'ORG_AUDITOR', idpGroups: ['b'] },
        { roleName: 'ORG_OWNER', idpGroups: ['b', 'a', 'b'] },
      ],
      patternMappings: [{ roleName: 'GROUP_READ_ONLY', groupPatterns: ['{project}-readers'] }],
      onUnmatched: 'ORG_MEMBER',
      projects: {
        web: {
          idpGroupMappings: [{ roleName: 'GROUP_AUDITOR', idpGroups: ['b'] }],
          patternMappings: [{ roleName: 'GROUP_OWNER', groupPatterns: ['*-web'], issuers: ['acme/own'] }],
        },
      },
    },
  },
  singleSignOn: { lifetimeSeconds: 3600, isActive: true, logoutRedirectUris: ['https://z', 'https://a'] },
  applications: {
    second: { clientId: 'two', redirectUris: ['https://z/in', 'https://a/in'] },
    first: { displayName: 'First', clientId: 'one', hosts: ['h', 'a'], logoutRedirectUris: ['http://z'] },
  },
  routes: {
    b: {
      hosts: ['h', 'a'],
      methods: ['PUT', 'GET'],
      path: '/{org}/*',
      upstream: 'https://u',
      permission: 'a.b',
      forwardPreflight: true,
    },
    a: {
      hosts: ['h'],
      methods: ['GET'],
      path: '/x/',
      upstream: 'https://u',
      access: 'anonymous',
      audience: 'u',
    },
  },
  tests: [
    {
      name: 'auditors',
      principal: { issuer: 'acme/own', groups: ['b'] },
      on: { organization: 'acme', project: 'web' },
      expect: { allow: ['project.audit.read'] },
    },
  ],
}
