// The change feed as an isolate sees it: what is new, and whether nothing was missed.
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { mapping, type PublisherSetting, startPublisher } from '../support/publisher.ts'

let setting: PublisherSetting
beforeAll(async () => {
  setting = await startPublisher({ isolates: 2 })
  await setting.catchUp()
})
afterAll(() => setting.close())

const change = async (group: string) => {
  const seq = await setting.edit('organization/acme', {
    idpGroupMappings: [mapping('ORG_READ_ONLY', group)],
    patternMappings: [],
  })
  await setting.catchUp(seq)
  return seq
}

describe('the change feed', () => {
  it('has one row for each document, under a number that rises', async () => {
    const start = await setting.since(null)
    expect(start).toMatchObject({ complete: true, published: true, recheckSeconds: 15 })
    const keys = start.changes.map(({ key }) => key)
    expect(keys.sort()).toEqual(['organization:acme', 'organization:globex', 'policy'])
    await change('one')
    const version = await change('two')
    const { changes, seq } = await setting.since(start.seq)
    expect(changes).toEqual([{ seq, kind: 'document', key: 'organization:acme', version }])
    expect(seq).toBe(start.seq + 2)
    expect(await setting.since(seq)).toMatchObject({ seq, complete: true, changes: [] })
  })

  it('says so when it does not know what whoever asks has missed', async () => {
    const { seq } = await setting.since(null)
    expect(await setting.since(seq + 1)).toMatchObject({ complete: false })
    await change('three')
    await setting.stack.advance(2 * 60 * 60)
    await setting.catchUp()
    const later = await setting.since(seq)
    expect(later).toMatchObject({ complete: false, changes: [] })
    expect(await setting.since(later.seq)).toMatchObject({ complete: true })
    expect(await setting.since(null)).toMatchObject({ complete: true, changes: [] })
    await change('four')
    expect(await setting.since(later.seq)).toMatchObject({
      complete: true,
      changes: [{ key: 'organization:acme' }],
    })
  })

  it('tells how often it wants to be asked: as D1 says, or a variable', async () => {
    await setting.edit('settings', { recheckSeconds: 3 })
    await setting.catchUp()
    expect((await setting.since(null)).recheckSeconds).toBe(3)
    await setting.stack.restart({ variables: { RECHECK_SECONDS: '7' } })
    expect((await setting.since(null)).recheckSeconds).toBe(7)
    await setting.stack.restart({ variables: { RECHECK_SECONDS: 'soon' } })
    expect((await setting.since(null)).recheckSeconds).toBe(3)
  })

  it('knows of people what D1 has: deactivated, and given roles directly', async () => {
    const at = Date.now()
    const insert = (status: string): [string, ...unknown[]][] => [
      ['DELETE FROM users'],
      ['DELETE FROM identities'],
      ['DELETE FROM memberships'],
      [
        `INSERT INTO users (id, status, display_name, version, created_at, updated_at) VALUES ('u1', ?, 'U', 1, ?, ?)`,
        status,
        at,
        at,
      ],
      [
        `INSERT INTO identities (issuer, subject, holder, linked_at) VALUES ('main', 'somebody', 'user/u1', ?)`,
        at,
      ],
      [
        `INSERT INTO memberships (holder, organization, project, role_name) VALUES ('user/u1', 'acme', '', 'ORG_READ_ONLY')`,
      ],
    ]
    const ask = async () => {
      await setting.stack.advance(61)
      const answer = await setting.get(setting.token({ sub: 'somebody', groups: [] }), { path: '/orgs/acme' })
      return answer.status === 200 ? 200 : (JSON.parse(answer.text) as { reason: string }).reason
    }
    expect(await ask()).not.toBe(200)
    await setting.edit('user/u1', {}, insert('active'))
    expect(await setting.catchUp()).toMatchObject({ state: 'published' })
    expect(await ask()).toBe(200)
    await setting.edit('user/u1', {}, insert('inactive'))
    await setting.catchUp()
    expect(await ask()).toBe('principal_inactive')
    await setting.edit('user/u1', null, [['UPDATE users SET deleted_at = 1'], ['DELETE FROM identities']])
    await setting.catchUp()
    expect(await ask()).not.toBe(200)
    expect(await ask()).not.toBe('principal_inactive')
  })
})
