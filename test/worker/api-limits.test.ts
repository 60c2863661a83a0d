// How much one organization may hold, and how large a document may be: refused on saving, with the numbers.
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { MAPPINGS_MAX, PATTERNS_MAX, PROJECTS_MAX } from '../../policy/limits.ts'
import { type Api, type Json, startApi } from '../support/api.ts'

let api: Api
beforeAll(async () => {
  api = await startApi()
  await api.make('POST', '/organizations', { body: { slug: 'full' } })
  await api.make('POST', '/organizations/full/projects', { body: { slug: 'one' } })
})
afterAll(() => api.close())

const reasonOf = ({ status, json }: Json) => `${status} ${json.reason}`

async function fill(sql: string): Promise<void> {
  const database = await api.stack.database()
  await database.exec(sql)
}
const numbers = (until: number) =>
  `WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ${until})`

const path = '/organizations/full/projects/one'
const GROUPS = (count: number, prefix = 'g') =>
  Array.from({ length: count }, (_, index) => `${prefix}${index}`)

describe('an organization holds', () => {
  it('so many mappings of groups, over all of its projects', async () => {
    await fill(
      `${numbers(MAPPINGS_MAX - 5)} INSERT INTO group_mappings (document, mapping, group_name, group_key, kind, role_name, organization, project) SELECT 'project/full/other', 'idpGroupMappings[0]', 'x' || i, 'x' || i, 'name', 'GROUP_READ_ONLY', 'full', 'other' FROM n`,
    )
    const map = (count: number, ifMatch: number) => {
      const idpGroupMappings = [{ roleName: 'GROUP_READ_ONLY', idpGroups: GROUPS(count) }]
      return api.ask('PATCH', path, { ifMatch, body: { idpGroupMappings } })
    }
    const refused = await map(6, 1)
    expect(reasonOf(refused)).toBe('409 limit_reached')
    expect(refused.json).toMatchObject({ limit: MAPPINGS_MAX, count: MAPPINGS_MAX + 1 })
    expect((await map(5, 1)).status).toBe(200)
    // Less is always possible.
    await fill(
      "INSERT INTO group_mappings (document, mapping, group_name, group_key, kind, role_name, organization, project) VALUES ('project/full/other', 'idpGroupMappings[0]', 'y', 'y', 'name', 'GROUP_READ_ONLY', 'full', 'other')",
    )
    expect((await map(4, 2)).status).toBe(200)
  })

  it('so many patterns', async () => {
    const patterns = (count: number) => {
      const texts = GROUPS(count, 'p').map((text) => `${text}-*`)
      return Array.from({ length: Math.ceil(count / 100) }, (_, part) => ({
        roleName: 'GROUP_READ_ONLY',
        groupPatterns: texts.slice(part * 100, (part + 1) * 100),
      }))
    }
    const refused = await api.ask('PATCH', path, {
      ifMatch: 3,
      body: { patternMappings: patterns(PATTERNS_MAX + 1) },
    })
    expect(reasonOf(refused)).toBe('409 limit_reached')
    expect(refused.json).toMatchObject({ limit: PATTERNS_MAX, count: PATTERNS_MAX + 1 })
    const most = await api.ask('PATCH', path, {
      ifMatch: 3,
      body: { patternMappings: patterns(PATTERNS_MAX) },
    })
    expect(most.status, most.text.slice(0, 300)).toBe(200)
  })

  it('so many projects', async () => {
    await fill(
      `${numbers(PROJECTS_MAX - 2)} INSERT INTO projects (organization, slug, public_id, display_name, in_policy, version, created_at, updated_at) SELECT 'full', 'p' || i, 'p' || i, 'p', 0, 0, 0, 0 FROM n`,
    )
    const make = (slug: string) => {
      return api.ask('POST', '/organizations/full/projects', {
        body: { slug },
        headers: { prefer: 'respond-async' },
      })
    }
    const answers = await Promise.all(['a', 'b', 'c'].map(make))
    // Whoever read it before the first one was saved is told to repeat it.
    expect(answers.map(({ status }) => (status === 412 ? 409 : status)).sort()).toEqual([201, 409, 409])
    const refused = await make('d')
    expect(reasonOf(refused)).toBe('409 limit_reached')
    expect(refused.json).toMatchObject({ limit: PROJECTS_MAX, count: PROJECTS_MAX + 1 })
  })
})

it('a document is not larger than a row of the database', async () => {
  const long = GROUPS(1000).map((group) => `${group}-${'그'.repeat(320)}`)
  const idpGroupMappings = [{ roleName: 'ORG_MEMBER', idpGroups: long }]
  await api.make('POST', '/organizations', { body: { slug: 'large', idpGroupMappings } })
  const refused = await api.ask('PATCH', '/organizations/large', {
    ifMatch: 1,
    body: { idpGroupMappings: [...idpGroupMappings, { roleName: 'ORG_READ_ONLY', idpGroups: long }] },
  })
  expect(reasonOf(refused)).toBe('413 body_too_large')
  const inPieces = (await api.make('GET', '/organizations/large')) as { idpGroupMappings: object[] }
  expect(inPieces.idpGroupMappings).toHaveLength(1)
})
