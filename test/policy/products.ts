// Tokens as the products with a preset send them, after the examples in their documentation.
import type { Claims, Principal } from '../../policy/principal.ts'

/** What a token of the product says, as its documentation shows it, and who that is. */
export interface Product {
  product: string
  issuer: object
  token: Claims
  expected: Partial<Principal>
}

const entraGroup = 'b1f0a6c2-6d3e-4c4a-9d0b-2f6f0d1b7a11'
const realm = {
  sub: '2c1b8b1e-5a3d-4b52-8c1e-3f9d7a1d0c55',
  typ: 'Bearer',
  azp: 'postern',
  preferred_username: 'alice',
  given_name: 'Alice',
  family_name: 'Liddell',
  email: 'alice@example.com',
  email_verified: true,
  realm_access: { roles: ['offline_access', 'uma_authorization', 'default-roles-demo', 'ops'] },
  resource_access: { account: { roles: ['manage-account'] } },
  groups: ['/acme/admins', '/everyone'],
}

export const PRODUCTS: Product[] = [
  {
    product: '[0-1] Okta',
    issuer: { preset: 'okta' },
    token: {
      sub: '00u1a2b3c4D5E6F7g8h9',
      ver: 1,
      iss: 'https://dev-1.okta.com',
      aud: '0oa1b2c3',
      amr: ['pwd', 'mfa'],
      name: 'Alice Liddell',
      preferred_username: 'alice@example.com',
      given_name: 'Alice',
      family_name: 'Liddell',
      email: 'alice@example.com',
      email_verified: true,
      groups: ['Everyone', 'acme-admins'],
    },
    expected: {
      subject: '00u1a2b3c4D5E6F7g8h9',
      userName: 'alice@example.com',
      firstName: 'Alice',
      groups: { outcome: 'listed', names: ['Everyone', 'acme-admins'] },
    },
  },
  {
    product: '[0-1] Entra, with names for ids',
    issuer: { preset: 'entra', groups: { names: { [entraGroup]: 'acme-admins' } } },
    token: {
      aud: '6e74172b-be56-4843-9ff4-e66a39bb12e3',
      iss: 'https://login.microsoftonline.com/72f988bf-86f1-41af-91ab-2d7cd011db47/v2.0',
      oid: '690222be-ff1a-4d56-abd1-7e4f7d38e474',
      sub: 'HKZpfaHyWadeOouYlitjrI-KffTm222X5rrV3xDqfKQ',
      tid: '72f988bf-86f1-41af-91ab-2d7cd011db47',
      preferred_username: 'alice@contoso.com',
      name: 'Alice Liddell',
      given_name: 'Alice',
      family_name: 'Liddell',
      groups: [entraGroup, 'd5e4a1c0-2f1b-4b8e-9c61-5a0e9f3b2d77'],
      roles: ['Readers'],
      ver: '2.0',
    },
    expected: {
      // `sub` is another one for each application.
      subject: '690222be-ff1a-4d56-abd1-7e4f7d38e474',
      userName: 'alice@contoso.com',
      email: null,
      groups: { outcome: 'listed', names: ['acme-admins', 'd5e4a1c0-2f1b-4b8e-9c61-5a0e9f3b2d77'] },
    },
  },
  {
    product: 'Entra, with too many groups',
    issuer: { preset: 'entra' },
    token: {
      oid: '690222be-ff1a-4d56-abd1-7e4f7d38e474',
      _claim_names: { groups: 'src1' },
      _claim_sources: { src1: { endpoint: 'https://graph.microsoft.com/v1.0/users/x/getMemberObjects' } },
    },
    expected: { groups: { outcome: 'overage', kept: null } },
  },
  {
    product: 'Entra, with application roles instead of groups',
    issuer: { preset: 'entra', groups: { claim: 'roles' } },
    token: { oid: '690222be', roles: ['Readers'], hasgroups: true },
    expected: { groups: { outcome: 'listed', names: ['Readers'] } },
  },
  {
    product: '[0-1] Cognito',
    issuer: { preset: 'cognito' },
    token: {
      sub: 'aaaaaaaa-bbbb-cccc-dddd-eeeeeeeeeeee',
      'cognito:groups': ['acme-admins', 'readers'],
      'cognito:preferred_role': 'arn:aws:iam::111122223333:role/my-test-role',
      'cognito:roles': ['arn:aws:iam::111122223333:role/my-test-role'],
      'cognito:username': 'alice',
      email_verified: true,
      given_name: 'Alice',
      family_name: 'Liddell',
      email: 'alice@example.com',
      token_use: 'id',
      aud: 'xxxxxxxxxxxxexample',
    },
    expected: {
      subject: 'aaaaaaaa-bbbb-cccc-dddd-eeeeeeeeeeee',
      userName: 'alice',
      email: 'alice@example.com',
      groups: { outcome: 'listed', names: ['acme-admins', 'readers'] },
    },
  },
  {
    product: '[0-1] Keycloak, by group paths',
    issuer: { preset: 'keycloak' },
    token: realm,
    expected: {
      userName: 'alice',
      lastName: 'Liddell',
      groups: { outcome: 'listed', names: ['acme/admins', 'everyone'] },
    },
  },
  {
    product: '[0-1] Keycloak, by realm roles',
    issuer: { preset: 'keycloak', groups: { claim: 'realm_access.roles' } },
    token: realm,
    expected: { groups: { outcome: 'listed', names: realm.realm_access.roles } },
  },
  {
    product: '[0-1] Google',
    issuer: { preset: 'google' },
    token: {
      iss: 'https://accounts.google.com',
      azp: '1234987819200.apps.googleusercontent.com',
      sub: '10769150350006150715113082367',
      hd: 'example.com',
      email: 'alice@example.com',
      email_verified: true,
      name: 'Alice Liddell',
      given_name: 'Alice',
      family_name: 'Liddell',
    },
    expected: {
      subject: '10769150350006150715113082367',
      userName: 'alice@example.com',
      email: 'alice@example.com',
      groups: { outcome: 'none' },
    },
  },
  {
    product: '[0-1] Auth0',
    issuer: { preset: 'auth0', groups: { claim: 'https://acme.example/roles' } },
    token: {
      iss: 'https://acme.eu.auth0.com/',
      sub: 'auth0|5f7c8ec7c33c6c004bbafe82',
      nickname: 'alice',
      name: 'Alice Liddell',
      email: 'alice@example.com',
      email_verified: false,
      'https://acme.example/roles': ['admins'],
    },
    expected: {
      subject: 'auth0|5f7c8ec7c33c6c004bbafe82',
      userName: 'alice',
      email: null,
      groups: { outcome: 'listed', names: ['admins'] },
    },
  },
  {
    product: 'GitHub Actions',
    issuer: { preset: 'github-actions' },
    token: {
      iss: 'https://token.actions.githubusercontent.com',
      sub: 'repo:octo-org/octo-repo:environment:prod',
      aud: 'https://github.com/octo-org',
      repository: 'octo-org/octo-repo',
      repository_owner: 'octo-org',
      repository_owner_id: '65',
      actor: 'octocat',
      environment: 'prod',
      ref: 'refs/heads/main',
      job_workflow_ref: 'octo-org/octo-automation/.github/workflows/oidc.yml@refs/heads/main',
    },
    expected: {
      subject: 'repo:octo-org/octo-repo:environment:prod',
      userName: 'octocat',
      email: null,
      groups: { outcome: 'none' },
    },
  },
  {
    product: 'GitLab CI',
    issuer: { preset: 'gitlab-ci' },
    token: {
      iss: 'https://gitlab.example.com',
      sub: 'project_path:my-group/my-project:ref_type:branch:ref:main',
      namespace_path: 'my-group',
      project_path: 'my-group/my-project',
      user_login: 'sample-user',
      user_email: 'sample-user@example.com',
      groups_direct: ['mygroup/mysubgroup', 'myothergroup/myothersubgroup'],
      ref_protected: 'true',
      job_id: '189',
    },
    expected: {
      subject: 'project_path:my-group/my-project:ref_type:branch:ref:main',
      userName: 'sample-user',
      email: 'sample-user@example.com',
      groups: { outcome: 'listed', names: ['mygroup/mysubgroup', 'myothergroup/myothersubgroup'] },
    },
  },
  {
    product: 'Kubernetes',
    issuer: { preset: 'kubernetes' },
    token: {
      aud: ['postern'],
      iss: 'https://kubernetes.default.svc.cluster.local',
      'kubernetes.io': {
        namespace: 'payments',
        node: { name: 'node-1', uid: '58456cb0-dd00-45ed-b797-5578fdceaced' },
        pod: { name: 'worker-69cbfb9798-jv9gn', uid: '778a530c-b3f4-47c0-9cd5-ab018fb64f33' },
        serviceaccount: { name: 'worker', uid: 'a087d5a0-e1dd-43ec-93ac-f13d89cd13af' },
        warnafter: 1_700_081_020,
      },
      sub: 'system:serviceaccount:payments:worker',
    },
    expected: {
      subject: 'system:serviceaccount:payments:worker',
      userName: 'worker',
      groups: { outcome: 'listed', names: ['namespace:payments'] },
    },
  },
  {
    product: 'SPIFFE',
    issuer: { preset: 'spiffe' },
    token: { sub: 'spiffe://example.org/ns/payments/sa/worker', aud: ['postern'], exp: 1_700_081_020 },
    expected: {
      subject: 'spiffe://example.org/ns/payments/sa/worker',
      userName: null,
      groups: { outcome: 'none' },
    },
  },
]
