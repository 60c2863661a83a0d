// Who am I, which roles have I where and why: over all organizations, through groups, patterns and roles given
// directly; and why I have none there.
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { ACME_OWNER, type Api, apiPolicy, NOBODY, OWNER, startApi, TEAM_ADMIN } from '../support/api.ts'
import { makeKey, mintToken } from '../support/tokens.ts'

const reasonOf = ({ status, json }: { status: number; json: { reason?: string } }) =>
  `${status} ${json.reason}`
interface Placed {
  role: string
  level: { kind: string; organization?: string; project?: string }
  mapping: string
  group: string | null
  grantedRole: string
}
const ownKey = makeKey('ES256')
const OWN = 'https://idp.globex.example'

let api: Api
beforeAll(async () => {
  const { organizations } = apiPolicy() as { organizations: Record<string, object> }
  api = await startApi({
    more: {
      patternMappings: [{ roleName: 'GROUP_CHARTS_ADMIN', groupPatterns: ['team:{org}:{project}:charts'] }],
      organizations: {
        ...organizations,
        globex: {
          ...organizations.globex,
          issuers: { own: { issuer: OWN, jwks: { keys: [ownKey.jwk] } } },
          onUnmatched: 'ORG_MEMBER',
          patternMappings: [{ roleName: 'GROUP_READ_ONLY', groupPatterns: ['globex-{project}-readers'] }],
        },
      },
    },
  })
})
afterAll(() => api.close())

const rolesOf = async (groups: string[], subject = 'whoever') => {
  const me = await api.make('GET', '/me', { as: { subject, groups } })
  return { me, roles: me.roles as Placed[] }
}
const placeOf = ({ level: { kind, organization, project } }: Placed) =>
  [kind, organization, project].filter(Boolean).join(' ')

describe('me', () => {
  it('says who I am, and that I have nothing', async () => {
    expect(await api.make('GET', '/me', { as: NOBODY })).toEqual({
      kind: 'user',
      identity: { issuer: 'people', subject: 'nora' },
      voucher: null,
      userName: null,
      displayName: null,
      email: null,
      user: null,
      groups: ['nothing'],
      groupsOutcome: 'listed',
      roles: [],
      truncated: false,
    })
    expect((await api.ask('GET', '/me', { as: null })).status).toBe(401)
  })

  it('finds every place where a mapping gives a role, each with its proof', async () => {
    const { roles } = await rolesOf([
      'acme-owners',
      'payments-readers',
      'globex-shop-readers',
      'team:acme:web:charts',
      'team:none:web:charts',
      'user-admins',
    ])
    expect([...new Set(roles.map(placeOf))]).toEqual([
      'global',
      'organization acme',
      'project acme payments',
      'project acme web',
      'project globex shop',
    ])
    const find = (place: string, role: string) =>
      roles.find((one) => placeOf(one) === place && one.role === role)
    expect(find('organization acme', 'GROUP_OWNER')).toEqual({
      role: 'GROUP_OWNER',
      level: { kind: 'organization', organization: 'acme' },
      mapping: 'organizations.acme.idpGroupMappings[0]',
      group: 'acme-owners',
      grantedRole: 'ORG_OWNER',
    })
    expect(find('project acme payments', 'GROUP_READ_ONLY')).toMatchObject({ group: 'payments-readers' })
    expect(find('project acme web', 'GROUP_CHARTS_ADMIN')).toMatchObject({ mapping: 'patternMappings[0]' })
    expect(find('project globex shop', 'GROUP_READ_ONLY')).toMatchObject({
      mapping: 'organizations.globex.patternMappings[0]',
      group: 'globex-shop-readers',
    })
  })

  it('counts what the API has added, under the place that explain and the file say', async () => {
    const before = await api.make('GET', '/organizations/acme/projects/web')
    await api.make('PATCH', '/organizations/acme/projects/web', {
      body: {
        idpGroupMappings: [{ roleName: 'GROUP_READ_ONLY', idpGroups: ['Web-People'], ignoreCase: true }],
      },
      ifMatch: before.version,
    })
    await api.stack.advance(70)
    await rolesOf(['web-people'])
    const { roles } = await rolesOf(['web-people'])
    expect(roles).toMatchObject([
      {
        role: 'GROUP_READ_ONLY',
        mapping: 'organizations.acme.projects.web.idpGroupMappings[0]',
        group: 'web-people',
      },
    ])
  })

  it('has roles given directly, and the user that the identity is linked to', async () => {
    const user = await api.make('POST', '/users', {
      body: {
        displayName: 'Dora Direct',
        identities: [{ issuer: 'people', subject: 'dora' }],
        given: { organizations: { acme: { roles: ['ORG_READ_ONLY'], projects: { web: ['GROUP_OWNER'] } } } },
      },
    })
    const { me, roles } = await rolesOf([], 'dora')
    expect(me).toMatchObject({ user: user.id, displayName: 'Dora Direct' })
    expect(roles.find(({ role }) => role === 'GROUP_OWNER')).toEqual({
      role: 'GROUP_OWNER',
      level: { kind: 'project', organization: 'acme', project: 'web' },
      mapping: `memberships.user/${user.id}`,
      group: null,
      grantedRole: 'GROUP_OWNER',
    })
  })

  it("ends at the ceiling of an organization's issuer", async () => {
    const authorization = `Bearer ${mintToken(OWN, ownKey, { sub: 'gina', aud: 'globex', groups: ['owners', 'acme-owners'] })}`
    const me = await api.make('GET', '/me', { authorization })
    expect(me.voucher).toBe('globex')
    expect(me.roles).toMatchObject([
      { role: 'ORG_MEMBER', level: { kind: 'organization', organization: 'globex' }, group: null },
    ])
  })

  it('of a key is the service account', async () => {
    const path = '/organizations/acme/projects/payments/serviceAccounts'
    const account = await api.make('POST', path, {
      as: ACME_OWNER,
      body: { name: 'Robot', authenticationMethod: 'key', roles: ['GROUP_READ_ONLY'] },
    })
    const { key } = await api.make('POST', `${path}/${account.id}/keys`, { as: ACME_OWNER, body: {} })
    const me = await api.make('GET', '/me', { authorization: `Bearer ${key}` })
    expect(me).toMatchObject({
      kind: 'service-account',
      identity: { issuer: 'postern', subject: account.id },
      voucher: 'acme',
      userName: 'Robot',
      groupsOutcome: 'none',
      roles: [{ role: 'GROUP_READ_ONLY', level: { kind: 'project', project: 'payments' } }],
    })
  })
})

describe('me, explained', () => {
  const explained = (as: typeof OWNER, query: Record<string, string>) =>
    api.ask('GET', '/me/explain', { as, query })

  it('whoever reads the place is told of every mapping there', async () => {
    const { json } = await explained(ACME_OWNER, { organization: 'acme', permission: 'data.read' })
    expect(json.principal).toEqual({ issuer: 'people', subject: 'ada' })
    expect(json.explanation.roles.map(({ role }: { role: string }) => role)).toContain('ORG_OWNER')
    expect(json.explanation.unmatched.total).toBeGreaterThan(0)
    expect(json.explanation.wanted.decision.allowed).toBe(false)
  })

  it('anybody else of what has to do with them: a group that is nearly right', async () => {
    const almost = { subject: 'ann', groups: ['Acme-Owners'] }
    const { status, json } = await explained(almost, {
      organization: 'acme',
      permission: 'organization.read',
    })
    expect(status).toBe(200)
    expect(json.explanation).toMatchObject({
      roles: [],
      unmatched: { total: 0, mappings: [] },
      near: [{ group: 'Acme-Owners', wanted: 'acme-owners' }],
      wanted: { decision: { allowed: false }, fixes: [] },
    })
  })

  it('a place that has nothing to do with somebody is as one that is not there', async () => {
    const there = await explained(NOBODY, { organization: 'acme' })
    const notThere = await explained(NOBODY, { organization: 'nowhere' })
    expect([reasonOf(there), reasonOf(notThere)]).toEqual(['404 not_found', '404 not_found'])
    expect(there.json.detail.replace('acme', '')).toBe(notThere.json.detail.replace('nowhere', ''))
    expect(reasonOf(await explained(TEAM_ADMIN, { organization: 'globex' }))).toBe('404 not_found')
    const global = await explained(NOBODY, {})
    expect(global.json.explanation).toMatchObject({ roles: [], unmatched: { total: 0 } })
  })

  it('the input is judged', async () => {
    expect((await explained(OWNER, { project: 'web' })).json.errors).toMatchObject([{ path: 'project' }])
    expect((await explained(OWNER, { organization: 'ACME' })).json.errors).toMatchObject([
      { path: 'organization' },
    ])
    expect((await explained(OWNER, { permission: 'x' })).json.errors).toMatchObject([{ path: 'permission' }])
  })
})
