// Known principals: whoever comes with a token is remembered with the groups last said, rarely and without anybody
// waiting for it.
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type PublisherSetting, startPublisher } from '../support/publisher.ts'

/** worker/principals/report-seen.ts, which only a Worker can load. */
const KNOWN_GROUPS_MAX = 1000

let setting: PublisherSetting
beforeAll(async () => {
  setting = await startPublisher({
    isolates: 2,
    policy: ({ issuers, organizations }, { issuer }) => {
      // What an organization's issuer has as `iss` the instance's may not have.
      delete issuers.main
      organizations.acme.issuers = { own: { issuer: issuer.url } }
      organizations.globex.issuers = { jobs: { issuer: issuer.url, groups: 'none', audiences: ['jobs'] } }
    },
  })
  await setting.catchUp()
})
afterAll(() => setting.close())

interface Known {
  issuer: string
  subject: string
  organization: string
  email: string | null
  display_name: string | null
  groups: string
  first_seen_at: number
  last_seen_at: number
}
const known = async (subject: string) => {
  return (await setting.query<Known>('SELECT * FROM known_principals WHERE subject = ?', subject))[0]
}
const groupsOf = async (subject: string) => {
  const rows = await setting.query<{ group_name: string }>(
    'SELECT group_name FROM known_groups JOIN known_principals ON id = principal WHERE subject = ? ORDER BY group_name',
    subject,
  )
  return rows.map(({ group_name }) => group_name)
}
const come = (claims: object, isolate = 0) => {
  return setting.get(setting.token({ aud: 'acme', ...claims }), { path: '/orgs/acme', isolate })
}
const untilKnown = (subject: string, holds: (row: Known) => boolean = () => true) => {
  return setting.until(async () => {
    const row = await known(subject)
    return row !== undefined && holds(row)
  })
}

describe('somebody with a token', () => {
  it('is known soon, admitted or not, with groups, voucher and name', async () => {
    await come({
      sub: 'ada',
      groups: ['Readers', 'readers', 'others'],
      email: 'ada@example.test',
      given_name: 'Ada',
      family_name: 'Lovelace',
    })
    await untilKnown('ada')
    expect(await known('ada')).toMatchObject({
      issuer: 'acme/own',
      organization: 'acme',
      email: 'ada@example.test',
      display_name: 'Ada Lovelace',
      groups: JSON.stringify({ outcome: 'listed', names: ['Readers', 'readers', 'others'] }),
    })
    expect(await groupsOf('ada')).toEqual(['Readers', 'others', 'readers'])
  })

  it('is written again when the groups are others, and else hourly only', async () => {
    const before = await known('ada')
    await setting.stack.advance(120)
    await come({ sub: 'ada', groups: ['fewer'] }, 1)
    await untilKnown('ada', ({ groups }) => groups.includes('fewer'))
    expect(await groupsOf('ada')).toEqual(['fewer'])
    const changed = (await known('ada')) as Known
    expect(changed.first_seen_at).toBe(before?.first_seen_at)
    await setting.stack.advance(120)
    await come({ sub: 'ada', groups: ['fewer'] }, 0)
    await new Promise((resume) => setTimeout(resume, 3000))
    expect((await known('ada'))?.last_seen_at).toBe(changed.last_seen_at)
    await setting.stack.advance(60 * 60)
    await come({ sub: 'ada', groups: ['fewer'] }, 1)
    await untilKnown('ada', ({ last_seen_at }) => last_seen_at > changed.last_seen_at)
  })

  it('keeps the groups seen last when a token says nothing of groups', async () => {
    const before = (await known('ada')) as Known
    await setting.stack.advance(60 * 60)
    await come({ sub: 'ada', groups: undefined })
    await untilKnown('ada', ({ last_seen_at }) => last_seen_at > before.last_seen_at)
    await come({ sub: 'ada', groups: undefined, hasgroups: true }, 1)
    await new Promise((resume) => setTimeout(resume, 3000))
    expect((await known('ada'))?.groups).toBe(before.groups)
    expect(await groupsOf('ada')).toEqual(['fewer'])
  })

  it(`is known with ${KNOWN_GROUPS_MAX} groups at most`, async () => {
    // A token may not be longer, so what is said stands once in a name each.
    const groups = Array.from({ length: KNOWN_GROUPS_MAX + 50 }, (_, index) => `${index}`)
    await come({ sub: 'many', groups })
    await untilKnown('many')
    expect(await groupsOf('many')).toHaveLength(KNOWN_GROUPS_MAX)
  })

  it('is not forgotten while D1 is away', async () => {
    await setting.faults('d1=fails')
    await come({ sub: 'patient', groups: ['g'] })
    await new Promise((resume) => setTimeout(resume, 3000))
    await setting.faults('d1=works')
    await untilKnown('patient')
  })
})

describe('a job of a workload issuer', () => {
  it('is nobody to know, but its service account was used', async () => {
    const at = Date.now()
    await setting.edit('service-account/sa1', {}, [
      [
        `INSERT INTO service_accounts (id, organization, project, name, method, status, version, created_at, updated_at)
         VALUES ('sa1', 'globex', 'web', 'deploy', 'federated', 'active', 1, ?, ?)`,
        at,
        at,
      ],
      [
        `INSERT INTO identities (issuer, subject, holder, linked_at)
         VALUES ('globex/jobs', 'repo:main', 'service-account/sa1', ?)`,
        at,
      ],
      [
        `INSERT INTO memberships (holder, organization, project, role_name)
         VALUES ('service-account/sa1', 'globex', 'web', 'GROUP_READ_ONLY')`,
      ],
    ])
    await setting.catchUp()
    await setting.stack.advance(61)
    const run = (sub: string) => {
      return setting.get(setting.token({ aud: 'jobs', sub, groups: undefined }), {
        path: '/orgs/globex/projects/web/x',
      })
    }
    expect((await run('repo:other')).status).toBe(403)
    expect((await run('repo:main')).status).toBe(200)
    const account = async () => {
      const rows = await setting.query<{ last_used_at: number | null; last_subject: string | null }>(
        'SELECT last_used_at, last_subject FROM service_accounts',
      )
      return rows[0]
    }
    await setting.until(async () => (await account())?.last_used_at !== null)
    expect((await account())?.last_subject).toBe('repo:main')
    expect(await known('repo:main')).toBeUndefined()
    expect(await known('repo:other')).toBeUndefined()
  })
})

describe('people not seen for long', () => {
  it('are forgotten after the days that the settings say, with their groups', async () => {
    await setting.edit('settings', { knownPrincipalDays: 2 })
    await setting.catchUp()
    await setting.stack.advance(3 * 24 * 60 * 60)
    await come({ sub: 'recent', groups: ['g'] })
    await untilKnown('recent')
    await setting.catchUp()
    expect(await known('ada')).toBeUndefined()
    expect(await known('recent')).toBeDefined()
    const left = await setting.query(
      'SELECT * FROM known_groups WHERE principal NOT IN (SELECT id FROM known_principals)',
    )
    expect(left).toEqual([])
  })

  it('and those of 100,000 who were seen longest ago', async () => {
    await setting.query(
      `WITH RECURSIVE number(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM number WHERE n < 100100)
       INSERT INTO known_principals (id, issuer, subject, organization, groups, first_seen_at, last_seen_at)
       SELECT 'id' || n, 'main', 'subject' || n, '', '{}', 0, ? + n FROM number`,
      (await known('recent'))?.last_seen_at,
    )
    await setting.stack.advance(60 * 60)
    await setting.catchUp()
    const [count] = await setting.query<{ count: number }>('SELECT count(*) AS count FROM known_principals')
    expect(count).toEqual({ count: 100_000 })
    expect(await known('subject100')).toBeUndefined()
    expect(await known('subject100100')).toBeDefined()
  })
})
