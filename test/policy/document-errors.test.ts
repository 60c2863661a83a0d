// Errors of a document say where they are and what would be right: the field that was meant, the values there
// are, the type expected.
import { describe, expect, test } from 'vitest'
import { describeProblems, PROBLEMS_MAX } from '../../policy/document.ts'
import { parse } from './policies.ts'
import { acme, issuer, lines, problemsOf, route } from './texts.ts'

/** Each problem as a line, without the file. */
const said = (text: string) => describeProblems(problemsOf(text)).replaceAll('policy.yaml:', '').split('\n')

const mapping = (members: string) => lines(`idpGroupMappings: [{roleName: GLOBAL_OWNER, ${members}}]`)

describe('an unknown field', () => {
  test.each([
    ['at the top', lines('isuers: {}'), '2:1: isuers: is not a known field; did you mean "issuers"?'],
    [
      'by case',
      acme('    displayname: Acme'),
      '4:5: organizations.acme.displayname: is not a known field; did you mean "displayName"?',
    ],
    [
      'two edits away',
      mapping('idpGrops: [a]'),
      '2:45: idpGroupMappings[0].idpGrops: is not a known field; did you mean "idpGroups"?',
    ],
    [
      'within one of several shapes',
      issuer('    groups: {clam: x}'),
      '5:14: issuers.okta.groups.clam: is not a known field; did you mean "claim"?',
    ],
    [
      'within one of several shapes, beside another error',
      issuer('    groups: {clam: x, key: 7}'),
      '5:14: issuers.okta.groups.clam: is not a known field; did you mean "claim"?',
    ],
    [
      'like no other',
      lines('roles:', '  X: {level: global, zzzzz: 1}'),
      '3:22: roles.X.zzzzz: is not a known field; there are level, description, permissions, implies, mayGrant',
    ],
    [
      'of a short name',
      issuer('    claims: {x: y}'),
      '5:14: issuers.okta.claims.x: is not a known field; there are subject, userName, email, firstName, lastName, access',
    ],
    [
      'of an inherited name',
      lines('constructor: {}'),
      /^2:1: constructor: is not a known field; there are version/,
    ],
  ])('%s', (_name, text, expected) => {
    expect(said(text)).toContainEqual(
      typeof expected === 'string' ? expected : expect.stringMatching(expected),
    )
  })

  test('each at its own place', () => {
    expect(said(lines('isuers: {}', 'rolse: {}'))).toEqual([
      '2:1: isuers: is not a known field; did you mean "issuers"?',
      '3:1: rolse: is not a known field; did you mean "roles"?',
    ])
  })

  test('a hundred thousand of them, in seconds', () => {
    const started = performance.now()
    const parsed = parse(lines(...Array.from({ length: 100_000 }, (_, index) => `isuers${index}: {}`)))
    expect(performance.now() - started).toBeLessThan(10_000)
    expect(parsed.ok ? 0 : parsed.problems.length).toBe(PROBLEMS_MAX)
  })
})

describe('a value', () => {
  test.each([
    [
      'that is missing',
      lines('roles: {X: {}}'),
      '2:9: roles.X.level: is missing; expected one of "global", "organization", "project"',
    ],
    ['of the wrong type', lines('audience: 7'), '2:1: audience: expected string, received number'],
    ['that is empty', acme(), '3:3: organizations.acme: expected object, received null'],
    ['a list for an object', lines('routes: []'), '2:1: routes: expected object, received array'],
    [
      'an object for a list',
      mapping('idpGroups: {a: 1}'),
      '2:45: idpGroupMappings[0].idpGroups: expected array, received object',
    ],
    [
      'not whole',
      issuer('    leewaySeconds: 1.5'),
      '5:5: issuers.okta.leewaySeconds: expected whole number, received number',
    ],
    [
      'not of the list, nearly',
      lines('roles: {X: {level: organisation}}'),
      '2:13: roles.X.level: expected one of "global", "organization", "project"; did you mean "organization"?',
    ],
    [
      'not of the list, but for case',
      route('    access: anonymous', '    path: /').replace('[GET]', '[get]'),
      /methods\[0\]: expected one of "GET", .*; did you mean "GET"\?$/,
    ],
    ['not of the list, by type', lines('roles: {X: {level: 1}}'), /expected one of .*, received 1$/],
    [
      'of no shape',
      issuer('    groups: 7'),
      '5:5: issuers.okta.groups: expected "none", or expected object, received number',
    ],
    ['of another version', 'version: 2', '1:1: version: expected 1, received 2'],
    ['without a version', 'routes: {}', /^1:1: version: is missing; expected 1$/],
  ])('%s', (_name, text, expected) => {
    expect(said(text)).toContainEqual(
      typeof expected === 'string' ? expected : expect.stringMatching(expected),
    )
  })
})

describe('what must be exactly one', () => {
  const condition = (rules: string) => mapping(`idpGroups: [a], when: [{claim: x${rules}}]`)
  test.each([
    [
      'a condition without a rule',
      condition(''),
      /when\[0\]: must have exactly one of "equals", "oneOf" and "contains"/,
    ],
    ['a condition with two', condition(', equals: 1, contains: 1'), /when\[0\]: must have exactly one of/],
    [
      'a route without either',
      route('    path: /'),
      /routes\.api\.path: a route has exactly one of "permission" and "access"/,
    ],
    [
      'a route with both',
      route('    path: /', '    access: anonymous', '    permission: a.b'),
      /routes\.api\.access: a route has exactly one/,
    ],
  ])('%s', (_name, text, expected) => {
    expect(said(text)).toContainEqual(expect.stringMatching(expected))
  })
})

describe('an unknown role', () => {
  test.each([
    [
      'in a mapping',
      lines('idpGroupMappings: [{roleName: GLOBAL_OWNERS, idpGroups: [a]}]'),
      /did you mean GLOBAL_OWNER\?; valid here: GLOBAL_OWNER, /,
    ],
    [
      'that is implied',
      lines('roles: {X: {level: global, implies: [ORG_MEMBRE]}}'),
      /there is no role ORG_MEMBRE; did you mean ORG_MEMBER\?/,
    ],
    [
      'at the wrong level',
      lines('idpGroupMappings: [{roleName: ORG_OWNER, idpGroups: [a]}]'),
      /ORG_OWNER is a role of the organization level; valid here/,
    ],
  ])('%s', (_name, text, expected) => {
    expect(said(text)).toContainEqual(expect.stringMatching(expected))
  })
})
