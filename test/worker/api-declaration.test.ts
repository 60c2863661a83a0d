// Organizations as declared files: what is exported is applied without a change, what differs is one edit, what is
// declared no more goes when that was confirmed, and as much as an organization may hold gets in at once.
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import {
  ACME_OWNER,
  type Api,
  GLOBEX_OWNER,
  type Json,
  NOBODY,
  OWNER,
  startApi,
  TEAM_ADMIN,
  USER_ADMIN,
} from '../support/api.ts'

let api: Api
beforeAll(async () => {
  api = await startApi()
})
afterAll(() => api.close())

const ORG = (roleName: string, ...idpGroups: string[]) => ({ roleName, idpGroups })
const path = (slug: string) => `/organizations/${slug}/declaration`
// The policy's own may be made at any time: the publisher adopts it.
const versions = async () => {
  return (await api.rows<{ n: number }>("SELECT count(*) AS n FROM versions WHERE document <> 'policy'"))[0]
    ?.n
}
const events = async () => {
  const sql = "SELECT count(*) AS n FROM audit_events WHERE operation <> 'policy.adopt'"
  return (await api.rows<{ n: number }>(sql))[0]?.n
}
const reasonOf = ({ status, json }: Json) => `${status} ${json.reason}`

async function etag(slug: string): Promise<number> {
  const { status, headers } = await api.ask('GET', path(slug))
  return status === 404 ? 0 : Number(String(headers.etag).slice(1, -1))
}

async function apply(slug: string, body: unknown, more: Parameters<Api['ask']>[2] = {}): Promise<Json> {
  return api.ask('PUT', path(slug), { ifMatch: await etag(slug), body, ...more })
}

const INITECH = {
  displayName: 'Initech',
  idpGroupMappings: [ORG('ORG_OWNER', 'bosses'), ORG('ORG_MEMBER', 'b', 'a')],
  patternMappings: [{ roleName: 'GROUP_OWNER', groupPatterns: ['team:{project}:admin'] }],
  issuers: {
    okta: {
      issuer: 'https://initech.okta.test',
      jwks: {
        keys: [
          {
            kty: 'EC',
            crv: 'P-256',
            x: 'f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU',
            y: 'x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0',
            kid: 'k',
            alg: 'ES256',
          },
        ],
      },
      claims: { email: ['profile', 'mail'] },
    },
  },
  projects: {
    tps: {
      displayName: 'TPS reports',
      idpGroupMappings: [{ ...ORG('GROUP_OWNER', 'tps'), issuers: ['initech/okta'] }],
    },
    empty: {},
  },
}

describe('applying', () => {
  it('makes an organization that is not there, in one edit', async () => {
    const [before, audited] = [await versions(), await events()]
    const { status, json, headers, text } = await apply('initech', INITECH)
    expect(status, text).toBe(200)
    expect(json).toEqual({
      organization: 'initech',
      unchanged: false,
      created: [
        'issuer/initech/okta',
        'organization/initech',
        'project/initech/empty',
        'project/initech/tps',
      ],
      changed: [],
      deleted: [],
      seq: expect.any(Number),
    })
    expect(headers.etag).toBe(`"${json.seq}"`)
    expect(headers['postern-publication']).toBe('published')
    expect(await versions()).toBe((before ?? 0) + 4)
    // One of the organization, and one of the instance, which has one more.
    expect(await events()).toBe((audited ?? 0) + 2)
  })

  it('what was applied is there, as if each had been made alone', async () => {
    const organization = await api.ask('GET', '/organizations/initech')
    expect(organization.json).toMatchObject({ displayName: 'Initech', version: 1, projectCount: 2 })
    const project = await api.ask('GET', '/organizations/initech/projects/tps')
    expect(project.json).toMatchObject({
      displayName: 'TPS reports',
      idpGroupMappings: [{ ...ORG('GROUP_OWNER', 'tps'), issuers: ['initech/okta'], managedBy: 'api' }],
    })
    const found = await api.ask('GET', '/organizations/initech/projects', { query: { search: 'report' } })
    expect(found.json.items.map(({ slug }: { slug: string }) => slug)).toEqual(['tps'])
    const me = await api.ask('GET', '/organizations/initech', { as: { subject: 'b', groups: ['bosses'] } })
    expect(me.status).toBe(200)
    const rows = await api.rows(
      "SELECT document, mapping, group_name FROM group_mappings WHERE organization = 'initech' ORDER BY 1, 2, 3",
    )
    expect(rows).toEqual([
      { document: 'organization/initech', mapping: 'idpGroupMappings[0]', group_name: 'bosses' },
      { document: 'organization/initech', mapping: 'idpGroupMappings[1]', group_name: 'a' },
      { document: 'organization/initech', mapping: 'idpGroupMappings[1]', group_name: 'b' },
      { document: 'organization/initech', mapping: 'patternMappings[0]', group_name: 'team:{project}:admin' },
      { document: 'project/initech/tps', mapping: 'idpGroupMappings[0]', group_name: 'tps' },
    ])
  })

  it('again changes nothing, nor does what was exported', async () => {
    const before = await versions()
    const again = await apply('initech', INITECH)
    expect(again.json, again.text).toMatchObject({
      unchanged: true,
      created: [],
      changed: [],
      deleted: [],
      seq: null,
    })
    const exported = await api.ask('GET', path('initech'))
    expect(exported.json.idpGroupMappings).toEqual([ORG('ORG_OWNER', 'bosses'), ORG('ORG_MEMBER', 'a', 'b')])
    expect(exported.json.issuers.okta).toEqual({ ...INITECH.issuers.okta, claims: { email: 'profile.mail' } })
    expect(Object.keys(exported.json.projects)).toEqual(['empty', 'tps'])
    const back = await apply('initech', exported.json)
    expect(back.json).toMatchObject({ unchanged: true })
    expect(back.headers.etag).toBe(exported.headers.etag)
    expect(await versions()).toBe(before)
  })

  it('a dry run shows what would be, and changes nothing', async () => {
    const before = await versions()
    const { projects, ...rest } = INITECH
    const body = { ...rest, displayName: 'Initech Inc.', projects: { tps: projects.tps } }
    const { status, json } = await apply('initech', body, { query: { dryRun: 'true' } })
    expect(status).toBe(200)
    expect(json.dryRun).toBe(true)
    expect(
      json.changes
        .map(({ part, change, name }: Record<string, string>) => `${change} ${part} ${name}`)
        .sort(),
    ).toEqual(['changed organization initech', 'removed project empty'])
    expect(json.toConfirm).toEqual(['deletions'])
    expect(await versions()).toBe(before)
  })

  it('deletes what is declared no more, once that is confirmed', async () => {
    await api.make('POST', '/organizations/initech/projects/empty/serviceAccounts', {
      body: { name: 'robot', authenticationMethod: 'key', roles: ['GROUP_READ_ONLY'] },
    })
    const { projects, ...rest } = INITECH
    const body = { ...rest, issuers: {}, projects: { tps: { displayName: projects.tps.displayName } } }
    const unconfirmed = await apply('initech', body)
    expect(reasonOf(unconfirmed)).toBe('409 confirmation_needed')
    expect(unconfirmed.json.toConfirm).toEqual(['deletions'])
    const done = await apply('initech', body, { query: { confirm: 'deletions' } })
    expect(done.json, done.text).toMatchObject({
      changed: ['project/initech/tps'],
      deleted: ['issuer/initech/okta', 'project/initech/empty'],
    })
    expect((await api.ask('GET', '/organizations/initech/projects/empty')).status).toBe(404)
    expect((await api.ask('GET', '/organizations/initech/issuers')).json.items).toEqual([])
    const left = await api.rows(
      "SELECT id FROM service_accounts WHERE organization = 'initech' AND deleted_at IS NULL",
    )
    expect(left).toEqual([])
    expect(await api.rows("SELECT * FROM search_entries WHERE id = 'initech/empty'")).toEqual([])
    const again = await apply('initech', { ...body, projects: { ...body.projects, empty: {} } })
    expect(reasonOf(again)).toBe('409 already_exists')
  })

  it('names the audit event after the organization, with what differs in each document', async () => {
    const { json } = await api.ask('GET', '/organizations/initech/audit', {
      query: { operation: 'organizations.apply' },
    })
    expect(json.items).toHaveLength(2)
    expect(json.items[0]).toMatchObject({ target: { kind: 'organization', id: 'initech' } })
    expect(Object.keys(json.items[0].before).sort()).toEqual([
      'issuer/initech/okta',
      'project/initech/empty',
      'project/initech/tps',
      expect.stringMatching(/^service-account\//),
    ])
  })

  it('needs the version that was read, and refuses one that is not in force', async () => {
    const without = await api.ask('PUT', path('initech'), { body: {} })
    expect(reasonOf(without)).toBe('428 version_required')
    const old = await api.ask('PUT', path('initech'), { body: {}, ifMatch: 1 })
    expect(reasonOf(old)).toBe('412 version_conflict')
    const racing = { ...INITECH, issuers: {}, projects: { tps: {} } }
    const version = await etag('initech')
    const race = await Promise.all(
      ['a', 'b'].map((name) =>
        api.ask('PUT', path('initech'), { ifMatch: version, body: { ...racing, displayName: name } }),
      ),
    )
    expect(race.map(({ status }) => status).sort()).toEqual([200, 412])
  })
})

describe('what the policy sets', () => {
  it('is not exported, and stays', async () => {
    const { json, headers } = await api.ask('GET', path('acme'))
    expect(json).toEqual({ idpGroupMappings: [], patternMappings: [], issuers: {}, projects: {} })
    expect(headers.etag).toBe('"0"')
    const added = await apply('acme', {
      projects: { web: { idpGroupMappings: [ORG('GROUP_OWNER', 'web')] } },
    })
    expect(added.json, added.text).toMatchObject({ created: [], changed: ['project/acme/web'] })
    expect((await api.ask('GET', '/organizations/acme/projects/payments')).status).toBe(200)
    expect((await api.ask('GET', path('acme'))).json.projects).toEqual({
      web: { idpGroupMappings: [ORG('GROUP_OWNER', 'web')], patternMappings: [] },
    })
    const gone = await apply('acme', {})
    expect(gone.json).toMatchObject({ changed: ['project/acme/web'], deleted: [] })
    expect((await api.ask('GET', path('acme'))).json.projects).toEqual({})
    expect((await apply('acme', {})).json).toMatchObject({ unchanged: true })
  })

  it('may be declared as it is, and not otherwise', async () => {
    const same = await apply('acme', { idpGroupMappings: [ORG('ORG_OWNER', 'acme-owners')] })
    expect(same.json, same.text).toMatchObject({ unchanged: true })
  })
})

describe('who may', () => {
  it('an owner applies to the own organization', async () => {
    const { status, json } = await apply(
      'acme',
      { projects: { web: { displayName: 'Web' } } },
      { as: ACME_OWNER },
    )
    expect({ status, changed: json.changed }).toEqual({ status: 200, changed: ['project/acme/web'] })
  })

  const shouldRefuse: [name: string, as: typeof OWNER, slug: string, reason: string][] = [
    ['a stranger', NOBODY, 'acme', '404 not_found'],
    ['a stranger to one that is not there', NOBODY, 'nosuch', '404 not_found'],
    ['the owner of another', GLOBEX_OWNER, 'acme', '404 not_found'],
    ['the owner of another to one that is not there', GLOBEX_OWNER, 'nosuch', '404 not_found'],
    ['a user admin', USER_ADMIN, 'acme', '403 permission_missing'],
    ['an admin of one project', TEAM_ADMIN, 'acme', '404 not_found'],
  ]
  it.each(shouldRefuse)('%s may not', async (_name, as, slug, reason) => {
    const refused = await apply(slug, { displayName: 'Mine' }, { as })
    expect(reasonOf(refused)).toBe(reason)
  })

  it('nobody gives what they may not give', async () => {
    const before = await versions()
    const refused = await apply(
      'acme',
      {
        projects: { web: { displayName: 'Web' } },
        idpGroupMappings: [ORG('ORG_OWNER', 'x')],
        issuers: { mine: { issuer: 'https://people.idp.test' } },
      },
      { as: ACME_OWNER },
    )
    expect(refused.status).toBeGreaterThanOrEqual(400)
    expect(await versions()).toBe(before)
  })
})

describe('what is wrong is said where it stands', () => {
  const shouldRefuse: [name: string, body: object, path: string][] = [
    ['an unknown member', { name: 'x' }, 'name'],
    [
      '[4-29] a role of a project on the organization',
      { idpGroupMappings: [ORG('GROUP_OWNER', 'x')] },
      'idpGroupMappings[0].roleName',
    ],
    [
      '[4-29] a role of an organization on a project',
      { projects: { a: { idpGroupMappings: [ORG('GROUP_OWNER', 'x'), ORG('ORG_OWNER', 'x')] } } },
      'projects.a.idpGroupMappings[1].roleName',
    ],
    [
      'an issuer that is not there',
      { projects: { a: { idpGroupMappings: [{ ...ORG('GROUP_OWNER', 'x'), issuers: ['nosuch'] }] } } },
      'projects.a.idpGroupMappings[0].issuers[0]',
    ],
    [
      'an address that is never fetched',
      { issuers: { bad: { issuer: 'https://10.0.0.1' } } },
      'issuers.bad.issuer',
    ],
    [
      "the instance's issuer",
      { issuers: { bad: { issuer: 'https://people.idp.test', jwks: INITECH.issuers.okta.jwks } } },
      'issuers.bad.issuer',
    ],
    ['a default role that is none', { onUnmatched: 'NOSUCH' }, 'onUnmatched'],
  ]
  it.each(shouldRefuse)('%s', async (_name, body, at) => {
    const { status, json, text } = await apply('globex', body)
    expect(status, text).toBe(400)
    expect(json.errors.map((error: { path: string }) => error.path)).toContain(at)
  })
})

describe('as lines', () => {
  const lines = async (slug: string, body: unknown, version: number) => {
    const { stack } = api
    const answer = await stack.send({
      host: 'gateway.test',
      method: 'PUT',
      path: `/api/v1${path(slug)}`,
      token: api.token(OWNER),
      headers: {
        'content-type': 'application/json',
        accept: 'application/x-ndjson',
        'if-match': `"${version}"`,
      },
      body: JSON.stringify(body),
    })
    return {
      type: answer.headers['content-type'],
      lines: answer.text
        .trim()
        .split('\n')
        .map((line) => JSON.parse(line)),
    }
  }

  it('progress comes before the result', async () => {
    const { type, lines: told } = await lines('globex', { displayName: 'Globex' }, await etag('globex'))
    expect(type).toBe('application/x-ndjson')
    expect(told.slice(0, -1).map(({ progress }) => progress.stage)).toEqual(['read', 'judge', 'write'])
    expect(told.at(-1)).toEqual({
      result: expect.objectContaining({ organization: 'globex', unchanged: false }),
    })
  })

  it('a refusal is the last line', async () => {
    const { lines: told } = await lines('globex', { displayName: 'x' }, 1_000_000)
    expect(told.at(-1)).toEqual({
      problem: expect.objectContaining({ status: 412, reason: 'version_conflict' }),
    })
  })
})

it('100,000 mappings over 10,000 projects get in at once, and out again', async () => {
  const projects = Object.fromEntries(
    Array.from({ length: 10_000 }, (_, project) => [
      `p${project}`,
      {
        displayName: `Project ${project}`,
        idpGroupMappings: ['GROUP_OWNER', 'GROUP_READ_ONLY'].map((roleName, role) =>
          ORG(roleName, ...Array.from({ length: 5 }, (_, group) => `group-${project}-${role}-${group}`)),
        ),
      },
    ]),
  )
  const body = { displayName: 'Big', projects }
  const { status, json, text } = await api.ask('PUT', path('big'), {
    ifMatch: 0,
    body,
    headers: { prefer: 'return=minimal' },
  })
  expect(status, text.slice(0, 500)).toBe(200)
  expect(json.created).toHaveLength(10_001)
  expect(await api.rows("SELECT count(*) AS n FROM group_mappings WHERE organization = 'big'")).toEqual([
    { n: 100_000 },
  ])
  // The edge hears of it when it is published, which takes a while, and decides who may read it.
  await expect
    .poll(async () => (await api.ask('GET', '/organizations/big')).status, {
      timeout: 120_000,
      interval: 2000,
    })
    .toBe(200)
  const exported = await api.ask('GET', path('big'))
  expect(Object.keys(exported.json.projects)).toHaveLength(10_000)
  const again = await apply('big', exported.json)
  expect(again.json).toMatchObject({ unchanged: true })
  const one = { ...exported.json, projects: { ...exported.json.projects, p5: {} } }
  const changed = await apply('big', one)
  expect(changed.json).toMatchObject({ changed: ['project/big/p5'], created: [], deleted: [] })
  const more = {
    ...one,
    idpGroupMappings: [ORG('ORG_MEMBER', ...Array.from({ length: 11 }, (_, n) => `g${n}`))],
  }
  const over = await apply('big', more)
  expect(reasonOf(over)).toBe('409 limit_reached')
}, 300_000)
