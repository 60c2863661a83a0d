// What is removed when it has had its time, and what an instance without tables does.
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { mapping, type PublisherSetting, startPublisher } from '../support/publisher.ts'

const HOUR_SECONDS = 60 * 60

let setting: PublisherSetting
beforeAll(async () => {
  setting = await startPublisher()
  await setting.catchUp()
})
afterAll(() => setting.close())

const initech = { idpGroupMappings: [mapping('ORG_MEMBER', 'all')], patternMappings: [] }

describe('an hour on', () => {
  it('answers kept for repeated creates are gone after a day', async () => {
    const now = Date.now()
    for (const [key, hours] of [
      ['old', 25],
      ['young', 23],
    ] as const) {
      await setting.query(
        "INSERT INTO idempotency_keys (key, request_hash, status, headers, body, at) VALUES (?, '', 201, '', '', ?)",
        key,
        now + HOUR_SECONDS * 1000 - hours * HOUR_SECONDS * 1000,
      )
    }
    await setting.stack.advance(HOUR_SECONDS + 1)
    await setting.catchUp()
    expect(await setting.query('SELECT key FROM idempotency_keys')).toEqual([{ key: 'young' }])
  })

  it('a deleted organization is forgotten after a day, and comes back under a version that rises', async () => {
    await setting.edit('organization/initech', initech)
    await setting.edit('organization/initech', null)
    await setting.edit('organization/initech', initech)
    await setting.catchUp()
    const gone = await setting.edit('organization/initech', null)
    await setting.catchUp()
    await setting.stack.advance(23 * HOUR_SECONDS)
    await setting.catchUp()
    expect(await setting.published('organization:initech')).toEqual({
      format: 1,
      version: gone,
      content: null,
    })
    await setting.stack.advance(2 * HOUR_SECONDS)
    await setting.catchUp()
    expect(await setting.published('organization:initech')).toBeNull()
    expect(await setting.call('document', ['organization:initech'])).toBeNull()
    const seq = await setting.edit('organization/initech', initech)
    await setting.catchUp()
    expect((await setting.published('organization:initech'))?.version).toBe(seq)
  })
})

describe('without the tables of D1', () => {
  it('the feed goes on, and the publication says what is wrong', async () => {
    await setting.query('ALTER TABLE versions RENAME TO versions_away')
    expect(await setting.catchUp()).toMatchObject({
      state: 'pending',
      lastError: expect.stringContaining('no such table: versions'),
    })
    expect(await setting.since(null)).toMatchObject({ published: true })
    expect((await setting.get(setting.token())).status).toBe(200)
    await setting.query('ALTER TABLE versions_away RENAME TO versions')
    expect(await setting.catchUp()).toMatchObject({ state: 'published', lastError: null })
  })
})
