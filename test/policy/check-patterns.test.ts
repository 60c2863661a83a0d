// Pattern mappings in a document: which captures have a meaning where, and which role they may give there.
import { describe, expect, test } from 'vitest'
import { documentOf } from './policies.ts'
import { expectProblem, lines, problemsOf, type Refused } from './texts.ts'

const global = (roleName: string, ...patterns: string[]) =>
  lines('patternMappings:', `- roleName: ${roleName}`, `  groupPatterns: ${JSON.stringify(patterns)}`)
const acme = (roleName: string, ...patterns: string[]) =>
  lines(
    'organizations:',
    '  acme:',
    '    patternMappings:',
    `    - roleName: ${roleName}`,
    `      groupPatterns: ${JSON.stringify(patterns)}`,
  )
const web = (roleName: string, ...patterns: string[]) =>
  lines(
    'organizations:',
    '  acme:',
    '    projects:',
    '      web:',
    '        patternMappings:',
    `        - roleName: ${roleName}`,
    `          groupPatterns: ${JSON.stringify(patterns)}`,
  )

const shouldRefuse: Refused[] = [
  [
    'a pattern that is none, and not for its role as well',
    global('GROUP_OWNER', 'team:{org}{project}'),
    '4:19',
    'patternMappings[0].groupPatterns[0]',
    /nothing between \{org\} and what follows, which is ambiguous; put a literal such as ":" there/,
  ],
  [
    'the second of two patterns',
    global('ORG_MEMBER', 'org:{org}', '*:{org}'),
    '4:31',
    'patternMappings[0].groupPatterns[1]',
    /after a "\*", so where it begins is ambiguous/,
  ],
  [
    '[4-29] a project role where an organization is captured',
    global('GROUP_OWNER', 'org:{org}'),
    '3:3',
    'patternMappings[0].roleName',
    /GROUP_OWNER is a role of the project level; valid here: ORG_OWNER, /,
  ],
  [
    '[4-29] an organization role where a project is captured',
    global('ORG_OWNER', '{org}:{project}'),
    '3:3',
    'patternMappings[0].roleName',
    /valid here: GROUP_OWNER, /,
  ],
  [
    '[4-29] a project role where nothing is captured',
    global('GROUP_OWNER', 'admin*'),
    '3:3',
    'patternMappings[0].roleName',
    /valid here: GLOBAL_OWNER, /,
  ],
  [
    '[4-29] an organization role where an organization captures a project',
    acme('ORG_OWNER', '{project}-admin'),
    '5:7',
    'organizations.acme.patternMappings[0].roleName',
    /valid here: GROUP_OWNER, /,
  ],
  [
    'patterns of two levels in one mapping',
    global('ORG_OWNER', 'org:{org}', 'team:{org}:{project}'),
    '3:3',
    'patternMappings[0]',
    /has patterns of different levels; write a mapping for each level/,
  ],
  [
    'a project captured without its organization',
    global('GROUP_OWNER', 'team:{project}'),
    '4:19',
    'patternMappings[0].groupPatterns[0]',
    /captures \{project\} without \{org\}; capture both, or write it in an organization/,
  ],
  [
    'an organization captured inside one',
    acme('ORG_OWNER', 'org:{org}'),
    '6:23',
    'organizations.acme.patternMappings[0].groupPatterns[0]',
    /captures \{org\}, but the organization is the one it is written in; write "\*" or its name/,
  ],
  [
    'a project captured inside one',
    web('GROUP_OWNER', 'team:{project}'),
    '8:27',
    'organizations.acme.projects.web.patternMappings[0].groupPatterns[0]',
    /captures \{project\}, but the project is the one it is written in/,
  ],
  [
    'an issuer that is not trusted there',
    `${acme('ORG_OWNER', 'admin*')}\n      issuers: [okta]`,
    '7:17',
    'organizations.acme.patternMappings[0].issuers[0]',
    /no issuer "okta" is trusted here; trusted are: none/,
  ],
  ['no patterns', global('GLOBAL_OWNER'), '4:3', 'patternMappings[0].groupPatterns', /Too small/],
  [
    'names beside patterns',
    `${global('GLOBAL_OWNER', 'admin*')}\n  idpGroups: [admins]`,
    '5:3',
    'patternMappings[0].idpGroups',
    /is not a known field/,
  ],
  [
    'a pattern among names',
    lines('idpGroupMappings:', '- roleName: GLOBAL_OWNER', "  groupPatterns: ['admin*']"),
    '4:3',
    'idpGroupMappings[0].groupPatterns',
    /is not a known field/,
  ],
]

describe('a pattern mapping is refused for', () => {
  test.each(shouldRefuse)('%s', (name, text, at, path, message) => {
    expectProblem(text, at, path, message)
    // A field in the wrong kind of mapping is missing in the right one, too.
    if (name !== 'a pattern among names') expect(problemsOf(text)).toHaveLength(1)
  })
})

describe('a pattern mapping is accepted', () => {
  test.each([
    ['global, without captures', global('GLOBAL_OWNER', 'admin*', '*-root')],
    ['global, for organizations', global('ORG_OWNER', 'org:{org}', '{org}-*')],
    ['global, for projects', global('GROUP_OWNER', 'team:{org}:{project}', '{project}@{org}')],
    ['of an organization', acme('ORG_OWNER', 'admin*')],
    ['of an organization, for projects', acme('GROUP_OWNER', '{project}-admin')],
    ['of a project', web('GROUP_OWNER', 'admin*')],
  ])('%s', (_name, text) => void documentOf(text))
})
