// An organization as large as one may be: published in slices, and edited bucket by bucket.
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { bucketOf } from '../../policy/compiled.ts'
import { MAPPINGS_MAX } from '../../policy/limits.ts'
import {
  BUCKET_HASH_LENGTH,
  bucketDocument,
  type PublishedOrganization,
} from '../../worker/documents/published.ts'
import { mapping, type PublisherSetting, startPublisher } from '../support/publisher.ts'

const GROUPS_OF_MAPPING = 1000
/** The others are the source's. */
const GROUPS = MAPPINGS_MAX - 2
const PUBLISHED_SECONDS_MAX = 200

let setting: PublisherSetting
beforeAll(async () => {
  setting = await startPublisher()
  await setting.catchUp()
})
afterAll(() => setting.close())

const groupName = (index: number) => `g${index}`
const large = (change: (name: string) => string = (name) => name) => {
  const names = Array.from({ length: GROUPS }, (_, index) => change(groupName(index)))
  const parts = Array.from({ length: Math.ceil(GROUPS / GROUPS_OF_MAPPING) }, (_, part) => {
    return names.slice(part * GROUPS_OF_MAPPING, (part + 1) * GROUPS_OF_MAPPING)
  })
  return { idpGroupMappings: parts.map((part) => mapping('ORG_READ_ONLY', ...part)), patternMappings: [] }
}
const header = async () =>
  (await setting.published<PublishedOrganization>('organization:acme'))?.content as PublishedOrganization
const hashesOf = ({ header: { buckets }, bucketHashes }: PublishedOrganization) => {
  return Array.from({ length: buckets }, (_, bucket) => {
    return bucketHashes.slice(bucket * BUCKET_HASH_LENGTH, (bucket + 1) * BUCKET_HASH_LENGTH)
  })
}

describe(`${MAPPINGS_MAX} mappings of one organization`, () => {
  it('are published in slices, the header last', async () => {
    const seq = await setting.edit('organization/acme', large())
    expect(await setting.catchUp(seq)).toMatchObject({ state: 'pending', lastError: null })
    const before = await header()
    await setting.until(async () => {
      return (await setting.call<{ pending: number }>('status')).pending === 0
    }, PUBLISHED_SECONDS_MAX)
    const published = await header()
    expect(before.header.buckets).toBe(1)
    expect(published.header.buckets).toBeGreaterThan(1000)
    const last = published.header.buckets - 1
    const bucket = bucketDocument('acme', last, hashesOf(published)[last] as string)
    expect(await setting.published(bucket)).not.toBeNull()
    expect((await setting.catchUp(seq)).state).toBe('published')
    await setting.stack.advance(61)
    const ask = (group: string) => setting.get(setting.token({ groups: [group] }), { path: '/orgs/acme' })
    expect((await ask(groupName(77_777))).status).toBe(200)
    expect((await ask(groupName(MAPPINGS_MAX))).status).toBe(403)
  }, 240_000)

  it('are written again only where an edit touches them', async () => {
    const before = await header()
    await setting.faults('')
    const renamed = (name: string) => (name === groupName(40) ? 'renamed' : name)
    const seq = await setting.edit('organization/acme', large(renamed))
    expect((await setting.catchUp(seq)).state).toBe('published')
    const after = await header()
    const touched = [groupName(40), 'renamed'].map((name) => bucketOf(name, after.header.buckets))
    const [old, now] = [hashesOf(before), hashesOf(after)]
    expect(now.flatMap((hash, bucket) => (hash === old[bucket] ? [] : [bucket])).sort()).toEqual(
      [...new Set(touched)].sort(),
    )
    const puts = await setting.faults('')
    expect(puts.filter((key) => key.includes('bucket:'))).toHaveLength(new Set(touched).size)
    expect(puts).toHaveLength(new Set(touched).size + 1)
  }, 60_000)

  it('leave their old buckets for an hour after no header names them', async () => {
    const before = await header()
    const seq = await setting.edit('organization/acme', large())
    await setting.catchUp(seq)
    const after = await header()
    const [old, now] = [hashesOf(before), hashesOf(after)]
    const bucket = old.findIndex((hash, index) => hash !== now[index])
    const left = bucketDocument('acme', bucket, old[bucket] as string)
    await setting.stack.advance(55 * 60)
    await setting.catchUp()
    expect(await setting.published(left)).not.toBeNull()
    await setting.stack.advance(65 * 60)
    await setting.catchUp()
    expect(await setting.published(left)).toBeNull()
    expect(await setting.published(bucketDocument('acme', bucket, now[bucket] as string))).not.toBeNull()
  }, 60_000)
})
