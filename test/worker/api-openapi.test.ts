// The OpenAPI document and the reference page as a gateway host serves them: without credentials, with its own
// origin, and a page that a browser lets load nothing.
import { createHash } from 'node:crypto'
import { Validator } from '@seriousme/openapi-schema-validator'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { OPERATIONS } from '../../policy/operations/table.ts'
import { GATEWAY_HOST, GATEWAY_ORIGIN, type Stack, startStack } from '../support/stack.ts'

let stack: Stack
beforeAll(async () => {
  stack = await startStack({ policy: 'version: 1\n' })
})
afterAll(() => stack.close())

const get = (path: string, host = GATEWAY_HOST) => stack.send({ host, path })

test('the document is served to anybody, is valid, and names the gateway as its server', async () => {
  const { status, headers, text } = await get('/api/v1/openapi.json')
  expect({ status, type: headers['content-type'] }).toEqual({ status: 200, type: 'application/json' })
  const document = JSON.parse(text)
  expect(document.servers).toEqual([{ url: `${GATEWAY_ORIGIN}/api/v1` }])
  const { valid, errors } = await new Validator().validate(JSON.parse(text))
  expect({ valid, errors: errors ?? [] }).toEqual({ valid: true, errors: [] })
})

test('each operation that is described is there: none answers that there is no such path', async () => {
  const document = JSON.parse((await get('/api/v1/openapi.json')).text)
  for (const [path, methods] of Object.entries<Record<string, unknown>>(document.paths)) {
    for (const method of Object.keys(methods)) {
      const filled = path.replace(/\{\w+\}/g, 'a')
      const asked = { host: GATEWAY_HOST, path: `/api/v1${filled}`, method: method.toUpperCase() }
      const { status, text } = await stack.send(asked)
      expect({ path, method, status, reason: JSON.parse(text).reason }).toEqual({
        path,
        method,
        status: 401,
        reason: 'credentials_missing',
      })
    }
  }
})

test('the page has every operation and every schema, and links that lead somewhere', async () => {
  const { status, headers, text } = await get('/api/v1/docs')
  expect({ status, type: headers['content-type'] }).toEqual({ status: 200, type: 'text/html; charset=utf-8' })
  const ids = new Set([...text.matchAll(/ id="([^"]+)"/g)].map(([, id]) => id))
  for (const id of Object.keys(OPERATIONS)) expect(ids).toContain(id)
  const links = [...text.matchAll(/ href="#([^"]+)"/g)].map(([, id]) => id)
  expect(links.filter((id) => !ids.has(id))).toEqual([])
  expect(text.match(/<pre><code>curl/g)?.length).toBe(Object.keys(OPERATIONS).length + 1)
})

test('the page loads nothing, and only its own style and script are let in', async () => {
  const { headers, text } = await get('/api/v1/docs')
  expect(text).not.toMatch(/<link|<img|<iframe|\ssrc=|@import|url\(|\son\w+=|\sstyle=/)
  const hash = (tag: string) => {
    const [, inside = ''] = new RegExp(`<${tag}>([\\s\\S]*?)</${tag}>`).exec(text) ?? []
    return `'sha256-${createHash('sha256').update(inside).digest('base64')}'`
  }
  expect(headers['content-security-policy']).toBe(
    `default-src 'none'; style-src ${hash('style')}; script-src ${hash('script')}; base-uri 'none'; form-action 'none'; frame-ancestors 'none'`,
  )
})

test('what the table says is text there, whatever characters it has', async () => {
  const { text } = await get('/api/v1/docs')
  const [, document = ''] = /<main id="content">([\s\S]*)<\/main>/.exec(text) ?? []
  const tags = new Set([...document.matchAll(/<\/?([a-z0-9]+)/g)].map(([, tag]) => tag))
  expect([...tags].sort()).toEqual([
    'a',
    'code',
    'dd',
    'details',
    'div',
    'dl',
    'dt',
    'h2',
    'h3',
    'h4',
    'p',
    'pre',
    'section',
    'small',
    'span',
    'summary',
    'table',
    'tbody',
    'td',
    'th',
    'thead',
    'tr',
    'wbr',
  ])
})

test('other methods are refused with those there are', async () => {
  for (const path of ['/api/v1/openapi.json', '/api/v1/docs']) {
    const { status, headers } = await stack.send({ host: GATEWAY_HOST, path, method: 'POST' })
    expect({ status, allow: headers.allow }).toEqual({ status: 405, allow: 'GET, HEAD, OPTIONS' })
  }
})
