// WebSockets pass with who is calling in their handshake, and are refused before the upstream sees one.
import { afterAll, beforeAll, expect, it } from 'vitest'
import { API_HOST, PAYMENTS, type Setting, startSetting } from '../support/setting.ts'
import { UPSTREAM_TEXT } from '../support/upstream.ts'
import { connectWebSocket } from '../support/websocket.ts'

let setting: Setting
beforeAll(async () => {
  setting = await startSetting()
})
afterAll(() => setting.close())

const bearer = () => ({ authorization: `Bearer ${setting.token()}` })
const open = (headers: Record<string, string>) =>
  connectWebSocket({ port: setting.stack.port(), path: PAYMENTS, headers: { host: API_HOST, ...headers } })

it('a WebSocket passes, with who is calling in its handshake and nothing smuggled', async () => {
  const client = await open({
    ...bearer(),
    'x-postern-roles': 'ORG_OWNER',
    'x-request-id': 'ws-1',
  })
  const texts = ['hello', 'again', '']
  for (const text of texts) {
    client.send(text)
    expect(await client.next()).toBe(`echo ${text}`)
  }
  const { headers, target } = setting.upstream.takeOnly()
  expect(target).toBe(PAYMENTS)
  expect(headers).toMatchObject({
    upgrade: 'websocket',
    'x-postern-subject': 'alice',
    'x-postern-roles': 'GROUP_READ_ONLY',
    'x-postern-organization': 'acme',
    'x-request-id': 'ws-1',
  })
  expect(headers['x-postern-assertion']).toMatch(/^ey/)
  expect(headers.authorization).toBeUndefined()
  client.close()
  expect(await client.next()).toBeNull()
})

it('is refused without credentials, before the upstream sees a handshake', async () => {
  await expect(open({})).rejects.toThrow('answered 401 instead of 101')
  expect(setting.upstream.take()).toEqual([])
})

it('is refused by the upstream in its own words', async () => {
  setting.upstream.refusesUpgrades = true
  await expect(open(bearer())).rejects.toThrow('answered 403 instead of 101')
  setting.upstream.refusesUpgrades = false
  expect(setting.upstream.take()).toHaveLength(1)
})

it('does not keep the same caller from plain requests', async () => {
  const headers = bearer()
  const ask = () => setting.stack.send({ host: API_HOST, path: PAYMENTS, headers })
  expect((await ask()).text).toBe(UPSTREAM_TEXT)
  const client = await open(headers)
  expect((await ask()).text).toBe(UPSTREAM_TEXT)
  client.close()
  expect(setting.upstream.take().map(({ headers }) => headers.upgrade)).toEqual([
    undefined,
    'websocket',
    undefined,
  ])
})
