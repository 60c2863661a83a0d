// What lint says of sound policies: for each code one policy that brings it about, and one that is nearly the
// same and does not.
import { describe, expect, test } from 'vitest'
import { type LintOptions, lintPolicy, WARNINGS, type WarningCode } from '../../policy/lint.ts'
import { describePath, describeProblems } from '../../policy/problems.ts'
import { CATALOGUE, documentOf, parse, readProjectFile } from './policies.ts'

const NOW = Date.parse('2026-06-01T00:00:00Z') / 1000

type Options = Partial<Omit<LintOptions, 'before'>> & { before?: string }

function lint(text: string, { before, ...options }: Options = {}) {
  const parsed = parse(`version: 1\n${text}`)
  if (!parsed.ok) throw new Error(describeProblems(parsed.problems))
  const earlier = before === undefined ? {} : { before: documentOf(`version: 1\n${before}`) }
  const { policy, ownRoles } = parsed
  return lintPolicy(policy, { now: NOW, ownRoles, ...earlier, ...options })
}

/** Places and messages of one code. */
function found(code: WarningCode, text: string, options?: Options): string[] {
  return lint(text, options)
    .filter((warning) => warning.code === code)
    .map(({ path, message }) => `${describePath(path)}: ${message}`)
}

const OKTA = "issuers: {okta: {issuer: 'https://okta.example'}}\n"
const ISSUERS =
  "issuers: {okta: {issuer: 'https://okta.example'}, entra: {issuer: 'https://entra.example'}}\n"
const issuer = (members: string) => `issuers: {okta: {issuer: 'https://okta.example', ${members}}}\n`
const mapping = (members: string) => `idpGroupMappings: [{roleName: GLOBAL_OWNER, ${members}}]\n`
const pattern = (members: string, role = 'GLOBAL_READ_ONLY') =>
  `patternMappings: [{roleName: ${role}, ${members}}]\n`
const routes = (...members: string[]) =>
  `routes:\n${members
    .map((text, index) => `  r${index}: {upstream: 'https://u', hosts: [h], access: anonymous, ${text}}`)
    .join('\n')}\n`
const guarded = (path: string, permission: string) =>
  `routes: {api: {hosts: [h], methods: [GET], upstream: 'https://u', path: '${path}', permission: ${permission}}}\n`
const when = (...conditions: string[]) => mapping(`idpGroups: [a], when: [${conditions.join(', ')}]`)
const acme = (members: string) => `${OKTA}organizations: {acme: {${members}}}\n`
const owner = 'idpGroupMappings: [{roleName: ORG_OWNER, idpGroups: [a]}]'

/** An actor who holds these roles everywhere. */
const actor = (...roles: string[]) => ({ rolesAt: () => roles })

type Row = [code: WarningCode, name: string, text: string, at: RegExp, not: string, options?: Options]

const mappingRows: Row[] = [
  [
    'mapping_expired',
    'a window that is over',
    OKTA + mapping("idpGroups: [a], notAfter: '2026-06-01T00:00:00Z'"),
    /^idpGroupMappings\[0\]\.notAfter: 2026-06-01T00:00:00Z has passed/,
    OKTA + mapping("idpGroups: [a], notAfter: '2026-06-01T00:00:01Z'"),
  ],
  [
    'mapping_contradictory',
    'two values of one claim',
    OKTA + when('{claim: hd, equals: a}', '{claim: hd, equals: b}'),
    /^idpGroupMappings\[0\]\.when: .*"hd".*"oneOf"/,
    OKTA + when('{claim: hd, equals: a}', '{claim: acr, equals: b}'),
  ],
  [
    'mapping_contradictory',
    'a value that is not in the list, by its type',
    OKTA + when('{claim: level, oneOf: [1, 2]}', "{claim: level, equals: '1'}"),
    /"level"/,
    OKTA + when('{claim: level, oneOf: [1, 2]}', '{claim: level, equals: 1}'),
  ],
  [
    'mapping_contradictory',
    'words that lack one',
    OKTA + when('{claim: scope, equals: read write}', '{claim: scope, contains: delete}'),
    /"scope"/,
    OKTA + when('{claim: scope, contains: read}', '{claim: scope, contains: delete}'),
  ],
  [
    'mapping_unmatchable',
    'no issuer',
    mapping('idpGroups: [a]'),
    /^idpGroupMappings\[0\]: no issuer is trusted here/,
    OKTA + mapping('idpGroups: [a]'),
  ],
  [
    'mapping_unmatchable',
    'issuers without groups',
    issuer('groups: none') + mapping('idpGroups: [a]'),
    /"okta" say no groups/,
    issuer('groups: {claim: roles}') + mapping('idpGroups: [a]'),
  ],
  [
    'mapping_unmatchable',
    'an id that the issuer has a name for',
    issuer('groups: {names: {id-1: Admins}}') + mapping('idpGroups: [other, id-1]'),
    /^idpGroupMappings\[0\]\.idpGroups\[1\]: id-1 is never said: "okta" calls it "Admins"/,
    issuer('groups: {names: {id-1: Admins}}') + mapping('idpGroups: [other, Admins, id-2]'),
  ],
  [
    'mapping_unmatchable',
    'the slash that Keycloak begins with',
    issuer('preset: keycloak') + mapping('idpGroups: [/admins]'),
    /takes "\/" off the front .*write "admins"/,
    issuer('preset: keycloak') + mapping('idpGroups: [admins]'),
  ],
  [
    'mapping_unmatchable',
    'a prefix left out',
    issuer("groups: {addPrefix: 'ext:'}") + mapping('idpGroups: [a]'),
    /write "ext:a"/,
    issuer("groups: {addPrefix: 'ext:'}") + mapping("idpGroups: ['ext:a']"),
  ],
  [
    'mapping_unmatchable',
    'a prefix left out of a pattern',
    issuer("groups: {addPrefix: 'ext:'}") + pattern("groupPatterns: ['team-*']"),
    /^patternMappings\[0\]\.groupPatterns\[0\]: .*write "ext:team-"/,
    issuer("groups: {addPrefix: 'ext:'}") + pattern("groupPatterns: ['*-team', 'e*', 'ext:t*']"),
  ],
  [
    'mapping_duplicate',
    'a group twice, by the same rules',
    OKTA +
      'idpGroupMappings: [{roleName: GLOBAL_OWNER, idpGroups: [a, b]}, {roleName: GLOBAL_OWNER, idpGroups: [b]}]\n',
    /^idpGroupMappings\[1\]: b stands in idpGroupMappings\[0\] already/,
    OKTA +
      "idpGroupMappings: [{roleName: GLOBAL_OWNER, idpGroups: [a, b]}, {roleName: GLOBAL_OWNER, idpGroups: [b], notAfter: '2030-01-01T00:00:00Z'}, {roleName: GLOBAL_READ_ONLY, idpGroups: [b]}]\n",
  ],
  [
    'mapping_duplicate',
    'a group twice in one mapping, but for case',
    OKTA + mapping('ignoreCase: true, idpGroups: [a, A]'),
    /A stands twice in it/,
    OKTA + mapping('idpGroups: [a, A]'),
  ],
  [
    'mapping_believes_any',
    'two issuers',
    ISSUERS + mapping('idpGroups: [a]'),
    /^idpGroupMappings\[0\]: believes "okta", "entra" alike.*issuers: \[okta\]/,
    ISSUERS + mapping('idpGroups: [a], issuers: [okta, entra]'),
  ],
  [
    'mapping_believes_any',
    "the instance's issuer beside the organization's",
    acme(`issuers: {own: {issuer: 'https://own.example'}}, ${owner}`),
    /"okta", "acme\/own"/,
    acme(`issuers: {own: {issuer: 'https://own.example', groups: none}}, ${owner}`),
  ],
  [
    'pattern_spans_organizations',
    'a capture of the organization',
    OKTA + pattern("groupPatterns: ['team:{org}:owner']", 'ORG_OWNER'),
    /^patternMappings\[0\]: .*in every organization/,
    acme("patternMappings: [{roleName: GROUP_OWNER, groupPatterns: ['team:{project}:owner']}]"),
  ],
  [
    'patterns_overlap',
    'a group for both',
    OKTA + pattern("groupPatterns: ['team:*:admin', 'team:x*']"),
    /^patternMappings\[0\]\.groupPatterns\[1\]: team:x\* and team:\*:admin \(patternMappings\[0\]\.groupPatterns\[0\]\) both match "team:x:admin"/,
    OKTA + pattern("groupPatterns: ['team:*:admin', 'team:*:owner', 'other:*']"),
  ],
  [
    'patterns_overlap',
    'a capture that has room for the other literal',
    `${OKTA}patternMappings: [{roleName: ORG_MEMBER, groupPatterns: ['{org}-eng']}, {roleName: GLOBAL_READ_ONLY, ignoreCase: true, groupPatterns: ['ACME*']}]\n`,
    /both match "acme[a-z0-9]*-eng"/,
    `${OKTA}patternMappings: [{roleName: ORG_MEMBER, groupPatterns: ['{org}-eng']}, {roleName: GLOBAL_READ_ONLY, groupPatterns: ['ACME*']}]\n`,
  ],
]

const roleRows: Row[] = [
  [
    'role_unobtainable',
    'a role no mapping gives',
    `${OKTA}roles: {AUDITOR: {level: global}}\n`,
    /^roles\.AUDITOR: /,
    `${OKTA}roles: {AUDITOR: {level: global}, LEAD: {level: global, implies: [AUDITOR]}}\nidpGroupMappings: [{roleName: LEAD, idpGroups: [a]}]\n`,
  ],
  [
    'role_unobtainable',
    'a role that only a dead mapping gives',
    `${OKTA}roles: {AUDITOR: {level: global}}\nidpGroupMappings: [{roleName: AUDITOR, idpGroups: [a], notAfter: '2020-01-01T00:00:00Z'}]\n`,
    /^roles\.AUDITOR: /,
    `${OKTA}roles: {AUDITOR: {level: organization}}\norganizations: {acme: {onUnmatched: AUDITOR}}\n`,
  ],
  [
    'permission_unneeded',
    'a permission that nothing asks for',
    'roles: {AUDITOR: {level: global, permissions: [project.read, ledger.read]}}\n',
    /^roles\.AUDITOR\.permissions\[1\]: .*"ledger\.read"/,
    `roles: {AUDITOR: {level: global, permissions: [ledger.read]}}\n${guarded('/', 'ledger.read')}`,
  ],
  [
    'permission_unneeded',
    'a permission of another operation',
    'roles: {AUDITOR: {level: global, permissions: [ledger.write]}}\n',
    /"ledger\.write"/,
    'roles: {AUDITOR: {level: global, permissions: [ledger.read]}}\n',
    { operationPermissions: ['ledger.read'] },
  ],
  ['organization_without_owner', 'no mapping to ORG_OWNER', acme(''), /^organizations\.acme: /, acme(owner)],
  [
    'organization_without_owner',
    'an owner to be',
    acme("idpGroupMappings: [{roleName: ORG_OWNER, idpGroups: [a], notBefore: '2030-01-01T00:00:00Z'}]"),
    /^organizations\.acme: /,
    `${OKTA}organizations: {acme: {}}\n${pattern("groupPatterns: ['{org}-owners']", 'ORG_OWNER')}`,
  ],
  [
    'issuer_names_collide',
    'two ids of one name',
    issuer('groups: {names: {id-1: Admins, id-2: Admins}}'),
    /^issuers\.okta\.groups\.names\.id-2: id-2 is called "Admins", as id-1 is/,
    issuer('groups: {names: {id-1: Admins, id-2: admins}}'),
  ],
  [
    'issuer_not_https',
    'http elsewhere',
    "issuers: {okta: {issuer: 'http://okta.example'}}\n",
    /^issuers\.okta\.issuer: /,
    "issuers: {okta: {issuer: 'http://localhost:8788'}, other: {issuer: 'http://127.0.0.1:8788'}, third: {issuer: 'http://idp.localhost/x'}}\n",
  ],
  [
    'issuer_not_https',
    'http for the keys, and a name that only looks local',
    "issuers: {okta: {issuer: 'https://okta.example', jwksUri: 'http://localhost.evil.example/keys'}}\n",
    /^issuers\.okta\.jwksUri: /,
    "issuers: {okta: {issuer: 'https://okta.example', jwksUri: 'https://okta.example/keys'}}\n",
  ],
]

const routeRows: Row[] = [
  [
    'route_unreachable',
    'more specific routes for all there is',
    routes(
      "methods: [GET], path: '/a/*'",
      'methods: [GET], path: /a/',
      "methods: [GET], path: '/a/{x}'",
      "methods: [GET], path: '/a/{x}/*'",
    ),
    /^routes\.r0\.path: h\/a\/ and all below it/,
    routes(
      "methods: [GET], path: '/a/*'",
      "methods: [GET], path: '/a/{x}'",
      "methods: [GET], path: '/a/{x}/*'",
    ),
  ],
  [
    'route_unreachable',
    'a segment no path has',
    routes('methods: [GET], path: /a/../b'),
    /^routes\.r0\.path: has a "\." or "\.\."/,
    routes('methods: [GET], path: /a/..b'),
  ],
  [
    'route_method_hidden',
    'a literal path without a method of the broader one',
    routes("methods: [GET, POST], path: '/a/*'", 'methods: [GET], path: /a/b'),
    /^routes\.r1\.methods: POST h\/a\/b is not served: .*"r0"/,
    routes(
      "methods: [GET, POST], path: '/a/*'",
      'methods: [GET], path: /a/b',
      'methods: [POST], path: /a/b',
      'methods: [GET], path: /a',
    ),
  ],
  [
    'route_method_hidden',
    'a capture without it',
    routes("methods: [PUT], path: '/{x}/b'", 'methods: [GET], path: /a/b'),
    /PUT h\/a\/b/,
    routes("methods: [PUT], path: '/{x}/b'", 'methods: [GET], path: /a/c', 'methods: [GET], path: /a/'),
  ],
  [
    'route_on_gateway_host',
    "the gateway's host",
    routes('methods: [GET], path: /'),
    /^routes\.r0\.hosts\[0\]: h carries sign-in/,
    routes('methods: [GET], path: /').replace('[h]', '[other]'),
    { gatewayHosts: ['h'] },
  ],
  [
    'route_permission_ungiven',
    'a permission of no role',
    guarded('/', 'ledger.read'),
    /^routes\.api\.permission: no role gives "ledger\.read"/,
    guarded('/', 'instance.read'),
  ],
  [
    'route_permission_ungiven',
    "an organization's permission globally",
    guarded('/orgs/{name}', 'organization.billing.write').replaceAll('organization.b', 'ledger.b') +
      'roles: {LEDGER: {level: organization, permissions: [ledger.billing.write]}}\n',
    /given by LEDGER only.*put \{org\}/,
    guarded('/orgs/{org}', 'organization.billing.write').replaceAll('organization.b', 'ledger.b') +
      'roles: {LEDGER: {level: organization, permissions: [ledger.billing.write]}}\n',
  ],
]

const signIn = (members: string, record = "issuer: 'https://idp.example'") =>
  `issuers: {idp: {${record}, signIn: {clientId: postern, ${members}}}}\n`
const ENTRA = "issuer: 'https://login.microsoftonline.com/t/v2.0'"
const signInRows: Row[] = [
  [
    'sign_in_secret_missing',
    'client authentication by a secret that is not named',
    signIn('clientAuthentication: client_secret_post'),
    /^issuers\.idp\.signIn\.clientAuthentication: .*"clientSecretFrom"/,
    signIn('clientAuthentication: client_secret_post, clientSecretFrom: IDP_CLIENT_SECRET'),
  ],
  [
    'sign_in_secret_missing',
    '[4-9] PKCE that is off without a secret',
    signIn('pkce: false'),
    /^issuers\.idp\.signIn\.pkce: .*only a client with a secret/,
    signIn('pkce: false, clientAuthentication: private_key_jwt'),
  ],
  [
    'sign_in_groups_left_out',
    'groups of Entra by the implicit flow',
    signIn('authMethod: implicit', ENTRA),
    /^issuers\.idp\.signIn\.authMethod: Microsoft Entra leaves the groups.*authMethod: pkce/,
    signIn('authMethod: implicit', `${ENTRA}, groups: none`),
  ],
  [
    'sign_in_refresh_pointless',
    'a refresh token that is not asked for',
    signIn('refresh: true'),
    /^issuers\.idp\.signIn\.refresh: .*add "offline_access"/,
    signIn('refresh: true, scopes: [offline_access]'),
  ],
  [
    'sign_in_refresh_pointless',
    'a refresh token of the implicit flow',
    signIn('refresh: true, authMethod: implicit, scopes: [offline_access]'),
    /implicit flow gives no refresh token/,
    signIn('refresh: true', "preset: keycloak, issuer: 'https://idp.example'"),
  ],
  [
    'sign_in_refresh_pointless',
    "a refresh token of Google's",
    signIn(
      'refresh: true, scopes: [offline_access]',
      "preset: google, issuer: 'https://accounts.google.com'",
    ),
    /a way of its own/,
    signIn('', "preset: google, issuer: 'https://accounts.google.com'"),
  ],
  [
    'sign_in_part_unused',
    'client authentication where no code is exchanged',
    signIn('authMethod: implicit, clientAuthentication: client_secret_basic'),
    /^issuers\.idp\.signIn\.clientAuthentication: is of no use/,
    signIn('authMethod: implicit, clientAuthentication: none'),
  ],
  [
    'inactivity_never_reached',
    'a session that ends before',
    'singleSignOn: {lifetimeSeconds: 3600}\n',
    /^singleSignOn\.lifetimeSeconds: sessions end after 3600 seconds/,
    'singleSignOn: {lifetimeSeconds: 3600, inactivityTimeoutSeconds: 600}\n',
  ],
  [
    'preflight_never_asked',
    'a preflight for OPTIONS',
    routes('methods: [OPTIONS], path: /, forwardPreflight: true'),
    /^routes\.r0\.forwardPreflight: a preflight asks for another method/,
    routes('methods: [PUT], path: /, forwardPreflight: true'),
  ],
]

const GLOBAL = OKTA + mapping('idpGroups: [a]')
const changeRows: Row[] = [
  [
    'owner_removed',
    'the last owner of the instance',
    OKTA,
    /^idpGroupMappings: nobody has GLOBAL_OWNER/,
    OKTA + mapping('idpGroups: [b]'),
    { before: GLOBAL },
  ],
  [
    'owner_removed',
    'the last owner of an organization',
    acme("idpGroupMappings: [{roleName: ORG_OWNER, idpGroups: [a], notAfter: '2020-01-01T00:00:00Z'}]"),
    /^organizations\.acme: nobody has ORG_OWNER/,
    `${OKTA}organizations: {globex: {}}\n`,
    { before: acme(owner) },
  ],
  [
    'grant_not_allowed',
    'a new mapping to a role that may not be given',
    acme(owner),
    /^organizations\.acme\.idpGroupMappings\[0\]\.roleName: gives ORG_OWNER at organization acme.*may give there: GLOBAL_/,
    acme(''),
    { before: acme(''), actor: actor('GLOBAL_USER_ADMIN') },
  ],
  [
    'grant_not_allowed',
    'another group for it',
    OKTA + mapping('idpGroups: [a, b]'),
    /gives GLOBAL_OWNER/,
    GLOBAL,
    { before: GLOBAL, actor: actor('GLOBAL_USER_ADMIN') },
  ],
  [
    'grant_not_allowed',
    'a condition taken away, while taking a group away is fine',
    OKTA + mapping('idpGroups: [a, b]'),
    /gives GLOBAL_OWNER/,
    OKTA + mapping('idpGroups: [b], when: [{claim: acr, equals: high}]'),
    {
      before: OKTA + mapping('idpGroups: [a, b], when: [{claim: acr, equals: high}]'),
      actor: actor('GLOBAL_USER_ADMIN'),
    },
  ],
  [
    'grant_not_allowed',
    'a role that comes to imply it',
    `${OKTA}roles: {HELPER: {level: global, implies: [GLOBAL_OWNER]}}\n`,
    /^roles\.HELPER\.implies: gives GLOBAL_OWNER/,
    `${OKTA}roles: {HELPER: {level: global, implies: [GLOBAL_READ_ONLY]}}\n`,
    {
      before: `${OKTA}roles: {HELPER: {level: global, implies: [GLOBAL_READ_ONLY]}}\n`,
      actor: actor('GLOBAL_USER_ADMIN'),
    },
  ],
  [
    'grant_not_allowed',
    'a role that comes to be allowed to give it',
    `${OKTA}roles: {HELPER: {level: global, mayGrant: [GLOBAL_OWNER]}}\n`,
    /^roles\.HELPER\.mayGrant: gives GLOBAL_OWNER/,
    `${OKTA}roles: {HELPER: {level: global}}\n`,
    { before: `${OKTA}roles: {HELPER: {level: global}}\n`, actor: actor('GLOBAL_USER_ADMIN') },
  ],
  [
    'grant_not_allowed',
    'the default role',
    acme('onUnmatched: ORG_OWNER'),
    /^organizations\.acme\.onUnmatched: /,
    acme('onUnmatched: ORG_MEMBER, displayName: Acme'),
    { before: acme('onUnmatched: ORG_MEMBER'), actor: actor('GLOBAL_USER_ADMIN') },
  ],
]
const rows = [...mappingRows, ...roleRows, ...routeRows, ...signInRows, ...changeRows]

describe('lint finds', () => {
  test.each(rows)('%s: %s', (code, _name, text, at, not, options) => {
    const warnings = found(code, text, options)
    expect(warnings).toHaveLength(1)
    expect(warnings[0]).toMatch(at)
    expect(found(code, not, options)).toEqual([])
  })

  test('nothing that has no row here', () => {
    expect(Object.keys(WARNINGS).filter((code) => !rows.some((row) => row[0] === code))).toEqual([])
  })
})

describe('lint', () => {
  test('says where a warning stands in the text', () => {
    const text = 'version: 1\nidpGroupMappings:\n  - roleName: GLOBAL_OWNER\n    idpGroups: [a]\n'
    const parsed = parse(text, 'mine.yaml')
    if (!parsed.ok) throw new Error(describeProblems(parsed.problems))
    const [warning] = lintPolicy(parsed.policy, { now: NOW }).map(parsed.locate)
    expect(warning).toMatchObject({ code: 'mapping_unmatchable', file: 'mine.yaml', line: 3, column: 5 })
  })

  test("leaves the default catalogue's own roles and permissions alone", () => {
    expect(lint('')).toEqual([])
    expect(CATALOGUE).toContain('project.search.write')
  })

  test('finds of the demo only the organization that has no owner', () => {
    const parsed = parse(readProjectFile('demo/policy.yaml'))
    if (!parsed.ok) throw new Error(describeProblems(parsed.problems))
    const codes = lintPolicy(parsed.policy, { now: NOW, ownRoles: parsed.ownRoles }).map(({ code }) => code)
    expect(codes).toEqual(['organization_without_owner'])
  })

  test('asks of an actor what is held at the level of the mapping', () => {
    const atAcme = {
      rolesAt: (level: { kind: string }) => (level.kind === 'global' ? [] : ['ORG_OWNER']),
    }
    const options = { before: acme(''), actor: atAcme }
    expect(found('grant_not_allowed', acme(owner), options)).toEqual([])
    expect(found('grant_not_allowed', acme('') + mapping('idpGroups: [a]'), options)).toHaveLength(1)
  })

  test('is done with a thousand patterns and a thousand routes in seconds', () => {
    const patternMappings = Array.from({ length: 10 }, (_, ten) => ({
      roleName: 'GLOBAL_READ_ONLY',
      groupPatterns: Array.from({ length: 100 }, (_, index) => `*a*b*c*d*${ten * 100 + index}*e*f`),
    }))
    const routes = Object.fromEntries(
      Array.from({ length: 1000 }, (_, index) => [
        `r${index}`,
        {
          hosts: ['h'],
          methods: ['GET'],
          path: `/{a}/b${index}/*`,
          upstream: 'https://u',
          access: 'anonymous',
        },
      ]),
    )
    const issuers = { okta: { issuer: 'https://okta.example' } }
    const document = documentOf(JSON.stringify({ version: 1, issuers, patternMappings, routes }))
    const started = performance.now()
    const warnings = lintPolicy(document, { now: NOW })
    expect(performance.now() - started).toBeLessThan(10_000)
    expect(warnings.filter(({ code }) => code === 'patterns_overlap').length).toBeGreaterThan(0)
  })
})
