// An upstream that cannot be reached, breaks off or is late: the caller is told which, and nothing of where it is.
import { createServer } from 'node:http'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { expectRefused } from '../support/refused.ts'
import { listen, stopListening } from '../support/servers.ts'
import { API_HOST, PAYMENTS, routeTo, type Setting, startSetting } from '../support/setting.ts'

let setting: Setting
beforeAll(async () => {
  const gone = createServer()
  const closedPort = await listen(gone)
  await stopListening(gone)
  setting = await startSetting({
    policy: ({ routes }, { upstream }) => {
      const access = 'authenticated'
      routes.hasty = routeTo(upstream.origin, '/hasty/*', { access, timeoutSeconds: 1 })
      routes.gone = routeTo(`http://127.0.0.1:${closedPort}`, '/gone/*', { access })
    },
  })
})
afterAll(() => setting.close())
afterEach(() => {
  setting.upstream.answering = null
  setting.upstream.take()
})

const bearer = () => ({ authorization: `Bearer ${setting.token()}` })
const sleep = (milliseconds: number) => new Promise((resolve) => setTimeout(resolve, milliseconds))
describe('an upstream that fails', () => {
  it('cannot be reached: 502', async () => {
    const token = setting.token()
    const answer = await setting.get(token, { path: '/gone/x' })
    expectRefused(answer, setting.upstream, {
      status: 502,
      reason: 'upstream_unreachable',
      detail: /"gone"/,
      token,
    })
    expect(answer.text).not.toContain('127.0.0.1')
  })

  it('breaks off before it answers: 502', async () => {
    setting.upstream.answering = (request) => {
      request.socket.destroy()
    }
    const answer = await setting.get(setting.token())
    expect([answer.status, JSON.parse(answer.text).reason]).toEqual([502, 'upstream_unreachable'])
  })

  it('answers with something that is not HTTP: 502', async () => {
    setting.upstream.answering = (request) => {
      request.socket.end('SSH-2.0-OpenSSH_9.6\r\n')
    }
    const answer = await setting.get(setting.token())
    expect([answer.status, JSON.parse(answer.text).reason]).toEqual([502, 'upstream_unreachable'])
  })

  it('does not begin to answer in time: 504, for each of many who wait', async () => {
    setting.upstream.answering = () => {}
    const started = Date.now()
    const answers = await Promise.all(
      Array.from({ length: 20 }, () => setting.get(setting.token(), { path: '/hasty/x' })),
    )
    for (const answer of answers) {
      setting.upstream.take()
      expectRefused(answer, setting.upstream, {
        status: 504,
        reason: 'upstream_timeout',
        detail: /within 1 s .*"hasty"/,
      })
    }
    expect(Date.now() - started).toBeGreaterThanOrEqual(1000)
    expect(Date.now() - started).toBeLessThan(4000)
  })

  it('begins to answer in time and takes long over the rest: no time-out', async () => {
    setting.upstream.answering = async (_request, response) => {
      response.writeHead(200).write('begun, ')
      await sleep(2500)
      response.end('done')
    }
    expect((await setting.get(setting.token(), { path: '/hasty/x' })).text).toBe('begun, done')
  })

  it('keeps its deadline when the client that was first goes away', async () => {
    setting.upstream.answering = () => {}
    const first = setting.stack.open({ host: API_HOST, path: PAYMENTS, headers: bearer() })
    first.on('error', () => {})
    first.end()
    await expect.poll(() => setting.upstream.seen.length).toBe(1)
    const second = setting.get(setting.token(), { path: '/hasty/x' })
    await expect.poll(() => setting.upstream.seen.length).toBe(2)
    first.destroy()
    expect((await second).status).toBe(504)
  })
})
