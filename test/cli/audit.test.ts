// `postern audit verify`: an audit that is whole is said to be, and each way of changing it is found, from the
// server and from files.
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest'
import type { AuditEvent } from '../../policy/operations/history.ts'
import { ACME_OWNER, NOBODY, OWNER } from '../support/api.ts'
import { GATEWAY_HOST } from '../support/stack.ts'
import { type Gateway, startGateway } from './gateway.ts'
import { file, postern } from './postern.ts'

let gateway: Gateway
const saved = { events: [] as AuditEvent[], heads: '', jwks: '' }
const ACME = ['audit', 'verify', '--organization', 'acme']
const FILES = ['audit', 'verify', '--file', 'audit.ndjson', '--heads', 'heads.json', '--jwks', 'jwks.json']

const rename = (version: number, displayName: string) => {
  return gateway.api.make('PATCH', '/organizations/acme/projects/web', {
    ifMatch: version,
    body: { displayName },
  })
}

beforeAll(async () => {
  gateway = await startGateway()
  for (let version = 0; version < 5; version++) await rename(version, `Web ${version}`)
  // Heads are signed when an hour has gone by, as the publisher comes by.
  await gateway.api.stack.advance(3601)
  await rename(5, 'Web 5')
  const signed = async () => expect((await heads()).some(({ signature }) => signature !== null)).toBe(true)
  await vi.waitFor(signed, { timeout: 30_000, interval: 500 })
  const { stack, token } = gateway.api
  const lines = await stack.send({
    host: GATEWAY_HOST,
    path: '/api/v1/organizations/acme/audit',
    token: token(OWNER),
    headers: { accept: 'application/x-ndjson' },
  })
  saved.events = lines.text
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line))
  saved.heads = JSON.stringify({ items: await heads() })
  saved.jwks = (await stack.send({ host: GATEWAY_HOST, path: '/.well-known/jwks.json' })).text
})
afterAll(() => gateway.close())

async function heads(): Promise<{ number: number; signature: string | null }[]> {
  return (await gateway.api.ask('GET', '/organizations/acme/audit/heads')).json.items
}

/** What was saved, changed. */
function tampered(change: (events: AuditEvent[]) => AuditEvent[], more: Partial<typeof saved> = {}) {
  const events = change(structuredClone(saved.events))
  file('audit.ndjson', events.map((event) => `${JSON.stringify(event)}\n`).join(''))
  file('heads.json', more.heads ?? saved.heads)
  file('jwks.json', more.jwks ?? saved.jwks)
}

describe('an audit that is as it was', () => {
  test('is whole, on the server', async () => {
    const { code, stdout, stderr } = await gateway.run(ACME)
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
    expect(stdout).toMatch(/^The audit of acme is whole: \d+ events, [12] signed heads?\.\n$/)
    expect((await gateway.run(ACME, { as: ACME_OWNER })).code).toBe(0)
  })

  test('is whole for the instance', async () => {
    const { code, stdout } = await gateway.run(['audit', 'verify', '--json'])
    expect(code).toBe(0)
    expect(JSON.parse(stdout)).toMatchObject({ whole: true, chain: '', findings: [] })
  })

  test('is whole, from files, without asking anybody', async () => {
    tampered((events) => events)
    const { code, stdout, stderr } = await postern(FILES, { env: { POSTERN_URL: '', POSTERN_TOKEN: '' } })
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
    expect(stdout).toContain('is whole')
  })

  test('says what it could not look at', async () => {
    tampered((events) => events)
    const alone = await postern(['audit', 'verify', '--file', 'audit.ndjson'])
    expect(alone).toMatchObject({ code: 0, stderr: expect.stringContaining('cut off is not seen') })
    const unsigned = await postern(['audit', 'verify', '--file', 'audit.ndjson', '--heads', 'heads.json'])
    expect(unsigned).toMatchObject({ code: 0, stderr: expect.stringContaining('nobody vouches') })
  })

  test('goes on after the last head', async () => {
    tampered((events) => events, {
      heads: JSON.stringify({
        items: JSON.parse(saved.heads).items.filter((head: { signature: unknown }) => head.signature),
      }),
    })
    expect(await postern(FILES)).toMatchObject({ code: 0 })
  })
})

describe('what was done to it is found', () => {
  const last = () => saved.events.length
  const shouldFind: [name: string, change: (events: AuditEvent[]) => AuditEvent[], expected: () => RegExp][] =
    [
      [
        'a name that was changed',
        (events) =>
          events.with(2, { ...(events[2] as AuditEvent), after: { displayName: 'Nothing happened' } }),
        () => /altered: event 3 is altered/,
      ],
      [
        'another actor',
        (events) =>
          events.with(1, {
            ...(events[1] as AuditEvent),
            actor: { ...(events[1] as AuditEvent).actor, subject: 'mallory' },
          }),
        () => /altered: event 2/,
      ],
      [
        'another time',
        (events) => events.with(0, { ...(events[0] as AuditEvent), at: '2020-01-01T00:00:00.000Z' }),
        () => /altered: event 1/,
      ],
      [
        'an event taken out',
        (events) => events.toSpliced(2, 1),
        () => /removed: event 3 is missing: removed/,
      ],
      ['several taken out', (events) => events.toSpliced(1, 2), () => /removed: events 2 to 3 are missing/],
      ['the first one taken out', (events) => events.slice(1), () => /removed: event 1 is missing/],
      [
        'the tail cut off',
        (events) => events.slice(0, -1),
        () => new RegExp(`cut: event ${last()} is missing at the end`),
      ],
      [
        'all but the first cut off',
        (events) => events.slice(0, 1),
        () => new RegExp(`cut: events 2 to ${last()} are missing`),
      ],
      ['nothing left', () => [], () => new RegExp(`cut: events 1 to ${last()}`)],
      [
        'an event twice',
        (events) => [...events.slice(0, 2), ...events.slice(1)],
        () => /inserted: event 2 comes after event 2/,
      ],
      [
        'an event of another chain',
        (events) => events.with(1, { ...(events[1] as AuditEvent), chain: 'globex' }),
        () => /inserted: event 2 is of chain "globex"/,
      ],
      [
        'a taken out one, the others counted anew',
        (events) => events.toSpliced(2, 1).map((event, index) => ({ ...event, number: index + 1 })),
        () => /unlinked: event 3 does not name the hash of event 2/,
      ],
    ]
  test.each(shouldFind)('%s', async (_name, change, expected) => {
    tampered(change)
    const { code, stdout } = await postern(FILES)
    expect(code).toBe(1)
    expect(stdout).toMatch(expected())
    expect(stdout).toContain('is not what it was')
  })

  test('a whole chain made anew, with hashes that fit: the signed head does not', async () => {
    const { canonicalEvent } = await import('../../policy/audit-event.ts')
    const { createHash } = await import('node:crypto')
    tampered((events) => {
      let previous = ''
      return events.map((event) => {
        const forged = { ...event, previous, actor: { ...event.actor, subject: 'somebody-else' } }
        previous = createHash('sha256').update(canonicalEvent(forged)).digest('hex')
        return { ...forged, hash: previous }
      })
    })
    const { code, stdout } = await postern(FILES)
    expect(code).toBe(1)
    expect(stdout).toMatch(/rewritten: events? 1 .*not those that the signed head at \d+ vouches for/)
  })

  test('a head that says what was not signed, or signed by nobody', async () => {
    const items = JSON.parse(saved.heads).items as { signature: string | null; cumulative: string }[]
    const forged = items.map((head) => (head.signature ? { ...head, cumulative: '0'.repeat(64) } : head))
    tampered((events) => events, { heads: JSON.stringify({ items: forged }) })
    expect(await postern(FILES)).toMatchObject({
      code: 1,
      stdout: expect.stringContaining('something else than what was signed'),
    })
    tampered((events) => events, { jwks: '{"keys":[]}' })
    expect(await postern(FILES)).toMatchObject({
      code: 1,
      stdout: expect.stringContaining('none of the keys verifies'),
    })
  })

  test('in the database itself', async () => {
    const change = (sql: string) => gateway.api.rows(sql)
    await change(
      'UPDATE audit_events SET after = \'{"displayName":"x"}\' WHERE chain = \'acme\' AND number = 2',
    )
    const altered = await gateway.run([...ACME, '--json'])
    expect(altered.code).toBe(1)
    expect(JSON.parse(altered.stdout)).toMatchObject({
      whole: false,
      findings: [{ kind: 'altered', number: 2 }],
    })
    await change(`DELETE FROM audit_events WHERE chain = 'acme' AND number = ${saved.events.length}`)
    const cut = await gateway.run(ACME)
    expect(cut.stdout).toMatch(new RegExp(`cut: event ${saved.events.length} is missing at the end`))
  })
})

describe('what cannot be checked is said', () => {
  const shouldRefuse: [name: string, args: string[], expected: RegExp][] = [
    ['a line that is no event', ['audit', 'verify', '--file', 'noevent.ndjson'], /line 1 is no audit event/],
    ['a line that is no JSON', ['audit', 'verify', '--file', 'nojson.ndjson'], /line 1: /],
    ['a file that is not there', ['audit', 'verify', '--file', 'nowhere.ndjson'], /ENOENT/],
    ['heads of no file', ['audit', 'verify', '--heads', 'heads.json'], /need --file/],
    [
      'another chain than was asked for',
      ['audit', 'verify', '--file', 'audit.ndjson', '--organization', 'globex'],
      /events of chain "acme"/,
    ],
  ]
  test.each(shouldRefuse)('%s', async (_name, args, expected) => {
    tampered((events) => events)
    file('noevent.ndjson', '{"a":1}\n')
    file('nojson.ndjson', 'a\n')
    const { code, stdout, stderr } = await postern(args)
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' })
    expect(stderr).toMatch(expected)
  })

  test('by somebody who may not read it', async () => {
    const { code, stderr } = await gateway.run(ACME, { as: NOBODY })
    expect({ code, stderr }).toEqual({ code: 2, stderr: expect.stringContaining('404 not_found') })
  })
})
