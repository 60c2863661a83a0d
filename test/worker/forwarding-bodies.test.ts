// Bodies stream both ways without being held back, and answers pass unchanged.
import { createHash, randomBytes } from 'node:crypto'
import type { IncomingMessage } from 'node:http'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { API_HOST, PAYMENTS, type Setting, startSetting } from '../support/setting.ts'
import { readAnswer } from '../support/stack.ts'
import { UPSTREAM_TEXT } from '../support/upstream.ts'

let setting: Setting
beforeAll(async () => {
  setting = await startSetting()
})
afterAll(() => setting.close())
afterEach(() => {
  setting.upstream.answering = null
  setting.upstream.take()
})

const bearer = () => ({ authorization: `Bearer ${setting.token()}` })
const sleep = (milliseconds: number) => new Promise((resolve) => setTimeout(resolve, milliseconds))
/** The next bytes of a body, as text. */
const nextChunk = (message: IncomingMessage) =>
  new Promise<string>((resolve) => message.once('data', (chunk) => resolve(chunk.toString())))

describe('methods', () => {
  const methods = ['GET', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS']
  it.each(
    methods.flatMap((method) => [
      [method, undefined],
      [method, ''],
      [method, 'a body'],
    ]),
  )('%s passes with the body %j', async (method = '', body) => {
    const content = body === undefined ? {} : { body }
    const asked = { host: API_HOST, path: '/whoami', method, headers: bearer() }
    expect((await setting.stack.send({ ...asked, ...content })).text).toBe(UPSTREAM_TEXT)
    const seen = setting.upstream.takeOnly()
    expect([seen.method, seen.body.toString()]).toEqual([method, body ?? ''])
    expect(seen.headers['x-postern-subject']).toBe('alice')
    expect(seen.headers.authorization).toBeUndefined()
  })

  it('HEAD has the headers of the answer and no body', async () => {
    setting.upstream.answering = (_request, response) => {
      response.writeHead(200, { 'content-length': '1234', 'content-type': 'text/plain', etag: '"x"' }).end()
    }
    const answer = await setting.stack.send({
      host: API_HOST,
      path: '/whoami',
      method: 'HEAD',
      headers: bearer(),
    })
    expect(answer.headers).toMatchObject({
      'content-length': '1234',
      'content-type': 'text/plain',
      etag: '"x"',
    })
    expect([answer.status, answer.body.length]).toEqual([200, 0])
    expect(setting.upstream.takeOnly().method).toBe('HEAD')
  })
})

describe('answers', () => {
  it.each([200, 201, 202, 400, 401, 403, 404, 409, 418, 422, 429, 500, 501, 502, 503, 504])(
    'status %i of the upstream passes with body and headers',
    async (status) => {
      setting.upstream.answering = (_request, response) => {
        response.writeHead(status, {
          'content-type': 'application/vnd.x+json',
          'x-custom': 'a',
          'www-authenticate': 'Own',
        })
        response.end('{"its":"own"}')
      }
      const answer = await setting.get(setting.token())
      expect([answer.status, answer.text]).toEqual([status, '{"its":"own"}'])
      expect(answer.headers).toMatchObject({
        'content-type': 'application/vnd.x+json',
        'x-custom': 'a',
        'www-authenticate': 'Own',
      })
    },
  )

  it.each([204, 304])('status %i passes without a body', async (status) => {
    setting.upstream.answering = (_request, response) => {
      response.writeHead(status, { etag: '"x"' }).end()
    }
    const answer = await setting.get(setting.token())
    expect([answer.status, answer.headers.etag, answer.text]).toEqual([status, '"x"', ''])
  })

  it.each([301, 302, 303, 307, 308])("redirect %i is the client's to follow", async (status) => {
    setting.upstream.answering = (_request, response) => {
      response.writeHead(status, { location: `${setting.upstream.origin}/elsewhere` }).end('moved')
    }
    const answer = await setting.get(setting.token())
    expect([answer.status, answer.headers.location]).toEqual([status, `${setting.upstream.origin}/elsewhere`])
    expect(setting.upstream.take()).toHaveLength(1)
  })

  it('each Set-Cookie stays a header of its own', async () => {
    const cookies = ['a=1; Expires=Wed, 21 Oct 2099 07:28:00 GMT; Path=/', 'b=2; HttpOnly', 'c=3']
    setting.upstream.answering = (_request, response) => {
      response.writeHead(200, { 'set-cookie': cookies }).end()
    }
    expect((await setting.get(setting.token())).headers['set-cookie']).toEqual(cookies)
  })

  it('what is about the connection to the upstream does not pass', async () => {
    setting.upstream.answering = (_request, response) => {
      response.writeHead(200, { connection: 'keep-alive', 'keep-alive': 'timeout=77' }).end('x')
    }
    const { rawHeaders } = await setting.get(setting.token())
    expect(rawHeaders.join('\n')).not.toMatch(/timeout=77/)
  })

  it('a compressed answer passes as the bytes it is', async () => {
    const bytes = Buffer.from('1f8b08000000000000034b4c4a06000241c24403000000', 'hex').subarray(0, 23)
    setting.upstream.answering = (_request, response) => {
      response.writeHead(200, { 'content-encoding': 'gzip', 'content-type': 'text/plain' }).end(bytes)
    }
    const answer = await setting.get(setting.token(), { headers: { 'accept-encoding': 'gzip' } })
    expect(answer.headers['content-encoding']).toBe('gzip')
    expect(answer.body.toString('hex')).toBe(bytes.toString('hex'))
  })
})

describe('streaming', () => {
  it('each event of the upstream arrives before the next is sent', async () => {
    let push: (text: string) => void = () => {}
    setting.upstream.answering = (_request, response) => {
      response.writeHead(200, { 'content-type': 'text/event-stream' })
      push = (text) => (text === '' ? response.end() : response.write(text))
      push('data: 0\n\n')
    }
    const asking = setting.stack.open({ host: API_HOST, path: PAYMENTS, headers: bearer() })
    const answered = new Promise<IncomingMessage>((resolve) => asking.on('response', resolve))
    asking.end()
    const response = await answered
    expect(response.headers['content-type']).toBe('text/event-stream')
    expect(await nextChunk(response)).toBe('data: 0\n\n')
    for (const number of [1, 2, 3]) {
      const arriving = nextChunk(response)
      push(`data: ${number}\n\n`)
      expect(await arriving).toBe(`data: ${number}\n\n`)
    }
    push('')
    expect((await readAnswer(response)).text).toBe('')
  })

  it('each chunk of the client arrives before the next is sent', async () => {
    let reached: (request: IncomingMessage) => void = () => {}
    const reaching = new Promise<IncomingMessage>((resolve) => {
      reached = resolve
    })
    setting.upstream.answering = async (request, response) => {
      reached(request)
      for await (const _ of request);
      response.end('whole')
    }
    const asking = setting.stack.open({ host: API_HOST, path: PAYMENTS, method: 'POST', headers: bearer() })
    const answered = new Promise<IncomingMessage>((resolve) => asking.on('response', resolve))
    asking.write('chunk 0')
    const request = await reaching
    expect(await nextChunk(request)).toBe('chunk 0')
    for (const number of [1, 2, 3]) {
      const arriving = nextChunk(request)
      asking.write(`chunk ${number}`)
      expect(await arriving).toBe(`chunk ${number}`)
    }
    asking.end()
    expect((await readAnswer(await answered)).text).toBe('whole')
  })
})

describe('bodies', () => {
  it('of 20 MB pass both ways, unchanged', async () => {
    const sent = randomBytes(20 * 1024 * 1024)
    setting.upstream.answering = (request, response) => {
      response.writeHead(200)
      request.pipe(response)
    }
    const answer = await setting.stack.send({
      host: API_HOST,
      path: PAYMENTS,
      method: 'POST',
      headers: bearer(),
      body: sent,
    })
    const digest = (bytes: Buffer) => createHash('sha256').update(bytes).digest('hex')
    expect(answer.body.length).toBe(sent.length)
    expect(digest(answer.body)).toBe(digest(sent))
  })

  it('that the upstream breaks off do not look whole to the client', async () => {
    setting.upstream.answering = async (_request, response) => {
      response.writeHead(200, { 'content-length': '1000' }).write('half')
      await sleep(50)
      response.destroy()
    }
    await expect(setting.get(setting.token())).rejects.toThrow(/aborted|hang up|reset/i)
  })

  it('that the client no longer wants end at the upstream as well', async () => {
    const ended = new Promise((resolve) => {
      setting.upstream.answering = (request, response) => {
        const writing = setInterval(() => response.write('more'), 20)
        request.socket.on('close', () => resolve(clearInterval(writing)))
      }
    })
    const asking = setting.stack.open({ host: API_HOST, path: PAYMENTS, headers: bearer() })
    asking.on('error', () => {})
    asking.on('response', (response) => {
      response.on('error', () => {})
      response.once('data', () => asking.destroy())
    })
    asking.end()
    await ended
  })
})
