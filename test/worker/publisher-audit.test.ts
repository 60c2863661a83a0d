// The heads of the audit chains: folded event by event outside of D1, signed hourly, and what they show.
import { createHash } from 'node:crypto'
import { createLocalJWKSet, type JSONWebKeySet, jwtVerify } from 'jose'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { cumulativeText, EMPTY_CUMULATIVE } from '../../policy/audit-event.ts'
import { type PublisherSetting, startPublisher } from '../support/publisher.ts'
import { GATEWAY_HOST, GATEWAY_ORIGIN } from '../support/stack.ts'
import { nowSeconds } from '../support/time.ts'

let setting: PublisherSetting
beforeAll(async () => {
  setting = await startPublisher()
  await setting.catchUp()
})
afterAll(() => setting.close())

interface Head {
  chain: string
  number: number
  cumulative: string
}
const sha256 = (text: string) => createHash('sha256').update(text).digest('hex')
const head = (chain: string) => setting.call<Head>('auditHeads', [chain])

/** As worker/database/audit.ts appends one. */
const append = (chain: string, what: string) => {
  return setting.query(
    `INSERT INTO audit_events (chain, number, at, actor, actor_key, operation, target_kind, target, request_id, hash, previous)
     VALUES (?1, coalesce((SELECT max(number) FROM audit_events WHERE chain = ?1), 0) + 1, 0, '{}', '', 'test', '', '',
       '', ?2, coalesce((SELECT hash FROM audit_events WHERE chain = ?1 ORDER BY number DESC LIMIT 1), ''))`,
    chain,
    sha256(what),
  )
}
const recompute = async (chain: string) => {
  const rows = await setting.query<{ hash: string; previous: string }>(
    'SELECT hash, previous FROM audit_events WHERE chain = ? ORDER BY number',
    chain,
  )
  return rows.reduce((cumulative, row) => sha256(cumulativeText(cumulative, row)), EMPTY_CUMULATIVE)
}

describe('the head of an audit chain', () => {
  it('is what anybody computes from its events, for each chain by itself', async () => {
    for (const what of ['a', 'b', 'c']) await append('acme', what)
    await append('globex', 'd')
    await setting.catchUp()
    expect(await setting.call('auditChains')).toEqual(['', 'acme', 'globex'])
    expect(await head('acme')).toEqual({ chain: 'acme', number: 3, cumulative: await recompute('acme') })
    expect(await head('globex')).toMatchObject({ number: 1, cumulative: await recompute('globex') })
    expect(await head('')).toMatchObject({ number: 1, cumulative: await recompute('') })
    expect(await head('initech')).toEqual({ chain: 'initech', number: 0, cumulative: '' })
  })

  it('is signed each hour it has moved, by a key that we publish', async () => {
    await setting.stack.advance(60 * 60)
    await setting.catchUp()
    const heads = await setting.query<Head & { signature: string }>(
      "SELECT chain, number, cumulative, signature FROM audit_heads WHERE chain IN ('acme', 'globex') ORDER BY chain",
    )
    expect(heads.map(({ chain, number }) => [chain, number])).toEqual([
      ['acme', 3],
      ['globex', 1],
    ])
    const jwks = await setting.stack.send({ host: GATEWAY_HOST, path: '/.well-known/jwks.json' })
    const keys = createLocalJWKSet(JSON.parse(jwks.text) as JSONWebKeySet)
    for (const { chain, number, cumulative, signature } of heads) {
      const { payload, protectedHeader } = await jwtVerify(signature, keys, { issuer: GATEWAY_ORIGIN })
      expect(protectedHeader.typ).toBe('postern-audit-head+jwt')
      expect(payload).toMatchObject({ chain, number, cumulative, iat: expect.any(Number) })
      expect(Math.abs((payload.iat as number) - nowSeconds())).toBeLessThan(60)
    }
    await append('acme', 'e')
    await setting.catchUp()
    await setting.stack.advance(60 * 60)
    await setting.catchUp()
    expect(
      await setting.query('SELECT chain, number FROM audit_heads WHERE number > 1 ORDER BY number'),
    ).toEqual([
      { chain: 'acme', number: 3 },
      { chain: 'acme', number: 4 },
    ])
  })

  it('is no credential', async () => {
    const [row] = await setting.query<{ signature: string }>('SELECT signature FROM audit_heads')
    const answer = await setting.get((row as { signature: string }).signature)
    expect([answer.status, (JSON.parse(answer.text) as { reason: string }).reason]).toEqual([
      401,
      'kind_not_allowed',
    ])
  })

  it('shows a tail that was cut, and events that follow it', async () => {
    await setting.query("DELETE FROM audit_events WHERE chain = 'acme' AND number = 4")
    await setting.catchUp()
    expect(await head('acme')).toMatchObject({ number: 4 })
    expect((await head('acme')).cumulative).not.toBe(await recompute('acme'))
    await append('acme', 'other')
    await setting.catchUp()
    expect(await setting.call('status')).toMatchObject({
      lastError: expect.stringContaining('the audit chain of acme does not go on after event 4'),
    })
    expect((await head('acme')).cumulative).not.toBe(await recompute('acme'))
    await append('globex', 'goes on')
    await setting.catchUp()
    expect(await head('globex')).toMatchObject({ number: 2, cumulative: await recompute('globex') })
  })
})
