// Groups in a token: a shape nobody declared is refused, groups left out are no empty list, and a claim path
// leads where it says.
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type RefusedToken, testRefusals } from '../support/refused.ts'
import { type Setting, startSetting } from '../support/setting.ts'
import { makeKey, mintToken } from '../support/tokens.ts'
import { UPSTREAM_TEXT } from '../support/upstream.ts'

const key = makeKey('ES256')
const jwks = { keys: [key.jwk] }
const NESTED = 'https://nested.idp.test'
const OBJECTS = 'https://objects.idp.test'
const COMMAS = 'https://commas.idp.test'
const BY_URL = 'https://by-url.idp.test'
const NONE = 'https://none.idp.test'
const URL_CLAIM = 'https://example.com/groups'

let setting: Setting
beforeAll(async () => {
  setting = await startSetting({
    keys: [key],
    policy: ({ issuers }) => {
      issuers.nested = { issuer: NESTED, jwks, groups: { claim: 'realm_access.roles' } }
      issuers.objects = { issuer: OBJECTS, jwks, groups: { key: 'name' } }
      issuers.commas = { issuer: COMMAS, jwks, groups: { separator: ',' } }
      issuers['by-url'] = { issuer: BY_URL, jwks, groups: { claim: URL_CLAIM } }
      issuers.none = { issuer: NONE, jwks, groups: 'none' }
    },
  })
})
afterAll(() => setting.close())

const token = (claims: object) => () => setting.token(claims)
const from = (iss: string, claims: object) => () => mintToken(iss, key, claims)

const shape = { reason: 'groups_malformed', check: 'groups' }
const wrongShape: RefusedToken[] = [
  { attack: 'an object', token: token({ groups: { readers: true } }), ...shape },
  {
    attack: 'an object that looks like a list',
    token: token({ groups: { 0: 'readers', length: 1 } }),
    ...shape,
  },
  { attack: 'a number', token: token({ groups: 1 }), ...shape },
  { attack: 'true', token: token({ groups: true }), ...shape },
  { attack: 'null', token: token({ groups: null }), ...shape },
  { attack: 'a number in the list', token: token({ groups: ['readers', 1] }), ...shape },
  { attack: 'null in the list', token: token({ groups: ['readers', null] }), ...shape },
  { attack: 'a list in the list', token: token({ groups: [['readers']] }), ...shape },
  { attack: 'objects where names were declared', token: token({ groups: [{ name: 'readers' }] }), ...shape },
  { attack: 'names where objects were declared', token: from(OBJECTS, { groups: ['readers'] }), ...shape },
  { attack: 'an object without its name', token: from(OBJECTS, { groups: [{ id: 'readers' }] }), ...shape },
  {
    attack: 'an object whose name is a list',
    token: from(OBJECTS, { groups: [{ name: ['readers'] }] }),
    ...shape,
  },
]

const absent = { status: 403, reason: 'groups_absent' }
const overage = { status: 403, reason: 'groups_overage' }
const missing = { status: 403, reason: 'permission_missing' }
const leftOut: RefusedToken[] = [
  { attack: 'groups-absent', token: token({ groups: undefined }), ...absent },
  {
    attack: 'groups-absent at a nested path',
    token: from(NESTED, { groups: ['readers'], realm_access: {} }),
    ...absent,
  },
  { attack: 'groups at a path through a string', token: from(NESTED, { realm_access: 'roles' }), ...absent },
  {
    attack: 'groups in a member that has the dotted name',
    token: from(NESTED, { 'realm_access.roles': ['readers'] }),
    ...absent,
  },
  {
    attack: 'groups inherited and not written',
    token: from(NESTED, { realm_access: { constructor: {} } }),
    ...absent,
  },
  {
    attack: 'groups-overage by _claim_names',
    token: token({ groups: undefined, _claim_names: { groups: 'src1' } }),
    ...overage,
  },
  {
    attack: 'groups-overage by _claim_names beside groups',
    token: token({ _claim_names: { groups: 'src1' } }),
    ...overage,
  },
  { attack: 'groups-overage by hasgroups', token: token({ groups: undefined, hasgroups: true }), ...overage },
  {
    attack: 'groups-overage by hasgroups as text',
    token: token({ groups: undefined, hasgroups: 'true' }),
    ...overage,
  },
  {
    attack: 'groups of an issuer that has none to give',
    token: from(NONE, { groups: ['readers'] }),
    ...missing,
  },
]

const otherGroups: RefusedToken[] = [
  { attack: 'no group at all', token: token({ groups: [] }), ...missing },
  { attack: 'empty names', token: token({ groups: ['', ''] }), ...missing },
  { attack: 'another group', token: token({ groups: ['writers'] }), ...missing },
  { attack: 'the group in other letters', token: token({ groups: ['Readers'] }), ...missing },
  { attack: 'the group with a space', token: token({ groups: ['readers '] }), ...missing },
  { attack: 'the group in a list nobody splits', token: token({ groups: 'readers,writers' }), ...missing },
  { attack: 'the group as a pattern', token: token({ groups: ['*', 'read*', '.*'] }), ...missing },
  { attack: 'the role in place of the group', token: token({ groups: ['GROUP_READ_ONLY'] }), ...missing },
  { attack: 'a group of another project', token: token({ groups: ['web-readers'] }), ...missing },
  { attack: 'a group called __proto__', token: token({ groups: ['__proto__', 'constructor'] }), ...missing },
  {
    attack: 'a project that does not exist',
    token: token({}),
    status: 403,
    reason: 'project_unknown',
    asked: { path: '/orgs/acme/projects/nothing/x' },
  },
  {
    attack: 'an organization that does not exist',
    token: token({}),
    status: 403,
    reason: 'organization_unknown',
    asked: { path: '/orgs/nowhere/projects/payments/x' },
  },
  {
    attack: 'an organization called __proto__',
    token: token({}),
    status: 403,
    reason: 'organization_unknown',
    asked: { path: '/orgs/__proto__/projects/payments/x' },
  },
  {
    attack: "another project's path",
    token: token({}),
    ...missing,
    asked: { path: '/orgs/globex/projects/web/x' },
  },
]

describe('groups-wrong-shape', () => testRefusals(wrongShape, () => setting))
describe('groups left out', () => testRefusals(leftOut, () => setting))
describe('groups that give nothing there', () => testRefusals(otherGroups, () => setting))

describe('groups as declared', () => {
  it.each<[string, () => string]>([
    ['a list', token({ groups: ['x', 'readers'] })],
    ['one string', token({ groups: 'readers' })],
    ['a nested claim', from(NESTED, { realm_access: { roles: ['readers'] } })],
    ['a list of objects', from(OBJECTS, { groups: [{ name: 'x' }, { name: 'readers', id: 7 }] })],
    ['a comma list', from(COMMAS, { groups: 'x, readers ,y' })],
    ['a claim named by a URL', from(BY_URL, { [URL_CLAIM]: ['readers'] })],
    [
      'hasgroups false and _claim_names of something else',
      token({ hasgroups: false, _claim_names: { a: 'b' } }),
    ],
  ])('%s', async (_name, make) => {
    expect((await setting.get(make())).text).toBe(UPSTREAM_TEXT)
    expect(setting.upstream.take()).toHaveLength(1)
  })
})

it('groups-absent and groups-overage pass where no role is needed', async () => {
  for (const claims of [{ groups: undefined }, { groups: undefined, hasgroups: true }]) {
    expect((await setting.get(setting.token(claims), { path: '/whoami' })).text).toBe(UPSTREAM_TEXT)
    expect(setting.upstream.takeOnly().headers['x-postern-roles']).toBe('')
  }
})
