// What becomes of an edit in D1: found, compiled, written to KV as far as it changed anything, announced.
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { PublishedOrganization } from '../../worker/documents/published.ts'
import { mapping, type PublisherSetting, startPublisher } from '../support/publisher.ts'

/** Past it an isolate asks the feed before it answers. */
const PAST_FRESHNESS_SECONDS = 61

let setting: PublisherSetting
beforeAll(async () => {
  setting = await startPublisher({ isolates: 3 })
  await setting.catchUp()
  await setting.stack.advance(20)
})
afterAll(() => setting.close())

const acme = (...groups: string[]) => ({
  idpGroupMappings: [mapping('ORG_READ_ONLY', ...groups)],
  patternMappings: [],
})
const header = async (slug: string) => setting.published<PublishedOrganization>(`organization:${slug}`)
const asks = (group: string, path = '/orgs/acme') => setting.get(setting.token({ groups: [group] }), { path })

describe('an edit', () => {
  it('that nobody told of is found by the comparison within a minute', async () => {
    expect((await asks('found')).status).toBe(403)
    const seq = await setting.edit('organization/acme', acme('found'))
    await setting.stack.advance(60)
    await setting.until(async () => {
      await setting.since(null)
      return ((await header('acme'))?.version ?? 0) >= seq
    })
    await setting.stack.advance(PAST_FRESHNESS_SECONDS)
    expect((await asks('found')).status).toBe(200)
    expect((await header('acme'))?.version).toBe(seq)
  })

  it('is published when it is told of, and announced under the version it made', async () => {
    const before = await setting.since(null)
    const seq = await setting.edit('project/acme/payments', {
      displayName: 'Payments',
      idpGroupMappings: [mapping('GROUP_READ_ONLY', 'told')],
      patternMappings: [],
    })
    expect(await setting.catchUp(seq)).toEqual({ state: 'published', seq, pending: 0, lastError: null })
    const { changes, seq: newest } = await setting.since(before.seq)
    expect(changes).toEqual([{ seq: newest, kind: 'document', key: 'organization:acme', version: seq }])
    await setting.stack.advance(PAST_FRESHNESS_SECONDS)
    expect((await asks('told', '/orgs/acme/projects/payments/x')).status).toBe(200)
  })

  it('names its mappings after those of the source', async () => {
    const document = await setting.published<{ exact: [string, { here: { mapping: string }[] }][] }>(
      `bucket:acme:0:${(await header('acme'))?.content.bucketHashes}`,
    )
    const found = document?.content.exact.find(([group]) => group === 'found')
    expect(found?.[1].here[0]?.mapping).toBe('organizations.acme.idpGroupMappings[1]')
  })

  it('writes nothing where nothing came of it', async () => {
    await setting.faults('')
    const seq = await setting.edit('organization/acme', acme('found'))
    expect((await setting.catchUp(seq)).state).toBe('published')
    expect(await setting.faults('')).toEqual([])
  })

  it('makes an organization, its issuer and its deletion known', async () => {
    const issuer = { settings: { issuer: 'https://initech.idp.test' } }
    await setting.edit('organization/initech', { displayName: 'Initech', ...acme('all') })
    await setting.edit('issuer/initech/own', issuer)
    await setting.edit('issuer-keys/initech/own', { withdrawn: [{ kid: 'k1', reason: null, at: 0 }] })
    await setting.catchUp()
    const published = (await header('initech'))?.content.header
    expect(published).toMatchObject({ displayName: 'Initech', audience: 'initech' })
    expect(published?.issuers).toMatchObject([
      { id: 'initech/own', issuers: ['https://initech.idp.test'], withdrawnKeys: ['k1'] },
    ])
    const { changes } = await setting.since(null)
    const [name] = changes.map(({ key }) => key).filter((key) => key.startsWith('issuer-name:'))
    expect((await setting.published(name as string))?.content).toEqual({
      records: [{ id: 'initech/own', organization: 'initech', audiences: null }],
    })
    await setting.edit('issuer/initech/own', null)
    const seq = await setting.edit('organization/initech', null)
    await setting.catchUp(seq)
    expect(await header('initech')).toEqual({ format: 1, version: seq, content: null })
    expect((await setting.published(name as string))?.content).toBeNull()
  })

  it('of the instance reaches the policy, and all organizations where they are compiled with it', async () => {
    const before = (await setting.published('policy'))?.version ?? 0
    const seq = await setting.edit('instance', {
      idpGroupMappings: [mapping('GLOBAL_READ_ONLY', 'stewards')],
      patternMappings: [],
    })
    await setting.catchUp(seq)
    expect(seq).toBeGreaterThan(before)
    expect((await setting.published('policy'))?.version).toBe(seq)
    await setting.stack.advance(PAST_FRESHNESS_SECONDS)
    expect((await asks('stewards', '/instance')).status).toBe(200)
  })

  it('of a role gives nothing to mappings of the database that no longer fit it, and they keep their places', async () => {
    const source = (
      await setting.query<{ content: string }>("SELECT content FROM versions WHERE document = 'policy'")
    )[0]
    const policy = JSON.parse(JSON.parse((source as { content: string }).content).source)
    await setting.edit('organization/acme', {
      idpGroupMappings: [mapping('ORG_X', 'moved'), mapping('ORG_READ_ONLY', 'stays')],
      patternMappings: [],
    })
    const put = (level: string) => {
      return setting.edit('policy', {
        source: JSON.stringify({
          ...policy,
          roles: { ORG_X: { level, permissions: ['organization.read'] } },
        }),
      })
    }
    await put('organization')
    await setting.catchUp()
    await setting.stack.advance(PAST_FRESHNESS_SECONDS)
    expect((await asks('moved')).status).toBe(200)
    await put('global')
    expect(await setting.catchUp()).toMatchObject({ state: 'published' })
    await setting.stack.advance(PAST_FRESHNESS_SECONDS)
    expect((await asks('moved')).status).toBe(403)
    expect((await asks('stays')).status).toBe(200)
    expect((await asks('moved', '/instance')).status).toBe(403)
  })

  it('of a policy that this build refuses leaves all as it is, loudly, and others go on', async () => {
    const before = await setting.published('policy')
    await setting.edit('policy', { source: 'version: 1\nroles: 7' })
    const seq = await setting.edit('organization/globex', { displayName: 'Globex Corporation', ...acme('x') })
    expect(await setting.catchUp(seq)).toMatchObject({
      state: 'pending',
      lastError: expect.stringMatching(/policy: the policy is not valid: .*roles/),
    })
    expect(await setting.published('policy')).toEqual(before)
    expect((await header('globex'))?.content.header.displayName).toBe('Globex Corporation')
    // Also for an object that has never seen the policy that is published.
    await setting.stack.restart()
    await setting.edit('organization/globex', { displayName: 'Globex', ...acme('x') })
    expect(await setting.catchUp()).toMatchObject({ state: 'pending' })
    expect((await header('globex'))?.content.header.displayName).toBe('Globex')
    const source = await setting.query<{ content: string }>(
      "SELECT content FROM versions WHERE document = 'policy' AND version = 1",
    )
    await setting.edit('policy', JSON.parse(source[0]?.content as string))
    expect(await setting.catchUp()).toMatchObject({ state: 'published', lastError: null })
  })
})

describe('while KV is out of order', () => {
  it('an edit is saved and pending, and comes to the edge once KV is back', async () => {
    await setting.faults('kv=fails')
    const seq = await setting.edit('organization/acme', acme('later'))
    expect(await setting.catchUp(seq)).toMatchObject({
      state: 'pending',
      lastError: expect.stringContaining('KV is out'),
    })
    const { seq: announced } = await setting.since(null)
    await setting.faults('kv=works')
    // The alarm tries again by itself.
    await setting.until(async () => (await setting.call<{ pending: number }>('status')).pending === 0)
    expect(await setting.call('status')).toMatchObject({ state: 'published', lastError: null })
    expect((await setting.since(announced)).changes).toMatchObject([
      { key: 'organization:acme', version: seq },
    ])
    await setting.stack.advance(PAST_FRESHNESS_SECONDS)
    expect((await asks('later')).status).toBe(200)
  })

  it('what the publisher would write can be had from it', async () => {
    await setting.faults('kv=fails')
    const seq = await setting.edit('organization/acme', acme('from the publisher'))
    await setting.catchUp(seq)
    const text = await setting.call<string>('document', ['organization:acme'])
    expect(JSON.parse(text)).toMatchObject({ format: 1, version: seq })
    expect((await header('acme'))?.version).toBeLessThan(seq)
    await setting.faults('kv=works')
    await setting.until(async () => (await header('acme'))?.version === seq)
  })
})

describe('publications', () => {
  it('never go backwards, in whatever order isolates ask for them', async () => {
    const seen: number[] = []
    const seqs: number[] = []
    const watching = { on: true }
    const watch = (async () => {
      while (watching.on) {
        seen.push((await header('acme'))?.version ?? 0)
        await new Promise((resume) => setTimeout(resume, 20))
      }
    })()
    const rounds = Array.from({ length: 12 }, async (_, round) => {
      const seq = await setting.edit('organization/acme', acme(`round-${round}`))
      seqs.push(seq)
      return setting.catchUp(seq, round % 3)
    })
    const outcomes = await Promise.all(rounds)
    watching.on = false
    await watch
    expect(
      outcomes.every(({ state, seq }, index) => state === 'published' && seq >= (seqs[index] as number)),
    ).toBe(true)
    expect(seen).toEqual([...seen].sort((a, b) => a - b))
    expect((await header('acme'))?.version).toBe(Math.max(...seqs))
  })

  it('write one key once a second at most', async () => {
    await setting.faults('')
    const start = Date.now()
    for (let round = 0; round < 3; round++) {
      const seq = await setting.edit('organization/globex', acme(`quick-${round}`))
      expect((await setting.catchUp(seq)).state).toBe('published')
    }
    expect(Date.now() - start).toBeGreaterThanOrEqual(2000)
    const puts = (await setting.faults('')).filter((key) => key.endsWith('organization:globex'))
    expect(puts).toHaveLength(3)
  })
})
