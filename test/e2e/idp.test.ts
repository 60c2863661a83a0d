// The demo identity provider as a relying party meets it: the flows that signing in and signing out will
// use, with its own sign-in page. The token command's grant is exercised in readme.test.ts.

import { createHash } from 'node:crypto'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { createServer } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createRemoteJWKSet, jwtVerify } from 'jose'
import { afterAll, beforeAll, expect, test, vi } from 'vitest'
import { type Idp, startIdp } from '../../demo/idp.ts'
import { freePorts } from './stack.ts'

const folder = mkdtempSync(join(tmpdir(), 'postern-idp-'))
const keysFile = join(folder, 'idp.json')
const logoutTokens: string[] = []
const printed = vi.fn()
let idp: Idp
let callback: string
const relyingParty = createServer((request, response) => {
  request
    .setEncoding('utf8')
    .on('data', (form) => logoutTokens.push(new URLSearchParams(form).get('logout_token') ?? ''))
  request.on('end', () => response.end())
})

beforeAll(async () => {
  for (const method of ['log', 'info', 'warn', 'error'] as const)
    vi.spyOn(console, method).mockImplementation(printed)
  const ports = await freePorts()
  relyingParty.listen(Number(ports.PORT), '127.0.0.1')
  const origin = `http://127.0.0.1:${ports.PORT}`
  callback = `${origin}/oidc/callback`
  idp = await startIdp({
    port: Number(ports.IDP_PORT),
    keysFile,
    redirectUris: [callback],
    postLogoutRedirectUris: [`${origin}/`],
    backchannelLogoutUri: `${origin}/oidc/backchannel-logout`,
  })
})

afterAll(async () => {
  relyingParty.close()
  await idp.close()
  rmSync(folder, { recursive: true, force: true })
  expect(printed).not.toHaveBeenCalled()
})

/** A browser, as far as these flows need one: it keeps cookies and follows redirects within the provider. */
function newBrowser() {
  const cookies = new Map<string, string>()
  const visit = async (
    url: string,
    form?: Record<string, string>,
  ): Promise<{ url: string; html: string }> => {
    if (!url.startsWith(idp.issuer)) return { url, html: '' }
    const response = await fetch(url, {
      redirect: 'manual',
      headers: {
        accept: 'text/html',
        cookie: [...cookies].map(([name, value]) => `${name}=${value}`).join('; '),
      },
      ...(form ? { method: 'POST', body: new URLSearchParams(form) } : {}),
    })
    for (const cookie of response.headers.getSetCookie()) {
      const [, name = '', value = ''] = cookie.match(/^([^=]+)=([^;]*)/) ?? []
      if (value) cookies.set(name, value)
      else cookies.delete(name)
    }
    const location = response.headers.get('location')
    return location ? visit(new URL(location, url).href) : { url, html: await response.text() }
  }
  return { visit }
}

async function signIn(browser: ReturnType<typeof newBrowser>, parameters: Record<string, string>) {
  const page = await browser.visit(`${idp.issuer}/auth?${new URLSearchParams(parameters)}`)
  expect(page.html).toContain('<label for="password">')
  const again = await browser.visit(page.url, { username: 'alice', password: 'wrong' })
  expect(again.html).toContain('do not match')
  return browser.visit(page.url, { username: 'alice', password: 'alice' })
}

async function verifyIdToken(idToken: string, audience: string) {
  const keys = createRemoteJWKSet(new URL(`${idp.issuer}/jwks`))
  const { payload } = await jwtVerify(idToken, keys, { issuer: idp.issuer, audience, algorithms: ['ES256'] })
  expect(payload).toMatchObject({
    sub: 'alice',
    email: 'alice@acme.example',
    email_verified: true,
    given_name: 'Alice',
    family_name: 'Anders',
    preferred_username: 'alice',
    groups: ['acme-admins'],
    nonce: 'n1',
  })
  return payload
}

const SCOPE = 'openid email profile groups offline_access'
const VERIFIER = 'v'.repeat(43)
const PKCE = {
  code_challenge: createHash('sha256').update(VERIFIER).digest('base64url'),
  code_challenge_method: 'S256',
}

async function redeem(answer: string, client: Record<string, string>) {
  const code = new URL(answer).searchParams.get('code') ?? ''
  const grant = { grant_type: 'authorization_code', code, redirect_uri: callback, code_verifier: VERIFIER }
  const body = new URLSearchParams({ ...grant, ...client })
  const response = await fetch(`${idp.issuer}/token`, { method: 'POST', body })
  expect(response.status).toBe(200)
  return (await response.json()) as Record<string, string>
}

test.each(['postern-public', 'postern'])('code with PKCE, refresh token: %s', async (clientId) => {
  const secret = JSON.parse(readFileSync(keysFile, 'utf8')).clientSecret
  const client = { client_id: clientId, ...(clientId === 'postern' ? { client_secret: secret } : {}) }
  const request = { client_id: clientId, redirect_uri: callback, scope: SCOPE, state: 's1', nonce: 'n1' }
  const { url } = await signIn(newBrowser(), {
    ...request,
    ...PKCE,
    response_type: 'code',
    // OpenID Connect Core 11: without it, offline_access counts for nothing.
    prompt: 'consent',
  })
  expect(url).toMatch(`${callback}?code=`)
  const tokens = await redeem(url, client)
  await verifyIdToken(tokens.id_token ?? '', clientId)
  const body = new URLSearchParams({
    ...client,
    grant_type: 'refresh_token',
    refresh_token: tokens.refresh_token ?? '',
  })
  const refreshed = await fetch(`${idp.issuer}/token`, { method: 'POST', body })
  expect(refreshed.status).toBe(200)
})

test('implicit id_token with form_post, then sign-out with a back-channel logout', async () => {
  const browser = newBrowser()
  const { html } = await signIn(browser, {
    client_id: 'postern',
    redirect_uri: callback,
    scope: 'openid email profile groups',
    state: 's1',
    nonce: 'n1',
    response_type: 'id_token',
    response_mode: 'form_post',
  })
  expect(html).toContain(`action="${callback}"`)
  const [, idToken = ''] = html.match(/name="id_token" value="([^"]+)"/) ?? []
  const { sid } = await verifyIdToken(idToken, 'postern')
  expect(sid).toBeTypeOf('string')

  const parameters = { id_token_hint: idToken, post_logout_redirect_uri: new URL('/', callback).href }
  const page = await browser.visit(`${idp.issuer}/session/end?${new URLSearchParams(parameters)}`)
  const [, xsrf = ''] = page.html.match(/name="xsrf" value="([^"]+)"/) ?? []
  const done = await browser.visit(`${idp.issuer}/session/end/confirm`, { xsrf, logout: 'yes' })
  expect(done.url).toBe(parameters.post_logout_redirect_uri)
  expect(logoutTokens).toHaveLength(1)
  const keys = createRemoteJWKSet(new URL(`${idp.issuer}/jwks`))
  const { payload } = await jwtVerify(logoutTokens[0] ?? '', keys, { typ: 'logout+jwt', audience: 'postern' })
  expect(payload).toMatchObject({ sub: 'alice', sid })
})

test('someone who cancels, and a sign-in page that is no longer valid', async () => {
  const browser = newBrowser()
  const request = { client_id: 'postern', redirect_uri: callback, scope: 'openid', response_type: 'code' }
  const page = await browser.visit(`${idp.issuer}/auth?${new URLSearchParams(request)}`)
  const { url } = await browser.visit(page.url, { cancel: 'yes' })
  expect(new URL(url).searchParams.get('error')).toBe('access_denied')
  const stale = await fetch(`${idp.issuer}/interaction/gone`)
  expect(stale.status).toBe(400)
})
