// Published documents that cannot be read, or are older than they should be: what is held serves on and says so, what
// is older is not taken, and where nothing is held nobody gets in.
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { mapping, projectContent, saveDocument } from '../support/edits.ts'
import { expectRefused } from '../support/refused.ts'
import { type Setting, startSetting } from '../support/setting.ts'

/** Isolates that no test has called yet; each is cold once. */
const COLD = [1, 2, 3, 4, 5, 6, 7, 8, 9]
const WARM = 0
const POLICY = 'policy'
const ACME = 'organization:acme'
const keyOf = (name: string) => `published:1:${name}`

let setting: Setting
beforeAll(async () => {
  setting = await startSetting({ isolates: COLD.length + 1 })
  await publish(projectContent())
})
afterAll(() => setting.close())

async function publish(content: object): Promise<void> {
  await saveDocument(setting.stack, 'project/acme/payments', content)
  expect(await setting.stack.publish()).toMatchObject({ state: 'published', lastError: null })
}

const read = (isolate: number, groups = ['readers']) => setting.get(setting.token({ groups }), { isolate })

/** Has the isolate read everything anew when it is called next. */
async function announceAll(): Promise<void> {
  await publish(projectContent(mapping('GROUP_READ_ONLY', `group-${edits}`)))
  edits += 1
  // The policy is published anew for another withdrawn key.
  await saveDocument(setting.stack, 'issuer-keys/main', {
    withdrawn: [{ kid: `old-${edits}`, reason: null, at: 0 }],
  })
  await setting.stack.publish()
  await setting.stack.advance(60)
}
let edits = 0

/** Both copies. */
async function replace(name: string, text: string | null, isolate: number): Promise<void> {
  await setting.stack.faults({ kvTexts: { [keyOf(name)]: text }, publisherTexts: { [name]: text } }, isolate)
}

async function presentText(name: string): Promise<string> {
  return (await (await setting.stack.kv()).get(keyOf(name))) as string
}

async function changed(name: string, change: (envelope: Envelope) => object): Promise<string> {
  return JSON.stringify(change(JSON.parse(await presentText(name))))
}
interface Envelope {
  format: number
  version: number
  content: Record<string, unknown>
}

/** From here on `name` is read so; the version is that of the present one. */
const BROKEN: [what: string, name: string, text: () => Promise<string>][] = [
  ['a policy that is cut off', POLICY, async () => (await presentText(POLICY)).slice(0, -100)],
  ['a policy that is no JSON', POLICY, async () => 'no'],
  ['an empty policy', POLICY, async () => ''],
  [
    'a policy in an envelope of a newer format',
    POLICY,
    () => changed(POLICY, (it) => ({ ...it, format: 2 })),
  ],
  [
    'a policy of a newer format',
    POLICY,
    () => changed(POLICY, (it) => ({ ...it, content: { ...it.content, format: 2 } })),
  ],
  ['an organization that is cut off', ACME, async () => (await presentText(ACME)).slice(0, -100)],
  ['an organization of a newer format', ACME, () => changed(ACME, (it) => ({ ...it, format: 2 }))],
  [
    'an organization that lacks a part',
    ACME,
    () => changed(ACME, (it) => ({ ...it, content: { ...it.content, header: {} } })),
  ],
]

describe.each(BROKEN)('%s', (_what, name, text) => {
  beforeEach(async () => {
    await setting.stack.faults({}, WARM)
    await setting.stack.advance(60)
    expect((await read(WARM)).status).toBe(200)
    expect((await setting.health(WARM)).warnings).toEqual([])
    setting.upstream.take()
  })

  it('leaves the last good one serving, with a loud warning, until there is a better one', async () => {
    await announceAll()
    await replace(name, await text(), WARM)
    const logged = setting.stack.logs.length
    expect((await read(WARM)).status).toBe(200)
    expect((await read(WARM, ['strangers'])).status).toBe(403)
    const { status, warnings } = await setting.health(WARM)
    expect(status).toBe('ready')
    expect(warnings).toEqual([expect.stringContaining(`Document "${name}" `)])
    expect(setting.stack.logs.slice(logged).join('\n')).toContain(`document ${name} `)
    await setting.stack.faults({}, WARM)
    await setting.stack.advance(6)
    expect((await read(WARM)).status).toBe(200)
    expect((await setting.health(WARM)).warnings).toEqual([])
  })

  it('lets nobody in where nothing is held', async () => {
    const isolate = COLD.pop() as number
    await replace(name, await text(), isolate)
    expectRefused(await read(isolate), setting.upstream, { status: 503, reason: 'policy_unavailable' })
    expectRefused(await read(isolate), setting.upstream, { status: 503, reason: 'policy_unavailable' })
    await setting.stack.faults({}, isolate)
    await setting.stack.advance(6)
    expect((await read(isolate)).status).toBe(200)
    setting.upstream.take()
  })
})

describe('a bucket of mappings that cannot be read', () => {
  const bucketName = async () => {
    const { bucketHashes } = JSON.parse(await presentText(ACME)).content as { bucketHashes: string }
    return `bucket:acme:0:${bucketHashes}`
  }

  it('leaves the mappings before it serving, and lets nobody in where there are none', async () => {
    expect((await read(WARM)).status).toBe(200)
    await announceAll()
    const name = await bucketName()
    await replace(name, '{"format":1', WARM)
    expect((await read(WARM)).status).toBe(200)
    expect((await read(WARM, ['strangers'])).status).toBe(403)
    expect((await setting.health(WARM)).warnings).toEqual([expect.stringContaining(`Document "${name}" `)])
    await setting.stack.faults({}, WARM)
    await setting.stack.advance(6)
    expect((await read(WARM)).status).toBe(200)
    expect((await setting.health(WARM)).warnings).toEqual([])
    setting.upstream.take()
    const isolate = COLD.pop() as number
    await replace(name, '{"format":1', isolate)
    expectRefused(await read(isolate), setting.upstream, { status: 503, reason: 'policy_unavailable' })
  })
})

describe('a copy in KV', () => {
  const MINE = ['mine']

  it('that is older than the feed says is not taken: the publisher has the present one', async () => {
    await publish(projectContent(mapping('GROUP_READ_ONLY', ...MINE)))
    await setting.stack.advance(60)
    expect((await read(WARM, MINE)).status).toBe(200)
    const older = await presentText(ACME)
    await publish(projectContent())
    await setting.stack.faults({ kvTexts: { [keyOf(ACME)]: older } }, WARM)
    await setting.stack.advance(60)
    expect((await read(WARM, MINE)).status).toBe(403)
    expect((await setting.stack.counts(WARM)).publisherReads).toBe(1)
    await setting.stack.faults({}, WARM)
  })

  it('that is missing is taken from the publisher, as all are while KV cannot be reached', async () => {
    await publish(projectContent(mapping('GROUP_READ_ONLY', ...MINE)))
    await setting.stack.faults({ kv: 'unreachable' }, WARM)
    await setting.stack.advance(60)
    expect((await read(WARM, MINE)).status).toBe(200)
    await publish(projectContent())
    await setting.stack.faults({ kvTexts: { [keyOf(ACME)]: null } }, WARM)
    await setting.stack.advance(60)
    expect((await read(WARM, MINE)).status).toBe(403)
    await setting.stack.faults({}, WARM)
    expect((await setting.health(WARM)).warnings).toEqual([])
  })
})

describe('an organization', () => {
  const NEW = '/orgs/initech'
  const owner = () => setting.token({ groups: ['initech-owners'] })

  it('that comes is there, and one that is deleted is not', async () => {
    setting.upstream.take()
    expectRefused(await setting.get(owner(), { path: NEW }), setting.upstream, {
      status: 403,
      reason: 'organization_unknown',
    })
    const content = projectContent(mapping('ORG_OWNER', 'initech-owners'))
    await saveDocument(setting.stack, 'organization/initech', content)
    await setting.stack.publish()
    await setting.stack.advance(60)
    const token = owner()
    expect((await setting.get(token, { path: NEW })).status).toBe(200)
    await saveDocument(setting.stack, 'organization/initech', null)
    await setting.stack.publish()
    await setting.stack.advance(60)
    setting.upstream.take()
    expectRefused(await setting.get(token, { path: NEW }), setting.upstream, {
      status: 403,
      reason: 'organization_unknown',
    })
  })
})
