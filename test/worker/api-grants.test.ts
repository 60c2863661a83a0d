// Who may give what, over the API: no role outside what the caller may give, none to oneself, and nobody loses the
// last owner or their own rights without saying so (design.md section 4).
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { ACME_OWNER, type Api, type Json, OWNER, type Person, startApi } from '../support/api.ts'

/** Writes mappings of its organization and may give the least of its roles only. */
const EDITOR: Person = { subject: 'edda', groups: ['editors:edited'] }

let api: Api
beforeAll(async () => {
  api = await startApi({
    more: {
      patternMappings: [{ roleName: 'ORG_EDITOR', groupPatterns: ['editors:{org}'] }],
      roles: {
        ORG_EDITOR: {
          level: 'organization',
          permissions: [
            'organization.read',
            'organization.update',
            'organization.mappings.write',
            'project.create',
            'project.mappings.write',
          ],
          mayGrant: ['ORG_MEMBER', 'GROUP_READ_ONLY'],
        },
      },
    },
  })
  await api.make('POST', '/organizations', {
    body: {
      slug: 'edited',
      idpGroupMappings: [
        { roleName: 'ORG_OWNER', idpGroups: ['chiefs', 'deputies'] },
        { roleName: 'ORG_READ_ONLY', idpGroups: ['visitors'], notAfter: '2099-01-01T00:00:00Z' },
      ],
    },
  })
})
afterAll(() => api.close())

const reasonOf = ({ status, json }: Json) => `${status} ${json.reason ?? ''}`.trim()
type Mapping = Record<string, unknown> & { roleName: string }

async function organization(slug: string): Promise<{ version: number; idpGroupMappings: Mapping[] }> {
  return api.make('GET', `/organizations/${slug}`)
}

/** PATCH of the version in force; `change` gets the mappings by role. */
async function patch(
  slug: string,
  as: Person,
  body: object | ((mappings: Mapping[]) => Mapping[]),
  query: Record<string, string> = {},
): Promise<Json> {
  const { version, idpGroupMappings } = await organization(slug)
  const written = typeof body === 'function' ? { idpGroupMappings: body(idpGroupMappings) } : body
  return api.ask('PATCH', `/organizations/${slug}`, { as, ifMatch: version, body: written, query })
}
const change = (roleName: string, more: object) => (mappings: Mapping[]) => {
  return mappings.map((mapping) => (mapping.roleName === roleName ? { ...mapping, ...more } : mapping))
}

describe('a role outside what the caller may give', () => {
  const rows: [name: string, body: object | ((mappings: Mapping[]) => Mapping[])][] = [
    ['mapped anew', (all) => [...all, { roleName: 'ORG_BILLING_ADMIN', idpGroups: ['x'] }]],
    ['given to one group more', change('ORG_OWNER', { idpGroups: ['chiefs', 'deputies', 'x'] })],
    ['given to another group instead', change('ORG_OWNER', { idpGroups: ['chiefs', 'x'] })],
    ['given for longer', change('ORG_READ_ONLY', { notAfter: '2199-01-01T00:00:00Z' })],
    ['given without its end', (all) => all.map(({ notAfter: _notAfter, ...mapping }) => mapping as Mapping)],
    ['given by a rule that minds no case', change('ORG_OWNER', { ignoreCase: true })],
    ['given by pattern', { patternMappings: [{ roleName: 'ORG_OWNER', groupPatterns: ['x-*'] }] }],
    [
      'given in every project by pattern',
      { patternMappings: [{ roleName: 'GROUP_OWNER', groupPatterns: ['x:{project}'] }] },
    ],
    ['given to all who match nothing', { onUnmatched: 'ORG_READ_ONLY' }],
  ]
  it.each(rows)('[4-31] %s is refused', async (_name, body) => {
    const refused = await patch('edited', EDITOR, body)
    expect(reasonOf(refused)).toBe('403 grant_not_allowed')
    expect(refused.json.errors[0]).toEqual({
      path: expect.stringMatching(/^organizations\.edited\./),
      message: expect.stringContaining('you may give there: GROUP_READ_ONLY, ORG_MEMBER'),
    })
  })

  it('is refused when an organization or a project is made with it', async () => {
    const refused = await api.ask('POST', '/organizations/edited/projects', {
      as: EDITOR,
      body: { slug: 'new', idpGroupMappings: [{ roleName: 'GROUP_OWNER', idpGroups: ['x'] }] },
    })
    expect(reasonOf(refused)).toBe('403 grant_not_allowed')
    const made = await api.ask('POST', '/organizations/edited/projects', {
      as: EDITOR,
      body: { slug: 'new', idpGroupMappings: [{ roleName: 'GROUP_READ_ONLY', idpGroups: ['x'] }] },
    })
    expect(made.status, made.text).toBe(201)
  })

  it('is refused when a version with it is restored', async () => {
    const before = await organization('edited')
    expect((await patch('edited', OWNER, change('ORG_OWNER', { idpGroups: ['chiefs'] }))).status).toBe(200)
    const restore = (as: Person) => {
      return api.ask('POST', `/versions/${before.version}/restore`, {
        as,
        ifMatch: before.version + 1,
        query: { document: 'organization/edited' },
      })
    }
    expect(reasonOf(await restore(EDITOR))).toBe('403 grant_not_allowed')
    expect(reasonOf(await restore(OWNER))).toBe('200')
  })
})

describe('what the caller may do', () => {
  it('is to give what it may, and to take anything', async () => {
    const given = await patch('edited', EDITOR, (all) => [
      ...all,
      { roleName: 'ORG_MEMBER', idpGroups: ['everybody'] },
    ])
    expect(given.status, given.text).toBe(200)
    expect((await patch('edited', EDITOR, { onUnmatched: 'ORG_MEMBER' })).status).toBe(200)
    expect((await patch('edited', EDITOR, { onUnmatched: null })).status).toBe(200)
    expect((await patch('edited', EDITOR, change('ORG_OWNER', { idpGroups: ['chiefs'] }))).status).toBe(200)
    expect(
      (await patch('edited', EDITOR, (all) => all.filter(({ roleName }) => roleName !== 'ORG_READ_ONLY')))
        .status,
    ).toBe(200)
  })

  it('an owner gives every role of the organization and its projects', async () => {
    const chief = { subject: 'carl', groups: ['chiefs'] }
    for (const roleName of ['ORG_OWNER', 'ORG_BILLING_ADMIN', 'ORG_MEMBER']) {
      const given = await patch('edited', chief, (all) => [
        ...all,
        { roleName, idpGroups: [`new-${roleName}`] },
      ])
      expect(given.status, given.text).toBe(200)
    }
    const project = await api.ask('PATCH', '/organizations/edited/projects/new', {
      as: chief,
      ifMatch: 1,
      body: { idpGroupMappings: [{ roleName: 'GROUP_DATA_ACCESS_ADMIN', idpGroups: ['analysts'] }] },
    })
    expect(project.status, project.text).toBe(200)
  })
})

describe('[4-31] nobody gives themselves a role they lack', () => {
  const owner: Person = { subject: 'olga', groups: ['owners', 'team:acme'] }
  const self = async (method: string, path: string, body: object, ifMatch?: number) => {
    const refused = await api.ask(method, path, {
      as: owner,
      body,
      ...(ifMatch === undefined ? {} : { ifMatch }),
    })
    expect(reasonOf(refused), refused.text).toBe('403 grant_to_self')
    expect(refused.json.detail).toMatch(/somebody else must do that/)
  }

  it('by a group of theirs', () =>
    self(
      'PATCH',
      '/organizations/acme',
      { idpGroupMappings: [{ roleName: 'ORG_OWNER', idpGroups: ['owners'] }] },
      0,
    ))
  it('by a group in another case', () =>
    self(
      'PATCH',
      '/organizations/acme',
      { idpGroupMappings: [{ roleName: 'ORG_OWNER', idpGroups: ['OWNERS'], ignoreCase: true }] },
      0,
    ))
  it('by a pattern', () =>
    self(
      'PATCH',
      '/organizations/acme',
      { patternMappings: [{ roleName: 'ORG_OWNER', groupPatterns: ['own*'] }] },
      0,
    ))
  it('by a pattern of the organization for its projects', () =>
    self(
      'PATCH',
      '/organizations/acme',
      { patternMappings: [{ roleName: 'GROUP_OWNER', groupPatterns: ['team:{project}'] }] },
      0,
    ))
  it('by a pattern of the instance', async () => {
    const { version } = await api.make('GET', '/instance')
    await self(
      'PATCH',
      '/instance',
      { patternMappings: [{ roleName: 'ORG_OWNER', groupPatterns: ['team:{org}'] }] },
      version,
    )
  })
  it('by a mapping that begins later', () =>
    self('POST', '/organizations/acme/projects', {
      slug: 'later',
      idpGroupMappings: [
        {
          roleName: 'GROUP_DATA_ACCESS_READ_ONLY',
          idpGroups: ['owners'],
          notBefore: new Date(Date.now() + 24 * 3_600_000).toISOString(),
        },
      ],
    }))
  it('in an organization or a project they make', async () => {
    await self('POST', '/organizations', {
      slug: 'mine',
      idpGroupMappings: [{ roleName: 'ORG_OWNER', idpGroups: ['owners'] }],
    })
    await self('POST', '/organizations/acme/projects', {
      slug: 'mine',
      idpGroupMappings: [{ roleName: 'GROUP_DATA_ACCESS_READ_ONLY', idpGroups: ['team:acme'] }],
    })
  })
  it('a role they hold anyway, they may map', async () => {
    const mapped = await api.ask('POST', '/organizations/acme/projects', {
      as: ACME_OWNER,
      body: { slug: 'ours', idpGroupMappings: [{ roleName: 'GROUP_OWNER', idpGroups: ['acme-owners'] }] },
    })
    expect(mapped.status, mapped.text).toBe(201)
  })
})

describe('what has to be said explicitly', () => {
  it('that the last owner goes, and that the caller loses its rights', async () => {
    await api.make('POST', '/organizations', {
      body: { slug: 'owned', idpGroupMappings: [{ roleName: 'ORG_OWNER', idpGroups: ['owned-owners'] }] },
    })
    const own: Person = { subject: 'oscar', groups: ['owned-owners'] }
    const none = { idpGroupMappings: [] }
    const byOwner = await patch('owned', own, none)
    expect(reasonOf(byOwner)).toBe('409 confirmation_needed')
    expect(byOwner.json.toConfirm).toEqual(['last-owner', 'own-access'])
    const half = await patch('owned', own, none, { confirm: 'last-owner' })
    expect(half.json.toConfirm).toEqual(['own-access'])
    const shown = await patch('owned', OWNER, none, { dryRun: 'true' })
    expect(shown.json.toConfirm).toEqual(['last-owner'])
    // One owner for another is no loss, nor is an owner by name.
    const other = { idpGroupMappings: [{ roleName: 'ORG_OWNER', idpGroups: ['others'] }] }
    expect(reasonOf(await patch('owned', OWNER, other))).toBe('200')
    const expired = {
      idpGroupMappings: [{ roleName: 'ORG_OWNER', idpGroups: ['others'], notAfter: '2000-01-01T00:00:00Z' }],
    }
    expect((await patch('owned', OWNER, expired)).json.toConfirm).toEqual(['last-owner'])
    expect(reasonOf(await patch('owned', OWNER, none, { confirm: 'last-owner' }))).toBe('200')
  })

  it('not where somebody is owner by name', async () => {
    await api.make('POST', '/organizations', {
      body: { slug: 'named', idpGroupMappings: [{ roleName: 'ORG_OWNER', idpGroups: ['named-owners'] }] },
    })
    await api.make('POST', '/users', {
      body: {
        displayName: 'Named owner',
        identities: [{ issuer: 'people', subject: 'nina' }],
        given: { organizations: { named: { roles: ['ORG_OWNER'] } } },
      },
    })
    expect(reasonOf(await patch('named', OWNER, { idpGroupMappings: [] }))).toBe('200')
  })

  it('not where the instance does not ask for it', async () => {
    await api.make('POST', '/organizations', {
      body: {
        slug: 'loose',
        idpGroupMappings: [
          { roleName: 'ORG_OWNER', idpGroups: ['loose-owners'] },
          { roleName: 'ORG_OWNER', idpGroups: ['spare'], issuers: ['people'] },
        ],
      },
    })
    const own: Person = { subject: 'lou', groups: ['loose-owners'] }
    const spare = { idpGroupMappings: [{ roleName: 'ORG_OWNER', idpGroups: ['spare'] }] }
    expect((await patch('loose', own, spare)).json.toConfirm).toEqual(['own-access'])
    expect(reasonOf(await patch('loose', own, spare, { confirm: 'own-access' }))).toBe('200')
  })
})
