// What does not look like a policy is refused with file, line, column and path, and with what would be right.
// What a document needs as YAML is yaml.test.ts's, what its values must hold among each other check.test.ts's.
import { describe, expect, test } from 'vitest'
import { describeProblems } from '../../policy/document.ts'
import { ALGORITHMS } from '../../policy/schema-issuer.ts'
import { documentOf, readProjectFile } from './policies.ts'
import { acme, expectProblem, issuer, lines, problemsOf, type Refused, route } from './texts.ts'

const shouldRefuse: Refused[] = [
  ['an unknown field', lines('isuers: {}'), '2:1', 'isuers', /not a known field/],
  [
    'an unknown field below',
    acme('    display: Acme'),
    '4:5',
    'organizations.acme.display',
    /not a known field/,
  ],
  ['another version', 'version: 2', '1:1', 'version', /expected 1/],
  ['no version', 'routes: {}', '1:1', 'version', /expected 1/],
  ['a list for an object', lines('routes: []'), '2:1', 'routes', /^expected object, received array$/],
  ['an organization without a body', acme(), '3:3', 'organizations.acme', /expected object, received null/],
  [
    'a slug in upper case',
    lines('organizations:', '  Acme: {}'),
    '3:3',
    'organizations.Acme',
    /must be a slug: 1 to 64/,
  ],
  [
    'a slug with a dash at its end',
    lines('organizations:', '  acme-: {}'),
    '3:3',
    'organizations.acme-',
    /must be a slug/,
  ],
  [
    'a slug of 65',
    lines('organizations:', `  ${'a'.repeat(65)}: {}`),
    '3:3',
    `organizations.${'a'.repeat(65)}`,
    /must be a slug/,
  ],
  [
    'a slug with a slash',
    lines('issuers:', '  acme/okta: {issuer: https://a}'),
    '3:3',
    'issuers.acme/okta',
    /must be a slug/,
  ],
  [
    'a role name in lower case',
    lines('roles:', '  owner: {level: global}'),
    '3:3',
    'roles.owner',
    /must be a role name/,
  ],
  [
    'a role without a level',
    lines('roles:', '  AUDITOR: {}'),
    '3:3',
    'roles.AUDITOR.level',
    /expected one of "global"/,
  ],
  [
    'a permission of one word',
    lines('roles:', '  A: {level: global, permissions: [read]}'),
    '3:36',
    'roles.A.permissions[0]',
    /must be a permission/,
  ],
  [
    'an issuer that is no URL',
    lines('issuers:', '  okta:', '    issuer: okta.example'),
    '4:5',
    'issuers.okta.issuer',
    /http or https URL/,
  ],
  [
    'an issuer with a fragment',
    lines('issuers:', "  okta: {issuer: 'https://a#b'}"),
    '3:10',
    'issuers.okta.issuer',
    /http or https URL/,
  ],
  [
    'leeway over five minutes',
    issuer('    leewaySeconds: 301'),
    '5:5',
    'issuers.okta.leewaySeconds',
    /<=300/,
  ],
  [
    'an empty list of algorithms',
    issuer('    algorithms: []'),
    '5:5',
    'issuers.okta.algorithms',
    /Too small/,
  ],
  ['an empty list of audiences', issuer('    audiences: []'), '5:5', 'issuers.okta.audiences', /Too small/],
  [
    'groups of another word',
    issuer('    groups: all'),
    '5:5',
    'issuers.okta.groups',
    /expected "none", or .*expected object/,
  ],
  [
    'a misspelt field of groups',
    issuer('    groups: {clam: x}'),
    '5:14',
    'issuers.okta.groups.clam',
    /not a known field/,
  ],
  [
    'a claim that is a number',
    issuer('    groups: {claim: 7}'),
    '5:14',
    'issuers.okta.groups.claim',
    /expected string.*, or .*expected array/,
  ],
  [
    'an empty claim',
    issuer("    claims: {subject: ''}"),
    '5:14',
    'issuers.okta.claims.subject',
    /expected string to have >=1/,
  ],
  [
    'pinned keys that are no keys',
    issuer('    jwks: {keys: [7]}'),
    '5:19',
    'issuers.okta.jwks.keys[0]',
    /^expected object, received number$/,
  ],
  [
    'a mapping without groups',
    lines('idpGroupMappings: [{roleName: GLOBAL_OWNER, idpGroups: []}]'),
    '2:45',
    'idpGroupMappings[0].idpGroups',
    /Too small/,
  ],
  [
    'a group that is no string',
    lines('idpGroupMappings: [{roleName: GLOBAL_OWNER, idpGroups: [7]}]'),
    '2:57',
    'idpGroupMappings[0].idpGroups[0]',
    /expected string/,
  ],
  [
    'an empty list of issuers',
    lines('idpGroupMappings: [{roleName: GLOBAL_OWNER, idpGroups: [a], issuers: []}]'),
    '2:61',
    'idpGroupMappings[0].issuers',
    /Too small/,
  ],
  [
    'an upstream with a path',
    lines('routes:', '  api:', '    upstream: https://u.example/x'),
    '4:5',
    'routes.api.upstream',
    /must be an origin/,
  ],
  [
    'a host with a port',
    lines('routes:', "  api: {hosts: ['h:80']}"),
    '3:17',
    'routes.api.hosts[0]',
    /host name in lower case, without a port/,
  ],
  [
    'a method in lower case',
    lines('routes:', '  api: {methods: [get]}'),
    '3:19',
    'routes.api.methods[0]',
    /expected one of "GET"/,
  ],
]

describe('a policy is refused for', () => {
  test.each(shouldRefuse)('%s', (_name, text, at, path, message) => expectProblem(text, at, path, message))

  test.each(['HS256', 'HS384', 'HS512', 'none', 'None', 'dir', 'RSA-OAEP', 'rs256', 'ES256K', ''])(
    'the algorithm "%s", whatever else it says',
    (algorithm) => {
      const [problem, ...others] = problemsOf(issuer(`    algorithms: [RS256, "${algorithm}"]`))
      expect(others).toEqual([])
      expect(problem).toMatchObject({ line: 5, column: 25, path: ['issuers', 'okta', 'algorithms', 1] })
      for (const valid of ALGORITHMS) expect(problem?.message).toContain(`"${valid}"`)
    },
  )

  test.each([
    ['no leading slash', 'x'],
    ['an empty segment', '/a//b'],
    ['a rest in the middle', '/a/*/b'],
    ['a rest within a segment', '/a*'],
    ['a capture within a segment', '/a{b}'],
    ['a capture without a name', '/{}'],
    ['an encoded character', '/a%20b'],
    ['a query', '/a?b'],
    ['a regular expression', '/(a|b)'],
    ['nothing', ''],
  ])('a path with %s', (_name, path) => {
    const problems = problemsOf(route('    access: anonymous', `    path: '${path}'`))
    expect(problems[0]).toMatchObject({ line: 8, column: 5, path: ['routes', 'api', 'path'] })
  })

  test('all that is wrong, a line each, under the name of the file', () => {
    const problems = problemsOf(lines('routes: []', 'nothing: 1'), 'conf/mine.yaml')
    expect(describeProblems(problems).split('\n')).toEqual([
      'conf/mine.yaml:2:1: routes: expected object, received array',
      expect.stringMatching(/^conf\/mine\.yaml:3:1: nothing: is not a known field; there are version, /),
    ])
  })
})

describe('a policy is accepted', () => {
  test('[4-26] with idpGroupMappings in exactly the shape of the API', () => {
    const idpGroupMappings = JSON.parse(
      '[{"idpGroups":["cn=a,ou=groups","b"],"roleName":"GROUP_USER_ADMIN"},{"idpGroups":["c"],"roleName":"GROUP_OWNER"}]',
    )
    const policy = documentOf(
      JSON.stringify({ version: 1, organizations: { acme: { projects: { web: { idpGroupMappings } } } } }),
    )
    expect(policy.organizations.acme?.projects.web?.idpGroupMappings).toEqual(idpGroupMappings)
  })

  test('with a role of its own, and one of the catalogue replaced whole', () => {
    const { roles } = documentOf(
      lines(
        'roles:',
        '  ORG_MEMBER: {level: organization}',
        '  GROUP_AUDITOR: {level: project, implies: [GROUP_READ_ONLY]}',
      ),
    )
    expect(roles.ORG_MEMBER).toEqual({ level: 'organization', permissions: [], implies: [], mayGrant: [] })
    expect(roles.GROUP_AUDITOR?.implies).toEqual(['GROUP_READ_ONLY'])
    expect(roles.ORG_OWNER?.permissions).toContain('organization.update')
  })

  test('with nothing in it, and then gives nothing', () => {
    expect(documentOf('version: 1')).toMatchObject({
      issuers: {},
      idpGroupMappings: [],
      organizations: {},
      routes: {},
    })
  })

  test.each(['demo/policy.yaml', 'postern.policy.yaml'])('as it stands in %s', (file) => {
    documentOf(readProjectFile(file))
  })
})
