// Whose word counts where: issuers nobody configured, issuers of organizations, records that share an `iss`, and
// the ceiling that the voucher is. [1-19]: `iss` equals the configured issuer to the letter.
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { expectRefused, type RefusedToken, testRefusals } from '../support/refused.ts'
import { operatorToken, PAYMENTS, type Setting, startSetting, WEB } from '../support/setting.ts'
import { makeKey, mintToken } from '../support/tokens.ts'
import { UPSTREAM_TEXT } from '../support/upstream.ts'

const main = makeKey('ES256', { kid: 'same' })
const acme = makeKey('ES256', { kid: 'same' })
const sharedByAcme = makeKey('ES256', { kid: 'same' })
const sharedByGlobex = makeKey('ES256', { kid: 'same' })
const entra = makeKey('ES256', { kid: 'entra' })
const ACME = 'https://acme.idp.test'
const SHARED = 'https://shared.idp.test/'
const TENANTS = ['11111111-1111-1111-1111-111111111111', '22222222-2222-2222-2222-222222222222'] as const
const STRANGER = '33333333-3333-3333-3333-333333333333'
const template = (tenant: string) => `https://login.entra.test/${tenant}/v2.0`
/** A key of the second tenant alone. */
const boundKey = makeKey('ES256', { kid: 'bound' })
const bound = { ...boundKey, jwk: { ...boundKey.jwk, issuer: template(TENANTS[1]) } }

let setting: Setting
beforeAll(async () => {
  setting = await startSetting({
    keys: [main],
    policy: ({ issuers, organizations: { acme: first, globex: second } }) => {
      first.issuers.own = { issuer: ACME, jwks: { keys: [acme.jwk] } }
      first.issuers.shared = { issuer: SHARED, jwks: { keys: [sharedByAcme.jwk] } }
      second.issuers.shared = { issuer: SHARED, jwks: { keys: [sharedByGlobex.jwk] } }
      const believed = ['operators', 'acme/own']
      first.idpGroupMappings.push({ roleName: 'ORG_READ_ONLY', idpGroups: ['trusted'], issuers: believed })
      const keys = [{ ...entra.jwk, issuer: template('{tenantid}') }, bound.jwk]
      issuers.entra = { issuer: template('{tenantid}'), tenants: [...TENANTS], jwks: { keys } }
    },
  })
})
afterAll(() => setting.close())

const GROUPS = ['readers', 'web-readers', 'acme-admins', 'operators']
const from =
  (iss: string, key: typeof main, claims: object = {}) =>
  () =>
    mintToken(iss, key, { groups: GROUPS, ...claims })
const fromMain = (iss: unknown) => () => setting.token({ iss })
const tenant = (iss: string, tid: unknown, key = entra) => from(template(iss), key, { tid })

const iss = { reason: 'issuer_unknown', check: 'iss' }
const unknown: RefusedToken[] = [
  { attack: 'issuer-unknown', token: fromMain('https://other.example'), ...iss },
  {
    attack: 'issuer with a slash at the end',
    token: () => setting.token({ iss: `${setting.issuer.url}/` }),
    ...iss,
    detail: /An issuer "http:.*[0-9]" is; they must be equal to the letter/,
  },
  {
    attack: 'issuer without its slash at the end',
    token: from('https://shared.idp.test', sharedByAcme),
    ...iss,
    detail: /An issuer "https:\/\/shared.idp.test\/" is/,
  },
  {
    attack: 'issuer in other letters',
    token: from('https://ACME.idp.test', acme),
    ...iss,
    detail: /equal to the letter/,
  },
  { attack: 'issuer with a space', token: from(`${ACME} `, acme), ...iss },
  { attack: 'issuer by its record id', token: fromMain('main'), ...iss },
  { attack: 'issuer named __proto__', token: fromMain('__proto__'), ...iss },
  { attack: 'the template itself as issuer', token: tenant('{tenantid}', '{tenantid}'), ...iss },
  { attack: 'issuer of an unlisted tenant', token: tenant(STRANGER, STRANGER), ...iss },
  { attack: 'iss missing', token: fromMain(undefined), reason: 'claim_missing', check: 'iss' },
  {
    attack: 'iss a list',
    token: () => setting.token({ iss: [setting.issuer.url] }),
    reason: 'claim_missing',
    check: 'iss',
  },
  { attack: 'iss null', token: fromMain(null), reason: 'claim_missing', check: 'iss' },
]

const signature = { reason: 'signature_invalid', check: 'signature' }
const wrongKey: RefusedToken[] = [
  {
    attack: 'wrong-issuer-key: of an organization for the instance',
    token: () => setting.token({}, {}, acme),
    ...signature,
  },
  { attack: 'wrong-issuer-key: of the instance for an organization', token: from(ACME, main), ...signature },
  {
    attack: 'wrong-issuer-key: of the other who shares the iss',
    token: from(SHARED, sharedByGlobex),
    ...signature,
  },
  {
    attack: 'wrong-issuer-key: the same the other way',
    token: from(SHARED, sharedByAcme),
    ...signature,
    asked: { path: WEB },
  },
  {
    attack: "wrong-issuer-key: another tenant's",
    token: tenant(TENANTS[0], TENANTS[0], bound),
    reason: 'key_unknown',
    check: 'kid',
  },
]

const tid = { reason: 'tenant_not_allowed', check: 'tid' }
const tenants: RefusedToken[] = [
  { attack: 'tid of another accepted tenant', token: tenant(TENANTS[0], TENANTS[1]), ...tid },
  { attack: 'tid of a stranger', token: tenant(TENANTS[0], STRANGER), ...tid },
  { attack: 'tid missing', token: tenant(TENANTS[0], undefined), ...tid },
  { attack: 'tid a list', token: tenant(TENANTS[0], [TENANTS[0]]), ...tid },
]

const elsewhere = { status: 401, reason: 'issuer_of_another_organization', check: 'iss' }
const outside = { status: 403, reason: 'outside_voucher' }
const organizations: RefusedToken[] = [
  { attack: 'issuer-of-another-organization', token: from(ACME, acme), ...elsewhere, asked: { path: WEB } },
  {
    attack: 'issuer-of-another-organization for one that does not exist',
    token: from(ACME, acme),
    ...elsewhere,
    asked: { path: '/orgs/nowhere/projects/web/x' },
  },
  {
    attack: 'org-issuer-claims-global-user',
    token: from(ACME, acme),
    ...outside,
    asked: { path: '/instance' },
  },
  {
    attack: 'org-issuer-claims-global-user by its organization as audience',
    token: from(ACME, acme, { aud: 'acme' }),
    ...outside,
    asked: { path: '/instance' },
  },
  {
    attack: 'a group of a global mapping alone',
    token: from(ACME, acme, { groups: ['operators'] }),
    status: 403,
    reason: 'permission_missing',
    detail: /project payments/,
  },
]

const trusted = { groups: ['trusted'] }
const believed: RefusedToken[] = [
  {
    attack: 'a group that the mapping believes from other issuers only',
    token: () => setting.token(trusted),
    status: 403,
    reason: 'permission_missing',
  },
  {
    attack: 'the same from another issuer of the organization',
    token: from(SHARED, sharedByAcme, trusted),
    status: 403,
    reason: 'permission_missing',
  },
]

const shared = { asked: { path: '/whoami' } }
const sharing: RefusedToken[] = [
  {
    attack: 'issuer-record-shared-iss, the audience of the first, on a route without organization',
    token: from(SHARED, sharedByAcme, { aud: 'acme' }),
    detail: /"acme\//,
    ...outside,
    ...shared,
  },
  {
    attack: 'issuer-record-shared-iss, the audience of the second, on a route without organization',
    token: from(SHARED, sharedByGlobex, { aud: 'globex' }),
    detail: /"globex\//,
    ...outside,
    ...shared,
  },
  {
    attack: 'org-issuer-names-anyone, on a route without organization',
    token: from(ACME, acme, { sub: 'ceo', email: 'ceo@corp.example', email_verified: true }),
    ...outside,
    ...shared,
  },
  {
    attack: 'issuer-record-shared-iss where nothing tells',
    token: from(SHARED, sharedByAcme),
    reason: 'issuer_ambiguous',
    check: 'iss',
    ...shared,
  },
  {
    attack: 'issuer-record-shared-iss with both audiences',
    token: from(SHARED, sharedByAcme, { aud: ['acme', 'globex'], azp: 'acme' }),
    reason: 'issuer_ambiguous',
    check: 'iss',
    ...shared,
  },
  {
    attack: 'issuer-record-shared-iss with the audience of neither',
    token: from(SHARED, sharedByAcme, { aud: 'other' }),
    reason: 'audience_mismatch',
    check: 'aud',
    ...shared,
  },
  {
    attack: "issuer-record-shared-iss with one's key and the other's audience",
    token: from(SHARED, sharedByAcme, { aud: 'globex' }),
    ...signature,
    ...shared,
  },
]

describe('[1-19] issuers nobody configured', () => testRefusals(unknown, () => setting))
describe("[1-18] keys of somebody else's", () => testRefusals(wrongKey, () => setting))
describe('wrong tenant', () => testRefusals(tenants, () => setting))
describe("an organization's issuer outside its organization", () =>
  testRefusals(organizations, () => setting))
describe('several records with one iss', () => testRefusals(sharing, () => setting))

describe('whose word a mapping believes', () => testRefusals(believed, () => setting))

describe('whose word counts', () => {
  const tokens: [string, () => string, string][] = [
    ["[1-19] an organization's issuer inside it", from(ACME, acme), PAYMENTS],
    ['a shared iss: the route chooses the first', from(SHARED, sharedByAcme), PAYMENTS],
    ['a shared iss: the route chooses the second', from(SHARED, sharedByGlobex), WEB],
    ['a mapping that names the issuer of the instance', () => operatorToken(trusted), PAYMENTS],
    ["a mapping that names the organization's issuer", from(ACME, acme, trusted), PAYMENTS],
    ['each tenant of the list', tenant(TENANTS[0], TENANTS[0]), PAYMENTS],
    ["a tenant's own key", tenant(TENANTS[1], TENANTS[1], bound), PAYMENTS],
  ]
  it.each(tokens)('%s', async (_name, make, path) => {
    expect((await setting.get(make(), { path })).text).toBe(UPSTREAM_TEXT)
    expect(setting.upstream.take()).toHaveLength(1)
  })
})

describe('org-issuer-claims-global-user: a group that globally means something gives nothing', () => {
  const rolesOf = async (token: string, path: string) => {
    expect((await setting.get(token, { path })).status).toBe(200)
    return setting.upstream.takeOnly().headers['x-postern-roles'] as string
  }
  it('no global role on a route without organization, where it does not count at all', async () => {
    const refused = { status: 403, reason: 'outside_voucher' }
    expectRefused(await setting.get(from(ACME, acme)(), { path: '/whoami' }), setting.upstream, refused)
    expect(await rolesOf(from(setting.issuer.url, main)(), '/whoami')).toContain('GLOBAL_READ_ONLY')
  })
  it('no global role in its own organization, where its groups do count', async () => {
    const roles = await rolesOf(from(ACME, acme)(), PAYMENTS)
    expect(roles).toContain('ORG_OWNER')
    expect(roles).not.toContain('GLOBAL')
  })
  it('the principal carries the record, so that the same subject of two issuers is not the same', async () => {
    await rolesOf(from(ACME, acme)(), PAYMENTS)
    await setting.get(from(ACME, acme)())
    expect(setting.upstream.takeOnly().headers['x-postern-issuer']).toBe('acme/own')
    await setting.get(setting.token())
    expect(setting.upstream.takeOnly().headers['x-postern-issuer']).toBe('main')
  })
})

it('a shared iss: a token that passed in one organization is judged anew in the other', async () => {
  const token = from(SHARED, sharedByAcme)()
  const statuses = []
  for (const path of [PAYMENTS, WEB, '/whoami', PAYMENTS]) {
    statuses.push((await setting.get(token, { path })).status)
  }
  expect(statuses).toEqual([200, 401, 401, 200])
  expect(setting.upstream.take()).toHaveLength(2)
})
