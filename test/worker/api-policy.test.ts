// The policy's source over the API: read, validated, previewed and published; what keeps one from being published,
// and who may publish what.
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { ACME_OWNER, type Api, apiPolicy, OWNER, startApi, TEAM_ADMIN, USER_ADMIN } from '../support/api.ts'
import { makeKey } from '../support/tokens.ts'

const reasonOf = ({ status, json }: { status: number; json: { reason?: string } }) =>
  `${status} ${json.reason}`
type Members = Record<string, unknown>

let api: Api
beforeAll(async () => {
  api = await startApi()
})
afterAll(() => api.close())

const policy = (change: (members: Members) => void = () => {}): string => {
  const members = structuredClone(apiPolicy())
  change(members)
  return JSON.stringify(members, null, 2)
}
const withMapping = (roleName: string, group: string) => {
  return policy((members) => (members.idpGroupMappings as Members[]).push({ roleName, idpGroups: [group] }))
}
async function put(source: string, asked: object = {}) {
  const { version } = await api.make('GET', '/policy')
  return api.ask('PUT', '/policy', { body: { source }, ifMatch: version, ...asked })
}

describe('reading', () => {
  it('gives the source in force, which is the bundled one at first', async () => {
    const { json, headers } = await api.ask('GET', '/policy')
    expect(json).toMatchObject({ version: 1, bundled: true, locked: null })
    expect(JSON.parse(json.source)).toEqual(apiPolicy())
    expect(headers.etag).toBe('"1"')
  })
})

describe('publishing', () => {
  it('replaces it for the API and the edge, and keeps every version', async () => {
    const before = await api.make('GET', '/policy')
    const published = await put(withMapping('GLOBAL_READ_ONLY', 'new-readers'))
    expect(published.status).toBe(200)
    expect(published.headers['postern-publication']).toBe('published')
    expect(published.json).toMatchObject({ version: before.version + 1, bundled: false })
    const reader = { subject: 'rita', groups: ['new-readers'] }
    expect((await api.ask('GET', '/policy', { as: reader })).status).toBe(200)
    const { items } = await api.make('GET', '/versions', { query: { document: 'policy' } })
    expect(items.slice(0, 2)).toMatchObject([{ operation: 'policy.put' }, { operation: 'policy.adopt' }])
    const same = await put(withMapping('GLOBAL_READ_ONLY', 'new-readers'))
    expect(same.json.version).toBe(published.json.version)
  })

  it('takes the version it is made to', async () => {
    const body = { source: policy() }
    expect(reasonOf(await api.ask('PUT', '/policy', { body }))).toBe('428 version_required')
    expect(reasonOf(await api.ask('PUT', '/policy', { body, ifMatch: 0 }))).toBe('412 version_conflict')
  })

  it('makes and ends what it names', async () => {
    const source = policy((members) => {
      const organizations = members.organizations as Members
      organizations.initech = { displayName: 'Initech', projects: { tps: {} } }
    })
    await api.make('PUT', '/policy', {
      body: { source },
      ifMatch: (await api.make('GET', '/policy')).version,
    })
    expect(await api.make('GET', '/organizations/initech')).toMatchObject({ displayName: 'Initech' })
    expect((await put(policy())).status).toBe(200)
    expect((await api.ask('GET', '/organizations/initech')).status).toBe(404)
  })

  it.each([
    ['no YAML', 'version: [', /^1:/],
    ['an unknown field', 'version: 1\nroutes:\n  api: { host: x }\n', /^3:3: routes\.api\.hosts: is missing/],
    ['a role that does not exist', withMapping('GLOBAL_OWNR', 'x'), /did you mean GLOBAL_OWNER/],
    [
      'a test that fails',
      policy((members) => {
        members.tests = [
          {
            name: 'nobody',
            principal: { issuer: 'people', groups: [] },
            expect: { roles: ['GLOBAL_OWNER'] },
          },
        ]
      }),
      /the test "nobody" fails/,
    ],
    [
      'a lint error',
      policy((members) => {
        members.routes = {
          own: {
            hosts: ['gateway.test'],
            methods: ['GET'],
            path: '/x',
            upstream: 'https://a.example',
            access: 'anonymous',
          },
        }
      }),
      /gateway\.test/,
    ],
  ])('%s is refused with line and column', async (_what, source, message) => {
    const refused = await put(source)
    expect(reasonOf(refused)).toBe('400 input_invalid')
    expect(refused.json.errors[0].message).toMatch(message)
    const { valid, problems } = await api.make('POST', '/policy/validate', { body: { source } })
    expect(valid).toBe(false)
    expect(problems[0].line).toBeGreaterThan(0)
    expect(`${problems[0].line}:${problems[0].column}: ${problems[0].path}: ${problems[0].message}`).toMatch(
      message,
    )
  })

  it('takes no name that the database has for something else', async () => {
    const jwks = { keys: [makeKey('ES256').jwk] }
    const issuer = 'https://taken.idp.example'
    await api.make('POST', '/organizations/globex/issuers', {
      body: { id: 'own', settings: { issuer, jwks } },
    })
    await api.make('POST', '/organizations', { body: { slug: 'umbrella', audience: 'hooli' } })
    const withIssuer = (id: string, organization: string | null) =>
      policy((members) => {
        const organizations = members.organizations as Record<string, Members>
        const owner = organization === null ? members : (organizations[organization] as Members)
        owner.issuers = { ...(owner.issuers as object), [id]: { issuer, jwks } }
      })
    for (const [id, organization] of [
      ['x', null],
      ['x', 'globex'],
    ] as const) {
      const refused = await put(withIssuer(id, organization))
      expect(reasonOf(refused)).toBe('400 input_invalid')
      expect(refused.json.errors[0].message).toMatch(/is the issuer "globex\/own" of the database/)
    }
    const hooli = policy((members) => {
      ;(members.organizations as Members).hooli = {}
    })
    expect((await put(hooli)).json.errors[0].message).toMatch(/audience of organization umbrella/)
    // Another organization may have it as well; and the file may take over what has the same id.
    expect((await put(withIssuer('x', 'acme'))).status).toBe(200)
    expect((await put(withIssuer('own', 'globex'))).status).toBe(200)
    expect((await api.make('GET', '/organizations/globex/issuers/own')).locked).toMatchObject({
      origin: 'policy',
    })
    expect((await put(policy())).status).toBe(200)
    expect((await api.make('GET', '/organizations/globex/issuers/own')).locked).toBeNull()
  })

  it('keeps the roles that the database gives, at their level', async () => {
    const withRole = (level: string) =>
      policy((members) => {
        members.roles = { GROUP_SPECIAL: { level, permissions: ['project.read'] } }
        const roles = members.roles as Record<string, Members>
        roles.GROUP_OWNER = { level: 'project', permissions: ['project.read'], mayGrant: ['GROUP_SPECIAL'] }
        roles.ORG_OWNER = {
          level: 'organization',
          permissions: ['organization.users.write'],
          implies: ['GROUP_OWNER'],
        }
      })
    await put(policy())
    expect((await put(withRole('project'))).status).toBe(200)
    const account = await api.make('POST', '/organizations/acme/projects/payments/serviceAccounts', {
      as: { subject: 'giver', groups: ['acme-owners', 'payments-admins'] },
      body: { name: 'Special', authenticationMethod: 'key', roles: ['GROUP_SPECIAL'] },
    })
    const gone = await put(policy())
    expect(reasonOf(gone)).toBe('400 input_invalid')
    expect(gone.json.errors[0].message).toMatch(
      new RegExp(`GROUP_SPECIAL is no role any more, and service-account/${account.id} gives it`),
    )
    const { valid } = await api.make('POST', '/policy/validate', { body: { source: policy() } })
    expect(valid).toBe(false)
    await api.make('DELETE', `/organizations/acme/projects/payments/serviceAccounts/${account.id}`, {
      query: { confirm: account.id },
      as: { subject: 'giver', groups: ['payments-admins'] },
    })
    expect((await put(policy())).status).toBe(200)
  })
})

describe('[4-31] granting', () => {
  it('only the owner publishes; readers read and validate', async () => {
    for (const as of [USER_ADMIN, ACME_OWNER, TEAM_ADMIN]) {
      expect(reasonOf(await put(policy(), { as }))).toBe('403 permission_missing')
    }
    const body = { source: policy() }
    expect(await api.make('POST', '/policy/validate', { as: USER_ADMIN, body })).toEqual({
      valid: true,
      problems: [],
      findings: expect.any(Array),
    })
  })

  it('owners may give a role that the policy adds, also later, but not to themselves', async () => {
    const withData = (groups: string[]) =>
      policy((members) => {
        members.roles = { GLOBAL_DATA: { level: 'global', permissions: ['data.read'] } }
        const mappings = members.idpGroupMappings as Members[]
        for (const group of groups) mappings.push({ roleName: 'GLOBAL_DATA', idpGroups: [group] })
      })
    expect(reasonOf(await put(withData(['owners'])))).toBe('403 grant_to_self')
    expect((await put(withData(['first']))).status).toBe(200)
    expect((await put(withData(['first', 'second']))).status).toBe(200)
    expect((await put(policy())).status).toBe(200)
  })

  it('the last owner goes only when that is said', async () => {
    const ownerless = policy((members) => {
      members.idpGroupMappings = (members.idpGroupMappings as Members[]).slice(1)
    })
    const refused = await put(ownerless)
    expect(reasonOf(refused)).toBe('409 confirmation_needed')
    expect(refused.json.toConfirm).toContain('last-owner')
    expect((await api.make('GET', '/policy')).source).toBe(policy())
  })
})

describe('preview', () => {
  it('tells who of the known gains and loses what, and writes nothing', async () => {
    const database = await api.stack.database()
    await database.batch([
      database
        .prepare(
          "INSERT INTO known_principals VALUES ('p1', 'people', 'paula', '', 'paula', NULL, 'Paula', ?, 1, 1)",
        )
        .bind(JSON.stringify({ outcome: 'listed', names: ['auditors'] })),
      database.prepare("INSERT INTO known_groups VALUES ('auditors', 'auditors', 'p1')"),
    ])
    const before = await api.rows('SELECT count(*) AS count FROM versions')
    const source = withMapping('GLOBAL_READ_ONLY', 'auditors')
    const preview = await api.make('POST', '/policy/preview', { body: { source } })
    expect(preview).toMatchObject({
      dryRun: true,
      changes: [{ part: 'mapping', change: 'added', name: 'GLOBAL_READ_ONLY' }],
      principals: { considered: 1, items: [{ issuer: 'people', subject: 'paula', displayName: 'Paula' }] },
      toConfirm: [],
    })
    const levels = preview.principals.items[0].levels
    expect(levels[0].level).toEqual({ kind: 'global' })
    expect(levels[0].roles.gained).toContain('GLOBAL_READ_ONLY')
    expect(await put(source, { query: { dryRun: 'true' } })).toMatchObject({
      status: 200,
      json: { dryRun: true },
    })
    expect(await api.rows('SELECT count(*) AS count FROM versions')).toEqual(before)
  })

  it('compares with what the database holds: its mappings and its owners stay', async () => {
    const { version } = await api.make('GET', '/organizations/globex')
    await api.make('PATCH', '/organizations/globex', {
      as: OWNER,
      body: {
        idpGroupMappings: [
          { roleName: 'ORG_OWNER', idpGroups: ['globex-owners'], managedBy: 'file' },
          { roleName: 'ORG_OWNER', idpGroups: ['other-owners'] },
        ],
      },
      ifMatch: version,
    })
    const source = policy((members) => {
      const { globex } = members.organizations as { globex: Members }
      globex.idpGroupMappings = []
    })
    const { toConfirm, changes } = await api.make('POST', '/policy/preview', { body: { source } })
    expect(toConfirm).toEqual([])
    expect(changes).toMatchObject([
      { part: 'mapping', change: 'removed', path: 'organizations.globex.idpGroupMappings[0]' },
    ])
  })
})

describe('a policy that is managed in git', () => {
  let locked: Api
  beforeAll(async () => {
    locked = await startApi({ variables: { POLICY_MANAGED_IN: 'git' } })
  })
  afterAll(() => locked.close())

  it('is read-only, and says where it is changed', async () => {
    const { version, locked: lock } = await locked.make('GET', '/policy')
    expect(lock).toMatchObject({ origin: 'environment', place: expect.stringContaining('POLICY_MANAGED_IN') })
    const refused = await locked.ask('PUT', '/policy', { body: { source: policy() }, ifMatch: version })
    expect(reasonOf(refused)).toBe('409 set_elsewhere')
    expect(refused.json.place).toContain('POLICY_MANAGED_IN')
    expect((await locked.ask('POST', '/policy/preview', { body: { source: policy() } })).status).toBe(200)
  })
})

describe('a version that is restored', () => {
  const restore = async (document: string, version: number) => {
    const { items } = await api.make('GET', '/versions', { query: { document } })
    return api.ask('POST', `/versions/${version}/restore`, { query: { document }, ifMatch: items[0].version })
  }

  it('of the policy is checked and published as if it were written now', async () => {
    const first = await put(withMapping('GLOBAL_READ_ONLY', 'restored'))
    expect((await put(policy())).status).toBe(200)
    expect((await restore('policy', first.json.version)).status).toBe(200)
    expect((await api.make('GET', '/policy')).source).toBe(withMapping('GLOBAL_READ_ONLY', 'restored'))
    const reader = { subject: 'rob', groups: ['restored'] }
    expect((await api.ask('GET', '/policy', { as: reader })).status).toBe(200)
  })

  it('of a service account and of an issuer is as it was, to the letter', async () => {
    const path = '/organizations/acme/projects/payments/serviceAccounts'
    const account = await api.make('POST', path, {
      as: ACME_OWNER,
      body: { name: 'First name', authenticationMethod: 'key', roles: ['GROUP_READ_ONLY'] },
    })
    await api.make('PATCH', `${path}/${account.id}`, {
      as: ACME_OWNER,
      body: { name: 'Second', roles: [] },
      ifMatch: 1,
    })
    expect((await restore(`service-account/${account.id}`, 1)).status).toBe(200)
    const restored = await api.make('GET', `${path}/${account.id}`)
    expect(restored).toMatchObject({ name: 'First name', roles: ['GROUP_READ_ONLY'], version: 3 })

    const settings = { issuer: 'https://restored.idp.example', jwks: { keys: [makeKey('ES256').jwk] } }
    await api.make('POST', '/issuers', { body: { id: 'restored', settings } })
    await api.make('DELETE', '/issuers/restored', { query: { confirm: 'restored' } })
    expect((await restore('issuer/restored', 1)).status).toBe(200)
    expect(await api.make('GET', '/issuers/restored')).toMatchObject({ issuer: settings, version: 3 })
  })
})
