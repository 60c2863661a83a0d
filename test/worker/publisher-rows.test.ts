// The rows that tell what the policy's source names, as a new source leaves them: what comes, what goes, and what the
// database holds beside it.
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { PublishedOrganization } from '../../worker/documents/published.ts'
import { mapping, type PublisherSetting, startPublisher } from '../support/publisher.ts'
import { type PolicySource, usualPolicy } from '../support/setting.ts'

let setting: PublisherSetting
beforeAll(async () => {
  setting = await startPublisher()
  await setting.catchUp()
})
afterAll(() => setting.close())

type Changed = PolicySource & { organizations: Record<string, unknown> }

/** Deploys the usual policy with a change. */
const deploy = async (change: (policy: Changed) => void = () => {}) => {
  const policy = usualPolicy(setting.issuer.url, setting.upstream.origin) as Changed
  change(policy)
  await setting.stack.restart({ policy: JSON.stringify(policy) })
  expect(await setting.catchUp()).toMatchObject({ state: 'published', lastError: null })
}
const slugs = async (table: string, where = 'deleted_at IS NULL') => {
  const rows = await setting.query<{ slug: string }>(`SELECT slug FROM ${table} WHERE ${where} ORDER BY slug`)
  return rows.map(({ slug }) => slug)
}
const published = async (slug: string) => {
  return (await setting.published<PublishedOrganization>(`organization:${slug}`))?.content?.header ?? null
}
const row = (document: string, index: number, organization: string): [string, ...unknown[]] => [
  `INSERT INTO group_mappings (document, mapping, group_name, group_key, kind, role_name, organization, project)
   VALUES (?, ?, 'g', 'g', 'name', 'ORG_MEMBER', ?, '')`,
  document,
  `idpGroupMappings[${index}]`,
  organization,
]
const mappingOf = async (document: string) => {
  const rows = await setting.query<{ mapping: string }>(
    'SELECT mapping FROM group_mappings WHERE document = ?',
    document,
  )
  return rows.map(({ mapping: name }) => name)
}

describe('rows of the policy', { timeout: 60_000 }, () => {
  it('move the places of what the database has beside them', async () => {
    const content = {
      idpGroupMappings: [mapping('ORG_MEMBER', 'g'), mapping('ORG_READ_ONLY', 'g')],
      patternMappings: [],
    }
    await setting.edit('organization/acme', content, [
      row('organization/acme', 1, 'acme'),
      row('organization/acme', 2, 'acme'),
    ])
    await deploy((policy) => {
      policy.organizations.acme.idpGroupMappings.push({ roleName: 'ORG_MEMBER', idpGroups: ['a', 'b'] })
    })
    expect(await mappingOf('organization/acme')).toEqual(['idpGroupMappings[2]', 'idpGroupMappings[3]'])
    await deploy((policy) => {
      policy.organizations.acme.idpGroupMappings = []
    })
    expect(await mappingOf('organization/acme')).toEqual(['idpGroupMappings[0]', 'idpGroupMappings[1]'])
    await deploy()
    expect(await mappingOf('organization/acme')).toEqual(['idpGroupMappings[1]', 'idpGroupMappings[2]'])
  })

  it('end with what the source names no more, but for what has a document of its own', async () => {
    await deploy((policy) => {
      policy.organizations = {} as never
    })
    expect(await slugs('organizations')).toEqual(['acme'])
    expect(await slugs('organizations', 'deleted_at IS NOT NULL AND in_policy = 0')).toEqual(['globex'])
    expect(await slugs('projects')).toEqual([])
    expect(await published('globex')).toBeNull()
    expect(await published('acme')).toMatchObject({ projects: [], displayName: 'acme' })
  })

  it('take along what such an organization held, and bring it back with it', async () => {
    await deploy()
    expect(await slugs('organizations')).toEqual(['acme', 'globex'])
    await setting.edit(
      'project/globex/extra',
      { displayName: 'Extra', idpGroupMappings: [], patternMappings: [] },
      [
        [
          `INSERT INTO projects (organization, slug, public_id, display_name, in_policy, version, created_at, updated_at)
         VALUES ('globex', 'extra', 'x', 'Extra', 0, 1, 0, 0)`,
        ],
      ],
    )
    await setting.catchUp()
    expect((await published('globex'))?.projects.map(([slug]) => slug)).toEqual(['extra', 'web'])
    await deploy((policy) => {
      policy.organizations = { acme: policy.organizations.acme } as never
    })
    expect(await slugs('projects', "deleted_at IS NULL AND organization = 'globex'")).toEqual([])
    expect(await published('globex')).toBeNull()
    await deploy()
    expect(await slugs('projects', "deleted_at IS NULL AND organization = 'globex'")).toEqual([
      'extra',
      'web',
    ])
    expect((await published('globex'))?.projects.map(([slug]) => slug)).toEqual(['extra', 'web'])
  })

  it('win a name from the database, and give it back', async () => {
    await setting.edit('organization/acme', {
      displayName: 'Of the database',
      idpGroupMappings: [],
      patternMappings: [],
    })
    await deploy((policy) => {
      Object.assign(policy.organizations.acme, { displayName: 'Of the policy' })
    })
    const name = async () =>
      (await setting.query('SELECT display_name FROM organizations WHERE slug = ?', 'acme'))[0]
    expect(await name()).toEqual({ display_name: 'Of the policy' })
    const found = (word: string) => {
      const sql =
        'SELECT id FROM search JOIN search_entries ON search_entries.rowid = search.rowid WHERE search MATCH ?'
      return setting.query(sql, word)
    }
    expect(await found('policy')).toEqual([{ id: 'acme' }])
    await deploy()
    expect(await name()).toEqual({ display_name: 'Of the database' })
    expect((await published('acme'))?.displayName).toBe('Of the database')
    expect([await found('policy'), await found('database')]).toEqual([[], [{ id: 'acme' }]])
  })

  it('know the issuers and their names, and those of the database again once the source lets go', async () => {
    const iss = 'https://shared.idp.test/{tenantid}'
    const tenants = ['00000000-0000-0000-0000-000000000001', '00000000-0000-0000-0000-000000000002']
    const names = async () => {
      const rows = await setting.query<{ name: string; issuer: string }>(
        "SELECT name, issuer FROM issuer_names WHERE organization = 'acme' ORDER BY name",
      )
      return rows.map(({ name, issuer }) => `${issuer} ${name}`)
    }
    await setting.edit('issuer/acme/mine', { settings: { issuer: iss, tenants } }, [
      [
        `INSERT INTO issuers (id, organization, issuer, in_policy, version, created_at, updated_at)
         VALUES ('acme/mine', 'acme', ?, 0, 1, 0, 0)`,
        iss,
      ],
    ])
    const all = tenants.map((tenant) => `https://shared.idp.test/${tenant}`)
    await deploy((policy) => {
      policy.organizations.acme.issuers = { theirs: { issuer: all[0] } }
    })
    expect(await names()).toContain(`acme/theirs ${all[0]}`)
    // Of two under one name the source's counts, and the other is left out whole.
    expect((await published('acme'))?.issuers.map(({ id }) => id)).toEqual(['acme/theirs'])
    await deploy()
    expect((await published('acme'))?.issuers.map(({ id }) => id)).toEqual(['acme/mine'])
    expect(await names()).toContain(`acme/mine ${all[1]}`)
    expect((await names()).some((name) => name.startsWith('acme/theirs'))).toBe(false)
  })
})

describe('a policy larger than a row of D1', () => {
  it('is adopted by its hash, and read from the bundle', async () => {
    // As few and as long as they may be.
    const groups = Array.from({ length: 2400 }, (_, index) => `${'long '.repeat(90)}${index}`)
    await deploy((policy) => {
      policy.organizations.acme.idpGroupMappings = [0, 1, 2].map((part) => {
        return { roleName: 'ORG_READ_ONLY', idpGroups: groups.slice(part * 800, (part + 1) * 800) }
      })
    }).catch(() => undefined)
    await setting.until(async () => (await setting.call<{ pending: number }>('status')).pending === 0, 100)
    const [policy] = await setting.query<{ content: string }>(
      "SELECT content FROM versions WHERE document = 'policy' ORDER BY version DESC LIMIT 1",
    )
    expect(JSON.parse((policy as { content: string }).content)).toEqual({
      source: null,
      bundled: expect.stringMatching(/^[0-9a-f]{64}$/),
    })
    const answer = await setting.get(setting.token({ groups: [groups.at(-1)] }), { path: '/orgs/acme' })
    expect(answer.status).toBe(200)
    expect(
      await setting.query("SELECT count(*) AS count FROM group_mappings WHERE document = 'policy'"),
    ).toEqual([{ count: groups.length + 3 }])
  }, 120_000)
})
