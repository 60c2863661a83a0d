// A policy whose values contradict each other is refused where they do: roles at the wrong level, issuers
// that cannot be told apart, routes that collide.
import { describe, expect, test } from 'vitest'
import { documentOf } from './policies.ts'
import { acme, expectProblem, issuer, lines, problemsOf, type Refused, route, two } from './texts.ts'

const GLOBAL_ROLES = /valid here: GLOBAL_OWNER, GLOBAL_AUTOMATION_ADMIN, .*GLOBAL_READ_ONLY$/
const ORGANIZATION_ROLES =
  /valid here: ORG_OWNER, ORG_GROUP_CREATOR, ORG_BILLING_ADMIN, ORG_READ_ONLY, ORG_MEMBER$/
const PROJECT_ROLES = /valid here: GROUP_OWNER, GROUP_READ_ONLY, .*GROUP_SEARCH_INDEX_EDITOR$/

const shouldRefuse: Refused[] = [
  [
    'two organizations with one audience',
    lines('organizations:', '  acme: {audience: x}', '  globex: {audience: x}'),
    '4:12',
    'organizations.globex.audience',
    /x is already the audience of organization acme/,
  ],
  [
    'an issuer named as what vouches for keys of ours',
    lines('issuers:', '  postern: { issuer: https://idp.example }'),
    '3:3',
    'issuers.postern',
    /name it otherwise/,
  ],
  [
    "an organization named like the instance's audience",
    lines('organizations:', '  postern: {}'),
    '3:3',
    'organizations.postern',
    /postern is already the audience of the instance/,
  ],
  [
    '[4-29] a project role globally',
    lines('idpGroupMappings:', '- {roleName: GROUP_OWNER, idpGroups: [a]}'),
    '3:4',
    'idpGroupMappings[0].roleName',
    GLOBAL_ROLES,
  ],
  [
    '[4-29] a project role on an organization',
    acme('    idpGroupMappings:', '    - {roleName: GROUP_OWNER, idpGroups: [a]}'),
    '5:8',
    'organizations.acme.idpGroupMappings[0].roleName',
    ORGANIZATION_ROLES,
  ],
  [
    '[4-29] a global role on an organization',
    acme('    idpGroupMappings: [{roleName: GLOBAL_OWNER, idpGroups: [a]}]'),
    '4:25',
    'organizations.acme.idpGroupMappings[0].roleName',
    ORGANIZATION_ROLES,
  ],
  [
    '[4-29] an organization role on a project',
    acme('    projects:', '      web:', '        idpGroupMappings: [{roleName: ORG_OWNER, idpGroups: [a]}]'),
    '6:29',
    'organizations.acme.projects.web.idpGroupMappings[0].roleName',
    PROJECT_ROLES,
  ],
  [
    '[4-29] an unknown role',
    acme('    idpGroupMappings: [{roleName: ORG_BOSS, idpGroups: [a]}]'),
    '4:25',
    'organizations.acme.idpGroupMappings[0].roleName',
    /^ORG_BOSS is no role; valid here: ORG_OWNER/,
  ],
  [
    'a role implying an unknown one',
    lines('roles:', '  A: {level: global, implies: [B]}'),
    '3:32',
    'roles.A.implies[0]',
    /there is no role B/,
  ],
  [
    'a role implying one above',
    lines('roles:', '  A: {level: project, implies: [ORG_OWNER]}'),
    '3:33',
    'roles.A.implies[0]',
    /organization level, above A \(project\)/,
  ],
  [
    'a role granting one above',
    lines('roles:', '  A: {level: organization, mayGrant: [GLOBAL_OWNER]}'),
    '3:39',
    'roles.A.mayGrant[0]',
    /global level, above A/,
  ],
  [
    'an unknown issuer in a mapping',
    issuer('idpGroupMappings:', '- {roleName: GLOBAL_OWNER, idpGroups: [a], issuers: [octa]}'),
    '6:54',
    'idpGroupMappings[0].issuers[0]',
    /no issuer "octa" is trusted here; trusted are: okta$/,
  ],
  [
    "an organization's issuer in a global mapping",
    acme(
      '    issuers: {own: {issuer: https://a.example}}',
      'idpGroupMappings:',
      '- {roleName: GLOBAL_OWNER, idpGroups: [a], issuers: [acme/own]}',
    ),
    '6:54',
    'idpGroupMappings[0].issuers[0]',
    /trusted are: none$/,
  ],
  [
    "another organization's issuer in a mapping",
    lines(
      'organizations:',
      '  acme:',
      '    issuers: {own: {issuer: https://a.example}}',
      '  globex:',
      '    idpGroupMappings:',
      '    - {roleName: ORG_OWNER, idpGroups: [a], issuers: [acme/own]}',
    ),
    '7:55',
    'organizations.globex.idpGroupMappings[0].issuers[0]',
    /no issuer "acme\/own"/,
  ],
  [
    "an organization registering an instance's iss",
    issuer('organizations:', '  acme:', '    issuers: {own: {issuer: https://okta.example}}'),
    '7:21',
    'organizations.acme.issuers.own.issuer',
    /is the instance's issuer "okta"/,
  ],
  [
    "an organization registering a tenant of the instance's",
    lines(
      'issuers:',
      "  entra: {issuer: 'https://l/{tenantid}/v2.0', tenants: [00000000-0000-0000-0000-000000000001]}",
      'organizations:',
      '  acme:',
      "    issuers: {own: {issuer: 'https://l/00000000-0000-0000-0000-000000000001/v2.0'}}",
    ),
    '6:21',
    'organizations.acme.issuers.own.issuer',
    /is the instance's issuer "entra"/,
  ],
  [
    "an organization's tenants reaching an instance's iss",
    lines(
      'issuers:',
      "  one: {issuer: 'https://l/00000000-0000-0000-0000-000000000001'}",
      'organizations:',
      '  acme:',
      "    issuers: {own: {issuer: 'https://l/{tenantid}', tenants: [00000000-0000-0000-0000-000000000001]}}",
    ),
    '6:21',
    'organizations.acme.issuers.own.issuer',
    /is the instance's issuer "one"/,
  ],
  [
    'the same iss twice',
    issuer('  other: {issuer: https://okta.example}'),
    '5:11',
    'issuers.other.issuer',
    /already the issuer "okta"/,
  ],
  [
    'the same iss twice in an organization',
    acme('    issuers: {a: {issuer: https://x.example}, b: {issuer: https://x.example}}'),
    '4:51',
    'organizations.acme.issuers.b.issuer',
    /already the issuer "a"/,
  ],
  [
    'tenants without a placeholder',
    issuer('    tenants: [00000000-0000-0000-0000-000000000001]'),
    '4:5',
    'issuers.okta.issuer',
    /has no \{tenantid\}/,
  ],
  [
    'a placeholder without tenants',
    lines('issuers:', "  a: {issuer: 'https://l/{tenantid}/v2.0'}"),
    '3:7',
    'issuers.a.issuer',
    /"tenants" must list/,
  ],
  [
    'keys from two places',
    issuer('    jwksUri: https://okta.example/jwks', '    jwks: {keys: [{kty: RSA}]}'),
    '5:5',
    'issuers.okta.jwksUri',
    /keys come from one place/,
  ],
  [
    'a route without permission or access',
    route('    path: /x'),
    '7:5',
    'routes.api.path',
    /exactly one of "permission" and "access"/,
  ],
  [
    'a route with permission and access',
    route('    path: /x', '    permission: project.read', '    access: anonymous'),
    '9:5',
    'routes.api.access',
    /exactly one of/,
  ],
  [
    'a capture named twice',
    route('    access: anonymous', '    path: /{org}/{org}'),
    '8:5',
    'routes.api.path',
    /names a capture twice/,
  ],
  [
    'a capture that is called as in older policies',
    route('    access: anonymous', '    path: /orgs/{organization}'),
    '8:5',
    'routes.api.path',
    /names its organization \{organization\}; write \{org\}/,
  ],
  [
    'an organization fixed and captured',
    route('    access: anonymous', '    path: /{org}', '    organization: acme', 'organizations: {acme: {}}'),
    '9:5',
    'routes.api.organization',
    /in the path already/,
  ],
  [
    'a project without an organization',
    route('    access: anonymous', '    path: /{project}'),
    '8:5',
    'routes.api.path',
    /no organization to find it in/,
  ],
  [
    'an unknown organization in a route',
    route('    access: anonymous', '    path: /', '    organization: acme'),
    '9:5',
    'routes.api.organization',
    /there is no organization acme/,
  ],
  [
    'an unknown project in a route',
    route(
      '    access: anonymous',
      '    path: /',
      '    organization: acme',
      '    project: web',
      'organizations: {acme: {}}',
    ),
    '10:5',
    'routes.api.project',
    /there is no project web in acme/,
  ],
  [
    'an upstream elsewhere without TLS',
    lines(
      'routes:',
      '  api: {hosts: [h], methods: [GET], path: /, access: anonymous, upstream: http://u.example}',
    ),
    '3:65',
    'routes.api.upstream',
    /must use https/,
  ],
  [
    "a path of Postern's own",
    route('    access: anonymous', '    path: /.postern/x'),
    '8:5',
    'routes.api.path',
    /kept for Postern/,
  ],
  [
    'routes that collide',
    two('methods: [GET, PUT], path: /x', 'methods: [PUT], path: /x'),
    '4:79',
    'routes.two.path',
    /^PUT h\/x is already matched by the route "one"$/,
  ],
  [
    'routes that collide under other capture names',
    two("methods: [GET], path: '/{org}/{a}'", "methods: [GET], path: '/{b}/{org}'"),
    '4:79',
    'routes.two.path',
    /already matched by the route "one"/,
  ],
  [
    'routes that collide in their rest',
    two("methods: [GET], path: '/{a}/*'", "methods: [GET], path: '/{b}/*'"),
    '4:79',
    'routes.two.path',
    /already matched/,
  ],
]

describe('a policy is refused for', () => {
  test.each(shouldRefuse)('%s, and for nothing else', (_name, text, at, path, message) => {
    expectProblem(text, at, path, message)
    expect(problemsOf(text)).toHaveLength(1)
  })

  test('more roles than there may be', () => {
    const roles = Array.from({ length: 90 }, (_, index) => `  R${index}: {level: global}`)
    expect(problemsOf(lines('roles:', ...roles))[0]?.message).toMatch(
      /are 114 with the catalogue's; at most 100/,
    )
  })
})

describe('a policy is accepted', () => {
  test('with one iss in two organizations, and one host, path and method in two routes', () => {
    const own = { issuers: { own: { issuer: 'https://shared.example' } } }
    documentOf(JSON.stringify({ version: 1, organizations: { acme: own, globex: own } }))
    documentOf(two('methods: [GET], path: /x', 'methods: [POST], path: /x'))
    documentOf(two('methods: [GET], path: /x', 'methods: [GET], path: /x/'))
    documentOf(two("methods: [GET], path: '/{a}'", 'methods: [GET], path: /a'))
  })
})
