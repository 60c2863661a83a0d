// What is answered as saved is saved: the process dies between the commit and the publication, or in the middle of
// many edits; KV is away when an edit is to be published. Nobody saves anything again.
import { execFileSync } from 'node:child_process'
import { afterEach, describe, expect, it, vi } from 'vitest'
import { verifyAudit } from '../support/audit.ts'
import { type Editing, startEditing } from '../support/editing.ts'

vi.setConfig({ testTimeout: 120_000 })

let editing: Editing | null = null
afterEach(async () => {
  await editing?.close()
  editing = null
})

/** Ends it as a power cut would: nothing that is under way comes to an end. */
function killer(): () => void {
  const own = execFileSync('pgrep', ['-P', `${process.pid}`, 'workerd'], { encoding: 'utf8' })
    .trim()
    .split('\n')
  expect(own).toHaveLength(1)
  const pid = Number(own[0])
  return () => process.kill(pid, 'SIGKILL')
}

async function restartKilled({ stack }: Editing): Promise<void> {
  killer()()
  await stack.restart()
}

/** Each request asks what is new, so that no test waits for the re-check time. */
const variables = { RECHECK_SECONDS: '0' }

describe('the process dies between the commit and the publication', () => {
  it('and the edit is there, reaches the edge without being saved again, and the audit verifies', async () => {
    editing = await startEditing({ variables })
    const { stack, giveTo, statusOf, edit, publication, until } = editing
    expect((await giveTo(['before'], { prefer: 'wait' })).headers['postern-publication']).toBe('published')
    expect(await statusOf('before')).toBe(200)
    const { seq } = await publication()

    await stack.faults({ catchUp: 'lost' })
    const answer = await giveTo(['after'], { prefer: 'wait' })
    expect({ status: answer.status, publication: answer.headers['postern-publication'] }).toEqual({
      status: 200,
      publication: 'pending',
    })
    expect((await publication()).seq).toBe(seq)
    await restartKilled(editing)

    const read = await edit('GET', '/organizations/acme/projects/payments')
    expect(read.headers.etag).toBe(answer.headers.etag)
    expect(JSON.parse(read.text)).toMatchObject(JSON.parse(answer.text))
    expect(await statusOf('before')).toBe(200)
    // The publisher compares itself with the database once a minute.
    await stack.advance(60)
    await until(async () => (await statusOf('after')) === 200)
    expect(await statusOf('before')).toBe(403)
    expect(await publication()).toMatchObject({
      state: 'published',
      seq: seq + 1,
      pending: 0,
      lastError: null,
    })
    expect((await verifyAudit(stack)).wrong).toEqual([])
  })

  it('and what waits for KV is written when both are back', async () => {
    editing = await startEditing({ variables })
    const { giveTo, objectFaults, publication, statusOf, stack, until } = editing
    expect((await giveTo(['before'], { prefer: 'wait' })).headers['postern-publication']).toBe('published')
    await objectFaults('kv=fails')
    expect((await giveTo(['after'], { prefer: 'wait' })).headers['postern-publication']).toBe('pending')
    expect(await publication()).toMatchObject({ state: 'pending' })
    await restartKilled(editing)
    await stack.advance(60)
    await until(async () => (await statusOf('after')) === 200)
    expect(await statusOf('before')).toBe(403)
    expect(await publication()).toMatchObject({ state: 'published', pending: 0 })
  })
})

describe('the process dies in the middle of many edits', () => {
  it('and each is whole or not there at all; none that was answered is lost', async () => {
    editing = await startEditing({ variables })
    const { edit, make, stack, until, publication } = editing
    const slugs = Array.from({ length: 8 }, (_, index) => `project-${index}`)
    await Promise.all(slugs.map((slug) => make('POST', '/organizations/acme/projects', { slug })))

    const kill = killer()
    let answered = 0
    /** The newest version that somebody was told of. */
    const told = new Map(slugs.map((slug) => [slug, 1]))
    const editors = slugs.map(async (slug) => {
      for (let version = 1; ; version++) {
        const mapping = { roleName: 'GROUP_READ_ONLY', idpGroups: [`${slug} ${version + 1}`] }
        const path = `/organizations/acme/projects/${slug}`
        const matching = { 'if-match': `"${version}"` }
        const { status, text } = await edit('PATCH', path, { idpGroupMappings: [mapping] }, matching)
        if (status !== 200) return `${status} ${text}`
        told.set(slug, version + 1)
        answered += 1
        if (answered === 50) kill()
      }
    })
    // All of them ended because nobody was there any more.
    const outcomes = await Promise.allSettled(editors)
    expect(outcomes.filter(({ status }) => status === 'fulfilled')).toEqual([])
    await stack.restart()

    const database = await stack.database()
    const all = async <Row>(sql: string) => (await database.prepare(sql).all()).results as Row[]
    for (const slug of slugs) {
      const [row] = await all<{ version: number }>(
        `select max(version) as version from versions where document = 'project/acme/${slug}'`,
      )
      const version = row?.version as number
      const known = told.get(slug) as number
      // The one that was under way may be there as well.
      expect([known, known + 1]).toContain(version)
      // What is derived from a version, and its audit event, came and went with it.
      const groups = await all<{ name: string }>(
        `select group_name as name from group_mappings where document = 'project/acme/${slug}'`,
      )
      expect(groups).toEqual([{ name: `${slug} ${version}` }])
      const [events] = await all<{ count: number }>(
        `select count(*) as count from audit_events where target_kind = 'project' and target like '%${slug}'`,
      )
      expect(events?.count).toBe(version)
    }
    expect((await verifyAudit(stack)).wrong).toEqual([])

    // All of them are published, one after the other.
    await stack.advance(60)
    const [newest] = await all<{ seq: number }>('select max(seq) as seq from versions')
    await editing.statusOf('readers')
    await until(async () => (await publication()).seq === newest?.seq)
    expect(await publication()).toMatchObject({ state: 'published', pending: 0, lastError: null })
  })
})

describe('KV is away when an edit is to be published', () => {
  it('so the answer says that it is saved and pending, and the edge follows once KV is back', async () => {
    editing = await startEditing({ isolates: 2, variables })
    const { giveTo, objectFaults, publication, statusOf, stack, edit, until } = editing
    await giveTo(['before'], { prefer: 'wait' })
    for (const isolate of [0, 1]) expect(await statusOf('before', isolate)).toBe(200)

    await objectFaults('kv=fails')
    const answer = await giveTo(['after'], { prefer: 'wait' })
    expect(answer.status).toBe(200)
    expect(answer.headers).toMatchObject({ 'postern-publication': 'pending', 'preference-applied': 'wait' })
    const said = JSON.parse((await edit('GET', '/publication')).text)
    expect(said.state).toBe('pending')
    expect(said.pending).toBeGreaterThan(0)
    expect(said.lastError).toMatch(/KV is out of order/)
    // Whoever waits for nothing is told the same.
    expect((await giveTo(['after', 'later'])).headers['postern-publication']).toBe('pending')
    // Nothing is announced that KV does not have.
    for (const isolate of [0, 1]) expect(await statusOf('before', isolate)).toBe(200)

    await objectFaults('kv=works')
    await until(async () => (await publication()).state === 'published')
    for (const isolate of [0, 1]) {
      expect(await statusOf('later', isolate)).toBe(200)
      expect(await statusOf('after', isolate)).toBe(200)
      expect(await statusOf('before', isolate)).toBe(403)
    }
    expect((await verifyAudit(stack)).wrong).toEqual([])
  })
})
