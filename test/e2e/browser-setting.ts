// What the browser tests run against: the demo's policy, people and upstream on the tests' own stack, whose clocks can be
// moved, on four sites: the gateway on 127.0.0.1, two fronted hosts below localhost, identity providers on localhost.
// Globex has a provider of its own, which gives id_tokens by form post.
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Browser, BrowserContext, Page } from 'playwright-core'
import { afterAll, afterEach, beforeAll, beforeEach, expect } from 'vitest'
import { parse, stringify } from 'yaml'
import { type Idp, startIdp } from '../../demo/idp.ts'
import { loopbackOrigin, serveLoopback } from '../../demo/loopback.ts'
import { GATEWAY_PORT, IDP_PORT, UPSTREAM_PORT } from '../../demo/names.ts'
import { startUpstream } from '../../demo/upstream.ts'
import { startStack, type Stack as TestStack } from '../support/stack.ts'
import { launchBrowser, newPerson } from './browser.ts'
import { freePorts, ROOT } from './stack.ts'

export const INACTIVITY_SECONDS = 120

export interface BrowserSetting {
  stack: TestStack
  /** The stack's. */
  variables: Record<string, string>
  idp: Idp
  /** Of globex. */
  ownIdp: Idp
  /** For the browser's own files. */
  folder: string
  at: Place
  /** Makes a page with this content on a site that is none of ours, and returns its address. */
  elsewhere(content: string): string
  close(): Promise<void>
}

/** An address of the gateway host, or of one of the two fronted ones. */
export type Place = (host: '127.0.0.1' | 'app.localhost' | 'other.localhost', path: string) => string

async function startBrowserSetting(): Promise<BrowserSetting> {
  const folder = mkdtempSync(join(tmpdir(), 'postern-browser-'))
  const ports = await freePorts()
  const port = Number(ports.PORT)
  const gateway = loopbackOrigin('127.0.0.1', port)
  const startProvider = (name: string, idpPort: string) =>
    startIdp({
      port: Number(idpPort),
      keysFile: join(folder, `${name}.json`),
      redirectUris: [`${gateway}/oidc/callback`],
      postLogoutRedirectUris: [`${gateway}/logout`],
      backchannelLogoutUri: `${gateway}/oidc/backchannel-logout`,
    })
  const idp = await startProvider('idp', ports.IDP_PORT)
  const ownIdp = await startProvider('own', ports.UPSTREAM_PORT)
  const upstream = await startUpstream({ port: 0 })
  let foreign = ''
  const elsewhere = await serveLoopback(0, (_request, response) => {
    response
      .writeHead(200, { 'content-type': 'text/html' })
      .end(`<!doctype html><h1>Elsewhere</h1>${foreign}`)
  })
  const variables = { GATEWAY_ORIGINS: gateway, DEMO_CLIENT_SECRET: idp.clientSecret }
  const policy = policyOf({ port, idp: idp.issuer, ownIdp: ownIdp.issuer, upstream: upstream.origin })
  const stack = await startStack({ policy, port, variables })
  return {
    stack,
    variables,
    idp,
    ownIdp,
    folder,
    at: (host, path) => `http://${host}:${port}${path}`,
    elsewhere: (content) => {
      foreign = content
      return `http://elsewhere.localhost:${elsewhere.port}/`
    },
    close: async () => {
      await stack.close()
      await Promise.all([elsewhere.close(), idp.close(), ownIdp.close(), upstream.close()])
      rmSync(folder, { recursive: true, force: true })
    },
  }
}

export interface BrowserTest {
  setting: BrowserSetting
  browser: Browser
  /** Of the running test: a browser of its own, with one tab. */
  context: BrowserContext
  page: Page
}

/** One setting and one Chromium for the file, a new person for each test. No page of ours may be complained of. */
export function useBrowser(): BrowserTest {
  const test = {} as BrowserTest
  let complaints: string[] = []
  beforeAll(async () => {
    const [setting, browser] = await Promise.all([startBrowserSetting(), launchBrowser()])
    Object.assign(test, { setting, browser })
  })
  afterAll(async () => {
    await test.browser?.close()
    await test.setting?.close()
  })
  beforeEach(async () => {
    const person = await newPerson(test.browser)
    complaints = person.complaints
    test.context = person.context
    test.page = await person.context.newPage()
  })
  afterEach(async () => {
    await test.context.close()
    expect(complaints).toEqual([])
  })
  return test
}

interface Addresses {
  port: number
  idp: string
  ownIdp: string
  upstream: string
}

/** The demo's, with what only tests need. */
function policyOf({ port, idp, ownIdp, upstream }: Addresses): string {
  const text = readFileSync(join(ROOT, 'demo/policy.yaml'), 'utf8')
    .replaceAll(`http://localhost:${IDP_PORT}`, idp)
    .replaceAll(`http://127.0.0.1:${UPSTREAM_PORT}`, upstream)
    .replaceAll(`.localhost:${GATEWAY_PORT}`, `.localhost:${port}`)
  const policy = parse(text)
  policy.singleSignOn.inactivityTimeoutSeconds = INACTIVITY_SECONDS
  policy.organizations.globex.issuers = {
    own: {
      issuer: ownIdp,
      signIn: {
        clientId: 'postern',
        authMethod: 'implicit',
        scopes: ['openid', 'profile', 'email', 'groups'],
        label: 'Globex by form post',
      },
    },
  }
  return stringify(policy)
}
