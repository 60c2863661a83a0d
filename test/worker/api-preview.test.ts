// What an edit would do, before it is made: what differs, who of the people seen gains and loses what, what is
// doubtful; told of those who carry a group that the edit touches, page by page.
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { foldCase } from '../../policy/fold-case.ts'
import { principalId } from '../../worker/documents/published.ts'
import { ACME_OWNER, type Api, type Json, OWNER, startApi } from '../support/api.ts'

let api: Api
beforeAll(async () => {
  api = await startApi()
  await seen('ann', ['payments-readers', 'Analysts'])
  await seen('bob', ['payments-readers'])
  await seen('cem', ['team:web:admin'])
  await seen('dana', ['unrelated'])
  await seen('eve', ['payments-readers'], 'globex')
})
afterAll(() => api.close())

/** Somebody whose groups are known. `organization` vouches, unless the instance does. */
async function seen(subject: string, groups: string[], organization = ''): Promise<void> {
  const database = await api.stack.database()
  const issuer = organization === '' ? 'people' : `${organization}/own`
  const id = await principalId(issuer, subject)
  await database.batch([
    database
      .prepare(
        `INSERT INTO known_principals (id, issuer, subject, organization, user_name, email, display_name, groups,
          first_seen_at, last_seen_at) VALUES (?1, ?2, ?3, ?4, NULL, ?5, ?6, ?7, ?8, ?8)`,
      )
      .bind(
        id,
        issuer,
        subject,
        organization,
        `${subject}@example.com`,
        `Name of ${subject}`,
        JSON.stringify({ outcome: 'listed', names: groups }),
        Date.now(),
      ),
    ...groups.map((group) => {
      return database
        .prepare('INSERT INTO known_groups (group_key, group_name, principal) VALUES (?, ?, ?)')
        .bind(foldCase(group), group, id)
    }),
  ])
}

const dryRun = (method: string, path: string, asked: object = {}) => {
  return api.make(method, path, { query: { dryRun: 'true' }, ...asked })
}
const who = (preview: Json['json']) =>
  preview.principals.items.map(({ subject }: { subject: string }) => subject).sort()

describe('a preview', () => {
  it('tells who gains and loses what, level by level', async () => {
    const preview = await dryRun('PATCH', '/organizations/acme/projects/payments', {
      as: ACME_OWNER,
      ifMatch: 0,
      body: { idpGroupMappings: [{ roleName: 'GROUP_AUTOMATION_ADMIN', idpGroups: ['payments-readers'] }] },
    })
    expect(preview.changes).toEqual([
      {
        part: 'mapping',
        change: 'added',
        path: 'organizations.acme.projects.payments.idpGroupMappings[2]',
        name: 'GROUP_AUTOMATION_ADMIN',
        fields: [],
        before: null,
        after: { roleName: 'GROUP_AUTOMATION_ADMIN', idpGroups: ['payments-readers'] },
      },
    ])
    // Whoever another organization vouches for is none of this one's.
    expect(preview.principals.considered).toBe(2)
    expect(who(preview)).toEqual(['ann', 'bob'])
    const bob = preview.principals.items.find(({ subject }: { subject: string }) => subject === 'bob')
    expect(bob).toEqual({
      issuer: 'people',
      subject: 'bob',
      displayName: 'Name of bob',
      email: 'bob@example.com',
      levels: [
        {
          level: { kind: 'project', organization: 'acme', project: 'payments' },
          roles: { gained: ['GROUP_AUTOMATION_ADMIN'], lost: [] },
          permissions: { gained: ['project.automation.write'], lost: [] },
        },
      ],
    })
    expect(preview.toConfirm).toEqual([])
  })

  it("of an organization's own mapping reaches all of its projects", async () => {
    const preview = await dryRun('PATCH', '/organizations/acme', {
      ifMatch: 0,
      body: { idpGroupMappings: [{ roleName: 'ORG_READ_ONLY', idpGroups: ['analysts'], ignoreCase: true }] },
    })
    expect(who(preview)).toEqual(['ann'])
    const [ann] = preview.principals.items
    expect(ann.levels.map(({ level }: { level: { project?: string } }) => level.project ?? 'acme')).toEqual([
      'acme',
      'payments',
      'web',
    ])
    expect(ann.levels[0].permissions.gained).toEqual(['organization.read', 'project.read'])
    expect(ann.levels[1].permissions.gained).toEqual(['organization.read'])
  })

  it('finds by pattern whom it gives something, and what is doubtful', async () => {
    const preview = await dryRun('PATCH', '/organizations/acme', {
      ifMatch: 0,
      body: {
        patternMappings: [{ roleName: 'GROUP_OWNER', groupPatterns: ['team:{project}:admin'] }],
        idpGroupMappings: [{ roleName: 'ORG_MEMBER', idpGroups: ['late'], notAfter: '2001-01-01T00:00:00Z' }],
      },
    })
    expect(who(preview)).toEqual(['cem'])
    expect(preview.principals.items[0].levels).toMatchObject([
      { level: { project: 'web' }, roles: { gained: expect.arrayContaining(['GROUP_OWNER']) } },
    ])
    expect(preview.findings).toEqual([
      expect.objectContaining({
        code: 'mapping_expired',
        severity: 'warning',
        path: expect.stringMatching(/^organizations\.acme\.idpGroupMappings\[1\]/),
      }),
    ])
  })

  it('of the global level tells of every place that changes', async () => {
    const { version } = await api.make('GET', '/instance')
    const preview = await dryRun('PATCH', '/instance', {
      ifMatch: version,
      body: { idpGroupMappings: [{ roleName: 'GLOBAL_READ_ONLY', idpGroups: ['unrelated'] }] },
    })
    expect(preview.principals.considered).toBe(1)
    expect(preview.principals.items[0].levels[0]).toMatchObject({
      level: { kind: 'global' },
      roles: { gained: expect.arrayContaining(['GLOBAL_READ_ONLY', 'ORG_READ_ONLY']) },
    })
  })

  it('of a deletion tells who loses what', async () => {
    await api.make('POST', '/organizations', {
      body: { slug: 'shut', idpGroupMappings: [{ roleName: 'ORG_MEMBER', idpGroups: ['unrelated'] }] },
    })
    const preview = await dryRun('DELETE', '/organizations/shut')
    expect(who(preview)).toEqual(['dana'])
    expect(preview.principals.items[0].levels[0].roles.lost).toEqual(['ORG_MEMBER'])
  })

  it('goes through many, page by page, with the total', async () => {
    for (let index = 0; index < 230; index++) await seen(`many-${index}`, ['crowd'])
    const asked = {
      as: OWNER,
      ifMatch: 0,
      body: { idpGroupMappings: [{ roleName: 'GROUP_READ_ONLY', idpGroups: ['crowd'] }] },
    }
    const found = new Set<string>()
    let cursor: string | null = null
    let pages = 0
    do {
      const query: Record<string, string> = { dryRun: 'true', ...(cursor === null ? {} : { cursor }) }
      const preview: Json['json'] = await api.make('PATCH', '/organizations/acme/projects/web', {
        ...asked,
        query,
      })
      expect(preview.principals.considered).toBe(230)
      for (const subject of who(preview)) found.add(subject)
      cursor = preview.principals.next
      pages += 1
    } while (cursor !== null)
    expect(pages).toBe(3)
    expect(found.size).toBe(230)
  })
})
