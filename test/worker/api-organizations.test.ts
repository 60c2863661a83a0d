// Organizations over the API: made, read, renamed, mapped, deleted, listed by those who may read them; and what
// the policy's file sets of them.
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { ACME_OWNER, type Api, GLOBEX_OWNER, type Json, NOBODY, startApi } from '../support/api.ts'

let api: Api
beforeAll(async () => {
  api = await startApi()
})
afterAll(() => api.close())

const reasonOf = ({ status, json }: Json) => `${status} ${json.reason}`
const ORG = (roleName: string, ...idpGroups: string[]) => ({ roleName, idpGroups })

describe('an organization', () => {
  it('[4-25] [4-26] is made with its mappings, and echoed in the normal form', async () => {
    const made = await api.ask('POST', '/organizations', {
      body: {
        slug: 'initech',
        displayName: 'Initech',
        idpGroupMappings: [
          ORG('ORG_MEMBER', 'b', 'a', 'b'),
          ORG('ORG_OWNER', 'bosses'),
          ORG('ORG_MEMBER', 'c'),
        ],
      },
    })
    expect(made.status, made.text).toBe(201)
    expect(made.headers.etag).toBe('"1"')
    expect(made.headers['postern-publication']).toBe('published')
    expect(made.headers['preference-applied']).toBe('wait')
    expect(made.headers['cache-control']).toBe('no-store')
    expect(made.json).toEqual({
      slug: 'initech',
      id: expect.stringMatching(/^[0-9a-f]{24}$/),
      displayName: 'Initech',
      idpGroupMappings: [
        { roleName: 'ORG_OWNER', idpGroups: ['bosses'], managedBy: 'api' },
        { roleName: 'ORG_MEMBER', idpGroups: ['a', 'b', 'c'], managedBy: 'api' },
      ],
      patternMappings: [],
      locked: {},
      version: 1,
      createdAt: expect.stringMatching(/^20.*Z$/),
      updatedAt: made.json.createdAt,
      audience: 'initech',
      onUnmatched: null,
      projectCount: 0,
    })
    const got = await api.ask('GET', '/organizations/initech')
    expect(got.json).toEqual(made.json)
    expect(got.headers.etag).toBe('"1"')
  })

  it('[4-30] is renamed by PATCH, and an edit that says nothing new makes no version', async () => {
    const renamed = await api.ask('PATCH', '/organizations/initech', {
      ifMatch: 1,
      body: { displayName: 'Initech Inc.' },
    })
    expect(renamed.json).toMatchObject({ displayName: 'Initech Inc.', version: 2 })
    expect(renamed.headers.etag).toBe('"2"')
    const { idpGroupMappings } = renamed.json
    const same = await api.ask('PATCH', '/organizations/initech', {
      ifMatch: 2,
      body: { displayName: 'Initech Inc.', idpGroupMappings: [...idpGroupMappings].reverse() },
    })
    expect(same.status).toBe(200)
    expect(same.json).toEqual(renamed.json)
    expect(same.headers.etag).toBe('"2"')
  })

  it('[4-23] [4-27] takes each of the five roles', async () => {
    const roles = ['ORG_OWNER', 'ORG_GROUP_CREATOR', 'ORG_BILLING_ADMIN', 'ORG_READ_ONLY', 'ORG_MEMBER']
    const made = await api.make('POST', '/organizations', {
      body: { slug: 'five', idpGroupMappings: roles.map((role) => ORG(role, `five-${role}`)) },
    })
    expect(made.idpGroupMappings.map(({ roleName }: { roleName: string }) => roleName)).toEqual(roles)
  })

  it('[4-29] refuses roles of another level and unknown ones, with those that are valid', async () => {
    const refused = await api.ask('POST', '/organizations', {
      body: {
        slug: 'never',
        idpGroupMappings: [ORG('GROUP_OWNER', 'x'), ORG('ORG_OWNERS', 'x')],
        onUnmatched: 'GROUP_OWNER',
      },
    })
    expect(reasonOf(refused)).toBe('400 input_invalid')
    const again = await api.ask('POST', '/organizations', {
      body: { slug: 'never', idpGroupMappings: [ORG('GROUP_OWNER', 'x'), ORG('ORG_OWNERS', 'x')] },
    })
    const valid = 'valid here: ORG_OWNER, ORG_GROUP_CREATOR, ORG_BILLING_ADMIN, ORG_READ_ONLY, ORG_MEMBER'
    expect(again.json.errors).toEqual([
      {
        path: 'idpGroupMappings[0].roleName',
        message: expect.stringMatching(`GROUP_OWNER is a role of the project level.*${valid}`),
      },
      {
        path: 'idpGroupMappings[1].roleName',
        message: `ORG_OWNERS is no role; did you mean ORG_OWNER?; ${valid}`,
      },
    ])
  })

  it('has an audience of its own', async () => {
    const body = { slug: 'heard', audience: 'heard-by' }
    expect((await api.make('POST', '/organizations', { body })).audience).toBe('heard-by')
    for (const audience of ['heard-by', 'postern', 'acme']) {
      const refused = await api.ask('POST', '/organizations', { body: { slug: 'unheard', audience } })
      expect(reasonOf(refused), audience).toBe('409 name_taken')
      expect(refused.text).not.toContain('"heard"')
    }
    expect(reasonOf(await api.ask('POST', '/organizations', { body: { slug: 'heard-by' } }))).toBe(
      '409 name_taken',
    )
  })

  it('needs the version it is changed from', async () => {
    const body = { displayName: 'New' }
    expect(reasonOf(await api.ask('PATCH', '/organizations/five', { body }))).toBe('428 version_required')
    const stale = await api.ask('PATCH', '/organizations/five', { body, ifMatch: 7 })
    expect(reasonOf(stale)).toBe('412 version_conflict')
    expect(stale.json.version).toBe(1)
    for (const header of ['*', '5', 'W/"1"', '"1", "2"']) {
      const odd = await api.ask('PATCH', '/organizations/five', { body, headers: { 'if-match': header } })
      expect(reasonOf(odd), header).toBe('400 input_invalid')
    }
  })
})

describe('what the file says', () => {
  it('is shown as locked, with its place, and stays whatever is written', async () => {
    const got = await api.make('GET', '/organizations/acme')
    expect(got).toMatchObject({
      version: 0,
      idpGroupMappings: [{ roleName: 'ORG_OWNER', idpGroups: ['acme-owners'], managedBy: 'file' }],
      locked: {
        'idpGroupMappings[0]': {
          origin: 'policy',
          place: expect.stringMatching(/^test\.yaml:1:\d+ organizations\.acme\.idpGroupMappings\[0\]$/),
        },
      },
    })
    const added = await api.make('PATCH', '/organizations/acme', {
      ifMatch: 0,
      body: { idpGroupMappings: [...got.idpGroupMappings, ORG('ORG_MEMBER', 'all-of-acme')] },
    })
    expect(added.idpGroupMappings).toEqual([
      { roleName: 'ORG_OWNER', idpGroups: ['acme-owners'], managedBy: 'file' },
      { roleName: 'ORG_MEMBER', idpGroups: ['all-of-acme'], managedBy: 'api' },
    ])
    const left = await api.make('PATCH', '/organizations/acme', {
      ifMatch: 1,
      body: { idpGroupMappings: [{ ...ORG('ORG_MEMBER', 'some-of-acme'), managedBy: 'console' }] },
    })
    expect(left.idpGroupMappings).toEqual([
      { roleName: 'ORG_OWNER', idpGroups: ['acme-owners'], managedBy: 'file' },
      { roleName: 'ORG_MEMBER', idpGroups: ['some-of-acme'], managedBy: 'console' },
    ])
    const claimed = await api.ask('PATCH', '/organizations/acme', {
      ifMatch: 2,
      body: { idpGroupMappings: [{ ...ORG('ORG_MEMBER', 'x'), managedBy: 'file' }] },
    })
    expect(reasonOf(claimed)).toBe('400 input_invalid')
    expect(claimed.json.errors[0].path).toBe('idpGroupMappings[0].managedBy')
  })

  it('is not deleted over the API', async () => {
    const refused = await api.ask('DELETE', '/organizations/globex', { query: { confirm: 'globex' } })
    expect(reasonOf(refused)).toBe('409 set_elsewhere')
    expect(refused.json.place).toMatch(/^test\.yaml:1:\d+ organizations\.globex$/)
  })
})

describe('a deletion', () => {
  it('shows what goes, needs the slug, and takes all of it; the slug is not used again', async () => {
    await api.make('POST', '/organizations', {
      body: { slug: 'doomed', idpGroupMappings: [ORG('ORG_MEMBER', 'd')] },
    })
    for (const slug of ['one', 'two']) {
      await api.make('POST', '/organizations/doomed/projects', {
        body: { slug, idpGroupMappings: [ORG('GROUP_READ_ONLY', 'd', 'e')] },
      })
    }
    const shown = await api.make('DELETE', '/organizations/doomed', { query: { dryRun: 'true' } })
    expect(shown.toConfirm).toEqual(['doomed'])
    expect(shown.changes.map(({ part, name }: { part: string; name: string }) => `${part} ${name}`)).toEqual([
      'organization doomed',
      'project one',
      'project two',
      'mapping ORG_MEMBER',
      'mapping GROUP_READ_ONLY',
      'mapping GROUP_READ_ONLY',
    ])
    const unsaid = await api.ask('DELETE', '/organizations/doomed')
    expect(reasonOf(unsaid)).toBe('409 confirmation_needed')
    expect(unsaid.json.toConfirm).toEqual(['doomed'])
    const gone = await api.ask('DELETE', '/organizations/doomed', { query: { confirm: 'doomed' } })
    expect(gone.json).toEqual({ deleted: 'doomed', projects: 2, mappings: 3, issuers: 0, serviceAccounts: 0 })
    expect(reasonOf(await api.ask('GET', '/organizations/doomed'))).toBe('404 not_found')
    expect(reasonOf(await api.ask('GET', '/organizations/doomed/projects/one'))).toBe('404 not_found')
    const again = await api.ask('POST', '/organizations', { body: { slug: 'doomed' } })
    expect(reasonOf(again)).toBe('409 already_exists')
    const rows = await api.rows<{ document: string; version: number; content: string | null }>(
      "SELECT document, version, content FROM versions WHERE document LIKE '%/doomed%' AND content IS NULL",
    )
    expect(rows.map(({ document, version }) => `${document} ${version}`).sort()).toEqual([
      'organization/doomed 2',
      'project/doomed/one 2',
      'project/doomed/two 2',
    ])
    expect(await api.rows("SELECT * FROM group_mappings WHERE organization = 'doomed'")).toEqual([])
    expect(await api.rows("SELECT * FROM search_entries WHERE organization = 'doomed'")).toEqual([])
  })
})

describe('the list', () => {
  const slugs = (page: { items: { slug: string }[] }) => page.items.map(({ slug }) => slug)

  it('is of those the caller may read', async () => {
    expect(slugs(await api.make('GET', '/organizations', { as: ACME_OWNER }))).toEqual(['acme'])
    expect(slugs(await api.make('GET', '/organizations', { as: GLOBEX_OWNER }))).toEqual(['globex'])
    expect(slugs(await api.make('GET', '/organizations', { as: NOBODY }))).toEqual([])
    expect(slugs(await api.make('GET', '/organizations'))).toEqual(
      expect.arrayContaining(['acme', 'globex', 'initech', 'five']),
    )
  })

  it('[4-22] has what a pattern gives, once it is in force', async () => {
    const { version } = await api.make('GET', '/instance')
    await api.make('PATCH', '/instance', {
      ifMatch: version,
      body: { patternMappings: [{ roleName: 'ORG_READ_ONLY', groupPatterns: ['team:{org}:readers'] }] },
    })
    const reader = { subject: 'rita', groups: ['team:initech:readers', 'team:nowhere:readers'] }
    expect(slugs(await api.make('GET', '/organizations', { as: reader }))).toEqual(['initech'])
    const mapped = { subject: 'bo', groups: ['bosses'] }
    expect(slugs(await api.make('GET', '/organizations', { as: mapped }))).toEqual(['initech'])
  })

  it('comes in pages that lose nothing and move by nothing that is inserted', async () => {
    const first = await api.make('GET', '/organizations', { query: { limit: '2' } })
    expect(slugs(first)).toEqual(['acme', 'five'])
    await api.make('POST', '/organizations', { body: { slug: 'aaa' } })
    const second = await api.make('GET', '/organizations', { query: { limit: '2', cursor: first.next } })
    expect(slugs(second)).toEqual(['globex', 'heard'])
    const odd = await api.ask('GET', '/organizations', { query: { cursor: 'AAAA' } })
    expect(reasonOf(odd)).toBe('400 input_invalid')
  })

  const names: [slug: string, displayName: string, searches: string[]][] = [
    ['korean', '서울 결제팀 그룹', ['결제', '제팀', '서울', '그', '결제팀']],
    ['japanese', '東京データ基盤', ['データ', '基盤', '東京', 'タ基']],
    ['chinese', '北京市支付平台', ['支付', '平台']],
    [
      'quoted',
      `O'Brien "; DROP TABLE organizations; -- <script>alert(1)</script>`,
      ["O'Brien", 'script', 'DROP tab'],
    ],
    ['wild', '100% *sure* NEAR( {a} OR ^b', ['100', 'sure', 'near', '*sure*', 'sure OR b']],
    ['accents', 'Crédit Agricole Ünïted', ['credit', 'AGRICOLE', 'united']],
  ]
  it.each(names)(
    'finds %s by its words, and keeps its name as it is',
    async (slug, displayName, searches) => {
      const made = await api.make('POST', '/organizations', { body: { slug, displayName } })
      expect(made.displayName).toBe(displayName)
      expect((await api.make('GET', `/organizations/${slug}`)).displayName).toBe(displayName)
      for (const search of searches) {
        expect(slugs(await api.make('GET', '/organizations', { query: { search } })), search).toEqual([slug])
      }
      for (const search of ['nothingsuch', '"', '*', 'AND', "' OR 2=2"]) {
        expect(slugs(await api.make('GET', '/organizations', { query: { search } })), search).toEqual([])
      }
    },
  )

  it('finds what only the file names', async () => {
    expect(slugs(await api.make('GET', '/organizations', { query: { search: 'glob' } }))).toEqual(['globex'])
  })

  it('finds a name no longer that was changed', async () => {
    await api.make('PATCH', '/organizations/korean', { ifMatch: 1, body: { displayName: '부산 지사' } })
    const find = async (search: string) =>
      slugs(await api.make('GET', '/organizations', { query: { search } }))
    expect(await find('결제')).toEqual([])
    expect(await find('부산')).toEqual(['korean'])
  })
})

describe('whoever may not see an organization', () => {
  it('cannot tell it from one that does not exist', async () => {
    const ways: [string, string, object?][] = [
      ['GET', ''],
      ['PATCH', '', { displayName: 'x' }],
      ['DELETE', ''],
      ['GET', '/projects'],
      ['POST', '/projects', { slug: 'x' }],
      ['GET', '/projects/payments'],
      ['GET', '/audit'],
    ]
    for (const as of [GLOBEX_OWNER, NOBODY]) {
      for (const [method, path, body] of ways) {
        const [there, nowhere] = await Promise.all(
          ['acme', 'none'].map((slug) => {
            return api.ask(method, `/organizations/${slug}${path}`, {
              as,
              ifMatch: 1,
              ...(body ? { body } : {}),
            })
          }),
        )
        const plain = (answer: Json | undefined) => {
          const {
            date: _date,
            'x-request-id': _id,
            'content-length': _length,
            ...headers
          } = answer?.headers ?? {}
          const { requestId: _requestId, ...json } = answer?.json ?? {}
          return JSON.stringify([answer?.status, headers, json]).replaceAll('acme', 'none')
        }
        expect(plain(there), `${method} ${path}`).toBe(plain(nowhere))
        expect(reasonOf(there as Json), `${method} ${path}`).toBe('404 not_found')
      }
    }
  })

  it('and a member without the permission is told', async () => {
    const member = { subject: 'mia', groups: ['some-of-acme'] }
    expect(await api.make('GET', '/organizations/acme', { as: member })).toMatchObject({ slug: 'acme' })
    const refused = await api.ask('PATCH', '/organizations/acme', { as: member, ifMatch: 2, body: {} })
    expect(reasonOf(refused)).toBe('403 permission_missing')
    expect(refused.headers['www-authenticate']).toContain('insufficient_scope')
  })
})

it('nobody gets in without credentials', async () => {
  const refused = await api.ask('GET', '/organizations', { as: null })
  expect(reasonOf(refused)).toBe('401 credentials_missing')
  expect(refused.headers['www-authenticate']).toBe('Bearer realm="postern"')
})
